"""Whether a number is sure: what the line reader and the ink say."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from digits.model.heat_map import COMMA, OTHER_INK, POINT
from digits.reading.certainty import (
    MIN_FIT_CONFIDENCE,
    MIN_LONE_CONFIDENCE,
    MIN_LONE_INK_CONFIDENCE,
    MIN_NUMBER_CONFIDENCE,
    MIN_SYMBOL_PROBABILITY,
    settle,
    settle_fit,
)
from digits.reading.line_reader import LineSymbol
from digits.reading.number_reader import Detections
from digits.reading.numbers import FoundText, TextPosition
from digits.reading.results import Digit, Mark, text_of

LOW, HIGH = MIN_NUMBER_CONFIDENCE - 0.1, MIN_NUMBER_CONFIDENCE


def digit_of(value, left, confidence=0.99, row=0):
    probabilities = np.full(10, (1 - confidence) / 9, np.float32)
    probabilities[value] = confidence
    return Digit.from_probabilities(probabilities, 2.3, True, (left, 10, 20, 30), row, np.zeros((28, 28), np.uint8))


def number_of(text, confidence=0.99, lines=1, **found):
    """What the number reader found in an image: these digits in one text line, or others in `lines`."""
    detections = Detections(np.zeros((50, 300), np.uint8), [[None]] * lines, [], [])
    digits = tuple(digit_of(int(value), 30 * i, confidence) for i, value in enumerate(text))
    digits = found.pop("digits", digits)
    return FoundText(digits, agreed=(True,) * len(digits), detections=detections, **found)


def mark_of(mark, left):
    return Mark(mark, 0, 1, 0.9, (left, 35, 3, 3))


def lines_of(*lines, probability=0.9):
    """A line reader that gives these classes, one text line after the other."""
    answers = iter(lines)
    return SimpleNamespace(read=lambda grey, line: [LineSymbol(label, probability) for label in next(answers)])


def is_sure(found):
    assert len({digit.sure for digit in found.digits}) == 1
    return found.digits[0].sure


@pytest.mark.parametrize(
    ("confidence", "by_ink", "by_line", "sure"),
    [
        (HIGH, "", [[1, 2]], True),
        (LOW, "", [[1, 2]], False),
        (LOW, "12", [[1, 2]], True),
        (HIGH, "", [[1, OTHER_INK, 2]], True),
        (LOW, "12", [[1, OTHER_INK, 2]], False),
        (HIGH, "12", None, True),
        (LOW, "12", None, False),
    ],
)
def test_a_number_is_sure_by_its_confidence_and_by_what_confirms_it(confidence, by_ink, by_line, sure):
    assert is_sure(settle(number_of("12", confidence), number_of(by_ink).digits, by_line and lines_of(*by_line))) is sure


def test_a_number_of_which_the_line_reader_gives_other_digits_has_another_text():
    settled = settle(number_of("12"), number_of("12").digits, lines_of([1, COMMA, 7, OTHER_INK]))
    assert settled.other_text == "1,7"
    assert not is_sure(settled)
    assert settle(number_of("12"), (), lines_of([1, 2])).other_text == ""


@pytest.mark.parametrize(
    ("by_line", "marks", "uncertain"),
    [([1, 2], "", ""), ([1, POINT, 2], ".", ""), ([1, 2, POINT], "", "."), ([1, COMMA, 2], "", ".")],
)
def test_what_may_be_a_mark_is_settled_where_the_line_reader_gives_it_or_nothing(by_line, marks, uncertain):
    settled = settle(number_of("12", uncertain_marks=(mark_of(".", 25),)), (), lines_of(by_line))
    assert ["".join(mark.mark for mark in found) for found in (settled.marks, settled.uncertain_marks)] == [marks, uncertain]


def test_a_mark_that_only_the_line_reader_gives_makes_a_number_not_sure():
    settled = settle(number_of("12"), number_of("12").digits, lines_of([1, POINT, 2]))
    assert settled.other_text == "1.2"
    assert not is_sure(settled)
    assert settle(number_of("12"), (), lines_of([1, POINT, 2], probability=MIN_SYMBOL_PROBABILITY - 0.1)).other_text == ""
    assert settle(number_of("12"), (), lines_of([1, OTHER_INK, 2])).other_text == ""


def test_marks_and_other_ink_are_compared_where_they_stand():
    marks, other = (mark_of(".", 25),), (TextPosition(0, 90.0),)
    found, by_ink = number_of("12", LOW, marks=marks, other_ink=other), number_of("12").digits
    assert is_sure(settle(found, by_ink, lines_of([1, POINT, 2, OTHER_INK])))
    assert not is_sure(settle(found, by_ink, lines_of([1, 2, POINT, OTHER_INK])))
    assert not is_sure(settle(found, by_ink, lines_of([1, POINT, 2])))


def test_text_lines_are_compared_one_by_one():
    found = number_of("", lines=2, digits=(digit_of(1, 0), digit_of(2, 0, row=1)))
    assert is_sure(settle(found, (), lines_of([1], [2])))
    assert settle(found, (), lines_of([1], [3])).other_text == "1|3"


def test_the_digits_of_a_fit_are_sure_by_their_confidence_where_the_classifier_does_not_contradict():
    digits = [digit_of(1, 0, MIN_FIT_CONFIDENCE), digit_of(2, 30, HIGH), digit_of(3, 60, MIN_FIT_CONFIDENCE)]
    fit = settle_fit(digits, [True, True, False])
    assert [digit.sure for digit in fit] == [True, False, False]


def test_a_symbol_that_the_line_reader_itself_doubts_confirms_nothing():
    found, by_ink = number_of("12", LOW), number_of("12").digits
    assert is_sure(settle(found, by_ink, lines_of([1, 2], probability=MIN_SYMBOL_PROBABILITY)))
    assert not is_sure(settle(found, by_ink, lines_of([1, 2], probability=MIN_SYMBOL_PROBABILITY - 0.01)))


@pytest.mark.parametrize(
    ("by_ink", "confidence", "sure"),
    [(0.99, 0.99, True), (MIN_LONE_INK_CONFIDENCE, MIN_LONE_CONFIDENCE, True), (0.5, 0.99, False), (0.99, 0.5, False)],
)
def test_a_digit_that_stands_alone_is_sure_where_its_ink_and_the_number_reader_both_give_it(by_ink, confidence, sure):
    ink = dataclasses.replace(digit_of(7, 0, by_ink), sure=False)
    settled = settle(number_of("7", confidence), [ink], None)
    assert is_sure(settled) is sure and settled.digits[0].confidence == pytest.approx(by_ink)


@pytest.mark.parametrize(("by_ink", "confidence", "text"), [(0.9, 0.6, "1"), (0.6, 0.9, "7")])
def test_of_two_digits_given_for_one_that_stands_alone_the_likelier_is_given_and_not_sure(by_ink, confidence, text):
    settled = settle(number_of("7", confidence), [digit_of(1, 0, by_ink)], None)
    assert text_of(settled.digits) == text
    assert not is_sure(settled)


def test_a_digit_that_stands_alone_and_of_which_the_ink_gives_none_or_several_is_not_sure():
    for by_ink in ([], [digit_of(7, 0), digit_of(7, 30)]):
        settled = settle(number_of("7"), by_ink, None)
        assert text_of(settled.digits) == "7"
        assert not is_sure(settled)


def test_several_digits_of_the_ink_that_the_number_reader_does_not_see_are_not_sure():
    one, several = ([dataclasses.replace(digit_of(1, 30 * i), sure=True) for i in range(count)] for count in (1, 3))
    assert is_sure(settle(FoundText(tuple(one)), one, None))
    assert not is_sure(settle(FoundText(tuple(several)), several, None))


@pytest.mark.parametrize(("contradicted", "sure"), [(1, True), (2, False), (3, False)])
def test_a_number_of_which_the_classifier_contradicts_half_of_the_digits_is_not_sure(contradicted, sure):
    found = number_of("1234")
    found = dataclasses.replace(found, agreed=tuple(i >= contradicted for i in range(4)))
    assert is_sure(settle(found, found.digits, lines_of([1, 2, 3, 4]))) is sure
