"""Detections -> text lines: which digits stand in one line, and which lines are writing.

The constants were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

import math
import statistics
from collections.abc import Sequence

import numpy as np

from digits.model.line_image import MAX_SLOPE, MIN_SLOPE_DIGITS
from digits.reading.contrast import contrast_of
from digits.reading.detection import Detection

# A digit joins a line if the line, followed to its place, or else the line's last digit, lies within this fraction of the larger
# height of its centre, and if neither is higher than the other by more than this factor.
MAX_OFFSET, MAX_HEIGHT_RATIO = 0.55, 2.8
SLOPE_DIGITS = 8  # the last digits of a line, by which its slope is fitted; a line may bend
# Of a line's height: between these factors of it lie the heights of its digits and of other lines that are writing.
HEIGHT_RANGE = 0.36, 2.2
# A line beside the main one is writing if it has at least this fraction of its contrast, a height within HEIGHT_RANGE of its
# height, and at least this mean probability: patterns and noise are fainter, smaller and less certain.
MIN_CONTRAST, MIN_MEAN_PROBABILITY = 0.35, 0.45


def text_lines(digits: Sequence[Detection]) -> list[list[Detection]]:
    """Return the digits in text lines, each from left to right, the lines from top to bottom."""
    lines: list[list[Detection]] = []
    for digit in sorted(digits, key=lambda digit: digit.x):
        # Where a line's first digits fall or rise by chance, its slope leads astray. So its last digit counts, too.
        for offset in (_offset, _offset_of_last):
            offsets = [offset(line, digit) for line in lines]
            if offsets and min(offsets) < MAX_OFFSET:
                lines[int(np.argmin(offsets))].append(digit)
                break
        else:
            lines.append([digit])
    return sorted(lines, key=lambda line: float(np.mean([digit.y for digit in line])))


def _offset(line: list[Detection], digit: Detection) -> float:
    """Return how far a line passes from a digit's centre, in units of the larger height; infinite where the sizes differ."""
    height = statistics.median(other.height for other in line)
    # Plain arithmetic, because a page asks this thousands of times and NumPy takes longer for few numbers.
    last = line[-SLOPE_DIGITS:]
    xs, ys = [other.x for other in last], [other.y for other in last]
    if len(line) >= MIN_SLOPE_DIGITS and max(xs) - min(xs) > height:
        slope, _ = statistics.linear_regression(xs, ys)
        slope = min(max(slope, -MAX_SLOPE), MAX_SLOPE)
        y = statistics.fmean(ys) + slope * (digit.x - statistics.fmean(xs))
    else:
        y = statistics.fmean(ys[-3:])
    return _in_heights(digit.y - y, height, digit.height)


def _offset_of_last(line: list[Detection], digit: Detection) -> float:
    """Return how far a line's last digit is above or below a digit, in units of the larger height, as _offset."""
    return _in_heights(digit.y - line[-1].y, line[-1].height, digit.height)


def _in_heights(distance: float, *heights: float) -> float:
    """Return the distance in units of the larger of two heights; infinite where they differ by more than MAX_HEIGHT_RATIO."""
    larger, smaller = max(heights), min(heights)
    return math.inf if larger > MAX_HEIGHT_RATIO * smaller else abs(distance) / larger


def drop_unlikely_lines(grey: np.ndarray, lines: Sequence[list[Detection]]) -> list[list[Detection]]:
    """Return the lines without those that are more probably a pattern, noise or smudges than writing.

    grey: (height, width) uint8, dark ink on light paper. The line with the most evidence is the main one; the others are
    compared with it.
    """
    if not lines:
        return []
    contrasts = [[contrast_of(grey, digit) for digit in line] for line in lines]
    evidence = [
        # The square root, because dark print beside faint handwriting must not win by its darkness alone.
        sum(digit.probability**2 * math.sqrt(max(contrast, 1)) for digit, contrast in zip(line, of_line, strict=True))
        for line, of_line in zip(lines, contrasts, strict=True)
    ]
    main = int(np.argmax(evidence))
    contrast, height = np.median(contrasts[main]), np.median([digit.height for digit in lines[main]])
    smallest, largest = HEIGHT_RANGE
    return [
        line
        for i, line in enumerate(lines)
        if i == main
        or (
            np.median(contrasts[i]) > MIN_CONTRAST * contrast
            and smallest < np.median([digit.height for digit in line]) / height < largest
            and np.mean([digit.probability for digit in line]) > MIN_MEAN_PROBABILITY
        )
    ]
