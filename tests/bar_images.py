"""Images of a bar, in any colours, size and format, and a check that a loaded image shows it."""

import io

import numpy as np
from PIL import Image, ImageDraw


def drawing(mode="RGB", paper=(255, 255, 255), ink=(0, 0, 0), size=(160, 240)):
    """An image with a bar across its upper part, so that one sees which way is up."""
    drawn = Image.new(mode, size, paper)
    ImageDraw.Draw(drawn).rectangle((size[0] // 4, size[1] // 8, size[0] // 2, size[1] // 4), fill=ink)
    return drawn


def encoded(original, format, **options):
    """A Pillow image as a file in memory."""
    file = io.BytesIO()
    original.save(file, format, **options)
    return file


def assert_shows_the_bar(loaded, dark=True, tolerance=12):
    """The pixels are those of drawing(), whatever came between; dark: black on white, else white on black."""
    expected = np.asarray(drawing().resize(loaded.pixels.shape[1::-1])).astype(int)
    assert loaded.pixels.dtype == np.uint8 and loaded.pixels.shape == expected.shape
    difference = np.abs(loaded.pixels - (expected if dark else 255 - expected))
    assert np.percentile(difference, 98) <= tolerance, "beyond the bar's soft edge"
