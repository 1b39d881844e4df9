"""MNIST, the bundled digits, other data sets and labelled folders, as checked arrays and paths.

Pictures are (N, 28, 28) uint8, white ink on black, 0 to 255; labels are (N,) uint8, 0 to 9.
"""

import csv
import gzip
import hashlib
import http.client
import logging
import os
import struct
import tempfile
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from digits.config import DATA_DIR, DIGIT_SIZE, IMAGE_SIZE, NUM_CLASSES, UserError
from digits.files import BOUNDED_COMPRESSIONS, UNFINISHED
from digits.mnist_form import place_by_mass

logger = logging.getLogger(__name__)

# SHA-256 of each array's bytes (uint8, C order): archives differ in time stamps, the arrays never do.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
ARRAYS = tuple(MNIST_SHA256)
BUNDLED = "the digits bundled with scikit-learn"
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
KERAS_ARCHIVE = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"  # torchvision's, the four IDX files
MIRROR_MD5 = {
    "x_train": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "y_train": "d53e105ee54ea40749a09fcbcd1e9432",
    "x_test": "9fb629c4189551a2d022fa330f9573f3",
    "y_test": "ec29112dd5afa0611ce80d1b7f02629c",
}
CONNECT_TIMEOUT = 4  # seconds without an answer until a server counts as out of reach; chosen
MAX_PICTURES = 500_000  # 392 MB, to learn from and as many to test; a header that declares more is taken for a lie. chosen
PICTURE_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff",
    ".heic", ".heif", ".ppm", ".pgm", ".pbm",
}  # fmt: skip


class NoData(UserError):
    """MNIST is neither on this machine nor within reach."""


@dataclass(frozen=True)
class Dataset:
    """Arrays to learn from and to score on, and the name that every report gives them."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def is_mnist(self):
        return self.name == "MNIST"

    def fingerprint(self):
        """Return the SHA-256 of what is learned from."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x_train))
        digest.update(np.ascontiguousarray(self.y_train))
        return digest.hexdigest()


# ---- MNIST and other data sets --------------------------------------------------------------------------------


def load(path=None, parts=("train", "test")):
    """Return the Dataset at the path; without one MNIST from data/, Keras' cache or a download.

    path: an .npz with x_train, y_train, x_test, y_test, or a folder with the four IDX files, gzipped or not.
    parts: "train", "test" or both; the arrays of the other part come back empty.
    Raises UserError for a file that is not such data, NoData where no path is given and MNIST can't be had.
    """
    names = [f"{axis}_{part}" for part in parts for axis in "xy"]
    arrays = _read(Path(path), names) if path is not None else _find_mnist(names)
    for part in parts:
        _check(arrays[f"x_{part}"], arrays[f"y_{part}"], f"x_{part} and y_{part}")
    for name in ARRAYS:
        empty = np.zeros((0, IMAGE_SIZE, IMAGE_SIZE) if name[0] == "x" else 0, np.uint8)
        arrays.setdefault(name, empty)
    arrays.update({name: array.astype(np.uint8) for name, array in arrays.items() if name[0] == "y"})
    is_mnist = all(_sha256(arrays[name]) == MNIST_SHA256[name] for name in names)
    return Dataset("MNIST" if is_mnist else f"not MNIST ({path or DATA_DIR})", **arrays)


def _find_mnist(names):
    """Return the arrays from data/, Keras' cache or a download, in this order."""
    if any(DATA_DIR.glob("*.npz")) or any(DATA_DIR.glob("*ubyte*")):
        return _read(DATA_DIR, names)
    keras_home = Path(os.environ.get("KERAS_HOME", os.path.expanduser("~/.keras")))
    archive = keras_home / "datasets" / "mnist.npz"
    folder = keras_home / "datasets" / "mnist_idx"
    for place in (archive, folder):
        try:
            arrays = _read(place, names)
        except UserError:
            continue  # absent or damaged; a download replaces it
        if all(_sha256(arrays[name]) == MNIST_SHA256[name] for name in names):
            return arrays
        logger.warning("%s is not MNIST and is left aside.", place)

    problems = []
    try:
        download(KERAS_ARCHIVE[0], KERAS_ARCHIVE[1], archive)
        return _read(archive, names)
    except OSError as error:
        problems.append(str(error))
    try:
        for name, md5 in MIRROR_MD5.items():
            file_name = f"{IDX_FILES[name]}.gz"
            download(MIRROR + file_name, md5, folder / file_name)
        return _read(folder, names)
    except OSError as error:
        problems.append(str(error))
    raise NoData(
        "MNIST is not on this machine, and it could not be downloaded:\n"
        + "".join(f"  {problem}\n" for problem in problems)
        + f"Expected mnist.npz or MNIST's four IDX files in {DATA_DIR}, or a connection to the internet.\n"
        "To go on: put the files there, or name them with --data PATH."
    )


def download(url, checksum, path):
    """Fetch the url into the path, whole and checked or not at all.

    checksum: hex digest, MD5 (32 characters) or SHA-256 (64). Raises OSError, its text naming the url.
    """
    logger.warning("Downloading %s", url)
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5() if len(checksum) == 32 else hashlib.sha256()
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT) as response:
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
                partial = Path(file.name)
                while block := response.read(1 << 20):
                    file.write(block)
                    digest.update(block)
        if digest.hexdigest() != checksum:
            raise OSError(f"{url}: the file that came has the checksum {digest.hexdigest()}, expected {checksum}")
        os.replace(partial, path)
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors too
        if url in str(error):
            raise
        raise OSError(f"{url}: {getattr(error, 'reason', error)}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _read(path, names):
    """Return {name: array} for the names, from an .npz or a folder. Raises UserError."""
    if path.is_dir():
        archives = sorted(path.glob("*.npz"))
        files = {name: _idx_file(path, name) for name in names}
        if None not in files.values():
            return {name: _read_idx(file, dimensions=3 if name[0] == "x" else 1) for name, file in files.items()}
        if len(archives) == 1:
            return _read_npz(archives[0], names)
        missing = [IDX_FILES[name] for name, file in files.items() if file is None]
        raise UserError(
            f"The folder {path} does not hold {', '.join(missing)} (.gz or not), nor one .npz file.\n"
            "Expected MNIST's IDX files or an .npz with x_train, y_train, x_test and y_test."
        )
    if not path.exists():
        raise UserError(f"There is no {path}.\nExpected an .npz file or a folder with MNIST's IDX files.")
    if not path.is_file():
        raise UserError(f"{path} is a pipe or a device.\nExpected an .npz file or a folder with MNIST's IDX files.")
    return _read_npz(path, names)


def _idx_file(folder, name):
    """Return the IDX file that holds the array of this name, or None. Some mirrors write .idx3 for -idx3."""
    for stem in (IDX_FILES[name], IDX_FILES[name].replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            if (folder / (stem + suffix)).is_file():
                return folder / (stem + suffix)
    return None


def _read_idx(path, dimensions):
    """Return the uint8 array in an IDX file, (N, 28, 28) or (N,). Raises UserError.

    The header is believed only as far as the file bears it out: a shape that is no MNIST's is refused before anything is read.
    """
    expected = f"Expected an IDX file of bytes with {dimensions} dimension{'s' if dimensions > 1 else ''}."
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, 8, dimensions]):
                raise UserError(f"{path} does not begin as such a file does ({header[:4].hex() or 'empty'}).\n{expected}")
            shape = struct.unpack(f">{dimensions}I", header[4:])
            if shape[0] > MAX_PICTURES or shape[1:] not in ((), (IMAGE_SIZE, IMAGE_SIZE)):
                raise UserError(
                    f"{path} declares the shape {shape}.\n"
                    f"Expected at most {MAX_PICTURES:,} pictures of {IMAGE_SIZE}x{IMAGE_SIZE}."
                )
            size = int(np.prod(shape))
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be read: {error}.\n{expected} A fresh copy helps.") from error
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content):,}"
        raise UserError(f"{path} declares {size:,} bytes of data and holds {held}.\nA fresh copy helps.")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_npz(path, names):
    """Return {name: array} from an .npz. Raises UserError. Each header is checked before its data is read."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                if f"{name}.npy" not in archive.namelist():
                    held = [member[:40] for member in archive.namelist()[:8]]
                    raise UserError(
                        f"{path} holds no {name}, only {', '.join(held) or 'nothing'}.\n"
                        f"Expected an .npz file with {', '.join(names)}."
                    )
                if archive.getinfo(f"{name}.npy").compress_type not in BOUNDED_COMPRESSIONS:
                    raise ValueError(f"{name} is compressed as NumPy never does")
                with archive.open(f"{name}.npy") as member:
                    _check_npy_header(member, name, path)
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    except UserError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(
            f"{path} can't be read as an .npz file: {error or type(error).__name__}.\n"
            "Expected one with x_train, y_train, x_test and y_test, as numpy.savez writes it."
        ) from error
    return arrays


def _check_npy_header(member, name, path):
    """Raise UserError where an .npy file inside an .npz does not declare what the array of this name has to be."""
    if np.lib.format.read_magic(member) != (1, 0):  # what NumPy writes for such arrays; its header is at most 64 kB
        raise ValueError(f"{name} is not in the .npy format 1.0")
    shape, _, data_type = np.lib.format.read_array_header_1_0(member)
    pictures = name[0] == "x"
    if (
        len(shape) != (3 if pictures else 1)
        or shape[0] > MAX_PICTURES
        or shape[1:] not in ((), (IMAGE_SIZE, IMAGE_SIZE))
        or (data_type != np.uint8 if pictures else data_type.kind not in "iu")
    ):
        expected = "(N, 28, 28) of uint8" if pictures else "(N,) of whole numbers"
        raise UserError(f"{path}: {name} is {shape} of {data_type}.\nExpected {expected}.")


def _check(images, labels, what):
    """Raise UserError where pictures and labels do not belong together."""
    if len(images) == 0 or len(images) != len(labels):
        raise UserError(f"{what}: {len(images):,} pictures and {len(labels):,} labels.\nExpected as many of each, and some.")
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise UserError(f"{what}: labels from {labels.min()} to {labels.max()}.\nExpected 0 to {NUM_CLASSES - 1}.")


def _sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array, np.uint8)).hexdigest()


def split_validation(labels, fraction, seed):
    """Return (training, validation) index arrays: shuffled, and the same share of every digit.

    labels: (N,). fraction: of the pictures to validate on, between 0 and 1, the ends excluded.
    """
    generator = np.random.default_rng(seed)
    training, validation = [], []
    for digit in range(NUM_CLASSES):
        indices = generator.permutation(np.flatnonzero(labels == digit))
        count = round(len(indices) * fraction)
        validation.append(indices[:count])
        training.append(indices[count:])
    return generator.permutation(np.concatenate(training)), generator.permutation(np.concatenate(validation))


def splits_of(data, fraction, seed):
    """Return {"training": (images, labels), "validation": ..., "test": ...} of a Dataset.

    fraction, seed: as split_validation's. Raises UserError where there are too few to learn from or to validate on.
    """
    training, validation = split_validation(data.y_train, fraction, seed)
    if len(training) == 0 or len(validation) == 0:
        raise UserError(
            f"{len(data.y_train)} training pictures can't be split: "
            f"{len(training)} to learn from, {len(validation)} to validate on.\n"
            "Expected some of both: more pictures of each digit help, or another VALIDATION_SPLIT."
        )
    return {
        "training": (data.x_train[training], data.y_train[training]),
        "validation": (data.x_train[validation], data.y_train[validation]),
        "test": (data.x_test, data.y_test),
    }


def bundled_digits():
    """Return the 1,797 handwritten digits inside scikit-learn, brought into MNIST's form, as a Dataset.

    Alpaydin and Kaynak, "Optical recognition of handwritten digits", 1998: 8x8 pictures, values 0 to 16. A fifth of
    each digit is kept for the test.
    """
    from sklearn.datasets import load_digits  # here: the import takes a second, and only this function needs it

    small, labels = load_digits(return_X_y=True)
    small = (small.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    box = (DIGIT_SIZE, DIGIT_SIZE)
    images = np.stack([place_by_mass(cv2.resize(image, box, interpolation=cv2.INTER_CUBIC)) for image in small])
    labels = labels.astype(np.uint8)
    training, test = split_validation(labels, 0.2, seed=0)  # a fixed seed: this split is part of the data set
    return Dataset(BUNDLED, images[training], labels[training], images[test], labels[test])


# ---- people's own pictures ------------------------------------------------------------------------------------


def pictures_in(folder):
    """Return (paths of the pictures in the folder and below it, sorted; count of the other files)."""
    files = sorted(path for path in Path(folder).rglob("*") if not path.is_dir() and not path.name.startswith(UNFINISHED))
    pictures = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    return pictures, len(files) - len(pictures)


def labelled_pictures(folder):
    """Return ([(path, label)], count of unlabelled pictures) of a labelled folder.

    A label is the text that the picture should be read as: digits, rows joined by "|". It is the name of the
    sub-folder that holds the picture, or stands in labels.csv (columns file and label), which wins.
    Raises UserError where there is no such folder or nothing in it is labelled.
    """
    folder = Path(os.path.normpath(folder))
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.\nExpected one with your pictures in sub-folders: {folder}/7/x.png")
    listed = _labels_csv(folder / "labels.csv")
    pictures, _ = pictures_in(folder)
    labels = {path: "" if path.parent == folder else path.parent.name for path in pictures}
    labels.update(listed)
    labelled = [(path, label) for path, label in sorted(labels.items()) if _is_label(label)]
    if not labelled:
        raise UserError(
            f"The folder {folder} holds no labelled picture ({len(pictures)} without a label).\n"
            f"Expected pictures in sub-folders that are named after what they show, such as {folder}/7/x.png,\n"
            "or a file labels.csv with the columns file and label."
        )
    return labelled, len(labels) - len(labelled)


def _labels_csv(path):
    """Return {picture's path: label} as labels.csv beside the pictures says; {} without such a file."""
    if not path.is_file():
        return {}
    expected = "Expected a CSV file with the columns file and label, separated by commas."
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read: {error}.\n{expected}") from error
    if not {"file", "label"} <= set(columns):
        raise UserError(f"{path} has the columns {', '.join(columns) or 'none'}.\n{expected}")
    for number, row in enumerate(rows, start=1):
        if not row["file"] or row["label"] is None:
            raise UserError(f"{path}: picture {number} has no file or no label.\n{expected}")
    # Normalised, so that a picture is one picture however its path is written.
    return {Path(os.path.normpath(path.parent / row["file"])): row["label"].strip() for row in rows}


def _is_label(text):
    return all(row.isascii() and row.isdigit() for row in text.split("|"))
