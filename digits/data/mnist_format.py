"""MNIST's format of a digit: size-normalised and centred by mass. The one definition for all images that are not MNIST's.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998: the digit is
size-normalised into a 20x20 box keeping its aspect ratio, anti-aliased, and placed in the 28x28 frame by its
centre of mass. In MNIST's 60,000 training images that centre lies at pixel 14.0 (measured), counted from 0.
"""

import cv2
import numpy as np

from digits.common.config import DIGIT_SIZE, IMAGE_SIZE

CENTRE = IMAGE_SIZE // 2  # pixels from 0, across and down


def size_normalise(ink: np.ndarray) -> np.ndarray:
    """Return the ink resized so that its longer side is 20 pixels, its aspect ratio kept.

    ink: (height, width) uint8, white on black, cropped to the digit. Returns uint8 of the new size, each side at least 1.
    """
    height, width = ink.shape
    scale = DIGIT_SIZE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # INTER_AREA averages the pixels that fall together, which is anti-aliasing; it can only shrink.
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def centre_by_mass(ink: np.ndarray) -> np.ndarray:
    """Return a (28, 28) uint8 frame with the ink's centre of mass at its centre.

    ink: (height, width) uint8, white on black, at most 28x28. Ink is moved by whole pixels, never resampled, and
    stays inside the frame. Without ink the frame is black.
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
