"""A field cut out of a form, with some of the form around it -> the same without what is printed there.

Removed are the lines of the field's box and of its cells, found by the Hough transform (Duda and Hart 1972), and every piece of
ink that lies mostly outside the field: its label, and what is written in the field beside it. A form is dark on light. Lengths
are in heights of the field. The constants were set by hand on composed forms with validation digits and measured together
(benchmarks/results/forms.json).
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

PAPER_REACH = 0.5  # heights: a stroke is thinner, so the paper is the lightest within this reach
PAPER_LEVEL = 235.0  # grey levels that the paper gets, whatever light falls on it
# An inked pixel is darker than the paper by so many grey levels, and by this share of what the darkest ink is darker.
MIN_INK_DEPTH, MIN_INK_CONTRAST = 15.0, 0.25
DARKEST_PERCENTILE = 99  # of how much darker than paper the pixels are: the darkest ink, without a few pixels darker still
MAX_LINE_THICKNESS = 0.12  # heights; a printed line is thinner
# Of the field's width that is inked along a horizontal line, and thin there, as no stroke touches it; of its height, along a
# vertical one, which digits in the cells beside it touch from both sides.
MIN_HORIZONTAL_INKED, MIN_HORIZONTAL_THIN = 0.45, 0.45
MIN_VERTICAL_INKED, MIN_VERTICAL_THIN = 0.6, 0.3
# Heights: a line ends where nothing of it is seen for longer; digits hide less of it.
MAX_HORIZONTAL_GAP, MAX_VERTICAL_GAP = 1.0, 0.35
MAX_END_DISTANCE = 0.06  # heights: so near to the field's upper and lower side, or at a horizontal line, a vertical one ends
# A 1 may end there, too. Between the field's left and right side, a vertical line is printed only if it has as much ink as a
# horizontal one, to this share, and is at right angles to it, to this many radians.
MAX_INK_DIFFERENCE, MAX_ANGLE_DIFFERENCE = 0.4, np.radians(1)
SOFT_EDGE = 1.5  # pixels on either side of a line, where it is blurred
END_REACH = 3  # pixels above and below a horizontal line within which a vertical one ends at it: their edges are blurred
CORNER_REACH = 4  # pixels from a horizontal and from a vertical line: ink as near to both is the blur of their corner, no stroke
MAX_SUPPORT_DISTANCE = 1.5  # pixels of a line's ink from where the transform puts it, which is right to about a pixel
MAX_LINE_ANGLE, ANGLE_STEP = np.radians(4), np.radians(0.5)  # of a scan that lies askew
MAX_CANDIDATES = 1000  # straight lines, the clearest first, that are looked at: a second at most, whatever the sheet shows
MIN_SHARE_INSIDE = 0.5  # of a piece of ink's pixels that lie in the field, else it belongs to something else
MIN_PART_HEIGHT = 0.4  # heights; what comes in from another field is lower
MIN_INK_SIDE = 0.15  # heights: smaller specks alone are no writing


class _Line(NamedTuple):
    """A horizontal line. start, end: its first column and that behind its last. first, last: its row there.

    slope: rows by column.
    ink: how much darker than paper it is, summed up across it, the median; blur does not change this, as it does the thickness.
    """

    start: int
    end: int
    first: int
    last: int
    slope: float
    ink: float


def remove_print(grey: np.ndarray, field: tuple[float, float, float, float]) -> np.ndarray | None:
    """Return the image without what is printed, (h, w) uint8, its paper evenly lit; None where nothing is written in the field.

    grey: (h, w) uint8, dark ink on light paper. field: left, top, right and bottom of the field in it, in pixels.
    """
    height = field[3] - field[1]
    paper = _paper(grey, height)
    depth = paper - np.asarray(cv2.GaussianBlur(grey, (3, 3), 0))
    ink = (depth > max(MIN_INK_DEPTH, MIN_INK_CONTRAST * np.percentile(depth, DARKEST_PERCENTILE))).astype(np.uint8)
    lines, crossings = _printed_lines(ink, depth / np.maximum(paper, 1), field)
    written = _pieces_inside(ink & ~lines | crossings, field)
    _, _, stats, _ = cv2.connectedComponentsWithStats(written)
    if stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(initial=0) < MIN_INK_SIDE * height:
        return None
    soft_edge = 2 * round(MAX_LINE_THICKNESS * height / 3) + 3  # pixels: the blur around a stroke is as wide
    around_print = _morph(cv2.MORPH_DILATE, ink & ~written, soft_edge, soft_edge) & ~_morph(cv2.MORPH_DILATE, written, 3, 3)
    kept = _morph(cv2.MORPH_DILATE, written, soft_edge, soft_edge) & ~around_print
    clean = np.where(kept > 0, grey / np.maximum(paper, 1), 1.0)
    return np.clip(PAPER_LEVEL * clean, 0, 255).astype(np.uint8)


def _paper(grey: np.ndarray, height: float) -> np.ndarray:
    """Return the paper's brightness everywhere, (h, w) float32: without the ink, by a morphological closing."""
    side = int(PAPER_REACH * height) | 1
    soft = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0))
    paper = cv2.blur(_morph(cv2.MORPH_CLOSE, soft, side, side), (side, side)).astype(np.float32)
    return paper - max(float(np.median(paper - soft)), 0)  # a closing takes the lightest grain


def _printed_lines(ink: np.ndarray, depth: np.ndarray, field: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return (the printed lines, where strokes cross them), masks (h, w) uint8 of 0 and 1 like ink.

    depth: how much darker than the paper there each pixel is, (h, w) float32, as a share of the paper's brightness: a shadow,
    which darkens ink and paper alike, changes nothing.
    """
    left, top, right, bottom = field
    height = bottom - top
    thickest = max(3, round(MAX_LINE_THICKNESS * height))
    width = right - left
    min_inked, min_thin, max_gap = MIN_HORIZONTAL_INKED * width, MIN_HORIZONTAL_THIN * width, MAX_HORIZONTAL_GAP * height
    horizontal, horizontal_lines = _horizontal_lines(ink, depth, thickest, min_inked, min_thin, max_gap)
    ends = _morph(cv2.MORPH_DILATE, horizontal, 2 * END_REACH + 1, 2 * thickest + 1)
    reach = round(MAX_END_DISTANCE * height)
    first, last = max(round(top) - reach, 0), round(bottom) + reach
    ends[: round(top) + reach + 1] = ends[round(bottom) - reach :] = 1
    ends = ends[first:last].T

    def is_vertical_line(line: _Line) -> bool:
        if not (ends[line.first, line.start] and ends[line.last, line.end - 1]):
            return False
        x = (line.first + line.last) / 2
        is_side = min(abs(x - left), abs(x - right)) <= reach
        return is_side or x < left or x > right or any(_is_crossed_by(other, line) for other in horizontal_lines)

    vertical = np.zeros_like(ink)
    # Without the horizontal lines: their ink above and below a 1 would count as a part of it, and the 1 as a line of a cell.
    vertical_ink, vertical_depth = (ink & ~horizontal)[first:last].T.copy(), depth[first:last].T
    min_inked, min_thin, max_gap = (part * height for part in (MIN_VERTICAL_INKED, MIN_VERTICAL_THIN, MAX_VERTICAL_GAP))
    limits = thickest, min_inked, min_thin, max_gap
    vertical[first:last] = _horizontal_lines(vertical_ink, vertical_depth, *limits, is_vertical_line)[0].T
    side = 2 * CORNER_REACH + 1
    corners = _morph(cv2.MORPH_DILATE, horizontal, side, side) & _morph(cv2.MORPH_DILATE, vertical, side, side)
    lines = horizontal | vertical | corners
    strokes = ink & ~lines
    over_horizontal = _morph(cv2.MORPH_CLOSE, strokes, thickest + 3, 1) & horizontal
    over_vertical = _morph(cv2.MORPH_CLOSE, strokes, 1, thickest + 3) & vertical
    return lines, (over_horizontal | over_vertical) & ink


def _is_crossed_by(horizontal: _Line, vertical: _Line) -> bool:
    """Return whether a vertical line, of the transposed ink, has as much ink as a horizontal one and is at right angles to it."""
    has_as_much_ink = abs(vertical.ink - horizontal.ink) <= MAX_INK_DIFFERENCE * horizontal.ink
    return has_as_much_ink and abs(vertical.slope + horizontal.slope) <= MAX_ANGLE_DIFFERENCE


def _horizontal_lines(
    ink: np.ndarray,
    depth: np.ndarray,
    thickest: int,
    min_inked: float,
    min_thin: float,
    max_gap: float,
    accept: Callable[[_Line], bool] = lambda line: True,
) -> tuple[np.ndarray, list[_Line]]:
    """Return (the horizontal lines, a mask like ink, the same as a list).

    depth: as in _printed_lines. thickest, min_inked, min_thin, max_gap: pixels; of its thickness, of its length that is inked, of
    its length where nothing touches it, of its length that something hides. accept: says of what may be a line whether it is one.
    """
    flat = ink & ~_morph(cv2.MORPH_OPEN, ink, thickest + 1, 1)
    found_ink, lines = np.zeros_like(ink), []
    angles = np.pi / 2 - MAX_LINE_ANGLE, np.pi / 2 + MAX_LINE_ANGLE
    candidates = cv2.HoughLines(flat, 1, ANGLE_STEP, max(int(min_inked / 2), 1), min_theta=angles[0], max_theta=angles[1])
    columns = np.arange(ink.shape[1])
    for distance, angle in () if candidates is None else candidates[:MAX_CANDIDATES, 0]:
        y = (distance - columns * np.cos(angle)) / np.sin(angle)
        around = slice(max(int(y.min()) - thickest, 0), max(int(y.max()) + thickest + 1, 0))
        rows = np.arange(len(ink))[around, None]
        on_line = np.abs(rows - y) <= MAX_SUPPORT_DISTANCE
        inked, thin = ((mask[around] & on_line).any(axis=0) for mask in (ink, flat))
        start, end = _longest_run(inked, max_gap)
        if inked[start:end].sum() < min_inked or thin[start:end].sum() < min_thin:
            continue
        # The transform knows the line to half a degree; its pixels know it better.
        within = (start <= columns) & (columns < end)
        near = flat[around] & (np.abs(rows - y) <= thickest) & within
        slope, offset, thickness = _fit_line(near, rows)
        y = offset + slope * columns
        first, last = (round(float(np.clip(y[column], 0, len(ink) - 1))) for column in (start, end - 1))
        across = np.where(np.abs(rows - y) <= thickest, depth[around], 0)[:, near.any(axis=0)].sum(axis=0)
        line = _Line(start, end, first, last, slope, float(np.median(across)))
        if not accept(line):
            continue
        lines.append(line)
        reach = thickness / 2 + SOFT_EDGE
        band = ((np.abs(rows - y) <= reach) & within).astype(np.uint8)
        found_ink[around] |= band
        flat[around] &= ~band
    return found_ink, lines


def _fit_line(near: np.ndarray, rows: np.ndarray) -> tuple[float, float, float]:
    """Return (slope, offset, thickness) of a line, in pixels, fitted where no digit touches it.

    near: (n, w) bool, its pixels. rows: (n, 1), the numbers of the rows.
    """
    thickness = near.sum(axis=0)
    seen = np.flatnonzero(thickness)
    median = float(np.median(thickness[seen]))
    alone = seen[thickness[seen] <= median]
    slope, offset = np.polyfit(alone, (near * rows).sum(axis=0)[alone] / thickness[alone], 1)
    return float(slope), float(offset), median


def _longest_run(values: np.ndarray, max_gap: float) -> tuple[int, int]:
    """Return (start, end) of the part of (N,) bool that holds the most True ones, with no gap longer than max_gap in it."""
    places = np.flatnonzero(values)
    if not len(places):
        return 0, 0
    parts = np.split(places, np.flatnonzero(np.diff(places) > max_gap) + 1)
    longest = max(parts, key=len)
    return int(longest[0]), int(longest[-1]) + 1


def _pieces_inside(ink: np.ndarray, field: tuple[float, float, float, float]) -> np.ndarray:
    """Return the connected components of the ink that lie mostly in the field, a mask like ink.

    Of one that lies mostly outside, but is high in the field, that part is returned: a digit that touches one of another field.
    """
    count, labels = cv2.connectedComponents(ink)
    left, top, right, bottom = (max(round(side), 0) for side in field)
    inside = labels[top:bottom, left:right]
    share = np.bincount(inside.ravel(), minlength=count) / np.bincount(labels.ravel(), minlength=count)
    whole = share >= MIN_SHARE_INSIDE
    cut = np.zeros_like(whole)
    for label in np.flatnonzero((share > 0) & ~whole):
        cut[label] = (inside == label).any(axis=1).sum() >= MIN_PART_HEIGHT * (bottom - top)
    whole[0] = cut[0] = False  # the label of the paper
    pieces = whole[labels]
    pieces[top:bottom, left:right] |= cut[inside]
    return pieces.astype(np.uint8)


def _morph(operation: int, image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the result of one of OpenCV's morphological operations with a rectangle of this size."""
    return cv2.morphologyEx(image, operation, np.ones((rows, columns), np.uint8))
