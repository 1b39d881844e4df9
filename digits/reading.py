"""Candidates and what the network says of each -> the digits: the path of least cost through the segmentation graph."""

import numpy as np

# Chosen together with the costs of shape in segmentation.py, which says how.
DOUBTLESS = 8.0  # the log-odds of a typical digit; more adds nothing
CUT_ONE = 3.0  # log-odds; a stroke cut off any digit looks like a 1
# The cost, in log-odds, up to which whole ink is a digit without a look at its parts. At 4, none of 500 pairs of MNIST's
# validation digits that touch, and none of 1,200 single ones, is read otherwise than with that look.
CLEAR = 4.0


def candidate_costs(candidates, probabilities, scores):
    """Return what speaks against each candidate's being a digit, (N,) float64, 0 or more, in units of log-odds.

    candidates: N segmentation.Candidates. probabilities: (N, 10) float32 and scores: (N,) float32, as Recognizer.classify
    gives them.
    """
    shape = np.array([candidate.cost for candidate in candidates])
    cut = np.array([candidate.cut for candidate in candidates], bool)
    return shape + np.maximum(DOUBTLESS - scores, 0) + CUT_ONE * (cut & (probabilities.argmax(axis=1) == 1))


def best_path(candidates, costs):
    """Return the indices of the candidates, in reading order, on the path of least cost through the segmentation graph.

    candidates: N segmentation.Candidates. costs: (N,) float. Dynamic programming over the graph's nodes (Viterbi; LeCun,
    Bottou, Bengio and Haffner 1998, section VII).
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
