"""The drawn digits that are learned beside MNIST's."""

import numpy as np

from digits.model.classifier import Classifier
from digits.training import drawn_digits

LABELS = np.arange(200, dtype=np.uint8) % 10


def draw(seed=0):
    return drawn_digits.draw(LABELS, np.random.default_rng(seed))


def test_they_have_the_form_of_mnist():
    images = draw()
    assert images.shape == (200, 28, 28) and images.dtype == np.uint8
    for image in images:
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        centre = np.array([rows, columns]) @ image[rows, columns] / image.sum(dtype=np.int64)
        assert np.abs(centre - 14).max() <= 1.01 or min(rows.min(), columns.min()) == 0, "not centred by mass"


def test_they_depend_on_the_generator_alone():
    assert np.array_equal(draw(), draw())
    assert not np.array_equal(draw(), draw(1))


def test_they_are_digits_of_their_labels():
    assert (Classifier().classify(draw()).probabilities.argmax(axis=1) == LABELS).mean() > 0.85


def test_of_no_label_there_is_no_image():
    assert drawn_digits.draw(LABELS[:0], np.random.default_rng(0)).shape == (0, 28, 28)
