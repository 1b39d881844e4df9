"""Images that are composed for whole_numbers.py: rows of MNIST's digits, rows of cells, numbers with marks, numbers beside words.

Nothing that is to be read was learned. The digits are images that no network learned, drawn with other pens and slants. The
marks have the shape that digits/composition/signs.py holds back. Letters come from typefaces that OpenCV, whose fonts are
learned, does not have, and from an alphabet of pen strokes that is listed here. How lines are laid out, cells, paper, light and
camera are those of the composer that both readers learn from, with other random numbers.

To look at some of each kind:

    python benchmarks/composed_images.py FOLDER       one contact sheet for each kind; ten seconds
"""

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import record  # noqa: F401  it puts the project on the path
from PIL import Image, ImageDraw, ImageFont

from digits.cli import command_line
from digits.common.config import MARKS, NUM_CLASSES
from digits.composition.glyphs import Glyph, make_glyphs
from digits.composition.handwriting import (
    MIN_SIGN_PEN,
    MNIST_SIGN_PEN,
    Handwriting,
    LineLayout,
    random_handwriting,
    random_layout,
)
from digits.composition.lines import write_line
from digits.composition.pages import Page, Sources
from digits.composition.papers import PaperPool
from digits.composition.photographs import photograph
from digits.composition.rows import ROW_GAPS, random_rows
from digits.composition.rules import draw_cells
from digits.composition.strokes import INK_EDGE_LEVEL, Stroke, curve, rasterise
from digits.composition.text import Token
from digits.data import dataset
from digits.data.dataset import Split
from digits.model.card import ModelCard
from digits.model.heat_map import CHARACTERS

SEED = 0
COUNT = 500  # images of each kind: the 95 % interval of a rate near 95 % then reaches two points to either side
COUNT_PER_MARK = 200  # 1,000 in all

PAPER, PEN = 235, 40  # grey levels of the dark rows
ROW_STYLES = ("white on black", "dark on light, twice the size")

CELLS, LETTERS = "table and form cells", "letters beside a number"
MARK_NAMES = dict(zip(MARKS, ("point", "comma", "minus", "slash", "colon"), strict=True))
MARK_KINDS = {mark: f"numbers with a {name}" for mark, name in MARK_NAMES.items()}

# Images that both readers held back while they were trained: the last ones in this order.
HELD_BACK, HELD_BACK_SEED = 5000, 0
MAX_GLYPHS = 1000  # of the composed pages: a skeleton takes a millisecond, and 100 of each digit are enough variety

# ---- pages: set by hand, so that a person reads every image without doubt ----
DIGIT_HEIGHT = 24.0, 64.0  # pixels: a cell of a form that was scanned or photographed
CELL_WIDTH = 1.0, 2.2  # digit heights
SIDE_MARGIN, TOP_MARGIN = (0.3, 1.5), (0.25, 0.9)  # digit heights of paper around a line
WORD_SPACE = 0.35, 1.0  # digit heights between number and word
WORD_HEIGHT = 0.7, 1.05  # digit heights of a capital
LETTER_SPACE = 0.08, 0.16  # digit heights between handwritten letters
CELL_LENGTHS = 2, 7  # digits
# Each digit and mark is darker than the paper around it by so many grey levels, and by so many of the paper's standard
# deviations.
MIN_CONTRAST, MIN_CONTRAST_RATIO = 25, 2.0
PAPER_DISTANCE = 2, 5  # pixels from the ink, between which is the paper around it: nearer, the camera's blur reaches
LETTERS_LENGTHS = 1, 5  # digits beside a word

# What the numbers with marks look like, as --expect writes it: amounts, dates, times, scores, ranges. "#" is a digit.
MARK_FORMS = {
    ".": ("#.##", "##.##", "###.##", "#.#", "##.#", "#.###", "####.##", ".##", "##.##.##", "#.#.####"),
    ",": ("#,##", "##,##", "#,#", "#,###", "##,###", "###,###", "#,###,###", ",##", "###,#"),
    "-": ("-#", "-##", "-###", "##-##", "#-#", "##-##-##", "####-###", "###-####"),
    "/": ("#/#", "#/##", "##/##", "##/##/##", "##/##/####", "#/#/##", "###/###"),
    ":": ("#:#", "##:##", "#:##", "##:##:##", "###:##"),
}
# Units, currencies and words on forms and tickets, in some languages. No single letter that may be taken for a digit: a lone "l".
WORDS = """kg cm mm km ml dl m kWh V W A K EUR Euro USD CHF Fr Rs kr Stk pcs min sec Uhr No Nr Tel Fax Raum Room Bus Zimmer Haus
    Total Summe Page Seite Lot Item Size Tag Jahr Mai Juni April Heft Platz Reihe Linie Art am pm per von bis und""".split()
TYPEFACES = (
    "DejaVuSans",
    "DejaVuSans-Oblique",
    "DejaVuSerif",
    "DejaVuSansMono",
    "STIXGeneral",
    "STIXGeneralItalic",
    "cmr10",
    "cmmi10",
)

# An alphabet in one plain hand. Each letter is a list of paths as in digits/composition/forms.py: (x, y) in heights of a capital,
# y downwards, 0 the base line; two points are a straight stroke, more are the control points of a curve.
ALPHABET: dict[str, list[list[tuple[float, float]]]] = {
    "a": [[(0.42, -0.5), (0.1, -0.68), (-0.05, -0.2), (0.15, 0.1), (0.42, -0.2)], [(0.43, -0.58), (0.42, 0)]],
    "b": [[(0.05, -1), (0.03, 0)], [(0.03, -0.35), (0.25, -0.7), (0.5, -0.4), (0.4, 0.1), (0.03, -0.02)]],
    "c": [[(0.4, -0.5), (0.15, -0.72), (-0.05, -0.3), (0.1, 0.1), (0.42, -0.1)]],
    "d": [[(0.42, -0.4), (0.15, -0.7), (-0.05, -0.2), (0.15, 0.1), (0.42, -0.15)], [(0.45, -1), (0.43, 0)]],
    "e": [[(0.02, -0.3), (0.45, -0.33), (0.35, -0.7), (0, -0.55), (0.02, 0.08), (0.42, -0.08)]],
    "f": [[(0.4, -0.95), (0.15, -1.1), (0.12, -0.5), (0.1, 0.02)], [(-0.05, -0.55), (0.35, -0.57)]],
    "g": [[(0.42, -0.5), (0.1, -0.7), (-0.05, -0.2), (0.2, 0.08), (0.42, -0.25)],
          [(0.44, -0.58), (0.42, 0.1), (0.3, 0.45), (0, 0.3)]],
    "h": [[(0.05, -1), (0.03, 0)], [(0.03, -0.35), (0.2, -0.7), (0.42, -0.5), (0.42, 0)]],
    "i": [[(0.05, -0.58), (0.05, 0)], [(0.05, -0.85), (0.07, -0.83)]],
    "k": [[(0.05, -1), (0.03, 0)], [(0.38, -0.6), (0.05, -0.28)], [(0.15, -0.35), (0.42, 0)]],
    "l": [[(0.05, -1), (0.04, -0.1), (0.1, 0.03), (0.2, -0.05)]],
    "m": [[(0.02, -0.6), (0.02, 0)], [(0.02, -0.35), (0.15, -0.72), (0.3, -0.5), (0.3, 0)],
          [(0.3, -0.35), (0.43, -0.72), (0.58, -0.5), (0.58, 0)]],
    "n": [[(0.02, -0.6), (0.02, 0)], [(0.02, -0.35), (0.2, -0.75), (0.4, -0.5), (0.4, 0)]],
    "o": [[(0.2, -0.62), (-0.05, -0.6), (-0.02, 0.05), (0.3, 0.08), (0.45, -0.3), (0.35, -0.66), (0.18, -0.6)]],
    "p": [[(0.03, -0.6), (0.02, 0.38)], [(0.03, -0.35), (0.25, -0.72), (0.5, -0.35), (0.35, 0.1), (0.03, -0.05)]],
    "r": [[(0.03, -0.6), (0.03, 0)], [(0.03, -0.3), (0.12, -0.65), (0.33, -0.55)]],
    "s": [[(0.35, -0.52), (0.15, -0.72), (-0.02, -0.45), (0.2, -0.32), (0.42, -0.15), (0.2, 0.1), (0, -0.08)]],
    "t": [[(0.15, -0.85), (0.13, -0.1), (0.2, 0.05), (0.35, -0.05)], [(-0.02, -0.58), (0.35, -0.6)]],
    "u": [[(0.02, -0.58), (0, 0), (0.2, 0.1), (0.4, -0.2)], [(0.41, -0.58), (0.41, 0)]],
    "v": [[(0, -0.6), (0.2, 0)], [(0.2, 0), (0.4, -0.6)]],
    "x": [[(0, -0.58), (0.4, 0)], [(0.4, -0.6), (0, 0)]],
    "z": [[(0, -0.58), (0.4, -0.6)], [(0.4, -0.6), (0, 0)], [(0, 0), (0.42, -0.02)]],
    "A": [[(0, 0), (0.3, -1)], [(0.3, -1), (0.6, 0)], [(0.1, -0.35), (0.5, -0.37)]],
    "B": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.5, -1.05), (0.5, -0.55), (0.08, -0.52)],
          [(0.08, -0.52), (0.65, -0.5), (0.55, 0.05), (0.03, 0)]],
    "C": [[(0.6, -0.8), (0.3, -1.15), (-0.05, -0.7), (0.05, 0.1), (0.6, -0.1)]],
    "D": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.7, -0.95), (0.65, -0.05), (0.03, 0)]],
    "E": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.5, -1)], [(0.05, -0.52), (0.42, -0.53)], [(0.03, 0), (0.5, -0.02)]],
    "F": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.5, -1)], [(0.05, -0.52), (0.42, -0.53)]],
    "H": [[(0.03, -1), (0.03, 0)], [(0.53, -1), (0.52, 0)], [(0.03, -0.5), (0.53, -0.52)]],
    "I": [[(0.05, -1), (0.04, 0)], [(-0.08, -1), (0.18, -1)], [(-0.1, 0), (0.17, 0)]],
    "J": [[(0.4, -1), (0.4, -0.1), (0.2, 0.1), (0, -0.1)], [(0.15, -1), (0.6, -1)]],
    "K": [[(0.05, -1), (0.03, 0)], [(0.5, -1), (0.05, -0.45)], [(0.15, -0.55), (0.55, 0)]],
    "L": [[(0.05, -1), (0.03, 0)], [(0.03, 0), (0.5, -0.02)]],
    "M": [[(0.02, 0), (0.06, -1)], [(0.06, -1), (0.35, -0.3)], [(0.35, -0.3), (0.64, -1)], [(0.64, -1), (0.68, 0)]],
    "N": [[(0.03, 0), (0.04, -1)], [(0.04, -1), (0.52, 0)], [(0.52, 0), (0.53, -1)]],
    "P": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.6, -1.08), (0.55, -0.4), (0.05, -0.45)]],
    "R": [[(0.05, -1), (0.03, 0)], [(0.05, -0.98), (0.6, -1.08), (0.55, -0.4), (0.05, -0.45)], [(0.2, -0.46), (0.55, 0)]],
    "S": [[(0.5, -0.85), (0.3, -1.15), (-0.05, -0.85), (0.15, -0.55), (0.6, -0.35), (0.4, 0.1), (0, -0.1)]],
    "T": [[(0, -0.98), (0.6, -1)], [(0.3, -1), (0.3, 0)]],
    "U": [[(0.02, -1), (0, -0.1), (0.25, 0.12), (0.52, -0.2), (0.53, -1)]],
    "V": [[(0, -1), (0.27, 0)], [(0.27, 0), (0.55, -1)]],
    "W": [[(0, -1), (0.2, 0)], [(0.2, 0), (0.4, -0.7)], [(0.4, -0.7), (0.6, 0)], [(0.6, 0), (0.8, -1)]],
    "Z": [[(0, -0.98), (0.5, -1)], [(0.5, -1), (0, 0)], [(0, 0), (0.55, -0.02)]],
}  # fmt: skip
WOBBLE = 0.02  # capital heights: standard deviation of the control points


class ComposedImage(NamedTuple):
    """kind: under which the result counts it. pixels: (height, width) uint8, grey. label: the digits and marks on it."""

    kind: str
    pixels: np.ndarray
    label: str


class _Glyphs:
    """Digits to write with, as digits.composition.glyphs.GlyphPool gives them, but not varied: each is an image as it is.

    Images whose skeleton is another digit or none, about a fifth, are left out: those in pieces and those with a filled loop.
    """

    def __init__(self, digits: Split, rng: np.random.Generator) -> None:
        places = rng.permutation(len(digits.labels))[:MAX_GLYPHS]
        glyphs = [glyph for glyph in make_glyphs(digits.images[places], digits.labels[places]) if glyph.traceable]
        self._by_digit = [[glyph for glyph in glyphs if glyph.label == digit] for digit in range(NUM_CLASSES)]

    def draw(self, label: int, rng: np.random.Generator) -> Glyph:
        """Return a random glyph of the digit."""
        return self._by_digit[label][rng.integers(len(self._by_digit[label]))]


def composed_images(digits: Split, count: int = COUNT) -> Iterator[ComposedImage]:
    """Yield all composed images, at most this many of each kind.

    digits: images that no network learned, some of each digit. Each kind has random numbers of its own, so the images stay
    as they are when a kind is added.
    """
    for gap in ROW_GAPS:
        rng = np.random.default_rng([SEED, gap - min(ROW_GAPS)])
        for row, label in random_rows(digits, gap, min(count, COUNT), rng):
            yield ComposedImage(kind_of_rows(gap, ROW_STYLES[0]), row, label)
            yield ComposedImage(kind_of_rows(gap, ROW_STYLES[1]), dark_on_light(row), label)
    rng = np.random.default_rng([SEED, len(ROW_GAPS)])
    # PaperPool renews nothing here: 150 patterns, each cut out at random places.
    sources = Sources(_Glyphs(digits, rng), PaperPool(rng), held_back=True, draw_letterforms=False)  # type: ignore[arg-type]
    kinds: dict[str, tuple[int, Callable[[Sources, np.random.Generator], tuple[np.ndarray, str]]]] = {
        CELLS: (COUNT, cells),
        **{kind: (COUNT_PER_MARK, lambda *parts, mark=mark: number_with(mark, *parts)) for mark, kind in MARK_KINDS.items()},
        LETTERS: (COUNT, number_beside_word),
    }
    for number, (kind, (most, compose)) in enumerate(kinds.items()):
        rng = np.random.default_rng([SEED, len(ROW_GAPS) + 1 + number])
        for _ in range(min(count, most)):
            yield ComposedImage(kind, *compose(sources, rng))


def count_of_images(count: int) -> int:
    """Return how many images composed_images yields."""
    return (len(ROW_GAPS) * len(ROW_STYLES) + 2) * min(count, COUNT) + len(MARK_KINDS) * min(count, COUNT_PER_MARK)


def kind_of_rows(gap: int, style: str) -> str:
    """Return the kind of composed rows, under which the result has them."""
    return f"gap {gap}, {style}"


def dark_on_light(row: np.ndarray) -> np.ndarray:
    """Return a row, (height, width) uint8, white on black, as dark ink on light paper, twice the size."""
    large = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return np.uint8(PAPER - (PAPER - PEN) / 255 * large)


def digits_not_learned(digit_card: ModelCard) -> Split:
    """Return those of MNIST's training images that no network learned.

    digit_card: the digit network's. Raises KeyError where it names no settings of the training.
    """
    data = dataset.load(parts=("train",))
    settings = digit_card.settings or {}
    _, validation = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    indices = np.intersect1d(validation, readers_held_back(len(data.y_train)))
    return Split(data.x_train[indices], data.y_train[indices])


def readers_held_back(n: int) -> np.ndarray:
    """Return the indices of the images, of n, that neither the number reader nor the line reader learned from."""
    return np.random.default_rng(HELD_BACK_SEED).permutation(n)[-HELD_BACK:]


# ---- the kinds --------------------------------------------------------------------------------------------------------


def cells(sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Return (a row of cells with a digit in each, its label)."""
    tokens: list[Token] = [*map(int, rng.integers(0, NUM_CLASSES, rng.integers(*CELL_LENGTHS, endpoint=True)))]
    while True:
        line = _Line.random(rng, cell=rng.uniform(*CELL_WIDTH))
        page, start, edges = line.write(tokens, sources, rng)
        if _stands_on(page, tokens):
            draw_cells(page, edges, line.layout, start[1], rng)
            return _photograph(page, line, sources, rng, (edges[0], edges[-1])), _label(tokens)


def number_with(mark: str, sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Return (a number with the mark in or before it, its label)."""
    form = str(rng.choice(MARK_FORMS[mark]))
    tokens: list[Token] = [
        int(rng.integers(NUM_CLASSES)) if character == "#" else CHARACTERS.index(character) for character in form
    ]
    while True:
        line = _Line.random(rng)
        page, _, _ = line.write(tokens, sources, rng)
        if _stands_on(page, tokens):
            _draw_some_rules(page, line, rng)
            return _photograph(page, line, sources, rng), _label(tokens)


def number_beside_word(sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Return (a number with a unit, a currency or a word before or after it, printed or by hand, its label: the number alone)."""
    tokens: list[Token] = [*map(int, rng.integers(0, NUM_CLASSES, rng.integers(*LETTERS_LENGTHS, endpoint=True)))]
    word = str(rng.choice(WORDS))
    printed, before = rng.random() < 0.5, rng.random() < 0.5
    while True:
        line = _Line.random(rng)
        capital = line.layout.height * rng.uniform(*WORD_HEIGHT)
        inks = [_printed(word, capital, rng)] if printed else _handwritten(word, capital, line, rng)
        width = sum(ink.shape[1] for ink, _ in inks) + len(inks) * LETTER_SPACE[1] * line.layout.height
        page, (x, base), _ = line.write(tokens, sources, rng, room=width + WORD_SPACE[1] * line.layout.height)
        if not _stands_on(page, tokens):
            continue
        space = line.layout.height * rng.uniform(*WORD_SPACE)
        ends = min(symbol.left for symbol in page.symbols), max(symbol.right for symbol in page.symbols)
        left = ends[0] - space - width if before else ends[1] + space
        for ink, top in inks:
            y = round(base + line.layout.slope * (left - x) + top)
            page.add_ink(ink, round(left), y)
            left += ink.shape[1] + line.layout.height * rng.uniform(*LETTER_SPACE)
        _draw_some_rules(page, line, rng)
        return _photograph(page, line, sources, rng), _label(tokens)


# ---- parts of a page --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Line:
    """How one line is written. layout, handwriting: as the composer's."""

    layout: LineLayout
    handwriting: Handwriting

    @classmethod
    def random(cls, rng: np.random.Generator, cell: float = 0.0) -> "_Line":
        """Return a random line, whose digits neither overlap nor stand very far apart. cell: width in heights, 0 for none."""
        layout = random_layout(rng, rng.uniform(*DIGIT_HEIGHT))
        gap, jitter = float(np.clip(layout.gap, 0.05, 0.6)), min(layout.jitter, 0.05)
        layout = dataclasses.replace(layout, gap=gap, nested=False, cell=cell, jitter=jitter)
        return cls(layout, random_handwriting(rng))

    def write(
        self, tokens: Sequence[Token], sources: Sources, rng: np.random.Generator, room: float = 0.0
    ) -> tuple[Page, tuple[float, float], list[float]]:
        """Return (a page with the tokens on it, where the base line begins, the edges of the cells).

        room: pixels that are left free on either side, beside the margins.
        """
        height = self.layout.height
        width = int(len(tokens) * max(self.layout.cell, 2.5) * height + 2 * room + 8 * height)
        page = Page.blank(int(5 * height) + round(abs(self.layout.slope) * width), width)
        start = (room + 3 * height, page.ink.shape[0] / 2 + height / 2)
        _, edges = write_line(page, tokens, self.layout, self.handwriting, start, sources, rng)
        return page, start, edges


def _stands_on(page: Page, tokens: Sequence[Token]) -> bool:
    """Return whether each token was written: a pen may leave nothing, and a long minus is as well a rule."""
    return [symbol.label for symbol in page.symbols] == list(tokens)


def _label(tokens: Sequence[Token]) -> str:
    """Return digits and marks as text."""
    return "".join(CHARACTERS[token] for token in tokens if isinstance(token, int))


def _draw_some_rules(page: Page, line: _Line, rng: np.random.Generator) -> None:
    """Draw a ruled line under some numbers, far enough below that it is no part of a sign."""
    if rng.random() < 0.3:
        y = max(symbol.bottom for symbol in page.symbols) + line.layout.height * rng.uniform(0.25, 0.5)
        level, thick = int(rng.uniform(80, 255)), int(rng.choice([1, 1, 2, 3]))
        cv2.line(page.printed_lines, (0, round(y)), (page.ink.shape[1], round(y + rng.normal(0, 1))), level, thick, cv2.LINE_AA)


def _photograph(
    page: Page, line: _Line, sources: Sources, rng: np.random.Generator, ends: tuple[float, float] | None = None
) -> np.ndarray:
    """Return a photograph of what is written on the page, with some paper around it, (h, w) uint8.

    ends: x of the outermost cell lines, which stay in the image.
    """
    rows, columns = np.flatnonzero(page.ink.max(axis=1)), np.flatnonzero(page.ink.max(axis=0))
    left, right = columns[0], columns[-1] + 1
    if ends is not None:
        left, right = min(left, ends[0]), max(right, ends[1])
    height = line.layout.height
    box = (
        max(0, int(left - height * rng.uniform(*SIDE_MARGIN))),
        min(page.ink.shape[1], math.ceil(right + height * rng.uniform(*SIDE_MARGIN))),
        max(0, int(rows[0] - height * rng.uniform(*TOP_MARGIN))),
        min(page.ink.shape[0], math.ceil(rows[-1] + 1 + height * rng.uniform(*TOP_MARGIN))),
    )
    while True:
        image = photograph(page, box, sources.papers, rng)
        if _is_readable(page, box, image):
            return image


def _is_readable(page: Page, box: tuple[int, int, int, int], image: np.ndarray) -> bool:
    """Return whether each digit and mark stands out from the paper around it: MIN_CONTRAST and MIN_CONTRAST_RATIO."""
    left, right, top, bottom = box
    covered = np.maximum(page.ink, page.printed_lines)[top:bottom, left:right]
    distance = cv2.distanceTransform((covered < INK_EDGE_LEVEL).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    paper = (distance > PAPER_DISTANCE[0]) & (distance < PAPER_DISTANCE[1])
    for symbol in page.symbols:
        y0, y1, x0, x1 = (
            round(value) for value in (symbol.top - top, symbol.bottom - top, symbol.left - left, symbol.right - left)
        )
        ink = image[y0:y1, x0:x1][page.ink[top:bottom, left:right][y0:y1, x0:x1] > INK_EDGE_LEVEL]
        reach = PAPER_DISTANCE[1]
        near = slice(max(y0 - reach, 0), y1 + reach), slice(max(x0 - reach, 0), x1 + reach)
        around = image[near][paper[near]]
        if not len(ink) or not len(around):
            return False
        contrast = around.mean() - ink.mean()
        if contrast < max(MIN_CONTRAST, MIN_CONTRAST_RATIO * around.std()):
            return False
    return True


def _handwritten(word: str, capital: float, line: _Line, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Return each letter's ink, (h, w) uint8, and its top from the base line. capital: a capital's height. Both in pixels."""
    pen = max(line.handwriting.pen or MNIST_SIGN_PEN, MIN_SIGN_PEN) * line.layout.height
    inks = []
    for letter in word:
        strokes: list[Stroke] = []
        for path in ALPHABET[letter]:
            points = np.array(path, np.float32)
            if len(path) == 2:
                strokes.append(Stroke(points + rng.normal(0, WOBBLE / 2, points.shape).astype(np.float32)))
            else:
                strokes.append(Stroke(curve(rng, points, WOBBLE)))
        drawn = rasterise(strokes, capital, pen, line.handwriting.slant)
        if drawn is not None:
            inks.append((drawn[0], drawn[1][1]))
    return inks


def _printed(word: str, capital: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return the ink of a printed word, (h, w) uint8, and its top from the base line, in pixels."""
    import matplotlib  # here: only its fonts are needed, and the import takes a while

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{rng.choice(TYPEFACES)}.ttf"
    font = ImageFont.truetype(path, round(capital / 0.72))  # a capital is 0.7 to 0.73 em high in these typefaces
    left, top, right, bottom = font.getbbox(word, anchor="ls")
    image = Image.new("L", (math.ceil(right - left) + 2, math.ceil(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), word, fill=255, font=font, anchor="ls")
    return np.asarray(image), top - 1


# ---- contact sheets ---------------------------------------------------------------------------------------------------


def contact_sheet(images: Sequence[ComposedImage], columns: int = 5, width: int = 300, height: int = 110) -> Image.Image:
    """Return the images with their labels below, side by side."""
    sheet = Image.new("L", (columns * width, -(-len(images) // columns) * height), 255)
    draw = ImageDraw.Draw(sheet)
    for number, image in enumerate(images):
        x, y = number % columns * width, number // columns * height
        picture = Image.fromarray(image.pixels)
        picture.thumbnail((width - 10, height - 20))
        sheet.paste(picture, (x + 5, y + 3))
        draw.text((x + 5, y + height - 15), image.label, fill=0)
    return sheet


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Write the contact sheets."""
    from digits.model.classifier import DEFAULT_MODEL, Classifier

    parser = argparse.ArgumentParser(description="Contact sheets of the composed images.")
    parser.add_argument("folder", type=Path, help="where they go")
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    by_kind: dict[str, list[ComposedImage]] = {}
    for image in composed_images(digits_not_learned(Classifier(DEFAULT_MODEL).card), 40):
        by_kind.setdefault(image.kind, []).append(image)
    for kind, images in by_kind.items():
        contact_sheet(images).save(folder / f"{kind.replace(' ', '_').replace(',', '')}.png")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
