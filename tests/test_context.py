"""A stroke beside digits is a 1, a slash, a comma or a part of another symbol, by its height and by what stands beside it."""

import numpy as np
import pytest

from digits.model.heat_map import CLASS_COUNT, COLON, COMMA, OTHER_INK, POINT, SLASH
from digits.reading.context import check_by_context
from digits.reading.detection import Detection

HEIGHT = 40.0


def detection(label, left, top=30.0, width=24.0, height=HEIGHT, probability=0.8, slash=0.0):
    """A detection. slash: the probability of a slash, where the class is another one."""
    probabilities = np.zeros(CLASS_COUNT, np.float32)
    probabilities[SLASH], probabilities[label] = slash, probability
    return Detection(label, probability, left, top, width, height, probabilities)


DIGITS = [detection(4, 20), detection(2, 60), detection(7, 160)]
A_SLASH = detection(SLASH, 90, width=12)
A_COLON = detection(COLON, 110, width=8, height=36, probability=0.6)


def check(*others):
    """The classes that are left of detections beside the three digits."""
    checked = check_by_context([*DIGITS, *others])
    assert checked[:3] == DIGITS
    return [one.label for one in checked[3:]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(detection(1, 110, width=8), [1], id="a 1"),
        pytest.param(detection(1, 110, width=8, slash=0.4), [1], id="a 1 that may be a slash, in a line without one"),
        pytest.param(detection(SLASH, 110, width=12), [SLASH], id="a slash"),
        pytest.param(detection(OTHER_INK, 110, width=8), [OTHER_INK], id="other ink"),
        pytest.param(detection(1, 110, top=55, width=6, height=18), [], id="a 1 as low as a comma"),
        pytest.param(detection(COMMA, 110, top=62, width=6, height=14), [COMMA], id="a comma"),
        pytest.param(detection(POINT, 70, top=45, width=5, height=5, probability=0.6), [], id="a point within a digit"),
        pytest.param(detection(POINT, 70, top=45, width=5, height=5, probability=0.9), [POINT], id="a surer point there"),
    ],
)
def test_a_detection_is_checked_by_the_digits_beside_it(other, expected):
    assert check(other) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(detection(1, 130, width=8, slash=0.3), SLASH, id="that may be a slash"),
        pytest.param(detection(1, 130, width=8, slash=0.1), 1, id="that is hardly a slash"),
        pytest.param(detection(1, 130, top=90, width=8, slash=0.3), 1, id="in another line"),
        pytest.param(detection(7, 130, width=8, slash=0.3), 7, id="no, a 7"),
    ],
)
def test_a_1_in_a_line_with_a_slash(one, expected):
    assert check(A_SLASH, one) == [SLASH, expected]


def test_a_1_that_becomes_a_slash_has_the_probability_of_both():
    *_, slash = check_by_context([*DIGITS, A_SLASH, detection(1, 130, width=8, slash=0.15 + 0.1, probability=0.6)])
    assert slash.label == SLASH and slash.probability == pytest.approx(0.85)


@pytest.mark.parametrize("probability", [0.4, 0.9])
def test_a_point_of_a_colon_is_a_part_of_it(probability):
    point = detection(POINT, 111, top=58, width=6, height=6, probability=probability)
    assert check(A_COLON, point) == [COLON]
    assert check(point) == [POINT]


def test_without_digits_nothing_is_changed():
    alone = [detection(POINT, 20, width=5, height=5)]
    assert check_by_context(alone) == alone
    assert check_by_context([]) == []
