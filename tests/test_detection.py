"""Detections are merged where they are of the same symbol: by non-maximum suppression, and by the vote of several views."""

import dataclasses

import numpy as np
import pytest

from digits.model.heat_map import CLASS_COUNT, COLON, OTHER_INK, POINT
from digits.reading.detection import Detection, intersection_over_union, same_symbol, shared_areas, suppress_non_maxima, vote


def detection(label, left, top=0.0, width=20.0, height=30.0, probability=0.9):
    """A detection with this probability of its class, and a tenth of what is left of another one."""
    probabilities = np.zeros(CLASS_COUNT, np.float32)
    probabilities[(label + 1) % CLASS_COUNT] = (1 - probability) / 10
    probabilities[label] = probability
    return Detection(label, probability, left, top, width, height, probabilities)


def box(left, top, width, height):
    return np.array([left, top, width, height], float)


def test_a_detection_has_a_centre_and_is_a_digit_or_a_mark_or_neither():
    seven = detection(7, left=10, top=40)
    assert (seven.x, seven.y) == (20, 55)
    assert [detection(label, 0).is_digit for label in (0, 9, POINT, COLON, OTHER_INK)] == [True, True, False, False, False]
    assert [detection(label, 0).is_mark for label in (0, 9, POINT, COLON, OTHER_INK)] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(box(0, 0, 10, 10), 1, id="the same"),
        pytest.param(box(5, 0, 10, 10), 50 / 150, id="half"),
        pytest.param(box(5, 5, 10, 10), 25 / 175, id="a quarter"),
        pytest.param(box(2, 2, 5, 5), 25 / 100, id="inside"),
        pytest.param(box(10, 0, 10, 10), 0, id="side by side"),
        pytest.param(box(20, 20, 10, 10), 0, id="far in both directions"),
    ],
)
def test_intersection_over_union_equals_that_by_hand(other, expected):
    one = box(0, 0, 10, 10)
    assert intersection_over_union(one, other[None]) == pytest.approx([expected])
    assert intersection_over_union(other, one[None]) == pytest.approx([expected])


def test_a_box_shares_an_area_with_each_of_several_others():
    others = np.stack([box(0, 0, 10, 10), box(5, 5, 10, 10), box(2, 2, 5, 5), box(20, 20, 10, 10)])
    assert shared_areas(box(0, 0, 10, 10), others).tolist() == [100, 25, 25, 0]


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(box(3, 2, 20, 30), True, id="a little off"),
        pytest.param(box(16, 0, 20, 30), False, id="a neighbour that overlaps a little"),
        pytest.param(box(9, 0, 20, 30), False, id="a neighbour that overlaps by a third of the union"),
        pytest.param(box(0, 20, 20, 30), False, id="the line below"),
        pytest.param(box(8, 0, 4, 30), True, id="a 1 in the middle"),
        pytest.param(box(0, -4, 20, 42), True, id="a larger box of the same"),
    ],
)
def test_boxes_are_of_the_same_symbol_where_they_overlap_much_or_their_centres_are_near(other, is_same):
    assert same_symbol(box(0, 0, 20, 30), other[None]).tolist() == [is_same]


def test_two_narrow_ones_side_by_side_are_two_symbols():
    assert same_symbol(box(0, 0, 5, 30), box(7, 0, 5, 30)[None]).tolist() == [False]


def test_a_box_is_compared_with_none():
    assert same_symbol(box(0, 0, 20, 30), np.zeros((0, 4))).tolist() == []


def test_of_one_digit_the_most_probable_detection_is_kept():
    weak, strong, neighbour = detection(3, 0, probability=0.5), detection(8, 2, probability=0.8), detection(1, 40)
    assert suppress_non_maxima([weak, strong, neighbour]) == [neighbour, strong]
    assert suppress_non_maxima([]) == []


def test_a_detection_that_is_suppressed_suppresses_nothing_itself():
    chain = [detection(i, 7.5 * i, probability=0.9 - 0.1 * i) for i in range(3)]
    assert suppress_non_maxima(chain) == [chain[0], chain[2]]


def test_detections_are_ordered_by_another_weight():
    weak, strong = detection(3, 0, probability=0.5), detection(8, 2, probability=0.8)
    assert suppress_non_maxima([weak, strong], lambda detection: -detection.probability) == [weak]


def test_three_views_agree_on_the_mean_of_their_boxes_and_probabilities():
    views = [[detection(7, left, top=4)] for left in (9, 10, 11)]
    (found,) = vote(views, 0.3)
    assert (found.label, found.probability) == (7, pytest.approx(0.9))
    assert (found.left, found.top, found.width, found.height) == pytest.approx((10, 4, 20, 30))
    assert all(type(value) is float for value in (found.probability, found.left, found.top, found.width, found.height))


def test_a_box_counts_by_its_probability():
    (found,) = vote([[detection(7, 0, probability=0.8)], [detection(7, 3, probability=0.4)]], 0.3)
    assert found.left == pytest.approx(1)


def test_what_one_view_of_three_shows_has_a_third_of_its_probability():
    assert vote([[detection(7, 0, probability=0.6)], [], []], 0.3) == []
    (found,) = vote([[detection(7, 0, probability=0.96)], [], []], 0.3)
    assert found.probability == pytest.approx(0.32)


def test_the_class_is_that_with_the_highest_mean():
    views = [[detection(1, 0, probability=0.7)], [detection(7, 0, probability=0.6)], [detection(7, 0, probability=0.6)]]
    (found,) = vote(views, 0.3)
    assert found.label == 7
    assert found.probabilities[[1, 7]] == pytest.approx([0.7 / 3, 0.4])


def test_neighbours_stay_apart_in_a_vote():
    views = [[detection(4, 0 + shift), detection(2, 22 + shift), detection(POINT, 50, 25, 5, 5)] for shift in (0, 1, 2)]
    assert sorted(found.label for found in vote(views, 0.3)) == [2, 4, POINT]


def test_of_two_detections_in_one_view_only_the_more_probable_one_votes():
    twice = [detection(7, 0, probability=0.5), detection(7, 2, probability=0.9)]
    (found,) = vote([twice, [detection(7, 2)]], 0.3)
    assert (found.probability, found.left) == (pytest.approx(0.9), pytest.approx(2))


def test_without_detections_nothing_is_found():
    assert vote([], 0.3) == [] and vote([[], [], []], 0.3) == []


def test_a_detection_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        detection(7, 0).label = 1
