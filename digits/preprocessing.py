"""Any picture -> digit crops in MNIST's form.

picture.open_picture       file or Pillow image -> upright RGB pixels
ink.find_ink               pixels -> how strongly each one is inked
segmentation.find_digits   ink -> candidates for digits, some of them whole and cut: reading.best_path takes the best
digit_crop                 one digit's ink -> (28, 28) uint8, the way MNIST was made
prepare                    the last three
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.config import DIGIT_SIZE, IMAGE_SIZE
from digits.ink import find_ink
from digits.mnist_form import fit_into_box, place_by_mass
from digits.segmentation import find_digits

INKED, SOFT_EDGE = 80, 40  # of 255: where a digit's ink ends for measuring its strokes, and for its final box. chosen
STROKE = 127  # of 255, about half: where a stroke's edge lies when its width is measured. chosen
THINNEST_STROKE = 2.2  # pixels in the 20x20 box: near the median of MNIST's, 2.35 (3,000 pictures enlarged 8 times)
THICKEST_STROKE = 3.4  # pixels in the 20x20 box: nine tenths of MNIST's strokes are thinner (the same pictures)
BLOB = 6.0  # pixels in the 20x20 box: thicker ink is no stroke but filled loops, which thinning would make a one. chosen


class Prepared(NamedTuple):
    """What may be written in a picture: N candidates for digits, of which the recogniser takes those that fit best.

    crops: (N, 28, 28) uint8, white on black. boxes: [[x, y, width, height]], whole pixels of the full picture. candidates: N
    segmentation.Candidates, the edges of the segmentation graph.
    """

    crops: np.ndarray
    boxes: list
    candidates: list


def ink_of(picture, quarter_turns=0):
    """Return the ink in the Picture, (height, width) uint8, as find_ink does, after so many quarter turns to the left."""
    return find_ink(np.ascontiguousarray(np.rot90(picture.pixels, quarter_turns)))


def prepare(picture, ink, quarter_turns=0, cutting=True):
    """Return what may be written in the Picture, as Prepared; with no crops where it holds no ink.

    ink: what ink_of returned for this quarter_turns, 0 to 3; boxes are in the picture before the turns. cutting: as in
    segmentation.find_digits.
    """
    candidates = find_digits(ink, cutting)
    crops = np.zeros((len(candidates), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for i, candidate in enumerate(candidates):
        crops[i] = digit_crop(candidate.ink)
    scale = np.tile(np.array(picture.size) / picture.pixels.shape[1::-1], 2)  # across and down differ in thin pictures
    boxes = [_turned_back(candidate.box, ink.shape, quarter_turns) * scale for candidate in candidates]
    return Prepared(crops, [np.rint(box).astype(int).tolist() for box in boxes], candidates)


def _turned_back(box, shape, quarter_turns):
    """Return a box in a turned picture as it was before the turns to the left: x, y, width, height, (4,) int.

    box: the same four in the turned picture. shape: the turned picture's height and width.
    """
    height, width = shape[:2]
    x, y, across, down = box
    for _ in range(quarter_turns):
        x, y, across, down = height - y - down, x, down, across
        height, width = width, height
    return np.array([x, y, across, down])


def digit_crop(ink):
    """Return the digit as MNIST would show it, (28, 28) uint8.

    ink: (height, width) uint8, white on black, all zero but for one digit. Strokes so thin that they would vanish are widened
    first, strokes so thick that their loops would close are thinned, and the strongest pixel becomes white, as in MNIST.
    """
    x, y, width, height = cv2.boundingRect((ink > INKED).astype(np.uint8))
    usual, thin = _stroke_widths(ink[y : y + height, x : x + width])
    unit = max(width, height) / DIGIT_SIZE  # a pixel of the 20x20 box
    missing, excess = THINNEST_STROKE * unit - usual, thin - THICKEST_STROKE * unit
    if missing > 0:
        margin = int(np.ceil(missing / 2)) + 1
        ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        ink = cv2.dilate(ink, _disc(round(missing / 2)))
    elif excess > 0 and thin < BLOB * unit:
        ink = cv2.erode(ink, _disc(int(excess / 2)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    x, y, width, height = cv2.boundingRect((ink > SOFT_EDGE).astype(np.uint8))
    box = fit_into_box(ink[y : y + height, x : x + width]).astype(np.float32)
    return place_by_mass((box * (255 / max(box.max(), 1))).astype(np.uint8))


def _disc(radius):
    """Return a disc of this radius, in pixels, as a structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, [2 * radius + 1] * 2)


def _stroke_widths(ink):
    """Return the mean width of the strokes and that of the thinner ones (the lower quartile), in pixels.

    A width is twice the distance from the stroke's middle line to the paper, less one pixel.
    """
    inside = cv2.copyMakeBorder((ink > STROKE).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    middle = distance[(distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)))]
    if middle.size == 0:
        return 1.0, 1.0
    quarter = middle.size // 4
    return 2 * float(middle.mean()) - 1, 2 * float(np.partition(middle, quarter)[quarter]) - 1
