"""The kinds of pages, and how each is written: lines of numbers or words, or images of one digit each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import signs
from digits.composition.chance import pick
from digits.composition.handwriting import (
    Handwriting,
    LineLayout,
    mnist_handwriting,
    mnist_layout,
    random_handwriting,
    random_layout,
)
from digits.composition.lines import write_line
from digits.composition.pages import Borders, Page, Sources
from digits.composition.rules import draw_cells, draw_rules, draw_stray_stroke
from digits.composition.text import Token, random_digits, random_text, random_words
from digits.model.heat_map import MAX_DIGIT_HEIGHT, MIN_DIGIT_HEIGHT

WINDOW_HEIGHT, WINDOW_WIDTH = 64, 256  # pixels: room for a line of eight digits, and parts of the lines above and below
PAGE_MARGIN = 64  # pixels around a window that are written on, too: the border cuts what stands there


@dataclass(frozen=True)
class PageKind:
    """One kind of page. probability: of it among all pages.

    text: what a line says. print_probability: that a line is printed. clean: as MNIST shows digits, without lines, paper and
    light. off_scale: written far too small or too large to be read.
    """

    name: str
    probability: float
    text: Callable[[np.random.Generator], list[Token]] = random_text
    print_probability: float = 0.05
    clean: bool = False
    off_scale: bool = False


# ---- the family of pages: see digits/composition/__init__.py ----
SINGLE_DIGITS = PageKind("single digits", 0.10)  # images of one digit each, beside each other
CLEAN = PageKind("clean", 0.14, random_digits, clean=True)
OFF_SCALE = PageKind("off scale", 0.05, off_scale=True)
WORDS = PageKind("words", 0.04, random_words, print_probability=0.5)
NUMBERS = PageKind("numbers", 0.67)
PAGE_KINDS = (SINGLE_DIGITS, CLEAN, OFF_SCALE, WORDS, NUMBERS)

# ---- pages of lines; heights are those of the digits ----
SMALL_PROBABILITY, SMALL_HEIGHT, LARGE_HEIGHT = 0.5, (5, 11), (60, 110)  # pixels: digits of pages that are off scale
MIN_TOP_SPACE, MIN_BOTTOM_SPACE = 3, 2  # pixels at least between the digits of the first line and the window's border
COMMON_START_PROBABILITY, COMMON_START = 0.75, (2, 16)  # pixels from the window's left border to the first digit; else ...
MIN_START, MAX_START = -1.5, 30  # ... from this, in heights, to this, in pixels
SEVERAL_LINES_PROBABILITY, LINE_STEP = 0.4, (1.12, 2.2)  # a line above and one below; heights from one to the next
SMALL_LINE_STEP = (1.3, 2.5)  # heights, of small digits, which fill the window
SKIPPED_LINE_PROBABILITY = 0.25  # of lines other than the first
INDENT = (-0.5, 2.0)  # heights, of lines other than the first
SAME_CELLS_PROBABILITY = 0.6  # that all lines have the cells of the first; else each one has a layout of its own
RULED_PROBABILITY = 0.5
CHANGED_HAND_PROBABILITY = 0.08  # that behind a number print follows handwriting, or the reverse
LAST_NUMBER_PROBABILITY = 0.25  # that no other number follows in the line
NUMBER_SPACE = (1.0, 3.0)  # heights between numbers
MIN_NUMBER_ROOM = 10  # pixels: nearer to the window's right border no number begins
STRAY_STROKE_PROBABILITY = 0.12

# ---- images of one digit each ----
FIRST_IMAGE_X = (0, 8)  # pixels
BASE_OFFSET = (-4, 4)  # pixels from where the digit is in the middle of the window
MARKER_PROBABILITY = 0.3
SINGLE_CELL_PROBABILITY, SINGLE_CELL_WIDTH = 0.15, (1.0, 1.6)  # heights
SINGLE_CELL_LINES_PROBABILITY, SINGLE_RULES_PROBABILITY = 0.7, 0.15  # that the cell, if any, is drawn; that rules are
SINGLE_JITTER = 0.02  # heights
ROOM_BESIDE, ROOM_ABOVE_BASE, ROOM_BELOW_BASE = (0.0, 0.6), (1.0, 1.5), (0.02, 0.5)  # heights to the image's borders
IMAGE_SPACE = (6, 30)  # pixels between two images


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
    single_digits: list[Borders]
    clean: bool


@dataclass(frozen=True)
class _Plan:
    """What the lines of one page share. height: of the digits, in pixels. x: where lines begin, in pixels of the window."""

    kind: PageKind
    height: float
    x: float
    handwriting: Handwriting
    layout: LineLayout
    ruled: bool
    same_cells: bool


def write_page(sources: Sources, rng: np.random.Generator) -> WrittenPage:
    """Return a page of a random kind, a window with a margin around it."""
    kind = pick(rng, {kind: kind.probability for kind in PAGE_KINDS})
    return _write_single_digits(sources, rng) if kind is SINGLE_DIGITS else _write_lines(kind, sources, rng)


def blank_page() -> Page:
    """Return an empty page: a window with a margin around it."""
    return Page.blank(WINDOW_HEIGHT + 2 * PAGE_MARGIN, WINDOW_WIDTH + 2 * PAGE_MARGIN)


def _write_lines(kind: PageKind, sources: Sources, rng: np.random.Generator) -> WrittenPage:
    """Return a page with one or several lines."""
    page, height = blank_page(), _digit_height(kind, rng)
    base, x = _start(height, rng)
    handwriting, layout = random_handwriting(rng), random_layout(rng, height)
    if kind.clean:
        handwriting, layout = mnist_handwriting(rng), mnist_layout(rng, height)
    bases = _base_lines(kind, base, height, rng)
    ruled, same_cells = rng.random() < RULED_PROBABILITY, rng.random() < SAME_CELLS_PROBABILITY
    plan = _Plan(kind, height, x, handwriting, layout, ruled, same_cells)
    for i, line_base in enumerate(bases):
        if i == 0 or rng.random() >= SKIPPED_LINE_PROBABILITY:
            _write_numbers(page, plan, line_base, i == 0, sources, rng)
    if rng.random() < STRAY_STROKE_PROBABILITY and not kind.clean:
        draw_stray_stroke(page, rng)
    return WrittenPage(page, 0.0 if kind.off_scale else height, base, x, [], kind.clean)


def _digit_height(kind: PageKind, rng: np.random.Generator) -> float:
    """Return the height of a page's digits, in pixels."""
    height = rng.uniform(MIN_DIGIT_HEIGHT, MAX_DIGIT_HEIGHT)
    if kind.off_scale:
        height = rng.uniform(*SMALL_HEIGHT) if rng.random() < SMALL_PROBABILITY else rng.uniform(*LARGE_HEIGHT)
    return height


def _start(height: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return the base line and the x at which the first line begins, in pixels of the window."""
    highest, lowest = height + MIN_TOP_SPACE, WINDOW_HEIGHT - MIN_BOTTOM_SPACE
    base = rng.uniform(highest, lowest) if highest < lowest else WINDOW_HEIGHT / 2 + height / 2
    common = rng.random() < COMMON_START_PROBABILITY
    return base, rng.uniform(*COMMON_START) if common else rng.uniform(MIN_START * height, MAX_START)


def _base_lines(kind: PageKind, base: float, height: float, rng: np.random.Generator) -> list[float]:
    """Return the base lines of a page's lines, in pixels of the window, that of the first one first."""
    bases = [base]
    if rng.random() < SEVERAL_LINES_PROBABILITY and not kind.clean:
        step = height * rng.uniform(*LINE_STEP)
        bases += [base + step, base - step]
    if kind.off_scale and height < MIN_DIGIT_HEIGHT:
        step = height * rng.uniform(*SMALL_LINE_STEP)
        bases = list(np.arange(-step, WINDOW_HEIGHT + 2 * step, step))
    return bases


def _write_numbers(page: Page, plan: _Plan, base: float, is_first: bool, sources: Sources, rng: np.random.Generator) -> None:
    """Write several numbers beside each other. base: of the line, in pixels of the window. is_first: of the page's lines."""
    kind, height, layout = plan.kind, plan.height, plan.layout
    font = _print_font(rng) if rng.random() < kind.print_probability else None
    start = plan.x + PAGE_MARGIN + (0 if is_first else rng.uniform(*INDENT) * height)
    if layout.cell and not plan.same_cells and not is_first:
        layout = random_layout(rng, height)
    begin = start
    while begin < WINDOW_WIDTH + PAGE_MARGIN - MIN_NUMBER_ROOM:
        y = base + PAGE_MARGIN + plan.layout.slope * (begin - start)
        tokens = kind.text(rng)
        end, edges = write_line(page, tokens, layout, plan.handwriting, (begin, y), sources, rng, font)
        if not kind.clean:
            draw_cells(page, edges, layout, y, rng)
            if plan.ruled:
                draw_rules(page, begin, end, y, layout, rng)
        if rng.random() < CHANGED_HAND_PROBABILITY:
            font = _print_font(rng) if font is None else None
        if rng.random() < LAST_NUMBER_PROBABILITY:
            break
        begin = end + height * rng.uniform(*NUMBER_SPACE)


def _print_font(rng: np.random.Generator) -> int:
    return int(rng.choice(signs.PRINT_FONTS))


def _write_single_digits(sources: Sources, rng: np.random.Generator) -> WrittenPage:
    """Return a page with several images of one digit each beside each other."""
    page, height, x = blank_page(), rng.uniform(MIN_DIGIT_HEIGHT, MAX_DIGIT_HEIGHT), rng.uniform(*FIRST_IMAGE_X)
    base = WINDOW_HEIGHT / 2 + height / 2 + rng.uniform(*BASE_OFFSET)
    borders = []
    while x < WINDOW_WIDTH:
        right = _write_single_digit(page, x, base, height, sources, rng)
        top = max(0, int(base - height * rng.uniform(*ROOM_ABOVE_BASE)))
        bottom = min(WINDOW_HEIGHT, int(base + height * rng.uniform(*ROOM_BELOW_BASE)))
        borders.append((int(x), int(right), top, bottom))
        x = right + rng.uniform(*IMAGE_SPACE)
    return WrittenPage(page, height, base, 0.0, borders, clean=False)


def _write_single_digit(page: Page, x: float, base: float, height: float, sources: Sources, rng: np.random.Generator) -> float:
    """Write one digit and its cell; return the right border of its image. x: the left one. All in pixels of the window."""
    handwriting = random_handwriting(rng, thick=rng.random() < MARKER_PROBABILITY)
    cell = rng.uniform(*SINGLE_CELL_WIDTH) if rng.random() < SINGLE_CELL_PROBABILITY else 0
    layout = LineLayout(height, gap=0, nested=False, slope=0, jitter=SINGLE_JITTER, cell=cell)
    start = (x + PAGE_MARGIN + height * rng.uniform(*ROOM_BESIDE), base + PAGE_MARGIN)
    tokens = [int(rng.integers(NUM_CLASSES))]
    end, edges = write_line(page, tokens, layout, handwriting, start, sources, rng)
    if rng.random() < SINGLE_CELL_LINES_PROBABILITY:
        draw_cells(page, edges, layout, base + PAGE_MARGIN, rng)
    if rng.random() < SINGLE_RULES_PROBABILITY:
        draw_rules(page, x + PAGE_MARGIN, end, base + PAGE_MARGIN, layout, rng)
    return end - PAGE_MARGIN + height * rng.uniform(*ROOM_BESIDE)
