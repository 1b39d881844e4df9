"""Images that are kept under custom_digits/ with their label, for train_model.py --fine-tune to learn from."""

import datetime
import itertools
import os
from pathlib import Path

from digits.common.config import CUSTOM_DIGITS_DIR, MARKS, MAX_TEXT_LENGTH
from digits.common.errors import UserError
from digits.common.files import atomic_write, write_error
from digits.data.labelled_folder import IMAGE_SUFFIXES, KEPT_FOLDER, add_label
from digits.data.labels import is_folder_label, is_label


def check_label(label: str) -> str:
    """Return the label. Raises UserError where it is none, or longer than MAX_TEXT_LENGTH."""
    if not (is_label(label) and len(label) <= MAX_TEXT_LENGTH):
        raise UserError(
            f"An image can't be kept as {label!r}.\n"
            f"Expected the digits in the image, from left to right, with the marks {' '.join(MARKS)} where there are any, and |\n"
            f"between text lines, at most {MAX_TEXT_LENGTH} characters. For example: 7, 42, 12.50 or 12/05/2024."
        )
    return label


def check_suffix(suffix: str) -> str:
    """Return the ending of a file in lower case. Raises UserError where it is not that of an image."""
    if suffix.lower() not in IMAGE_SUFFIXES:
        raise UserError(
            f"A file that ends in {suffix.lower()!r} is not recognised as an image, so it was not kept.\n"
            f"Expected one of {' '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return suffix.lower()


def keep_image(data: bytes, suffix: str, label: str, folder: Path = CUSTOM_DIGITS_DIR) -> Path:
    """Write an image file under a new name and return its path. No file is ever overwritten.

    It is written to FOLDER/LABEL/; or, where the label can't name a folder, to FOLDER/kept/, whose labels.csv gets a line.
    data: the file's whole content. suffix: its ending, such as ".png". label: the digits and marks in the image. Safe to call
    from any number of processes and threads at once. Raises UserError for another label or suffix, or where it can't be written.
    """
    # No folder is named 12|34: Windows has no such names, and people copy their images from one computer to another.
    named_by_label = is_folder_label(check_label(label)) and "|" not in label
    path = _reserve_name(Path(folder) / (label if named_by_label else KEPT_FOLDER), check_suffix(suffix))
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    except BaseException:
        path.unlink(missing_ok=True)  # the empty file that reserved the name
        raise
    if not named_by_label:
        try:
            add_label(path, label)
        except UserError:
            path.unlink(missing_ok=True)
            raise
    return path


def _reserve_name(folder: Path, suffix: str) -> Path:
    """Make an empty file with a name that no other file in the folder has, and return its path. Raises UserError."""
    now = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = folder / f"kept_{now}_{number}{suffix}"
            try:
                # O_EXCL checks for the name and makes the file in one step, so of two processes only one gets the name.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                return path
            except FileExistsError:
                continue
    except OSError as error:
        raise write_error(folder, error) from error
    raise AssertionError("itertools.count has no end")
