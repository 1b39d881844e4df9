"""The line reader's line: a text line of an image in the form in which the network sees it, and the symbols in its answer.

The network answers for each column of a line which symbol stands there. digits.training composes such lines, line_network answers
for them, and digits.reading.line_reader reads the answers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from digits.model.heat_map import CLASS_COUNT, normalise

LINE_HEIGHT = 32  # pixels of the network's input
DIGIT_HEIGHT = 20.0  # pixels of the digits in it: as in MNIST
COLUMN_STRIDE = 2  # pixels of the input from one column of the network's answer to the next: the narrowest 1 is 3 wide
NO_SYMBOL = CLASS_COUNT  # the class, beside those of heat_map, of a column that shows no symbol or goes on with the one before
PADDING = -1  # in a target, behind the last symbol of a row
TALL_PERCENTILE = 85  # of the heights in a line: so high that small zeros do not lower it
MAX_SLOPE = 0.35  # pixels down per pixel to the right, 19 degrees: a steeper line is turned first
MIN_SLOPE_DIGITS = 3  # digits from which a slope is fitted: two of different heights show none


class TextLine(NamedTuple):
    """Where a text line lies in an image, in pixels of it.

    left, right: where the part that is read begins and ends. x, y: of a point on its middle. slope: pixels down per pixel to the
    right. height: of its digits.
    """

    left: float
    right: float
    x: float
    y: float
    slope: float
    height: float

    @property
    def scale(self) -> float:
        """The factor from the image to the network's input."""
        return DIGIT_HEIGHT / self.height

    def columns(self, x: np.ndarray | float) -> np.ndarray:
        """Return where x, in pixels of the image, lies in the network's answer, in columns; whole numbers are their middles."""
        return (np.asarray(x) - self.left) * self.scale / COLUMN_STRIDE - 0.5


def fit_line(boxes: np.ndarray, margin: float) -> TextLine:
    """Return the text line of its digits' boxes, (N, 4) float: left, top, width, height; N is 1 or more.

    margin: to the left of the first digit and to the right of the last one, in heights.
    """
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    height = line_height(boxes[:, 3])
    (x, y), slope = centres.mean(axis=0), 0.0
    if len(boxes) >= MIN_SLOPE_DIGITS and np.ptp(centres[:, 0]) > height:
        # Of the whole line at once. text_lines follows a line digit by digit, which may bend, and fits its last digits alone.
        slope = float(np.clip(np.polyfit(centres[:, 0], centres[:, 1], 1)[0], -MAX_SLOPE, MAX_SLOPE))
    left = float(boxes[:, 0].min()) - margin * height
    right = float((boxes[:, 0] + boxes[:, 2]).max()) + margin * height
    return TextLine(left, right, float(x), float(y), slope, height)


def line_height(heights: Sequence[float] | np.ndarray) -> float:
    """Return the height of a line of digits with these heights: between the median and the tall ones: zeros are often small."""
    return math.sqrt(float(np.median(heights)) * float(np.percentile(heights, TALL_PERCENTILE)))


def line_image(grey: np.ndarray, line: TextLine) -> np.ndarray:
    """Return a text line as the network sees it, (LINE_HEIGHT, width) float32; the width is a multiple of COLUMN_STRIDE.

    grey: (height, width) uint8, dark ink on light paper. What lies outside the image continues its border.
    """
    width = max(math.ceil((line.right - line.left) * line.scale / COLUMN_STRIDE), 1) * COLUMN_STRIDE
    # Reduced first, because warpAffine takes single pixels and would leave out what lies between them.
    scale = min(line.scale, 1.0)
    rise = abs(line.slope) * (line.right - line.left) + line.height * LINE_HEIGHT / DIGIT_HEIGHT
    top, bottom = max(int(line.y - rise), 0), min(int(line.y + rise) + 2, grey.shape[0])
    left, right = max(int(line.left) - 1, 0), min(int(line.right) + 2, grey.shape[1])
    part = grey[top:bottom, left:right]
    if part.size == 0:
        return np.zeros((LINE_HEIGHT, width), np.float32)
    if scale < 1:
        sides = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part, scales = cv2.resize(part, sides, interpolation=cv2.INTER_AREA), np.array(sides) / part.shape[::-1]
    else:
        scales = np.ones(2)
    # From a pixel of the network's input to one of the part: the middles of pixels are whole numbers, hence the halves.
    to_part = np.diag(scales / line.scale)
    to_part[1, 0] = line.slope * scales[1] / line.scale
    origin = np.array([line.left - left, line.y + line.slope * (line.left - line.x) - top]) * scales
    shift = origin + to_part @ np.array([0.5, 0.5 - LINE_HEIGHT / 2]) - 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    matrix = np.hstack([to_part, shift[:, None]])
    straight = cv2.warpAffine(part, matrix, (width, LINE_HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return normalise(straight)


def best_path(columns: np.ndarray) -> list[tuple[int, int]]:
    """Return the (class, column) of each symbol that the network shows, from left to right: the best path (Graves et al. 2006).

    columns: (N, 17), logits or probabilities. A symbol's column is the one, of neighbours of the same class, that shows it best.
    """
    classes = columns.argmax(axis=1)
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    ends = np.append(starts[1:], len(classes))
    return [
        (int(classes[start]), int(start + columns[start:end, classes[start]].argmax()))
        for start, end in zip(starts, ends, strict=True)
        if classes[start] != NO_SYMBOL
    ]
