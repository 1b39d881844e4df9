"""What is printed in and around a field is removed; what is written in it stays."""

import sys

import cv2
import numpy as np
import pytest
from conftest import PROJECT

from digits.reading.print_removal import PAPER_LEVEL, remove_print

sys.path.insert(0, str(PROJECT / "benchmarks"))
from composed_forms import KINDS, blank_form

PAPER, PRINT, PEN = 240, 40, 90
LEFT, TOP, RIGHT, BOTTOM = FIELD = (40.0, 40.0, 440.0, 110.0)  # of a cut of 480 x 150 pixels
HEIGHT = BOTTOM - TOP


def blank(box=True, cells=0, label=""):
    """Return a field as it is printed, with its box, cells in it and a label above it."""
    image = np.full((150, 480), PAPER, np.uint8)
    left, top, right, bottom = map(int, FIELD)
    if box:
        cv2.rectangle(image, (left, top), (right, bottom), PRINT, 3)
    for cell in range(1, cells):
        x = left + cell * (right - left) // cells
        cv2.line(image, (x, top), (x, bottom), PRINT, 3)
    cv2.putText(image, label, (left, top - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.9, PRINT, 2, cv2.LINE_AA)
    return image


def write(image, *points, thickness=6):
    """Draw a stroke with a pen through the points."""
    return cv2.polylines(image, [np.array(points, np.int32)], False, PEN, thickness, cv2.LINE_AA)


def ink(image):
    """Return where something is darker than the clean paper, (h, w) bool."""
    return image < PAPER_LEVEL - 60


@pytest.mark.parametrize("angle", [0, 1.0, -1.5])
@pytest.mark.parametrize("parts", [{}, {"box": False}, {"cells": 6}, {"label": "amount 1234567"}])
def test_nothing_is_left_of_an_empty_field(parts, angle):
    turn = cv2.getRotationMatrix2D((240, 75), angle, 1)
    image = cv2.warpAffine(blank(**parts), turn, (480, 150), borderValue=PAPER)
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    assert remove_print(np.clip(image + noise, 0, 255).astype(np.uint8), FIELD) is None


def test_a_line_to_write_on_is_removed():
    image = blank(box=False)
    cv2.line(image, (int(LEFT), int(BOTTOM)), (int(RIGHT), int(BOTTOM)), PRINT, 3)
    assert remove_print(image, FIELD) is None
    clean = remove_print(write(image, (100, 50), (90, 100)), FIELD)
    assert ink(clean)[52:98, 80:110].any(axis=1).all()
    assert not ink(clean)[:, 130:].any()


@pytest.mark.parametrize("cells", [0, 6])
@pytest.mark.parametrize("x", [70, 105, 290])
def test_a_one_is_no_upright_line(x, cells):
    clean = remove_print(write(blank(cells=cells), (x, 48), (x, 102)), FIELD)
    rows = np.flatnonzero(ink(clean)[:, x - 5 : x + 6].any(axis=1))
    assert (rows[0], rows[-1]) == (pytest.approx(46, abs=2), pytest.approx(104, abs=3))
    assert not np.delete(ink(clean), range(x - 6, x + 7), axis=1).any()


@pytest.fixture(scope="module")
def form():
    """A blank form that is composed."""
    return blank_form(np.random.default_rng(1))


@pytest.mark.parametrize(("thickness", "lean"), [(6, 0), (8, 1), (4, 3), (3, -4)])  # pixels, the print has 2 or 3; pixels
@pytest.mark.parametrize("share", [0.8, 0.9, 1.0, 1.1])  # of the field's height
@pytest.mark.parametrize("kind", KINDS)
def test_a_one_as_high_as_its_field_is_no_line_of_a_cell(form, kind, share, thickness, lean):
    height, width = form.page.shape
    field = form.fields[form.kinds.index(kind)]
    left, top, right, bottom = place = np.array(
        (field.x * width, field.y * height, (field.x + field.width) * width, (field.y + field.height) * height)
    )
    x, y, reach = left + 1.5 / 6 * (right - left), (top + bottom) / 2, (share * (bottom - top) - thickness) / 2
    page = write(form.page.copy(), (x + lean, y - reach), (x, y), (x - lean, y + reach), thickness=thickness)
    margin = round(0.4 * (bottom - top))
    corner = np.array((round(left) - margin, round(top) - margin))
    cut = page[corner[1] : round(bottom) + margin, corner[0] : round(right) + margin]
    clean = remove_print(cut, tuple(place - np.tile(corner, 2)))
    assert clean is not None, "nothing is left"
    around = round(x - corner[0]) + np.array((-7, 8))
    rows = np.flatnonzero(ink(clean)[:, slice(*around)].any(axis=1))
    assert np.ptp(rows) >= 0.75 * share * (bottom - top) and len(rows) > 0.9 * np.ptp(rows)
    assert not np.delete(ink(clean), range(*around), axis=1).any()


def test_a_stroke_that_leaves_the_box_is_whole():
    clean = remove_print(write(blank(label="sum"), (250, 60), (235, 128)), FIELD)
    assert ink(clean)[60:128].any(axis=1).all()
    assert not ink(clean)[:, :200].any()


def test_a_stroke_along_a_line_touches_it_and_stays():
    clean = remove_print(write(blank(), (300, 60), (290, 104), (330, 104)), FIELD)
    assert ink(clean)[60:104, 285:335].any(axis=1).all()
    assert not ink(clean)[:, :280].any() and not ink(clean)[:, 340:].any()


def test_what_belongs_to_another_field_is_removed():
    image = write(blank(), (100, 10), (95, 52))  # hangs in from above
    image = write(image, (200, 60), (195, 100))
    clean = remove_print(image, FIELD)
    assert not ink(clean)[:, :150].any()
    assert ink(clean)[62:98, 190:206].any(axis=1).all()


def test_the_faint_edge_of_a_printed_word_at_the_border_is_removed():
    image = write(blank(), (100, 50), (90, 100))
    image[65:100, 0] = PAPER - 40  # too faint to count as ink beside the pen
    clean = remove_print(image, FIELD)
    assert (clean[65:100, 0] >= PAPER_LEVEL - 4).all()
    assert ink(clean)[52:98, 80:110].any(axis=1).all()


def test_a_line_that_a_digit_touches_in_its_lower_half_is_removed():
    x = int(LEFT + (RIGHT - LEFT) / 6)
    image = cv2.circle(blank(cells=6), (x - 9, 88), 12, PEN, 4, cv2.LINE_AA)
    clean = remove_print(image, FIELD)
    assert ink(clean)[78:100, x - 24 : x - 5].any(axis=1).all()
    assert not ink(clean)[45:70].any()


def test_a_line_that_digits_touch_from_both_sides_is_removed():
    x = int(LEFT + (RIGHT - LEFT) / 6)
    image = cv2.ellipse(blank(cells=6), (x - 17, 72), (14, 17), 0, 0, 360, PEN, 5, cv2.LINE_AA)
    image = cv2.ellipse(image, (x + 17, 80), (14, 17), 0, 0, 360, PEN, 5, cv2.LINE_AA)
    clean = remove_print(image, FIELD)
    assert not ink(clean)[44:50, x - 3 : x + 4].any()
    assert ink(clean)[60:85, x - 36 : x - 25].any(axis=1).all() and ink(clean)[68:93, x + 25 : x + 36].any(axis=1).all()


@pytest.mark.parametrize("edge", [90, 280])
def test_lines_of_cells_on_both_sides_of_a_shadows_edge_are_removed(edge):
    image = write(blank(cells=6), (60, 52), (55, 98)).astype(np.float32)
    image *= 1 - 0.5 / (1 + np.exp((np.arange(image.shape[1]) - edge) / 6))
    clean = remove_print(image.astype(np.uint8), FIELD)
    assert ink(clean)[55:95, 48:66].any(axis=1).all()
    assert not ink(clean)[:, 75:].any()


def test_of_a_digit_that_touches_one_of_another_field_its_own_part_stays():
    image = write(blank(), (215, 0), (190, 98))
    image = write(image, (120, 2), (280, 2), thickness=12)
    clean = remove_print(image, FIELD)
    assert ink(clean)[50:96, 185:215].any(axis=1).all()
    assert not ink(clean)[:30].any()


def test_a_shadow_leaves_the_paper_even():
    image = write(blank(), (100, 60), (95, 100)).astype(np.float32)
    image *= np.linspace(1, 0.5, image.shape[1])
    clean = remove_print(image.astype(np.uint8), FIELD)
    assert abs(np.median(clean[:, 130:200]) - PAPER_LEVEL) < 4
    assert abs(np.median(clean[:, 300:]) - PAPER_LEVEL) < 4


def test_the_grain_of_the_paper_is_removed():
    noise = np.random.default_rng(0).normal(0, 4, (150, 480))
    clean = remove_print(np.clip(write(blank(), (100, 50), (90, 100)) + noise, 0, 255).astype(np.uint8), FIELD)
    assert (clean[:, 130:] == PAPER_LEVEL).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (14, 20)])
def test_a_cut_of_few_pixels_is_no_error(size):
    noise = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    height = size[0] / 1.8
    clean = remove_print(noise, (0.4 * height, 0.4 * height, size[1] - 0.4 * height, 1.4 * height))
    assert clean is None or clean.shape == size
