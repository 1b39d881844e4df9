"""An image's ink becomes dark on light, whatever its paper."""

import numpy as np
import pytest

from digits.reading.contrast import dark_on_light


def written(paper, ink, size=(300, 500)):
    """An image with strokes."""
    grey = np.full(size, paper, np.uint8)
    grey[100:200, 100:110] = grey[100:110, 200:260] = grey[150:160, 300:400] = ink
    return grey


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (230, 150), (90, 20)])
def test_dark_ink_stays_dark(paper, ink):
    assert np.array_equal(dark_on_light(written(paper, ink)), written(paper, ink))


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (40, 120), (150, 230)])
def test_light_ink_becomes_dark(paper, ink):
    assert np.array_equal(dark_on_light(written(paper, ink)), 255 - written(paper, ink))


def test_uneven_light_does_not_change_the_polarity():
    shade = np.linspace(0, 60, 500).astype(np.uint8)
    assert np.array_equal(dark_on_light(written(220, 30) - np.minimum(shade, 20)), written(220, 30) - np.minimum(shade, 20))
    assert np.array_equal(dark_on_light(written(30, 180) + shade), 255 - (written(30, 180) + shade))


@pytest.mark.parametrize("size", [(1, 1), (1, 800), (800, 1), (20, 3000), (2, 2)])
def test_images_of_any_size_have_a_polarity(size):
    for level in (0, 128, 255):
        assert dark_on_light(np.full(size, level, np.uint8)).shape == size
