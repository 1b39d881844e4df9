"""An image -> the digits and marks in it, by the number reader's network: where each stands, how large it is, which it is.

The network is a fully convolutional detector of centres (CenterNet, Zhou, Wang and Krähenbühl, "Objects as points", 2019).
It knows digits of about 17 to 37 pixels. So the image is searched coarsely at several sizes (an image pyramid), and each text
line that is found is looked at again at the sizes that the network knows best. LiteRT runs the network, without TensorFlow.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from digits.common.config import MODELS_DIR, NUMBER_READER_NAME, TRAIN_NUMBER_READER_COMMAND
from digits.common.errors import UserError
from digits.model.heat_map import (
    BOX_UNIT,
    CLASS_COUNT,
    MAX_DIGIT_HEIGHT,
    MIN_DIGIT_HEIGHT,
    OTHER_INK,
    OUTPUT_COUNT,
    STRIDE,
    normalise,
)
from digits.model.litert import LiteRTNetwork
from digits.model.lookup import find_model
from digits.reading.context import check_by_context
from digits.reading.detection import Detection, suppress_non_maxima, vote
from digits.reading.text_lines import HEIGHT_RANGE, text_lines, written_lines

DEFAULT_NUMBER_READER = MODELS_DIR / f"{NUMBER_READER_NAME}.tflite"

MAX_PYRAMID_PIXELS = 150_000  # of all levels together: about 80 ms on one core; 300,000 find no more in own_numbers
PYRAMID_STEP = 1.5  # from one level to the next: the network knows heights of more than an octave
MAX_ENLARGEMENT = 2.0  # of a small image; more adds no detail
CANONICAL_HEIGHT = 26.0  # pixels: the middle of the heights that the network knows
# Pixels of a line's digits in the looks at it: around the middle, a sixth apart. Two more looks, stretched across, read 162 of the
# cheques in own_numbers instead of 166.
LOOK_HEIGHTS = (22.0, 26.0, 31.0)
MIN_COARSE_PROBABILITY = 0.25  # of a place in the coarse search; a line needs several, so few patterns pass
MIN_LOOK_PROBABILITY = 0.12  # of a place in one look; MIN_PROBABILITY decides on the mean of three
MIN_PROBABILITY = 0.3  # of what is detected in the end
# Of what is detected faintly, which an expectation may call for: 0.04 and 0.1 read 175 of the cheques in own_numbers by their
# number of digits, 0.3 reads 172.
MIN_FAINT_PROBABILITY = 0.1
MAX_LINES = 30  # text lines that are looked at again: what a page holds
SIDE_MARGIN, TOP_MARGIN = 2.5, 0.8  # times its height, by which a line's crop is wider and higher: what the search missed
BORDER = 16  # pixels around an image, at the network's scale, so that digits at the border lie within
SIDE_STEP = 32  # pixels: the input's sides are multiples of this, four times what the network needs: LiteRT plans anew less often


class NumberFinder:
    """A saved number reader and its card.

    model_path: of its .tflite. Raises UserError where there is none, or one that can't be used. The attribute card is None where
    there is none beside the model.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_NUMBER_READER) -> None:
        self.model_path, self.card = find_model(model_path, TRAIN_NUMBER_READER_COMMAND)
        try:
            self._network = LiteRTNetwork(self.model_path, (-1, -1, 1), (-1, -1, OUTPUT_COUNT), num_threads=1)
        except (ValueError, RuntimeError, OSError) as error:
            raise self._unusable(str(error).partition("\n")[0]) from error
        if self.card is None:  # no checksum says that the file is whole, and some damage shows only in an answer
            self._run(np.zeros((SIDE_STEP, SIDE_STEP), np.float32))

    def find(self, grey: np.ndarray) -> tuple[list[list[Detection]], list[Detection], list[Detection]]:
        """Return (the digits in text lines, each from left to right, lines from top to bottom; marks and other ink; the rest).

        The rest is what is detected, but is too faint, or by what stands beside it more probably a part of something else.
        grey: (height, width) uint8, dark ink on light paper.
        """
        coarse = [detection for detection in self._search(grey) if detection.is_digit]
        looked = [
            detection for line in written_lines(grey, text_lines(coarse))[:MAX_LINES] for detection in self._look(grey, line)
        ]
        clear = [detection for detection in looked if detection.probability > MIN_PROBABILITY]
        kept = check_by_context(grey, suppress_non_maxima(clear))
        lines = written_lines(grey, text_lines([detection for detection in kept if detection.is_digit]))
        accepted = set(kept)
        everything = suppress_non_maxima([*kept, *looked], lambda detection: (detection in accepted) + detection.probability)
        rest = [detection for detection in everything if detection not in accepted]
        return lines, [detection for detection in kept if not detection.is_digit], rest

    def _search(self, grey: np.ndarray) -> list[Detection]:
        """Return what the coarse search detects: over all levels of the pyramid, each thing where it is seen best."""
        weights: dict[Detection, float] = {}
        for scale in pyramid_scales(*grey.shape):
            for detection in self._detect(grey, scale, MIN_COARSE_PROBABILITY):
                known = _familiarity(detection.height * scale) if detection.is_digit or detection.label == OTHER_INK else 0.5
                if known > 0:
                    weights[detection] = detection.probability * known
        return suppress_non_maxima(list(weights), weights.__getitem__)

    def _look(self, grey: np.ndarray, line: Sequence[Detection]) -> list[Detection]:
        """Return what is detected in a text line, at each of the LOOK_HEIGHTS."""
        heights = [digit.height for digit in line]
        height = math.sqrt(np.median(heights) * np.percentile(heights, 85))  # between both: zeros are often written smaller
        left = int(max(min(digit.left for digit in line) - SIDE_MARGIN * height, 0))
        right = int(max(digit.left + digit.width for digit in line) + SIDE_MARGIN * height) + 1
        top = int(max(min(digit.top for digit in line) - TOP_MARGIN * height, 0))
        bottom = int(max(digit.top + digit.height for digit in line) + TOP_MARGIN * height) + 1
        crop = np.ascontiguousarray(grey[top:bottom, left:right])
        looks = [self._detect(crop, seen / height, MIN_LOOK_PROBABILITY) for seen in LOOK_HEIGHTS]
        smallest, largest = HEIGHT_RANGE
        return [
            replace(detection, left=detection.left + left, top=detection.top + top)
            for detection in vote(looks, MIN_FAINT_PROBABILITY)
            if not detection.is_digit or smallest < detection.height / height < largest
        ]

    def _detect(self, grey: np.ndarray, scale: float, min_probability: float) -> list[Detection]:
        """Return what is detected in an image when it is seen at this scale, in pixels of the image, the most probable first.

        The centre of each detection lies in the image, not in the border around it.
        """
        height, width = (max(8, round(side * scale)) for side in grey.shape)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = grey if (height, width) == grey.shape else cv2.resize(grey, (width, height), interpolation=interpolation)
        sides = [math.ceil((side + 2 * BORDER) / SIDE_STEP) * SIDE_STEP for side in (height, width)]
        framed = np.zeros(sides, np.float32)
        framed[BORDER : BORDER + height, BORDER : BORDER + width] = normalise(seen)
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

        Raises UserError where the network is damaged: it can't be run, or its answer has another shape or is not finite.
        """
        try:
            answer = self._network(image[None, :, :, None])[0]
        except (ValueError, RuntimeError) as error:
            raise self._unusable(str(error).partition("\n")[0]) from error
        expected = (image.shape[0] // STRIDE, image.shape[1] // STRIDE, OUTPUT_COUNT)
        if answer.shape != expected:
            raise self._unusable(f"its answer has the shape {answer.shape}, not {expected}")
        if not np.isfinite(answer).all():
            raise self._unusable("its answer is not finite")
        heat_maps = 0.5 + 0.5 * np.tanh(0.5 * answer[..., :CLASS_COUNT])  # the sigmoid, which does not overflow this way
        return heat_maps, answer[..., CLASS_COUNT:]

    def _unusable(self, reason: str) -> UserError:
        """Return the error that says why the file can't be used."""
        return UserError(
            f"{self.model_path} is not a number reader that can be used: {reason}.\n"
            "Expected the .tflite that train_model.py --eye writes. The shipped one comes back with: git checkout models"
        )


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
        width, height = (BOX_UNIT * math.exp(np.clip(value, -4, 3)) for value in (log_width, log_height))
        x, y = (column + 0.5 + across) * STRIDE, (row + 0.5 + down) * STRIDE
        label = int(heat_maps[row, column].argmax())
        probability = float(highest[row, column])
        detections.append(Detection(label, probability, x - width / 2, y - height / 2, width, height, heat_maps[row, column]))
    return sorted(detections, key=lambda detection: -detection.probability)


def pyramid_scales(height: int, width: int) -> list[float]:
    """Return the scales at which an image of this size is searched, the finest first."""
    scales = [min(MAX_ENLARGEMENT, math.sqrt(MAX_PYRAMID_PIXELS * (1 - PYRAMID_STEP**-2) / (height * width)))]
    while scales[-1] / PYRAMID_STEP * height >= MIN_DIGIT_HEIGHT and scales[-1] / PYRAMID_STEP * width >= 8:
        scales.append(scales[-1] / PYRAMID_STEP)
    return scales


def _familiarity(height: float) -> float:
    """Return how well the network knows digits of this height in pixels: 1 in the middle of its range, 0 far outside."""
    distance = abs(math.log(height / CANONICAL_HEIGHT)) / math.log(MAX_DIGIT_HEIGHT / CANONICAL_HEIGHT)
    return 1.0 - 0.1 * distance if distance <= 1 else float(np.clip(1.6 - 0.6 * distance, 0, 1))
