"""What an epoch learns from, and how it is cut into batches."""

import dataclasses

import numpy as np
import pytest

from digits.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    preset="default", epochs=7, batch_size=100, validation_split=0.1, learning_rate=0.01, conv1_filters=4, conv2_filters=4,
    dense_units=0, dropout_rate=0.0, augment=False, seed=1,
)  # fmt: skip
AUGMENTED = dataclasses.replace(SETTINGS, augment=True)


def numbered_images(count):
    """Images whose first pixel tells their number, and labels that go with it."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = range(count)
    return images, (np.arange(count) % 10).astype(np.uint8)


def whole_epoch(images, labels, settings, epoch):
    """All that an epoch learns from, in one piece."""
    from digits.training.batches import augmented_epoch

    return tuple(map(np.concatenate, zip(*augmented_epoch(images, labels, settings, epoch), strict=True)))


@pytest.fixture(scope="module")
def digits():
    """600 of the bundled digits: more than are augmented in one call."""
    from digits.data.dataset import bundled_digits

    data = bundled_digits()
    return data.x_train[:600], data.y_train[:600]


def test_every_image_is_seen_once_an_epoch_in_another_order():
    orders = []
    for epoch in range(2):
        images, labels = whole_epoch(*numbered_images(200), SETTINGS, epoch)
        orders.append(images[:, 0, 0])
        assert sorted(orders[-1]) == list(range(200))
        assert np.array_equal(labels, orders[-1] % 10), "an image lost its label"
    assert not np.array_equal(*orders)


def test_outliers_are_added_and_mixed_in(digits):
    images, labels = whole_epoch(*digits, AUGMENTED, 0)
    is_outlier = labels == 10
    assert is_outlier.sum() == 60 and len(images) == 660
    assert is_outlier[:330].any() and is_outlier[330:].any(), "not mixed"
    assert np.array_equal(np.bincount(labels[~is_outlier]), np.bincount(digits[1]))


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.1), (6, 0.04)], ids=["first phase", "second phase"])
def test_some_digits_are_drawn_ones_of_the_same_label(epoch, share, monkeypatch):
    from digits.augmentation import augment
    from digits.training import batches

    monkeypatch.setattr(augment, "augment", lambda images, labels, rng, probability_scale: images)
    monkeypatch.setattr(batches, "OUTLIERS_PER_DIGIT", 0.0)
    given = np.zeros((3000, 28, 28), np.uint8), (np.arange(3000) % 10).astype(np.uint8)
    images, labels = whole_epoch(*given, AUGMENTED, epoch)
    is_drawn = images.any(axis=(1, 2))
    assert is_drawn.mean() == pytest.approx(share, abs=0.02)
    assert np.array_equal(np.bincount(labels), np.bincount(given[1]))
    assert not given[0].any(), "the given images were changed"


def test_an_epoch_is_a_function_of_seed_and_number(digits):
    first, again = (whole_epoch(*digits, AUGMENTED, 3)[0] for _ in range(2))
    other_seed = whole_epoch(*digits, dataclasses.replace(AUGMENTED, seed=2), 3)[0]
    other_epoch = whole_epoch(*digits, AUGMENTED, 2)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_seed) and not np.array_equal(first, other_epoch)


def test_the_second_phase_is_augmented_more_mildly(digits, monkeypatch):
    from digits.training import batches

    scales = []
    monkeypatch.setattr(batches.augment, "augment", lambda images, labels, rng, scale: scales.append(scale) or images)
    for epoch in range(AUGMENTED.epochs):
        next(batches.augmented_epoch(*digits, AUGMENTED, epoch))
    assert scales == [1.0] * 5 + [0.4] * 2


@pytest.mark.parametrize("sizes", [[500, 500, 320], [500], [3], [100, 1]])
def test_batches_hold_all_in_order_and_are_full_but_the_last(sizes):
    from digits.training.batches import batched

    ends = np.cumsum(sizes)
    chunks = ((np.arange(end - size, end), np.arange(end - size, end) % 10) for size, end in zip(sizes, ends, strict=True))
    images, labels = zip(*batched(chunks, 100), strict=True)
    assert np.array_equal(np.concatenate(images), np.arange(ends[-1]))
    assert np.array_equal(np.concatenate(labels), np.arange(ends[-1]) % 10)
    assert {len(batch) for batch in images[:-1]} <= {100} and 0 < len(images[-1]) <= 100
