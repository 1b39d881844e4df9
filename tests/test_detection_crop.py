"""A detection's crop: one digit in MNIST's form, without the ink of its neighbours."""

import cv2
import numpy as np
import pytest

from digits.model.heat_map import CLASS_COUNT
from digits.reading.detection import Detection
from digits.reading.detection_crop import crop_of

PAPER, INK = 225, 40


def detection(left, top, width, height):
    return Detection(7, 0.9, left, top, width, height, np.zeros(CLASS_COUNT, np.float32))


def page(size=(200, 300)):
    return np.full(size, PAPER, np.uint8)


def seven(grey, left, top, width, height, pen=4):
    """Draw a 7 that fills this box."""
    corners = [(left, top), (left + width - 1, top), (left + width // 3, top + height - 1)]
    cv2.polylines(grey, [np.array(corners, np.int32)], False, INK, pen, cv2.LINE_AA)
    return grey


def similarity(crop, other):
    """The correlation of two crops, 1 for the same shape."""
    return np.corrcoef(crop.ravel(), other.ravel())[0, 1]


@pytest.fixture
def expected():
    return crop_of(seven(page(), 100, 60, 30, 48), detection(100, 60, 30, 48))


def test_a_crop_has_mnists_form(expected):
    assert expected.shape == (28, 28) and expected.dtype == np.uint8
    assert expected.max() == 255
    rows = np.flatnonzero(expected.max(axis=1))
    assert rows[-1] - rows[0] + 1 == 20, "the longer side fills the box of 20 pixels"
    y, x = (np.average(np.arange(28), weights=expected.sum(axis=axis, dtype=float)) for axis in (1, 0))
    assert (y, x) == pytest.approx((13.5, 13.5), abs=1), "the centre of mass is in the middle"


@pytest.mark.parametrize(("height", "pen"), [(12, 1), (24, 2), (140, 12)])
def test_a_digit_of_any_size_gives_the_same_crop(expected, height, pen):
    width = height * 30 // 48
    crop = crop_of(seven(page(), 100, 30, width, height, pen), detection(100, 30, width, height))
    assert similarity(crop, expected) > 0.8


def test_a_box_that_is_a_few_pixels_off_gives_the_same_crop(expected):
    for left, top in ((97, 58), (103, 63)):
        assert similarity(crop_of(seven(page(), 100, 60, 30, 48), detection(left, top, 30, 48)), expected) > 0.8


def test_faint_ink_gives_the_same_crop(expected):
    grey = seven(page(), 100, 60, 30, 48)
    faint = (PAPER - (PAPER - grey.astype(float)) * 0.25).astype(np.uint8)
    assert similarity(crop_of(faint, detection(100, 60, 30, 48)), expected) > 0.95


def test_the_ink_of_neighbours_is_left_out(expected):
    grey = seven(page(), 100, 60, 30, 48)
    seven(grey, 61, 60, 32, 48)
    seven(grey, 137, 60, 30, 48)
    crop = crop_of(grey, detection(100, 60, 30, 48))
    assert similarity(crop, expected) > 0.97


def test_a_neighbour_that_reaches_into_the_margin_is_left_out():
    alone = seven(page(), 102, 60, 28, 48, pen=2)
    beside = seven(alone.copy(), 60, 60, 34, 48, pen=2)
    wide = detection(97, 58, 36, 52)
    assert similarity(crop_of(beside, wide), crop_of(alone, wide)) > 0.97


@pytest.mark.parametrize("level", [0, 128, 255])
def test_where_there_is_no_ink_the_crop_is_black(level):
    grey = np.full((200, 300), level, np.uint8)
    for height in (10, 48, 150):
        assert crop_of(grey, detection(100, 20, height * 0.6, height)).tolist() == np.zeros((28, 28)).tolist()


@pytest.mark.parametrize("enlargement", [1, 3])
def test_a_digit_at_the_border_of_the_image_has_the_same_crop(expected, enlargement):
    grey = seven(page(), 100, 60, 30, 48)[58:110, 98:132]
    grey = cv2.resize(grey, None, fx=enlargement, fy=enlargement)
    box = (enlargement * side for side in (2, 2, 30, 48))
    assert similarity(crop_of(grey, detection(*box)), expected) > 0.8


@pytest.mark.parametrize("size", [(1, 1), (1, 800), (800, 1), (3, 500)])
@pytest.mark.parametrize("box", [(0, 0, 0.1, 0.1), (0, 0, 1, 60), (-30, -30, 300, 60), (790, 790, 20, 400), (-900, -900, 9, 9)])
def test_thin_images_and_odd_boxes_do_no_harm(size, box):
    noise = np.random.default_rng(0).integers(0, 255, size).astype(np.uint8)
    assert crop_of(noise, detection(*box)).shape == (28, 28)


def test_cutting_a_crop_leaves_the_image_as_it_was():
    grey = seven(page(), 100, 60, 30, 48)
    before = grey.copy()
    crop_of(grey, detection(100, 60, 30, 48))
    assert np.array_equal(grey, before)
