"""Read people's images of single digits and of whole numbers, and images that are composed of MNIST's digits.

    python benchmarks/whole_numbers.py FOLDER ...    people's images, and images composed of digits that no network learned
    python benchmarks/whole_numbers.py               the composed images alone: 7,000, 25 minutes on one core
    python benchmarks/whole_numbers.py --count 40    40 of each kind: 2.5 minutes; 100 take 6
    python benchmarks/whole_numbers.py --final       composed of MNIST's test digits: once, when nothing is changed any more

(Not numbers.py: Python's standard library has a module of this name, and a script's folder comes before it.)

A folder has one or more of these tables, with the columns file, label, writer and style, beside the images:

    single.csv, more.csv    single digits, in single/ and more/
    numbers/labels.csv      whole numbers, in numbers/
    labels.csv              whole numbers, in folders that are named after their kind: people/, table_rows/, cheques/
    unclear/, not_digits/   without a table: images that must not be read as digits

An image is read exactly when its digits and text lines are those of the label; marks count where the label has some. Two errors
are counted besides: "sure and wrong" (called "ok", but misread) and "not sure". What decides between these two was set while
looking at these images: docs/results.md names the constants. Constants of the preparation: own_digits.py. The whole numbers are
read once more without the line reader, which shows what that is good for.

The composed images are those of composed_images.py: rows of digits with gaps from apart to overlapping, rows of table and form
cells, numbers with marks, numbers beside letters. Of these it is counted, too, how many are "ok" with a mark lost, or with a
mark, a line or a letter read as a digit.

The tables go to standard output; the numbers and every misread image to benchmarks/results/whole_numbers.json, those of --final
to whole_numbers_final.json.
"""

import argparse
import csv
import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from composed_images import COUNT, MARK_KINDS, composed_images, count_of_images, digits_not_learned
from record import RESULTS, add_flags, facts_with_model  # first: it puts the project on the path
from tqdm import tqdm

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.dataset import Split
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
LONG = 7  # digits: longer numbers are counted together, for there are few

WITHOUT_LINE_READER = "all numbers, without the line reader"  # one of the kinds in the result
ALL_MARKS = "numbers with marks, all"  # of the composed images


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


def counts(outcome: Outcome, mask: np.ndarray) -> dict[str, int]:
    """Return {name: count} of the images where the mask, (N,) bool, is True."""
    return {"n": int(mask.sum()), **{name: int(values[mask].sum()) for name, values in outcome._asdict().items()}}


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
    result: dict[str, Any] = {
        title: {name: counts(outcome, mask) for name, mask in masks.items() if mask.any()}
        for title, masks in groups_of(items).items()
    }
    result["misread"] = []
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


def count_numbers(reader: Reader, folders: Sequence[Path]) -> dict[str, int]:
    """Return the counts of the whole numbers in the folders, all together."""
    items = [item for item in find_items(folders) if item.kind not in SINGLE_KINDS]
    readings = [read(reader, item.path) for item in tqdm(items, "numbers once more", disable=None)]
    return counts(outcome_of(readings, [item.label for item in items]), np.ones(len(items), bool))


# ---- composed images --------------------------------------------------------------------------------------------------


def form_of(text: str) -> str:
    """Return a text with "#" for each digit, as --expect takes it: what is left when only digits are confused."""
    return re.sub("[0-9]", "#", text)


def score_composed(reader: Reader, digits: Split, count: int) -> dict[str, dict[str, int]]:
    """Return {kind: counts} of the composed images, at most this many of each kind.

    Beside the counts of people's images: "other_form_and_ok", how many are "ok" although the text has another form than the
    label: a mark is lost, or a mark, a line or a letter is read as a digit. Each is one of "wrong_and_ok", too.
    """
    kinds, readings, labels = [], [], []
    for kind, pixels, label in tqdm(composed_images(digits, count), "composed images", count_of_images(count), disable=None):
        kinds.append(kind)
        readings.append(read(reader, pixels))
        labels.append(label)
    outcome = outcome_of(readings, labels)
    other_form = np.array(
        [
            reading.status == "ok" and form_of(reading.text) != form_of(label)
            for reading, label in zip(readings, labels, strict=True)
        ]
    )
    masks = {kind: np.array(kinds) == kind for kind in dict.fromkeys(kinds)}
    masks[ALL_MARKS] = np.isin(kinds, list(MARK_KINDS.values()))
    return {kind: counts(outcome, mask) | {"other_form_and_ok": int(other_form[mask].sum())} for kind, mask in masks.items()}


def digits_to_compose(card: ModelCard, final: bool) -> Split:
    """Return MNIST's test digits, or those of its training digits that no network learned from."""
    if final:
        data = dataset.load(parts=("test",))
        return Split(data.x_test, data.y_test)
    if card.settings is None:
        raise UserError("The model has no card that says which digits it did not learn from.\nExpected one, or use --final.")
    return digits_not_learned(card)


# ---- the command ------------------------------------------------------------------------------------------------------


def print_counts(title: str, groups: Mapping[str, Mapping[str, int]]) -> None:
    """Print a table with a row for each group."""
    heads = {"n": "n", "correct": "read exactly", "wrong_and_ok": "sure and wrong", "unsure": "not sure"}
    heads |= {"other_form_and_ok": "sure, other form"}
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
    parser.add_argument("--final", action="store_true", help="images composed of MNIST's test digits alone")
    parser.add_argument(
        "--count", type=int, default=COUNT, metavar="N", help=f"of each kind of composed image (default: {COUNT})"
    )
    add_flags(parser, "whole_numbers")
    arguments = parser.parse_args(argv)
    if arguments.final and arguments.folders:
        parser.error("--final reads composed images alone: expected no folder beside it")
    if arguments.count < 1:
        parser.error("--count: expected 1 or more")
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
        if "all numbers" in result["kinds"]:
            result["kinds"][WITHOUT_LINE_READER] = count_numbers(Reader(arguments.model, line_reader=None), arguments.folders)
    result["composed"] = score_composed(reader, digits_to_compose(reader.classifier.card, arguments.final), arguments.count)

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
    print_counts(f"composed of MNIST's {'test' if arguments.final else 'validation'} digits", result["composed"])
    files.write_json(arguments.json, result)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
