"""Every variant is a digit still: random by the generator alone, changed no further than the settings say."""

import cv2
import numpy as np
import pytest

from digits import augmentation
from digits.augmentation import augment, change_stroke_width, random_coordinates, warp
from digits.dataset import bundled_digits

STRENGTHS = ("STRONG_SHARE", "ROTATION", "SHEAR", "SCALE", "SHIFT", "ELASTIC", "THICKER", "THINNER")


@pytest.fixture(scope="module")
def images():
    images = bundled_digits().x_train[:300]
    images.flags.writeable = False  # whoever writes to it raises
    return images


@pytest.fixture(scope="module")
def labels():
    return bundled_digits().y_train[:300]


def warp_and_pen(images, generator):
    """What augment does to every picture; the rest comes to some."""
    return change_stroke_width(warp(images, generator), generator.uniform(-1, 1, len(images)))


@pytest.fixture
def only(monkeypatch):
    """A function that leaves one kind of change, or several, and switches the others off."""

    def leave(*names):
        for name in STRENGTHS:
            monkeypatch.setattr(augmentation, name, getattr(augmentation, name) if name in names else 0.0)

    return leave


def offsets(count=2000):
    """Return the maps relative to the picture's centre, and the pixels' own places: x, y, own_x, own_y."""
    map_x, map_y = random_coordinates(count, np.random.default_rng(0))
    y, x = np.mgrid[0:28, 0:28] - 13.5
    return map_x - 13.5, map_y - 13.5, x, y


def test_the_same_generator_state_gives_the_same_pictures(images, labels):
    first, again, other = [augment(images, labels, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).all()


def test_a_generator_that_goes_on_gives_new_pictures(images, labels):
    generator = np.random.default_rng(1)
    first, second = augment(images, labels, generator), augment(images, labels, generator)
    assert (first != second).any(axis=(1, 2)).all()


def test_equal_pictures_get_variants_of_their_own(images, labels):
    variants = augment(np.repeat(images[:1], 50, axis=0), np.repeat(labels[:1], 50), np.random.default_rng(1))
    assert len({variant.tobytes() for variant in variants}) == 50


@pytest.mark.parametrize("count", [0, 1, 7])
def test_shape_and_type_are_kept(count, images, labels):
    variants = augment(images[:count], labels[:count], np.random.default_rng(1))
    assert variants.shape == (count, 28, 28)
    assert variants.dtype == np.uint8


def test_the_pictures_themselves_are_not_changed(images, labels):
    before = images.copy()
    augment(images, labels, np.random.default_rng(1))
    change_stroke_width(images, np.linspace(-1, 1, len(images)))
    assert np.array_equal(images, before)


def test_no_picture_loses_its_ink(images):
    generator = np.random.default_rng(1)
    for _ in range(10):
        share = warp_and_pen(images, generator).sum(axis=(1, 2)) / images.sum(axis=(1, 2))
        # Scaling alone gives exp(-0.67) to exp(0.67), 0.51 to 1.96; pens and the frame's edge do the rest.
        assert share.min() > 0.2
        assert share.max() < 4.0
        assert 0.9 < share.mean() < 1.2


def test_the_mean_of_many_variants_is_like_the_picture_that_they_were_made_from(images):
    # Nothing is mirrored, turned over, drawn to one side or handed to a neighbour.
    def unit(pictures):
        vectors = pictures.reshape(len(pictures), -1) - pictures.mean(axis=(1, 2))[:, None]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    generator = np.random.default_rng(0)
    mean = np.mean([warp_and_pen(images[:100], generator) for _ in range(30)], axis=0)
    similarity = unit(mean) @ unit(images[:100]).T
    assert np.diag(similarity).min() > 0.8  # 0.86 when written; mirrored pictures reach 0.73 in the mean
    assert (similarity.argmax(axis=1) == np.arange(100)).mean() > 0.7  # 0.88 when written


def test_without_any_strength_the_pictures_come_back(images, only):
    only()
    assert np.array_equal(warp_and_pen(images, np.random.default_rng(1)), images)


def test_shifts_reach_their_bound_and_no_further(only):
    only("SHIFT")
    map_x, map_y, x, y = offsets()
    for shift in (map_x - x, map_y - y):
        assert np.ptp(shift, axis=(1, 2)).max() < 1e-4, "every pixel moves alike"
        assert -1.5 <= shift.min() < -1.4
        assert 1.4 < shift.max() <= 1.5
    assert abs(np.corrcoef((map_x - x)[:, 0, 0], (map_y - y)[:, 0, 0])[0, 1]) < 0.1, "across and down are independent"


def test_ink_that_leaves_the_frame_does_not_come_back_on_the_other_side(only):
    only("SHIFT")
    edge = np.zeros((200, 28, 28), np.uint8)
    edge[:, :, 26:] = 255
    variants = warp_and_pen(edge, np.random.default_rng(1))
    assert variants[:, :, 24:].any(axis=(1, 2)).all()
    assert not variants[:, :, :20].any()


def test_a_moved_picture_stays_nearly_as_sharp(images, only):
    def sharpness(pictures):
        return sum((np.diff(pictures.astype(float), axis=axis) ** 2).sum() for axis in (1, 2))

    only("SHIFT")
    assert sharpness(warp_and_pen(images, np.random.default_rng(1))) > 0.85 * sharpness(images)  # 0.90; bilinear: 0.78


def test_rotations_reach_their_bound_and_no_further(only):
    only("ROTATION")
    map_x, map_y, x, y = offsets()
    assert np.allclose(np.hypot(map_x, map_y), np.hypot(x, y), atol=1e-4), "distances from the centre stay"
    angle = np.rad2deg(np.angle((map_x + 1j * map_y) / (x + 1j * y)))
    assert np.ptp(angle, axis=(1, 2)).max() < 1e-3
    assert -10.001 < angle.min() < -9.5
    assert 9.5 < angle.max() < 10.001


def test_scales_reach_their_bound_and_width_and_height_differ(only):
    only("SCALE")
    map_x, map_y, x, y = offsets()
    scales = np.log([(map_x / x)[:, 0, 0], (map_y / y)[:, 0, 0]])
    assert np.allclose(map_x, np.exp(scales[0])[:, None, None] * x, atol=1e-4)
    assert np.allclose(map_y, np.exp(scales[1])[:, None, None] * y, atol=1e-4)
    assert -0.1201 < scales.min() < -0.115
    assert 0.115 < scales.max() < 0.1201
    assert abs(np.corrcoef(scales)[0, 1]) < 0.1


def test_slants_move_rows_sideways_and_leave_them_level(only):
    only("SHEAR")
    map_x, map_y, x, y = offsets()
    assert np.abs(map_y - y).max() < 1e-4
    slant = (map_x - x) / y
    assert np.ptp(slant, axis=(1, 2)).max() < 1e-4
    assert -0.1501 < slant.min() < -0.145
    assert 0.145 < slant.max() < 0.1501


def test_elastic_displacements_have_the_stated_deviation(only):
    only("ELASTIC")
    map_x, map_y, x, y = offsets()
    assert abs((map_x - x).std() - 0.7) < 0.02
    assert abs((map_y - y).std() - 0.7) < 0.02
    assert abs(np.corrcoef((map_x - x)[:, 14, 14], (map_y - y)[:, 14, 14])[0, 1]) < 0.1, "across and down are independent"


def test_a_stroke_becomes_thicker_or_thinner_by_the_stated_share(images):
    ones = np.ones(len(images))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    dilated, eroded = [np.stack([change(image, cross) for image in images]) + 0.0 for change in (cv2.dilate, cv2.erode)]
    assert abs(change_stroke_width(images, ones) - (0.5 * images + 0.5 * dilated)).max() < 0.51
    assert abs(change_stroke_width(images, -ones) - (0.7 * images + 0.3 * eroded)).max() < 0.51
    assert np.array_equal(change_stroke_width(images, 0 * ones), images)
    mixed = change_stroke_width(images, np.where(np.arange(len(images)) % 2, 1, -1))
    assert np.array_equal(mixed[1::2], change_stroke_width(images, ones)[1::2]), "each picture has its own change"
    assert np.array_equal(mixed[::2], change_stroke_width(images, -ones)[::2])


def test_more_change_is_more_ink(images):
    change = np.array([-1, -0.5, 0, 0.5, 1])
    ink = change_stroke_width(np.repeat(images[:1], 5, axis=0), change).sum(axis=(1, 2))
    assert (np.diff(ink.astype(int)) > 0).all()


def test_pens_alone_make_strokes_both_thicker_and_thinner(images, only):
    only("THICKER", "THINNER")
    change = warp_and_pen(images, np.random.default_rng(1)).astype(int) - images
    thicker, thinner = (change >= 0).all(axis=(1, 2)), (change <= 0).all(axis=(1, 2))
    assert (thicker | thinner).all()
    assert 0.35 < thicker.mean() < 0.65


def test_strong_maps_reach_farther(only):
    only("STRONG_SHARE", "SHIFT")
    map_x, _, x, _ = offsets()
    shift = np.abs((map_x - x)[:, 0, 0])
    assert 4 < shift.max() <= 4.2
    assert 0.09 < (shift > 1.5).mean() < 0.17, "a fifth of the pictures moves up to 2.8 times as far"


def test_what_is_no_digit_is_not_rewritten_and_digits_are(images, labels, only, monkeypatch):
    only()
    monkeypatch.setattr(augmentation, "disturb", lambda pictures, generator, probability_scale: pictures)
    assert np.array_equal(augment(images, np.full(len(images), 10), np.random.default_rng(1)), images)
    changed = (augment(images, labels, np.random.default_rng(1)) != images).any(axis=(1, 2))
    assert set(labels[changed]) == {1, 4, 7, 9}
