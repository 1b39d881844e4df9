"""Detections -> the same, checked by what stands beside them: a stroke is a 1, a slash or a comma by its height and its place.

The limits were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from digits.model.heat_map import OTHER_INK, SLASH
from digits.reading.contrast import contrast_of
from digits.reading.detection import Detection, boxes_of, shared_areas

MIN_SLASH_HEIGHT = 1.5  # times the digits' median height; a lower slash may be a 1
MIN_ONE_TO_SLASH, MIN_ONE_TO_OTHER = 0.5, 0.3  # probability of a 1, as a fraction of the other class's, from which it is one
MIN_STROKE_HEIGHT, MAX_STROKE_ASPECT = 0.7, 0.6  # of other ink that may be a 1: times the digits' height; times its own height
MIN_ONE_HEIGHT = 0.55  # times the digits' height; a lower 1 is a comma or a stroke of a digit
MIN_RELATIVE_CONTRAST = 0.3  # times the digits' median contrast; what is fainter is a pattern
MAX_MARK_INSIDE = 0.7  # fraction of a mark that lies within a digit's box; more is a part of the digit


def check_by_context(grey: np.ndarray, detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections; strokes that are probably ones become ones, and parts of digits and patterns are left out.

    grey: (height, width) uint8, dark ink on light paper: the image that was searched.
    """
    digits = [detection for detection in detections if detection.is_digit]
    if not digits:
        return list(detections)
    height = float(np.median([digit.height for digit in digits]))
    contrast = float(np.median([contrast_of(grey, digit) for digit in digits]))
    checked = (_relabelled_as_one(detection, height) for detection in detections)
    return [
        detection
        for detection in checked
        if not (detection.label == 1 and detection.height < MIN_ONE_HEIGHT * height)
        and contrast_of(grey, detection) >= MIN_RELATIVE_CONTRAST * contrast
        and not (detection.is_mark and _is_part_of_a_digit(detection, digits))
    ]


def _relabelled_as_one(detection: Detection, height: float) -> Detection:
    """Return a slash or an upright stroke of other ink as a 1, where it is more probably one. height: of the digits."""
    one, own = detection.probabilities[1], detection.probabilities[detection.label]
    low_slash = detection.label == SLASH and detection.height < MIN_SLASH_HEIGHT * height and one > MIN_ONE_TO_SLASH * own
    is_upright = detection.width < MAX_STROKE_ASPECT * detection.height
    is_high = MIN_STROKE_HEIGHT * height < detection.height < MIN_SLASH_HEIGHT * height
    stroke = detection.label == OTHER_INK and is_upright and is_high and one > MIN_ONE_TO_OTHER * own
    return replace(detection, label=1, probability=float(min(one + own, 1))) if low_slash or stroke else detection


def _is_part_of_a_digit(mark: Detection, digits: Sequence[Detection]) -> bool:
    """Return whether a mark lies within the box of a digit that is more probable."""
    is_inside = shared_areas(boxes_of([mark])[0], boxes_of(digits)) > MAX_MARK_INSIDE * mark.width * mark.height
    return any(is_inside[i] and digit.probability > mark.probability for i, digit in enumerate(digits))
