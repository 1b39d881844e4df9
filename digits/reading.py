"""Candidates and what the network says of each -> the digits: the best way through the segmentation's graph."""

import numpy as np

# With the constants of a candidate's doubt in segmentation.py, where it is said how they were chosen.
DOUBTLESS = 8.0  # the log-odds of a typical digit; more adds nothing
CUT_ONE = 3.0  # log-odds; a stroke cut off any digit looks like a 1


def best_way(candidates, probabilities, scores):
    """Return the indices of the candidates, in reading order, that make up the reading with the least doubt.

    candidates: segmentation.Candidates. probabilities: (N, 10) and scores: (N,) float32, as
    Recognizer.classify gives them. Dynamic programming over the places between digits (Viterbi; LeCun, Bottou, Bengio
    and Haffner 1998, section VII).
    """
    ones = probabilities.argmax(axis=1) == 1
    least, last = {0: 0.0}, {}  # by place: the least doubt of a way to it, and the last candidate of that way
    for i in sorted(range(len(candidates)), key=lambda i: candidates[i].start):
        candidate = candidates[i]
        doubt = candidate.doubt + max(DOUBTLESS - scores[i], 0) + CUT_ONE * (candidate.cut and ones[i])
        if candidate.start in least and least[candidate.start] + doubt < least.get(candidate.end, np.inf):
            least[candidate.end], last[candidate.end] = least[candidate.start] + doubt, i
    way, place = [], max(least)  # no way leads farther than to the last place
    while place > 0:
        way.append(last[place])
        place = candidates[last[place]].start
    return way[::-1]
