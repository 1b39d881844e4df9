"""The digits that windows are composed of: the same ones are held back whatever the training."""

import numpy as np
import pytest

from digits.common.errors import UserError
from digits.data.dataset import Dataset
from digits.training import composing


def numbered(labels):
    """A data set of which each image tells its number in its first four pixels."""
    labels = np.asarray(labels, np.uint8)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images.reshape(len(labels), -1)[:, :4] = np.arange(len(labels), dtype="<u4").view(np.uint8).reshape(-1, 4)
    return Dataset("numbered", images, labels, images[:0], labels[:0])


def numbers_of(split):
    return split.images.reshape(len(split.images), -1)[:, :4].copy().view("<u4")[:, 0]


def test_of_mnist_those_are_held_back_that_the_shipped_weights_never_learned():
    data = numbered(np.arange(60_000) % 10)
    training, validation = composing.split(data)
    order = np.random.default_rng(0).permutation(60_000)
    assert np.array_equal(numbers_of(validation), order[-5000:])
    assert np.array_equal(numbers_of(training), order[:-5000])
    assert np.array_equal(training.labels, data.y_train[order[:-5000]])


@pytest.mark.parametrize(
    ("labels", "message"), [(np.arange(600) % 9, "has no 9 to learn from"), (np.arange(60) % 10, "to validate on")]
)
def test_data_that_lacks_a_digit_in_one_of_the_parts_is_refused(labels, message):
    with pytest.raises(UserError, match=message):
        composing.split(numbered(labels))
