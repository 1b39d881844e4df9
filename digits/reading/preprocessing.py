"""One digit's ink -> a crop in MNIST's form, the way MNIST was made.

Where a line gives no measurement, its constant was set by hand; docs/constants.md shows what a third more or less of each
changes.
"""

import cv2
import numpy as np

from digits.common.config import DIGIT_SIZE
from digits.data.mnist_format import centre_by_mass, size_normalise

# Levels of ink, of 255.
INK_LEVEL, SOFT_EDGE_LEVEL = 80, 40  # where a digit's ink ends for measuring its strokes, and for its final box
STROKE_EDGE_LEVEL = 127  # about half: where a stroke's edge lies when its width is measured

# Widths in pixels of the 20x20 box.
MIN_STROKE_WIDTH = 2.2  # near the median of MNIST's, 2.35 (3,000 images enlarged 8 times)
MAX_STROKE_WIDTH = 3.4  # nine tenths of MNIST's strokes are thinner (the same images)
MAX_THINNED_WIDTH = 6.0  # thicker ink is no stroke but filled loops, which thinning would make a one


def digit_crop(ink: np.ndarray) -> np.ndarray:
    """Return the digit as MNIST would show it, (28, 28) uint8.

    ink: (height, width) uint8, white on black, all zero but for one digit. Strokes so thin that they would vanish are widened
    first, strokes so thick that their loops would close are thinned, and the strongest pixel becomes white, as in MNIST.
    """
    x, y, width, height = cv2.boundingRect((ink > INK_LEVEL).astype(np.uint8))
    mean_width, thin_width = _stroke_widths(ink[y : y + height, x : x + width])
    unit = max(width, height) / DIGIT_SIZE  # a pixel of the 20x20 box
    missing, excess = MIN_STROKE_WIDTH * unit - mean_width, thin_width - MAX_STROKE_WIDTH * unit
    if missing > 0:
        margin = int(np.ceil(missing / 2)) + 1
        ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        ink = cv2.dilate(ink, _disc(round(missing / 2)))
    elif excess > 0 and thin_width < MAX_THINNED_WIDTH * unit:
        ink = cv2.erode(ink, _disc(int(excess / 2)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    x, y, width, height = cv2.boundingRect((ink > SOFT_EDGE_LEVEL).astype(np.uint8))
    box = size_normalise(ink[y : y + height, x : x + width]).astype(np.float32)
    return centre_by_mass((box * (255 / max(box.max(), 1))).astype(np.uint8))


def _disc(radius: int) -> np.ndarray:
    """Return a disc of this radius, in pixels, as a structuring element."""
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _stroke_widths(ink: np.ndarray) -> tuple[float, float]:
    """Return the mean width of the strokes and that of the thinner ones (the lower quartile), in pixels.

    A width is twice the distance from the stroke's middle line to the paper, less one pixel.
    """
    inside = cv2.copyMakeBorder((ink > STROKE_EDGE_LEVEL).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    middle = distance[(distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)))]
    if middle.size == 0:
        return 1.0, 1.0
    quarter = middle.size // 4
    return 2 * float(middle.mean()) - 1, 2 * float(np.partition(middle, quarter)[quarter]) - 1
