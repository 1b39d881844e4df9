"""Lines of text written onto a page, token by token: digits, marks, signs and letters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import forms, glyphs, signs
from digits.composition.handwriting import (
    DESCENT,
    FORM_PEN_WIDTH,
    LOG_SIZE_MEAN,
    RAISED_STD,
    SAME_FORM_PROBABILITY,
    TAIL_DIGITS,
    TAIL_PROBABILITY,
    TALL_DESCENT_PROBABILITY,
    Handwriting,
    LineLayout,
    LineStyle,
    random_style,
)
from digits.composition.pages import IGNORED_LABEL, Page, Sources, Symbol
from digits.composition.strokes import INK_EDGE_LEVEL, MIN_PEN_WIDTH, Ink, rasterise
from digits.composition.text import Token
from digits.model.heat_map import MINUS, OTHER_INK

# ---- places, in heights; the family of pages: see digits/composition/__init__.py ----
WORD_SPACE = (0.3, 1.2)
GAP_STD = 0.05  # standard deviation of a gap from that of its line
MIN_MARK_GAP = (-0.02, 0.2)  # marks are close to a digit but seldom overlap it
MIN_SIGN_GAP = (0.02, 0.15)  # nor do signs and letters
PRINT_GAP = (0.1, 0.14)
MAX_NESTING = 0.4  # fraction of the narrower one's width by which two boxes overlap
MAX_MINUS_LENGTH = 1.1  # a longer one may be a rule
# ---- print, signs and letters ----
LETTER_BEND = 0.05  # heights, standard deviation of the displacement in a handwritten letter
SLANTED_PRINT_PROBABILITY = 0.2
EQUALS_SCALE, EQUALS_RISE = (0.5, 1.0), (0.0, 0.4)  # factor on the height, and heights: people write it anywhere above the line
SIGN_PEN_SCALE = (0.8, 1.1)

MIN_TOKEN_ROOM = 4  # pixels: nearer to the right border of the page no token begins
FAR = 99  # pixels: farther than any digit is wide


@dataclass(frozen=True)
class _WrittenSymbol:
    """A symbol that has been written. ink: (h, w) uint8. left, top: in pixels of the page."""

    ink: np.ndarray
    left: int
    top: int
    label: int


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
    style = random_style(layout, handwriting, font, rng)
    height = layout.height
    x, base = start
    edges: list[float] = []
    previous: _WrittenSymbol | None = None
    for token in tokens:
        if x > page.ink.shape[1] - MIN_TOKEN_ROOM:
            break
        if token is None:
            x += height * rng.uniform(*WORD_SPACE)
            previous = None
            continue
        y = base + layout.slope * (x - start[0]) + rng.normal(0, layout.jitter * height * RAISED_STD)
        drawn = _draw_token(token, style, sources, rng, is_first=previous is None)
        if drawn is None:
            continue
        ink, (_, top) = drawn
        y += top
        if layout.cell and _is_digit(token):
            edges.append(x)
            left = x + (layout.cell * height - ink.shape[1]) / 2 + rng.normal(0, height * style.cell_offset)
            x += layout.cell * height
        else:
            left = _left_of(token, ink, x, y, previous, style, rng)
            x = left + ink.shape[1]
        previous = _WrittenSymbol(ink, round(left), round(y), OTHER_INK if isinstance(token, str) else token)
        page.add_ink(previous.ink, previous.left, previous.top)
        page.symbols.append(_symbol(previous, height))
    if edges:
        edges.append(x)
    return x, edges


def _symbol(written: _WrittenSymbol, height: float) -> Symbol:
    """Return what has been written as a symbol of the page. height: of the line's digits, in pixels."""
    rows, columns = written.ink.shape
    is_long = written.label == MINUS and columns > MAX_MINUS_LENGTH * height
    label = IGNORED_LABEL if is_long else written.label
    return Symbol(label, written.left, written.top, written.left + columns, written.top + rows)


def _is_digit(token: Token) -> bool:
    return isinstance(token, int) and token < NUM_CLASSES


def _draw_token(token: int | str, style: LineStyle, sources: Sources, rng: np.random.Generator, is_first: bool) -> Ink | None:
    """Return a token's ink, (h, w) uint8, and its (left, top) from the base line, in pixels; None where nothing is visible."""
    height, slant = style.layout.height, style.handwriting.slant
    bend = LETTER_BEND if style.font is None else 0.0
    if isinstance(token, int) and token < NUM_CLASSES:
        if style.font is None:
            return _draw_digit(token, style, sources, rng, is_first)
        slant = slant if rng.random() < SLANTED_PRINT_PROBABILITY else 0
        return signs.draw_character(str(token), style.letter_font, height, style.pen, slant, rng, bend)
    if token == signs.CENTS:
        return rasterise(signs.draw_cents(rng), height, style.pen, slant)
    if token == signs.EQUALS:
        strokes = signs.equals(rng)
        drawn = rasterise(strokes, height * rng.uniform(*EQUALS_SCALE), style.pen, 0)
        return None if drawn is None else (drawn[0], (0.0, drawn[1][1] - height * rng.uniform(*EQUALS_RISE)))
    if isinstance(token, str):
        return signs.draw_character(token, style.letter_font, height, style.pen, slant, rng, bend)
    if token == OTHER_INK:
        return rasterise(signs.draw_sign(rng), height, style.pen * rng.uniform(*SIGN_PEN_SCALE), slant)
    strokes = signs.draw_mark(token, rng, sources.held_back)
    return rasterise(strokes, height, style.pen, slant * rng.choice([0, 1]))


def _draw_digit(digit: int, style: LineStyle, sources: Sources, rng: np.random.Generator, is_first: bool) -> Ink | None:
    """Return a handwritten digit's ink and place, as _draw_token does. is_first: whether it begins a number."""
    scale = style.first_scale if is_first else 1.0
    slant = style.handwriting.slant
    if digit == 0:
        scale = style.zero_scale
    elif digit == 1:
        scale *= style.one_scale
        slant += style.one_slant
    handwriting = replace(style.handwriting, slant=slant)
    height = style.layout.height * math.exp(rng.normal(LOG_SIZE_MEAN, style.size_std)) * scale
    if sources.draw_letterforms and rng.random() < style.form_probability:
        ink = _draw_form(digit, height, handwriting, style, rng)
    else:
        ink = glyphs.write(sources.digits.draw(digit, rng), height, handwriting, rng)
    if ink is None:
        return None
    descends = (digit in TAIL_DIGITS and rng.random() < TAIL_PROBABILITY) or (
        scale > 1 and rng.random() < TALL_DESCENT_PROBABILITY
    )
    return ink, (0.0, -ink.shape[0] * rng.uniform(*DESCENT) if descends else -float(ink.shape[0]))


def _draw_form(
    digit: int, height: float, handwriting: Handwriting, style: LineStyle, rng: np.random.Generator
) -> np.ndarray | None:
    """Return the ink of a digit in a letterform that MNIST lacks. height: in pixels."""
    pen = handwriting.pen * height if handwriting.pen else height * rng.uniform(*FORM_PEN_WIDTH)
    slant = handwriting.slant + rng.normal(0, glyphs.GLYPH_SLANT_STD)
    form = style.forms[digit] if rng.random() < SAME_FORM_PROBABILITY else rng.random()
    return forms.draw_digit(digit, form, height, max(pen, MIN_PEN_WIDTH), slant, handwriting.aspect, rng)


def _left_of(
    token: int | str,
    ink: np.ndarray,
    x: float,
    y: float,
    previous: _WrittenSymbol | None,
    style: LineStyle,
    rng: np.random.Generator,
) -> float:
    """Return the x of a token's left edge, in pixels. x: where the previous symbol ends. y: of the token's upper edge."""
    space = _space(token, previous, style, rng)
    if previous is not None and style.font is not None:
        return x + style.layout.height * rng.uniform(*PRINT_GAP)
    if previous is not None and style.layout.nested:
        return _nested_left(previous, ink, y, space)
    return x + space


def _space(token: int | str, previous: _WrittenSymbol | None, style: LineStyle, rng: np.random.Generator) -> float:
    """Return the gap between the box of the previous symbol and that of a token, in pixels; below 0 they overlap."""
    height = style.layout.height
    space = style.layout.gap * height + rng.normal(0, GAP_STD * height)
    if previous is None:
        return 0.0
    if _is_digit(token) and previous.label < NUM_CLASSES:
        return space
    space = max(space, rng.uniform(*MIN_MARK_GAP) * height)
    if token == OTHER_INK or isinstance(token, str):
        space = max(space, rng.uniform(*MIN_SIGN_GAP) * height)
    return space


def _nested_left(previous: _WrittenSymbol, ink: np.ndarray, top: float, space: float) -> float:
    """Return the x at which the ink is `space` pixels from the ink of the previous symbol, in the row where they are nearest.

    ink: (h, w) uint8, the upper edge at y = top.
    """
    other = previous.ink
    y0, y1 = int(max(top, previous.top)), int(min(top + ink.shape[0], previous.top + other.shape[0]))
    end = previous.left + other.shape[1]
    if y1 - y0 < 2:
        return end + space
    mine = ink[y0 - int(top) : y1 - int(top)] > INK_EDGE_LEVEL
    theirs = other[y0 - previous.top : y1 - previous.top, ::-1] > INK_EDGE_LEVEL
    rows = min(len(mine), len(theirs))
    if rows < 2:
        return end + space
    mine, theirs = mine[:rows], theirs[:rows]
    left_margin = np.where(mine.any(1), mine.argmax(1), FAR)
    right_margin = np.where(theirs.any(1), theirs.argmax(1), FAR)
    nearest = cv2.blur((left_margin + right_margin).astype(np.float32)[:, None], (1, 3)).min()
    return end - min(nearest, MAX_NESTING * min(ink.shape[1], other.shape[1])) + space
