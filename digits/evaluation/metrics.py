"""Labels and answers -> counts and rates. Pure functions on arrays. Rates are fractions of 1; an undefined rate is None."""

import dataclasses
import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.common.score import Score
from digits.model.calibration import cross_entropy

CALIBRATION_BINS = 15  # equal in width (Guo et al. 2017)
Z95 = statistics.NormalDist().inv_cdf(0.975)  # two sides of 2.5 % leave 95 %


@dataclass(frozen=True)
class DigitRates:
    """How well one digit is read; each rate 0 to 1, or None where it is undefined.

    accuracy: of all images with this label. precision, recall, f1: of the images in the confusion matrix. support: how many of
    them have this label.
    """

    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    support: int

    def to_json(self) -> dict[str, Any]:
        """Return the rates as a dict that json can write."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "DigitRates":
        """Return the rates that to_json wrote."""
        return cls(**content)


def score_answers(correct: np.ndarray) -> Score:
    """Return the Score of N answers with its n, correct and accuracy alone. correct: (N,) bool, N at least 1."""
    n, count = len(correct), int(correct.sum())
    return Score(n, count, count / n)


def score_predictions(labels: np.ndarray, probabilities: np.ndarray, sure: np.ndarray) -> Score:
    """Return the Score of N images that each show one digit, complete.

    labels: (N,) integers, 0 to 9. probabilities: (N, 10) float32, calibrated. sure: (N,) bool.
    """
    correct = probabilities.argmax(axis=1) == labels
    score = score_answers(correct)
    return dataclasses.replace(
        score,
        interval95=wilson_interval(score.correct, score.n),
        loss=cross_entropy(probabilities, labels),
        ece=calibration_error(probabilities.max(axis=1), correct),
        unsure=int(np.sum(~sure)),
    )


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Return (low, high), the 95 % score interval of the rate correct / n (Wilson 1927).

    Unlike correct / n plus or minus 2 standard errors, it stays within 0 to 1 and holds at rates near 1, where ours are.
    """
    rate = correct / n
    centre = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (rate * (1 - rate) / n + Z95**2 / (4 * n**2)) ** 0.5
    return 0.0 if correct == 0 else centre - half, 1.0 if correct == n else centre + half  # both ends exactly, without rounding


def reliability(confidence: np.ndarray, correct: np.ndarray) -> list[tuple[float, float, int]]:
    """Return [(mean confidence, accuracy, count)] of the bins that are not empty, of 15 equal bins from 0 to 1.

    confidence: (N,) float, 0 to 1. correct: (N,) bool.
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        (float(confidence[bins == b].mean()), float(correct[bins == b].mean()), int((bins == b).sum())) for b in np.unique(bins)
    ]


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """Return the expected calibration error (Guo et al. 2017), the mean gap between confidence and accuracy, 0 to 1.

    confidence: (N,) float, 0 to 1. correct: (N,) bool. None for N = 0.
    """
    if len(confidence) == 0:
        return None
    bins = reliability(confidence, correct)
    return sum(count * abs(mean - accuracy) for mean, accuracy, count in bins) / len(confidence)


def confusion_matrix(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the counts of each true digit and each answer, (10, 10) int; a row holds the images with one label.

    truth, answers: (N,) integers, 0 to 9.
    """
    if len(truth) == 0:  # scikit-learn refuses to count nothing
        return np.zeros((NUM_CLASSES, NUM_CLASSES), int)
    from sklearn import metrics  # here: the import takes a second, and most users of this module do without

    return metrics.confusion_matrix(truth, answers, labels=range(NUM_CLASSES))


def rates_by_digit(labels: np.ndarray, correct: np.ndarray, truth: np.ndarray, answers: np.ndarray) -> tuple[DigitRates, ...]:
    """Return the DigitRates of the ten digits, in their order.

    labels: (N,) integers, 0 to 9, of all images whose label is one digit. correct: (N,) bool. truth, answers: (M,) integers, 0
    to 9, of those of them that are in the confusion matrix.
    """
    precision = recall = f1 = np.full(NUM_CLASSES, np.nan)
    support = np.zeros(NUM_CLASSES, int)
    if len(truth):  # scikit-learn refuses to count nothing
        from sklearn import metrics  # here: the import takes a second, and most users of this module do without

        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            truth, answers, labels=range(NUM_CLASSES), zero_division=np.nan
        )
    return tuple(
        DigitRates(
            accuracy=score_answers(correct[labels == digit]).accuracy if np.any(labels == digit) else None,
            precision=_none_if_nan(precision[digit]),
            recall=_none_if_nan(recall[digit]),
            f1=_none_if_nan(f1[digit]),
            support=int(support[digit]),
        )
        for digit in range(NUM_CLASSES)
    )


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
