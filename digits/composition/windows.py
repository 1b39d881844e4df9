"""Windows that the number reader's network learns from: parts of composed pages, and what the network is to answer for each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import signs
from digits.composition.glyphs import Handwriting
from digits.composition.pages import (
    ANYTHING,
    LineLayout,
    Page,
    Sources,
    Symbol,
    draw_cells,
    draw_rules,
    draw_stray_stroke,
    random_handwriting,
    random_layout,
    write_line,
)
from digits.composition.photographs import photograph, scan
from digits.composition.text import Token, random_text, random_words
from digits.model.heat_map import (
    BOX_UNIT,
    CLASS_COUNT,
    COUNTS,
    HAS_BOX,
    MAX_DIGIT_HEIGHT,
    MIN_DIGIT_HEIGHT,
    OUTPUT_COUNT,
    STRIDE,
    TARGET_COUNT,
    normalise,
)

WINDOW_HEIGHT, WINDOW_WIDTH = 64, 256  # pixels: room for a line of eight digits, and parts of the lines above and below
MARGIN = 64  # pixels around a window that are written on, too: the border cuts what stands there
# A digit of which this fraction is visible is one, for a reader guesses the rest. One of which less than the second is visible
# is background; in between, the network may answer anything.
MIN_VISIBLE_FRACTION, MAX_HIDDEN_FRACTION = 0.8, 0.45

MAX_GAUSSIAN_REACH = 4  # places: beyond, the Gaussian of the largest symbol is below 0.01

PAGES_KEPT = 64  # pages that wait for a second photograph: enough that both are seldom in one batch
SECOND_PHOTOGRAPH_PROBABILITY = 0.5  # that a window shows such a page: writing a page takes twice as long as photographing it
GLYPHS_RENEWED, PAPERS_RENEWED = 8, 1  # after each batch: half as many glyphs as windows, an eighth of the time

Box = tuple[int, int, int, int]  # left, right, top, bottom, in pixels
Batch = tuple[np.ndarray, np.ndarray]  # windows (N, 64, 256, 1) float32; targets (N, 16, 64, TARGET_COUNT) float32


@dataclass(frozen=True)
class WrittenPage:
    """A page with what stands on it, ready to be photographed.

    height: of its digits in pixels; 0 where they are far too small or too large to be read. base, x: where the first line
    begins, in pixels of the window. single_digits: borders of images of one digit each; empty where the page is one image.
    clean: whether it is to look like MNIST, without paper.
    """

    page: Page
    height: float
    base: float
    x: float
    single_digits: list[Box]
    clean: bool


def batches(sources: Sources, rng: np.random.Generator, batch_size: int) -> Iterator[Batch]:
    """Yield batches of windows and targets without end.

    Half of the pages are photographed a second time, with other paper, light and borders.
    """
    waiting: list[WrittenPage] = []
    while True:
        made = []
        for _ in range(batch_size):
            if len(waiting) > PAGES_KEPT and rng.random() < SECOND_PHOTOGRAPH_PROBABILITY:
                written = waiting.pop(rng.integers(len(waiting)))
            else:
                written = write_page(sources, rng)
                waiting.append(written)
            made.append(show(written, sources, rng))
        sources.digits.renew(GLYPHS_RENEWED)
        for _ in range(PAPERS_RENEWED):
            sources.papers.renew()
        yield np.stack([window for window, _ in made])[..., None], np.stack([target(symbols) for _, symbols in made])


def write_page(sources: Sources, rng: np.random.Generator) -> WrittenPage:
    """Return a page with lines of numbers, or of words, or with writing of the wrong size, or with images of single digits."""
    kind = rng.random()
    if kind < 0.1:
        return _write_single_digits(sources, rng)
    clean = kind < 0.2
    off_scale = 0.2 <= kind < 0.25
    wordy = 0.25 <= kind < 0.29
    page = _blank_page()
    height = rng.uniform(MIN_DIGIT_HEIGHT, MAX_DIGIT_HEIGHT)
    if off_scale:
        height = rng.uniform(5, 11) if rng.random() < 0.5 else rng.uniform(60, 110)
    fits = height + 3 < WINDOW_HEIGHT - 2
    base = rng.uniform(height + 3, WINDOW_HEIGHT - 2) if fits else WINDOW_HEIGHT / 2 + height / 2
    x = rng.uniform(2, 16) if rng.random() < 0.75 else rng.uniform(-1.5 * height, 30)
    handwriting, layout = random_handwriting(rng), random_layout(rng, height)
    if clean:
        handwriting = Handwriting(rng.normal(0, 0.08), math.exp(rng.normal(0, 0.1)), 0.0, 1.0, rng.uniform(-0.3, 0.3), 0.02)
        layout = LineLayout(height, rng.uniform(-0.25, 0.25), False, 0, 0.05, 0)
    bases = [base]
    if rng.random() < 0.4 and not clean:  # lines above and below
        step = height * rng.uniform(1.12, 2.2)
        bases += [base + step, base - step]
    if off_scale and height < 20:
        step = height * rng.uniform(1.3, 2.5)
        bases = list(np.arange(-step, WINDOW_HEIGHT + 2 * step, step))
    ruled, same_cells = rng.random() < 0.5, rng.random() < 0.6
    for i, line_base in enumerate(bases):
        if i and rng.random() < 0.25:
            continue
        printed = rng.random() < (0.5 if wordy else 0.05)
        font = int(rng.choice(signs.PRINT_FONTS)) if printed else None
        begin = start = x + MARGIN + (rng.uniform(-0.5, 2) * height if i else 0)
        line_layout = random_layout(rng, height) if layout.cell and not same_cells and i else layout
        while begin < WINDOW_WIDTH + MARGIN - 10:  # several numbers beside each other
            tokens: list[Token]
            if wordy:
                tokens = random_words(rng)
            elif clean:
                tokens = [int(digit) for digit in rng.integers(0, 10, rng.integers(2, 8))]
            else:
                tokens = random_text(rng)
            y = line_base + MARGIN + layout.slope * (begin - start)
            end, edges = write_line(page, tokens, line_layout, handwriting, (begin, y), sources, rng, font)
            if not clean:
                draw_cells(page, edges, line_layout, y, rng)
                if ruled:
                    draw_rules(page, begin, end, y, line_layout, rng)
            if rng.random() < 0.08:  # print and handwriting in one line
                font = None if font is not None else int(rng.choice(signs.PRINT_FONTS))
            if rng.random() < 0.25:
                break
            begin = end + height * rng.uniform(1.0, 3.0)
    if rng.random() < 0.12 and not clean:
        draw_stray_stroke(page, rng)
    return WrittenPage(page, 0.0 if off_scale else height, base, x, [], clean)


def show(written: WrittenPage, sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, list[Symbol]]:
    """Return a window, (64, 256) float32 as normalise returns it, 0 beyond an image's borders; and what is visible in it."""
    images = [box for box in written.single_digits if box[1] < WINDOW_WIDTH or rng.random() < 0.5]
    if not written.single_digits:
        images = [_random_borders(written, rng)]
    window = np.zeros((WINDOW_HEIGHT, WINDOW_WIDTH), np.float32)
    inverted = rng.random() < 0.06
    visible = []
    for left, right, top, bottom in images:
        left, right = max(left, 0), min(right, WINDOW_WIDTH)
        if right - left < 8:
            continue
        on_page = (left + MARGIN, right + MARGIN, top + MARGIN, bottom + MARGIN)
        image = scan(written.page, on_page) if written.clean else photograph(written.page, on_page, sources.papers, rng)
        window[top:bottom, left:right] = normalise(255 - image if inverted else image)
        visible += _visible(written, (left, right, top, bottom))
    return window, visible


def target(symbols: list[Symbol], height: int = WINDOW_HEIGHT, width: int = WINDOW_WIDTH) -> np.ndarray:
    """Return what the network is to answer, (height / 4, width / 4, TARGET_COUNT) float32.

    symbols: what stands in a window of this size, in pixels. Each is a Gaussian around its centre (Zhou et al. 2019), narrower
    than theirs, so that digits that overlap stay apart; at the place of the centre it is 1.
    """
    rows, columns = height // STRIDE, width // STRIDE
    values = np.zeros((rows, columns, TARGET_COUNT), np.float32)
    values[..., COUNTS] = 1
    for symbol in symbols:
        if symbol.label == ANYTHING:
            _mark_as_anything(values, symbol)
        else:
            _add_symbol(values, symbol)
    return values


def centre_place(symbol: Symbol, rows: int, columns: int) -> tuple[int, int]:
    """Return the (row, column) of the place in a map of this size in which the symbol's centre is."""
    x, y = _centre(symbol)
    return int(np.clip(round(y), 0, rows - 1)), int(np.clip(round(x), 0, columns - 1))


def _blank_page() -> Page:
    return Page.blank(WINDOW_HEIGHT + 2 * MARGIN, WINDOW_WIDTH + 2 * MARGIN)


def _write_single_digits(sources: Sources, rng: np.random.Generator) -> WrittenPage:
    """Return a page with several images of one digit each beside each other."""
    page, height, x = _blank_page(), rng.uniform(MIN_DIGIT_HEIGHT, MAX_DIGIT_HEIGHT), rng.uniform(0, 8)
    base = WINDOW_HEIGHT / 2 + height / 2 + rng.uniform(-4, 4)
    borders = []
    while x < WINDOW_WIDTH:
        handwriting = random_handwriting(rng, thick=rng.random() < 0.3)
        layout = LineLayout(height, 0, False, 0, 0.02, rng.uniform(1, 1.6) if rng.random() < 0.15 else 0)
        start = (x + MARGIN + height * rng.uniform(0.0, 0.6), base + MARGIN)
        end, edges = write_line(page, [int(rng.integers(10))], layout, handwriting, start, sources, rng)
        if rng.random() < 0.7:
            draw_cells(page, edges, layout, base + MARGIN, rng)
        if rng.random() < 0.15:
            draw_rules(page, x + MARGIN, end, base + MARGIN, layout, rng)
        right = end - MARGIN + height * rng.uniform(0.0, 0.6)
        top = max(0, int(base - height * rng.uniform(1.0, 1.5)))
        borders.append((int(x), int(right), top, min(WINDOW_HEIGHT, int(base + height * rng.uniform(0.02, 0.5)))))
        x = right + rng.uniform(6, 30)
    return WrittenPage(page, height, base, 0.0, borders, False)


def _random_borders(written: WrittenPage, rng: np.random.Generator) -> Box:
    """Return the borders of the image of a page: those of the window, or some that are closer to the writing."""
    left, right, top, bottom = 0, WINDOW_WIDTH, 0, WINDOW_HEIGHT
    height, base = written.height, written.base
    if height and rng.random() < 0.5:
        ends = (symbol.right for symbol in written.page.symbols if symbol.right < WINDOW_WIDTH + MARGIN)
        last = max(ends, default=WINDOW_WIDTH + MARGIN) - MARGIN
        if rng.random() < 0.7:
            right = int(np.clip(last + rng.uniform(-0.1, 0.8) * height, 40, WINDOW_WIDTH))
        else:
            right = int(rng.uniform(100, WINDOW_WIDTH))
        if rng.random() < 0.5:
            left = int(np.clip(written.x + rng.uniform(-0.5, 0.1) * height, 0, 40))
        if rng.random() < 0.7:
            top = int(np.clip(base - height * rng.uniform(0.99, 1.6), 0, WINDOW_HEIGHT - 20))
        if rng.random() < 0.7:
            bottom = int(np.clip(base + height * rng.uniform(0.0, 0.6), top + 18, WINDOW_HEIGHT))
        right, bottom = max(right, left + 24), min(max(bottom, top + 18), WINDOW_HEIGHT)
    return left, right, top, bottom


def _visible(written: WrittenPage, borders: Box) -> list[Symbol]:
    """Return what is visible of a page within the borders of an image, in pixels of the window."""
    x0, x1, y0, y1 = borders
    off_scale = written.height == 0
    visible = []
    for symbol in written.page.symbols:
        left, right = symbol.left - MARGIN, symbol.right - MARGIN
        top, bottom = symbol.top - MARGIN, symbol.bottom - MARGIN
        w, h = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
        if w <= 0 or h <= 0:
            continue
        fraction = (w / max(right - left, 1)) * (h / max(bottom - top, 1))
        if fraction < MAX_HIDDEN_FRACTION or (off_scale and symbol.label < NUM_CLASSES):
            continue
        label = symbol.label if fraction >= MIN_VISIBLE_FRACTION and not off_scale else ANYTHING
        visible.append(Symbol(label, max(left, x0), max(top, y0), min(right, x1), min(bottom, y1)))
    return visible


def _centre(symbol: Symbol) -> tuple[float, float]:
    """Return (x, y) of a symbol's centre in places; whole numbers are the middles of places."""
    return (symbol.left + symbol.right) / 2 / STRIDE - 0.5, (symbol.top + symbol.bottom) / 2 / STRIDE - 0.5


def _mark_as_anything(values: np.ndarray, symbol: Symbol) -> None:
    """Let no place in a symbol's box count, except the centres of others."""
    top, bottom = max(0, int(symbol.top / STRIDE)), int(symbol.bottom / STRIDE) + 1
    left, right = max(0, int(symbol.left / STRIDE)), int(symbol.right / STRIDE) + 1
    view = values[top:bottom, left:right]
    view[..., COUNTS] = np.where(view[..., :CLASS_COUNT].max(-1) >= 0.999, 1, 0)


def _add_symbol(values: np.ndarray, symbol: Symbol) -> None:
    """Write a symbol's Gaussian, and its box where the Gaussian is high or no other box is written yet."""
    rows, columns = values.shape[:2]
    w, h = symbol.right - symbol.left, symbol.bottom - symbol.top
    x, y = _centre(symbol)
    row, column = centre_place(symbol, rows, columns)
    std_x, std_y = max(w / STRIDE * 0.16, 0.35), max(h / STRIDE * 0.12, 0.45)
    top, left = max(0, row - MAX_GAUSSIAN_REACH), max(0, column - MAX_GAUSSIAN_REACH)
    ys = np.arange(top, min(rows, row + MAX_GAUSSIAN_REACH + 1), dtype=np.float32)[:, None]
    xs = np.arange(left, min(columns, column + MAX_GAUSSIAN_REACH + 1), dtype=np.float32)[None, :]
    gaussian = np.exp(-(((xs - x) / std_x) ** 2) / 2) * np.exp(-(((ys - y) / std_y) ** 2) / 2)
    view = values[top : top + ys.size, left : left + xs.size]
    np.maximum(view[..., symbol.label], gaussian, out=view[..., symbol.label])
    gaussian[row - top, column - left] = 1
    own = (gaussian > 0.8) | ((gaussian > 0.4) & (view[..., HAS_BOX] == 0))
    box = view[..., CLASS_COUNT:OUTPUT_COUNT]
    np.copyto(box[..., :2], (math.log(w / BOX_UNIT), math.log(h / BOX_UNIT)), where=own[..., None])
    np.copyto(box[..., 2], x - xs, where=own)
    np.copyto(box[..., 3], y - ys, where=own)
    view[own, HAS_BOX] = 1
    values[row, column, symbol.label] = 1
    values[row, column, COUNTS] = 1
