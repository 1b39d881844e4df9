"""Ink -> segments: connected pieces of ink that are one digit each, in text lines.

Digits that touch stay one segment: the number reader finds them. Where a line gives no source, its constant was set by hand on
own_digits; docs/constants.md shows what a third more or less of each changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.results import Box

WEAK_INK, STRONG_INK = 50, 127  # of 255; a stroke is connected through weak ink, but is strong somewhere
MAX_COMPONENTS = 200  # the largest connected components, which are looked at; a page of dots is no number
MIN_SIDE = 3  # pixels of the longer side; nothing smaller is looked at

# Fractions of a digit's height, the usual one on the page.
MIN_RELATIVE_HEIGHT = 0.45  # a shorter component is a part of a digit or none
MAX_RELATIVE_HEIGHT = 3.0  # a taller component among several is a line or a frame
MAX_PART_WIDTH = 1.5  # a short component that is wider is no part of a digit
SPECK_SIZE = 0.22  # a component whose longer side is shorter is no stroke
MAX_STROKE_DISTANCE, MAX_SPECK_DISTANCE = 0.3, 0.06  # from a digit, of a stroke and of a speck that belong to it
# What runs into the image's border is cut off where it is shorter than this; taller than its inverse, it is no digit.
MIN_HEIGHT_AT_BORDER = 0.6

MIN_FRAMED_HEIGHT = 0.25  # of a frame's height: a component inside that is taller makes it one; a digit's loop holds only specks
MIN_FRAME_DIRECTIONS, DIRECTIONS = 0.9, 36  # fraction of so many directions in which a frame has ink: circles may be open
MAX_BORDER_CONTACT = 0.8  # of a component's longer side: what touches the border for longer is the desk's edge
MIN_LINE_OVERLAP = 0.3  # of the smaller one's height: neighbours in a text line overlap by more


class Segment(NamedTuple):
    """What may be one digit.

    box: (x, y, width, height) in pixels. ink: (height, width) uint8, zero where it is not the digit's. row: the number of its
    text line, from 0.
    """

    box: Box
    ink: np.ndarray
    row: int


class _Component(NamedTuple):
    """Connected ink: its label and its box in pixels."""

    label: int
    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


_Digit = list[_Component]  # its connected components, the tallest first


def find_segments(ink: np.ndarray) -> list[Segment]:
    """Return the Segments in the ink in reading order, [] where there are none. ink: (height, width) uint8, as of find_ink."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > WEAK_INK).astype(np.uint8), connectivity=8)
    components = [_Component(label, *stats[label, :4].tolist()) for label in range(1, count)]
    components = sorted(components, key=lambda one: -max(one.width, one.height))[:MAX_COMPONENTS]
    strong = np.bincount(labels[ink > STRONG_INK], minlength=count)  # hysteresis, as in Canny 1986
    components = [one for one in components if max(one.width, one.height) >= MIN_SIDE and strong[one.label]]
    components = _without_margins(_without_frames(components, labels), labels)
    if not components:
        return []
    lines = _text_lines(_digits(components, labels))
    return [_segment(ink, labels, digit, row) for row, line in enumerate(lines) for digit in line]


def _usual_height(components: Sequence[_Component]) -> float:
    """Return the height in pixels such that half of the components' heights, laid end to end, belong to shorter ones.

    So specks count for little, however many they are, and so does one high line beside a text line.
    """
    heights = np.sort([component.height for component in components])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _without_frames(components: list[_Component], labels: np.ndarray) -> list[_Component]:
    """Return the components without frames, such as a form's cell or a circle, that run round another one of some size."""

    def is_frame(one: _Component) -> bool:
        inside = [
            other
            for other in components
            if one.x < other.x and one.y < other.y and one.right > other.right and one.bottom > other.bottom
            and other.height > MIN_FRAMED_HEIGHT * one.height
        ]  # fmt: skip
        if not inside:
            return False
        rows, columns = np.nonzero(labels[one.y : one.bottom, one.x : one.right] == one.label)
        return any(_directions(rows + one.y, columns + one.x, other) >= MIN_FRAME_DIRECTIONS for other in inside)

    return [one for one in components if not is_frame(one)]


def _directions(rows: np.ndarray, columns: np.ndarray, component: _Component) -> float:
    """Return the fraction of all directions in which one of these pixels lies, as seen from the middle of a component."""
    angles = np.arctan2(rows - (component.y + component.bottom) / 2, columns - (component.x + component.right) / 2)
    return len(np.unique(np.floor(angles * (DIRECTIONS / 2 / np.pi)) % DIRECTIONS)) / DIRECTIONS


def _without_margins(components: list[_Component], labels: np.ndarray) -> list[_Component]:
    """Return the components without those at the border that are the desk's edge or cut off from the neighbourhood.

    What does not touch the border tells how high digits are here. A component at the border is a digit if it is about as high,
    does not lie along the border and does not cross it twice; or if it is so high that all else is specks beside it.
    """
    height, width = labels.shape
    if all(one.x > 0 and one.y > 0 and one.right < width and one.bottom < height for one in components):
        return components
    touching, crossing = np.zeros((2, labels.max() + 1), int)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching += np.bincount(side, minlength=len(touching))
        entered = side[np.flatnonzero(np.diff(side, prepend=0))]
        crossing = np.maximum(crossing, np.bincount(entered, minlength=len(touching)))
    free = [one for one in components if not touching[one.label]]
    at_border = [one for one in components if touching[one.label]]
    if not free or not at_border:
        return components
    usual = _usual_height(free)
    at_border = [one for one in at_border if touching[one.label] <= MAX_BORDER_CONTACT * max(one.width, one.height)]
    highest = max((one.height for one in at_border), default=0)
    if usual < SPECK_SIZE * highest and highest > height / 2:
        return components
    lowest = MIN_HEIGHT_AT_BORDER
    return free + [one for one in at_border if lowest <= one.height / usual <= 1 / lowest and crossing[one.label] == 1]


def _digits(components: Sequence[_Component], labels: np.ndarray) -> list[_Digit]:
    """Return the components as digits; low ones near a digit are strokes of it, others are left out."""
    usual = _usual_height(components)
    high = [one for one in components if MIN_RELATIVE_HEIGHT <= one.height / usual <= MAX_RELATIVE_HEIGHT]
    digits = [[one] for one in sorted(high, key=lambda one: -one.height)]
    low = [one for one in components if one.height < MIN_RELATIVE_HEIGHT * usual and one.width < MAX_PART_WIDTH * usual]
    if not low:
        return digits

    digit_of = np.full(labels.max() + 1, -1)
    for i, (component,) in enumerate(digits):
        digit_of[component.label] = i
    owner = digit_of[labels]
    # For each pixel the distance to the nearest digit and one of its pixels.
    distance, nearest = cv2.distanceTransformWithLabels(
        (owner < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner_of = np.zeros(nearest.max() + 1, int)
    owner_of[nearest[owner >= 0]] = owner[owner >= 0]
    for component in low:
        window = np.s_[component.y : component.bottom, component.x : component.right]
        away = np.where(labels[window] == component.label, distance[window], np.inf)
        closest = np.unravel_index(np.argmin(away), away.shape)
        is_stroke = max(component.width, component.height) >= SPECK_SIZE * usual
        if away[closest] <= (MAX_STROKE_DISTANCE if is_stroke else MAX_SPECK_DISTANCE) * usual:
            digits[owner_of[nearest[window][closest]]].append(component)
    return digits


def _text_lines(digits: Sequence[_Digit]) -> list[list[_Digit]]:
    """Return the digits in text lines, top to bottom, each from left to right.

    A line is a chain of neighbours, each of which overlaps the one before it in height, so a line may bend. The median slope
    from neighbour to neighbour is taken out first, so a line with a gap may slope, too.
    """
    bounds = np.array([_bounds(digit) for digit in digits], float)
    middles = (bounds[:, :2] + bounds[:, 2:]) / 2
    slopes = []
    for middle in middles:
        across, down = (middles - middle).T
        after = np.flatnonzero((across > 0) & (np.abs(down) < across))
        if len(after):
            neighbour = after[np.argmin(across[after] + np.abs(down[after]))]
            slopes.append(down[neighbour] / across[neighbour])
    slopes.sort()
    # The flatter one of two in the middle: a digit below another has a neighbour up the slope, in the line above.
    slope = min(slopes[(len(slopes) - 1) // 2], slopes[len(slopes) // 2], key=abs) if slopes else 0.0
    level = slope * middles[:, 0]
    tops, bottoms = bounds[:, 1] - level, bounds[:, 3] - level

    lines: list[list[int]] = []
    for i in np.argsort(bounds[:, 0], kind="stable").tolist():
        last = np.array([line[-1] for line in lines], int)
        overlaps = np.minimum(bottoms[i], bottoms[last]) - np.maximum(tops[i], tops[last])
        overlaps /= np.minimum(bottoms[i] - tops[i], bottoms[last] - tops[last])
        if len(lines) and overlaps.max() > MIN_LINE_OVERLAP:
            lines[int(np.argmax(overlaps))].append(i)
        else:
            lines.append([i])
    lines.sort(key=lambda line: float(np.mean(tops[line] + bottoms[line])))
    return [[digits[i] for i in line] for line in lines]


def _segment(ink: np.ndarray, labels: np.ndarray, digit: _Digit, row: int) -> Segment:
    """Return a digit with its own ink, without its neighbours'."""
    left, top, right, bottom = _bounds(digit)
    left, top, right, bottom = max(left - 1, 0), max(top - 1, 0), right + 1, bottom + 1
    mask = np.isin(labels[top:bottom, left:right], [component.label for component in digit]).astype(np.uint8)
    # The mask is grown by a pixel, so that the soft edge of the strokes is kept.
    strokes = ink[top:bottom, left:right] * cv2.dilate(mask, np.ones((3, 3), np.uint8))
    x, y, width, height = cv2.boundingRect(strokes)
    return Segment((left + x, top + y, width, height), strokes[y : y + height, x : x + width], row)


def _bounds(digit: _Digit) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a digit."""
    return (
        min(component.x for component in digit),
        min(component.y for component in digit),
        max(component.right for component in digit),
        max(component.bottom for component in digit),
    )
