"""An image -> candidates for digits: crops in MNIST's form, each with its box and its text line.

ink_reading.py and segmentation_graph.py know only find_candidates and Candidate. How digits are found stays behind them: ink.py
tells ink from paper, segmentation.py divides the ink into segments, and preprocessing.py brings each segment into MNIST's form.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from digits.reading.image import LoadedImage
from digits.reading.ink import find_ink
from digits.reading.preprocessing import digit_crop
from digits.reading.results import Box
from digits.reading.segmentation import find_segments


class Candidate(NamedTuple):
    """What may be one digit: an edge of the segmentation graph (segmentation_graph.best_path finds the best path).

    crop: (28, 28) uint8, white on black.
    box: x, y, width, height, in pixels of the full upright image.
    row: the number of its text line, from 0.
    start, end: the nodes of the graph before and after it, numbered in reading order from 0. Every path from node 0 to the
    last node is a possible reading.
    cost: what its shape says against its being a digit, 0 or more, in units of log-odds.
    cut: whether it is a part of wider ink.
    """

    crop: np.ndarray
    box: Box
    row: int
    start: int
    end: int
    cost: float
    cut: bool


def find_candidates(image: LoadedImage, quarter_turns: int = 0) -> Iterator[list[Candidate]]:
    """Yield lists of candidates, each list from a closer look than the one before. A list is empty where there is no ink.

    quarter_turns: 0 to 3, how often the image is turned to the left before digits are looked for. Boxes are in the image as
    it was before. The first list holds each digit's ink only as a whole, which takes a quarter of the time and is enough in
    most images; the second one also holds the parts between possible cuts, for digits that touch.
    """
    ink = find_ink(np.ascontiguousarray(np.rot90(image.pixels, quarter_turns)))
    for cutting in (False, True):
        yield [
            Candidate(
                digit_crop(segment.ink),
                _full_box(segment.box, ink.shape, quarter_turns, image.scale),
                segment.row,
                segment.start,
                segment.end,
                segment.cost,
                segment.cut,
            )
            for segment in find_segments(ink, cutting)
        ]


def _full_box(box: Box, shape: tuple[int, ...], quarter_turns: int, scale: np.ndarray) -> Box:
    """Return a box in the turned, reduced image as one in the full image before the turns to the left.

    shape: the turned image's height and width. scale: that of the LoadedImage.
    """
    height, width = shape
    x, y, across, down = box
    for _ in range(quarter_turns):
        x, y, across, down = height - y - down, x, down, across
        height, width = width, height
    x, y, across, down = np.rint(np.array([x, y, across, down]) * np.tile(scale, 2)).astype(int).tolist()
    return x, y, across, down
