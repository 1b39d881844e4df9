"""A detection -> the crop that the digit classifier judges: its ink in MNIST's form, without the ink of its neighbours.

The constants were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

import cv2
import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.reading.detection import Detection
from digits.reading.preprocessing import digit_crop

CROP_HEIGHT = 48  # pixels to which a box is brought before ink and paper are separated: twice MNIST's resolution
MARGIN = 0.14  # of the box's height, around it: the number reader's boxes are a few pixels off
# Fractions of the ink's contrast: paper below, full ink above; patterns on cheques reach a quarter.
PAPER_CONTRAST, FULL_CONTRAST = 0.28, 0.9
INK_PERCENTILE, PAPER_PERCENTILE = 4, 80  # of the grey levels: ink covers a tenth of a box or more, paper more than half
MIN_INSIDE = 0.5  # fraction of a connected component that lies within the box; else it is a neighbour's
MIN_COMPONENT_AREA = 0.01  # of CROP_HEIGHT squared: smaller components are grain
COMPONENT_LEVEL = 0.25  # ink from which pixels are connected
MIN_PEAK_LEVEL = 2 * COMPONENT_LEVEL  # of a digit's strongest ink; all of it weaker is a stain
MIN_INK_CONTRAST = 8  # grey levels: twice MIN_STD of heat_map.py, so that noise on blank paper is not stretched to ink


def crop_of(grey: np.ndarray, detection: Detection) -> np.ndarray:
    """Return a detection's digit, (28, 28) uint8, white on black; all black where no ink stands out from the paper.

    grey: (height, width) uint8, dark ink on light paper: the image that was searched.
    """
    empty = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    scale = CROP_HEIGHT / max(detection.height, 1)
    margin = MARGIN * detection.height
    left, top = detection.left - margin, detection.top - margin
    width, height = (int((side + 2 * margin) * scale) + 1 for side in (detection.width, detection.height))
    x, y = (int(np.clip(corner, 0, side - 1)) for corner, side in ((left, grey.shape[1]), (top, grey.shape[0])))
    grey = grey[y : max(int(top + height / scale), y) + 2, x : max(int(left + width / scale), x) + 2]
    left, top = left - x, top - y
    light = np.percentile(grey, PAPER_PERCENTILE)
    if scale < 1:  # an affine map alone would skip pixels
        reduced = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, reduced, interpolation=cv2.INTER_AREA)
        left, top, scale = left * scale, top * scale, 1.0
    shift = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    patch = cv2.warpAffine(
        grey, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=light
    )
    border = round(margin * CROP_HEIGHT / max(detection.height, 1))
    box = patch[border : height - border, border : width - border]
    if box.size == 0:
        return empty
    dark = np.percentile(box, INK_PERCENTILE)
    strength = (light - patch.astype(np.float32)) / max(light - dark, MIN_INK_CONTRAST)
    ink = np.clip((strength - PAPER_CONTRAST) / (FULL_CONTRAST - PAPER_CONTRAST), 0, 1)
    inside = np.zeros(patch.shape, bool)
    slack = border // 2
    inside[slack : height - slack, slack : width - slack] = True
    kept = _own_components(ink > COMPONENT_LEVEL, inside)
    near = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # with the soft edge of its strokes
    ink = (ink * (near & inside) * 255).astype(np.uint8)
    return digit_crop(ink) if (ink > 255 * MIN_PEAK_LEVEL).any() else empty


def _own_components(inked: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the mask of the connected components that lie mostly inside. inked, inside: (height, width) bool."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    own = np.bincount(labels[inside], minlength=count) >= MIN_INSIDE * area
    own &= area > MIN_COMPONENT_AREA * CROP_HEIGHT**2
    own[0] = False
    return own[labels]
