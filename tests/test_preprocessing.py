"""A digit's ink lands in MNIST's form, whatever its size and the width of its strokes."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.reading.preprocessing import digit_crop


def ink_of_seven(width=14, size=(80, 120)):
    """The ink of a 7 whose middle line has this size, strokes of this width, in a frame with room: white on black."""
    image = Image.new("L", (size[0] + 120, size[1] + 120), 0)
    x, y = 60, 60
    ImageDraw.Draw(image).line([(x, y), (x + size[0], y), (x + 30, y + size[1])], fill=255, width=width, joint="curve")
    return np.asarray(image)


def similarity(crop, other):
    """The correlation of two crops, 1 for the same shape."""
    return np.corrcoef(crop.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize("scale", [1, 3])
def test_a_crop_is_in_mnists_form(scale):
    crop = digit_crop(ink_of_seven(14 * scale, (80 * scale, 120 * scale)))
    assert crop.shape == (28, 28) and crop.dtype == np.uint8
    rows, columns = np.flatnonzero(crop.max(axis=1)), np.flatnonzero(crop.max(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert crop.max() == 255
    weights = crop / crop.sum()
    assert abs((weights.sum(axis=1) * np.arange(28)).sum() - 14) <= 0.5
    assert abs((weights.sum(axis=0) * np.arange(28)).sum() - 14) <= 0.5


def test_thin_strokes_are_widened():
    crop = digit_crop(ink_of_seven(width=3))
    assert crop.max() == 255
    assert (crop > 127).sum() > 40, "a 7 of 20 pixels needs more than its one-pixel middle line"


def test_thick_strokes_stay_filled():
    crop = digit_crop(ink_of_seven(width=40))
    assert similarity(crop, digit_crop(ink_of_seven())) > 0.6
    paper_regions, _ = cv2.connectedComponents((crop < 100).astype(np.uint8))
    assert paper_regions == 2, "paper inside the stroke: it came out hollow"  # the other label is the ink


def test_faint_ink_becomes_white():
    assert digit_crop(ink_of_seven() // 2).max() == 255
