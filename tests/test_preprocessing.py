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


def prepare(picture, quarter_turns=0):
    return preprocessing.prepare(picture, preprocessing.ink_of(picture, quarter_turns), quarter_turns)


def crops_of(image):
    """The crops of the digits as they stand, without those that were cut from one."""
    prepared = prepare(open_picture(image))
    return [crop for crop, candidate in zip(prepared.crops, prepared.candidates, strict=True) if not candidate.cut]


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
    prepared = prepare(open_picture(image))
    x, y, width, height = prepared.boxes[0]
    assert (x, y, x + width, y + height) == pytest.approx((106, 66, 294, 334), abs=20)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_boxes_of_a_turned_picture_are_in_the_picture_as_it_was(quarter_turns):
    picture = open_picture(draw_seven(size=(1600, 1000), corner=(300, 50), width=30))
    (box, crop), (turned_box, turned_crop) = (
        next((box, crop) for crop, box, candidate in zip(*prepare(picture, turns)) if not candidate.cut)
        for turns in (0, quarter_turns)
    )
    assert turned_box == pytest.approx(box, abs=6)
    assert similarity(turned_crop, crop) < 0.6
    assert similarity(np.rot90(turned_crop, -quarter_turns), crop) > 0.65  # moved by a pixel


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_and_thin_pictures_do_no_harm(size):
    image = Image.new("L", size, 255)
    image.putpixel((0, 0), 0)
    crops_of(image)
