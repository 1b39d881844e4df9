"""The guard of rows: the digits are found once, and a row counts where both networks together read it."""

import numpy as np
import pytest

from digits.common.config import MODEL_NAME, MODELS_DIR
from digits.data.dataset import Split, bundled_digits
from digits.model.classifier import Classifier
from digits.reading.number_reader import NumberReader
from digits.training import row_guard
from digits.training.row_guard import FoundRows


def certain(*digits):
    """Return probabilities of almost 1 for each of the digits, (N, 10)."""
    return np.eye(10, dtype=np.float32)[list(digits)] * 0.98 + 0.002


def found_rows(labels, found, digits):
    return FoundRows(labels, np.array(found), np.zeros((len(digits), 28, 28), np.uint8), certain(*digits))


def test_a_row_counts_where_both_networks_together_give_its_digits():
    rows = found_rows(["12", "345", "6"], [True, False, True], [1, 2, 6])
    score = rows.score(certain(1, 2, 6))
    assert (score.correct, score.n) == (2, 3)  # in the row 345, not as many digits were found


def test_a_digit_that_the_digit_network_changes_loses_its_row_alone():
    rows = found_rows(["12", "34", "56"], [True, True, True], [1, 2, 3, 4, 5, 6])
    rows.probabilities[3] = 0.1  # here the number reader has no opinion
    assert rows.score(certain(1, 2, 3, 4, 5, 6)).correct == 3
    assert rows.score(certain(1, 2, 3, 9, 5, 6)).correct == 2


@pytest.fixture(scope="module")
def networks():
    return NumberReader(), Classifier(MODELS_DIR / f"{MODEL_NAME}.tflite")


def test_rows_are_found_with_crops_for_every_digit(networks, monkeypatch):
    data = bundled_digits()
    digits = Split(data.x_train[:200], data.y_train[:200])
    monkeypatch.setattr(row_guard, "ROW_COUNT", 10)
    rows = row_guard.find_rows(digits, *networks)
    again = row_guard.find_rows(digits, *networks)
    assert len(rows.labels) == len(rows.found) == 10 and rows.found.sum() >= 5
    kept = sum(len(label) for label, found in zip(rows.labels, rows.found, strict=True) if found)
    assert rows.crops.shape == (kept, 28, 28) and rows.probabilities.shape == (kept, 10)
    assert rows.labels == again.labels and np.array_equal(rows.crops, again.crops)
    assert rows.score(networks[1].classify(rows.crops).probabilities).correct >= 5


def test_without_seven_digits_with_ink_there_are_no_rows():
    images = np.zeros((20, 28, 28), np.uint8)
    images[:6, 10:20, 10:12] = 255
    assert row_guard.find_rows(Split(images, np.zeros(20, np.uint8)), None, None) is None


def test_rows_in_which_nothing_is_found_are_read_wrong(networks, monkeypatch):
    monkeypatch.setattr(row_guard, "ROW_COUNT", 5)
    blank = np.zeros((10, 28, 28), np.uint8)
    blank[:, 14, 10:18] = 255
    rows = row_guard.find_rows(Split(blank, np.arange(10, dtype=np.uint8)), *networks)
    assert rows.crops.shape == (0, 28, 28) and rows.score(np.zeros((0, 10), np.float32)).correct == 0
