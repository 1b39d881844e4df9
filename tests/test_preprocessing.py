"""The same digit is found whatever it is written on, and lands in MNIST's form."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits import preprocessing
from digits.picture import open_picture


def draw_seven(size=(200, 200), paper=255, ink=0, width=14, mode="L", corner=(60, 40)):
    """A picture with a 7 of 80 x 120 pixels."""
    image = Image.new(mode, size, paper)
    x, y = corner
    ImageDraw.Draw(image).line([(x, y), (x + 80, y), (x + 30, y + 120)], fill=ink, width=width, joint="curve")
    return image


def crops_of(image):
    return preprocessing.prepare(open_picture(image)).crops


def similarity(crop, other):
    """The correlation of two crops, 1 for the same shape."""
    return np.corrcoef(crop.ravel(), other.ravel())[0, 1]


def test_a_crop_is_in_mnists_form():
    (crop,) = crops_of(draw_seven())
    assert crop.shape == (28, 28) and crop.dtype == np.uint8
    rows, columns = np.flatnonzero(crop.max(axis=1)), np.flatnonzero(crop.max(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert crop.max() == 255
    weights = crop / crop.sum()
    assert abs((weights.sum(axis=1) * np.arange(28)).sum() - 14) <= 0.5
    assert abs((weights.sum(axis=0) * np.arange(28)).sum() - 14) <= 0.5


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(draw_seven(paper=0, ink=255), id="white on black"),
        pytest.param(draw_seven(paper=170, ink=90), id="grey on grey"),
        pytest.param(draw_seven(paper=90, ink=170), id="chalk"),
        pytest.param(draw_seven(mode="RGB", paper=(240, 235, 180), ink=(30, 40, 160)), id="blue on yellow"),
        pytest.param(draw_seven(mode="RGBA", paper=(0, 0, 0, 0), ink=(10, 10, 30, 255)), id="dark on nothing"),
        pytest.param(draw_seven(mode="RGBA", paper=(0, 0, 0, 0), ink=(250, 250, 240, 255)), id="light on nothing"),
        pytest.param(draw_seven(mode="1", paper=1, ink=0), id="1 bit"),
        pytest.param(draw_seven(mode="CMYK", paper=(0, 0, 0, 0), ink=(0, 0, 0, 255)), id="CMYK"),
        pytest.param(draw_seven().convert("P"), id="palette"),
        pytest.param(draw_seven().convert("I").point(lambda level: level * 256).convert("I;16"), id="16 bits"),
        pytest.param(draw_seven(size=(900, 500), corner=(700, 20)), id="off centre on a large sheet"),
    ],
)
def test_paper_ink_and_place_do_not_matter(image):
    crops = crops_of(image)
    assert len(crops) == 1
    assert similarity(crops[0], crops_of(draw_seven())[0]) > 0.9


def test_thin_strokes_do_not_fade():
    (crop,) = crops_of(draw_seven(size=(1000, 1000), width=3))
    assert crop.max() == 255
    assert (crop > 127).sum() > 40, "a 7 of 20 pixels needs more than its one-pixel middle line"


def test_thick_strokes_stay_filled():
    (crop,) = crops_of(draw_seven(width=40))
    assert similarity(crop, crops_of(draw_seven())[0]) > 0.6
    paper_regions, _ = cv2.connectedComponents((crop < 100).astype(np.uint8))
    assert paper_regions == 2, "paper inside the stroke: it came out hollow"  # the other label is the ink


def test_boxes_are_in_pixels_of_the_full_picture():
    image = draw_seven(size=(2000, 1600)).resize((4000, 3200))
    prepared = preprocessing.prepare(open_picture(image))
    x, y, width, height = prepared.boxes[0]
    assert (x, y, x + width, y + height) == pytest.approx((106, 66, 294, 334), abs=20)


def test_digits_are_in_reading_order_and_rows():
    image = Image.new("L", (600, 500), 255)
    draw = ImageDraw.Draw(image)
    # Each digit is a bar of its own width, so that the order can be read off the boxes; the rows slope.
    for row, top in enumerate((40, 280)):
        for column in range(4):
            left, y = 40 + 140 * column, top + 12 * column
            draw.rectangle((left, y, left + 10 + 8 * column + 4 * row, y + 120), fill=0)
    prepared = preprocessing.prepare(open_picture(image))
    assert prepared.rows == [0, 0, 0, 0, 1, 1, 1, 1]
    widths = [box[2] for box in prepared.boxes]
    assert widths == sorted(widths[:4]) + sorted(widths[4:])


def test_separate_strokes_of_one_digit_stay_together():
    image = Image.new("L", (200, 240), 255)
    draw = ImageDraw.Draw(image)
    draw.line([(60, 60), (55, 120), (110, 120), (120, 170), (55, 200)], fill=0, width=10)
    draw.line([(75, 40), (135, 36)], fill=0, width=10)  # the 5's bar, written last and not touching
    ((_, top, _, _),) = preprocessing.prepare(open_picture(image)).boxes
    assert top < 45, "the bar was lost"


def test_specks_are_not_digits():
    image = draw_seven()
    clean = preprocessing.prepare(open_picture(image)).boxes
    for place in ((10, 10), (180, 20), (20, 180), (44, 150)):  # the last so near that a stroke would be joined
        ImageDraw.Draw(image).ellipse((*place, place[0] + 4, place[1] + 4), fill=0)
    assert preprocessing.prepare(open_picture(image)).boxes == clean


def test_a_printed_frame_is_not_a_digit():
    image = draw_seven()
    ImageDraw.Draw(image).rectangle((12, 12, 188, 188), outline=60, width=3)
    crops = crops_of(image)
    assert len(crops) == 1
    assert similarity(crops[0], crops_of(draw_seven())[0]) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_and_thin_pictures_do_no_harm(size):
    image = Image.new("L", size, 255)
    image.putpixel((0, 0), 0)
    crops_of(image)
