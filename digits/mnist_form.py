"""How MNIST brings a digit into its frame: the one definition for everything that is not MNIST already.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998: the digit is
size-normalised into a 20x20 box keeping its aspect ratio, anti-aliased, and placed in the 28x28 frame by its
centre of mass. In MNIST's 60,000 training pictures that centre lies at pixel 14.0 (measured), counted from 0.
"""

import cv2
import numpy as np

from digits.config import DIGIT_SIZE, IMAGE_SIZE

CENTRE = 14  # pixels from 0, across and down


def fit_into_box(ink):
    """Return the ink resized so that its longer side is 20 pixels.

    ink: (height, width) uint8, white on black, cropped to the digit. Returns the same with the longer side 20.
    """
    height, width = ink.shape
    scale = DIGIT_SIZE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # INTER_AREA averages the pixels that fall together, which is what anti-aliasing means; it only shrinks.
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def place_by_mass(ink):
    """Return a (28, 28) uint8 frame with the ink's centre of mass on its centre.

    ink: (height, width) uint8, white on black, at most 20x20. Ink is moved by whole pixels, never resampled, and
    stays inside the frame.
    """
    height, width = ink.shape
    frame = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    mass = ink.sum(dtype=np.int64)
    if mass == 0:
        return frame
    centre_y = ink.sum(axis=1, dtype=np.int64) @ np.arange(height) / mass
    centre_x = ink.sum(axis=0, dtype=np.int64) @ np.arange(width) / mass
    top = min(max(round(CENTRE - centre_y), 0), IMAGE_SIZE - height)
    left = min(max(round(CENTRE - centre_x), 0), IMAGE_SIZE - width)
    frame[top : top + height, left : left + width] = ink
    return frame
