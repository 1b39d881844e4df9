"""Set how certain a number has to be, with writers left out, and count what is then "not sure", and what is sure and wrong.

    python benchmarks/certainty.py FOLDER ...    people's numbers in the folders of whole_numbers.py; a minute

MIN_NUMBER_CONFIDENCE of digits/reading/certainty.py was set on all of these images. Here it is set again for each writer (for
each of five folds of the cheques, whose writers are unknown) on the images of all the others: of the limits with which at most
2 % of the others are sure and wrong, the one that calls the fewest "not sure", the highest of several; where no limit does, the
one with the fewest sure and wrong. With this limit the writer's own images are counted. So the sum over the writers is what
strangers' numbers may expect, as far as this limit goes; everything else stays as it was made with these images in view.

The table goes to standard output, the numbers to benchmarks/results/certainty.json.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from expectation import set_without, writers_left_out
from record import add_flags, facts_with_model  # it puts the project on the path
from sweep import Constant, Sweep, changed
from sweep import Item as SweptItem
from tqdm import tqdm
from whole_numbers import SINGLE_KINDS, Outcome, counts, find_items, outcome_of

from digits.cli import command_line
from digits.common import files
from digits.reading.certainty import MIN_NUMBER_CONFIDENCE
from digits.reading.reader import Reader

LIMITS = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)  # for MIN_NUMBER_CONFIDENCE, which is one of them
MAX_WRONG_SHARE = 0.02  # about what the shipped limit gives on these images
COLUMNS = ("n", "correct", "unsure", "wrong_and_ok")


def outcome_at(limit: float, sweep: Sweep, labels: Sequence[str]) -> Outcome:
    """Return the Outcome of all images with this limit."""
    with changed(Constant("certainty", "MIN_NUMBER_CONFIDENCE", None, MIN_NUMBER_CONFIDENCE), limit):
        readings, _ = sweep.read_all("certainty")
    return outcome_of(readings, labels)


def best_limit(outcomes: Mapping[float, Outcome], mask: np.ndarray) -> float:
    """Return the best limit by the rule in this file's docstring. mask: (N,) bool, of the images that may be looked at."""

    def rank(limit: float) -> tuple[float, int, float]:
        found = counts(outcomes[limit], mask)
        return max(found["wrong_and_ok"] - MAX_WRONG_SHARE * found["n"], 0), found["unsure"], -limit

    return min(outcomes, key=rank)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, choose, count, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="people's images")
    add_flags(parser, "certainty")
    arguments: argparse.Namespace = parser.parse_args(argv)
    items = [item for item in find_items(arguments.folders) if item.kind not in SINGLE_KINDS]
    sweep = Sweep(Reader(arguments.model), [SweptItem(item.path, item.label) for item in items])
    outcomes = {limit: outcome_at(limit, sweep, [item.label for item in items]) for limit in tqdm(LIMITS, disable=None)}

    groups = writers_left_out(items)
    chosen = set_without(groups, lambda others: best_limit(outcomes, others))
    parts = [counts(outcomes[limit], groups == group) for group, limit in chosen.items()]
    limits = {str(limit): counts(outcome, np.ones(len(items), bool)) for limit, outcome in outcomes.items()}
    left_out = {name: sum(part[name] for part in parts) for name in COLUMNS}
    rows = [(limit, *found.values()) for limit, found in {**limits, "writers left out": left_out}.items()]
    command_line.print_table([("limit", *COLUMNS), *rows])
    result = facts_with_model("certainty", argv, sweep.reader.classifier)
    result |= {"limit": MIN_NUMBER_CONFIDENCE, "limits": limits, "left_out": left_out, "limits_left_out": chosen}
    files.write_json(arguments.json, result)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
