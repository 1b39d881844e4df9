"""Classifications and Readings that several tests make."""

import numpy as np

from digits.common.config import MARKS
from digits.data.labels import digits_of
from digits.model.classifier import Classification
from digits.reading.results import Digit, Mark, Reading


def classification(rows, sure=None):
    """Return the Classification of [{digit: probability}]; the rest is spread over the digits that are not named."""
    probabilities = np.zeros((len(rows), 10), np.float32)
    for i, row in enumerate(rows):
        probabilities[i] = (1 - sum(row.values())) / (10 - len(row))
        for digit, probability in row.items():
            probabilities[i, digit] = probability
    sure = np.ones(len(rows), bool) if sure is None else np.array(sure)
    return Classification(probabilities, np.zeros(len(rows), np.float32), sure)


def reading(text="7", status="ok", confidences=None, image="a.png"):
    """Return a Reading of an image of 160 x 120 pixels, with a thumbnail of half its size unless its status is "error".

    text: digits and marks, in one line. confidences: of the digits.
    """
    values = [int(character) for character in text if character not in MARKS]
    confidences = confidences or [0.9] * len(values)
    answers = classification([{value: confidence} for value, confidence in zip(values, confidences, strict=True)])
    crop = np.zeros((28, 28), np.uint8)
    digits = tuple(
        Digit(value, confidence, 2.0, status == "ok", (10, 10, 30, 40), 0, crop, probabilities)
        for value, confidence, probabilities in zip(values, confidences, answers.probabilities, strict=True)
    )
    marks = tuple(
        Mark(character, 0, len(digits_of(text[:i])), 0.9, (40, 40, 6, 8))
        for i, character in enumerate(text)
        if character in MARKS
    )
    thumbnail = None if status == "error" else np.full((60, 80, 3), 255, np.uint8)
    return Reading(image, status, text, "why", digits, marks, 160, thumbnail)
