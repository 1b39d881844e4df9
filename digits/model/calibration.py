"""How sure an answer is: temperature scaling, log-odds, and how training fits the card's temperature and threshold.

Temperature scaling: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
"""

import numpy as np

LOG_FLOOR = 1e-30  # smaller probabilities count as this, so that logarithms stay finite; the least float32 is 1e-38
# Where probabilities of several networks or places are multiplied, smaller ones count as this: none of these networks is right
# more often than 999 times in 1,000.
PROBABILITY_FLOOR = 1e-3
# The temperatures that are tried: 1 is no change; the shipped networks had 1.04 to 1.19, so a factor of 4 each way leaves room.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 4.0
TEMPERATURE_COUNT = 161  # of them, 1.75 % apart; a step changes a probability of 0.9 by 0.004


def calibrate(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities, (N, 10) float32, as if the network's logits had been divided by the temperature, above 0."""
    return softmax(np.log(np.maximum(probabilities, LOG_FLOOR)) / temperature).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits, each row with the sum 1. logits: (N, classes)."""
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)) of each row's largest probability p, (N,) float32. probabilities: (N, 10) float32."""
    largest_last = np.sort(probabilities, axis=1)
    rest = largest_last[:, :-1].sum(axis=1)  # more exact than 1 - p, which may round to 0
    return np.log(largest_last[:, -1] / np.maximum(rest, LOG_FLOOR)).astype(np.float32)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of -log(the label's probability), in nats.

    probabilities: (N, 10), 0 to 1. labels: (N,) integers, 0 to 9.
    """
    label_probabilities = np.maximum(probabilities[np.arange(len(labels)), labels], LOG_FLOOR)
    return float(-np.log(label_probabilities).mean())


def fit_temperature(
    probabilities: np.ndarray, labels: np.ndarray, low: float = MIN_TEMPERATURE, high: float = MAX_TEMPERATURE
) -> float:
    """Return the temperature with the least cross-entropy, of TEMPERATURE_COUNT from low to high.

    probabilities: (N, 10) float32, not calibrated, of images that the network did not learn from. labels: (N,) integers, 0 to 9.
    """
    candidates = np.geomspace(low, high, TEMPERATURE_COUNT)
    return float(min(candidates, key=lambda temperature: cross_entropy(calibrate(probabilities, temperature), labels)))


def fit_threshold(probabilities: np.ndarray, false_accept_rate: float) -> float:
    """Return the log-odds that only this share of the outliers reaches.

    probabilities: (N, 10) float32, calibrated, of outliers: images that show no digit. false_accept_rate: 0 to 1.
    """
    return float(np.quantile(log_odds(probabilities), 1 - false_accept_rate))


def fit_balanced_threshold(of_digits: np.ndarray, of_outliers: np.ndarray) -> float:
    """Return the log-odds at which the sum of two rates is least: digits that don't reach it, and outliers that do.

    This is the threshold of Youden's index (Youden 1950). of_digits, of_outliers: log-odds, (N,) and (M,) float32, N and M at
    least 1. A digit that is read wrongly counts as -inf.
    """
    candidates = np.unique(of_digits[np.isfinite(of_digits)])
    return float(max(candidates, key=lambda threshold: np.mean(of_digits >= threshold) - np.mean(of_outliers >= threshold)))
