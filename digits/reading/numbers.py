"""An image -> the numbers in it: what the NumberReader detects, each digit judged a second time by the digit classifier.

The constants were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from digits.common.config import NUM_CLASSES
from digits.model.calibration import PROBABILITY_FLOOR, log_odds
from digits.model.classifier import Classifier
from digits.model.heat_map import CHARACTERS, OTHER_INK
from digits.reading.contrast import dark_on_light
from digits.reading.detection import Detection
from digits.reading.detection_crop import crop_of
from digits.reading.expectation import PatternCandidate
from digits.reading.image import LoadedImage
from digits.reading.number_reader import Detections, NumberReader
from digits.reading.results import Box, Digit, Mark

# Weights of the logarithms of both networks' probabilities in the combined one: a product of experts (Hinton 2002). Fitted by the
# log loss of the digits of own_numbers, so the combined probabilities are calibrated on these; with the shipped classifier this
# pair is still the best of nine from 2/3 and 1/3 to 4/3 and 1. With PROBABILITY_FLOOR, the classifier alone can't exclude a
# digit: it divides its probability by 10 at the most, the number reader by 10,000.
NUMBER_READER_WEIGHT, CLASSIFIER_WEIGHT = 4 / 3, 1 / 3
# By the classifier alone, of a digit that may be sure: twice that of an answer that prefers no digit. It learned from images
# without a digit, which the number reader and the line reader did not: of the letter M, which they read as 11, it gives a 1
# about 0.1.
MIN_AGREEMENT = 2 / NUM_CLASSES
MIN_MARK_PROBABILITY = 0.5  # of a mark that is read, and of other ink that is reported
MAX_MARK_SHARE = 0.3  # of a mark's probability in its sum with the digit's, where the digit is surely none: a 1 may be a slash
# Of a line's median height: a mark belongs to the line where it is at most so far above the top, or below the foot, of the digit
# that is nearest across.
LINE_REACH = 0.6


class TextPosition(NamedTuple):
    """Where something stands. row: the number of its text line, from 0. x: of its centre, in pixels of the upright image."""

    row: int
    x: float


@dataclass(frozen=True)
class FoundText:
    """The digits and marks that were found in an image, by its ink or by the number reader.

    digits: in reading order. agreed: of each digit of the number reader, whether the classifier agrees; () of
    those found by ink. marks: by text line. other_ink: where ink is that is neither, by text line. uncertain_marks: what
    may be a mark, by text line. ambiguous_digits: where a digit may be a mark, by text line. min_probability: the
    lowest that the number reader alone gives one of the digits; None where it found none. detections: all that it detects, for
    candidates_in; None where the digits were found by ink. other_text: what the line reader reads instead; "" where that is the
    same, or nothing else was tried.
    """

    digits: tuple[Digit, ...] = ()
    agreed: tuple[bool, ...] = ()
    marks: tuple[Mark, ...] = ()
    other_ink: tuple[TextPosition, ...] = ()
    uncertain_marks: tuple[Mark, ...] = ()
    ambiguous_digits: tuple[TextPosition, ...] = ()
    min_probability: float | None = None
    detections: Detections | None = None
    other_text: str = ""


def read_numbers(image: LoadedImage, number_reader: NumberReader, classifier: Classifier) -> FoundText:
    """Return the numbers in an image as it lies. Raises UserError where a damaged network answers with no probability."""
    detections = number_reader.find(dark_on_light(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)))
    if not detections.lines:
        return FoundText()
    beside = [
        (symbol, row) for symbol in detections.marks_and_other_ink if (row := _line_of(symbol, detections.lines)) is not None
    ]
    clear = [(symbol, row) for symbol, row in beside if symbol.probability >= MIN_MARK_PROBABILITY]
    unclear = [(symbol, row) for symbol, row in beside if symbol.probability < MIN_MARK_PROBABILITY]
    marks = [_mark(symbol, row, detections.lines[row], image) for symbol, row in clear if symbol.is_mark]
    other_ink = [_position(symbol, row, image) for symbol, row in clear if symbol.label == OTHER_INK]
    uncertain_marks = [_mark(symbol, row, detections.lines[row], image) for symbol, row in unclear if symbol.is_mark]
    ambiguous_digits = [
        _position(digit, row, image) for row, line in enumerate(detections.lines) for digit in line if _may_be_a_mark(digit)
    ]
    digits, agreed = _digits(detections, image, classifier)
    return FoundText(
        digits=digits,
        agreed=agreed,
        marks=in_reading_order(marks),
        other_ink=tuple(sorted(other_ink)),
        uncertain_marks=in_reading_order(uncertain_marks),
        ambiguous_digits=tuple(sorted(ambiguous_digits)),
        min_probability=min(digit.probability for line in detections.lines for digit in line),
        detections=detections,
    )


def position_of(symbol: Digit | Mark) -> TextPosition:
    """Return where a digit or a mark stands."""
    return TextPosition(symbol.row, symbol.box[0] + symbol.box[2] / 2)


def in_reading_order(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Return the marks by text line, and from left to right."""
    return tuple(sorted(marks, key=lambda mark: (mark.row, mark.box[0])))


def combine(number_reader_probabilities: np.ndarray, classifier_probabilities: np.ndarray) -> np.ndarray:
    """Return both networks' probabilities combined, (N, 10) float32, each row with the sum 1.

    number_reader_probabilities: (N, 10), 0 to 1, sigmoids without a fixed sum. classifier_probabilities: (N, 10), rows with the
    sum 1.
    """
    by_number_reader = np.clip(number_reader_probabilities, PROBABILITY_FLOOR, 1)
    by_number_reader = by_number_reader / by_number_reader.sum(axis=1, keepdims=True)
    by_classifier = np.clip(classifier_probabilities, PROBABILITY_FLOOR, 1)
    combined = by_number_reader**NUMBER_READER_WEIGHT * by_classifier**CLASSIFIER_WEIGHT
    return (combined / combined.sum(axis=1, keepdims=True)).astype(np.float32)


def _digits(detections: Detections, image: LoadedImage, classifier: Classifier) -> tuple[tuple[Digit, ...], tuple[bool, ...]]:
    """Return (the digits in reading order, as both networks together read them, whether the classifier seconds each).

    None of them is sure yet: certainty.settle decides.
    """
    placed = [(digit, row) for row, line in enumerate(detections.lines) for digit in line]
    crops, combined, agreed = _judge(detections.grey, [digit for digit, _ in placed], classifier)
    digit_log_odds = log_odds(combined)
    digits = tuple(
        Digit.from_probabilities(combined[i], digit_log_odds[i], False, _box(digit, image), row, crops[i])
        for i, (digit, row) in enumerate(placed)
    )
    return digits, tuple(map(bool, agreed))


def _judge(
    grey: np.ndarray, detections: Sequence[Detection], classifier: Classifier
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what both networks say of detections as digits: (crops, combined probabilities, whether the classifier agrees).

    grey: the image that was searched. The results are (N, 28, 28) uint8, (N, 10) float32 and (N,) bool.
    """
    crops = np.stack([crop_of(grey, detection) for detection in detections])
    by_number_reader = np.stack([detection.probabilities[:NUM_CLASSES] for detection in detections])
    by_classifier = classifier.classify(crops).probabilities
    combined = combine(by_number_reader, by_classifier)
    return crops, combined, by_classifier[np.arange(len(combined)), combined.argmax(axis=1)] >= MIN_AGREEMENT


def _mark(detection: Detection, row: int, line: Sequence[Detection], image: LoadedImage) -> Mark:
    """Return a detection as a mark. line: the digits of its text line, whose number is row."""
    after = sum(digit.x < detection.x for digit in line)
    return Mark(CHARACTERS[detection.label], row, after, round(detection.probability, 4), _box(detection, image))


def _position(detection: Detection, row: int, image: LoadedImage) -> TextPosition:
    return TextPosition(row, float(detection.x * image.scale[0]))


def _box(detection: Detection, image: LoadedImage) -> Box:
    return image.full_box(detection.left, detection.top, detection.width, detection.height)


def _may_be_a_mark(digit: Detection) -> bool:
    """Return whether a detection that is read as a digit may also be a mark."""
    mark = digit.probabilities[NUM_CLASSES:OTHER_INK].max()
    return bool(mark > MAX_MARK_SHARE * (mark + digit.probabilities[:NUM_CLASSES].max()))


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


def candidates_in(
    detections: Detections, image: LoadedImage, classifier: Classifier, marks: Sequence[Mark]
) -> list[list[PatternCandidate]]:
    """Return what may be a digit or a mark in each text line, from left to right, also what is too faint to be read as one.

    detections: FoundText.detections of the image. marks: that are read without an expectation, also faint ones that the line
    reader gives. The classifier judges each candidate a second time, as it judges the digits.
    """
    boxes_of_marks = {mark.box for mark in marks}
    placed = [(symbol, row, True) for row, line in enumerate(detections.lines) for symbol in line]
    for symbol in (*detections.marks_and_other_ink, *detections.faint):
        row = _line_of(symbol, detections.lines)
        if row is not None:
            is_read = symbol.probability >= MIN_MARK_PROBABILITY or _box(symbol, image) in boxes_of_marks
            placed.append((symbol, row, symbol.is_mark and is_read))
    placed.sort(key=lambda candidate: candidate[0].x)
    crops, combined, agreed = _judge(detections.grey, [symbol for symbol, _, _ in placed], classifier)
    lines: list[list[PatternCandidate]] = [[] for _ in detections.lines]
    for i, (symbol, row, is_read) in enumerate(placed):
        probabilities = symbol.probabilities[:OTHER_INK].copy()
        of_a_digit = symbol.probability if symbol.is_digit else probabilities[:NUM_CLASSES].max()
        probabilities[:NUM_CLASSES] = combined[i] * of_a_digit
        presence = 1.0 if is_read else float(probabilities.max())
        lines[row].append(PatternCandidate(probabilities, presence, bool(agreed[i]), _box(symbol, image), row, crops[i]))
    return lines
