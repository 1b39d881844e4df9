"""Every number in a report equals the count by hand, and what is undefined is None."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from digits import report

pytestmark = pytest.mark.filterwarnings("error")  # 0 / 0 is an answer here (None), never a warning


def probabilities_of(rows):
    """Return (N, 10) float32 from [{digit: probability}]; the rest is spread over the digits not named."""
    result = np.zeros((len(rows), 10), np.float32)
    for i, row in enumerate(rows):
        result[i] = (1 - sum(row.values())) / (10 - len(row))
        for digit, probability in row.items():
            result[i, digit] = probability
    return result


# ---- single digits --------------------------------------------------------------------------------------------

LABELS = np.array([0, 1, 2, 2], np.uint8)
PROBABILITIES = probabilities_of([{0: 0.9}, {1: 0.8}, {2: 0.6, 3: 0.4}, {2: 0.25, 7: 0.75}])  # the last one is wrong
SURE = np.array([True, False, False, False])


@pytest.fixture
def four():
    return report.score_arrays(LABELS, PROBABILITIES, SURE, is_mnist=False)


def test_four_pictures_are_scored_as_by_hand(four):
    assert (four["n"], four["correct"], four["accuracy"]) == (4, 3, 0.75)
    assert four["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.6, 0.25]).mean())
    # The four confidences fall into four bins; in three of them all is right, in the fourth nothing.
    assert four["ece"] == pytest.approx((0.1 + 0.2 + 0.4 + 0.75) / 4)
    assert four["unsure"] == 3
    assert (four["not_in_confusion"], four["disputed_errors"], four["errors"]) == (0, 0, 0)


def test_the_confusion_has_truth_in_rows_and_answers_in_columns(four):
    expected = np.zeros((10, 10), int)
    expected[0, 0] = expected[1, 1] = expected[2, 2] = expected[2, 7] = 1
    assert four["confusion"] == expected.tolist()


def test_the_rates_of_each_digit_are_those_by_hand(four):
    perfect = {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    never = {"accuracy": None, "precision": None, "recall": None, "f1": None, "support": 0}
    assert four["per_digit"] == {
        "0": perfect,
        "1": perfect,
        "2": {"accuracy": 0.5, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
        "7": {"accuracy": None, "precision": 0.0, "recall": None, "f1": 0.0, "support": 0},  # answered, never true
    } | {digit: never for digit in "345689"}


def test_a_digit_that_is_never_answered_has_no_precision():
    scores = report.score_arrays(np.array([5, 6]), probabilities_of([{6: 0.9}, {6: 0.9}]), np.ones(2, bool), is_mnist=False)
    assert scores["per_digit"]["5"] == {"accuracy": 0.0, "precision": None, "recall": 0.0, "f1": 0.0, "support": 1}


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_every_label_is_counted_once(count):
    generator = np.random.default_rng(count)
    labels = generator.integers(0, 10, count).astype(np.uint8)
    probabilities = generator.dirichlet(np.ones(10), count).astype(np.float32)
    scores = report.score_arrays(labels, probabilities, np.ones(count, bool), is_mnist=False)
    assert scores["n"] == np.sum(scores["confusion"]) == sum(row["support"] for row in scores["per_digit"].values()) == count
    assert scores["correct"] == np.trace(scores["confusion"])


def test_a_certain_error_costs_much_and_not_infinity():
    scores = report.score_arrays(np.array([3]), np.eye(10, dtype=np.float32)[[4]], np.ones(1, bool), is_mnist=False)
    assert scores["loss"] == pytest.approx(-np.log(1e-30), rel=1e-5)


@pytest.mark.parametrize(("is_mnist", "expected"), [(True, 2), (False, 0)])
def test_disputed_labels_are_known_of_mnist_alone(is_mnist, expected):
    labels = np.zeros(10_000, np.uint8)
    answers = labels.copy()
    answers[[947, 9729, 0, 946, 9999]] = 1  # two of the disputed pictures and three others
    probabilities = np.eye(10, dtype=np.float32)[answers]
    scores = report.score_arrays(labels, probabilities, np.ones(10_000, bool), is_mnist)
    assert scores["disputed_errors"] == expected
    assert scores["correct"] == 9_995


def test_a_report_is_json_as_it_is(four):
    assert json.loads(json.dumps(four, allow_nan=False)) == four


# ---- intervals and calibration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "n"),
    [(9975, 10_000), (9963, 10_000), (0, 10), (10, 10), (5, 10), (1, 1), (0, 1), (37, 41)]
    + [(0, 2), (20, 20)],  # with these the formula's rounding errors lead out of 0 to 1
)
def test_the_interval_is_wilsons(correct, n):
    low, high = report.wilson_interval(correct, n)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-7)
    assert 0 <= low <= high <= 1


def test_the_interval_of_9975_in_10000_is_the_published_formulas():
    # (p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n), worked out for p = 0.9975, n = 10,000, z = 1.959964.
    assert report.wilson_interval(9975, 10_000) == pytest.approx([0.996311, 0.998306], abs=1e-6)


def test_the_calibration_error_is_the_one_by_hand():
    # Two of 15 bins: 0.88 and 0.92 in the 14th (0.867 to 0.933), half right; 0.5 in the 8th, right.
    confidence, right = np.array([0.88, 0.92, 0.50]), np.array([True, False, True])
    assert report.reliability(confidence, right) == [(0.5, 1.0, 1), (pytest.approx(0.9), 0.5, 2)]
    assert report.calibration_error(confidence, right) == pytest.approx((1 * 0.5 + 2 * 0.4) / 3)


def test_full_and_no_confidence_have_their_bins():
    assert report.reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, False])) == [(0.0, 0.0, 1), (1.0, 0.5, 2)]
    assert len(report.reliability(np.array([0.95, 1.0]), np.array([True, True]))) == 1, "1 belongs to the last bin"
    assert report.calibration_error(np.array([0.0, 1.0, 1.0]), np.array([False, True, True])) == 0


def test_without_an_answer_there_is_no_calibration_error():
    assert report.calibration_error(np.array([]), np.array([], bool)) is None


# ---- pictures with texts --------------------------------------------------------------------------------------


def entry(text, *confidences, status="ok"):
    digits = [{"digit": 0, "confidence": confidence} for confidence in confidences]
    return {"image": f"{text or status}.png", "status": status, "text": text, "message": "", "digits": digits}


READINGS = [  # (label, entry)
    ("8", entry("", status="empty")),
    ("7", entry("7", 0.9)),
    ("1", entry("7", 0.6)),  # wrong
    ("3", entry("3", 0.5, status="unsure")),  # right, though it was not sure
    ("4", entry("41", 0.8, 0.7)),  # one digit, read as two: wrong, outside the confusion
    ("42", entry("42", 0.9, 0.99)),  # right, outside the confusion
    ("5|6", entry("56", 0.9, 0.9)),  # the rows are part of the text: wrong
    ("9", entry("", status="error")),
]


@pytest.fixture
def readings():
    return report.score_readings([label for label, _ in READINGS], [entry for _, entry in READINGS])


def test_readings_are_scored_as_by_hand(readings):
    assert (readings["n"], readings["correct"], readings["accuracy"]) == (8, 3, 3 / 8)
    assert readings["interval95"] == report.wilson_interval(3, 8)
    assert readings["loss"] is None
    assert (readings["unsure"], readings["errors"], readings["disputed_errors"]) == (1, 1, 0)
    # Least confidences 0.9, 0.6, 0.5, 0.7, 0.9, 0.9: one bin of 0.9 with two of three right, three bins of one.
    assert readings["ece"] == pytest.approx((3 * (0.9 - 2 / 3) + 0.6 + 0.5 + 0.7) / 6)


def test_the_confusion_of_readings_covers_single_digits_read_as_one(readings):
    expected = np.zeros((10, 10), int)
    expected[7, 7] = expected[1, 7] = expected[3, 3] = 1
    assert readings["confusion"] == expected.tolist()
    assert readings["not_in_confusion"] == 5
    assert np.sum(readings["confusion"]) + readings["not_in_confusion"] == readings["n"]


def test_a_digits_accuracy_counts_the_pictures_outside_the_confusion_too(readings):
    assert readings["per_digit"]["4"]["accuracy"] == 0
    assert readings["per_digit"]["4"]["recall"] is None
    assert readings["per_digit"]["8"]["accuracy"] == 0
    seven = {"accuracy": 1.0, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}
    assert readings["per_digit"]["7"] == seven
    assert readings["per_digit"]["0"]["accuracy"] is None


def test_each_picture_is_listed_with_its_own_label_and_answer(readings):
    listed = [(picture["label"], picture["text"]) for picture in readings["pictures"]]
    assert listed == [(label, entry["text"]) for label, entry in READINGS]
    assert readings["pictures"][5] == {"image": "42.png", "label": "42", "text": "42", "status": "ok", "confidence": 0.9}
    assert [picture["confidence"] for picture in readings["pictures"]] == [None, 0.9, 0.6, 0.5, 0.7, 0.9, 0.9, None]


def test_a_report_on_readings_is_json_as_it_is(readings):
    assert json.loads(json.dumps(readings, allow_nan=False)) == readings


@pytest.mark.parametrize("read", [entry("42", 0.9, 0.8), entry("", status="error")])
def test_readings_without_a_single_digit_leave_the_confusion_empty(read):
    scores = report.score_readings(["42"], [read])
    assert np.sum(scores["confusion"]) == 0
    assert np.shape(scores["confusion"]) == (10, 10)
    assert scores["per_digit"]["4"] == {"accuracy": None, "precision": None, "recall": None, "f1": None, "support": 0}
    assert (scores["ece"] is None) == (read["status"] == "error")


def test_labels_and_readings_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        report.score_readings(["1", "2"], [entry("1", 0.9)])


# ---- for the screen -------------------------------------------------------------------------------------------


def test_the_count_stands_before_the_rate():
    scores = {"correct": 9963, "n": 10_000, "accuracy": 0.9963, "interval95": report.wilson_interval(9963, 10_000)}
    assert report.count_rate_and_interval(scores) == "9,963 / 10,000 (99.63 %, 95 % interval 99.49 to 99.73 %)"


def test_the_table_shows_each_digit_and_both_means(four):
    head, *rows = report.table(four)
    assert head == ("digit", "accuracy", "precision", "recall", "F1", "support")
    assert [row[0] for row in rows] == [*"0123456789", "mean over digits", "mean over pictures"]
    assert rows[2] == ("2", "50.00 %", "100.00 %", "50.00 %", "66.67 %", "2")
    assert rows[3] == ("3", "-", "-", "-", "-", "0")
    # Means over what is defined: accuracy of 0, 1 and 2; precision of these and of 7, which was never true.
    assert rows[10][1:] == ("83.33 %", "75.00 %", "83.33 %", "66.67 %", "4")
    assert rows[11][1:] == ("75.00 %", "100.00 %", "75.00 %", "83.33 %", "4")


def test_a_table_of_nothing_but_long_texts_has_no_rates():
    rows = report.table(report.score_readings(["42"], [entry("42", 0.9, 0.8)]))
    assert all(cell in ("-", "0") for row in rows[1:] for cell in row[1:])


def test_the_mean_over_pictures_counts_those_that_are_not_in_the_confusion():
    labels, texts = ["1"] * 4 + ["2"], ["1", "", "", "11", "2"]
    rows = report.table(report.score_readings(labels, [entry(text, *[0.9] * len(text)) for text in texts]))
    assert rows[-1][:2] == ("mean over pictures", "40.00 %")


def test_the_most_frequent_confusions_come_first():
    confusion = np.diag([50] * 10)
    confusion[4, 9], confusion[9, 4], confusion[7, 2] = 3, 8, 1
    assert report.frequent_confusions({"confusion": confusion.tolist()}) == [(9, 4, 8), (4, 9, 3), (7, 2, 1)]
    assert report.frequent_confusions({"confusion": confusion.tolist()}, most=1) == [(9, 4, 8)]
    assert report.frequent_confusions({"confusion": np.diag([50] * 10).tolist()}) == []
