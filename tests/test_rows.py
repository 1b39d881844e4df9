"""Rows of digits side by side: the gap between them, and what the labels say."""

import numpy as np
import pytest

from digits.composition import rows
from digits.data.dataset import Split


@pytest.mark.parametrize("gap", rows.ROW_GAPS)
def test_the_gap_lies_between_the_bounding_boxes_of_neighbours(gap):
    left, right = np.zeros((2, 28, 28), np.uint8)
    left[4:24, 3:10], right[6:20, 12:20] = 200, 100
    left[10, 10] = rows.GAP_INK_LEVEL  # a faint rim
    row = rows.compose_row([left, right], gap)
    columns = np.flatnonzero(row.max(axis=0))
    assert columns[0] == rows.ROW_MARGIN and columns[-1] - columns[0] + 1 == 7 + gap + 8
    assert row.shape == (36, columns[-1] + 1 + rows.ROW_MARGIN)


def test_a_rows_label_names_its_digits_from_left_to_right():
    images = np.zeros((8, 28, 28), np.uint8)
    for digit in range(8):
        images[digit, 4:24, 5:15] = 100 + digit  # a grey level for each digit
    made = list(rows.random_rows(Split(images, np.arange(8, dtype=np.uint8)), 2, 20, np.random.default_rng(0)))
    for row, label in made:
        starts = rows.ROW_MARGIN + 12 * np.arange(len(label))
        assert "".join(str(row[15, start] - 100) for start in starts) == label
    assert {len(label) for _, label in made} == set(range(rows.MIN_ROW_LENGTH, rows.MAX_ROW_LENGTH + 1))
