"""An image -> the numbers in it: what the finder detects, each digit judged a second time by the digit classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from digits.common.config import MARKS, NUM_CLASSES
from digits.model.calibration import log_odds
from digits.model.classifier import Classifier
from digits.model.heat_map import OTHER_INK
from digits.reading.detection import Detection
from digits.reading.detection_crop import crop_of
from digits.reading.expectation import Candidate
from digits.reading.image import LoadedImage
from digits.reading.number_finder import NumberFinder
from digits.reading.results import Box, Digit, Mark
from digits.reading.text_lines import dark_on_light

# Weight of the classifier's log-probabilities beside the finder's. With 0.2, own_digits and own_numbers have 709 images of 777
# read exactly, with 0 705; more weight loses cheques, whose letterforms the classifier does not know.
CLASSIFIER_WEIGHT = 0.2
MIN_CLASS_PROBABILITY = 1e-3  # smaller ones count as this, so that one network alone can't exclude a digit
# A digit is sure where finder and classifier both give it, the classifier is sure, and the finder's probability is at least
# this. A mark and other ink count from the same probability on.
MIN_SURE_PROBABILITY = 0.5
MIN_CERTAIN_POLARITY, MIN_POLARITY_GAIN = 0.6, 0.1  # mean probability of the digits, and by how much the other's must be higher
LINE_REACH = 0.6  # of a line's median height, above its top and below its foot, within which a mark belongs to it


class Found(NamedTuple):
    """What the finder detects. grey: the image as dark ink on light paper. lines, others, rest: as from NumberFinder.find."""

    grey: np.ndarray
    lines: list[list[Detection]]
    others: list[Detection]
    rest: list[Detection]


class Place(NamedTuple):
    """Where something stands. row: the number of its text line, from 0. x: of its centre, in pixels of the upright image."""

    row: int
    x: float


@dataclass(frozen=True)
class Numbers:
    """What was found. digits: in reading order. marks: by text line.

    other_ink, uncertain_marks: the places of pieces that are neither, and of what may be a mark, by text line. min_probability:
    the least of the finder's probabilities of the digits, 1 where there are none. found: all that is detected, for candidates_in.
    """

    digits: tuple[Digit, ...] = ()
    marks: tuple[Mark, ...] = ()
    other_ink: tuple[Place, ...] = ()
    uncertain_marks: tuple[Place, ...] = ()
    min_probability: float = 1.0
    found: Found | None = None


def read_numbers(image: LoadedImage, finder: NumberFinder, classifier: Classifier) -> Numbers:
    """Return the numbers in an image as it lies. Raises UserError where a damaged network answers with no probability."""
    found = _find_either_polarity(finder, cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY))
    grey, lines, others, _ = found
    detections = [detection for line in lines for detection in line]
    if not detections:
        return Numbers()
    rows = [row for row, line in enumerate(lines) for _ in line]
    crops = np.stack([crop_of(grey, detection) for detection in detections])
    judged, _, judged_sure = classifier.classify(crops)
    probabilities = combine(np.stack([detection.probabilities[:NUM_CLASSES] for detection in detections]), judged)
    full_size = np.array(image.full_size)
    scale = full_size / image.pixels.shape[1::-1]
    digits = []
    for i, detection in enumerate(detections):
        agree = int(judged[i].argmax()) == int(probabilities[i].argmax()) == detection.label
        sure = agree and bool(judged_sure[i]) and detection.probability >= MIN_SURE_PROBABILITY
        score = float(log_odds(probabilities[i : i + 1])[0])
        box = _box(detection, scale, full_size)
        digits.append(Digit.from_probabilities(probabilities[i], score, sure, box, rows[i], crops[i]))
    near = [(detection, row) for detection in others if (row := _line_of(detection, lines)) is not None]
    likely = [(detection, row) for detection, row in near if detection.probability >= MIN_SURE_PROBABILITY]
    marks = [
        Mark(
            MARKS[detection.label - NUM_CLASSES],
            row,
            sum(digit.x < detection.x for digit in lines[row]),
            round(detection.probability, 4),
            _box(detection, scale, full_size),
        )
        for detection, row in likely
        if detection.label != OTHER_INK
    ]
    marks.sort(key=lambda mark: (mark.row, mark.box[0]))
    places = [(detection, Place(row, float(detection.x * scale[0]))) for detection, row in near]
    other_ink = sorted(place for thing, place in places if thing.label == OTHER_INK and thing.probability >= MIN_SURE_PROBABILITY)
    uncertain = sorted(place for thing, place in places if thing.label != OTHER_INK and thing.probability < MIN_SURE_PROBABILITY)
    min_probability = min(detection.probability for detection in detections)
    return Numbers(tuple(digits), tuple(marks), tuple(other_ink), tuple(uncertain), min_probability, found)


def candidates_in(found: Found, image: LoadedImage, classifier: Classifier) -> list[list[Candidate]]:
    """Return what may be a digit or a mark in each text line, from left to right, also what is too faint to be read unasked.

    found: the Numbers' of the image. Each candidate is judged a second time by the classifier, as the digits are.
    """
    others = [(detection, _line_of(detection, found.lines)) for detection in (*found.others, *found.rest)]
    placed = [(detection, row) for row, line in enumerate(found.lines) for detection in line]
    digit_count = len(placed)
    placed += [(detection, row) for detection, row in others if row is not None]
    crops = np.stack([crop_of(found.grey, detection) for detection, _ in placed])
    judged, _, judged_sure = classifier.classify(crops)
    combined = combine(np.stack([detection.probabilities[:NUM_CLASSES] for detection, _ in placed]), judged)
    full_size = np.array(image.full_size)
    scale = full_size / image.pixels.shape[1::-1]
    rows: list[list[Candidate]] = [[] for _ in found.lines]
    for i in sorted(range(len(placed)), key=lambda i: placed[i][0].x):
        detection, row = placed[i]
        likelihoods = detection.probabilities[:OTHER_INK].copy()
        likelihoods[:NUM_CLASSES] = combined[i] * (
            detection.probability if detection.is_digit else likelihoods[:NUM_CLASSES].max()
        )
        is_read = i < digit_count or (
            NUM_CLASSES <= detection.label < OTHER_INK and detection.probability >= MIN_SURE_PROBABILITY
        )
        presence = 1.0 if is_read else float(likelihoods.max())
        sure = bool(judged_sure[i]) and int(judged[i].argmax()) == int(combined[i].argmax())
        rows[row].append(Candidate(likelihoods, presence, sure, _box(detection, scale, full_size), row, crops[i]))
    return rows


def combine(found: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return the weighted geometric mean of both networks' probabilities, (N, 10) float32, each row with the sum 1.

    found: (N, 10), the finder's, sigmoids. judged: (N, 10), the classifier's.
    """
    found = np.clip(found, MIN_CLASS_PROBABILITY, 1)
    found = found / found.sum(axis=1, keepdims=True)
    judged = np.clip(judged, MIN_CLASS_PROBABILITY, 1)
    combined = found ** (1 - CLASSIFIER_WEIGHT) * judged**CLASSIFIER_WEIGHT
    return (combined / combined.sum(axis=1, keepdims=True)).astype(np.float32)


def _find_either_polarity(finder: NumberFinder, grey: np.ndarray) -> Found:
    """Return what is found in an image, (height, width) uint8.

    The other polarity is tried where the digits of the more probable one are not certain.
    """
    likely = dark_on_light(grey)
    found = Found(likely, *finder.find(likely))
    certainty = _mean_probability(found.lines)
    if certainty >= MIN_CERTAIN_POLARITY:
        return found
    inverted = 255 - likely
    other = Found(inverted, *finder.find(inverted))
    return other if _mean_probability(other.lines) > certainty + MIN_POLARITY_GAIN else found


def _mean_probability(lines: Sequence[Sequence[Detection]]) -> float:
    """Return the mean probability of the digits in the lines, 0 where there are none."""
    return float(np.mean([digit.probability for line in lines for digit in line] or [0.0]))


def _line_of(detection: Detection, lines: Sequence[Sequence[Detection]]) -> int | None:
    """Return the number of the text line in whose height a mark stands, the nearest of several, or None."""
    distances = {}
    for row, line in enumerate(lines):
        nearest = min(line, key=lambda digit: abs(digit.x - detection.x))
        height = float(np.median([digit.height for digit in line]))
        within = nearest.top - LINE_REACH * height < detection.y < nearest.top + nearest.height + LINE_REACH * height
        if within:
            distances[row] = abs(detection.y - nearest.y)
    return min(distances, key=distances.__getitem__, default=None)


def _box(detection: Detection, scale: np.ndarray, full_size: np.ndarray) -> Box:
    """Return the part of a detection's box that lies in the full image, in pixels of it, at least one pixel wide and high.

    scale: (2,) float, by which x and y grow from the image that was searched. full_size: (2,) int, width and height.
    """
    corner = np.array([detection.left, detection.top]) * scale
    start = np.clip(np.rint(corner), 0, full_size - 1)
    end = np.clip(np.rint(corner + np.array([detection.width, detection.height]) * scale), start + 1, full_size)
    x, y, width, height = np.concatenate([start, end - start]).astype(int).tolist()
    return x, y, width, height
