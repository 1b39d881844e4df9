"""How sure an answer is: temperature scaling, log-odds, and the two numbers that training fits."""

import numpy as np
import pytest

from digits.model.calibration import (
    MAX_TEMPERATURE,
    calibrate,
    cross_entropy,
    fit_balanced_threshold,
    fit_temperature,
    fit_threshold,
    log_odds,
)


def test_a_temperature_of_one_changes_nothing_and_a_higher_one_lowers_the_confidence():
    probabilities = np.array([[0.7, 0.2] + [0.0125] * 8], np.float32)
    assert np.allclose(calibrate(probabilities, 1.0), probabilities, atol=1e-6)
    assert calibrate(probabilities, 2.0).max() < 0.7
    assert calibrate(probabilities, 2.0).argmax() == 0


def test_fit_temperature_finds_the_temperature_that_was_applied():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (10_000, 10))
    calibrated = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (calibrated.cumsum(axis=1) > generator.random((10_000, 1))).argmax(axis=1)  # drawn with these probabilities
    assert fit_temperature(calibrate(calibrated, 0.5), labels) == pytest.approx(2.0, rel=0.05)


def test_fit_threshold_accepts_the_stated_share_of_outliers():
    generator = np.random.default_rng(0)
    outliers = calibrate(generator.dirichlet(np.ones(10), 2000).astype(np.float32), 1.0)
    threshold = fit_threshold(outliers, false_accept_rate=0.03)
    assert (log_odds(outliers) >= threshold).mean() == pytest.approx(0.03, abs=0.001)


def test_log_odds_still_differ_near_certainty():
    rows = np.array([[1.0, 1e-9] + [0.0] * 8, [1.0, 1e-12] + [0.0] * 8], np.float32)
    first, second = log_odds(rows)
    assert second > first + 5


def test_cross_entropy_equals_the_sum_by_hand_and_is_finite_for_a_wrong_certainty():
    probabilities = np.array([[0.5, 0.5] + [0.0] * 8, [0.25, 0.75] + [0.0] * 8])
    assert cross_entropy(probabilities, np.array([0, 0])) == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert np.isfinite(cross_entropy(probabilities, np.array([9, 9])))


def test_fit_balanced_threshold_gives_the_least_sum_of_both_error_rates():
    digits = np.array([-np.inf, 1, 2, 3, 4])  # the first one is read wrongly
    outliers = np.array([-1, 0, 1.5, 1.6, 3.5])
    assert fit_balanced_threshold(digits, outliers) == 2  # 3 of 5 digits and 1 of 5 outliers; from 1 on it is 4 and 3


def test_fit_temperature_looks_in_the_range_that_it_is_given():
    certain = np.full((9, 10), 1e-4, np.float32)
    certain[:, 3] = 1 - 9e-4
    labels = np.array([3, 3, 3, 3, 1, 2, 4, 5, 6])  # four of nine are right, so that is the best probability of a 3
    assert fit_temperature(certain, labels) == pytest.approx(MAX_TEMPERATURE)
    best = np.log((1 - 9e-4) / 1e-4) / np.log((4 / 9) / (5 / 81))
    assert fit_temperature(certain, labels, 0.1, 100) == pytest.approx(best, rel=0.05)
