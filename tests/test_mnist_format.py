"""Ink is brought into MNIST's format as MNIST's own was: aspect ratio kept, centred by mass, nothing added or lost."""

import cv2
import numpy as np
import pytest

from digits.data import dataset
from digits.data.mnist_format import centre_by_mass, size_normalise


def crop_to_ink(image):
    """Return the image cropped to its ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def centre_of_mass(image):
    """Return (y, x), in pixels from 0."""
    image = image.astype(float)
    return np.array([image.sum(axis=1) @ np.arange(len(image)), image.sum(axis=0) @ np.arange(image.shape[1])]) / image.sum()


@pytest.fixture(scope="module")
def training_images(mnist_folder):
    return dataset.load(mnist_folder, parts=("train",)).x_train[:5000]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((40, 20), (20, 10)),
        ((20, 40), (10, 20)),
        ((300, 100), (20, 7)),
        ((20, 20), (20, 20)),
        ((5, 4), (20, 16)),
        ((1, 1), (20, 20)),
        ((1000, 3), (20, 1)),  # a stroke so thin that its shorter side would round to nothing
        ((3, 1000), (1, 20)),
    ],
)
def test_the_longer_side_becomes_20_and_the_aspect_ratio_is_kept(shape, expected):
    normalised = size_normalise(np.full(shape, 255, np.uint8))
    assert normalised.shape == expected
    assert normalised.dtype == np.uint8
    assert normalised.min() == 255, "a full box stays full"


def test_shrinking_averages_the_pixels_that_fall_together():
    # Lines of one pixel, every second one: sampling would give all or nothing, anti-aliasing gives half.
    lines = np.zeros((80, 80), np.uint8)
    lines[:, ::2] = 200
    assert (size_normalise(lines) == 100).all()


def test_enlarging_keeps_a_digit_upright_and_unmirrored():
    corner = np.zeros((8, 8), np.uint8)
    corner[:4, 4:] = 255
    normalised = size_normalise(corner)
    assert normalised[:8, 12:].min() > 200
    assert normalised[:8, :8].max() < 20
    assert normalised[12:].max() < 20
    assert 0 < normalised[4, 9] < normalised[4, 10] < 255, "the edge is a slope, not a stair"


@pytest.mark.parametrize("name", ["disc", "seven", "noise", "speck"])
def test_the_centre_of_mass_comes_within_half_a_pixel_of_14(name):
    ink = np.zeros((20, 16), np.uint8)
    if name == "disc":
        cv2.circle(ink, (5, 6), 4, 255, -1)
    elif name == "seven":
        cv2.polylines(ink, [np.array([[1, 1], [14, 1], [6, 18]])], isClosed=False, color=200, thickness=2)
    elif name == "noise":
        ink[:] = np.random.default_rng(0).integers(0, 256, ink.shape)
    else:
        ink[9, 7] = 1
    placed = centre_by_mass(ink)
    assert placed.shape == (28, 28)
    assert placed.dtype == np.uint8
    assert abs(centre_of_mass(placed) - 14).max() <= 0.5
    assert np.array_equal(crop_to_ink(placed), crop_to_ink(ink)), "ink is moved, not resampled"


@pytest.mark.parametrize("corner", [(0, 0), (0, 19), (19, 0), (19, 19)])
def test_ink_that_would_leave_the_frame_is_held_inside(corner):
    ink = np.zeros((20, 20), np.uint8)  # nearly all the mass in one corner, a trace in the opposite one
    ink[19 - corner[0], 19 - corner[1]] = 1
    ink[corner] = 255
    placed = centre_by_mass(ink)
    assert placed.sum() == ink.sum()
    assert np.array_equal(crop_to_ink(placed), ink)


def test_an_image_without_ink_gives_a_black_frame():
    placed = centre_by_mass(np.zeros((20, 12), np.uint8))
    assert placed.shape == (28, 28)
    assert not placed.any()


def test_mnists_own_images_are_placed_where_they_were(training_images):
    same = sum(np.array_equal(centre_by_mass(crop_to_ink(image)), image) for image in training_images)
    assert same / len(training_images) >= 0.999  # 59,998 of the 60,000 when written


def test_real_ink_is_size_normalised_and_centred_without_loss(training_images):
    for image in training_images[:500]:
        ink = size_normalise(np.kron(crop_to_ink(image), np.ones((3, 3), np.uint8)))  # three times as large, as from a photograph
        placed = centre_by_mass(ink)
        assert max(crop_to_ink(placed).shape) == 20
        assert placed.sum() == ink.sum()
        assert abs(centre_of_mass(placed) - 14).max() <= 0.5
