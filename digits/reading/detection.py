"""What the number reader detects in an image, and how the detections of one symbol are merged.

A symbol is a digit, a mark or another piece of ink. The limits were set by hand on own_numbers; docs/constants.md shows what a
third more or less of each changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.model.heat_map import OTHER_INK

# Two detections are of the same symbol where their boxes overlap by more than this (intersection over union), or where their
# centres are nearer than these fractions of the smaller width, of the larger height across, and of the larger height down: digits
# that overlap, as on cheques, have boxes that share up to a third, and a 1 is a seventh of its height wide.
MAX_OVERLAP = 0.5
MIN_DISTANCE_IN_WIDTHS, MIN_DISTANCE_IN_HEIGHTS, MIN_DISTANCE_DOWN = 0.4, 0.12, 0.35


@dataclass(frozen=True, eq=False)
class Detection:
    """One symbol that was detected.

    label: its class, a number in heat_map. probability: of that class, 0 to 1.
    left, top, width, height: the bounding box, in pixels of the image that was searched.
    probabilities: (16,) float32, of all classes there, each 0 to 1; they are sigmoids and have no sum of 1.
    """

    label: int
    probability: float
    left: float
    top: float
    width: float
    height: float
    probabilities: np.ndarray

    @property
    def is_digit(self) -> bool:
        """Whether it is a digit, not a mark or other ink."""
        return self.label < NUM_CLASSES

    @property
    def is_mark(self) -> bool:
        """Whether it is a mark, not a digit or other ink."""
        return NUM_CLASSES <= self.label < OTHER_INK

    @property
    def x(self) -> float:
        """The centre of the box across."""
        return self.left + self.width / 2

    @property
    def y(self) -> float:
        """The centre of the box down."""
        return self.top + self.height / 2


def suppress_non_maxima(
    detections: Sequence[Detection], weight: Callable[[Detection], float] = lambda detection: detection.probability
) -> list[Detection]:
    """Return the detections, only the one with the largest weight of each symbol, in the order of the weights."""
    ordered = sorted(detections, key=weight, reverse=True)
    boxes = boxes_of(ordered)
    remains = np.ones(len(ordered), bool)
    for i in range(len(ordered)):
        if remains[i]:
            remains[i + 1 :] &= ~same_symbol(boxes[i], boxes[i + 1 :])
    return [detection for detection, stays in zip(ordered, remains, strict=True) if stays]


def vote(views: Sequence[Sequence[Detection]], min_probability: float) -> list[Detection]:
    """Return what several views of one image show together: the same part of it, seen at several scales.

    views: the detections in each view, all in pixels of the same image. The probabilities of a symbol are their mean over all
    views, 0 for a view without it; its box is the mean, weighted by probability. Symbols below min_probability are left out.
    """
    ordered = sorted(
        ((detection, number) for number, view in enumerate(views) for detection in view), key=lambda pair: -pair[0].probability
    )
    boxes = boxes_of([detection for detection, _ in ordered])
    remains = np.ones(len(ordered), bool)
    merged = []
    for i in range(len(ordered)):
        if not remains[i]:
            continue
        near = np.flatnonzero(remains & same_symbol(boxes[i], boxes))
        remains[near] = False
        best_of_view: dict[int, int] = {}
        for j in near.tolist():
            best_of_view.setdefault(ordered[j][1], j)
        group = [ordered[j][0] for j in best_of_view.values()]
        probabilities = np.sum([detection.probabilities for detection in group], axis=0) / len(views)
        label = int(probabilities.argmax())
        if probabilities[label] > min_probability:
            weights = [detection.probability for detection in group]
            left, top, width, height = np.average(boxes[list(best_of_view.values())], axis=0, weights=weights).tolist()
            merged.append(Detection(label, float(probabilities[label]), left, top, width, height, probabilities))
    return merged


def same_symbol(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which boxes are of the same symbol as a box, (N,) bool. box, others: as in shared_areas."""
    (x, y), (width, height) = box[:2] + box[2:] / 2, box[2:]
    distances = np.abs(others[:, :2] + others[:, 2:] / 2 - (x, y))
    larger_heights = np.maximum(height, others[:, 3])
    near_across = distances[:, 0] < MIN_DISTANCE_IN_WIDTHS * np.minimum(width, others[:, 2])
    near_across |= distances[:, 0] < MIN_DISTANCE_IN_HEIGHTS * larger_heights
    near_down = distances[:, 1] < MIN_DISTANCE_DOWN * larger_heights
    return near_across & near_down | (intersection_over_union(box, others) > MAX_OVERLAP)


def intersection_over_union(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the area that a box shares with each of others, as a fraction of the area that the two cover together, (N,).

    box, others: as in shared_areas, with a width and a height above 0.
    """
    shared = shared_areas(box, others)
    return shared / (box[2] * box[3] + others[:, 2] * others[:, 3] - shared)


def shared_areas(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the area that a box shares with each of the others, (N,) float64.

    box: (4,) float64; others: (N, 4) float64: left, top, width and height.
    """
    ends = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    sides = np.maximum(ends - np.maximum(box[:2], others[:, :2]), 0)
    return sides[:, 0] * sides[:, 1]


def boxes_of(detections: Sequence[Detection]) -> np.ndarray:
    """Return the boxes of detections, (N, 4) float64: left, top, width and height."""
    boxes = [(detection.left, detection.top, detection.width, detection.height) for detection in detections]
    return np.array(boxes, np.float64).reshape(-1, 4)
