"""A sheet is aligned by its print, however it lies; where that is not sure, the reason is said."""

import sys

import cv2
import numpy as np
import pytest
from conftest import PROJECT

from digits.common.errors import UserError
from digits.reading.alignment import Reference
from digits.reading.image import load_image

sys.path.insert(0, str(PROJECT / "benchmarks"))
from composed_forms import blank_form

SIDE = 1400
PAGE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)


@pytest.fixture(scope="module")
def page():
    return blank_form(np.random.default_rng(0)).page


@pytest.fixture(scope="module")
def reference(page):
    return Reference.of(load_image(page, SIDE))


def warped(page, corners):
    """Return (the page with its corners at these places, shares of the image; the homography)."""
    size = page.shape[1], page.shape[0]
    matrix = cv2.getPerspectiveTransform((PAGE * size).astype(np.float32), (np.array(corners) * size).astype(np.float32))
    return cv2.warpPerspective(page, matrix, size, borderValue=90)


@pytest.mark.parametrize(
    "corners",
    [
        PAGE,
        [(0.1, 0.06), (0.93, 0.1), (0.9, 0.97), (0.05, 0.9)],
        [(0.97, 0.95), (0.06, 0.93), (0.03, 0.04), (0.94, 0.08)],  # upside down
        [(0.3, 0.3), (0.7, 0.31), (0.72, 0.72), (0.28, 0.7)],  # small
    ],
)
def test_each_place_of_the_reference_is_found(page, reference, corners):
    homography = reference.align(load_image(warped(page, corners), SIDE))
    found = cv2.perspectiveTransform(PAGE[None], homography)[0]
    assert np.abs(found - corners).max() < 0.003  # 0.6 mm of A4


def test_what_is_written_on_it_does_not_matter(page, reference):
    written = page.copy()
    for y in range(430, 2200, 125):
        points = np.cumsum(np.random.default_rng(y).integers(-20, 35, (40, 2)), axis=0) % [1500, 60] + [60, y]
        cv2.polylines(written, [points.astype(np.int32)], False, 30, 5)
    assert np.abs(cv2.perspectiveTransform(PAGE[None], reference.align(load_image(written, SIDE)))[0] - PAGE).max() < 0.003


def mirrored(page):
    return page[:, ::-1]


def cut_to_a_corner(page):
    return np.pad(page[:400, :600], ((0, 1900), (0, 1000)), constant_values=240)


def of_another_form(page):
    """Return a sheet that has the same lines in other places, and other words."""
    other = blank_form(np.random.default_rng(1)).page
    return np.rot90(np.vstack([other[1100:], other[:1100]])[:, ::-1])


def a_squashed_one(page):
    return warped(page, [(0.4, 0.2), (0.6, 0.2), (0.98, 0.98), (0.02, 0.98)])


def of_nothing(page):
    return np.full_like(page, 240)


def of_noise(page):
    return np.random.default_rng(0).integers(0, 255, page.shape, dtype=np.uint8)


@pytest.mark.parametrize("change", [mirrored, cut_to_a_corner, of_another_form, a_squashed_one, of_nothing, of_noise])
def test_a_sheet_that_can_not_be_aligned_is_refused_with_a_reason(page, reference, change):
    with pytest.raises(UserError, match="reference's print"):
        reference.align(load_image(change(page), SIDE))


def test_a_strip_one_pixel_high_is_refused(reference):
    strip = load_image(np.full((1, 4 * SIDE), 240, np.uint8), 4 * SIDE)
    with pytest.raises(UserError, match="reference's print"):
        reference.align(strip)


def test_a_reference_without_print_is_refused(page):
    with pytest.raises(UserError, match="too little is printed on it"):
        Reference.of(load_image(of_nothing(page)))
