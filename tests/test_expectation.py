"""What each text line of an image is expected to hold: the pattern as it is written, and the likeliest reading that fits."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from digits.common.errors import UserError
from digits.model.calibration import PROBABILITY_FLOOR
from digits.model.heat_map import CHARACTERS
from digits.reading.expectation import Expectation, PatternCandidate, likeliest_fit
from digits.reading.results import text_of

# ---- the pattern ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("5", "#####"),
        (5, "#####"),
        ("0005", "#####"),
        ("1", "#"),
        ("60", 60 * "#"),
        ("##.##", "##.##"),
        ("#", "#"),
        ("-#,###.##", "-#,###.##"),
        ("20##", "20##"),
    ],
)
def test_a_number_is_a_number_of_digits_and_a_pattern_stands_for_itself(text, pattern):
    assert Expectation.parse(text).pattern == pattern


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "61",
        "1" + 5000 * "0",
        "0000000059999",
        5001 * "7",
        "-5",
        "5.0",
        "12:30",
        ".",
        "##.## ",
        " 5",
        "##|##",
        "#x#",
        "４",
        "²",
        61 * "#",
        "##\n",
    ],
)
def test_a_wrong_pattern_is_an_error_that_says_what_was_expected(text):
    with pytest.raises(UserError, match=r'Expected a number such as 5, or a pattern such as "##\.##",') as caught:
        Expectation.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("##.##", "12.50", True),
        ("##.##", "1250", False),
        ("##.##", "12,50", False),
        ("##.##", "12.5", False),
        ("##.##", "12.50.", False),
        ("20##", "2026", True),
        ("20##", "1926", False),
        ("###", "123|456", True),
        ("###", "123|45", False),
        ("#", "", False),
    ],
)
def test_a_text_fits_where_each_text_line_does(pattern, text, fits):
    assert Expectation(pattern).fits(text) == fits


# ---- the likeliest reading that fits ----------------------------------------------------------------------------------


def row_of(*candidates, row=0):
    """Candidates from left to right. candidates: {character: probability} each."""
    made = []
    for number, probabilities in enumerate(candidates):
        values = np.full(len(CHARACTERS), 0.001, np.float32)
        for character, probability in probabilities.items():
            values[CHARACTERS.index(character)] = probability
        made.append(
            PatternCandidate(
                values, float(values.max()), True, (20 * number, 40 * row, 10, 30), row, np.zeros((28, 28), np.uint8)
            )
        )
    return made


def text_and_ratio(pattern, *rows):
    fit = likeliest_fit(Expectation(pattern), rows)
    return text_of(fit.digits, fit.marks), fit.log_ratio


def test_a_slash_that_may_be_a_one_is_read_as_the_pattern_says():
    row = row_of({"8": 0.9}, {"/": 0.6, "1": 0.3}, {"1": 0.9}, {"0": 0.9})
    assert text_and_ratio("####", row) == ("8110", pytest.approx(math.log(0.3 / 0.6), abs=1e-4))
    assert text_and_ratio("#/##", row) == ("8/10", pytest.approx(0, abs=1e-4))


def test_the_most_doubtful_candidate_is_dropped():
    row = row_of({"1": 0.9}, {"2": 0.55}, {"3": 0.9})
    assert text_and_ratio("##", row) == ("13", pytest.approx(math.log(0.45 / 0.55), abs=1e-4))


def test_a_digit_that_is_read_anyway_is_not_left_out():
    row = row_of({"1": 0.9}, {"2": 0.5}, {"3": 0.9})
    fit = likeliest_fit(Expectation("##"), [[dataclasses.replace(candidate, presence=1.0) for candidate in row]])
    assert text_of(fit.digits) == "13" and not fit.is_likely


def test_the_likeliest_faint_candidate_is_taken():
    row = row_of({"7": 0.15}, {"1": 0.9}, {"2": 0.25}, {".": 0.28}, {"3": 0.9})
    assert text_and_ratio("###", row) == ("123", pytest.approx(math.log(0.25 / 0.75), abs=1e-4))


def test_digits_in_the_pattern_stand_for_themselves():
    row = row_of({"3": 0.9}, {"8": 0.5, "0": 0.4}, {"2": 0.9}, {"6": 0.9})
    text, log_ratio = text_and_ratio("#0##", row)
    assert (text, log_ratio) == ("3026", pytest.approx(math.log(0.4 / 0.5), abs=1e-4))


def test_each_row_fits_and_the_ratios_multiply():
    rows = row_of({"1": 0.9}, {".": 0.6}, {"2": 0.9}), row_of({"3": 0.9}, {"4": 0.9}, row=1)
    text, log_ratio = text_and_ratio("##", *rows)
    assert (text, log_ratio) == ("12|34", pytest.approx(math.log(0.4 / 0.6), abs=1e-4))


def test_too_few_candidates_fit_nothing():
    assert likeliest_fit(Expectation("###"), [row_of({"1": 0.9}, {"2": 0.9})]) is None
    assert likeliest_fit(Expectation("##"), [row_of({"1": 0.9}, {"2": 0.9}), row_of({"3": 0.9}, row=1)]) is None
    assert likeliest_fit(Expectation("#"), [[]]) is None


def test_digits_and_marks_have_their_places():
    row = row_of({"1": 0.9}, {"2": 0.9}, {".": 0.8}, {"5": 0.9}, row=0)
    fit = likeliest_fit(Expectation("##.#"), [row, row_of({"3": 0.9}, {"4": 0.9}, {".": 0.7}, {"6": 0.9}, row=1)])
    assert [(mark.mark, mark.row, mark.after, mark.confidence) for mark in fit.marks] == [(".", 0, 2, 0.8), (".", 1, 2, 0.7)]
    assert [(digit.digit, digit.row, digit.box[0]) for digit in fit.digits[:3]] == [(1, 0, 0), (2, 0, 20), (5, 0, 60)]
    for digit in fit.digits:
        assert digit.top3[0] == (digit.digit, digit.confidence)
        assert digit.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_it_is_the_likeliest_of_all_readings_that_fit():
    rng = np.random.default_rng(0)
    for pattern in ("###", "#.#", "7#", "-##"):
        for _ in range(10):
            row = [
                PatternCandidate(
                    rng.random(len(CHARACTERS)) ** 4, presence, True, (0, 0, 10, 30), 0, np.zeros((28, 28), np.uint8)
                )
                for presence in rng.random(6)
            ]
            _, log_ratio = text_and_ratio(pattern, row)
            assert log_ratio == pytest.approx(best_by_trying_all(pattern, row), abs=1e-5)


def best_by_trying_all(pattern, row):
    """The log ratio of the likeliest fit, by trying every choice of candidates."""

    def log_probability(candidate, place):
        probabilities = np.clip(candidate.probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        if place is None:
            return math.log(max(1 - candidate.presence, PROBABILITY_FLOOR))
        return math.log(probabilities[:10].max() if place == "#" else probabilities[CHARACTERS.index(place)])

    free = sum(max(log_probability(c, None), math.log(np.clip(c.probabilities.max(), 0, 1 - PROBABILITY_FLOOR))) for c in row)
    totals = []
    for chosen in itertools.combinations(range(len(row)), len(pattern)):
        places = dict(zip(chosen, pattern, strict=True))
        totals.append(sum(log_probability(candidate, places.get(i)) for i, candidate in enumerate(row)))
    return max(totals) - free
