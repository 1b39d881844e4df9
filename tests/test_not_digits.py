"""Pictures of no digit look like MNIST's digits in everything but what they show."""

import numpy as np
import pytest

from digits import not_digits
from digits.dataset import bundled_digits


@pytest.fixture(scope="module")
def digits():
    data = bundled_digits()
    return data.x_train[:500], data.y_train[:500]


def rng():
    return np.random.default_rng(4)


def test_as_many_as_wanted_are_drawn_and_the_generator_alone_decides(digits):
    for count in (0, 1, 300):
        pictures = not_digits.draw(count, *digits, rng())
        assert pictures.shape == (count, 28, 28) and pictures.dtype == np.uint8
        assert np.array_equal(pictures, not_digits.draw(count, *digits, rng()))
    assert len({picture.tobytes() for picture in pictures}) > 280


def test_the_shares_of_the_kinds_add_up_to_one():
    assert sum(not_digits.KINDS.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", [not_digits.sign, not_digits.scribble, not_digits.two_digits], ids=lambda kind: kind.__name__)
def test_what_is_written_is_in_mnists_form(kind, digits):
    generator = rng()
    for _ in range(50):
        picture = kind(*digits, generator)
        rows, columns = np.flatnonzero(picture.max(axis=1)), np.flatnonzero(picture.max(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in range(17, 21)  # faint outermost pixels may round to 0
        assert picture.max() > 150
        weights = picture / picture.sum()
        assert abs(weights.sum(axis=1) @ np.arange(28) - 14) < 3.1  # within 0.5 but where the box hinders it


def test_every_sign_is_drawn_from_its_strokes():
    assert len(not_digits.PEN_STROKES) == len(not_digits.SIGNS) > 30
    names = {line.split()[0] for line in not_digits.SIGNS}
    assert set("ACEFHKMNPRTUVWX") <= names
    assert not names & set("OIlSZBGqDQJb"), "a digit may look like these"


def test_only_digits_that_are_none_when_turned_are_turned(digits):
    images, labels = digits
    generator = rng()
    for _ in range(60):
        picture = not_digits.turned_digit(images, labels, generator)
        sources = [
            labels[i] for turns in (1, 2, 3) for i in range(len(images)) if np.array_equal(np.rot90(images[i], turns), picture)
        ]
        assert sources and set(sources) <= {2, 3, 4, 5, 7}


def test_two_digits_keep_their_own_ink(digits):
    generator = rng()
    wide = [not_digits.two_digits(*digits, generator) for _ in range(50)]
    assert np.mean([np.ptp(np.flatnonzero(picture.max(axis=0))) + 1 == 20 for picture in wide]) > 0.8, "wider than high"


def test_data_without_a_digit_that_can_be_turned_does_no_harm():
    zeros = np.full((5, 28, 28), 200, np.uint8), np.zeros(5, np.uint8)
    assert not_digits.turned_digit(*zeros, np.random.default_rng(0)).shape == (28, 28)


def test_blank_pictures_among_the_digits_do_no_harm():
    blank = np.zeros((20, 28, 28), np.uint8)
    assert not_digits.draw(200, blank, np.zeros(20, np.uint8), rng()).any()
