"""Read the pictures that people made, beside how well they would be read had none of their writers been seen.

    python benchmarks/own_digits.py                    ../shared/own_digits; about four minutes on two CPU cores
    python benchmarks/own_digits.py FOLDER             one built the same: single.csv, numbers/labels.csv, unclear/
    python benchmarks/own_digits.py --present          without the writers-left-out figures: half a minute

Some things were chosen on these pictures: constants of preparing a picture, and how many drawings of no digit may pass as
one, from which the threshold of "not sure" follows. (The temperature comes from validation pictures.) So each figure has a
neighbour, "left out": all of that, the temperature too, is chosen again without a writer, by the rules that stand at CONSTANTS
and TEMPERATURES, and scored on that writer's pictures alone, writer after writer. It covers these choices, not the ideas
behind the code. A picture is right when its whole text is, also when it is "unsure".

The tables and every failure go to standard output, the numbers to benchmarks/results/own_digits.json.
"""

import csv
import functools
import importlib
import multiprocessing
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from record import add_flags, facts_with_model  # first: it puts the project on the path
from tqdm import tqdm

from digits import command_line, files
from digits.config import PROJECT, UserError
from digits.dataset import pictures_in
from digits.recognizer import Recognizer
from digits.report import calibration_error, least_confidence

# ---- what is chosen again without each writer -------------------------------------------------------------------------
# Constants that were set by looking at people's pictures, by their modules in digits/. Each is tried alone at its present value
# times these factors; the change, or none, that reads most of the other writers' pictures is taken, none where it is as good.
CONSTANTS = {
    "ink": ("BIWEIGHT_REACH", "FAINTEST_INK", "NOISE_FACTOR"),
    "segmentation": ("SPECK", "LOWEST_DIGIT", "AT_BORDER", "CUT_FROM"),
    "preprocessing": ("THINNEST_STROKE", "THICKEST_STROKE"),
    "reading": ("DOUBTLESS",),
}
FACTORS = (0.75, 1.33)
TEMPERATURES = np.geomspace(0.5, 2.5, 17)  # the likeliest for the other writers' single digits is taken; steps of 10 %
# (the lowest, where none of them is misread: then the calibration error with writers left out tells nothing).
# The threshold is taken below which as large a share of the other writers' pictures lies as lies below the present one of all.
PROCESSES = 2


class Item(NamedTuple):
    """A picture and what is known of it. part: single or numbers. label: its text, rows joined by "|"."""

    path: Path
    part: str
    label: str
    writer: str
    style: str
    notes: tuple
    mnist_like: bool


class Read(NamedTuple):
    """What was read of a picture: its entry of the JSON and its crops, (n, 28, 28) uint8."""

    entry: dict
    crops: np.ndarray


def find_items(folder):
    """Return the labelled pictures of the folder as Items. Raises UserError."""
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


def settings():
    """Return every (module, constant, value) that is tried, the present state, None, first; and the constants not found."""
    tried, absent = [None], []
    for module, names in CONSTANTS.items():
        for name in names:
            present = getattr(importlib.import_module(f"digits.{module}"), name, None)
            if present is None:
                absent.append(f"{module}.{name}")
            else:
                tried += [(module, name, present * factor) for factor in FACTORS]
    return tried, absent


def start_process(model_path, paths):
    """Prepare a process for read_all: its recogniser and the pictures' paths."""
    global _recognizer, _paths
    _recognizer, _paths = Recognizer(model_path), paths


def read_all(setting):
    """Return a Read of every picture with one constant changed, or with none."""
    if setting is None:
        return [Read(reading.entry, reading.crops) for reading in map(_recognizer.examine, _paths)]
    module, name, value = importlib.import_module(f"digits.{setting[0]}"), *setting[1:]
    present = getattr(module, name)
    setattr(module, name, value)  # its functions look it up each time
    try:
        return read_all(None)
    finally:
        setattr(module, name, present)


def read_under(tried, model_path, items):
    """Return {setting: [Read of each item]}."""
    arguments = model_path, [item.path for item in items]
    with multiprocessing.Pool(min(PROCESSES, len(tried)), start_process, arguments) as pool:
        return dict(zip(tried, tqdm(pool.imap(read_all, tried), "settings", len(tried), disable=None), strict=True))


# ---- figures ----------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """Of each item: whether it was read right, how surely (nan where nothing was read), and whether it was called unsure."""

    right: np.ndarray
    confidence: np.ndarray
    unsure: np.ndarray

    def figures(self, chosen):
        """Return {figure: value} of the items where chosen, (N,) bool, holds."""
        right, confidence = self.right[chosen], self.confidence[chosen]
        answered = np.isfinite(confidence)
        return {
            "n": int(chosen.sum()),
            "correct": int(right.sum()),
            "accuracy": float(right.mean()),
            "unsure": float(self.unsure[chosen].mean()),
            "ece": calibration_error(confidence[answered], right[answered]),
        }


def present_outcome(reads, items):
    """Return the Outcome as the user gets it."""
    confidence = [least_confidence(read.entry) for read in reads]
    return Outcome(
        np.array([read.entry["text"] == item.label for read, item in zip(reads, items, strict=True)]),
        np.array([np.nan if value is None else value for value in confidence]),
        np.array([read.entry["status"] == "unsure" for read in reads]),
    )


def writers_left_out(recognizer, readings, items):
    """Return (Outcome in which each item was read with what the other writers' pictures chose, {writer: what that was})."""
    writers = np.array([item.writer for item in items])
    right = {setting: present_outcome(reads, items).right for setting, reads in readings.items()}
    one_digit = np.array([len(item.label) == 1 for item in items])
    truth = np.array([int(item.label[0]) for item in items])

    @functools.cache
    def answers(setting, temperature):
        """Return each item's least confidence, its least score, and the probability of its label, nan where there is none."""
        present, recognizer.temperature = recognizer.temperature, temperature
        reads = readings[setting]
        counts = [len(read.crops) for read in reads]
        probabilities, scores, _ = recognizer.classify(np.concatenate([read.crops for read in reads]))
        recognizer.temperature = present
        starts = np.cumsum([0, *counts])
        confidence, score, likelihood = np.full((3, len(reads)), np.nan)
        for i, (start, count) in enumerate(zip(starts, counts)):
            if count:
                confidence[i] = probabilities[start : start + count].max(axis=1).min()
                score[i] = scores[start : start + count].min()
            if count == 1 and one_digit[i]:
                likelihood[i] = probabilities[start, truth[i]]
        return confidence, score, likelihood

    def loss(setting, temperature, others):
        return -np.nanmean(np.log(np.maximum(answers(setting, temperature)[2][others], 1e-30)))

    # A comparison with nan, the score of nothing, is false.
    refused = np.mean(answers(None, recognizer.temperature)[1] < recognizer.threshold)
    outcome = Outcome(np.zeros(len(items), bool), np.full(len(items), np.nan), np.zeros(len(items), bool))
    chosen = {}
    for writer in sorted(set(writers)):
        own, others = writers == writer, writers != writer
        setting = max(readings, key=lambda setting: right[setting][others].sum())  # the first of equals: the present state
        temperature = min(TEMPERATURES, key=lambda temperature: loss(setting, temperature, others))
        confidence, score, _ = answers(setting, temperature)
        threshold = float(np.nanquantile(score[others], refused))
        # What is unsure for another reason than its score, such as a sideways photo, stays so.
        present_score = answers(setting, recognizer.temperature)[1]
        elsewise = [read.entry["status"] == "unsure" for read in readings[setting]] & (present_score >= recognizer.threshold)
        outcome.right[own], outcome.confidence[own] = right[setting][own], confidence[own]
        outcome.unsure[own] = ((score < threshold) | elsewise)[own]
        chosen[writer] = {"change": setting, "temperature": float(temperature), "threshold": threshold}
    return outcome, chosen


def constants_alone(readings, items):
    """Return {constant: {"values": {value: right}, "left_out": right}}: each chosen alone, without each writer."""
    writers = np.array([item.writer for item in items])
    right = {setting: present_outcome(reads, items).right for setting, reads in readings.items()}
    result = {}
    for name in dict.fromkeys(setting[:2] for setting in readings if setting):
        candidates = [None, *(setting for setting in readings if setting and setting[:2] == name)]
        left_out = 0
        for writer in set(writers):
            best = max(candidates, key=lambda setting: right[setting][writers != writer].sum())
            left_out += int(right[best][writers == writer].sum())
        counts = [int(right[setting].sum()) for setting in candidates]
        values = {f"{setting[2]:.3g}" if setting else "present": count for setting, count in zip(candidates, counts)}
        result[".".join(name)] = {"values": values, "left_out": left_out}
    return result


def groups(items):
    """Return {title: {group: (N,) bool}}: what the tables' rows are about. Styles and notes are those of single digits."""

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


def print_groups(title, tables):
    """Print a table, a row a group; with two sets of figures, side by side. tables: [{group: figures}]."""
    heads = ("present", "left out")[: len(tables)]
    rows = [(title, "n", *(f"{name} {head}".rstrip() for name in ("right", "unsure", "ECE") for head in heads))]
    for group in tables[0]:
        cells = [[command_line.percent(table[group][name]) for table in tables] for name in ("accuracy", "unsure", "ece")]
        rows.append((group, tables[0][group]["n"], *sum(cells, [])))
    print()
    command_line.print_table(rows)


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    default = PROJECT.parent / "shared" / "own_digits"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="the pictures (default: ../shared/own_digits)")
    parser.add_argument("--present", action="store_true", help="leave the writers-left-out figures away")
    add_flags(parser, "own_digits")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Read, score, choose again without each writer, print, write."""
    arguments = parse(argv)
    recognizer = Recognizer(arguments.model)
    items = find_items(arguments.folder)
    tried, absent = ([None], []) if arguments.present else settings()
    readings = read_under(tried, arguments.model, items)

    outcomes, chosen = [present_outcome(readings[None], items)], {}
    if not arguments.present:
        left_out, chosen = writers_left_out(recognizer, readings, items)
        outcomes.append(left_out)
    tables = {
        title: [{group: outcome.figures(those) for group, those in parts.items()} for outcome in outcomes]
        for title, parts in groups(items).items()
    }
    print(f"{recognizer.model_path.name}, temperature {recognizer.temperature:.3f}, threshold {recognizer.threshold:.3f}")
    for title, sets in tables.items():
        print_groups(title, sets)

    failures = []
    for item, read, right in zip(items, readings[None], outcomes[0].right, strict=True):
        if not right:
            name = f"{item.part}/{item.path.relative_to(arguments.folder / item.part).as_posix()}"
            answer = {"read": read.entry["text"], "status": read.entry["status"], "confidence": least_confidence(read.entry)}
            failures.append({"file": name, "label": item.label, **answer, "notes": ";".join(item.notes)})
    print(f"\n{len(failures)} failures")
    if failures:
        command_line.print_table([tuple(failures[0]), *(tuple(failure.values()) for failure in failures)])

    unclear = {path.name: recognizer.read(path) for path in pictures_in(arguments.folder / "unclear")[0]}
    unclear = {name: {"read": entry["text"], "status": entry["status"]} for name, entry in unclear.items()}
    if unclear:
        print("\nunclear pictures, which should be unsure")
        command_line.print_table([("file", "read", "status"), *((name, *answer.values()) for name, answer in unclear.items())])

    result = facts_with_model("own_digits", argv, recognizer)
    for title, sets in tables.items():
        result[title] = {name: table for name, table in zip(("present", "left_out"), sets)}
    if not arguments.present:
        alone = constants_alone(readings, items)
        print(f"\neach constant alone: right of {len(items)} by its value, and where each writer's is chosen by the others")
        rows = [("constant", "right", "left out")]
        for name, counts in alone.items():
            rows.append((name, "  ".join(f"{value}: {n}" for value, n in counts["values"].items()), counts["left_out"]))
        command_line.print_table(rows)
        for name in absent:
            print(f"digits/{name} is not there any more: put what took its place into CONSTANTS", file=sys.stderr)
        result |= {"constants": alone, "constants_absent": absent, "chosen_without_writer": chosen}
    files.write_json(arguments.json, {**result, "failures": failures, "unclear": unclear})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
