"""Make each constant that Reader.read uses a third smaller and a third larger, alone, and read people's images with it.

    python benchmarks/sweep.py FOLDER ...                          every constant: hours; it continues where it stopped
    python benchmarks/sweep.py FOLDER ... --only ink STRONG_INK    those of these modules, and these constants, measured again
    python benchmarks/sweep.py FOLDER ... --every 20 --json FILE   every 20th image of the sample: minutes

The folders are those of whole_numbers.py. Read are every whole number in them, every third single digit, and 100 of the images
without a digit of not_digits.py. A constant is a name in capitals at the head of a module that a Reader uses; its value is a
number or a tuple of numbers, of which each is changed alone. LEFT_OUT names those that are not changed, and why. A constant that
is computed from another one keeps its value when that one is changed. form, alignment, print_removal and parallel are no part of
Reader.read; results/forms.json measures the first three. The constants of digits/model are fixed by the training.

For each change the JSON holds the differences to the unchanged program: "correct", in the number of images that are read exactly;
"wrong_and_ok", of those that are "ok" and misread, or "ok" without a digit; "unsure", of those with a digit that are "not sure".
It also holds "otherwise", how many images have another text or status, and "time", the processor's time in units of the unchanged
program's. What a constant can't change is not computed again (STAGES).

benchmarks/results/sweep.json is written after each constant; docs/constants.md shows it.
"""

import argparse
import ast
import functools
import hashlib
import importlib
import json
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import drawings
import not_digits
import numpy as np
from record import add_flags, facts_with_model, reader_checksums  # first: it puts the project on the path
from tqdm import tqdm
from whole_numbers import SINGLE_KINDS, find_items, read

import digits.reading
from digits.cli import command_line
from digits.common import files
from digits.common.errors import UserError
from digits.data.labels import matches
from digits.model.litert import LiteRTNetwork
from digits.reading import candidates
from digits.reading import reader as reader_module
from digits.reading.image import ImageSource
from digits.reading.reader import Reader
from digits.reading.results import Reading

LEFT_OUT = {  # a module or one of its constants: why it is not changed
    "decoding": "formats, and limits of time and memory",
    "page_images": "formats, and limits of time and memory",
    "image.THUMBNAIL_SIDE": "a size of figures",
    "image.BAND_PIXELS": "a limit of memory",
    "image.SIDEWAYS_ORIENTATIONS": "EXIF's numbers",
    "expectation.MIN_LOG_RATIO": "acts only with --expect; expectation.py sweeps it",
    "certainty.MIN_FIT_CONFIDENCE": "acts only with --expect",
    "ink.MAD_TO_STD": "a property of the normal distribution",
    "ink_reading.MAX_TURNED_DIGITS": "the length of the longest label",
    "line_reader.WIDTH_STEP": "a size that follows from the network",
    "number_reader.MIN_FAINT_PROBABILITY": "acts only with --expect; expectation.py sweeps what follows from it",
    "number_reader.MIN_LOG_SIDE": "a limit against damaged answers",
    "number_reader.MAX_LOG_SIDE": "a limit against damaged answers",
    "number_reader.SIDE_STEP": "a size that follows from the network",
    "reader.NUM_THREADS": "changes no answer",
}
# Bounds that a change may not pass: constants with one of these words in their name, and single ones.
BOUNDS = {"PERCENTILE": (0, 100), "PROBABILITY": (0, 1), "CONFIDENCE": (0, 1), "ALPHA": (0, 1), "SHARE": (0, 1)}
BOUNDS |= {"PYRAMID_STEP": (1, math.inf)}
CHANGES = {"less": 2 / 3, "more": 4 / 3}
SINGLES_STEP = 3  # every third single digit
COUNT_WITHOUT_DIGIT = 100  # images
# What is not computed again where a change can't reach it. The networks never change.
STAGES = (
    (reader_module, "load_image"), (reader_module, "read_by_ink"), (reader_module, "read_numbers"), (candidates, "find_ink"),
    (LiteRTNetwork, "__call__"),
)  # fmt: skip

Number = int | float


class Constant(NamedTuple):
    """A number at the head of a module of digits/reading. place: its place in a tuple, None where it is not in one."""

    module: str
    name: str
    place: int | None
    value: Number

    @property
    def key(self) -> str:
        """Its name in the result: "ink.MIN_CONTRAST" or "text_lines.HEIGHT_RANGE[0]"."""
        return f"{self.module}.{self.name}" + ("" if self.place is None else f"[{self.place}]")


class Item(NamedTuple):
    """An image of the sample. label: None where it has no digit."""

    source: ImageSource
    label: str | None


# ---- the constants ----------------------------------------------------------------------------------------------------


def sources() -> dict[str, str]:
    """Return {module: source} of digits/reading, by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted(Path(digits.reading.__path__[0]).glob("[!_]*.py"))}


def names_defined(source: str) -> Iterator[str]:
    """Yield the names in capitals that a module defines at its head."""
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for name in (name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)):
            if name.id.isupper():
                yield name.id


def all_constants() -> Iterator[Constant]:
    """Yield every constant of what a Reader uses, also those that are left out, in the order of the modules and their lines."""
    for module in sorted(modules_behind("reader")):
        for name in names_defined(sources()[module]):
            value = getattr(importlib.import_module(f"digits.reading.{module}"), name)
            for place, number in enumerate(value) if isinstance(value, tuple) else [(None, value)]:
                if isinstance(number, Number) and not isinstance(number, bool):
                    yield Constant(module, name, place, number)


def constants() -> list[Constant]:
    """Return the constants that are changed."""
    return [one for one in all_constants() if not {one.module, f"{one.module}.{one.name}"} & set(LEFT_OUT)]


def changed_value(constant: Constant, factor: float) -> Number:
    """Return the constant's value times the factor, or a third of the way to the bound that this would reach.

    An integer stays one and changes by 1 at the least.
    """
    low, high = next((bounds for word, bounds in BOUNDS.items() if word in constant.name), (-math.inf, math.inf))
    value, new = constant.value, constant.value * factor
    if not low < new < high:
        new = value + ((low if new <= low else high) - value) / 3
    if isinstance(value, int):
        return round(new) if round(new) != value else value + (1 if new > value else -1)
    return float(f"{new:.4g}")


@contextmanager
def changed(constant: Constant, new: Number) -> Iterator[None]:
    """Let the constant have another value: in its module, in those that import its name, and as default of their functions."""
    functions = {}
    modules = []
    for name in modules_behind("reader"):
        source = sources()[name]
        if name == constant.module or imports(source, f"digits.reading.{constant.module}", constant.name):
            module = importlib.import_module(f"digits.reading.{name}")
            modules.append(module)
            functions |= {getattr(module, function): place for function, place in defaults(source, constant.name)}
    old = getattr(modules[0], constant.name)
    value = new if constant.place is None else (*old[: constant.place], new, *old[constant.place + 1 :])

    def have(value: Any) -> None:
        for module in modules:
            setattr(module, constant.name, value)
        for function, place in functions.items():
            function.__defaults__ = (*function.__defaults__[:place], value, *function.__defaults__[place + 1 :])

    try:
        have(value)
        yield
    finally:
        have(old)


def imports(source: str, module: str, name: str) -> bool:
    """Return whether a module with this source imports the name from the module."""
    return any(
        isinstance(node, ast.ImportFrom) and node.module == module and name in {alias.name for alias in node.names}
        for node in ast.parse(source).body
    )


def defaults(source: str, name: str) -> Iterator[tuple[str, int]]:
    """Yield (function, place among its defaults) where the name is the default of a parameter."""
    for node in ast.parse(source).body:
        for place, default in enumerate(node.args.defaults if isinstance(node, ast.FunctionDef) else ()):
            if isinstance(default, ast.Name) and default.id == name:
                yield node.name, place


def modules_behind(module: str) -> set[str]:
    """Return the module and all of digits/reading that it imports, directly or not."""
    texts, found, waiting = sources(), set[str](), {module}
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in re.findall(r"digits\.reading\.(\w+)", texts[one])} & set(texts) - found
    return found


# ---- reading ----------------------------------------------------------------------------------------------------------


class Stage:
    """A function that keeps its answers in the unchanged program, and gives them again where no changed constant matters.

    holder, name: the module or class in which the function stands under this name; there it is replaced.
    """

    def __init__(self, holder: Any, name: str) -> None:
        self.function = getattr(holder, name)
        path, _, module = self.function.__module__.rpartition(".")
        self.modules = modules_behind(module) if path == "digits.reading" else set()
        self.changed_module: str | None = None  # of the constant that is changed; None for the unchanged program
        # By key: (arguments, answer, seconds). The arguments are held so that no other object gets the id of one.
        self.kept: dict[tuple[Any, ...], tuple[list[Any], Any, float]] = {}
        self.seconds_saved = 0.0

        @functools.wraps(self.function)
        def staged(*arguments: Any, **named: Any) -> Any:  # a function, so that it can be a method
            return self._call(arguments, named)

        setattr(holder, name, staged)

    def _call(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        key = *map(_key, arguments), *named, *map(_key, named.values())
        if self.changed_module and self.changed_module not in self.modules and key in self.kept:
            _, answer, seconds = self.kept[key]
            self.seconds_saved += seconds
            return answer
        start = time.process_time()
        answer = self.function(*arguments, **named)
        if self.changed_module is None:
            if isinstance(answer, np.ndarray):
                answer.setflags(write=False)
            held = [one for one in (*arguments, *named.values()) if not isinstance(one, np.ndarray)]
            self.kept[key] = held, answer, time.process_time() - start
        return answer


def _key(argument: Any) -> Any:
    """Return what is the same for the same argument alone: a number, an array's content, the id of any other object."""
    if isinstance(argument, (int, float, str)):
        return argument
    if isinstance(argument, np.ndarray):
        return argument.shape, argument.dtype.str, hashlib.sha256(np.ascontiguousarray(argument)).digest()
    return id(argument)


class Sweep:
    """Reads a sample with a reader whose constants are changed one at a time. It replaces the functions of the STAGES."""

    def __init__(self, reader: Reader, items: Sequence[Item]) -> None:
        self.reader, self.items = reader, items
        self.stages = [Stage(holder, name) for holder, name in STAGES]
        self.unchanged, self.seconds = self.read_all(None)

    def read_all(self, changed_module: str | None) -> tuple[list[Reading], float]:
        """Return the readings, and the processor's seconds that they take, including those saved.

        changed_module: that has a changed constant; None if all are as they were.
        """
        for stage in self.stages:
            stage.changed_module, stage.seconds_saved = changed_module, 0.0
        start = time.process_time()
        readings = [read(self.reader, item.source) for item in self.items]
        return readings, time.process_time() - start + sum(stage.seconds_saved for stage in self.stages)

    def counts(self, readings: Sequence[Reading]) -> dict[str, int]:
        """Return the counts of the readings, as this file's docstring names them."""
        correct = wrong_and_ok = unsure = 0
        for reading, item in zip(readings, self.items, strict=True):
            is_right = item.label is not None and matches(reading.text, item.label)
            correct += is_right
            wrong_and_ok += reading.sure and not is_right
            unsure += item.label is not None and reading.status == "unsure"
        return {"correct": correct, "wrong_and_ok": wrong_and_ok, "unsure": unsure}

    def effect(self, constant: Constant, new: Number) -> dict[str, Any]:
        """Return what changes with another value of the constant; only the error where the program fails with it."""
        try:
            with changed(constant, new):
                readings, seconds = self.read_all(constant.module)
        except Exception as error:  # a value far off may break any part of the program
            return {"value": new, "error": repr(error)}
        before, after = self.counts(self.unchanged), self.counts(readings)
        otherwise = sum(answer_of(one) != answer_of(other) for one, other in zip(readings, self.unchanged, strict=True))
        differences = {name: after[name] - before[name] for name in before}
        return {"value": new, **differences, "otherwise": otherwise, "time": round(seconds / self.seconds, 3)}

    def facts(self) -> dict[str, Any]:
        """Return the sample and the answers of the unchanged program: what must be the same for a sweep to be continued."""
        kinds = {"n": len(self.items), "without_a_digit": sum(item.label is None for item in self.items)}
        answers = hashlib.sha256(json.dumps([answer_of(reading) for reading in self.unchanged]).encode()).hexdigest()
        return {"sample": kinds, "unchanged": self.counts(self.unchanged), "answers_sha256": answers}


def answer_of(reading: Reading) -> tuple[str, str]:
    """Return what a reading is compared by."""
    return reading.text, reading.status


def sample(folders: Sequence[Path], every: int) -> list[Item]:
    """Return every Nth image of the sample. Raises UserError."""
    found = find_items(folders)
    single = [item for item in found if item.kind in SINGLE_KINDS]
    labelled = [item for item in found if item.kind not in SINGLE_KINDS] + single[::SINGLES_STEP]
    outliers = list(not_digits.samples(drawings.find_fonts()))
    outliers = outliers[:: len(outliers) // COUNT_WITHOUT_DIGIT][:COUNT_WITHOUT_DIGIT]
    items = [Item(item.path, item.label) for item in labelled] + [Item(outlier.image, None) for outlier in outliers]
    return items[::every]


# ---- the command ------------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="people's images")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="modules and constants (default: all)")
    parser.add_argument(
        "--every", type=command_line.positive_integer, default=1, metavar="N", help="every Nth image of the sample (default: 1)"
    )
    add_flags(parser, "sweep")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, count, print and write after each constant."""
    arguments = parse(argv)
    only = set(arguments.only)
    swept = [one for one in constants() if not only or {one.module, one.name} & only]
    if unknown := only - {name for one in swept for name in (one.module, one.name)}:
        raise UserError(
            f"--only: there is no constant and no module {', '.join(sorted(unknown))}.\nExpected names in digits/reading."
        )
    earlier = json.loads(arguments.json.read_bytes()) if arguments.json.exists() else {}

    sweep = Sweep(Reader(arguments.model), sample(arguments.folders, arguments.every))
    result = facts_with_model("sweep", argv, sweep.reader.classifier) | sweep.facts()
    tied = ("model_sha256", *reader_checksums(), "sample", "answers_sha256")
    if earlier and any(earlier.get(name) != result[name] for name in tied):
        raise UserError(
            f"{arguments.json} is of another sample, model or program.\nExpected the same; delete it, or use --json FILE."
        )
    noted = earlier.get("constants", {})
    print(f"unchanged: {result['unchanged']} of {result['sample']}, {sweep.seconds:.1f} s")
    for constant in tqdm(swept, disable=None):
        if not only and noted.get(constant.key, {}).get("value") == constant.value:
            continue
        values = {name: changed_value(constant, factor) for name, factor in CHANGES.items()}
        noted[constant.key] = {"value": constant.value}
        noted[constant.key] |= {name: sweep.effect(constant, value) for name, value in values.items()}
        files.write_json(arguments.json, result | {"constants": noted})
    rows = [(one.key, one.value, change, *noted[one.key][change].values()) for one in swept for change in CHANGES]
    heads = ("constant", "value", "a third", "value", "correct", "wrong_and_ok", "unsure", "otherwise", "time")
    command_line.print_table([heads, *([*row, *[""] * len(heads)][: len(heads)] for row in rows)])
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
