"""Every count and rate equals the one by hand, and what is undefined is None."""

import numpy as np
import pytest
from scipy.stats import binomtest

from digits.common.score import Score
from digits.evaluation import metrics
from digits.evaluation.metrics import DigitRates

pytestmark = pytest.mark.filterwarnings("error")  # 0 / 0 is an answer here (None), never a warning


# ---- scores -------------------------------------------------------------------------------------------------------


def test_a_score_counts_the_answers_and_those_that_are_right():
    assert metrics.score_answers(np.array([True, False, True, True])) == Score(4, 3, 0.75)


def test_a_certain_error_costs_much_and_not_infinity():
    certain = np.eye(10, dtype=np.float32)[[4]]
    score = metrics.score_predictions(np.array([3]), certain, np.ones(1, bool))
    assert score.loss == pytest.approx(-np.log(1e-30), rel=1e-5)


# ---- intervals and calibration --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "n"),
    [(9975, 10_000), (9963, 10_000), (0, 10), (10, 10), (5, 10), (1, 1), (0, 1), (37, 41)]
    + [(0, 2), (20, 20), (40, 40)],  # with these the formula's rounding errors lead out of 0 to 1, or not quite to its ends
)
def test_the_interval_is_wilsons(correct, n):
    low, high = metrics.wilson_interval(correct, n)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-7)
    assert 0 <= low <= high <= 1
    assert (low == 0) == (correct == 0)
    assert (high == 1) == (correct == n)


def test_the_interval_of_9975_in_10000_is_the_published_formulas():
    # (p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n), calculated for p = 0.9975, n = 10,000, z = 1.959964.
    assert metrics.wilson_interval(9975, 10_000) == pytest.approx((0.996311, 0.998306), abs=1e-6)


def test_the_calibration_error_is_the_one_by_hand():
    # Two of 15 bins: 0.88 and 0.92 in the 14th (0.867 to 0.933), half of them correct; 0.5 in the 8th, correct.
    confidence, correct = np.array([0.88, 0.92, 0.50]), np.array([True, False, True])
    assert metrics.reliability(confidence, correct) == [(0.5, 1.0, 1), (pytest.approx(0.9), 0.5, 2)]
    assert metrics.calibration_error(confidence, correct) == pytest.approx((1 * 0.5 + 2 * 0.4) / 3)


def test_full_and_no_confidence_have_their_bins():
    certain, correct = np.array([0.0, 1.0, 1.0]), np.array([False, True, False])
    assert metrics.reliability(certain, correct) == [(0.0, 0.0, 1), (1.0, 0.5, 2)]
    assert len(metrics.reliability(np.array([0.95, 1.0]), np.array([True, True]))) == 1, "1 belongs to the last bin"
    assert metrics.calibration_error(np.array([0.0, 1.0, 1.0]), np.array([False, True, True])) == 0


def test_without_an_answer_there_is_no_calibration_error():
    assert metrics.calibration_error(np.array([]), np.array([], bool)) is None


# ---- by digit -------------------------------------------------------------------------------------------------------

TRUTH, ANSWERS = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 7])


def test_the_confusion_matrix_has_truth_in_rows_and_answers_in_columns():
    expected = np.zeros((10, 10), int)
    expected[0, 0] = expected[1, 1] = expected[2, 2] = expected[2, 7] = 1
    assert np.array_equal(metrics.confusion_matrix(TRUTH, ANSWERS), expected)


def test_the_rates_of_each_digit_are_those_by_hand():
    rates = metrics.rates_by_digit(TRUTH, TRUTH == ANSWERS, TRUTH, ANSWERS)
    never = DigitRates(None, None, None, None, 0)
    assert rates[:3] == (
        DigitRates(1.0, 1.0, 1.0, 1.0, 1),
        DigitRates(1.0, 1.0, 1.0, 1.0, 1),
        DigitRates(0.5, 1.0, 0.5, pytest.approx(2 / 3), 2),
    )
    assert rates[7] == DigitRates(None, 0.0, None, 0.0, 0), "answered, never true"
    assert [rates[digit] for digit in (3, 4, 5, 6, 8, 9)] == [never] * 6


def test_a_digit_that_is_never_answered_has_no_precision():
    truth, answers = np.array([5, 6]), np.array([6, 6])
    assert metrics.rates_by_digit(truth, truth == answers, truth, answers)[5] == DigitRates(0.0, None, 0.0, 0.0, 1)


def test_without_an_image_counts_are_zero_and_rates_undefined():
    nothing = np.array([], int)
    assert np.array_equal(metrics.confusion_matrix(nothing, nothing), np.zeros((10, 10)))
    rates = metrics.rates_by_digit(nothing, np.array([], bool), nothing, nothing)
    assert rates == (DigitRates(None, None, None, None, 0),) * 10
