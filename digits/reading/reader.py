"""An image -> its text. It is read in two ways, by its ink and by the number reader; the Reader decides between them."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from digits.common.config import CORES
from digits.common.errors import UserError
from digits.model.card import ModelCard
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.model.store import card_path, recover
from digits.reading.certainty import settle, settle_fit
from digits.reading.expectation import Expectation, likeliest_fit
from digits.reading.image import ImageSource, LoadedImage, load_image, name_of
from digits.reading.ink_reading import InkReading, read_by_ink
from digits.reading.line_reader import DEFAULT_LINE_READER, LineReader
from digits.reading.number_reader import DEFAULT_NUMBER_READER, NumberReader
from digits.reading.numbers import FoundText, TextPosition, candidates_in, position_of, read_numbers
from digits.reading.results import Digit, Reading, text_of

# Set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
MIN_SINGLE_WIDTH = 0.3  # fraction of the image's width from which one sure digit is all that the image shows
MIN_NUMBER_PROBABILITY = 0.4  # of each digit, by the number reader alone, so that a number takes the place of one sure digit
MIN_PROBABILITY_WITHOUT_INK = 0.5  # of each digit, by the number reader alone, where the other way finds no ink

NUM_THREADS = min(CORES, 2)  # with two, the number reader's network takes two thirds of its time; more were not measured

logger = logging.getLogger(__name__)


class ReaderArguments(NamedTuple):
    """What a Reader is made with. It can be sent to another process, which makes a Reader of it that reads the same."""

    model_path: str | os.PathLike
    card: ModelCard | None
    number_reader: str | os.PathLike | None
    line_reader: str | os.PathLike | None


class Reader:
    """Reads the digits and numbers in images: Reader().read("me.jpg").text.

    model_path, card: of the digit network, as in Classifier. number_reader: of the number reader, as in NumberReader; None:
    numbers are read by their ink alone. line_reader: of the line reader, which reads numbers a second time, as in LineReader;
    None: no number is read a second time, so it is less certain which are sure. Where the shipped one of these two is missing,
    this is logged, and the Reader does without it. The limits in certainty.py, which say what is sure in a number, were set with
    the shipped networks, and fit others less. num_threads: of the number reader's network; 1 is best where several processes
    read. It changes no answer. Raises UserError where a network can't be used.
    """

    def __init__(
        self,
        model_path: str | os.PathLike = DEFAULT_MODEL,
        card: ModelCard | None = None,
        number_reader: str | os.PathLike | None = DEFAULT_NUMBER_READER,
        line_reader: str | os.PathLike | None = DEFAULT_LINE_READER,
        num_threads: int = NUM_THREADS,
    ) -> None:
        self.classifier = Classifier(model_path, card)
        number_reader = _unless_gone(number_reader, DEFAULT_NUMBER_READER, "numbers are read by their ink alone")
        line_reader = _unless_gone(line_reader, DEFAULT_LINE_READER, "no number is read a second time")
        self.number_reader = None if number_reader is None else NumberReader(number_reader, num_threads)
        self.line_reader = None if line_reader is None else LineReader(line_reader)

    @property
    def arguments(self) -> ReaderArguments:
        """The arguments with which another Reader reads the same."""
        readers = (self.models.get(kind) for kind in ("number reader", "line reader"))
        return ReaderArguments(self.classifier.model_path, self.classifier.card, *readers)

    @property
    def models(self) -> dict[str, Path]:
        """The files of the networks in use: {"model": path, "number reader": path, "line reader": path}."""
        networks = {"model": self.classifier, "number reader": self.number_reader, "line reader": self.line_reader}
        return {kind: network.model_path for kind, network in networks.items() if network is not None}

    def read(self, image: ImageSource, expect: str | int | None = None, upright: bool = False) -> Reading:
        """Return what is written in an image.

        image: a path, a binary file, a Pillow image, or an array, (height, width) or (height, width, 3) uint8, grey or RGB.
        expect: what each text line holds, as in Expectation.parse: "5", five digits, or a pattern such as "##.##".
        upright: whether the image surely lies as it is to be read; else a number on its side, or upside down, is turned.
        An image that can't be read gives a Reading with the status "error", which says why; only a damaged model and a wrong
        pattern raise UserError.
        """
        expectation = None if expect is None else Expectation.parse(expect)
        name = name_of(image)
        try:
            loaded = load_image(image)
        except UserError as error:
            return Reading(name, "error", message=str(error))
        by_ink = read_by_ink(loaded, self.classifier, upright)
        numbers, best = None, FoundText(by_ink.digits)
        if self.number_reader is not None and _asks_number_reader(by_ink, loaded, expectation):
            found = read_numbers(loaded, self.number_reader, self.classifier)
            if not _is_turned(by_ink, found, loaded, self.number_reader, self.classifier):
                numbers, best = found, settle(choose(by_ink, found), by_ink.digits, self.line_reader)
        unconstrained = _reading(name, loaded, best)
        if expectation is None or not best.digits or expectation.fits(unconstrained.text):
            return unconstrained
        return self._read_again(unconstrained, loaded, numbers or best, expectation)

    def _read_again(self, unconstrained: Reading, image: LoadedImage, numbers: FoundText, expectation: Expectation) -> Reading:
        """Return the likeliest Reading of an image that fits, not sure where none does or where it is far less likely.

        unconstrained: the Reading of the image without the expectation, which it does not fit. numbers: what the number reader
        found.
        """
        fit = None
        if numbers.detections is not None:
            candidates = candidates_in(numbers.detections, image, self.classifier, unconstrained.marks)
            fit = likeliest_fit(expectation, candidates)
        if fit is None:
            return replace(unconstrained, status="unsure", message=f"does not fit {expectation.pattern}")
        reading = _reading(
            unconstrained.image,
            image,
            FoundText(settle_fit(fit.digits, fit.agreed), marks=fit.marks, other_ink=numbers.other_ink),
        )
        if fit.is_likely:
            return reading
        message = f"fits {expectation.pattern}, but {unconstrained.text} is far more likely"
        return replace(reading, status="unsure", message=message)


def choose(by_ink: InkReading, numbers: FoundText) -> FoundText:
    """Return the better one of two readings of an image, by the first of these conditions that holds.

    the number reader finds no digit                by ink
    one sure digit by ink, and the number reader
        gives it, too, with marks, such as -7       the number reader's
        finds no certain number                     by ink
    no ink, and some digit below 0.5                nothing
    everything else                                 the number reader's

    A number is certain where it has two or more digits and each has at least MIN_NUMBER_PROBABILITY. That and the 0.5,
    MIN_PROBABILITY_WITHOUT_INK, are probabilities that the number reader alone gives.
    """
    if numbers.min_probability is None:
        return FoundText(by_ink.digits)
    is_certain_number = len(numbers.digits) > 1 and numbers.min_probability >= MIN_NUMBER_PROBABILITY
    is_with_marks = bool(numbers.marks) and text_of(numbers.digits) == text_of(by_ink.digits)
    if by_ink.is_one_sure_digit and not is_certain_number and not is_with_marks:
        return FoundText(by_ink.digits)
    if not by_ink.digits and numbers.min_probability < MIN_PROBABILITY_WITHOUT_INK:
        return FoundText()
    return numbers


def _unless_gone(path: str | os.PathLike | None, shipped: Path, consequence: str) -> str | os.PathLike | None:
    """Return the path of a network; None, with a warning, where it is the shipped one and nothing of it is there."""
    if path is None or Path(path) != shipped:
        return path
    recover(shipped)  # a kill may have left all of it in the staging folder
    if not shipped.exists() and not card_path(shipped).exists():
        logger.warning("%s is missing: %s. It comes back with: git checkout models", shipped.name, consequence)
        return None
    return path


def _asks_number_reader(by_ink: InkReading, image: LoadedImage, expectation: Expectation | None) -> bool:
    """Return whether there may be a number: not where one sure digit fills the image and is expected."""
    is_single = by_ink.is_one_sure_digit and by_ink.digits[0].box[2] >= MIN_SINGLE_WIDTH * image.full_size[0]
    is_expected = expectation is None or expectation.fits(text_of(by_ink.digits))
    return not (is_single and is_expected)


def _is_turned(
    by_ink: InkReading, as_it_lies: FoundText, image: LoadedImage, number_reader: NumberReader, classifier: Classifier
) -> bool:
    """Return whether the image lies on its side, as its ink tells: then the number reader gives the same digits in it turned.

    as_it_lies: what the number reader gives in the image as it lies: no more digits than in it turned.
    Of 220 images of whole numbers that were turned by quarter turns, or not, and are turned by their ink, both gave the same
    digits for 189, of which 183 are right; two of the others have more digits as they lie.
    """
    if not by_ink.quarter_turns:
        return False
    digits = read_numbers(image.turned(by_ink.quarter_turns), number_reader, classifier).digits
    are_the_same = [digit.digit for digit in digits] == [digit.digit for digit in by_ink.digits]
    return are_the_same and len(as_it_lies.digits) <= len(digits)


def _reading(name: str, image: LoadedImage, found: FoundText) -> Reading:
    """Return the Reading of what was found in an image."""
    width, thumbnail = image.full_size[0], image.thumbnail()
    digits, marks = found.digits, found.marks
    if not digits:
        return Reading(name, "empty", message="no ink was found on the paper", width=width, thumbnail=thumbnail)
    message = _doubts(found)
    return Reading(name, "unsure" if message else "ok", text_of(digits, marks), message, digits, marks, width, thumbnail)


def _doubts(found: FoundText) -> str:
    """Return why a reading is not sure; "" where it is sure."""
    doubts = []
    unsure = sum(not digit.sure for digit in found.digits)
    if found.other_text:
        doubts.append(f"it may also be {found.other_text}")
    elif unsure and len(found.digits) == 1:
        doubts.append("it is not clearly a digit")
    elif unsure:
        doubts.append(f"{unsure} of {len(found.digits)} digits {'is' if unsure == 1 else 'are'} not clear")
    symbols = (
        ("a sign that is not a digit", found.other_ink),
        ("what may be a mark", (*map(position_of, found.uncertain_marks), *found.ambiguous_digits)),
    )
    for what, positions in symbols:
        if positions:
            more = f", and {len(positions) - 1} more" if len(positions) > 1 else ""
            doubts.append(f"there is {what} {_in_words(positions[0], found.digits)}{more}")
    return "; ".join(doubts)


def _in_words(position: TextPosition, digits: Sequence[Digit]) -> str:
    """Return a position by the digits of its text line: "after the 2nd digit"."""
    after = sum(digit.row == position.row and position_of(digit).x < position.x for digit in digits)
    number = max(after, 1)
    suffix = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    line = f" of text line {position.row + 1}" if digits[-1].row else ""
    return f"{'after' if after else 'before'} the {number}{suffix} digit{line}"
