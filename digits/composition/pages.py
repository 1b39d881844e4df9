"""Pages on which lines of text are written, digit by digit, with the boxes, table lines and rules around them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import forms, glyphs, signs
from digits.composition.glyphs import GlyphPool, Handwriting
from digits.composition.papers import PaperPool
from digits.composition.text import Token
from digits.model.heat_map import MINUS, OTHER_INK

ANYTHING = -1  # the label of a symbol that may be answered with anything: half of a digit, a minus as long as a rule
MIN_PEN_WIDTH = 1.2  # pixels; a thinner stroke fades between pixels
STROKE_LEVEL = 96  # grey levels: where an anti-aliased stroke has its edge, as in glyphs
SUBPIXEL_BITS = 4  # strokes are drawn to a sixteenth of a pixel, OpenCV's shift
# The numbers within the functions belong to the family of pages: see digits/composition/__init__.py.


@dataclass
class Symbol:
    """Something on a page. label: its class, 0 to OTHER_INK, or ANYTHING. left, top, right, bottom: its box, in pixels."""

    label: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass
class Page:
    """A page that is being written on.

    ink, printed_lines: (height, width) uint8, 0 to 255, how far writing and printed lines cover each pixel. symbols: what is
    written, in pixels of the page.
    """

    ink: np.ndarray
    printed_lines: np.ndarray
    symbols: list[Symbol] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int) -> "Page":
        """Return an empty page. height, width: in pixels."""
        return cls(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8))


@dataclass(frozen=True)
class Sources:
    """Where pages and photographs take their parts from.

    held_back: whether marks are drawn in the shapes that are kept for validation, and never in those that are learned.
    """

    digits: GlyphPool
    papers: PaperPool
    held_back: bool = False


@dataclass(frozen=True)
class LineLayout:
    """How a line is laid out.

    height: of its digits, in pixels. The rest but the slope is in units of this height. gap: between the boxes of two digits
    or, nested, between their ink where it is nearest; below 0 they overlap. slope: pixels down per pixel to the right. jitter:
    standard deviation of digits from the base line, about. cell: width of a cell, 0 for none.
    """

    height: float
    gap: float
    nested: bool
    slope: float
    jitter: float
    cell: float


@dataclass(frozen=True)
class _LineStyle:
    """What the tokens of one line share. font: of OpenCV, None for writing by hand.

    letter_font: of its letters. pen: pixels. zero_scale: zeros are written smaller by some people. size_std: of the logarithm of
    the digits' heights. form_probability: of a digit in a form that MNIST lacks. cell_offset: standard deviation of digits from
    the middle of their cells, in heights.
    """

    layout: LineLayout
    handwriting: Handwriting
    font: int | None
    letter_font: int
    pen: float
    zero_scale: float
    size_std: float
    form_probability: float
    cell_offset: float


@dataclass(frozen=True)
class _Written:
    """The symbol before the one that is being written. ink: (h, w) uint8. left, top: in pixels of the page."""

    ink: np.ndarray
    left: int
    top: int
    label: int


def random_handwriting(rng: np.random.Generator, thick: bool = False) -> Handwriting:
    """Return how a random person writes with a random pen, from a hairline to a marker. thick: a marker."""
    as_in_mnist = rng.random() < 0.35
    pen = 0.0 if as_in_mnist else math.exp(rng.uniform(math.log(0.035), math.log(0.2)))
    if thick:
        pen = rng.uniform(0.15, 0.3)
    slant = rng.normal(0.05, 0.1) if rng.random() < 0.6 else rng.uniform(-0.15, 0.55)
    aspect = math.exp(rng.normal(-0.05, 0.2))
    return Handwriting(slant, aspect, pen, rng.uniform(0.7, 2.0), rng.uniform(-1, 1), rng.choice([0.02, 0.06, 0.1]))


def random_layout(rng: np.random.Generator, height: float) -> LineLayout:
    """Return a random layout of a line whose digits have this height, in pixels."""
    gaps = [rng.uniform(-0.22, 0), rng.uniform(-0.03, 0.2), rng.uniform(0.1, 0.8), rng.uniform(0.8, 2.2)]
    gap = gaps[rng.choice(4, p=[0.32, 0.38, 0.24, 0.06])]
    nested = rng.random() < 0.5
    if nested and gap < 0:
        gap *= 0.6  # each row of ink, not only the boxes, overlaps
    cell = rng.uniform(0.8, 2.2) if rng.random() < 0.22 else 0.0
    return LineLayout(height, gap, nested, rng.normal(0, 0.03), rng.choice([0.02, 0.05, 0.1]), cell)


def write_line(
    page: Page,
    tokens: Sequence[Token],
    layout: LineLayout,
    handwriting: Handwriting,
    start: tuple[float, float],
    sources: Sources,
    rng: np.random.Generator,
    font: int | None = None,
) -> tuple[float, list[float]]:
    """Write a line onto the page; return the x at which it ends, and the left edges of its cells and the end of the last one.

    start: (x, y) in pixels, the left end of the base line. font: of OpenCV, for printed text; None for writing by hand.
    """
    style = _line_style(layout, handwriting, font, rng)
    height = layout.height
    x, base = start
    edges: list[float] = []
    before: _Written | None = None
    for token in tokens:
        if x > page.ink.shape[1] - 4:
            break
        if token is None:
            x += height * rng.uniform(0.3, 1.2)
            before = None
            continue
        y = base + layout.slope * (x - start[0]) + rng.normal(0, layout.jitter * height * 0.5)
        is_digit = isinstance(token, int) and token < NUM_CLASSES
        drawn = _draw_token(token, style, sources, rng)
        if drawn is None:
            continue
        ink, (_, top) = drawn
        y += top
        if layout.cell and is_digit:
            edges.append(x)
            left = x + (layout.cell * height - ink.shape[1]) / 2 + rng.normal(0, height * style.cell_offset)
            x += layout.cell * height
        else:
            space = _space(token, before, style, rng)
            left = x + space
            if layout.nested and before is not None and font is None:
                left = _nested_left(before, ink, y, space)
            elif font is not None and before is not None:
                left = x + height * rng.uniform(0.1, 0.14)
            x = left + ink.shape[1]
        label = OTHER_INK if isinstance(token, str) else token
        before = _Written(ink, round(left), round(y), label)
        _lay(page.ink, before)
        if label == MINUS and ink.shape[1] > 1.1 * height:
            label = ANYTHING
        page.symbols.append(Symbol(label, before.left, before.top, before.left + ink.shape[1], before.top + ink.shape[0]))
    if edges:
        edges.append(x)
    return x, edges


def draw_cells(page: Page, edges: list[float], layout: LineLayout, base: float, rng: np.random.Generator) -> None:
    """Draw the cells around a line's digits: boxes one by one, a table's row, or the teeth of a comb.

    edges: as write_line returns them; [] for none. base: y of the base line at the first edge, in pixels.
    """
    if not edges:
        return
    height, thick = layout.height, int(rng.choice([1, 1, 2, 2, 3]))
    room = rng.choice([rng.uniform(0.0, 0.3), rng.uniform(0.2, 0.9)])
    top, bottom = base - height * (1 + room * rng.uniform(0.1, 1)), base + height * room * rng.uniform(0.1, 1)
    level = int(rng.uniform(90, 255))
    dotted = rng.random() < 0.12
    kind = rng.random()
    canvas = page.printed_lines

    def at(x: float, y: float) -> tuple[float, float]:
        return x, y + layout.slope * (x - edges[0])

    if kind < 0.35:  # boxes with space between
        inset = rng.uniform(0, 0.12) * height
        for left, right in itertools.pairwise(edges):
            upper, lower = (at(left, top)[1], at(right, top)[1]), (at(left, bottom)[1], at(right, bottom)[1])
            sides = left + inset, right - inset
            corners = [(sides[0], upper[0]), (sides[1], upper[1]), (sides[1], lower[1]), (sides[0], lower[0])]
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
                _stroke(canvas, a, b, thick, rng, dotted, level)
    elif kind < 0.8:  # a table's row
        beyond = rng.uniform(0, 3) * height
        start, end = edges[0] - beyond, edges[-1] + beyond
        _stroke(canvas, at(start, top), at(end, top), thick, rng, dotted, level)
        _stroke(canvas, at(start, bottom), at(end, bottom), thick, rng, dotted, level)
        above, below = (0, canvas.shape[0]) if rng.random() < 0.3 else (top, bottom)
        every_third_is_thick = rng.integers(1, 4) == 3
        for i, edge in enumerate(edges):
            width = thick + (1 if i % 3 == 0 and every_third_is_thick else 0)
            lower_end = (edge + rng.normal(0, 0.5), at(edge, below)[1])
            _stroke(canvas, at(edge, above), lower_end, width, rng, dotted, level)
    else:  # a comb
        for edge in edges:
            _stroke(canvas, at(edge, bottom), at(edge, bottom - height * rng.uniform(0.2, 0.5)), thick, rng, dotted, level)
        _stroke(canvas, at(edges[0], bottom), at(edges[-1], bottom), thick, rng, dotted, level)


def draw_rules(page: Page, x0: float, x1: float, base: float, layout: LineLayout, rng: np.random.Generator) -> None:
    """Draw underlines, frames and table lines near the line from x0 to x1. base: y of its base line. All in pixels."""
    height, (rows, columns) = layout.height, page.printed_lines.shape
    level = int(rng.uniform(80, 255))
    dotted = rng.random() < 0.15
    if rng.random() < 0.32:  # ruled line or underline, single or double
        y = base + height * rng.uniform(-0.12, 0.3)
        left = 0 if rng.random() < 0.7 else x0 - height * rng.uniform(-0.2, 0.5)
        right = columns if rng.random() < 0.7 else x1 + height * rng.uniform(-0.2, 0.5)
        thick, tilt = int(rng.choice([1, 1, 2, 3])), layout.slope * rng.choice([0, 1]) + rng.normal(0, 0.01)
        canvas = page.ink if rng.random() < 0.12 else page.printed_lines
        for number in range(2 if rng.random() < 0.12 else 1):
            gap = number * rng.uniform(3, 6)
            _stroke(canvas, (left, y + gap), (right, y + gap + tilt * (right - left)), thick, rng, dotted, level)
    if rng.random() < 0.15:  # a line above
        y = base - height * rng.uniform(1.0, 1.5)
        ends = (0, y), (columns, y + rng.normal(0, 3))
        _stroke(page.printed_lines, *ends, int(rng.choice([1, 2])), rng, dotted, level)
    if rng.random() < 0.18:  # upright lines of a table or a frame beside the number
        places = [x0 - height * rng.uniform(0.05, 0.6), x1 + height * rng.uniform(0.05, 0.6), rng.uniform(0, columns)]
        for x in rng.choice(places, rng.integers(1, 3)):
            thick = int(rng.choice([1, 2, 3, 5]))
            top, bottom = (0, rows) if rng.random() < 0.7 else (base - height * 1.3, base + height * 0.3)
            _stroke(page.printed_lines, (x, top), (x + rng.normal(0, 1.5), bottom), thick, rng, dotted, level)
    if rng.random() < 0.05:  # a frame around all of it
        left, right = x0 - height * rng.uniform(0.1, 0.6), x1 + height * rng.uniform(0.1, 0.6)
        top, bottom = base - height * rng.uniform(1.1, 1.5), base + height * rng.uniform(0.1, 0.4)
        corners = (int(left), int(top)), (int(right), int(bottom))
        cv2.rectangle(page.printed_lines, *corners, level, int(rng.integers(1, 4)), cv2.LINE_AA)


def draw_stray_stroke(page: Page, rng: np.random.Generator) -> None:
    """Draw a stroke across the page that belongs to nothing."""
    count = rng.integers(3, 6)
    points = np.stack([rng.uniform(0, page.ink.shape[1], count), rng.uniform(0, page.ink.shape[0], count)], 1)
    path = np.round(signs.curve(rng, points, 0.0) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    canvas = page.printed_lines if rng.random() < 0.5 else page.ink
    cv2.polylines(canvas, [path], False, int(rng.uniform(60, 255)), int(rng.integers(1, 4)), cv2.LINE_AA, SUBPIXEL_BITS)


def _line_style(layout: LineLayout, handwriting: Handwriting, font: int | None, rng: np.random.Generator) -> _LineStyle:
    """Return what the tokens of a line share."""
    pen = max(handwriting.pen, 0.05 if handwriting.pen else 0.09) * layout.height
    cell_offset = rng.choice([0.05, 0.1, 0.25])
    zero_scale = rng.uniform(0.5, 0.8) if rng.random() < 0.15 else 1.0
    size_std = (0.12 if rng.random() < 0.2 else 0.04) + layout.jitter * 0.6
    form_probability = rng.choice([0.0, 0.25, 0.8], p=[0.45, 0.25, 0.3])
    letter_font = int(rng.choice(signs.FONTS)) if font is None else font
    return _LineStyle(layout, handwriting, font, letter_font, pen, zero_scale, size_std, form_probability, cell_offset)


def _draw_token(
    token: int | str, style: _LineStyle, sources: Sources, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float]] | None:
    """Return a token's ink, (h, w) uint8, and its (left, top) from the base line, in pixels; None where nothing is visible."""
    height, slant = style.layout.height, style.handwriting.slant
    bend = 0.05 if style.font is None else 0.0
    if isinstance(token, int) and token < NUM_CLASSES:
        if style.font is None:
            return _draw_digit(token, style, sources, rng)
        slant = slant if rng.random() < 0.2 else 0
        return signs.draw_character(str(token), style.letter_font, height, style.pen, slant, rng, bend)
    if token == signs.CENTS:
        return signs.rasterise(signs.draw_cents(rng), height, style.pen, slant)
    if token == signs.EQUALS:
        strokes = signs.draw_sign(rng, signs.EQUALS_KIND)
        drawn = signs.rasterise(strokes, height * rng.uniform(0.5, 1), style.pen, 0)
        # People write it at any height above the base line.
        return None if drawn is None else (drawn[0], (0.0, drawn[1][1] - height * rng.uniform(0, 0.4)))
    if isinstance(token, str):
        return signs.draw_character(token, style.letter_font, height, style.pen, slant, rng, bend)
    if token == OTHER_INK:
        return signs.rasterise(signs.draw_sign(rng), height, style.pen * rng.uniform(0.8, 1.1), slant)
    return signs.rasterise(signs.draw_mark(token, rng, sources.held_back), height, style.pen, slant * rng.choice([0, 1]))


def _draw_digit(
    digit: int, style: _LineStyle, sources: Sources, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float]] | None:
    """Return a handwritten digit's ink and place, as _draw_token does."""
    handwriting = style.handwriting
    height = style.layout.height * math.exp(rng.normal(-0.03, style.size_std)) * (style.zero_scale if digit == 0 else 1)
    ink: np.ndarray | None
    if rng.random() < style.form_probability:
        pen = handwriting.pen * height if handwriting.pen else height * rng.uniform(0.06, 0.13)
        slant = handwriting.slant + rng.normal(0, 0.04)
        ink = forms.draw_digit(digit, height, max(pen, MIN_PEN_WIDTH), slant, handwriting.aspect, rng)
    else:
        ink = glyphs.write(sources.digits.draw(digit, rng), height, handwriting, rng)
    if ink is None:
        return None
    descends = digit in (4, 7, 9) and rng.random() < 0.15  # those with a tail may hang below the line
    return ink, (0.0, -ink.shape[0] * rng.uniform(0.7, 1) if descends else -float(ink.shape[0]))


def _space(token: int | str, before: _Written | None, style: _LineStyle, rng: np.random.Generator) -> float:
    """Return the gap between the box of the symbol before and that of a token, in pixels; below 0 they overlap."""
    height = style.layout.height
    space = style.layout.gap * height + rng.normal(0, 0.05 * height)
    is_digit = isinstance(token, int) and token < NUM_CLASSES
    if is_digit and before is not None and before.label < NUM_CLASSES:
        return space
    if before is None:
        return 0.0
    space = max(space, rng.uniform(-0.02, 0.2) * height)  # marks are close to a digit but seldom overlap it
    if token == OTHER_INK or isinstance(token, str):
        space = max(space, rng.uniform(0.02, 0.15) * height)
    return space


def _nested_left(before: _Written, ink: np.ndarray, top: float, space: float) -> float:
    """Return the x at which the ink is `space` pixels from the ink before, in the row where they are nearest.

    ink: (h, w) uint8, the upper edge at y = top.
    """
    other = before.ink
    y0, y1 = int(max(top, before.top)), int(min(top + ink.shape[0], before.top + other.shape[0]))
    end = before.left + other.shape[1]
    if y1 - y0 < 2:
        return end + space
    mine = ink[y0 - int(top) : y1 - int(top)] > STROKE_LEVEL
    theirs = other[y0 - before.top : y1 - before.top, ::-1] > STROKE_LEVEL
    rows = min(len(mine), len(theirs))
    if rows < 2:
        return end + space
    mine, theirs = mine[:rows], theirs[:rows]
    left_margin = np.where(mine.any(1), mine.argmax(1), 99)  # 99 pixels: farther than any digit is wide
    right_margin = np.where(theirs.any(1), theirs.argmax(1), 99)
    nearest = cv2.blur((left_margin + right_margin).astype(np.float32)[:, None], (1, 3)).min()
    return end - min(nearest, 0.4 * min(ink.shape[1], other.shape[1])) + space


def _lay(canvas: np.ndarray, written: _Written) -> None:
    """Lay ink onto the canvas, (height, width) uint8; what is outside is lost."""
    ink, left, top = written.ink, written.left, written.top
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + ink.shape[1], canvas.shape[1]), min(top + ink.shape[0], canvas.shape[0])
    if x0 < x1 and y0 < y1:
        view = canvas[y0:y1, x0:x1]
        np.maximum(view, ink[y0 - top : y1 - top, x0 - left : x1 - left], out=view)


def _stroke(
    canvas: np.ndarray,
    start: tuple[float, float],
    end: tuple[float, float],
    width: int,
    rng: np.random.Generator,
    dotted: bool,
    level: int,
) -> None:
    """Draw a ruled stroke, solid or dotted. start, end: (x, y) in pixels. width: in pixels. level: 0 to 255."""
    if not dotted:
        points = np.round(np.array([start, end]) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.line(canvas, points[0].tolist(), points[1].tolist(), level, width, cv2.LINE_AA, SUBPIXEL_BITS)
        return
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    on, off = rng.uniform(1, 5), rng.uniform(2, 5)
    for distance in np.arange(0, length, on + off):
        ends = distance / max(length, 1), min((distance + on) / max(length, 1), 1)
        a, b = ([int((1 << SUBPIXEL_BITS) * (start[k] + (end[k] - start[k]) * t)) for k in (0, 1)] for t in ends)
        cv2.line(canvas, a, b, level, width, cv2.LINE_AA, SUBPIXEL_BITS)
