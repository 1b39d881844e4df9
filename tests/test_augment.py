"""Augmentation is reproducible, stays within its constants, and keeps each image the digit that it is."""

import cv2
import numpy as np
import pytest

from digits.augmentation import augment as augmentation
from digits.augmentation.augment import augment, change_stroke_width, random_sampling_grid, warp
from digits.augmentation.outliers import OUTLIER_LABEL
from digits.data.dataset import bundled_digits

STRENGTHS = (
    "STRONG_PROBABILITY", "MAX_ROTATION", "MAX_SHEAR", "MAX_LOG_SCALE", "MAX_SHIFT", "ELASTIC_STD", "MAX_DILATION", "MAX_EROSION",
)  # fmt: skip


@pytest.fixture(scope="module")
def images():
    images = bundled_digits().x_train[:300]
    images.flags.writeable = False  # so that writing to it raises
    return images


@pytest.fixture(scope="module")
def labels():
    return bundled_digits().y_train[:300]


def warp_and_change_strokes(images, generator):
    """Return what augment does to every image; the other changes are made to some."""
    return change_stroke_width(warp(images, generator), generator.uniform(-1, 1, len(images)))


@pytest.fixture
def only(monkeypatch):
    """A function that leaves the named kinds of change and sets the strength of the others to 0."""

    def leave(*names):
        for name in STRENGTHS:
            monkeypatch.setattr(augmentation, name, getattr(augmentation, name) if name in names else 0.0)

    return leave


def offsets(count=2000):
    """Return the sampling grid and the pixels' own coordinates, relative to the image's centre: map_x, map_y, x, y."""
    map_x, map_y = random_sampling_grid(count, np.random.default_rng(0))
    y, x = np.mgrid[0:28, 0:28] - 13.5
    return map_x - 13.5, map_y - 13.5, x, y


def test_the_same_generator_state_gives_the_same_variants(images, labels):
    first, again, other = [augment(images, labels, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).all()


def test_the_next_generator_state_gives_other_variants(images, labels):
    generator = np.random.default_rng(1)
    first, second = augment(images, labels, generator), augment(images, labels, generator)
    assert (first != second).any(axis=(1, 2)).all()


def test_equal_images_get_different_variants(images, labels):
    variants = augment(np.repeat(images[:1], 50, axis=0), np.repeat(labels[:1], 50), np.random.default_rng(1))
    assert len({variant.tobytes() for variant in variants}) == 50


@pytest.mark.parametrize("count", [0, 1, 7])
def test_shape_and_type_are_kept(count, images, labels):
    variants = augment(images[:count], labels[:count], np.random.default_rng(1))
    assert variants.shape == (count, 28, 28)
    assert variants.dtype == np.uint8


def test_the_given_images_are_not_changed(images, labels):
    before = images.copy()
    augment(images, labels, np.random.default_rng(1))
    change_stroke_width(images, np.linspace(-1, 1, len(images)))
    assert np.array_equal(images, before)


def test_no_image_loses_its_ink(images):
    generator = np.random.default_rng(1)
    for _ in range(10):
        share = warp_and_change_strokes(images, generator).sum(axis=(1, 2)) / images.sum(axis=(1, 2))
        # Scaling alone gives exp(-0.67) to exp(0.67), 0.51 to 1.96; pens and the frame's edge do the rest.
        assert share.min() > 0.2
        assert share.max() < 4.0
        assert 0.9 < share.mean() < 1.2


def test_the_mean_of_many_variants_is_most_similar_to_its_own_image(images):
    # So nothing is mirrored, turned upside down, moved to one side or swapped between images.
    def unit(arrays):
        vectors = arrays.reshape(len(arrays), -1) - arrays.mean(axis=(1, 2))[:, None]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    generator = np.random.default_rng(0)
    mean = np.mean([warp_and_change_strokes(images[:100], generator) for _ in range(30)], axis=0)
    similarity = unit(mean) @ unit(images[:100]).T
    assert np.diag(similarity).min() > 0.8  # 0.86 when written; mirrored images reach 0.73 in the mean
    assert (similarity.argmax(axis=1) == np.arange(100)).mean() > 0.7  # 0.88 when written


def test_with_all_strengths_zero_the_images_are_not_changed(images, only):
    only()
    assert np.array_equal(warp_and_change_strokes(images, np.random.default_rng(1)), images)


def test_shifts_reach_their_maximum_and_no_further(only):
    only("MAX_SHIFT")
    map_x, map_y, x, y = offsets()
    for shift in (map_x - x, map_y - y):
        assert np.ptp(shift, axis=(1, 2)).max() < 1e-4, "pixels of an image move differently"
        assert -1.5 <= shift.min() < -1.4
        assert 1.4 < shift.max() <= 1.5
    assert abs(np.corrcoef((map_x - x)[:, 0, 0], (map_y - y)[:, 0, 0])[0, 1]) < 0.1, "x and y are correlated"


def test_ink_that_leaves_the_frame_does_not_reappear_on_the_other_side(only):
    only("MAX_SHIFT")
    edge = np.zeros((200, 28, 28), np.uint8)
    edge[:, :, 26:] = 255
    variants = warp_and_change_strokes(edge, np.random.default_rng(1))
    assert variants[:, :, 24:].any(axis=(1, 2)).all()
    assert not variants[:, :, :20].any()


def test_a_shifted_image_stays_nearly_as_sharp(images, only):
    def sharpness(arrays):
        return sum((np.diff(arrays.astype(float), axis=axis) ** 2).sum() for axis in (1, 2))

    only("MAX_SHIFT")
    assert sharpness(warp_and_change_strokes(images, np.random.default_rng(1))) > 0.85 * sharpness(images)  # 0.90; bilinear: 0.78


def test_rotations_reach_their_maximum_and_no_further(only):
    only("MAX_ROTATION")
    map_x, map_y, x, y = offsets()
    assert np.allclose(np.hypot(map_x, map_y), np.hypot(x, y), atol=1e-4), "distances from the centre change"
    angle = np.rad2deg(np.angle((map_x + 1j * map_y) / (x + 1j * y)))
    assert np.ptp(angle, axis=(1, 2)).max() < 1e-3
    assert -10.001 < angle.min() < -9.5
    assert 9.5 < angle.max() < 10.001


def test_scales_reach_their_maximum_and_differ_in_width_and_height(only):
    only("MAX_LOG_SCALE")
    map_x, map_y, x, y = offsets()
    scales = np.log([(map_x / x)[:, 0, 0], (map_y / y)[:, 0, 0]])
    assert np.allclose(map_x, np.exp(scales[0])[:, None, None] * x, atol=1e-4)
    assert np.allclose(map_y, np.exp(scales[1])[:, None, None] * y, atol=1e-4)
    assert -0.1201 < scales.min() < -0.115
    assert 0.115 < scales.max() < 0.1201
    assert abs(np.corrcoef(scales)[0, 1]) < 0.1


def test_shear_moves_rows_sideways_and_not_up_or_down(only):
    only("MAX_SHEAR")
    map_x, map_y, x, y = offsets()
    assert np.abs(map_y - y).max() < 1e-4
    slant = (map_x - x) / y
    assert np.ptp(slant, axis=(1, 2)).max() < 1e-4
    assert -0.1501 < slant.min() < -0.145
    assert 0.145 < slant.max() < 0.1501


def test_elastic_displacements_have_the_stated_standard_deviation(only):
    only("ELASTIC_STD")
    map_x, map_y, x, y = offsets()
    assert abs((map_x - x).std() - 0.7) < 0.02
    assert abs((map_y - y).std() - 0.7) < 0.02
    assert abs(np.corrcoef((map_x - x)[:, 14, 14], (map_y - y)[:, 14, 14])[0, 1]) < 0.1, "x and y are correlated"


def test_strokes_become_thicker_or_thinner_by_the_stated_weight(images):
    ones = np.ones(len(images))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    dilated, eroded = [np.stack([change(image, cross) for image in images]) + 0.0 for change in (cv2.dilate, cv2.erode)]
    assert abs(change_stroke_width(images, ones) - (0.5 * images + 0.5 * dilated)).max() < 0.51
    assert abs(change_stroke_width(images, -ones) - (0.7 * images + 0.3 * eroded)).max() < 0.51
    assert np.array_equal(change_stroke_width(images, 0 * ones), images)
    mixed = change_stroke_width(images, np.where(np.arange(len(images)) % 2, 1, -1))
    assert np.array_equal(mixed[1::2], change_stroke_width(images, ones)[1::2]), "each image has its own change"
    assert np.array_equal(mixed[::2], change_stroke_width(images, -ones)[::2])


def test_a_larger_change_gives_more_ink(images):
    change = np.array([-1, -0.5, 0, 0.5, 1])
    ink = change_stroke_width(np.repeat(images[:1], 5, axis=0), change).sum(axis=(1, 2))
    assert (np.diff(ink.astype(int)) > 0).all()


def test_about_half_of_the_strokes_become_thicker_and_half_thinner(images, only):
    only("MAX_DILATION", "MAX_EROSION")
    change = warp_and_change_strokes(images, np.random.default_rng(1)).astype(int) - images
    thicker, thinner = (change >= 0).all(axis=(1, 2)), (change <= 0).all(axis=(1, 2))
    assert (thicker | thinner).all()
    assert 0.35 < thicker.mean() < 0.65


def test_strong_warps_reach_farther(only):
    only("STRONG_PROBABILITY", "MAX_SHIFT")
    map_x, _, x, _ = offsets()
    shift = np.abs((map_x - x)[:, 0, 0])
    assert 4 < shift.max() <= 4.2
    assert 0.09 < (shift > 1.5).mean() < 0.17, "a fifth of the images moves up to 2.8 times as far"


def test_letterforms_of_digits_change_and_outliers_stay(images, labels, only, monkeypatch):
    only()
    monkeypatch.setattr(augmentation, "corrupt", lambda images, generator, probability_scale: images)
    assert np.array_equal(augment(images, np.full(len(images), OUTLIER_LABEL), np.random.default_rng(1)), images)
    changed = (augment(images, labels, np.random.default_rng(1)) != images).any(axis=(1, 2))
    assert set(labels[changed]) == {1, 4, 7, 9}
