"""Numbers and names are shown in one form: no answer as certain, no name on two lines."""

import pytest

from digits.common import formatting
from digits.common.score import Score


def test_a_score_is_shown_as_count_and_rate():
    assert formatting.count_and_rate(Score(n=10_000, correct=9_961, accuracy=0.9961)) == "9,961 / 10,000 (99.61 %)"


def test_no_answer_is_shown_as_certain():
    assert formatting.confidence(0.99999) == formatting.confidence(1.0) == "99.9 %"
    assert formatting.confidence(0.5) == "50.0 %"


def test_only_exactly_1_is_shown_as_100_percent():
    shown = [formatting.percent(fraction) for fraction in (None, 0, 0.97125, 0.999999, 1.0)]
    assert shown == ["-", "0.00 %", "97.12 %", "99.99 %", "100.00 %"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (1200, "1,200 images")])
def test_a_count_of_one_is_singular(count, text):
    assert formatting.counted(count, "image") == text


@pytest.mark.parametrize(
    ("name", "printed"),
    [("plain.png", "plain.png"), ("line\nbreak", r"line\nbreak"), (b"not\xffutf8", r"not\udcffutf8"), ("émoji😀", "émoji😀")],
)
def test_a_name_is_printed_on_one_line(name, printed):
    assert formatting.printable(name) == printed
