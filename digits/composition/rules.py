"""Printed and ruled lines around the writing: cells, underlines, table lines, frames; and stray strokes."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from digits.composition.chance import pick
from digits.composition.handwriting import LineLayout
from digits.composition.pages import Page
from digits.composition.strokes import SUBPIXEL_BITS, curve, fixed_point

# The family of pages: see digits/composition/__init__.py. Lengths are in heights of the line's digits unless a line says pixels.
# Levels are grey levels of ink, 255 for black. Of whole numbers the highest is never drawn.
DASH, DASH_GAP = (1, 5), (2, 5)  # pixels of a dotted line

# ---- cells ----
CELL_LINE_WIDTH = (1, 1, 2, 2, 3)  # pixels
CELL_LEVEL, CELL_DOTTED_PROBABILITY = (90, 255), 0.12
CELL_ROOM = ((0.0, 0.3), (0.2, 0.9))  # above and below the digits at the most: tight and wide cells, equally often
CELL_ROOM_USED = (0.1, 1.0)  # fraction of it on one side
BOX_INSET = (0.0, 0.12)  # from a cell's edge to its box
ROW_OVERHANG = (0.0, 3.0)  # of a table's row beyond its cells
TALL_TABLE_PROBABILITY = 0.3  # that a table goes on above and below
GROUP_LENGTH = 3  # cells in a group, whose border is thicker
ROWS_PER_GROUPED_ROW = 3  # one table row in so many has groups
EDGE_TILT_STD = 0.5  # pixels between the ends of an upright line
TOOTH_LENGTH = (0.2, 0.5)  # of a comb, whose teeth are the edges of cells

# ---- rules ----
RULE_LEVEL, RULE_DOTTED_PROBABILITY = (80, 255), 0.15
RULE_WIDTH = (1, 1, 2, 3)  # pixels
UNDERLINE_DROP = (-0.12, 0.3)  # below the base line
PAGE_WIDE_PROBABILITY = 0.7  # that an end of a rule is the border of the page; else ...
RULE_OVERHANG = (-0.2, 0.5)  # ... this far beyond the number
LEVEL_OR_SLOPED = (0, 1)  # factor on the slope of the line
RULE_TILT_STD = 0.01  # pixels down per pixel to the right
INKED_RULE_PROBABILITY = 0.12  # that it is drawn with the pen
DOUBLE_RULE_PROBABILITY, DOUBLE_RULE_GAP = 0.12, (3, 6)  # pixels
LINE_ABOVE_RISE, LINE_ABOVE_WIDTH = (1.0, 1.5), (1, 2)  # above the base line; pixels
LINE_ABOVE_TILT_STD = 3  # pixels between its ends
UPRIGHT_DISTANCE, UPRIGHT_WIDTH = (0.05, 0.6), (1, 2, 3, 5)  # from the number; pixels
UPRIGHT_COUNT, UPRIGHT_TILT_STD = (1, 3), 1.5  # one or two; pixels between the ends
TALL_UPRIGHT_PROBABILITY = 0.7  # that it is as high as the page; else ...
UPRIGHT_TOP, UPRIGHT_BOTTOM = 1.3, 0.3  # ... from this far above the base line to this far below
FRAME_SIDE, FRAME_TOP, FRAME_BOTTOM = (0.1, 0.6), (1.1, 1.5), (0.1, 0.4)  # beside the number, above and below the base line
FRAME_LINE_WIDTH = (1, 4)  # pixels

# ---- stray strokes ----
STRAY_POINTS = (3, 6)
STRAY_PRINTED_PROBABILITY = 0.5
STRAY_LEVEL, STRAY_WIDTH = (60, 255), (1, 4)  # the width in pixels

Point = tuple[float, float]


@dataclass(frozen=True)
class Ruler:
    """Draws straight lines of one kind. level: 0 to 255. dotted: or solid."""

    level: int
    dotted: bool
    rng: np.random.Generator

    def draw(self, canvas: np.ndarray, start: Point, end: Point, width: int) -> None:
        """Draw a line onto (h, w) uint8. start, end: (x, y) in pixels. width: in pixels."""
        if not self.dotted:
            a, b = fixed_point(np.array([start, end]))
            self._draw(canvas, a, b, width)
            return
        on, off = self.rng.uniform(*DASH), self.rng.uniform(*DASH_GAP)
        way = np.array(end) - np.array(start)
        length = math.hypot(*way)
        for distance in np.arange(0, length, on + off):
            fractions = distance / max(length, 1), min((distance + on) / max(length, 1), 1)
            a, b = (((start + way * fraction) * (1 << SUBPIXEL_BITS)).astype(np.int32) for fraction in fractions)
            self._draw(canvas, a, b, width)

    def _draw(self, canvas: np.ndarray, a: np.ndarray, b: np.ndarray, width: int) -> None:
        cv2.line(canvas, a.tolist(), b.tolist(), self.level, width, cv2.LINE_AA, SUBPIXEL_BITS)


@dataclass(frozen=True)
class Cells:
    """Where the cells of a line are, in pixels.

    edges: x of their sides. top, bottom: y at the first edge. slope: pixels down per pixel to the right. height: of the digits.
    line_width: of the lines around them.
    """

    edges: list[float]
    top: float
    bottom: float
    slope: float
    height: float
    line_width: int

    def at(self, x: float, y: float) -> Point:
        """Return a point of the sloping cells. y: as it is at the first edge."""
        return x, y + self.slope * (x - self.edges[0])


@dataclass(frozen=True)
class NumberPosition:
    """Where a number stands: left, right and base line in pixels of the page. height: of its digits."""

    left: float
    right: float
    base: float
    height: float
    slope: float


def draw_cells(page: Page, edges: list[float], layout: LineLayout, base: float, rng: np.random.Generator) -> None:
    """Draw the cells around a line's digits: boxes one by one, a table's row, or the teeth of a comb.

    edges: as write_line returns them; [] for none. base: y of the base line at the first edge, in pixels.
    """
    if not edges:
        return
    height, width = layout.height, int(rng.choice(CELL_LINE_WIDTH))
    room = rng.choice([rng.uniform(*room) for room in CELL_ROOM])
    top = base - height * (1 + room * rng.uniform(*CELL_ROOM_USED))
    bottom = base + height * room * rng.uniform(*CELL_ROOM_USED)
    ruler = Ruler(int(rng.uniform(*CELL_LEVEL)), rng.random() < CELL_DOTTED_PROBABILITY, rng)
    draw = pick(rng, CELL_PROBABILITIES)
    draw(page.printed_lines, ruler, Cells(edges, top, bottom, layout.slope, height, width), rng)


def boxes(canvas: np.ndarray, ruler: Ruler, cells: Cells, rng: np.random.Generator) -> None:
    """Draw a box for each digit, with space between them."""
    inset = rng.uniform(*BOX_INSET) * cells.height
    for left, right in itertools.pairwise(cells.edges):
        (_, left_top), (_, left_bottom) = cells.at(left, cells.top), cells.at(left, cells.bottom)
        (_, right_top), (_, right_bottom) = cells.at(right, cells.top), cells.at(right, cells.bottom)
        x0, x1 = left + inset, right - inset
        corners = [(x0, left_top), (x1, right_top), (x1, right_bottom), (x0, left_bottom)]
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            ruler.draw(canvas, a, b, cells.line_width)


def table_row(canvas: np.ndarray, ruler: Ruler, cells: Cells, rng: np.random.Generator) -> None:
    """Draw the row of a table, some with groups of three digits."""
    overhang = rng.uniform(*ROW_OVERHANG) * cells.height
    start, end = cells.edges[0] - overhang, cells.edges[-1] + overhang
    for y in (cells.top, cells.bottom):
        ruler.draw(canvas, cells.at(start, y), cells.at(end, y), cells.line_width)
    above, below = (0, canvas.shape[0]) if rng.random() < TALL_TABLE_PROBABILITY else (cells.top, cells.bottom)
    grouped = rng.integers(ROWS_PER_GROUPED_ROW) == ROWS_PER_GROUPED_ROW - 1
    for i, edge in enumerate(cells.edges):
        width = cells.line_width + (1 if grouped and i % GROUP_LENGTH == 0 else 0)
        lower_end = (edge + rng.normal(0, EDGE_TILT_STD), cells.at(edge, below)[1])
        ruler.draw(canvas, cells.at(edge, above), lower_end, width)


def comb(canvas: np.ndarray, ruler: Ruler, cells: Cells, rng: np.random.Generator) -> None:
    """Draw a line below with a tooth at each cell's edge."""
    for edge in cells.edges:
        tip = cells.at(edge, cells.bottom - cells.height * rng.uniform(*TOOTH_LENGTH))
        ruler.draw(canvas, cells.at(edge, cells.bottom), tip, cells.line_width)
    ruler.draw(canvas, cells.at(cells.edges[0], cells.bottom), cells.at(cells.edges[-1], cells.bottom), cells.line_width)


CELL_PROBABILITIES: dict[Callable[[np.ndarray, Ruler, Cells, np.random.Generator], None], float] = {
    boxes: 0.35,
    table_row: 0.45,
    comb: 0.2,
}


def draw_rules(page: Page, x0: float, x1: float, base: float, layout: LineLayout, rng: np.random.Generator) -> None:
    """Draw underlines, frames and table lines near the line from x0 to x1. base: y of its base line. All in pixels."""
    ruler = Ruler(int(rng.uniform(*RULE_LEVEL)), rng.random() < RULE_DOTTED_PROBABILITY, rng)
    position = NumberPosition(x0, x1, base, layout.height, layout.slope)
    for draw, probability in RULE_PROBABILITIES.items():
        if rng.random() < probability:
            draw(page, ruler, position, rng)


def underline(page: Page, ruler: Ruler, position: NumberPosition, rng: np.random.Generator) -> None:
    """Draw a ruled line or an underline, single or double."""
    height, columns = position.height, page.ink.shape[1]
    y = position.base + height * rng.uniform(*UNDERLINE_DROP)
    left = 0 if rng.random() < PAGE_WIDE_PROBABILITY else position.left - height * rng.uniform(*RULE_OVERHANG)
    right = columns if rng.random() < PAGE_WIDE_PROBABILITY else position.right + height * rng.uniform(*RULE_OVERHANG)
    width = int(rng.choice(RULE_WIDTH))
    tilt = position.slope * rng.choice(LEVEL_OR_SLOPED) + rng.normal(0, RULE_TILT_STD)
    canvas = page.ink if rng.random() < INKED_RULE_PROBABILITY else page.printed_lines
    for number in range(2 if rng.random() < DOUBLE_RULE_PROBABILITY else 1):
        gap = number * rng.uniform(*DOUBLE_RULE_GAP)
        ruler.draw(canvas, (left, y + gap), (right, y + gap + tilt * (right - left)), width)


def line_above(page: Page, ruler: Ruler, position: NumberPosition, rng: np.random.Generator) -> None:
    """Draw a line above the number."""
    y = position.base - position.height * rng.uniform(*LINE_ABOVE_RISE)
    end = page.ink.shape[1], y + rng.normal(0, LINE_ABOVE_TILT_STD)
    ruler.draw(page.printed_lines, (0, y), end, int(rng.choice(LINE_ABOVE_WIDTH)))


def uprights(page: Page, ruler: Ruler, position: NumberPosition, rng: np.random.Generator) -> None:
    """Draw upright lines of a table or a frame, beside the number or anywhere."""
    height, (rows, columns) = position.height, page.ink.shape
    left, right = (
        position.left - height * rng.uniform(*UPRIGHT_DISTANCE),
        position.right + height * rng.uniform(*UPRIGHT_DISTANCE),
    )
    for x in rng.choice([left, right, rng.uniform(0, columns)], rng.integers(*UPRIGHT_COUNT)):
        width = int(rng.choice(UPRIGHT_WIDTH))
        top, bottom = position.base - height * UPRIGHT_TOP, position.base + height * UPRIGHT_BOTTOM
        if rng.random() < TALL_UPRIGHT_PROBABILITY:
            top, bottom = 0, rows
        ruler.draw(page.printed_lines, (x, top), (x + rng.normal(0, UPRIGHT_TILT_STD), bottom), width)


def frame(page: Page, ruler: Ruler, position: NumberPosition, rng: np.random.Generator) -> None:
    """Draw a frame around the number."""
    height = position.height
    left, right = position.left - height * rng.uniform(*FRAME_SIDE), position.right + height * rng.uniform(*FRAME_SIDE)
    top, bottom = position.base - height * rng.uniform(*FRAME_TOP), position.base + height * rng.uniform(*FRAME_BOTTOM)
    corners = (int(left), int(top)), (int(right), int(bottom))
    cv2.rectangle(page.printed_lines, *corners, ruler.level, int(rng.integers(*FRAME_LINE_WIDTH)), cv2.LINE_AA)


RULE_PROBABILITIES: dict[Callable[[Page, Ruler, NumberPosition, np.random.Generator], None], float] = {
    underline: 0.32,
    line_above: 0.15,
    uprights: 0.18,
    frame: 0.05,
}


def draw_stray_stroke(page: Page, rng: np.random.Generator) -> None:
    """Draw a stroke across the page that belongs to nothing."""
    rows, columns = page.ink.shape
    count = rng.integers(*STRAY_POINTS)
    points = np.stack([rng.uniform(0, columns, count), rng.uniform(0, rows, count)], 1)
    path = fixed_point(curve(rng, points, 0.0))
    canvas = page.printed_lines if rng.random() < STRAY_PRINTED_PROBABILITY else page.ink
    level, width = int(rng.uniform(*STRAY_LEVEL)), int(rng.integers(*STRAY_WIDTH))
    cv2.polylines(canvas, [path], False, level, width, cv2.LINE_AA, SUBPIXEL_BITS)
