"""Bars, hooks, tops and tails are drawn where they belong, with the width and the slant of the digit's own strokes."""

import cv2
import numpy as np
import pytest

from digits.augmentation import letterforms
from digits.data import dataset


def pen(points, width):
    """Return a (28, 28) image of one stroke through the points (x, y), drawn 8 times larger and reduced."""
    canvas = np.zeros((224, 224), np.uint8)
    cv2.polylines(canvas, [np.round((np.array(points) + 0.5) * 8).astype(np.int32)], False, 255, round(8 * width))
    return cv2.resize(canvas, (28, 28), interpolation=cv2.INTER_AREA)


def seven(slant, width):
    """Return a plain seven. slant: pixels by which its stem moves to the left per row down. width: of the pen, in pixels."""
    return pen([(7, 5), (20, 5), (20 - 18 * slant, 23)], width)


@pytest.mark.parametrize("width", [1.5, 2.5, 3.5])
@pytest.mark.parametrize("slant", [0.0, 0.3, 0.6])
def test_a_bar_crosses_the_stem_of_the_seven(slant, width):
    plain = seven(slant, width)
    for seed in range(10):
        barred = letterforms.add_bar(plain, np.random.default_rng(seed))
        bar = barred.astype(int) - plain
        assert bar.min() >= 0, "ink was taken away"
        ys, xs = np.nonzero(bar > 100)
        assert len(ys) > 3
        assert 9 < ys.mean() < 19, "across the middle"
        stem = 20 - slant * (ys - 5)
        assert (xs < stem).any() and (xs > stem).any(), "on both sides of the stem"
        assert 0.6 * width < (bar.sum() / 255 + width**2) / (np.ptp(xs) + 1) < 1.6 * width, "with the stem's pen"


def test_the_bar_of_a_slanted_seven_is_tilted():
    def tilt(slant):
        tilts = []
        for seed in range(30):
            bar = letterforms.add_bar(seven(slant, 2), np.random.default_rng(seed)).astype(int) - seven(slant, 2)
            ys, xs = np.nonzero(bar > 60)
            tilts.append(np.polyfit(xs, ys, 1)[0])
        return np.mean(tilts)

    assert tilt(0.6) > tilt(0.0) + 0.05


def test_a_seven_with_a_bar_gets_no_second_one():
    barred = np.maximum(seven(0.3, 2.5), pen([(10, 14), (23, 14)], 2.5))
    assert np.array_equal(letterforms.add_bar(barred, np.random.default_rng(0)), barred)


def test_a_hook_is_added_at_the_top_left_and_a_base_at_the_foot():
    one = pen([(15, 5), (14, 23)], 2.5)
    based = 0
    for seed in range(40):
        added = letterforms.add_hook(one, np.random.default_rng(seed)).astype(int) - one
        ys, xs = np.nonzero(added[:19] > 100)
        assert (xs < 16).all() and ys.min() <= 8 and ys.max() < 19
        based += (added[20:, 18:] > 100).any()
    assert 6 <= based <= 22, "a third has a base"


def test_the_top_of_a_four_is_narrowed_or_widened_and_its_foot_stays():
    four = np.maximum(pen([(8, 5), (7, 15), (20, 15)], 2), pen([(18, 5), (18, 23)], 2))
    gaps = []
    for seed in range(40):
        changed = letterforms.narrow_or_widen_top(four, np.random.default_rng(seed))
        columns = np.flatnonzero(changed[6] > 80)
        gaps.append(np.ptp(columns))
        assert np.abs(changed[16:].astype(int) - four[16:]).max() < 40, "the foot moved"
    assert min(gaps) < 5 and max(gaps) > 10


def test_the_tail_of_a_nine_is_extended_to_the_left():
    ring = pen([(18, 6), (10, 6), (10, 13), (18, 13), (18, 6)], 2)
    nine = np.maximum(ring, pen([(18, 6), (17, 23)], 2))
    for seed in range(20):
        added = letterforms.extend_tail(nine, np.random.default_rng(seed)).astype(int) - nine
        ys, xs = np.nonzero(added > 100)
        assert len(ys) and xs.min() < 15 and xs.max() <= 19 and ys.min() > 14


def test_half_of_the_ones_fours_sevens_and_nines_change_and_no_other_digit(mnist_folder):
    data = dataset.load(mnist_folder)
    images, labels = data.x_train[:4000], data.y_train[:4000]
    changed = (letterforms.vary(images, labels, np.random.default_rng(0)) != images).any(axis=(1, 2))
    for digit in range(10):
        share = changed[labels == digit].mean()
        assert (0.3 < share <= 0.55) if digit in (1, 4, 7, 9) else share == 0, digit


@pytest.mark.parametrize("digit", [1, 4, 7, 9])
def test_images_without_ink_are_not_changed(digit):
    blank = np.zeros((20, 28, 28), np.uint8)
    assert not letterforms.vary(blank, np.full(20, digit), np.random.default_rng(0)).any()
