"""The types of what was read: their texts, their properties and their JSON."""

import json

import numpy as np
import pytest

from digits.reading.results import Digit, Mark, Reading, text_of


def digit(value, row=0, confidence=0.9, sure=True):
    """A Digit with this value and confidence, the rest of the probability on the next digit."""
    probabilities = np.zeros(10, np.float32)
    probabilities[value], probabilities[(value + 1) % 10] = confidence, 1 - confidence
    return Digit.from_probabilities(probabilities, 5.12345, sure, (1, 2, 3, 4), row, np.zeros((28, 28), np.uint8))


def mark(character, after, row=0, x=0):
    """A Mark whose box begins at this x."""
    return Mark(character, row, after, 0.9, (x, 2, 3, 4))


def test_a_digit_is_the_most_probable_one():
    seven = digit(7, confidence=0.87654)
    assert (seven.digit, seven.confidence, seven.log_odds) == (7, 0.8765, 5.123)
    assert seven.top3 == [(7, 0.8765), (8, 0.1235), (0, 0.0)]


@pytest.mark.parametrize(
    ("rows", "text"),
    [([], ""), ([0], "0"), ([0, 0, 0], "012"), ([0, 0, 1, 1, 2], "01|23|4"), ([1, 1, 3], "01|2")],
)
def test_text_lines_are_joined_by_a_bar(rows, text):
    assert text_of([digit(value, row) for value, row in enumerate(rows)]) == text


@pytest.mark.parametrize(
    ("rows", "marks", "text"),
    [
        ([0, 0, 0, 0], [mark(".", 2)], "01.23"),
        ([0], [mark("-", 0)], "-0"),
        ([0], [mark("-", 1)], "0-"),
        ([0, 0, 1, 1], [mark(",", 1, row=1), mark("-", 0), mark("/", 1)], "-0/1|2,3"),
        ([0, 0], [mark("-", 1, x=30), mark("/", 1, x=20), mark(",", 2, x=5)], "0/-1,"),
        ([0, 0], [mark("/", 1, x=20), mark("-", 1, x=30)], "0/-1"),
        ([1], [mark("-", 0, row=0)], "-|0"),
        ([], [mark("-", 0)], "-"),
    ],
)
def test_marks_stand_in_the_text_after_as_many_digits_of_their_line_as_they_say(rows, marks, text):
    assert text_of([digit(value, row) for value, row in enumerate(rows)], marks) == text


def test_the_confidence_of_a_reading_is_that_of_its_least_certain_digit():
    assert Reading("", "ok", "12", digits=(digit(1, confidence=0.9), digit(2, confidence=0.8))).confidence == 0.8
    assert Reading("", "empty").confidence is None


@pytest.mark.parametrize(("status", "sure"), [("ok", True), ("unsure", False), ("empty", False), ("error", False)])
def test_a_reading_is_sure_where_its_status_is_ok(status, sure):
    assert Reading("", status).sure is sure


def test_the_json_is_the_documented_entry():
    marks = (Mark("-", 0, 0, 0.75, (5, 6, 7, 8)),)
    reading = Reading("me.jpg", "unsure", "-7", "why", (digit(7, sure=False),), marks, 100, np.zeros((5, 5, 3), np.uint8))
    assert json.loads(json.dumps(reading.to_json())) == {
        "image": "me.jpg",
        "status": "unsure",
        "text": "-7",
        "message": "why",
        "digits": [{"digit": 7, "confidence": 0.9, "score": 5.123, "box": [1, 2, 3, 4], "top3": [[7, 0.9], [8, 0.1], [0, 0.0]]}],
        "marks": [{"mark": "-", "row": 0, "after": 0, "confidence": 0.75, "box": [5, 6, 7, 8]}],
    }
    assert list(reading.to_json()) == ["image", "status", "text", "message", "digits", "marks"]


@pytest.mark.parametrize("reading", [Reading("a", "ok", "7", digits=(digit(7),)), Reading("b", "empty"), Reading("c", "error")])
def test_the_json_of_a_reading_without_marks_lists_none(reading):
    assert reading.to_json()["marks"] == []


def test_readings_can_be_compared_and_printed_without_their_arrays():
    first, second = (Reading("a", "ok", "7", digits=(digit(7),), thumbnail=np.zeros((3, 3, 3))) for _ in range(2))
    assert first == second != Reading("b", "ok", "7", digits=(digit(7),))
    assert "array" not in repr(first)
