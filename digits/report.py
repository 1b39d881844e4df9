"""Labels and answers -> counts, rates, tables and the JSON of verify_all_digits.py.

Rates are fractions of 1; what is undefined (a precision without a single answer) is None. verify_all_digits.py --json writes:

    dataset, model, parameters          what was scored: names; the network's parameters, None without a card
    n, correct, accuracy, interval95    pictures, those read right, their share, its 95 % interval [low, high]
    loss, ece                           cross-entropy (None for a folder); expected calibration error, 15 equal bins
    per_digit                           {"0": {"accuracy", "precision", "recall", "f1", "support"}, ...}
    confusion, not_in_confusion         10 x 10 counts, row: truth; pictures with more digits than one, or not read as one
    unsure, errors, disputed_errors     pictures that are "not sure"; unreadable files; errors on labels that people dispute
    pictures                            of a folder: [{"image", "label", "text", "status", "confidence"}, ...]
"""

import numpy as np

from digits.command_line import percent
from digits.config import NUM_CLASSES

# Test pictures whose label fewer than three of five readers agreed with (cleanlab/label-errors; indices from 0).
DISPUTED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
CALIBRATION_BINS = 15  # equal in width (Guo et al. 2017)
LEAST_PROBABILITY = 1e-30  # smaller ones count as this, so that logarithms stay finite. chosen
Z95 = 1.959964  # the normal distribution's 97.5th percentile


def score_arrays(labels, probabilities, sure, is_mnist):
    """Return the report on pictures that are single digits.

    labels: (N,) integers, 0 to 9. probabilities: (N, 10) float32, calibrated; loss and calibration error are of these.
    sure: (N,) bool. is_mnist: whether they are MNIST's test pictures, of which the disputed labels are known.
    """
    answers = probabilities.argmax(axis=1)
    right = answers == labels
    disputed = [i for i in DISPUTED if is_mnist and not right[i]]
    return {
        **_with_interval(rate(right)),
        "loss": cross_entropy(probabilities, labels),
        "ece": calibration_error(probabilities.max(axis=1), right),
        "per_digit": _per_digit(labels, answers, labels, right),
        "confusion": _confusion(labels, answers),
        "not_in_confusion": 0,
        "unsure": int(np.sum(~sure)),
        "disputed_errors": len(disputed),
        "errors": 0,
    }


def score_readings(labels, entries):
    """Return the report on pictures of which each has a text as its label.

    labels: [text]. entries: what Recognizer.read returned for each. A picture is right when the text equals its label,
    also when it is unsure. The confusion matrix covers one-digit labels that were read as one digit.
    """
    texts = [entry["text"] for entry in entries]
    right = np.array([text == label for text, label in zip(texts, labels, strict=True)], bool)
    confidence = [least_confidence(entry) for entry in entries]
    single = [i for i, label in enumerate(labels) if len(label) == 1]
    inside = [i for i in single if len(texts[i]) == 1]
    truth, answers = [np.array([int(text[i]) for i in inside], int) for text in (labels, texts)]
    answered = [i for i, value in enumerate(confidence) if value is not None]
    return {
        **_with_interval(rate(right)),
        "loss": None,
        "ece": calibration_error(np.array([confidence[i] for i in answered]), right[answered]),
        "per_digit": _per_digit(truth, answers, np.array([int(labels[i]) for i in single], int), right[single]),
        "confusion": _confusion(truth, answers),
        "not_in_confusion": len(labels) - len(inside),
        "unsure": sum(entry["status"] == "unsure" for entry in entries),
        "disputed_errors": 0,
        "pictures": [
            {"image": entry["image"], "label": label, "text": entry["text"], "status": entry["status"], "confidence": value}
            for entry, label, value in zip(entries, labels, confidence, strict=True)
        ],
        "errors": sum(entry["status"] == "error" for entry in entries),
    }


def least_confidence(entry):
    """Return the confidence of an entry's least certain digit, or None where it has none."""
    return min((digit["confidence"] for digit in entry["digits"]), default=None)


def rate(right):
    """Return {"n", "correct", "accuracy"} of answers that are right or not, (N,) bool, at least one."""
    n, correct = len(right), int(right.sum())
    return {"n": n, "correct": correct, "accuracy": correct / n}


def _with_interval(score):
    return {**score, "interval95": wilson_interval(score["correct"], score["n"])}


def cross_entropy(probabilities, labels):
    """Return the mean of -log(the right digit's probability). probabilities: (N, 10), 0 to 1. labels: (N,) integers, 0 to 9."""
    of_the_right_one = np.maximum(probabilities[np.arange(len(labels)), labels], LEAST_PROBABILITY)
    return float(-np.log(of_the_right_one).mean())


def wilson_interval(correct, n):
    """Return [low, high], the 95 % score interval of a rate (Wilson 1927). Unlike correct/n ± 2 standard errors it
    stays within 0 to 1 and holds at rates near 1, where ours are."""
    rate = correct / n
    centre = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (rate * (1 - rate) / n + Z95**2 / (4 * n**2)) ** 0.5
    return [max(0.0, centre - half), min(1.0, centre + half)]


def reliability(confidence, right):
    """Return [(mean confidence, share right, count)] of the filled ones of 15 equal bins from 0 to 1."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        (float(confidence[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum())) for b in np.unique(bins)
    ]


def calibration_error(confidence, right):
    """Return the expected calibration error (Guo et al. 2017), the mean gap between confidence and share right; None
    where nothing was answered. confidence: (N,) 0 to 1. right: (N,) bool."""
    if len(confidence) == 0:
        return None
    return sum(count * abs(mean - share) for mean, share, count in reliability(confidence, right)) / len(confidence)


def _confusion(truth, answers):
    """Return the 10 x 10 counts, row: truth, as lists."""
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES), int)
    np.add.at(counts, (truth, answers), 1)
    return counts.tolist()


def _per_digit(truth, answers, labels, right):
    """Return {"0": rates, ...}. Accuracy is of all pictures with this label; the other rates are of the confusion."""
    from sklearn.metrics import precision_recall_fscore_support  # here: the import takes a second

    if len(truth):
        precision, recall, f1, support = precision_recall_fscore_support(
            truth, answers, labels=range(NUM_CLASSES), zero_division=np.nan
        )
    else:  # scikit-learn refuses to count nothing
        precision = recall = f1 = np.full(NUM_CLASSES, np.nan)
        support = np.zeros(NUM_CLASSES, int)
    return {
        str(digit): {
            "accuracy": _or_none(right[labels == digit].mean() if np.any(labels == digit) else np.nan),
            "precision": _or_none(precision[digit]),
            "recall": _or_none(recall[digit]),
            "f1": _or_none(f1[digit]),
            "support": int(support[digit]),
        }
        for digit in range(NUM_CLASSES)
    }


def _or_none(value):
    return None if np.isnan(value) else float(value)


# ---- for the screen -------------------------------------------------------------------------------------------


def count_rate_and_interval(report):
    """Return "9,963 / 10,000 (99.63 %, 95 % interval 99.49 to 99.73 %)"."""
    low, high = report["interval95"]
    return (
        f"{report['correct']:,} / {report['n']:,} ({percent(report['accuracy'])}, "
        f"95 % interval {100 * low:.2f} to {percent(high)})"
    )


def table(report):
    """Return the rows of the per-digit table, the head first, the means over digits and over pictures last."""
    columns = ("accuracy", "precision", "recall", "f1")
    digits = report["per_digit"]
    rows = [("digit", "accuracy", "precision", "recall", "F1", "support")]
    for digit, rates in digits.items():
        rows.append((digit, *(percent(rates[column]) for column in columns), f"{rates['support']:,}"))
    supports = [rates["support"] for rates in digits.values()]
    labels = [picture["label"] for picture in report.get("pictures", [])]
    pictures = [labels.count(digit) for digit in digits] if labels else supports  # also those that are not in the confusion
    for name, of_accuracy, of_others in (("mean over digits", [1] * 10, [1] * 10), ("mean over pictures", pictures, supports)):
        weights = {column: of_accuracy if column == "accuracy" else of_others for column in columns}
        means = [_mean([rates[column] for rates in digits.values()], weights[column]) for column in columns]
        rows.append((name, *map(percent, means), f"{sum(supports):,}"))
    return rows


def _mean(rates, weights):
    """Return the weighted mean of the rates that are not None, None without any."""
    known = [(rate, weight) for rate, weight in zip(rates, weights, strict=True) if rate is not None and weight]
    return sum(rate * weight for rate, weight in known) / sum(weight for _, weight in known) if known else None


def frequent_confusions(report, most=5):
    """Return [(truth, answer, count)], the most frequent first."""
    pairs = [
        (truth, answer, count)
        for truth, row in enumerate(report["confusion"])
        for answer, count in enumerate(row)
        if truth != answer and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]
