"""Ink and paper: which of them is darker in an image, and by how much in a detection's box.

The constants were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

import numpy as np

from digits.reading.detection import Detection
from digits.reading.image import reduce

POLARITY_SIDE = 200  # pixels of the longer side, at which dark and light ink are told apart; that needs no more
MAX_POLARITY_DEVIATION = 3  # standard deviations: beyond, a brightness counts as this, so that a few pixels don't decide
INK_PERCENTILE, PAPER_PERCENTILE = 5, 90  # of the grey levels in a box: the ink of a thin digit covers a tenth of its box
MAX_SAMPLES_PER_SIDE = 40  # pixels of a box whose percentiles are taken: more give the same to a grey level or two


def dark_on_light(grey: np.ndarray) -> np.ndarray:
    """Return the image, (height, width) uint8, or its negative where its ink is lighter than its paper.

    Ink is sparse, so it is the longer tail of the brightnesses: their third moment about the median tells its side.
    """
    small = reduce(grey, POLARITY_SIDE).astype(np.float32)
    centred = small - np.median(small)
    deviations = centred / (centred.std() + 1)  # 1 grey level more, so that blank paper is not divided by 0
    skewness = float(np.mean(np.clip(deviations, -MAX_POLARITY_DEVIATION, MAX_POLARITY_DEVIATION) ** 3))
    return 255 - grey if skewness > 0 else grey


def contrast_of(grey: np.ndarray, detection: Detection) -> float:
    """Return the contrast of the ink in a detection's box, in grey levels: how far its ink is below its paper."""
    top, left = max(int(detection.top), 0), max(int(detection.left), 0)
    box = grey[
        top : max(int(detection.top + detection.height) + 1, top + 2),
        left : max(int(detection.left + detection.width) + 1, left + 2),
    ]
    if box.size == 0:
        return 0.0
    step = 1 + max(box.shape) // MAX_SAMPLES_PER_SIDE
    ink, paper = np.percentile(box[::step, ::step], (INK_PERCENTILE, PAPER_PERCENTILE))
    return float(paper - ink)
