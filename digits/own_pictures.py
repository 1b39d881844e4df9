"""A person's labelled pictures -> digits to learn from, and those of them that are held out.

A picture is prepared as for reading, so that the network learns what it will be given to read.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import dataset, preprocessing
from digits.config import IMAGE_SIZE, UserError
from digits.picture import open_picture

HELD_OUT = 4  # about one picture in four is not learned from, but tells whether the learning helped. chosen


class OwnPictures(NamedTuple):
    """Pictures of digits with their labels.

    name: what reports call them. crops: for each picture its digits in reading order, (n, 28, 28) uint8. labels: for each
    picture (n,) uint8, 0 to 9. left_out: {reason: how many pictures}.
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
    """Return the OwnPictures at the path. Raises UserError where there is nothing of the kind.

    path: a labelled folder; or data as dataset.load takes it, of which x_train and y_train are used as they are.
    recognizer: a Recognizer, which tells the digits apart in pictures of several.
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
    crops, labels, twice, contradicting = _without_repeats(*found)
    left_out |= {"there twice": twice, "with two labels, of which one must be wrong": contradicting}
    return OwnPictures(str(path), crops, labels, {reason: count for reason, count in left_out.items() if count})


def crops_of(picture, label, recognizer):
    """Return (the digits in a picture as crops (n, 28, 28) uint8, None), or (None, why there are none).

    picture: its path. label: the digits that it shows, rows joined by "|". recognizer: a Recognizer. A single digit is taken
    whole, whatever the recogniser makes of it: those that it misreads or takes apart are the ones to learn. Several digits
    are taken as it tells them apart, if it finds as many in each row as the label has.
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
    text = reading.entry["text"] if "|" in label else reading.entry["text"].replace("|", "")  # labels may leave out the rows
    if [len(row) for row in text.split("|")] != [len(row) for row in label.split("|")]:
        return None, "with more or fewer digits than their label says"
    return reading.crops, None


def _without_repeats(crops, labels):
    """Return (crops, labels, how many were dropped as repeats, how many as contradictions).

    crops, labels: as in OwnPictures. A picture that is there twice stays once, for what is held out must not be learned; it
    does not stay where its labels differ, as after a wrong label was put right.
    """
    alike = {}
    for i in range(len(crops)):
        alike.setdefault(_sum(crops[i]), []).append(i)
    groups = alike.values()
    agreeing = [group for group in groups if len({labels[i].tobytes() for i in group}) == 1]
    kept = [group[0] for group in agreeing]
    contradicting = sum(map(len, groups)) - sum(map(len, agreeing))
    return [crops[i] for i in kept], [labels[i] for i in kept], len(crops) - len(kept) - contradicting, contradicting


def _sum(crops):
    """Return 32 bytes that tell a picture, as (n, 28, 28) uint8 crops, from all others."""
    return hashlib.sha256(crops.tobytes()).digest()


def split(crops):
    """Return (learned, held out): lists of indices of pictures. crops: for each picture (n, 28, 28) uint8.

    About one in four is held out, and at least one. Which ones depends on their pixels alone, so what was learned once is not
    held out when more pictures have come. Raises UserError where there are fewer than four in all.
    """
    if len(crops) < HELD_OUT:
        raise UserError(
            f"{len(crops)} of your pictures can be learned from.\n"
            f"Expected {HELD_OUT} or more, for one in {HELD_OUT} is held out to tell whether it helped; ten of each digit "
            "that is\nmisread are a good start. To keep more: python predict_custom.py PICTURE --label 7"
        )
    sums = [_sum(picture) for picture in crops]
    held_out = [i for i in range(len(crops)) if sums[i][0] % HELD_OUT == 0] or [sums.index(min(sums))]
    return sorted(set(range(len(crops))) - set(held_out)), held_out
