"""The form in which the number reader's network sees an image: local contrast, whatever the light."""

import numpy as np
import pytest

from digits.model.heat_map import MAX_DEVIATION, NEIGHBOURHOOD_SIZE, normalise


@pytest.fixture(scope="module")
def grey():
    """An image of strokes on noisy paper, (64, 256) float32, 60 to 140."""
    rng = np.random.default_rng(0)
    image = rng.uniform(120, 140, (64, 256)).astype(np.float32)
    image[12:52, ::12] = image[12:52, 1::12] = 60
    return image


def test_a_normalised_image_has_a_mean_near_0_and_a_standard_deviation_near_1(grey):
    normalised = normalise(grey)
    assert normalised.shape == grey.shape and normalised.dtype == np.float32
    assert abs(normalised.mean()) < 0.1 and normalised.std() == pytest.approx(1, abs=0.15)


def test_a_normalised_image_ends_at_4_standard_deviations_both_ways():
    image = np.full((100, 100), 128, np.uint8)
    image[50, 20], image[50, 80] = 0, 255
    normalised = normalise(image)
    assert MAX_DEVIATION == 4 and (normalised[50, 20], normalised[50, 80]) == (-4, 4)
    assert np.abs(normalised).max() == 4


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_constant_image_becomes_0(level):
    assert not normalise(np.full((60, 80), level, np.uint8)).any()


@pytest.mark.parametrize("contrast, brightness", [(1, 100), (1, -50), (0.6, 20), (1.6, 0)])
def test_another_brightness_and_contrast_give_the_same(grey, contrast, brightness):
    difference = np.abs(normalise(grey * contrast + brightness) - normalise(grey))
    assert difference.max() < (0.15 if contrast != 1 else 1e-3)  # MIN_STD takes a little off a weak contrast


def test_light_that_changes_slowly_over_the_image_is_taken_out(grey):
    lit = grey + np.linspace(-40, 40, grey.shape[1], dtype=np.float32)
    inner = slice(NEIGHBOURHOOD_SIZE, -NEIGHBOURHOOD_SIZE)
    assert np.abs(normalise(lit) - normalise(grey))[:, inner].mean() < 0.15


def test_noise_of_a_sensor_on_blank_paper_is_not_stretched_to_full_contrast():
    noise = np.random.default_rng(0).normal(200, 1, (64, 128)).astype(np.float32)
    assert normalise(noise).std() < 0.3


def test_grey_levels_give_the_same_as_whole_numbers_and_as_floats(grey):
    whole = grey.astype(np.uint8)
    assert np.array_equal(normalise(whole), normalise(whole.astype(np.float32)))
