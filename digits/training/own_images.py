"""A person's labelled images -> digits to learn from, and those that are held out.

An image is prepared as for reading, so that the network learns what it will be given to read.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.dataset import Split
from digits.data.labelled_folder import labelled_images
from digits.data.labels import digits_of
from digits.reading.candidates import find_candidates
from digits.reading.image import load_image
from digits.reading.reader import Reader

HELD_OUT_DIVISOR = 4  # about one image in four is held out: of the ten that the README asks for, two or three


@dataclass(frozen=True)
class OwnImages:
    """N images of digits, with their labels.

    name: what reports call them. crops: of each image its digits in reading order, (n, 28, 28) uint8. labels: of each image
    (n,) uint8, 0 to 9. left_out: {reason: number of images}.
    """

    name: str
    crops: list[np.ndarray]
    labels: list[np.ndarray]
    left_out: dict[str, int]

    def digits(self, indices: Iterable[int]) -> Split:
        """Return the digits of the images with these indices: crops (M, 28, 28) uint8 and labels (M,) uint8."""
        crops = [np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), *(self.crops[i] for i in indices)]
        labels = [np.zeros(0, np.uint8), *(self.labels[i] for i in indices)]
        return Split(np.concatenate(crops), np.concatenate(labels))


def load(path: Path, reader: Reader) -> OwnImages:
    """Return the images at the path. Raises UserError where there are none.

    path: a labelled folder; or data as dataset.load takes it, of which x_train and y_train are used as they are.
    reader: finds the digits in images of several.
    """
    crops: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    left_out: dict[str, int] = {}
    if path.is_file() or any(path.glob("*.npz")) or any(path.glob("*ubyte*")):
        data = dataset.load(path, parts=("train",))
        crops, labels = list(data.x_train[:, None]), list(data.y_train[:, None])
    else:
        labelled, unlabelled = labelled_images(path)
        left_out["without a label"] = unlabelled
        for image_path, label in labelled:
            found, reason = crops_of(image_path, label, reader)
            if found is None:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            crops.append(found)
            labels.append(np.array([int(digit) for digit in digits_of(label).replace("|", "")], np.uint8))
    kept, repeated, contradicting = _without_repeats(crops, labels)
    left_out |= {"there twice": repeated, "with two labels, of which one must be wrong": contradicting}
    left_out = {reason: count for reason, count in left_out.items() if count}
    return OwnImages(str(path), [crops[i] for i in kept], [labels[i] for i in kept], left_out)


def crops_of(image_path: Path, label: str, reader: Reader) -> tuple[np.ndarray | None, str]:
    """Return (the digits in an image as crops (n, 28, 28) uint8, ""), or (None, why there are none).

    label: as in data.labels. A single digit without a mark is taken as a whole, however the reader reads it: those that it
    misreads or divides are the ones to learn. Else the digits are taken as the reader finds them, if it finds as many in each
    line as the label has. Marks are not learned.
    """
    try:
        image = load_image(image_path)
    except UserError:
        return None, "that can't be read"
    if len(label) == 1:
        whole = find_candidates(image)
        if len(whole) == 1:
            return whole[0].crop[np.newaxis], ""
    reading = reader.read(image_path)
    found, expected = digits_of(reading.text), digits_of(label)
    if "|" not in expected:
        found = found.replace("|", "")  # labels may leave out where a line ends
    if [len(line) for line in found.split("|")] != [len(line) for line in expected.split("|")]:
        return None, "with more or fewer digits than their label says"
    return np.stack([digit.crop for digit in reading.digits]), ""


def _without_repeats(crops: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> tuple[list[int], int, int]:
    """Return (indices of the images to keep, how many were dropped as repeats, how many as contradictions).

    crops, labels: as in OwnImages. An image that is there twice is kept once, because what is held out must not be learned. It
    is dropped where its labels differ, as after a wrong label was corrected.
    """
    equal_images: dict[bytes, list[int]] = {}
    for i in range(len(crops)):
        equal_images.setdefault(_checksum(crops[i]), []).append(i)
    groups = equal_images.values()
    agreeing = [group for group in groups if len({labels[i].tobytes() for i in group}) == 1]
    kept = [group[0] for group in agreeing]
    contradicting = len(crops) - sum(map(len, agreeing))
    return kept, len(crops) - len(kept) - contradicting, contradicting


def split(crops: Sequence[np.ndarray]) -> tuple[list[int], list[int]]:
    """Return the indices of the images (to learn from, to hold out). crops: of each image (n, 28, 28) uint8.

    About one in HELD_OUT_DIVISOR is held out, and at least one. Which ones depends on their pixels alone, so what was learned
    once is not held out after more images were added. Raises UserError where there are fewer than HELD_OUT_DIVISOR in all.
    """
    if len(crops) < HELD_OUT_DIVISOR:
        raise UserError(
            f"{len(crops)} of your images can be learned from.\n"
            f"Expected {HELD_OUT_DIVISOR} or more, because one in {HELD_OUT_DIVISOR} is held out to tell whether it helped; ten "
            "of each digit\nthat is misread are a good start. To keep more: python predict_custom.py IMAGE --label 7"
        )
    checksums = [_checksum(image) for image in crops]
    held_out = [i for i, checksum in enumerate(checksums) if checksum[0] % HELD_OUT_DIVISOR == 0]
    held_out = held_out or [checksums.index(min(checksums))]
    return sorted(set(range(len(crops))) - set(held_out)), held_out


def _checksum(crops: np.ndarray) -> bytes:
    """Return the SHA-256 of an image's crops, (n, 28, 28) uint8."""
    return hashlib.sha256(crops.tobytes()).digest()
