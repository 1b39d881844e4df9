"""Windows that the number reader's network learns from: parts of composed pages, and what the network is to answer for each."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition.chance import shown_twice
from digits.composition.page_kinds import PAGE_MARGIN, WINDOW_HEIGHT, WINDOW_WIDTH, WrittenPage, write_page
from digits.composition.pages import IGNORED_LABEL, Borders, Sources, Symbol
from digits.composition.photographs import photograph, scan
from digits.model.heat_map import (
    BOX_UNIT,
    CLASS_COUNT,
    HAS_BOX,
    LOSS_WEIGHT,
    MIN_CENTRE,
    OUTPUT_COUNT,
    STRIDE,
    TARGET_COUNT,
    normalise,
)

# A digit of which this fraction is visible is one, for a reader guesses the rest. One of which less than the second is visible
# is background; in between, every answer is right.
MIN_VISIBLE_FRACTION, MAX_HIDDEN_FRACTION = 0.8, 0.45

# ---- batches ----
WINDOW_PAGES_KEPT = 64  # pages that wait for a second photograph: enough that both are seldom in one batch
SECOND_PHOTOGRAPH_PROBABILITY = 0.5  # that a window shows such a page: writing a page takes twice as long as photographing it

# ---- borders of images; the family of pages: see digits/composition/__init__.py. Heights are those of the digits. ----
INVERTED_PROBABILITY = 0.06  # that an image is light on dark
LAST_IMAGE_PROBABILITY = 0.5  # that the last of several images of one digit is shown, which reaches beyond the window
MIN_IMAGE_WIDTH = 8  # pixels; a narrower image is left out
CLOSE_BORDERS_PROBABILITY = 0.5  # that the image of a page is smaller than the window, with a probability for each side:
CLOSE_RIGHT_PROBABILITY, RIGHT_ROOM = 0.7, (-0.1, 0.8)  # heights behind the last symbol; else the border is ...
CUT_RIGHT = 100  # ... anywhere to the right of this, in pixels
CLOSE_LEFT_PROBABILITY, LEFT_ROOM = 0.5, (-0.5, 0.1)  # heights from the first symbol
CLOSE_TOP_PROBABILITY, TOP_ROOM = 0.7, (0.99, 1.6)  # heights above the base line
CLOSE_BOTTOM_PROBABILITY, BOTTOM_ROOM = 0.7, (0.0, 0.6)  # heights below it
MAX_LEFT, MIN_RIGHT, MAX_TOP = 40, 40, WINDOW_HEIGHT - 20  # pixels of the window
MIN_CLOSE_HEIGHT, MIN_CLOSE_WIDTH = 18, 24  # pixels of an image

# ---- targets ----
# Standard deviations of a Gaussian: fractions of the symbol's width and height, and places, which they do not fall below.
STD_PER_WIDTH, MIN_STD_X = 0.16, 0.35
STD_PER_HEIGHT, MIN_STD_Y = 0.12, 0.45
MAX_GAUSSIAN_REACH = 4  # places: beyond, the Gaussian of the largest symbol is below 0.01
# A box is written where the Gaussian is above the first, and above the second where no other box is written yet.
OWN_BOX_LEVEL, FREE_BOX_LEVEL = 0.8, 0.4

WindowBatch = tuple[np.ndarray, np.ndarray]  # windows (N, 64, 256, 1) float32; targets (N, 16, 64, TARGET_COUNT) float32


def batches(sources: Sources, rng: np.random.Generator, batch_size: int) -> Iterator[WindowBatch]:
    """Yield batches of windows and targets without end.

    Half of the pages are photographed a second time, with other paper, light and borders.
    """
    pages = written_pages(sources, WINDOW_PAGES_KEPT, rng)
    while True:
        made = [show(written, sources, rng) for written in itertools.islice(pages, batch_size)]
        sources.renew()
        yield np.stack([window for window, _ in made])[..., None], np.stack([target(symbols) for _, symbols in made])


def written_pages(sources: Sources, kept: int, rng: np.random.Generator) -> Iterator[WrittenPage]:
    """Yield pages to photograph without end, half of them for the second time. kept: pages that wait for that."""
    return shown_twice((write_page(sources, rng) for _ in itertools.count()), kept, SECOND_PHOTOGRAPH_PROBABILITY, rng)


def image_of(written: WrittenPage, borders: Borders, sources: Sources, rng: np.random.Generator) -> np.ndarray:
    """Return the photograph or the scan of a part of a page, (h, w) uint8, dark on light. borders: in pixels of the window."""
    left, right, top, bottom = borders
    on_page = (left + PAGE_MARGIN, right + PAGE_MARGIN, top + PAGE_MARGIN, bottom + PAGE_MARGIN)
    return scan(written.page, on_page) if written.clean else photograph(written.page, on_page, sources.papers, rng)


def show(written: WrittenPage, sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, list[Symbol]]:
    """Return a window, (64, 256) float32 as normalise returns it, 0 beyond an image's borders; and what is visible in it."""
    images = [borders for borders in written.single_digits if borders[1] < WINDOW_WIDTH or rng.random() < LAST_IMAGE_PROBABILITY]
    if not written.single_digits:
        images = [random_borders(written, rng)]
    window = np.zeros((WINDOW_HEIGHT, WINDOW_WIDTH), np.float32)
    inverted = rng.random() < INVERTED_PROBABILITY
    visible = []
    for left, right, top, bottom in images:
        left, right = max(left, 0), min(right, WINDOW_WIDTH)
        if right - left < MIN_IMAGE_WIDTH:
            continue
        image = image_of(written, (left, right, top, bottom), sources, rng)
        window[top:bottom, left:right] = normalise(255 - image if inverted else image)
        visible += visible_in(written, (left, right, top, bottom))
    return window, visible


def target(symbols: list[Symbol], height: int = WINDOW_HEIGHT, width: int = WINDOW_WIDTH) -> np.ndarray:
    """Return what the network is to answer, (height / 4, width / 4, TARGET_COUNT) float32.

    symbols: what stands in a window of this size, in pixels. Each is a Gaussian around its centre (Zhou et al. 2019), narrower
    than theirs, so that digits that overlap stay apart; at the place of the centre it is 1.
    """
    rows, columns = height // STRIDE, width // STRIDE
    values = np.zeros((rows, columns, TARGET_COUNT), np.float32)
    values[..., LOSS_WEIGHT] = 1
    for symbol in symbols:
        if symbol.label == IGNORED_LABEL:
            _ignore(values, symbol)
        else:
            _add_symbol(values, symbol)
    return values


def centre_place(symbol: Symbol, rows: int, columns: int) -> tuple[int, int]:
    """Return the (row, column) of the place in a map of this size in which the symbol's centre is."""
    x, y = _centre(symbol)
    return int(np.clip(round(y), 0, rows - 1)), int(np.clip(round(x), 0, columns - 1))


def random_borders(written: WrittenPage, rng: np.random.Generator) -> Borders:
    """Return the borders of the image of a page: those of the window, or some that are closer to the writing."""
    left, right, top, bottom = 0, WINDOW_WIDTH, 0, WINDOW_HEIGHT
    height, base = written.height, written.base
    if not height or rng.random() >= CLOSE_BORDERS_PROBABILITY:
        return left, right, top, bottom
    if rng.random() < CLOSE_RIGHT_PROBABILITY:
        ends = (symbol.right for symbol in written.page.symbols if symbol.right < WINDOW_WIDTH + PAGE_MARGIN)
        last = max(ends, default=WINDOW_WIDTH + PAGE_MARGIN) - PAGE_MARGIN
        right = int(np.clip(last + rng.uniform(*RIGHT_ROOM) * height, MIN_RIGHT, WINDOW_WIDTH))
    else:
        right = int(rng.uniform(CUT_RIGHT, WINDOW_WIDTH))
    if rng.random() < CLOSE_LEFT_PROBABILITY:
        left = int(np.clip(written.x + rng.uniform(*LEFT_ROOM) * height, 0, MAX_LEFT))
    if rng.random() < CLOSE_TOP_PROBABILITY:
        top = int(np.clip(base - height * rng.uniform(*TOP_ROOM), 0, MAX_TOP))
    if rng.random() < CLOSE_BOTTOM_PROBABILITY:
        bottom = int(np.clip(base + height * rng.uniform(*BOTTOM_ROOM), top + MIN_CLOSE_HEIGHT, WINDOW_HEIGHT))
    return left, max(right, left + MIN_CLOSE_WIDTH), top, bottom


def visible_in(written: WrittenPage, borders: Borders) -> list[Symbol]:
    """Return what is visible of a page within the borders of an image, in pixels of the window."""
    x0, x1, y0, y1 = borders
    off_scale = written.height == 0
    visible = []
    for symbol in written.page.symbols:
        left, right = symbol.left - PAGE_MARGIN, symbol.right - PAGE_MARGIN
        top, bottom = symbol.top - PAGE_MARGIN, symbol.bottom - PAGE_MARGIN
        w, h = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
        if w <= 0 or h <= 0:
            continue
        fraction = (w / max(right - left, 1)) * (h / max(bottom - top, 1))
        if fraction < MAX_HIDDEN_FRACTION or (off_scale and symbol.label < NUM_CLASSES):
            continue
        label = symbol.label if fraction >= MIN_VISIBLE_FRACTION and not off_scale else IGNORED_LABEL
        visible.append(Symbol(label, max(left, x0), max(top, y0), min(right, x1), min(bottom, y1)))
    return visible


def _centre(symbol: Symbol) -> tuple[float, float]:
    """Return (x, y) of a symbol's centre in places; whole numbers are the middles of places."""
    return (symbol.left + symbol.right) / 2 / STRIDE - 0.5, (symbol.top + symbol.bottom) / 2 / STRIDE - 0.5


def _ignore(values: np.ndarray, symbol: Symbol) -> None:
    """Take the weight in the loss from the places in a symbol's box, except the centres of others."""
    top, bottom = max(0, int(symbol.top / STRIDE)), int(symbol.bottom / STRIDE) + 1
    left, right = max(0, int(symbol.left / STRIDE)), int(symbol.right / STRIDE) + 1
    view = values[top:bottom, left:right]
    view[..., LOSS_WEIGHT] = np.where(view[..., :CLASS_COUNT].max(-1) >= MIN_CENTRE, 1, 0)


def _add_symbol(values: np.ndarray, symbol: Symbol) -> None:
    """Write a symbol's Gaussian, and its box where the Gaussian is high or no other box is written yet."""
    rows, columns = values.shape[:2]
    w, h = symbol.right - symbol.left, symbol.bottom - symbol.top
    x, y = _centre(symbol)
    row, column = centre_place(symbol, rows, columns)
    std_x, std_y = max(w / STRIDE * STD_PER_WIDTH, MIN_STD_X), max(h / STRIDE * STD_PER_HEIGHT, MIN_STD_Y)
    top, left = max(0, row - MAX_GAUSSIAN_REACH), max(0, column - MAX_GAUSSIAN_REACH)
    ys = np.arange(top, min(rows, row + MAX_GAUSSIAN_REACH + 1), dtype=np.float32)[:, None]
    xs = np.arange(left, min(columns, column + MAX_GAUSSIAN_REACH + 1), dtype=np.float32)[None, :]
    gaussian = np.exp(-(((xs - x) / std_x) ** 2) / 2) * np.exp(-(((ys - y) / std_y) ** 2) / 2)
    view = values[top : top + ys.size, left : left + xs.size]
    np.maximum(view[..., symbol.label], gaussian, out=view[..., symbol.label])
    gaussian[row - top, column - left] = 1
    own = (gaussian > OWN_BOX_LEVEL) | ((gaussian > FREE_BOX_LEVEL) & (view[..., HAS_BOX] == 0))
    box = view[..., CLASS_COUNT:OUTPUT_COUNT]
    np.copyto(box[..., :2], (math.log(w / BOX_UNIT), math.log(h / BOX_UNIT)), where=own[..., None])
    np.copyto(box[..., 2], x - xs, where=own)
    np.copyto(box[..., 3], y - ys, where=own)
    view[own, HAS_BOX] = 1
    values[row, column, symbol.label] = 1
    values[row, column, LOSS_WEIGHT] = 1
