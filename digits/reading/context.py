"""Detections -> the same, checked by what stands beside them: a stroke beside a slash is one, too, and parts of symbols go.

The limits were set by hand on own_numbers and on composed numbers with marks; docs/constants.md shows what a third more or less
of each changes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from digits.model.heat_map import COLON, SLASH
from digits.reading.detection import Detection, boxes_of, shared_areas

MIN_SLASH_SHARE = 0.2  # of a slash's probability in its sum with that of a 1, from which a 1 in a line with a slash is one, too
MIN_ONE_HEIGHT = 0.55  # times the digits' height; a lower 1 is a comma or a stroke of a digit
MAX_MARK_INSIDE = 0.7  # fraction of a mark that lies within another symbol's box; more is a part of it


def check_by_context(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections; ones in a line with a slash that may be slashes become slashes, and parts of symbols are left out.

    Who writes one slash often writes another: a date has two, and the network takes about every second slash for a 1.
    """
    digits = [detection for detection in detections if detection.is_digit]
    if not digits:
        return list(detections)
    height = float(np.median([digit.height for digit in digits]))
    slashes = [detection for detection in detections if detection.label == SLASH]
    colons = [detection for detection in detections if detection.label == COLON]
    return [
        detection
        for detection in (_as_slash_beside(slashes, detection) for detection in detections)
        if not (detection.label == 1 and detection.height < MIN_ONE_HEIGHT * height)
        and not (detection.is_mark and _is_part_of_another(detection, digits, colons))
    ]


def _as_slash_beside(slashes: Sequence[Detection], detection: Detection) -> Detection:
    """Return a detection; as a slash where it is a 1 that may be one, and one of the slashes stands in the same line."""
    one, slash = float(detection.probabilities[1]), float(detection.probabilities[SLASH])
    may_be_a_slash = detection.label == 1 and slash > MIN_SLASH_SHARE * (one + slash)
    if may_be_a_slash and any(abs(other.y - detection.y) < other.height for other in slashes):
        return replace(detection, label=SLASH, probability=min(one + slash, 1.0))
    return detection


def _is_part_of_another(mark: Detection, digits: Sequence[Detection], colons: Sequence[Detection]) -> bool:
    """Return whether a mark lies within the box of a digit that is more probable, or, another mark, within that of a colon."""
    containers = [digit for digit in digits if digit.probability > mark.probability]
    if mark.label != COLON:
        containers += colons
    return bool((shared_areas(boxes_of([mark])[0], boxes_of(containers)) > MAX_MARK_INSIDE * mark.width * mark.height).any())
