"""A person's labelled pictures -> digits to learn from, and those of them that are held out.

A picture is prepared as it is for reading, so what is learned is what will be read.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import dataset, preprocessing
from digits.config import IMAGE_SIZE, UserError
from digits.picture import open_picture

HELD_OUT = 4  # every so manieth picture is not learned from but decides whether the learning helped. chosen


class OwnPictures(NamedTuple):
    """Pictures of digits with their labels.

    name: what every report calls them. crops: for each picture its digits in reading order, (n, 28, 28) uint8. labels: for
    each picture (n,) uint8. left_out: {reason: how many pictures}.
    """

    name: str
    crops: list
    labels: list
    left_out: dict

    def arrays(self, chosen):
        """Return (crops (N, 28, 28) uint8, labels (N,) uint8) of the pictures with these indices."""
        crops = [np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), *(self.crops[i] for i in chosen)]
        labels = [np.zeros(0, np.uint8), *(self.labels[i] for i in chosen)]
        return np.concatenate(crops), np.concatenate(labels)


def load(path, recognizer):
    """Return the OwnPictures at the path. Raises UserError where there are none.

    path: a labelled folder; or data as dataset.load takes it, of which x_train and y_train are used as they are.
    recognizer: tells the digits of pictures with several apart.
    """
    path = Path(path)
    if path.is_file() or any(path.glob("*.npz")) or any(path.glob("*ubyte*")):
        data = dataset.load(path, parts=("train",))
        found = list(data.x_train[:, None]), list(data.y_train[:, None])
        left_out = {}
    else:
        labelled, unlabelled = dataset.labelled_pictures(path)
        found, left_out = ([], []), {"without a label": unlabelled}
        for picture, label in labelled:
            crops, reason = crops_of(picture, label, recognizer)
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            found[0].append(crops)
            found[1].append(np.array([int(digit) for digit in label.replace("|", "")], np.uint8))
    crops, labels, twice = _without_repeats(*found)
    left_out["there twice"] = twice
    return OwnPictures(str(path), crops, labels, {reason: count for reason, count in left_out.items() if count})


def crops_of(picture, label, recognizer):
    """Return (the digits in a picture as crops (n, 28, 28) uint8, None), or (None, why they can't be told).

    picture: its path. label: the digits that it shows, rows joined by "|". A single digit is taken whole, whatever the
    recogniser makes of it: those that it misreads or takes apart are the ones to learn. Several are taken as it tells them
    apart, where they are as many in each row as the label has.
    """
    try:
        opened = open_picture(picture)
    except UserError:
        return None, "that can't be read"
    if len(label) == 1:
        whole = preprocessing.prepare(opened, preprocessing.ink_of(opened), cutting=False).crops
        if len(whole) == 1:
            return whole, None
    reading = recognizer.examine(picture)
    if [len(row) for row in reading.entry["text"].split("|")] != [len(row) for row in label.split("|")]:
        return None, "with more or fewer digits than their label says"
    return reading.crops, None


def _without_repeats(crops, labels):
    """Return (crops, labels, how many were dropped): each picture once, for what is held out must not be learned."""
    once = {}
    for i in range(len(crops)):
        once.setdefault(hashlib.sha256(crops[i].tobytes() + labels[i].tobytes()).digest(), i)
    kept = list(once.values())
    return [crops[i] for i in kept], [labels[i] for i in kept], len(crops) - len(kept)


def split(labels, seed):
    """Return (learned, held out): lists of indices of pictures. labels: for each picture (n,) uint8.

    They are shuffled, ordered by label, and each fourth is held out: a quarter of every label, give or take one, and at least
    one of each that has four. Raises UserError where there are fewer than four in all.
    """
    if len(labels) < HELD_OUT:
        raise UserError(
            f"{len(labels)} of your pictures can be learned from.\n"
            f"Expected {HELD_OUT} or more, for one in {HELD_OUT} is held out to tell whether it helped; ten of each digit that is\n"
            "misread are a good start. To keep more: python predict_custom.py PICTURE --label 7"
        )
    shuffled = np.random.default_rng(seed).permutation(len(labels)).tolist()
    ordered = sorted(shuffled, key=lambda i: labels[i].tolist())
    held_out = ordered[HELD_OUT - 1 :: HELD_OUT]
    return sorted(set(ordered) - set(held_out)), sorted(held_out)
