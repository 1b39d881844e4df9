"""Read images that people made, and estimate how well they would be read if none of their writers had been seen.

    python benchmarks/own_digits.py                    ../shared/own_digits; about four minutes on two CPU cores
    python benchmarks/own_digits.py FOLDER             one built the same: single.csv, numbers/labels.csv, unclear/
    python benchmarks/own_digits.py --present          without the writers-left-out figures: half a minute

Some constants of preparing an image were set by looking at these images. So each number has a second one beside it, "left out"
(leave-one-writer-out cross-validation): these constants are set again without the images of one writer, by the rule at
CONSTANTS, and are scored on that writer's images alone; writer after writer. This covers neither the ideas behind the code nor
the constants that decide what is "not sure", which docs/results.md names. An image is correct when its whole text is, also when
it is "unsure".

The tables and every failure go to standard output, the numbers to benchmarks/results/own_digits.json.
"""

import argparse
import csv
import dataclasses
import importlib
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from record import add_flags, facts_with_model  # first: it puts the project on the path
from tqdm import tqdm

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.config import PROJECT
from digits.common.errors import UserError
from digits.data.labelled_folder import images_in
from digits.data.labels import matches
from digits.evaluation.metrics import calibration_error
from digits.reading.reader import Reader
from digits.reading.results import Reading

# ---- what is set again without each writer ----------------------------------------------------------------------------
# Constants that were set by looking at people's images, by their modules in digits/reading/. Each is tried alone at its present
# value times these factors. The change that reads most of the other writers' images is taken, or none where none is better.
CONSTANTS = {
    "ink": ("BIWEIGHT_REACH", "MIN_CONTRAST", "MIN_SIGNAL_TO_NOISE"),
    "segmentation": ("SPECK_SIZE", "MIN_RELATIVE_HEIGHT", "MIN_HEIGHT_AT_BORDER"),
    "preprocessing": ("MIN_STROKE_WIDTH", "MAX_STROKE_WIDTH"),
}
FACTORS = (0.75, 1.33)
PROCESSES = 2  # each holds a reader

Setting = tuple[str, str, float] | None  # module, constant, value; None: nothing is changed


class Item(NamedTuple):
    """An image and what is known of it. part: single or numbers. label: its text, text lines joined by "|"."""

    path: Path
    part: str
    label: str
    writer: str
    style: str
    notes: tuple
    mnist_like: bool


def find_items(folder: Path) -> list[Item]:
    """Return the labelled images of the folder as Items. Raises UserError."""
    items = []
    for part, table in (("single", folder / "single.csv"), ("numbers", folder / "numbers" / "labels.csv")):
        try:
            with open(table, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            for row in rows:
                notes = tuple(note for note in row["notes"].split(";") if note)
                path = folder / part / row["file"]
                items.append(Item(path, part, row["label"], row["writer"], row["style"], notes, row.get("mnist_like") == "1"))
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise UserError(
                f"{table} can't be used: {error!r}.\n"
                "Expected a folder with single.csv and numbers/labels.csv, columns file, label, writer, style, notes."
            ) from error
    return items


# ---- reading ----------------------------------------------------------------------------------------------------------


def settings() -> tuple[list[Setting], list[str]]:
    """Return every Setting that is tried, None first; and the constants that were not found."""
    tried: list[Setting] = [None]
    absent: list[str] = []
    for module, names in CONSTANTS.items():
        for name in names:
            present = getattr(importlib.import_module(f"digits.reading.{module}"), name, None)
            if present is None:
                absent.append(f"{module}.{name}")
            else:
                tried += [(module, name, present * factor) for factor in FACTORS]
    return tried, absent


def start_process(model_path: Path, paths: list[Path]) -> None:
    """Prepare a process for read_all: its reader and the images' paths."""
    global _reader, _paths
    _reader, _paths = Reader(model_path), paths


def read_all(setting: Setting) -> list[Reading]:
    """Return the Reading of every image under a setting, without thumbnails, which would take much memory."""
    if setting is None:
        return [dataclasses.replace(reading, thumbnail=None) for reading in map(_reader.read, _paths)]
    module, name, value = importlib.import_module(f"digits.reading.{setting[0]}"), *setting[1:]
    present = getattr(module, name)
    setattr(module, name, value)  # its functions look it up each time
    try:
        return read_all(None)
    finally:
        setattr(module, name, present)


def read_under(tried: Sequence[Setting], model_path: Path, items: Sequence[Item]) -> dict[Setting, list[Reading]]:
    """Return {setting: [Reading of each item]}."""
    arguments = model_path, [item.path for item in items]
    with multiprocessing.Pool(min(PROCESSES, len(tried)), start_process, arguments) as pool:
        return dict(zip(tried, tqdm(pool.imap(read_all, tried), "settings", len(tried), disable=None), strict=True))


# ---- scores -----------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """Of each item: whether it was read correctly, its confidence (nan where nothing was read), and whether it was unsure."""

    correct: np.ndarray
    confidence: np.ndarray
    unsure: np.ndarray

    def scores(self, mask: np.ndarray) -> dict[str, Any]:
        """Return {name: value} of the items where the mask, (N,) bool, is True."""
        correct, confidence = self.correct[mask], self.confidence[mask]
        answered = np.isfinite(confidence)
        return {
            "n": int(mask.sum()),
            "correct": int(correct.sum()),
            "accuracy": float(correct.mean()),
            "unsure": float(self.unsure[mask].mean()),
            "ece": calibration_error(confidence[answered], correct[answered]),
        }


def outcome_of(readings: Sequence[Reading], items: Sequence[Item]) -> Outcome:
    """Return the Outcome of the items' Readings."""
    return Outcome(
        np.array([matches(reading.text, item.label) for reading, item in zip(readings, items, strict=True)]),
        np.array([np.nan if reading.confidence is None else reading.confidence for reading in readings]),
        np.array([reading.status == "unsure" for reading in readings]),
    )


def leave_writers_out(readings: Mapping[Setting, Sequence[Reading]], items: Sequence[Item]) -> tuple[Outcome, dict[str, Setting]]:
    """Return (the Outcome in which each item is read with the Setting that suits the other writers' images, {writer: it}).

    readings: by Setting, None first.
    """
    writers = np.array([item.writer for item in items])
    outcomes = {setting: outcome_of(of_setting, items) for setting, of_setting in readings.items()}
    left_out, taken = Outcome(*map(np.copy, outcomes[None])), {}
    for writer in sorted(set(writers)):
        own, others = writers == writer, writers != writer
        setting = max(outcomes, key=lambda setting: outcomes[setting].correct[others].sum())  # the first of equals
        for values, of_setting in zip(left_out, outcomes[setting], strict=True):
            values[own] = of_setting[own]
        taken[str(writer)] = setting
    return left_out, taken


def constants_alone(readings: Mapping[Setting, Sequence[Reading]], items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """Return {constant: {"values": {value: correct}, "left_out": correct}}: each set alone, without each writer."""
    writers = np.array([item.writer for item in items])
    correct = {setting: outcome_of(of_setting, items).correct for setting, of_setting in readings.items()}
    result = {}
    for name in dict.fromkeys(setting[:2] for setting in readings if setting):
        candidates = [None, *(setting for setting in readings if setting and setting[:2] == name)]
        left_out = 0
        for writer in set(writers):
            best = max(candidates, key=lambda setting: correct[setting][writers != writer].sum())
            left_out += int(correct[best][writers == writer].sum())
        values = {f"{setting[2]:.3g}" if setting else "present": int(correct[setting].sum()) for setting in candidates}
        result[".".join(name)] = {"values": values, "left_out": left_out}
    return result


def groups(items: Sequence[Item]) -> dict[str, dict[str, np.ndarray]]:
    """Return {title: {group: (N,) bool}}: the tables and their rows. Styles and notes are those of single digits."""

    def by(value, among=lambda item: True):
        values = sorted({one for item in items if among(item) for one in value(item)})
        return {str(one): np.array([among(item) and one in value(item) for item in items]) for one in values}

    def single(item):
        return item.part == "single"

    return {
        "part": {"all": np.ones(len(items), bool), **by(lambda item: [item.part])},
        "form of single digits": by(lambda item: ["MNIST's already" if item.mnist_like else "as people have them"], single),
        "style of single digits": by(lambda item: [item.style], single),
        "note on single digits": by(lambda item: item.notes, single),
        "number of digits": by(lambda item: [len(item.label.replace("|", ""))]),
        "writer": by(lambda item: [item.writer]),
    }


# ---- the command ------------------------------------------------------------------------------------------------------


def print_groups(title: str, tables: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """Print a table with a row for each group; two tables side by side. tables: [{group: scores}]."""
    heads = ("present", "left out")[: len(tables)]
    rows = [(title, "n", *(f"{name} {head}".rstrip() for name in ("correct", "unsure", "ECE") for head in heads))]
    for group in tables[0]:
        cells = [[formatting.percent(table[group][name]) for table in tables] for name in ("accuracy", "unsure", "ece")]
        rows.append((group, tables[0][group]["n"], *sum(cells, [])))
    print()
    command_line.print_table(rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    default = PROJECT.parent / "shared" / "own_digits"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="the images (default: ../shared/own_digits)")
    parser.add_argument("--present", action="store_true", help="leave out the leave-one-writer-out scores")
    add_flags(parser, "own_digits")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, score, set the values again without each writer, print, write."""
    arguments = parse(argv)
    reader = Reader(arguments.model)
    classifier = reader.classifier
    items = find_items(arguments.folder)
    tried, absent = ([None], []) if arguments.present else settings()
    readings = read_under(tried, arguments.model, items)

    outcomes, taken = [outcome_of(readings[None], items)], {}
    if not arguments.present:
        left_out, taken = leave_writers_out(readings, items)
        outcomes.append(left_out)
    tables = {
        title: [{group: outcome.scores(mask) for group, mask in parts.items()} for outcome in outcomes]
        for title, parts in groups(items).items()
    }
    print(f"{classifier.model_path.name}, temperature {classifier.card.temperature:.3f}, threshold {classifier.threshold:.3f}")
    for title, sets in tables.items():
        print_groups(title, sets)

    failures = []
    for item, reading, correct in zip(items, readings[None], outcomes[0].correct, strict=True):
        if not correct:
            name = f"{item.part}/{item.path.relative_to(arguments.folder / item.part).as_posix()}"
            answer = {"read": reading.text, "status": reading.status, "confidence": reading.confidence}
            failures.append({"file": name, "label": item.label, **answer, "notes": ";".join(item.notes)})
    print(f"\n{len(failures)} failures")
    if failures:
        command_line.print_table([tuple(failures[0]), *(tuple(failure.values()) for failure in failures)])

    unclear = {path.name: reader.read(path) for path in images_in(arguments.folder / "unclear")[0]}
    unclear = {name: {"read": reading.text, "status": reading.status} for name, reading in unclear.items()}
    if unclear:
        print("\nunclear images, which should be unsure")
        command_line.print_table([("file", "read", "status"), *((name, *answer.values()) for name, answer in unclear.items())])

    result = facts_with_model("own_digits", argv, classifier)
    for title, sets in tables.items():
        result[title] = dict(zip(("present", "left_out"), sets, strict=False))
    if not arguments.present:
        alone = constants_alone(readings, items)
        print(f"\neach constant alone: correct of {len(items)} by its value, and where it is set for each writer by the others")
        rows = [("constant", "correct", "left out")]
        for name, counts in alone.items():
            rows.append((name, "  ".join(f"{value}: {n}" for value, n in counts["values"].items()), counts["left_out"]))
        command_line.print_table(rows)
        for name in absent:
            print(f"digits/reading/{name} does not exist: put what replaced it into CONSTANTS", file=sys.stderr)
        result |= {"constants": alone, "constants_absent": absent, "set_without_writer": taken}
    files.write_json(arguments.json, {**result, "failures": failures, "unclear": unclear})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
