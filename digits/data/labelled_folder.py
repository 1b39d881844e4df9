"""Folders of people's own images: which files are images, and what their labels are."""

import csv
import io
import os
from pathlib import Path

from digits.common.errors import UserError
from digits.common.files import TEMPORARY_PREFIX, atomic_write, write_error
from digits.data.labels import is_folder_label, is_label

IMAGE_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff",
    ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pdf",
}  # fmt: skip
LABELS_FILE = "labels.csv"
KEPT_FOLDER = "kept"  # of a labelled folder: the images that kept_images writes there, with a labels.csv of their own
MAX_LOCK_WAIT = 30  # seconds; a process holds the lock on labels.csv for a few milliseconds


def images_in(folder: str | os.PathLike[str]) -> tuple[list[Path], int]:
    """Return (paths of the images in the folder and its sub-folders, sorted; number of the other files)."""
    paths = Path(folder).rglob("*")
    files = sorted(path for path in paths if not path.is_dir() and not path.name.startswith(TEMPORARY_PREFIX))
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    return images, len(files) - len(images)


def labelled_images(folder: str | os.PathLike[str]) -> tuple[list[tuple[Path, str]], int]:
    """Return ([(path, label)], sorted by path; number of images without a label) of a labelled folder.

    A label (data.labels) is the name of the sub-folder that holds the image, or stands in a file labels.csv (columns file and
    label), which has precedence: in the folder itself, or in its sub-folder kept/. Raises UserError where there is no such
    folder, labels.csv is damaged, or no image has a label.
    """
    folder = Path(os.path.normpath(folder))
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.\nExpected one with your images in sub-folders: {folder}/7/x.png")
    images, _ = images_in(folder)
    labels = {path: path.parent.name if path.parent != folder and is_folder_label(path.parent.name) else "" for path in images}
    for parent in (folder / KEPT_FOLDER, folder):
        labels |= _read_labels_file(parent / LABELS_FILE)[1]
    labelled = [(path, label) for path, label in sorted(labels.items()) if is_label(label)]
    if not labelled:
        raise UserError(
            f"The folder {folder} holds no labelled image ({len(images)} without a label).\n"
            f"Expected images in sub-folders that are named after the digits in them, such as {folder}/7/x.png,\n"
            "or a file labels.csv with the columns file and label."
        )
    return labelled, len(labels) - len(labelled)


def add_label(image: Path, label: str) -> None:
    """Add a line for an image to the labels.csv beside it; the lines before stay as they are.

    Safe to call from any number of processes and threads at once. The new file is written beside the earlier one and moved into
    its place, so a process that is killed loses no line. Raises UserError where the file is damaged or can't be written.
    """
    import filelock  # here: it takes a quarter of a second, and only what is kept needs it

    path = image.with_name(LABELS_FILE)
    try:
        with filelock.FileLock(path.with_suffix(".lock"), timeout=MAX_LOCK_WAIT):
            columns, _ = _read_labels_file(path)
            content = path.read_bytes() if path.exists() else f"{','.join(columns)}\n".encode()
            line = io.StringIO()
            csv.DictWriter(line, columns, lineterminator="\n").writerow({"file": image.name, "label": label})
            separator = b"" if content.endswith(b"\n") else b"\n"
            with atomic_write(path) as temporary:
                temporary.write_bytes(content + separator + line.getvalue().encode())
    except filelock.Timeout as error:
        raise UserError(
            f"Another program has held {path.with_suffix('.lock')} for {MAX_LOCK_WAIT} seconds.\n"
            f"Expected to write {path}. Try again when that program has ended."
        ) from error
    except OSError as error:
        raise write_error(path, error) from error


def _read_labels_file(path: Path) -> tuple[list[str], dict[Path, str]]:
    """Return (the columns, {image's path: label}) of a labels.csv; without such a file (the columns that it should have, {}).

    The file's own paths are relative to its folder. Raises UserError where it is damaged.
    """
    if not path.is_file():
        return ["file", "label"], {}
    expected = "Expected a CSV file with the columns file and label, separated by commas."
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            # Strict: else a quotation mark that is never closed takes all lines after it into one label.
            reader = csv.DictReader(file, strict=True)
            columns, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read: {error}.\n{expected}") from error
    if not {"file", "label"} <= set(columns):
        raise UserError(f"{path} has the columns {', '.join(columns) or 'none'}.\n{expected}")
    for number, row in enumerate(rows, start=1):
        if not row["file"] or row["label"] is None:
            raise UserError(f"{path}: image {number} has no file or no label.\n{expected}")
    # Normalised, so that "./x.png" and "x.png" are one image.
    return columns, {Path(os.path.normpath(path.parent / row["file"])): row["label"].strip() for row in rows}
