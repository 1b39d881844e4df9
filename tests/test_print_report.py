"""What verify_all_digits.py prints says the same as the report."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from answers import classification, reading

from digits.cli.print_report import count_rate_and_interval, frequent_confusions, print_report, rates_table
from digits.common.score import Score
from digits.evaluation.report import report_on_digits, report_on_readings
from digits.model.card import ModelCard
from digits.model.network_format import NetworkFormat

MODELS = {"model": Path("m.tflite"), "line reader": Path("l.tflite")}


@pytest.fixture
def four():
    """The report on four images, of which the last, a 2, is read as 7."""
    answers = classification([{0: 0.9}, {1: 0.8}, {2: 0.6, 3: 0.4}, {2: 0.25, 7: 0.75}])
    return report_on_digits(np.array([0, 1, 2, 2]), answers, dataset="MNIST", model="m.tflite")


def report_on(pairs):
    """Return the report on [(label, reading)]."""
    return report_on_readings([label for label, _ in pairs], [one for _, one in pairs], dataset="folder", model="m.tflite")


def with_confusion(report, matrix):
    return dataclasses.replace(report, confusion=matrix)


def test_the_count_stands_before_the_rate():
    assert count_rate_and_interval(Score(10_000, 9963, 0.9963)) == "9,963 / 10,000 (99.63 %, 95 % interval 99.49 to 99.73 %)"


def test_the_table_shows_each_digit_and_both_means(four):
    head, *rows = rates_table(four)
    assert head == ("digit", "accuracy", "precision", "recall", "F1", "support")
    assert [row[0] for row in rows] == [*"0123456789", "mean over digits", "mean over images"]
    assert rows[2] == ("2", "50.00 %", "100.00 %", "50.00 %", "66.67 %", "2")
    assert rows[3] == ("3", "-", "-", "-", "-", "0")
    # Means over what is defined: accuracy of 0, 1 and 2; precision of these and of 7, which was never true.
    assert rows[10][1:] == ("83.33 %", "75.00 %", "83.33 %", "66.67 %", "4")
    assert rows[11][1:] == ("75.00 %", "100.00 %", "75.00 %", "83.33 %", "4")


def test_a_table_of_nothing_but_long_texts_has_no_rates():
    rows = rates_table(report_on([("42", reading("42"))]))
    assert all(cell in ("-", "0") for row in rows[1:] for cell in row[1:])


def test_the_mean_over_images_counts_those_outside_the_confusion_matrix():
    labels, texts = ["1"] * 4 + ["2"], ["1", "", "", "11", "2"]
    rows = rates_table(report_on([(label, reading(text)) for label, text in zip(labels, texts, strict=True)]))
    assert rows[-1][:2] == ("mean over images", "40.00 %")


def test_the_most_frequent_confusions_come_first(four):
    matrix = np.diag([50] * 10)
    assert frequent_confusions(with_confusion(four, matrix)) == []
    matrix[4, 9], matrix[9, 4], matrix[7, 2] = 3, 8, 1
    assert frequent_confusions(with_confusion(four, matrix)) == [(9, 4, 8), (4, 9, 3), (7, 2, 1)]
    assert frequent_confusions(with_confusion(four, matrix), limit=1) == [(9, 4, 8)]


def test_a_report_is_printed_whole(four, capsys):
    print_report(four, ModelCard(), MODELS)
    printed = capsys.readouterr().out
    for expected in (
        "m.tflite (no card)",
        "line reader        l.tflite\n",
        "4, MNIST",
        "3 / 4 (75.00 %",
        "disputed labels",
        "2 read as 7  1",
    ):
        assert expected in printed
    assert "the card differs" not in printed


def test_a_report_says_how_a_network_without_a_card_takes_its_images_and_what_is_estimated(four, capsys):
    print_report(four, ModelCard(network_format=NetworkFormat((784,), "0 to 1"), threshold=1.5, estimated_on="9 digits"), MODELS)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["input", "(784,), 0 to 1, white on black"] in lines and ["output", "softmax"] in lines
    assert ["estimated", "input, output, threshold 1.50; on 9 digits"] in lines


@pytest.mark.parametrize(("correct", "data", "differs"), [(3, "MNIST", False), (4, "MNIST", True), (4, "other data", False)])
def test_a_card_with_another_score_on_the_same_data_is_mentioned(four, capsys, correct, data, differs):
    print_report(four, ModelCard(data=data, test=Score(4, correct, correct / 4)), MODELS)
    assert ("the card differs" in capsys.readouterr().out) == differs


def test_errors_in_a_folder_are_listed_with_label_text_and_status(capsys):
    pairs = [("1", reading("7", "unsure", image="7.png")), ("42", reading("42")), ("9", reading("", "error", image="error.png"))]
    print_report(report_on(pairs), ModelCard(), MODELS)
    printed = capsys.readouterr().out
    listed = printed[printed.index("read otherwise") :].split("\n")[1:3]
    assert [line.split() for line in listed] == [["7.png", "1", "7", "unsure"], ["error.png", "9", "-", "error"]]
    assert "unreadable" in printed and "not in the table" in printed
