"""Read numbers while the program is told what each text line holds, as with predict_custom.py --expect.

    python benchmarks/expectation.py FOLDER ...    people's numbers in the folders of whole_numbers.py, and composed numbers with
                                                   marks; four minutes

Each image is read without an expectation, and with the right one, which is the form of its label: "404" is ###, "12.50" is ##.##.
What does not fit at once and is read otherwise then (a fit) may be sure, if it is likely enough: digits.reading.expectation has
the threshold. The wrong expectations tell how low it may be: one character less than the right one, one digit more, and the same
without its marks. With these, an answer that is "ok" is wrong. The sweep shows what each threshold gives. The counts "left out"
use thresholds that are set without the images of the writer (for cheques, without the fold; for composed numbers, without the
mark): of those with which no fit to a right expectation is sure and wrong, and at most 1 % of the fits to wrong ones are sure,
the one with most sure fits to a right expectation, the highest of several.

Of the cheques, every fourth is read. Images whose text lines have different forms are left out. The tables go to standard output,
the numbers to benchmarks/results/expectation.json.
"""

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from composed_images import MARK_KINDS, composed_images, digits_not_learned
from record import add_flags, facts_with_model
from tqdm import tqdm
from whole_numbers import SINGLE_KINDS, Item, find_items, form_of

from digits.cli import command_line
from digits.common import files
from digits.common.config import MARKS
from digits.data.labels import matches
from digits.reading.certainty import settle_fit
from digits.reading.expectation import MIN_LOG_RATIO, Expectation, Fit, likeliest_fit
from digits.reading.image import ImageSource, load_image
from digits.reading.numbers import candidates_in, read_numbers
from digits.reading.reader import Reader
from digits.reading.results import text_of

UNKNOWN_WRITERS = "cheques"  # a kind: each of its images may be of another writer
FOLDS = 5  # five folds leave four fifths of the images to set a threshold with
CHEQUES_STEP = 4  # every fourth of the cheques, 55 of 220
COUNT_PER_MARK = 24  # composed numbers
THRESHOLDS = (0.0, -0.25, -0.5, -0.75, -1.0, -1.25, -1.5, -1.75, -2.0, -2.5, -3.0, -4.0)
MAX_WRONG_SURE = 0.01  # of the fits to wrong expectations
RIGHT, LESS, MORE, UNMARKED = "right", "one character less", "one digit more", "without its marks"


@dataclasses.dataclass(frozen=True)
class Image:
    """What is read. group: of images that are left out together when a threshold is set."""

    source: ImageSource
    kind: str
    label: str
    group: str


@dataclasses.dataclass(frozen=True)
class Try:
    """A fit to an expectation that the free reading does not fit. is_clear: whether it is sure if the threshold lets it be."""

    kind: str
    group: str
    expectation: str
    log_ratio: float
    is_clear: bool
    is_right: bool

    def is_sure(self, threshold: float) -> bool:
        """Whether it is "ok" with this threshold."""
        return self.is_clear and self.log_ratio >= threshold


def images_of(folders: Sequence[Path], reader: Reader) -> list[Image]:
    """Return people's numbers and the composed numbers with marks. Raises UserError."""
    items = [item for item in find_items(folders) if item.kind not in SINGLE_KINDS]
    cheques = [item for item in items if item.kind == UNKNOWN_WRITERS]
    left_out = set(cheques) - set(cheques[::CHEQUES_STEP])
    items = [item for item in items if item not in left_out]
    images = [Image(item.path, item.kind, item.label, group) for item, group in zip(items, writers_left_out(items), strict=True)]
    for composed in composed_images(digits_not_learned(reader.classifier.card), COUNT_PER_MARK):
        if composed.kind in MARK_KINDS.values():
            images.append(Image(composed.pixels, "composed, with marks", composed.label, composed.kind))
    return [image for image in images if len(forms_of(image)) == 1]


def forms_of(image: Image) -> set[str]:
    """Return the forms of an image's text lines."""
    return set(form_of(image.label).split("|"))


def expectations_of(image: Image) -> Iterator[tuple[str, Expectation]]:
    """Yield (name, expectation): the right one and the wrong ones."""
    (form,) = forms_of(image)
    unmarked = form.translate(str.maketrans("", "", MARKS))
    for name, pattern in ((RIGHT, form), (LESS, form[:-1]), (MORE, f"{form}#"), (UNMARKED, unmarked)):
        if "#" in pattern and (name == RIGHT or pattern != form):
            yield name, Expectation(pattern)


def try_all(reader: Reader, image: Image) -> tuple[dict[str, int], list[Try]]:
    """Return (counts of the free reading and of the one with the right expectation, the fits to all expectations)."""
    assert reader.number_reader is not None
    loaded = load_image(image.source)
    free = reader.read(image.source)
    numbers = read_numbers(loaded, reader.number_reader, reader.classifier)
    candidates = candidates_in(numbers.detections, loaded, reader.classifier, free.marks) if numbers.detections else []
    tries = []
    for name, expectation in expectations_of(image):
        fit: Fit | None = None if expectation.fits(free.text) else likeliest_fit(expectation, candidates)
        if fit is not None and fit.digits:
            is_clear = all(digit.sure for digit in settle_fit(fit.digits, fit.agreed)) and not numbers.other_ink
            is_right = name == RIGHT and matches(text_of(fit.digits, fit.marks), image.label)
            tries.append(Try(image.kind, image.group, name, fit.log_ratio, is_clear, is_right))
    expected = reader.read(image.source, next(expectations_of(image))[1].pattern)
    counts = {"n": 1}
    for name, reading in (("free", free), ("expected", expected)):
        correct = matches(reading.text, image.label)
        counts |= {f"{name}_correct": correct, f"{name}_wrong_and_ok": reading.sure and not correct}
        counts |= {f"{name}_unsure": reading.status == "unsure"}
    return {key: int(value) for key, value in counts.items()}, tries


def at_threshold(tries: Sequence[Try], threshold: float) -> dict[str, int]:
    """Return the counts of the fits with this threshold."""
    right = [one for one in tries if one.expectation == RIGHT]
    wrong = [one for one in tries if one.expectation != RIGHT]
    return {
        "right": len(right),
        "right_sure": sum(one.is_sure(threshold) for one in right),
        "right_sure_and_wrong": sum(one.is_sure(threshold) and not one.is_right for one in right),
        "wrong": len(wrong),
        **{name: sum(one.is_sure(threshold) for one in wrong if one.expectation == name) for name in (LESS, MORE, UNMARKED)},
    }


def best_threshold(tries: Sequence[Try]) -> float:
    """Return the best of the THRESHOLDS by the rule in this file's docstring."""
    best, most = THRESHOLDS[0], -1
    for threshold in THRESHOLDS:  # from the highest on
        found = at_threshold(tries, threshold)
        few_are_wrong = found[LESS] + found[MORE] + found[UNMARKED] <= MAX_WRONG_SURE * found["wrong"]
        if few_are_wrong and not found["right_sure_and_wrong"] and found["right_sure"] > most:
            best, most = threshold, found["right_sure"]
    return best


def writers_left_out(items: Sequence[Item]) -> np.ndarray:
    """Return the group of each image, (N,) str: its writer, or one of the folds, in turns, where the writers are unknown."""
    fold = itertools.cycle(range(FOLDS))
    return np.array([f"{item.kind}, fold {next(fold)}" if item.kind == UNKNOWN_WRITERS else item.writer for item in items])


def set_without(groups: np.ndarray, setting: Callable[[np.ndarray], float]) -> dict[str, float]:
    """Return {group: the value that is set without the group's images}.

    groups: (N,) str. setting: takes a mask, (N,) bool, of the images that may be looked at, and returns the value.
    """
    return {str(group): float(setting(groups != group)) for group in np.unique(groups)}


def left_out(tries: Sequence[Try]) -> tuple[dict[str, int], dict[str, float]]:
    """Return (the counts with thresholds set without each group, {group: threshold})."""
    groups = np.array([one.group for one in tries])
    thresholds = set_without(groups, lambda others: best_threshold([one for one, use in zip(tries, others, strict=True) if use]))
    parts = [at_threshold([one for one in tries if one.group == group], threshold) for group, threshold in thresholds.items()]
    return {name: sum(part[name] for part in parts) for name in parts[0]}, thresholds


def print_results(by_kind: Mapping[str, Mapping[str, int]], sweep: Mapping[str, Mapping[str, int]]) -> None:
    """Print the tables."""
    columns = tuple(next(iter(by_kind.values())))
    command_line.print_table(
        [("kind", *columns), *((kind, *(found[name] for name in columns)) for kind, found in by_kind.items())]
    )
    print()
    columns = tuple(next(iter(sweep.values())))
    rows = [(threshold, *(found[name] for name in columns)) for threshold, found in sweep.items()]
    command_line.print_table([("sure fits, threshold", *columns), *rows])


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, count, print, write."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="people's images")
    add_flags(parser, "expectation")
    arguments: argparse.Namespace = parser.parse_args(argv)
    reader = Reader(arguments.model)
    by_kind: dict[str, dict[str, int]] = {}
    tries: list[Try] = []
    for image in tqdm(images_of(arguments.folders, reader), disable=None):
        found, of_image = try_all(reader, image)
        total = by_kind.setdefault(image.kind, dict.fromkeys(found, 0))
        for name, count in found.items():
            total[name] += count
        tries += of_image
    sweep = {str(threshold): at_threshold(tries, threshold) for threshold in THRESHOLDS}
    sweep["left out"], thresholds = left_out(tries)
    print_results(by_kind, sweep)
    result = facts_with_model("expectation", argv, reader.classifier)
    result |= {"threshold_of_fits": MIN_LOG_RATIO, "kinds": by_kind, "sweep": sweep, "thresholds_left_out": thresholds}
    files.write_json(arguments.json, result)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
