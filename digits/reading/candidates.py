"""An image -> candidates for digits by its ink: crops in MNIST's form, each with its box and its text line.

Callers know only find_candidates. How digits are found stays behind it: ink.py tells ink from paper,
segmentation.py divides the ink into segments, and preprocessing.py brings each segment into MNIST's form.
"""

from typing import NamedTuple

import numpy as np

from digits.reading.image import LoadedImage
from digits.reading.ink import find_ink
from digits.reading.preprocessing import digit_crop
from digits.reading.results import Box
from digits.reading.segmentation import find_segments


class Candidate(NamedTuple):
    """What may be one digit.

    crop: (28, 28) uint8, white on black. box: x, y, width, height, in pixels of the full upright image. row: the number of its
    text line, from 0.
    """

    crop: np.ndarray
    box: Box
    row: int


def find_candidates(image: LoadedImage, quarter_turns: int = 0) -> list[Candidate]:
    """Return the candidates in reading order, [] where there is no ink.

    quarter_turns: 0 to 3, how often the image is turned to the left before digits are looked for. Boxes are in the image as
    it was before.
    """
    ink = find_ink(np.ascontiguousarray(np.rot90(image.pixels, quarter_turns)))
    return [
        Candidate(digit_crop(segment.ink), _full_box(segment.box, ink.shape, quarter_turns, image), segment.row)
        for segment in find_segments(ink)
    ]


def _full_box(box: Box, shape: tuple[int, ...], quarter_turns: int, image: LoadedImage) -> Box:
    """Return a box in the turned, reduced image as one in the full image before the turns to the left.

    shape: the turned image's height and width.
    """
    height, width = shape
    x, y, across, down = box
    for _ in range(quarter_turns):
        x, y, across, down = height - y - down, x, down, across
        height, width = width, height
    return image.full_box(x, y, across, down)
