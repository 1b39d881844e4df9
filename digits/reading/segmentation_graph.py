"""Candidates and what the network says of each -> the digits: the path of least cost through the segmentation graph.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section VII.
"""

from collections.abc import Sequence

import numpy as np

from digits.reading.candidates import Candidate

# The first two were set together with the costs of shape in segmentation.py, which says how.
MAX_LOG_ODDS = 8.0  # of a typical digit; higher ones cost nothing less
CUT_ONE_COST = 3.0  # log-odds; a stroke cut off any digit looks like a 1
# The cost, in log-odds, up to which whole ink is a digit without a look at its parts. At 4, none of 500 pairs of MNIST's
# validation digits that touch, and none of 1,200 single ones, is read otherwise than with that look.
MAX_CLEAR_COST = 4.0


def candidate_costs(candidates: Sequence[Candidate], probabilities: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """Return what speaks against each candidate's being a digit, (N,) float64, 0 or more, in units of log-odds.

    candidates: N of them. probabilities: (N, 10) float32 and log_odds: (N,) float32, as Classifier.classify gives them.
    """
    shape_costs = np.array([candidate.cost for candidate in candidates])
    return shape_costs + np.maximum(MAX_LOG_ODDS - log_odds, 0) + CUT_ONE_COST * cut_ones(candidates, probabilities)


def cut_ones(candidates: Sequence[Candidate], probabilities: np.ndarray) -> np.ndarray:
    """Return which candidates are parts of wider ink that look like a 1, (N,) bool: a stroke cut off any letter does.

    candidates: N of them. probabilities: (N, 10) float32.
    """
    cut = np.array([candidate.cut for candidate in candidates], bool)
    return cut & (probabilities.argmax(axis=1) == 1)


def best_path(candidates: Sequence[Candidate], costs: np.ndarray) -> list[int]:
    """Return the indices of the candidates, in reading order, on the path of least cost through the segmentation graph.

    candidates: N of them. costs: (N,) float. Dynamic programming over the graph's nodes (Viterbi).
    """
    least, last = {0: 0.0}, {}  # by node: the least cost of a path to it, and the last candidate on that path
    for i in sorted(range(len(candidates)), key=lambda i: candidates[i].start):
        start, end = candidates[i].start, candidates[i].end
        if start in least and least[start] + costs[i] < least.get(end, np.inf):
            least[end], last[end] = least[start] + costs[i], i
    path, node = [], max(least)  # backwards from the last node, which every reading reaches
    while node > 0:
        path.append(last[node])
        node = candidates[last[node]].start
    return path[::-1]
