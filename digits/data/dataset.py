"""The data that a network learns from and is scored on: MNIST, other arrays, or the digits bundled with scikit-learn.

Images are (N, 28, 28) uint8, 0 to 255, white ink on black; labels are (N,) uint8, 0 to 9.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from digits.common.config import DATA_DIR, DIGIT_SIZE, IMAGE_SIZE, NUM_CLASSES
from digits.common.errors import UserError
from digits.data import mnist
from digits.data.array_files import ARRAYS, is_image_array, read_arrays
from digits.data.mnist_format import centre_by_mass

BUNDLED = "the digits bundled with scikit-learn"
BUNDLED_TEST_FRACTION = 0.2  # of each digit's images; about 36 of each remain to test on


@dataclass(frozen=True)
class Dataset:
    """Arrays to learn from and to score on, and the name that every report gives them."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def is_mnist(self) -> bool:
        """Whether the arrays are MNIST's, to the last pixel."""
        return self.name == "MNIST"

    def fingerprint(self) -> str:
        """Return the SHA-256 of the training images and labels as 64 hex digits."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x_train).data)
        digest.update(np.ascontiguousarray(self.y_train).data)
        return digest.hexdigest()


class Split(NamedTuple):
    """One part of a data set: images (N, 28, 28) uint8 and labels (N,) uint8."""

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """A data set in the three parts that a training uses: to learn from, to choose by, to report."""

    training: Split
    validation: Split
    test: Split


def load(path: str | os.PathLike[str] | None = None, parts: Sequence[str] = ("train", "test")) -> Dataset:
    """Return the Dataset at the path; without a path MNIST from data/, Keras' cache or a download.

    path: an .npz with x_train, y_train, x_test, y_test, or a folder with the four IDX files, gzipped or not.
    parts: "train", "test" or both; the arrays of the other part are empty.
    Raises UserError for a file that is not such data, mnist.MnistNotFound where no path is given and MNIST can't be had.
    """
    names = [f"{axis}_{part}" for part in parts for axis in "xy"]
    arrays = mnist.find_arrays(names) if path is None else read_arrays(Path(path), names)
    for part in parts:
        _check(arrays[f"x_{part}"], arrays[f"y_{part}"], f"x_{part} and y_{part}")
    arrays = {name: array if is_image_array(name) else array.astype(np.uint8) for name, array in arrays.items()}
    name = "MNIST" if mnist.are_mnist(arrays) else f"not MNIST ({path or DATA_DIR})"
    for absent in set(ARRAYS) - set(arrays):
        arrays[absent] = np.zeros((0, IMAGE_SIZE, IMAGE_SIZE) if is_image_array(absent) else 0, np.uint8)
    return Dataset(name, **arrays)


def split(data: Dataset, validation_fraction: float, seed: int) -> Splits:
    """Return the data set's parts, the validation images being drawn from the training images as split_validation does.

    Raises UserError where there are too few images to learn from or to validate on.
    """
    training, validation = split_validation(data.y_train, validation_fraction, seed)
    if len(training) == 0 or len(validation) == 0:
        raise UserError(
            f"{len(data.y_train)} training images can't be split: "
            f"{len(training)} to learn from, {len(validation)} to validate on.\n"
            "Expected some of both: more images of each digit help, or another VALIDATION_SPLIT."
        )
    return Splits(
        Split(data.x_train[training], data.y_train[training]),
        Split(data.x_train[validation], data.y_train[validation]),
        Split(data.x_test, data.y_test),
    )


def split_validation(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (training, validation) index arrays, shuffled and stratified: the same fraction of every digit.

    labels: (N,) integers, 0 to 9. fraction: of the images to validate on, above 0 and below 1.
    """
    rng = np.random.default_rng(seed)
    training, validation = [], []
    for digit in range(NUM_CLASSES):
        indices = rng.permutation(np.flatnonzero(labels == digit))
        count = round(len(indices) * fraction)
        validation.append(indices[:count])
        training.append(indices[count:])
    return rng.permutation(np.concatenate(training)), rng.permutation(np.concatenate(validation))


def bundled_digits() -> Dataset:
    """Return the 1,797 handwritten digits inside scikit-learn, brought into MNIST's format.

    Alpaydin and Kaynak, "Optical recognition of handwritten digits", 1998: images of 8x8 pixels, values 0 to 16.
    """
    from sklearn.datasets import load_digits  # here: the import takes a second, and only this function needs it

    small, labels = load_digits(return_X_y=True)
    small = (small.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    box = (DIGIT_SIZE, DIGIT_SIZE)
    images = np.stack([centre_by_mass(cv2.resize(image, box, interpolation=cv2.INTER_CUBIC)) for image in small])
    labels = labels.astype(np.uint8)
    training, test = split_validation(labels, BUNDLED_TEST_FRACTION, seed=0)  # a fixed seed: the split is part of the data set
    return Dataset(BUNDLED, images[training], labels[training], images[test], labels[test])


def _check(images: np.ndarray, labels: np.ndarray, what: str) -> None:
    """Raise UserError where images and labels do not belong together, or a label is no digit."""
    if len(images) == 0 or len(images) != len(labels):
        raise UserError(
            f"{what}: {len(images):,} images and {len(labels):,} labels.\nExpected one label for each image, and some."
        )
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise UserError(f"{what}: labels from {labels.min()} to {labels.max()}.\nExpected 0 to {NUM_CLASSES - 1}.")
