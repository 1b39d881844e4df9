"""Rows of text lines that the line reader learns from: found and cut out of composed pages as the number reader would do it."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition.chance import shown_twice
from digits.composition.page_kinds import WINDOW_WIDTH, WrittenPage
from digits.composition.pages import IGNORED_LABEL, Borders, Sources, Symbol
from digits.composition.windows import MIN_IMAGE_WIDTH, image_of, random_borders, visible_in, written_pages
from digits.model.heat_map import OTHER_INK
from digits.model.line_image import COLUMN_STRIDE, LINE_HEIGHT, PADDING, TextLine, fit_line, line_image
from digits.reading.detection import Detection, boxes_of
from digits.reading.text_lines import text_lines

ROW_WIDTH = 256  # pixels of the network's input in training: a dozen digits and their margins, or several shorter lines
MAX_SYMBOLS = 32  # in a row

# Set by hand, and measured as a whole: benchmarks/results/whole_numbers.json, 777 images.
# How far the number reader's boxes are from the true ones. _STD: standard deviations.
BOX_SHIFT_STD, BOX_SIZE_STD = 0.05, 0.08  # of a digit's height; of the logarithm of its sides
MISSED_DIGIT_PROBABILITY = 0.08
OTHER_INK_LINE_PROBABILITY = 0.2  # that other ink counts as a digit where lines are found: some letters are taken for digits
# How far the line that is cut out is from the one that fits the boxes.
HEIGHT_STD, MIDDLE_STD, SLOPE_STD = 0.1, 0.05, 0.02  # of the height's logarithm; heights; pixels down per pixel to the right
MARGIN = (0.3, 1.5)  # heights, on either side
SINGLE_DIGIT_PROBABILITY = 0.4  # that a line of one symbol is kept: there are many, and they teach less
SPACE = (0, 16)  # pixels of the network's input between two lines beside each other
# Pages and photographs that wait to be shown once more, and the probability that such a photograph is shown instead of a new one:
# photographing a page takes ten times as long as cutting out its lines.
ROW_PAGES_KEPT, PHOTOGRAPHS_KEPT, SECOND_CROP_PROBABILITY = 128, 256, 0.5
MAX_SINGLE_DIGITS = 2  # images of one digit each that are taken of a page of these

Line = tuple[np.ndarray, list[int]]  # as the network sees it, (32, width) float32; the classes of its symbols from left to right
# Rows (N, 32, 256, 1) float32; their symbols (N, MAX_SYMBOLS) int32, as line_network.loss.
RowBatch = tuple[np.ndarray, np.ndarray]


def batches(sources: Sources, rng: np.random.Generator, batch_size: int) -> Iterator[RowBatch]:
    """Yield batches of rows and their symbols without end."""
    lines = _lines(sources, rng)
    while True:
        rows = [_row(lines, rng) for _ in range(batch_size)]
        sources.renew()
        yield np.stack([row for row, _ in rows])[..., None], np.stack([symbols for _, symbols in rows])


def _row(lines: Iterator[Line], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return lines beside each other, as many as fit, and their symbols."""
    row = np.zeros((LINE_HEIGHT, ROW_WIDTH), np.float32)
    symbols: list[int] = []
    x = _space(rng)
    for image, labels in lines:
        end = x + image.shape[1]
        if end > ROW_WIDTH or len(symbols) + len(labels) > MAX_SYMBOLS:
            if symbols:
                break
            continue
        row[:, x:end] = image
        symbols += labels
        x = end + _space(rng)
    return row, np.array(symbols + [PADDING] * (MAX_SYMBOLS - len(symbols)), np.int32)


def _space(rng: np.random.Generator) -> int:
    """Return the pixels between two lines, a whole number of columns."""
    return int(rng.integers(*SPACE)) // COLUMN_STRIDE * COLUMN_STRIDE


def _lines(sources: Sources, rng: np.random.Generator) -> Iterator[Line]:
    """Yield text lines without end."""
    for grey, visible in shown_twice(_photographs(sources, rng), PHOTOGRAPHS_KEPT, SECOND_CROP_PROBABILITY, rng):
        for image, labels in lines_in(grey, visible, rng):
            if len(labels) > 1 or rng.random() < SINGLE_DIGIT_PROBABILITY:
                yield image, labels


def _photographs(sources: Sources, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, list[Symbol]]]:
    """Yield photographs of pages without end, (height, width) uint8, each with what is visible in it."""
    for written in written_pages(sources, ROW_PAGES_KEPT, rng):
        for borders in _borders(written, rng):
            image = image_of(written, borders, sources, rng)
            left, _, top, _ = borders
            visible = visible_in(written, borders)
            yield (
                image,
                [replace(s, left=s.left - left, top=s.top - top, right=s.right - left, bottom=s.bottom - top) for s in visible],
            )


def _borders(written: WrittenPage, rng: np.random.Generator) -> list[Borders]:
    """Return the borders of the images that are photographed of a page, in pixels of the window."""
    if not written.single_digits:
        return [random_borders(written, rng)]
    whole = [
        (left, right, top, bottom)
        for left, right, top, bottom in written.single_digits
        if right <= WINDOW_WIDTH and min(right - left, bottom - top) >= MIN_IMAGE_WIDTH
    ]
    return whole[:MAX_SINGLE_DIGITS]


def lines_in(grey: np.ndarray, visible: list[Symbol], rng: np.random.Generator) -> list[Line]:
    """Return the text lines in a photograph, (height, width) uint8, without those that are too long or that a border cuts.

    visible: what is visible in it, in pixels of it.
    """
    classes = {*range(NUM_CLASSES), OTHER_INK} if rng.random() < OTHER_INK_LINE_PROBABILITY else set(range(NUM_CLASSES))
    found = [
        Detection(symbol.label, 1.0, symbol.left, symbol.top, symbol.right - symbol.left, symbol.bottom - symbol.top, np.empty(0))
        for symbol in visible
        if symbol.label in classes
    ]
    lines = (_cut_out(grey, _random_line(boxes_of(line), visible, rng), visible) for line in text_lines(found))
    return [line for line in lines if line is not None]


def _random_line(boxes: np.ndarray, visible: list[Symbol], rng: np.random.Generator) -> TextLine:
    """Return the line of these digits as the number reader might find it. boxes: (N, 4), left, top, width and height."""
    kept = rng.random(len(boxes)) >= MISSED_DIGIT_PROBABILITY
    boxes = boxes[kept] if kept.any() else boxes
    sides, heights = boxes[:, 2:] * np.exp(rng.normal(0, BOX_SIZE_STD, (len(boxes), 2))), boxes[:, 3:]
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + rng.normal(0, BOX_SHIFT_STD, (len(boxes), 2)) * heights
    line = fit_line(np.hstack([centres - sides / 2, sides]), margin=0.0)
    height = line.height * np.exp(rng.normal(0, HEIGHT_STD))
    line = TextLine(
        line.left - rng.uniform(*MARGIN) * height,
        line.right + rng.uniform(*MARGIN) * height,
        line.x,
        line.y + rng.normal(0, MIDDLE_STD) * height,
        line.slope + rng.normal(0, SLOPE_STD),
        height,
    )
    return _without_cut_symbols(line, visible, boxes)


def _cut_out(grey: np.ndarray, line: TextLine, visible: list[Symbol]) -> Line | None:
    """Return a line's image and its symbols; None where it is too long, or where an answer could not be said to be wrong."""
    if (line.right - line.left) * line.scale > ROW_WIDTH - COLUMN_STRIDE:
        return None
    image = line_image(grey, line)
    symbols = sorted((symbol for symbol in visible if _stands_in(symbol, line)), key=lambda symbol: symbol.left + symbol.right)
    labels = [symbol.label for symbol in symbols]
    needed = len(labels) + sum(label == before for before, label in itertools.pairwise(labels))  # columns: one between equal ones
    if IGNORED_LABEL in labels or needed * COLUMN_STRIDE > image.shape[1]:
        return None
    return image, labels


def _stands_in(symbol: Symbol, line: TextLine) -> bool:
    """Return whether the centre of a symbol stands in the part of a line that is read."""
    x, y = (symbol.left + symbol.right) / 2, (symbol.top + symbol.bottom) / 2
    below_middle = (y - line.y - line.slope * (x - line.x)) * line.scale
    return line.left < x < line.right and abs(below_middle) < LINE_HEIGHT / 2


def _without_cut_symbols(line: TextLine, visible: list[Symbol], boxes: np.ndarray) -> TextLine:
    """Return the line, shorter where its ends would cut a symbol or show one for which every answer is right."""
    first, last = boxes[0, 0] + boxes[0, 2] / 2, boxes[-1, 0] + boxes[-1, 2] / 2
    left, right = line.left, line.right
    for symbol in visible:
        if symbol.left < left < symbol.right or (symbol.label == IGNORED_LABEL and symbol.right <= first):
            left = max(left, min(symbol.right, boxes[0, 0]))
        if symbol.left < right < symbol.right or (symbol.label == IGNORED_LABEL and symbol.left >= last):
            right = min(right, max(symbol.left, boxes[-1, 0] + boxes[-1, 2]))
    return line._replace(left=left, right=right)
