"""Pictures kept under custom_digits/, for train_model.py --fine-tune to learn from."""

import datetime
import itertools
import os
from pathlib import Path

from digits.config import CUSTOM_DIGITS_DIR, UserError
from digits.dataset import PICTURE_SUFFIXES
from digits.files import cannot_be_written, written_beside

LONGEST_LABEL = 60  # digits, as many as are read in one picture; file systems take names of 255 bytes


def check_label(label):
    """Return the label of a picture that is to be kept. Raises UserError for what is not digits.

    A label becomes the name of a folder, so nothing else may pass: no dots, no slashes.
    """
    if not (label.isascii() and label.isdigit() and len(label) <= LONGEST_LABEL):
        raise UserError(
            f"A picture can't be kept as {label!r}.\nExpected the digits that it shows, left to right, such as 7 or 42."
        )
    return label


def keep(data, suffix, label, folder=CUSTOM_DIGITS_DIR):
    """Write a picture's file to FOLDER/LABEL/ under a name that no other file has, and return its path.

    data: bytes, the file's whole content. suffix: its ending, such as ".png". label: the digits that it shows. Any number of
    processes and threads may keep at once. Raises UserError for another label or suffix, or where it can't be written.
    """
    place = Path(folder) / check_label(label)
    suffix = suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise UserError(
            f"A file that ends in {suffix!r} would not be found among the pictures again, so it was not kept.\n"
            f"Expected one of {' '.join(sorted(PICTURE_SUFFIXES))}."
        )
    moment = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = place / f"kept_{moment}_{number}{suffix}"
            try:
                # Asking for a new file and making it are one step: of two who want the same name, one gets it.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                break
            except FileExistsError:
                continue
    except OSError as error:
        raise cannot_be_written(place, error) from error
    try:
        with written_beside(path) as temporary:
            temporary.write_bytes(data)
    except BaseException:
        path.unlink(missing_ok=True)  # the name alone is no picture
        raise
    return path
