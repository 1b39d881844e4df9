"""Read people's images of single digits and of whole numbers, and rows that are composed of MNIST's digits.

    python benchmarks/whole_numbers.py FOLDER ...    people's images and rows of MNIST's validation digits; seven minutes
    python benchmarks/whole_numbers.py               the composed rows alone; five minutes
    python benchmarks/whole_numbers.py --final       rows of MNIST's test digits alone: once, when nothing is changed any more

(Not numbers.py: Python's standard library has a module of this name, and a script's folder comes before it.)

A folder has one or more of these tables, with the columns file, label, writer and style, beside the images:

    single.csv, more.csv    single digits, in single/ and more/
    numbers/labels.csv      whole numbers, in numbers/
    labels.csv              whole numbers, in folders that are named after their kind: people/, table_rows/, cheques/
    unclear/, not_digits/   without a table: images that must not be read as digits

An image is read exactly when its digits and text lines are those of the label; marks count where the label has some. Two errors
are counted besides: "sure and wrong" (called "ok", but misread) and "not sure". The threshold of "not sure" was set while
looking at people's images. So the counts "left out" set it again without the images of each writer, and count that writer's
images; for cheques, whose writers are unknown, without each of five fixed folds. Constants of the preparation: own_digits.py.

The tables go to standard output; the numbers and every misread image to benchmarks/results/whole_numbers.json, those of --final
to whole_numbers_final.json.
"""

import argparse
import csv
import dataclasses
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from record import RESULTS, add_flags, facts_with_model  # first: it puts the project on the path
from tqdm import tqdm

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.labelled_folder import images_in
from digits.data.labels import matches
from digits.model.card import ModelCard
from digits.reading.image import ImageSource
from digits.reading.reader import Reader
from digits.reading.results import Reading

# ---- people's images ----
TABLES = {  # table: (the folder of its images, their kind; None: the first folder of each file's path)
    "single.csv": ("single", "single"),
    "more.csv": ("more", "more"),
    "numbers/labels.csv": ("numbers", "numbers"),
    "labels.csv": ("", None),
}
NOT_READABLE = ("unclear", "not_digits")
SINGLE_KINDS = ("single", "more")  # all other kinds are whole numbers
UNKNOWN_WRITERS = "cheques"  # a kind: each of its images may be of another writer
FOLDS = 5  # five folds leave four fifths of the images to set a threshold with
LONG = 7  # digits: longer numbers are counted together, for there are few

# ---- composed rows ----
SEED = 0
ROWS = 500  # of each gap: the 95 % interval of a rate near 95 % then reaches two points to either side
GAPS = (3, 0, -1, -2, -3)  # pixels at MNIST's size between the bounding boxes of neighbours: apart, touching, overlapping
MIN_ROW_LENGTH, MAX_ROW_LENGTH = 2, 7  # digits
INK_LEVEL = 60  # of 255: the faint rim of MNIST's strokes below it does not count for the gap
ROW_MARGIN = 4  # pixels around a row, beside the four that MNIST leaves above and below a digit
PAPER, PEN = 235, 40  # grey levels of the dark rows
FORMS = ("white on black", "dark on light, twice the size")


class Item(NamedTuple):
    """One of people's images and what is known of it. label: its digits, text lines joined by "|"."""

    path: Path
    kind: str
    label: str
    writer: str
    style: str


class Outcome(NamedTuple):
    """Of N images, (N,) bool each: whether it was read exactly, whether it is "not sure", whether it is "ok" and misread."""

    correct: np.ndarray
    unsure: np.ndarray
    wrong_and_ok: np.ndarray


# ---- people's images --------------------------------------------------------------------------------------------------


def find_items(folders: Sequence[Path]) -> list[Item]:
    """Return the labelled images of the folders. Raises UserError."""
    items = []
    for folder in folders:
        tables = [name for name in TABLES if (folder / name).is_file()]
        if not tables:
            raise UserError(f"{folder} has none of the tables {', '.join(TABLES)}.\nExpected one; --help describes them.")
        for name in tables:
            images, kind = TABLES[name]
            try:
                with open(folder / name, newline="", encoding="utf-8") as file:
                    for row in csv.DictReader(file):
                        known = kind or row["file"].split("/")[0], row["label"], row["writer"], row["style"]
                        items.append(Item(folder / images / row["file"], *known))
            except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
                raise UserError(
                    f"{folder / name} can't be used: {error!r}.\nExpected the columns file, label, writer and style."
                ) from error
    return items


def read(reader: Reader, image: ImageSource) -> Reading:
    """Return the Reading of an image without its thumbnail: those of thousands of images take much memory."""
    return dataclasses.replace(reader.read(image), thumbnail=None)


def outcome_of(readings: Sequence[Reading], labels: Sequence[str]) -> Outcome:
    """Return the Outcome as the user gets it."""
    correct = np.array([matches(reading.text, label) for reading, label in zip(readings, labels, strict=True)], bool)
    unsure, ok = (np.array([reading.status == status for reading in readings], bool) for status in ("unsure", "ok"))
    return Outcome(correct, unsure, ok & ~correct)


def writers_left_out(items: Sequence[Item]) -> np.ndarray:
    """Return the group of each image, (N,) str: its writer, or one of the folds, in turns, where the writers are unknown."""
    fold = itertools.cycle(range(FOLDS))
    return np.array([f"{item.kind}, fold {next(fold)}" if item.kind == UNKNOWN_WRITERS else item.writer for item in items])


def set_without(groups: np.ndarray, setting: Callable[[np.ndarray], float]) -> dict[str, float]:
    """Return {group: the value that is set without the group's images}.

    groups: (N,) str. setting: takes a mask, (N,) bool, of the images that may be looked at, and returns the value.
    """
    return {str(group): float(setting(groups != group)) for group in np.unique(groups)}


def outcome_left_out(
    readings: Sequence[Reading], outcome: Outcome, groups: np.ndarray, threshold: float
) -> tuple[Outcome, dict[str, float]]:
    """Return (the Outcome in which "not sure" is decided by a threshold set without the image's group, {group: threshold}).

    The rule: the threshold lies where it calls as large a fraction of the other groups' images "not sure" as the present one
    calls of all. An image that is not sure for another reason than its score stays so. threshold: the present one.
    """
    scores = np.array([min((digit.score for digit in reading.digits), default=np.nan) for reading in readings])
    read = np.isfinite(scores)
    rejected = np.mean(scores[read] < threshold)

    def setting(others: np.ndarray) -> float:
        return np.quantile(scores[others & read], rejected) if np.any(others & read) else threshold

    thresholds = set_without(groups, setting)
    below = scores < [thresholds[group] for group in groups]  # a comparison with nan, where no digit was read, is false
    unsure = below | (outcome.unsure & (scores >= threshold))
    return Outcome(outcome.correct, unsure, read & ~unsure & ~outcome.correct), thresholds


def counts(outcome: Outcome, mask: np.ndarray, left_out: Outcome | None = None) -> dict[str, int]:
    """Return {name: count} of the images where the mask, (N,) bool, is True."""
    found = {"n": int(mask.sum()), **{name: int(values[mask].sum()) for name, values in outcome._asdict().items()}}
    if left_out is not None:
        found |= {f"{name}_left_out": int(getattr(left_out, name)[mask].sum()) for name in ("unsure", "wrong_and_ok")}
    return found


def groups_of(items: Sequence[Item]) -> dict[str, dict[str, np.ndarray]]:
    """Return {title: {group: (N,) bool}}: the tables and their rows."""

    def by(values: Sequence[str]) -> dict[str, np.ndarray]:
        return {value: np.array(values) == value for value in sorted(set(values))}

    single = np.array([item.kind in SINGLE_KINDS for item in items], bool)
    lengths = [sum(character.isdigit() for character in item.label) for item in items]
    return {
        "kinds": {**by([item.kind for item in items]), "all single digits": single, "all numbers": ~single},
        "writers": by([f"{item.writer}, {item.style}" for item in items]),
        "lengths": by([str(length) if length < LONG else f"{LONG} or more" for length in lengths]),
    }


def score_people(reader: Reader, folders: Sequence[Path]) -> dict[str, Any]:
    """Read the images of the folders and return what the result holds of them."""
    items = find_items(folders)
    readings = [read(reader, item.path) for item in tqdm(items, "people's images", disable=None)]
    outcome = outcome_of(readings, [item.label for item in items])
    left_out, thresholds = outcome_left_out(readings, outcome, writers_left_out(items), reader.classifier.threshold)
    result: dict[str, Any] = {
        title: {name: counts(outcome, mask, left_out) for name, mask in masks.items() if mask.any()}
        for title, masks in groups_of(items).items()
    }
    result |= {"thresholds_left_out": thresholds, "misread": []}
    for item, reading, correct in zip(items, readings, outcome.correct, strict=True):
        if not correct:
            answer = {"read": reading.text, "status": reading.status, "confidence": reading.confidence}
            known = {"kind": item.kind, "file": "/".join(item.path.parts[-2:]), "label": item.label, "writer": item.writer}
            result["misread"].append({**known, **answer})
    result["not_readable"] = {}
    for name in NOT_READABLE:
        paths = [path for folder in folders for path in images_in(folder / name)[0]]
        answers = {path.name: read(reader, path) for path in paths}
        accepted = {image: reading.text for image, reading in answers.items() if reading.status == "ok"}
        if paths:
            result["not_readable"][name] = {"n": len(paths), "refused": len(paths) - len(accepted), "accepted": accepted}
    return result


# ---- composed rows ----------------------------------------------------------------------------------------------------


def composed_row(crops: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Return digits side by side, (height, width) uint8, white on black.

    crops: (28, 28) uint8 each, white on black. gap: pixels between their bounding boxes; below 0, they overlap.
    """
    parts, lefts, x = [], [], ROW_MARGIN
    for crop in crops:
        columns = np.flatnonzero(crop.max(axis=0) > INK_LEVEL)
        parts.append(crop[:, columns[0] : columns[-1] + 1])
        lefts.append(x)
        x += parts[-1].shape[1] + gap
    right = max(left + part.shape[1] for left, part in zip(lefts, parts, strict=True))
    row = np.zeros((len(crops[0]) + 2 * ROW_MARGIN, right + ROW_MARGIN), np.uint8)
    for part, left in zip(parts, lefts, strict=True):
        place = row[ROW_MARGIN:-ROW_MARGIN, left : left + part.shape[1]]
        np.maximum(place, part, out=place)
    return row


def dark_on_light(row: np.ndarray) -> np.ndarray:
    """Return a row, (height, width) uint8, white on black, as dark ink on light paper, twice the size."""
    large = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return np.uint8(PAPER - (PAPER - PEN) / 255 * large)


def composed_images(digits: dataset.Split) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield (kind, image, label) of every composed image. An image is (height, width) uint8, grey.

    The kinds that the number reader's own composer makes (rows of table cells, rows with marks, letters beside a number) belong
    here, too, from digits and shapes that it did not learn from.
    """
    for gap in GAPS:
        rng = np.random.default_rng(
            [SEED, gap - min(GAPS)]
        )  # one for each gap: a gap that is added leaves the others as they are
        for _ in range(ROWS):
            length = rng.integers(MIN_ROW_LENGTH, MAX_ROW_LENGTH, endpoint=True)
            places = rng.choice(len(digits.labels), length, replace=False)
            row, label = composed_row(digits.images[places], gap), "".join(map(str, digits.labels[places]))
            for form, image in zip(FORMS, (row, dark_on_light(row)), strict=True):
                yield kind_of_rows(gap, form), image, label


def kind_of_rows(gap: int, form: str) -> str:
    """Return the kind of composed rows, under which the result has them."""
    return f"gap {gap}, {form}"


def score_composed(reader: Reader, digits: dataset.Split) -> dict[str, dict[str, int]]:
    """Return {kind: counts} of the composed images."""
    kinds, readings, labels = [], [], []
    for kind, image, label in tqdm(composed_images(digits), "composed images", len(GAPS) * len(FORMS) * ROWS, disable=None):
        kinds.append(kind)
        readings.append(read(reader, image))
        labels.append(label)
    outcome = outcome_of(readings, labels)
    return {kind: counts(outcome, np.array(kinds) == kind) for kind in dict.fromkeys(kinds)}


def digits_to_compose(card: ModelCard, final: bool) -> dataset.Split:
    """Return MNIST's test digits, or the validation digits of the model's training, which it did not learn from."""
    if final:
        data = dataset.load(parts=("test",))
        return dataset.Split(data.x_test, data.y_test)
    data = dataset.load(parts=("train",))
    settings = card.settings
    if settings is None:
        raise UserError("The model has no card that says which digits it did not learn from.\nExpected one, or use --final.")
    _, validation = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    return dataset.Split(data.x_train[validation], data.y_train[validation])


# ---- the command ------------------------------------------------------------------------------------------------------


def print_counts(title: str, groups: Mapping[str, Mapping[str, int]]) -> None:
    """Print a table with a row for each group."""
    heads = {"n": "n", "correct": "read exactly", "wrong_and_ok": "sure and wrong", "unsure": "not sure"}
    heads |= {"wrong_and_ok_left_out": "sure and wrong, left out", "unsure_left_out": "not sure, left out"}
    shown = {name: head for name, head in heads.items() if name in next(iter(groups.values()))}
    print()
    rows = [
        (group, *(found[name] for name in shown), formatting.percent(found["correct"] / found["n"], 1))
        for group, found in groups.items()
    ]
    command_line.print_table([(title, *shown.values(), "exactly"), *rows])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="people's images (default: none are read)")
    parser.add_argument("--final", action="store_true", help="rows of MNIST's test digits alone")
    add_flags(parser, "whole_numbers")
    arguments = parser.parse_args(argv)
    if arguments.final and arguments.folders:
        parser.error("--final reads composed rows alone: expected no folder beside it")
    if arguments.final and arguments.json == parser.get_default("json"):
        arguments.json = RESULTS / "whole_numbers_final.json"
    return arguments


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, count, print, write."""
    arguments = parse(argv)
    reader = Reader(arguments.model)
    result = facts_with_model("whole_numbers", argv, reader.classifier)
    if arguments.folders:
        result |= score_people(reader, arguments.folders)
    result["composed"] = score_composed(reader, digits_to_compose(reader.classifier.card, arguments.final))

    print(f"{result['model']}, threshold {result['threshold']:.3f}")
    titles = {"kinds": "kind", "writers": "writer, style", "lengths": "digits"}
    for title, head in titles.items():
        if title in result:
            print_counts(head, result[title])
    for name, found in result.get("not_readable", {}).items():
        print(f"\n{name}: {found['refused']} of {found['n']} refused; read as digits: {found['accepted'] or 'none'}")
    if result.get("misread"):
        print(f"\n{len(result['misread'])} misread")
        command_line.print_table([tuple(result["misread"][0]), *(tuple(one.values()) for one in result["misread"])])
    print_counts(f"rows of MNIST's {'test' if arguments.final else 'validation'} digits", result["composed"])
    files.write_json(arguments.json, result)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
