"""Read the fields of forms that are composed, filled in with MNIST's digits, and distorted as photographs are.

    python benchmarks/forms.py --final       1,000 fields of 1 to 6 of MNIST's test digits: once, when nothing is changed any more
    python benchmarks/forms.py               the same of digits that no network learned and that are not in the test set
    python benchmarks/forms.py --count 50    quickly: two sheets

composed_forms.py draws the sheets: 25 fields of each are filled in, three stay empty. Each sheet is read twice: as it was printed
and written, by its fields alone; and as a photograph, shifted, turned, slanted, in shadow and with grain, aligned to the blank
form. A field is read exactly when its text is what was written. "sure and wrong" and "not sure" are counted besides; an empty
field is read exactly when it is called empty.

The tables go to standard output; the numbers and every misread field to benchmarks/results/forms.json, those of --final to
forms_final.json.
"""

import argparse
import io
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from composed_forms import EMPTY_FIELDS, KINDS, ComposedForm, blank_form, fill_in, photograph
from PIL import Image
from record import RESULTS, add_flags, facts_with_model  # it puts the project on the path
from tqdm import tqdm
from whole_numbers import Outcome, counts, digits_to_compose, print_counts

from digits.cli import command_line
from digits.common import files
from digits.data.dataset import Split
from digits.reading.form import NOT_ALIGNED, Form, FormReading
from digits.reading.reader import Reader
from digits.reading.results import Reading

SEED = 0
COUNT = 1000  # fields
SHEETS_OF_A_FORM = 4  # that are filled in, each by another person
JPEG_QUALITY = 85  # of the photographs, about that of a phone's
EMPTY = "empty"
WAYS = ("as printed", "photographed")


class Answer(NamedTuple):
    """What was read in one field of one sheet. way: one of WAYS. kind: of the field, or EMPTY. number: of the sheet, from 0."""

    way: str
    kind: str
    number: int
    label: str
    reading: Reading

    @property
    def is_exact(self) -> bool:
        return self.reading.text == self.label and (self.kind != EMPTY or self.reading.status == "empty")


def read_sheets(reader: Reader, digits: Split, count: int) -> Iterator[tuple[str, ComposedForm, list[str], FormReading]]:
    """Yield (way, form, labels, what was read) of each sheet in each way. count: of filled in fields, at least."""
    rng = np.random.default_rng(SEED)
    blank = blank_form(rng)
    filled = len(blank.fields) - EMPTY_FIELDS
    for sheet in tqdm(range(math.ceil(count / filled)), "sheets", disable=None):
        if sheet % SHEETS_OF_A_FORM == 0:
            blank = blank_form(rng)
            form = Form(blank.fields)
            aligned = Form.with_reference(blank.fields, blank.page)
        page, labels = fill_in(blank, digits, rng)
        photographed = io.BytesIO()
        Image.fromarray(photograph(page, rng)).save(photographed, "JPEG", quality=JPEG_QUALITY)
        yield WAYS[0], blank, labels, form.read(reader, page)
        yield WAYS[1], blank, labels, aligned.read(reader, photographed)


def score(reader: Reader, digits: Split, count: int) -> dict[str, Any]:
    """Return what the result holds: {way: {kind: counts}}, the sheets that were not aligned, and the misread fields."""
    answers: list[Answer] = []
    not_aligned = 0
    for sheet, (way, form, labels, reading) in enumerate(read_sheets(reader, digits, count)):
        not_aligned += reading.message.startswith(NOT_ALIGNED)
        for kind, label, in_field in zip(form.kinds, labels, reading.fields.values(), strict=True):
            answers.append(Answer(way, kind if label else EMPTY, sheet // len(WAYS), label, in_field))
    correct = np.array([answer.is_exact for answer in answers])
    unsure, ok = (np.array([answer.reading.status == status for answer in answers]) for status in ("unsure", "ok"))
    outcome = Outcome(correct, unsure, ok & ~correct)
    result: dict[str, Any] = {}
    for way in WAYS:
        of_way = np.array([answer.way == way for answer in answers])
        masks = {kind: of_way & np.array([answer.kind == kind for answer in answers]) for kind in (*KINDS, EMPTY)}
        masks["all but the empty ones"] = of_way & ~masks[EMPTY]
        result[way] = {kind: counts(outcome, mask) for kind, mask in masks.items() if mask.any()}
    result["not_aligned"] = not_aligned
    result["misread"] = [
        {"way": answer.way, "sheet": answer.number, "kind": answer.kind, "label": answer.label}
        | {"read": answer.reading.text, "status": answer.reading.status}
        for answer in answers
        if not answer.is_exact
    ]
    return result


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--final", action="store_true", help="filled in with MNIST's test digits")
    count_help = f"filled in fields, rounded up to whole sheets (default: {COUNT})"
    parser.add_argument("--count", type=command_line.positive_integer, default=COUNT, metavar="N", help=count_help)
    add_flags(parser, "forms")
    arguments = parser.parse_args(argv)
    if arguments.final and arguments.json == parser.get_default("json"):
        arguments.json = RESULTS / "forms_final.json"
    return arguments


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Compose, read, count, print, write."""
    arguments = parse(argv)
    reader = Reader(arguments.model)
    digits = digits_to_compose(reader.classifier.card, arguments.final)
    result = facts_with_model("forms", argv, reader.classifier) | score(reader, digits, arguments.count)

    print(f"{result['model']}, threshold {result['threshold']:.3f}; {'test' if arguments.final else 'validation'} digits")
    for way in WAYS:
        print_counts(way, result[way])
    print(f"\nphotographs that could not be aligned: {result['not_aligned']}\n")
    if result["misread"]:
        command_line.print_table([tuple(result["misread"][0]), *(tuple(one.values()) for one in result["misread"])])
    files.write_json(arguments.json, result)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
