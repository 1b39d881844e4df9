"""Digits are put into text lines, and patterns are separated from writing."""

import numpy as np
import pytest

from digits.model.heat_map import CLASS_COUNT
from digits.reading.detection import Detection
from digits.reading.text_lines import drop_unlikely_lines, text_lines


def digit(label, x, y, height=30.0, probability=0.9):
    """A detection whose box has this centre."""
    width = height * 0.6
    probabilities = np.zeros(CLASS_COUNT, np.float32)
    return Detection(label, probability, x - width / 2, y - height / 2, width, height, probabilities)


def labels(lines):
    return [[digit.label for digit in line] for line in lines]


def row(text, x=20.0, y=50.0, step=25.0, slope=0.0, height=30.0, probability=0.9):
    """The digits of a text on a line with a slope in pixels down per pixel to the right."""
    return [digit(int(character), x + i * step, y + i * step * slope, height, probability) for i, character in enumerate(text)]


# ---- text lines -----------------------------------------------------------------------------------------------------


def test_without_digits_there_is_no_line():
    assert text_lines([]) == []


def test_a_line_is_read_from_left_to_right():
    assert labels(text_lines(row("123456")[::-1])) == [[1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("slope", [-0.3, -0.1, 0.1, 0.3])
def test_a_sloping_line_is_one_line(slope):
    assert labels(text_lines(row("12345678", y=300, slope=slope))) == [[1, 2, 3, 4, 5, 6, 7, 8]]


@pytest.mark.parametrize("slope", [-0.3, 0.3])
def test_a_sloping_line_goes_on_after_a_wide_space(slope):
    digits = row("1234", y=300, slope=slope) + row("56", x=270, y=300 + 250 * slope, slope=slope)
    assert labels(text_lines(digits)) == [[1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("slope", [-0.2, 0.0, 0.2])
def test_lines_come_from_top_to_bottom(slope):
    digits = row("789", y=400, slope=slope) + row("123", y=300, slope=slope) + row("456", y=350, slope=slope)
    assert labels(text_lines(digits)) == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_line_may_bend():
    curve = [digit(i % 10, 20 + 25 * i, 200 + 40 * np.sin(i / 5)) for i in range(20)]
    assert len(text_lines(curve)) == 1


def test_digits_that_dance_about_the_line_belong_to_it():
    assert labels(text_lines([digit(i, 20 + 25 * i, 50 + (-1) ** i * 6) for i in range(8)])) == [list(range(8))]


def test_a_line_whose_first_digits_fall_may_rise_again():
    heights_of_centres = (80, 90, 97, 80, 79, 83)  # of digits in the cells of a form
    assert labels(text_lines([digit(i, 60 + 63 * i, y, 40) for i, y in enumerate(heights_of_centres)])) == [list(range(6))]


def test_digits_of_different_heights_may_stand_in_one_line():
    assert labels(text_lines([digit(1, 20, 50, 40), digit(2, 50, 52, 20), digit(3, 75, 50, 36)])) == [[1, 2, 3]]


def test_a_far_smaller_digit_stands_in_a_line_of_its_own():
    assert sorted(labels(text_lines([digit(1, 20, 50, 90), digit(2, 80, 50, 90), digit(3, 110, 50, 20)]))) == [[1, 2], [3]]


def test_hundreds_of_digits_make_their_lines():
    digits = [one for y in range(20) for one in row("12345678901234567890", y=40 * y)]
    assert labels(text_lines(digits)) == [[*range(1, 10), 0] * 2] * 20


# ---- writing or pattern ---------------------------------------------------------------------------------------------


def paper_with(lines, inks):
    """A light page, (400, 400) uint8, on which each line's digits are strokes of a grey level of its own."""
    grey = np.full((400, 400), 230, np.uint8)
    for line, ink in zip(lines, inks, strict=True):
        for one in line:
            grey[int(one.top) : int(one.top + one.height), int(one.x) - 2 : int(one.x) + 3] = ink
    return grey


def test_two_lines_of_like_ink_and_height_are_both_written():
    lines = [row("123"), row("45", y=120)]
    assert drop_unlikely_lines(paper_with(lines, (40, 60)), lines) == lines


@pytest.mark.parametrize(
    ("second", "ink"),
    [
        pytest.param(row("45", y=120), 190, id="faint"),
        pytest.param(row("45", y=120, height=10), 40, id="small"),
        pytest.param(row("4", y=200, height=80), 40, id="large"),
        pytest.param(row("45", y=120, probability=0.35), 40, id="uncertain"),
    ],
)
def test_a_line_unlike_the_main_one_is_no_writing(second, ink):
    lines = [row("1236"), second]
    assert drop_unlikely_lines(paper_with(lines, (40, ink)), lines) == lines[:1]


def test_a_single_line_is_always_written():
    faint = [row("1", probability=0.3)]
    assert drop_unlikely_lines(np.full((100, 100), 255, np.uint8), faint) == faint
    assert drop_unlikely_lines(np.full((100, 100), 255, np.uint8), []) == []


def test_a_box_outside_of_the_image_has_no_contrast_and_does_no_harm():
    lines = [row("12"), [digit(3, 1000, 1000)], [digit(4, -500, -500)]]
    assert drop_unlikely_lines(paper_with(lines[:1], (40,)), lines) == lines[:1]
