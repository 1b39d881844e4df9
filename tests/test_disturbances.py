"""Each disturbance does what it says, to as many pictures as it says, and the digit stays readable."""

import cv2
import numpy as np
import pytest

from digits import disturbances
from digits.dataset import bundled_digits
from digits.disturbances import DISTURBANCES, disturb, smooth_fields


@pytest.fixture(scope="module")
def images():
    images = bundled_digits().x_train[:400]
    images.flags.writeable = False
    return images


def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda disturbance: disturbance.__name__)
def test_pictures_are_disturbed_and_still_related_to_what_they_were(disturbance, images):
    disturbed = disturbance(images, rng())
    assert disturbed.shape == images.shape and disturbed.dtype == np.uint8
    assert (disturbed != images).any(axis=(1, 2)).mean() > 0.9
    assert np.array_equal(disturbed, disturbance(images, rng())), "the generator alone decides"
    related = [abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(images, disturbed)]
    assert np.median(related) > 0.4


def test_about_half_of_the_pictures_stay_as_they_are(images):
    many = np.concatenate([images] * 5)
    untouched = (disturb(many, rng()) == many).all(axis=(1, 2)).mean()
    assert untouched == pytest.approx(np.prod([1 - share for share in DISTURBANCES.values()]), abs=0.04)
    assert 0.4 < untouched < 0.6


def test_without_pictures_nothing_happens():
    assert disturb(np.zeros((0, 28, 28), np.uint8), rng()).shape == (0, 28, 28)


def test_a_pencil_only_takes_ink_away(images):
    pencilled = disturbances.pencil(images, rng())
    assert (pencilled <= images).all()
    assert 0.3 < pencilled.sum() / images.sum() < 0.9


def test_blur_keeps_the_ink_and_takes_the_edges(images):
    blurred = disturbances.blur(images, rng()).astype(float)
    assert blurred.sum() == pytest.approx(images.sum(), rel=0.05)
    assert np.abs(np.diff(blurred)).sum() < 0.9 * np.abs(np.diff(images.astype(float))).sum()


def test_a_background_is_lighter_than_black_and_darker_than_the_ink(images):
    pictures = disturbances.background(images, rng()).astype(float)
    paper = np.array([picture[image == 0].mean() for picture, image in zip(pictures, images)])
    ink = np.array([picture[image > 200].mean() for picture, image in zip(pictures, images)])
    assert paper.min() > 5 and 60 < paper.mean() < 120
    assert (ink > paper + 20).mean() > 0.95


def test_stray_lines_and_neighbours_only_add_ink(images):
    for disturbance in (disturbances.stray_lines, disturbances.neighbours):
        assert (disturbance(images, rng()) >= images).all()


def test_a_neighbour_leaves_the_middle_alone_and_comes_from_both_sides(images):
    added = disturbances.neighbours(images, rng()) != images
    assert not added[:, :, 14].any()
    assert added[:, :, :10].any(axis=(1, 2)).mean() > 0.3
    assert added[:, :, 18:].any(axis=(1, 2)).mean() > 0.3


def test_a_band_is_negative_or_stripes(images):
    banded = disturbances.band(images, rng())
    negative = (banded == 255 - images) & (images < 100)
    assert 0.3 < (negative.sum(axis=(1, 2)) > 40).mean() < 0.8


def test_noise_is_grain_or_too_few_photons_or_impulses(images):
    noisy = disturbances.noise(images, rng())
    changed = noisy != images
    impulses = np.array([np.isin(picture[where], (0, 255)).all() for picture, where in zip(noisy, changed)])
    shot = np.array([not where[image == 0].any() for where, image in zip(changed, images)]) & ~impulses
    for kind in (impulses, shot, ~impulses & ~shot):
        assert 0.25 < kind.mean() < 0.45, "a third each"


def test_frosted_glass_moves_ink_by_two_pixels_at_most_and_keeps_most_of_it(images):
    scattered = disturbances.scatter(images, rng())
    near = np.stack([cv2.dilate(image, np.ones((7, 7), np.uint8)) for image in images])
    assert not scattered[near == 0].any()
    assert float(scattered.sum()) == pytest.approx(float(images.sum()), rel=0.05)


def test_blots_add_ink_and_water_takes_it_away(images):
    change = disturbances.blots(images, rng()).astype(int) - images
    assert (change > 100).any(axis=(1, 2)).mean() > 0.9
    assert (change < -100).any(axis=(1, 2)).mean() > 0.8


def test_smooth_fields_are_smooth_and_alike_everywhere():
    fields = smooth_fields((5000,), np.random.default_rng(0))
    assert fields.shape == (5000, 28, 28)
    assert abs(fields.mean()) < 0.02
    assert abs(fields.std(axis=0) - 1).max() < 0.06  # 1 / sqrt(2 * 5000) is 0.01
    steps = np.diff(fields, axis=2)
    assert steps.std() < 0.3, "neighbouring pixels move nearly together"
    assert np.corrcoef(fields[:, 0, 0], fields[:, 27, 27])[0, 1] < 0.1, "far ones do not"
