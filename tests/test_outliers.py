"""Outliers have MNIST's format and hold no digit."""

import numpy as np
import pytest

from digits.augmentation import outliers
from digits.data.dataset import bundled_digits


@pytest.fixture(scope="module")
def digits():
    data = bundled_digits()
    return data.x_train[:500], data.y_train[:500]


def rng():
    return np.random.default_rng(4)


def test_the_requested_number_is_drawn_reproducibly(digits):
    for count in (0, 1, 300):
        drawn = outliers.draw(count, *digits, rng())
        assert drawn.shape == (count, 28, 28) and drawn.dtype == np.uint8
        assert np.array_equal(drawn, outliers.draw(count, *digits, rng()))
    assert len({image.tobytes() for image in drawn}) > 280


def test_the_probabilities_of_the_kinds_add_up_to_one():
    assert sum(outliers.OUTLIER_PROBABILITIES.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "kind", [outliers.letter_or_sign, outliers.scribble, outliers.two_digits], ids=lambda kind: kind.__name__
)
def test_written_outliers_have_mnists_format(kind, digits):
    generator = rng()
    for _ in range(50):
        image = kind(*digits, generator)
        rows, columns = np.flatnonzero(image.max(axis=1)), np.flatnonzero(image.max(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in range(17, 21)  # faint outermost pixels may round to 0
        assert image.max() > 150
        weights = image / image.sum()
        assert abs(weights.sum(axis=1) @ np.arange(28) - 14) < 3.1  # within 0.5, except where the box would leave the frame


def test_no_sign_is_a_letter_that_looks_like_a_digit():
    assert len(outliers.PEN_STROKES) == len(outliers.LETTERS_AND_SIGNS) > 30
    names = {line.split()[0] for line in outliers.LETTERS_AND_SIGNS}
    assert set("ACEFHKMNPRTUVWX") <= names
    assert not names & set("OIlSZBGqDQJb"), "a digit may look like these"


def test_only_digits_that_are_no_digits_when_rotated_are_rotated(digits):
    images, labels = digits
    generator = rng()
    sources = {
        (np.rot90(image, turns).tobytes()): (label, 180 if turns == 2 else 90)
        for image, label in zip(images, labels, strict=True)
        for turns in (1, 2, 3)
    }
    found = {sources[outliers.rotated_digit(images, labels, generator).tobytes()] for _ in range(300)}
    assert {label for label, angle in found if angle == 90} == {2, 3, 4, 5, 7}
    assert {label for label, angle in found if angle == 180} == {3, 4, 7}


def test_two_digits_are_wider_than_high(digits):
    generator = rng()
    wide = [outliers.two_digits(*digits, generator) for _ in range(50)]
    assert np.mean([np.ptp(np.flatnonzero(image.max(axis=0))) + 1 == 20 for image in wide]) > 0.8


def test_data_without_a_digit_to_rotate_gives_a_scribble():
    zeros = np.full((5, 28, 28), 200, np.uint8), np.zeros(5, np.uint8)
    assert outliers.rotated_digit(*zeros, np.random.default_rng(0)).shape == (28, 28)


def test_images_without_ink_can_be_drawn_from():
    blank = np.zeros((20, 28, 28), np.uint8)
    assert outliers.draw(200, blank, np.zeros(20, np.uint8), rng()).any()
