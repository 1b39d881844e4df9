"""Every number in a report equals the count by hand, and its JSON is the one that programs rely on."""

import json

import numpy as np
import pytest
from answers import classification, reading

from digits.evaluation import metrics
from digits.evaluation.metrics import DigitRates
from digits.evaluation.report import ImageResult, Report, report_on_digits, report_on_readings
from digits.model.classifier import Classification

pytestmark = pytest.mark.filterwarnings("error")  # 0 / 0 is an answer here (None), never a warning
KEYS = [
    "dataset", "model", "parameters", "n", "correct", "accuracy", "interval95", "loss", "ece", "unsure", "per_digit",
    "confusion", "not_in_confusion", "disputed_errors", "errors",
]  # fmt: skip


# ---- images of single digits ----------------------------------------------------------------------------------------


@pytest.fixture
def four():
    """The report on four images, of which the last is read wrongly."""
    answers = classification([{0: 0.9}, {1: 0.8}, {2: 0.6, 3: 0.4}, {2: 0.25, 7: 0.75}], sure=[True, False, False, False])
    return report_on_digits(np.array([0, 1, 2, 2], np.uint8), answers, dataset="four", model="m.tflite", parameters=9)


def test_four_images_are_scored_as_by_hand(four):
    score = four.score
    assert (score.n, score.correct, score.accuracy) == (4, 3, 0.75)
    assert score.loss == pytest.approx(-np.log([0.9, 0.8, 0.6, 0.25]).mean())
    # The four confidences fall into four bins; in three of them every answer is correct, in the fourth none.
    assert score.ece == pytest.approx((0.1 + 0.2 + 0.4 + 0.75) / 4)
    assert score.unsure == 3
    assert (four.not_in_confusion, four.disputed_errors, four.errors) == (0, 0, 0)


def test_the_json_has_the_keys_and_values_of_the_contract(four):
    content = json.loads(json.dumps(four.to_json(), allow_nan=False))
    assert sorted(content) == sorted(KEYS)
    assert (content["dataset"], content["model"], content["parameters"]) == ("four", "m.tflite", 9)
    assert (content["n"], content["correct"], content["accuracy"], content["unsure"]) == (4, 3, 0.75, 3)
    assert content["interval95"] == list(metrics.wilson_interval(3, 4))
    assert list(content["per_digit"]) == list("0123456789")
    assert content["per_digit"]["2"] == {
        "accuracy": 0.5, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2,
    }  # fmt: skip
    assert content["per_digit"]["3"] == {"accuracy": None, "precision": None, "recall": None, "f1": None, "support": 0}
    assert content["confusion"][2] == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert np.shape(content["confusion"]) == (10, 10)


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_every_label_is_counted_once(count):
    generator = np.random.default_rng(count)
    labels = generator.integers(0, 10, count).astype(np.uint8)
    answers = Classification(generator.dirichlet(np.ones(10), count).astype(np.float32), np.zeros(count), np.ones(count, bool))
    report = report_on_digits(labels, answers, dataset="d", model="m")
    assert report.score.n == report.confusion.sum() == sum(rates.support for rates in report.per_digit) == count
    assert report.score.correct == report.confusion.trace()


@pytest.mark.parametrize(("is_mnist", "expected"), [(True, 2), (False, 0)])
def test_disputed_labels_are_known_of_mnist_alone(is_mnist, expected):
    labels = np.zeros(10_000, np.uint8)
    answers = labels.copy()
    answers[[947, 9729, 0, 946, 9999]] = 1  # two of the disputed images and three others
    probabilities = np.eye(10, dtype=np.float32)[answers]
    certain = Classification(probabilities, np.zeros(10_000), np.ones(10_000, bool))
    report = report_on_digits(labels, certain, dataset="d", model="m", is_mnist=is_mnist)
    assert report.disputed_errors == expected
    assert report.score.correct == 9_995


# ---- images with texts ----------------------------------------------------------------------------------------------


PAIRS = [  # (label, reading)
    ("8", reading("", "empty")),
    ("7", reading("7")),
    ("1", reading("7", confidences=[0.6])),  # wrong
    ("3", reading("3", "unsure", [0.5])),  # correct, though it was not sure
    ("4", reading("41", confidences=[0.8, 0.7])),  # one digit, read as two: wrong, outside the confusion matrix
    ("42", reading("42", confidences=[0.9, 0.99], image="42.png")),  # correct, outside the confusion matrix
    ("5|6", reading("56")),  # the text lines are part of the text: wrong
    ("9", reading("", "error")),
]


def report_on(pairs):
    return report_on_readings([label for label, _ in pairs], [one for _, one in pairs], dataset="folder", model="m.tflite")


@pytest.fixture
def eight():
    """The report on PAIRS."""
    return report_on(PAIRS)


def test_readings_are_scored_as_by_hand(eight):
    score = eight.score
    assert (score.n, score.correct, score.accuracy) == (8, 3, 3 / 8)
    assert score.interval95 == metrics.wilson_interval(3, 8)
    assert score.loss is None
    assert (score.unsure, eight.errors, eight.disputed_errors) == (1, 1, 0)
    # Lowest confidences 0.9, 0.6, 0.5, 0.7, 0.9, 0.9: one bin of 0.9 with two of three correct, three bins of one.
    assert score.ece == pytest.approx((3 * (0.9 - 2 / 3) + 0.6 + 0.5 + 0.7) / 6)


def test_the_confusion_matrix_of_readings_covers_single_digits_read_as_one(eight):
    expected = np.zeros((10, 10), int)
    expected[7, 7] = expected[1, 7] = expected[3, 3] = 1
    assert np.array_equal(eight.confusion, expected)
    assert eight.not_in_confusion == 5
    assert eight.confusion.sum() + eight.not_in_confusion == eight.score.n


def test_a_digits_accuracy_counts_the_images_outside_the_confusion_matrix_too(eight):
    assert eight.per_digit[4].accuracy == 0
    assert eight.per_digit[4].recall is None
    assert eight.per_digit[8].accuracy == 0
    assert eight.per_digit[7] == DigitRates(1.0, 0.5, 1.0, pytest.approx(2 / 3), 1)
    assert eight.per_digit[0].accuracy is None


def test_each_image_is_listed_with_its_own_label_and_answer(eight):
    assert [(image.label, image.text) for image in eight.images] == [(label, one.text) for label, one in PAIRS]
    assert eight.images[5] == ImageResult("42.png", "42", "42", "ok", 0.9)
    assert [image.confidence for image in eight.images] == [None, 0.9, 0.6, 0.5, 0.7, 0.9, 0.9, None]
    assert [image.correct for image in eight.images] == [False, True, False, True, False, True, False, False]


def test_the_json_of_readings_lists_the_images_and_has_no_loss(eight):
    content = json.loads(json.dumps(eight.to_json(), allow_nan=False))
    assert sorted(content) == sorted([*KEYS, "pictures"])
    assert content["loss"] is None
    assert content["parameters"] is None
    expected = {"image": "42.png", "label": "42", "text": "42", "status": "ok", "confidence": 0.9}
    assert content["pictures"][5] == expected


@pytest.mark.parametrize("name", ["four", "eight"])
def test_a_report_is_read_back_from_its_json(name, request):
    report = request.getfixturevalue(name)
    content = json.loads(json.dumps(report.to_json()))
    again = Report.from_json(content)
    assert again.to_json() == content
    assert again.score == report.score
    assert again.per_digit == report.per_digit
    assert again.images == report.images


def test_marks_count_only_where_the_label_has_some():
    labels = ["1250", "12.50", "12.50", "12.50", "7", "1", "-7", "7"]
    texts = ["12.50", "12.50", "1250", "12,50", "-7", "7.", "7", "-"]
    report = report_on([(label, reading(text)) for label, text in zip(labels, texts, strict=True)])
    assert [image.correct for image in report.images] == [True, True, False, False, True, False, False, False]
    assert (report.score.n, report.score.correct) == (8, 3)
    expected = np.zeros((10, 10), int)
    expected[7, 7] = expected[1, 7] = 1  # the labels 7 and 1, read as -7 and 7. ; a minus alone is no digit
    assert np.array_equal(report.confusion, expected)
    assert report.not_in_confusion == 6
    assert [report.per_digit[digit].accuracy for digit in (1, 7)] == [0, 0.5]
    assert [image["text"] for image in report.to_json()["pictures"]] == texts


@pytest.mark.parametrize("one", [reading("42"), reading("", "error")], ids=["a number", "an error"])
def test_readings_without_a_single_digit_leave_the_confusion_matrix_empty(one):
    report = report_on([("42", one)])
    assert np.array_equal(report.confusion, np.zeros((10, 10)))
    assert report.per_digit[4] == DigitRates(None, None, None, None, 0)
    assert (report.score.ece is None) == (one.status == "error")
    assert report.to_json()["ece"] == report.score.ece


def test_labels_and_readings_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        report_on_readings(["1", "2"], [reading("1")], dataset="d", model="m")
