"""A text line of an image, straight and of one height, and the symbols in an answer."""

import numpy as np
import pytest

from digits.model.line_image import COLUMN_STRIDE, DIGIT_HEIGHT, LINE_HEIGHT, NO_SYMBOL, best_path, fit_line, line_image


def page_with_squares(height, slope, count=4, size=(400, 600)):
    """Return black squares of this height beside each other on white, and their boxes."""
    page, boxes = np.full(size, 255, np.uint8), []
    for i in range(count):
        x = 60 + round(1.5 * height) * i
        y = round(120 + slope * (x - 60))
        page[y : y + height, x : x + height] = 0
        boxes.append((x, y, height, height))
    return page, np.array(boxes, float)


@pytest.mark.parametrize("slope", [-0.2, 0.0, 0.15])
@pytest.mark.parametrize("height", [12, 20, 55])
def test_digits_of_any_height_and_slope_stand_in_the_middle_at_one_height(height, slope):
    page, boxes = page_with_squares(height, slope)
    line = fit_line(boxes, margin=1.0)
    ink = line_image(page, line) < -1
    assert ink.shape[0] == LINE_HEIGHT and ink.shape[1] % COLUMN_STRIDE == 0
    for left, _, width, _ in boxes:
        column = int((left + width / 2 - line.left) * line.scale)
        rows = np.flatnonzero(ink[:, column])
        assert abs(len(rows) - DIGIT_HEIGHT) <= 3
        assert abs(rows.mean() - (LINE_HEIGHT - 1) / 2) <= 1.5


def test_the_margins_are_multiples_of_the_height_of_the_digits():
    _, boxes = page_with_squares(20, 0.0)
    line = fit_line(boxes, margin=1.5)
    assert (line.left, line.right) == (60 - 30, 60 + 3 * 30 + 20 + 30)
    assert line.height == 20


def test_two_digits_of_different_heights_show_no_slope():
    boxes = np.array([(0, 0, 20, 40), (200, 20, 20, 20)], float)
    assert fit_line(boxes, margin=0.0).slope == 0


def test_a_line_that_leaves_the_image_continues_its_border():
    page = np.full((30, 30), 200, np.uint8)
    line = fit_line(np.array([(-50.0, 5.0, 20.0, 20.0)]), margin=0.5)
    assert np.array_equal(line_image(page, line), np.zeros_like(line_image(page, line)))
    inside = fit_line(np.array([(5.0, 5.0, 20.0, 20.0)]), margin=3.0)
    assert np.abs(line_image(page, inside)).max() < 0.01


def test_the_best_path_joins_equal_neighbours_and_tells_the_clearest_column():
    columns = np.zeros((8, NO_SYMBOL + 1))
    for column, (label, value) in enumerate([(16, 1), (4, 1), (4, 3), (4, 2), (16, 1), (4, 1), (9, 1), (16, 1)]):
        columns[column, label] = value
    assert NO_SYMBOL == 16
    assert best_path(columns) == [(4, 2), (4, 5), (9, 6)]


def test_a_line_without_symbols_has_none():
    columns = np.zeros((3, NO_SYMBOL + 1))
    columns[:, NO_SYMBOL] = 1
    assert best_path(columns) == []
