"""The digits are those on the path of least cost through the segmentation graph."""

import cv2
import numpy as np

from digits.model.calibration import log_odds
from digits.reading.candidates import Candidate
from digits.reading.segmentation import find_segments
from digits.reading.segmentation_graph import CUT_ONE_COST, MAX_LOG_ODDS, best_path, candidate_costs, cut_ones

CROP = np.zeros((28, 28), np.uint8)


def touching_zeros():
    """The candidates of two 0s that touch."""
    ink = np.zeros((240, 600), np.uint8)
    cv2.circle(ink, (150, 120), 45, 255, 12)
    cv2.circle(ink, (235, 120), 45, 255, 12)
    return [Candidate(CROP, s.box, s.row, s.start, s.end, s.cost, s.cut) for s in find_segments(ink)]


def costs_of(candidates, probabilities):
    return candidate_costs(candidates, probabilities, log_odds(probabilities))


def test_the_best_path_takes_what_is_surely_a_digit():
    candidates = touching_zeros()
    last = max(candidate.end for candidate in candidates)
    probabilities = np.full((len(candidates), 10), 0.1, np.float32)
    halves = [i for i, c in enumerate(candidates) if c.cut and abs(c.box[2] - c.box[3]) < 15 and c.start * (last - c.end) == 0]
    first = next(i for i in halves if candidates[i].start == 0)
    second = next(i for i in halves if candidates[i].start == candidates[first].end)
    probabilities[[first, second]] = [0.9999] + [0.0001 / 9] * 9
    assert best_path(candidates, costs_of(candidates, probabilities)) == [first, second]
    entire = next(i for i, c in enumerate(candidates) if (c.start, c.end) == (0, last))
    probabilities[entire] = np.roll(probabilities[first], 3)
    narrow = [candidate._replace(cost=0.0) for candidate in candidates]
    assert best_path(narrow, costs_of(narrow, probabilities)) in ([entire], [first, second])
    probabilities[[first, second]] = 0.1
    assert best_path(narrow, costs_of(narrow, probabilities)) == [entire]


def test_without_candidates_the_path_is_empty():
    assert best_path([], candidate_costs([], np.zeros((0, 10), np.float32), np.zeros(0, np.float32))) == []


def test_a_part_that_looks_like_a_one_costs_more_and_is_named():
    whole = Candidate(CROP, (0, 0, 5, 20), 0, 0, 1, 0.5, False)
    part = whole._replace(cut=True)
    probabilities = np.full((4, 10), 0.01, np.float32)
    probabilities[[0, 1], 1] = probabilities[[2, 3], 7] = 0.91
    candidates = [whole, part, whole, part]
    assert cut_ones(candidates, probabilities).tolist() == [False, True, False, False]
    certain = np.full(4, MAX_LOG_ODDS + 1, np.float32)
    assert candidate_costs(candidates, probabilities, certain).tolist() == [0.5, 0.5 + CUT_ONE_COST, 0.5, 0.5]
    assert candidate_costs(candidates[:1], probabilities[:1], np.float32([3])).tolist() == [0.5 + MAX_LOG_ODDS - 3]
