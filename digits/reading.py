"""Candidates and what the network says of each -> the digits: the best way through the segmentation's graph."""

import numpy as np

# With the constants of a candidate's doubt in segmentation.py, where it is said how they were chosen.
DOUBTLESS = 8.0  # the log-odds of a typical digit; more adds nothing
CUT_ONE = 3.0  # log-odds; a stroke cut off any digit looks like a 1
CLEAR = 4.0  # log-odds of doubt up to which whole ink is a digit without a look at its parts: at 4 none of 500 pairs of
# MNIST's validation digits that touch, and none of 1,200 single ones, is read otherwise than with that look


def doubts(candidates, probabilities, scores):
    """Return what speaks against each candidate's being a digit, (N,) float, from 0, in units of log-odds.

    candidates: segmentation.Candidates. probabilities: (N, 10) and scores: (N,) float32, as
    Recognizer.classify gives them.
    """
    shape = np.array([candidate.doubt for candidate in candidates])
    cut = np.array([candidate.cut for candidate in candidates], bool)
    return shape + np.maximum(DOUBTLESS - scores, 0) + CUT_ONE * (cut & (probabilities.argmax(axis=1) == 1))


def best_way(candidates, doubt):
    """Return the indices of the candidates, in reading order, that make up the reading with the least doubt.

    Dynamic programming over the places between digits (Viterbi; LeCun, Bottou, Bengio and Haffner 1998, section VII).
    """
    least, last = {0: 0.0}, {}  # by place: the least doubt of a way to it, and the last candidate of that way
    for i in sorted(range(len(candidates)), key=lambda i: candidates[i].start):
        start, end = candidates[i].start, candidates[i].end
        if start in least and least[start] + doubt[i] < least.get(end, np.inf):
            least[end], last[end] = least[start] + doubt[i], i
    way, place = [], max(least)  # no way leads farther than to the last place
    while place > 0:
        way.append(last[place])
        place = candidates[last[place]].start
    return way[::-1]
