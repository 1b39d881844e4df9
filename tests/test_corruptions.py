"""Each corruption changes the images as documented, with its probability, and keeps them similar to what they were."""

import cv2
import numpy as np
import pytest

from digits.augmentation import corruptions
from digits.augmentation.corruptions import CORRUPTION_PROBABILITIES, corrupt, smooth_fields
from digits.data.dataset import bundled_digits


@pytest.fixture(scope="module")
def images():
    images = bundled_digits().x_train[:400]
    images.flags.writeable = False
    return images


def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("corruption", CORRUPTION_PROBABILITIES, ids=lambda corruption: corruption.__name__)
def test_corrupted_images_differ_from_the_originals_and_correlate_with_them(corruption, images):
    corrupted = corruption(images, rng())
    assert corrupted.shape == images.shape and corrupted.dtype == np.uint8
    assert (corrupted != images).any(axis=(1, 2)).mean() > 0.9
    assert np.array_equal(corrupted, corruption(images, rng())), "the result depends on more than the generator"
    if corruption is corruptions.outline:  # where the ink was, there is none now
        return
    correlations = [abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(images, corrupted, strict=True)]
    assert np.median(correlations) > 0.4


def test_about_half_of_the_images_are_not_corrupted(images):
    many = np.concatenate([images] * 5)
    untouched = (corrupt(many, rng()) == many).all(axis=(1, 2)).mean()
    assert untouched == pytest.approx(np.prod([1 - probability for probability in CORRUPTION_PROBABILITIES.values()]), abs=0.04)
    assert 0.4 < untouched < 0.6


def test_an_empty_array_of_images_gives_an_empty_array():
    assert corrupt(np.zeros((0, 28, 28), np.uint8), rng()).shape == (0, 28, 28)


def test_pencil_only_removes_ink(images):
    pencilled = corruptions.pencil(images, rng())
    assert (pencilled <= images).all()
    assert 0.3 < pencilled.sum() / images.sum() < 0.9


def test_blur_keeps_the_ink_and_softens_the_edges(images):
    blurred = corruptions.blur(images, rng()).astype(float)
    assert blurred.sum() == pytest.approx(images.sum(), rel=0.05)
    assert np.abs(np.diff(blurred)).sum() < 0.9 * np.abs(np.diff(images.astype(float))).sum()


def test_background_is_lighter_than_black_and_darker_than_the_ink(images):
    corrupted = corruptions.background(images, rng()).astype(float)
    paper = np.array([result[image == 0].mean() for result, image in zip(corrupted, images, strict=True)])
    ink = np.array([result[image > 200].mean() for result, image in zip(corrupted, images, strict=True)])
    assert paper.min() > 5 and 60 < paper.mean() < 120
    assert (ink > paper + 20).mean() > 0.95


def test_stray_lines_and_neighbours_only_add_ink(images):
    for corruption in (corruptions.stray_lines, corruptions.neighbours):
        assert (corruption(images, rng()) >= images).all()


def test_neighbours_appear_on_both_sides_and_not_in_the_middle(images):
    added = corruptions.neighbours(images, rng()) != images
    assert not added[:, :, 14].any()
    assert added[:, :, :10].any(axis=(1, 2)).mean() > 0.3
    assert added[:, :, 18:].any(axis=(1, 2)).mean() > 0.3


def test_band_or_stripes_inverts_a_band_in_about_half_of_the_images(images):
    banded = corruptions.band_or_stripes(images, rng())
    negative = (banded == 255 - images) & (images < 100)
    assert 0.3 < (negative.sum(axis=(1, 2)) > 40).mean() < 0.8


def test_noise_is_gaussian_shot_or_impulse_noise(images):
    noisy = corruptions.noise(images, rng())
    changed = noisy != images
    impulses = np.array([np.isin(noisy_image[where], (0, 255)).all() for noisy_image, where in zip(noisy, changed, strict=True)])
    shot = np.array([not where[image == 0].any() for where, image in zip(changed, images, strict=True)]) & ~impulses
    for kind in (impulses, shot, ~impulses & ~shot):
        assert 0.25 < kind.mean() < 0.45, "a third each"


def test_glass_blur_moves_ink_by_two_pixels_at_most_and_keeps_its_amount(images):
    scattered = corruptions.glass_blur(images, rng())
    near = np.stack([cv2.dilate(image, np.ones((7, 7), np.uint8)) for image in images])
    assert not scattered[near == 0].any()
    assert float(scattered.sum()) == pytest.approx(float(images.sum()), rel=0.05)


def test_blots_add_and_remove_ink(images):
    change = corruptions.blots(images, rng()).astype(int) - images
    assert (change > 100).any(axis=(1, 2)).mean() > 0.9
    assert (change < -100).any(axis=(1, 2)).mean() > 0.8


def test_an_outline_leaves_the_inside_empty_and_is_in_the_form_of_mnist():
    square = np.zeros((28, 28), np.uint8)
    square[6:22, 6:22] = 255
    for outlined in corruptions.outline(np.stack([square] * 20), rng()):
        assert outlined[12:16, 12:16].max() == 0
        assert (outlined[14] > 60).sum() >= 2, "no upright sides"
        rows, columns = np.nonzero(outlined)
        assert np.ptp(rows) == np.ptp(columns) == 19
    assert not corruptions.outline(np.zeros((3, 28, 28), np.uint8), rng()).any(), "of nothing"


def test_smooth_fields_are_smooth_and_have_unit_variance_everywhere():
    fields = smooth_fields((5000,), np.random.default_rng(0))
    assert fields.shape == (5000, 28, 28)
    assert abs(fields.mean()) < 0.02
    assert abs(fields.std(axis=0) - 1).max() < 0.06  # 1 / sqrt(2 * 5000) is 0.01
    steps = np.diff(fields, axis=2)
    assert steps.std() < 0.3, "neighbouring pixels differ much"
    assert np.corrcoef(fields[:, 0, 0], fields[:, 27, 27])[0, 1] < 0.1, "distant pixels are correlated"
