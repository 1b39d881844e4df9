"""An image -> the digits and marks in it, by the number reader's network: where each stands, how large it is, which it is.

The network is a fully convolutional detector of centres (CenterNet, Zhou, Wang and Krähenbühl, "Objects as points", 2019).
It knows digits of MIN_DIGIT_HEIGHT to MAX_DIGIT_HEIGHT pixels (heat_map.py). So the image is searched coarsely at several sizes
(an image pyramid), and each text line that is found is seen again at three sizes that the network knows well. LiteRT runs the
network, without TensorFlow. The constants were set by hand on own_numbers; docs/constants.md shows what
a third more or less of each changes.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from digits.common.config import MODELS_DIR, NUMBER_READER_NAME
from digits.model.checked_network import CheckedNetwork
from digits.model.heat_map import (
    BOX_UNIT,
    CLASS_COUNT,
    MAX_DIGIT_HEIGHT,
    MIN_DIGIT_HEIGHT,
    OUTPUT_COUNT,
    STRIDE,
    normalise,
)
from digits.model.line_image import line_height
from digits.model.lookup import NUMBER_READER
from digits.reading.context import check_by_context
from digits.reading.detection import Detection, suppress_non_maxima, vote
from digits.reading.text_lines import HEIGHT_RANGE, drop_unlikely_lines, text_lines

DEFAULT_NUMBER_READER = MODELS_DIR / f"{NUMBER_READER_NAME}.tflite"

MAX_PYRAMID_PIXELS = 100_000  # of all levels together: the time of the coarse search grows with them
PYRAMID_STEP = 1.5  # from one level to the next: the network knows heights of more than an octave
MIN_SIDE = 8  # pixels of the shorter side of an image at the network's scale: two places of the heat map
# Pixels: near the geometric mean of the heights that the network knows, 25; set by hand together with VIEW_HEIGHTS, as their
# middle.
CANONICAL_HEIGHT = 26.0
# A digit's weight in the coarse search, 1 at CANONICAL_HEIGHT, falls with the distance of its height from there, as logarithms:
# by the first of these up to the highest digit that the network knows, and by the second per such distance beyond.
WEIGHT_LOSS_WITHIN, WEIGHT_LOSS_BEYOND = 0.1, 0.6
MARK_WEIGHT = 0.5  # of a mark there: its own height does not say which scale shows it best
# Pixels of a line's digits in its three views: around the middle, a sixth apart.
VIEW_HEIGHTS = (22.0, 26.0, 31.0)
MIN_COARSE_PROBABILITY = 0.25  # of a symbol in the coarse search; a line needs several, so few patterns pass
MIN_VIEW_PROBABILITY = 0.12  # of a symbol in one view; MIN_DETECTION_PROBABILITY decides on the mean of three
MIN_DETECTION_PROBABILITY = 0.3  # of what is detected in the end
MIN_FAINT_PROBABILITY = 0.1  # of what is detected faintly, which an expectation may call for
MAX_LINES = 30  # text lines that are seen again: as many as a page has
SIDE_MARGIN, TOP_MARGIN = 2.5, 0.8  # times its height, by which a line's crop is wider and higher: what the search missed
BORDER = 16  # pixels around an image, at the network's scale, so that digits at the border lie within
MIN_LOG_SIDE, MAX_LOG_SIDE = -4, 3  # logarithms of BOX_UNITs: 0.3 to 320 pixels, far beyond all that the network learned
SIDE_STEP = 16  # pixels: the input's sides are multiples of this, twice what the network needs: LiteRT plans anew less often


class Detections(NamedTuple):
    """What is detected in an image.

    grey: the image, (height, width) uint8, dark ink on light paper. lines: the digits in text lines, each from left to right, the
    lines from top to bottom. marks_and_other_ink: what else is clear. faint: what is too faint to be read, or is probably only a
    part of something beside it; an expectation may call for it.
    """

    grey: np.ndarray
    lines: list[list[Detection]]
    marks_and_other_ink: list[Detection]
    faint: list[Detection]


class NumberReader:
    """A saved number reader and its card.

    model_path: of its .tflite. num_threads: as in CheckedNetwork. Raises UserError where there is no model, or one that can't be
    used. The attribute card is None where there is none beside the model.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_NUMBER_READER, num_threads: int = 1) -> None:
        shapes, blank_shape = ((-1, -1, 1), (-1, -1, OUTPUT_COUNT)), (SIDE_STEP, SIDE_STEP)
        self._network = CheckedNetwork(model_path, NUMBER_READER, *shapes, blank_shape, num_threads)
        self.model_path, self.card = self._network.model_path, self._network.card

    def find(self, grey: np.ndarray) -> Detections:
        """Return what is detected in an image, (height, width) uint8, dark ink on light paper."""
        coarse = [detection for detection in self._search(grey) if detection.is_digit]
        coarse_lines = drop_unlikely_lines(grey, text_lines(coarse))[:MAX_LINES]
        detected = [detection for line in coarse_lines for detection in self._detect_in_line(grey, line)]
        clear = [detection for detection in detected if detection.probability > MIN_DETECTION_PROBABILITY]
        kept = check_by_context(suppress_non_maxima(clear))
        lines = drop_unlikely_lines(grey, text_lines([detection for detection in kept if detection.is_digit]))
        accepted = set(kept)
        symbols = suppress_non_maxima([*kept, *detected], lambda detection: (detection in accepted) + detection.probability)
        faint = [detection for detection in symbols if detection not in accepted]
        return Detections(grey, lines, [detection for detection in kept if not detection.is_digit], faint)

    def _search(self, grey: np.ndarray) -> list[Detection]:
        """Return what the coarse search detects: on all levels of the pyramid, each symbol on the level that shows it best."""
        weights: dict[Detection, float] = {}
        for scale in pyramid_scales(*grey.shape):
            for detection in self._detect(grey, scale, MIN_COARSE_PROBABILITY):
                weight = MARK_WEIGHT if detection.is_mark else _weight_of_height(detection.height * scale)
                if weight > 0:
                    weights[detection] = detection.probability * weight
        return suppress_non_maxima(list(weights), weights.__getitem__)

    def _detect_in_line(self, grey: np.ndarray, line: Sequence[Detection]) -> list[Detection]:
        """Return what is detected in a text line, in views at each of the VIEW_HEIGHTS together."""
        height = line_height([digit.height for digit in line])
        left = int(max(min(digit.left for digit in line) - SIDE_MARGIN * height, 0))
        right = int(max(digit.left + digit.width for digit in line) + SIDE_MARGIN * height) + 1
        top = int(max(min(digit.top for digit in line) - TOP_MARGIN * height, 0))
        bottom = int(max(digit.top + digit.height for digit in line) + TOP_MARGIN * height) + 1
        crop = np.ascontiguousarray(grey[top:bottom, left:right])
        views = [self._detect(crop, view_height / height, MIN_VIEW_PROBABILITY) for view_height in VIEW_HEIGHTS]
        smallest, largest = HEIGHT_RANGE
        return [
            replace(detection, left=detection.left + left, top=detection.top + top)
            for detection in vote(views, MIN_FAINT_PROBABILITY)
            if not detection.is_digit or smallest < detection.height / height < largest
        ]

    def _detect(self, grey: np.ndarray, scale: float, min_probability: float) -> list[Detection]:
        """Return what is detected in an image, resized by this scale, in pixels of the image, the most probable first.

        The centre of each detection lies in the image, not in the border around it.
        """
        height, width = (max(MIN_SIDE, round(side * scale)) for side in grey.shape)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        resized = grey if (height, width) == grey.shape else cv2.resize(grey, (width, height), interpolation=interpolation)
        sides = [math.ceil((side + 2 * BORDER) / SIDE_STEP) * SIDE_STEP for side in (height, width)]
        framed = np.zeros(sides, np.float32)
        framed[BORDER : BORDER + height, BORDER : BORDER + width] = normalise(resized)
        across, down = grey.shape[1] / width, grey.shape[0] / height
        return [
            replace(
                detection,
                left=(detection.left - BORDER) * across,
                top=(detection.top - BORDER) * down,
                width=detection.width * across,
                height=detection.height * down,
            )
            for detection in peaks(*self._run(framed), min_probability)
            if BORDER <= detection.x < BORDER + width and BORDER <= detection.y < BORDER + height
        ]

    def _run(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (heat maps (h / 4, w / 4, 16), 0 to 1; boxes (h / 4, w / 4, 4)) of a normalised image, (h, w) float32.

        Raises UserError where the network is damaged.
        """
        answer = self._network(image, (image.shape[0] // STRIDE, image.shape[1] // STRIDE, OUTPUT_COUNT))
        heat_maps = 0.5 + 0.5 * np.tanh(0.5 * answer[..., :CLASS_COUNT])  # the sigmoid, which does not overflow this way
        return heat_maps, answer[..., CLASS_COUNT:]


def peaks(heat_maps: np.ndarray, boxes: np.ndarray, min_probability: float) -> list[Detection]:
    """Return the local maxima of the heat maps as detections, the most probable first, in pixels of the network's input.

    heat_maps: (h, w, 16), 0 to 1. boxes: (h, w, 4): the logarithms of width and height in units of 16 pixels, and the distance
    of the centre from the middle of its place, to the right and down, in places.
    """
    highest = heat_maps.max(axis=-1)
    rows, columns = np.nonzero((highest >= cv2.dilate(highest, np.ones((3, 3), np.uint8))) & (highest > min_probability))
    detections = []
    for row, column in zip(rows, columns, strict=True):
        log_width, log_height, across, down = boxes[row, column]
        width, height = (BOX_UNIT * math.exp(np.clip(value, MIN_LOG_SIDE, MAX_LOG_SIDE)) for value in (log_width, log_height))
        x, y = (column + 0.5 + across) * STRIDE, (row + 0.5 + down) * STRIDE
        label = int(heat_maps[row, column].argmax())
        probability = float(highest[row, column])
        detections.append(Detection(label, probability, x - width / 2, y - height / 2, width, height, heat_maps[row, column]))
    return sorted(detections, key=lambda detection: -detection.probability)


def pyramid_scales(height: int, width: int) -> list[float]:
    """Return the scales at which an image of this size is searched, the finest first."""
    # An image is never enlarged: that read no more of people's numbers, in more time (measured with an earlier network).
    scales = [min(1.0, math.sqrt(MAX_PYRAMID_PIXELS * (1 - PYRAMID_STEP**-2) / (height * width)))]
    while scales[-1] / PYRAMID_STEP * height >= MIN_DIGIT_HEIGHT and scales[-1] / PYRAMID_STEP * width >= MIN_SIDE:
        scales.append(scales[-1] / PYRAMID_STEP)
    return scales


def _weight_of_height(height: float) -> float:
    """Return the weight of a digit of this height, in pixels, in the coarse search: 0 to 1, 0 far outside the known heights."""
    distance = abs(math.log(height / CANONICAL_HEIGHT)) / math.log(MAX_DIGIT_HEIGHT / CANONICAL_HEIGHT)  # 1 at the highest one
    if distance <= 1:
        return 1 - WEIGHT_LOSS_WITHIN * distance
    return max(1 - WEIGHT_LOSS_WITHIN - WEIGHT_LOSS_BEYOND * (distance - 1), 0.0)
