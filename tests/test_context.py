"""A stroke beside digits is a 1, a slash, a comma or a part of a digit, by its height, its place and its contrast."""

import numpy as np
import pytest

from digits.model.heat_map import CLASS_COUNT, COMMA, OTHER_INK, POINT, SLASH
from digits.reading.context import check_by_context
from digits.reading.detection import Detection

HEIGHT = 40.0


def detection(label, left, top=30.0, width=24.0, height=HEIGHT, probability=0.8, one=0.0):
    """A detection. one: the probability of a 1, where the class is another one."""
    probabilities = np.zeros(CLASS_COUNT, np.float32)
    probabilities[1], probabilities[label] = one, probability
    return Detection(label, probability, left, top, width, height, probabilities)


DIGITS = [detection(4, 20), detection(2, 60), detection(7, 160)]


def check(*others, faint=()):
    """What becomes of detections beside the three digits. faint: those whose ink is hardly darker than the paper."""
    grey = np.full((120, 250), 230, np.uint8)
    for one in (*DIGITS, *others):
        centre = int(one.left + one.width / 2)
        grey[int(one.top) : int(one.top + one.height), centre - 1 : centre + 2] = 215 if one in faint else 40
    checked = check_by_context(grey, [*DIGITS, *others])
    assert checked[:3] == DIGITS
    return [one.label for one in checked[3:]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(detection(SLASH, 110, width=12, one=0.5), [1], id="a slash as high as the digits that may be a 1"),
        pytest.param(detection(SLASH, 110, width=12, one=0.2), [SLASH], id="a slash that is hardly a 1"),
        pytest.param(detection(SLASH, 110, top=10, width=12, height=70, one=0.5), [SLASH], id="a slash far higher"),
        pytest.param(detection(OTHER_INK, 110, width=8, one=0.4), [1], id="an upright stroke"),
        pytest.param(detection(OTHER_INK, 110, width=38, one=0.4), [OTHER_INK], id="wide ink"),
        pytest.param(detection(OTHER_INK, 110, width=6, height=15, one=0.4), [OTHER_INK], id="low ink"),
        pytest.param(detection(1, 110, width=8), [1], id="a 1"),
        pytest.param(detection(1, 110, top=55, width=6, height=18), [], id="a 1 as low as a comma"),
        pytest.param(detection(COMMA, 110, top=62, width=6, height=14), [COMMA], id="a comma"),
        pytest.param(detection(POINT, 70, top=45, width=5, height=5, probability=0.6), [], id="a point within a digit"),
        pytest.param(detection(POINT, 70, top=45, width=5, height=5, probability=0.9), [POINT], id="a surer point there"),
    ],
)
def test_a_detection_is_checked_by_the_digits_beside_it(other, expected):
    assert check(other) == expected


def test_what_is_far_fainter_than_the_digits_is_a_pattern():
    three = detection(3, 110)
    assert check(three) == [3]
    assert check(three, faint=[three]) == []


def test_without_digits_nothing_is_changed():
    alone = [detection(POINT, 20, width=5, height=5)]
    assert check_by_context(np.full((100, 100), 255, np.uint8), alone) == alone
    assert check_by_context(np.full((100, 100), 255, np.uint8), []) == []
