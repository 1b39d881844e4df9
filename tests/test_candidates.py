"""The same digit is found whatever it is written on, and its box is where it stands in the full image."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.reading.candidates import find_candidates
from digits.reading.image import load_image


def draw_seven(size=(200, 200), paper=255, ink=0, width=14, mode="L", corner=(60, 40)):
    """An image with a 7 of 80 x 120 pixels."""
    image = Image.new(mode, size, paper)
    x, y = corner
    ImageDraw.Draw(image).line([(x, y), (x + 80, y), (x + 30, y + 120)], fill=ink, width=width, joint="curve")
    return image


def candidates_in(image, quarter_turns=0):
    return find_candidates(load_image(image), quarter_turns)


def similarity(crop, other):
    """The correlation of two crops, 1 for the same shape."""
    return np.corrcoef(crop.ravel(), other.ravel())[0, 1]


def test_a_candidate_has_a_crop_a_box_and_a_row():
    (candidate,) = candidates_in(draw_seven())
    assert candidate.crop.shape == (28, 28) and candidate.crop.dtype == np.uint8
    assert candidate.crop.max() == 255
    assert all(type(value) is int for value in candidate.box)
    assert candidate.row == 0


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
    candidates = candidates_in(image)
    assert len(candidates) == 1
    assert similarity(candidates[0].crop, candidates_in(draw_seven())[0].crop) > 0.9


@pytest.mark.parametrize(("size", "width"), [((1000, 1000), 3), ((200, 200), 40)], ids=["thin pen", "thick pen"])
def test_the_width_of_the_pen_does_not_matter(size, width):
    (candidate,) = candidates_in(draw_seven(size=size, width=width))
    assert candidate.crop.max() == 255
    assert similarity(candidate.crop, candidates_in(draw_seven())[0].crop) > 0.6


def test_boxes_are_in_pixels_of_the_full_image():
    image = draw_seven(size=(2000, 1600)).resize((4000, 3200))
    x, y, width, height = candidates_in(image)[0].box
    assert (x, y, x + width, y + height) == pytest.approx((106, 66, 294, 334), abs=20)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_boxes_of_a_turned_image_are_in_the_image_as_it_was(quarter_turns):
    image = draw_seven(size=(1600, 1000), corner=(300, 50), width=30)
    (candidate,), (turned,) = candidates_in(image), candidates_in(image, quarter_turns)
    assert turned.box == pytest.approx(candidate.box, abs=6)
    assert similarity(turned.crop, candidate.crop) < 0.6
    assert similarity(np.rot90(turned.crop, -quarter_turns), candidate.crop) > 0.65  # moved by a pixel


def test_an_image_without_ink_has_no_candidates():
    assert candidates_in(np.full((100, 100), 255, np.uint8)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_and_thin_images_do_no_harm(size):
    image = Image.new("L", size, 255)
    image.putpixel((0, 0), 0)
    candidates_in(image)
