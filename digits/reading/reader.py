"""An image -> its text. It is read in two ways, by its ink and by the number reader; the Reader decides between them."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from digits.common.errors import UserError
from digits.model.card import ModelCard
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.model.store import card_path, recover
from digits.reading.expectation import Expectation, likeliest_fit
from digits.reading.image import ImageSource, LoadedImage, load_image
from digits.reading.ink_reading import InkReading, read_by_ink
from digits.reading.number_finder import DEFAULT_NUMBER_READER, NumberFinder
from digits.reading.numbers import FoundText, TextPosition, candidates_in, read_numbers
from digits.reading.results import Digit, Reading, text_of

# Fraction of the image's width from which one sure digit is all that the image shows. In own_numbers, a digit that was found
# alone in one of the 283 numbers is at most 0.29 wide (number reader bc76d47e).
MIN_SINGLE_WIDTH = 0.3
# Of each digit, by the number finder alone, so that a number takes the place of one sure digit. In own_numbers, the 5 numbers
# that are one sure digit by ink have at least 0.51. Of 494 single digits (381 of own_digits, 113 of own_numbers), one is taken for
# two, at 0.47; the number reader is not asked about it, because it fills the image (MIN_SINGLE_WIDTH). Measured with
# number reader bc76d47e.
MIN_NUMBER_PROBABILITY = 0.4
# A digit that both ways of reading give alike is sure from these confidences on: the combined one of both networks as the number
# reader found it, and that of its ink, for one of several digits and for one that stands alone. Set by hand on own_numbers, as
# the next one, and measured together (benchmarks/results/whole_numbers.json, 777 images).
MIN_AGREED_CONFIDENCE, MIN_INK_CONFIDENCE, MIN_LONE_INK_CONFIDENCE = 0.6, 0.3, 0.7
MIN_PROBABILITY_WITHOUT_INK = 0.5  # of each digit, by the number finder alone, where the other way finds no ink

logger = logging.getLogger(__name__)


class ReaderArguments(NamedTuple):
    """What a Reader is made with. It can be sent to another process, which makes a Reader of it that reads the same."""

    model_path: str | os.PathLike
    card: ModelCard | None
    number_reader: str | os.PathLike | None


class Reader:
    """Reads the digits and numbers in images: Reader().read("me.jpg").text.

    model_path, card: of the digit network, as in Classifier. number_reader: of the number reader, as in NumberFinder; None:
    numbers are read by their ink alone. Where the shipped number reader is missing, this is logged and numbers are read by their
    ink. What is sure in a number was set with the shipped number reader, and holds less for another one. Raises UserError where one
    of the two networks can't be used.
    """

    def __init__(
        self,
        model_path: str | os.PathLike = DEFAULT_MODEL,
        card: ModelCard | None = None,
        number_reader: str | os.PathLike | None = DEFAULT_NUMBER_READER,
    ) -> None:
        self.classifier = Classifier(model_path, card)
        self.number_finder = None if number_reader is None else _load_number_finder(Path(number_reader))

    @property
    def arguments(self) -> ReaderArguments:
        """The arguments with which another Reader reads the same."""
        number_reader = None if self.number_finder is None else self.number_finder.model_path
        return ReaderArguments(self.classifier.model_path, self.classifier.card, number_reader)

    def read(self, image: ImageSource, expect: str | int | None = None) -> Reading:
        """Return what is written in an image.

        image: a path, a binary file, a Pillow image, or an array, (height, width) or (height, width, 3) uint8, grey or RGB.
        expect: what each text line holds, as in Expectation.parse: "5", five digits, or a pattern such as "##.##".
        An image that can't be read gives a Reading with the status "error", which says why; only a damaged model and a wrong
        pattern raise UserError.
        """
        expectation = None if expect is None else Expectation.parse(expect)
        name = _name_of(image)
        try:
            loaded = load_image(image)
        except UserError as error:
            return Reading(name, "error", message=str(error))
        by_ink = read_by_ink(loaded, self.classifier)
        numbers, best = None, FoundText(by_ink.digits)
        if self.number_finder is not None and _asks_number_reader(by_ink, loaded, expectation):
            numbers = read_numbers(loaded, self.number_finder, self.classifier)
            best = choose(by_ink, numbers)
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
            fit = likeliest_fit(expectation, candidates_in(numbers.detections, image, self.classifier))
        if fit is None:
            return replace(unconstrained, status="unsure", message=f"does not fit {expectation.pattern}")
        reading = _reading(unconstrained.image, image, FoundText(fit.digits, fit.marks, numbers.other_ink))
        if fit.is_likely:
            return reading
        message = f"fits {expectation.pattern}, but {unconstrained.text} is far more likely"
        return replace(reading, status="unsure", message=message)


def choose(by_ink: InkReading, numbers: FoundText) -> FoundText:
    """Return the better one of two readings of an image, by the first of these conditions that holds.

    the number reader finds no digit                       by ink; several digits not surely, because it should have seen them
    one sure digit by ink, and no certain number           by ink
    both read the same digits                              by ink, sure also where both confirm each other; with the marks
    no ink, and some digit below 0.5                       nothing
    more pieces by ink than the number reader found        the number reader's, not surely: it may have missed one
    everything else                                        the number reader's

    A number is certain where it has two or more digits and each has at least MIN_NUMBER_PROBABILITY. That and the 0.5,
    MIN_PROBABILITY_WITHOUT_INK, are probabilities that the number finder alone gives.
    """
    if numbers.min_probability is None:
        return FoundText(by_ink.digits if len(by_ink.digits) == 1 else _not_sure(by_ink.digits))
    is_certain_number = len(numbers.digits) > 1 and numbers.min_probability >= MIN_NUMBER_PROBABILITY
    if by_ink.is_one_sure_digit and not is_certain_number:
        return FoundText(by_ink.digits)
    if text_of(by_ink.digits) == text_of(numbers.digits):
        return replace(numbers, digits=_agreed(by_ink.digits, numbers.digits))
    if not by_ink.digits and numbers.min_probability < MIN_PROBABILITY_WITHOUT_INK:
        return FoundText()
    if len(by_ink.digits) > sum(map(len, (numbers.digits, numbers.marks, numbers.other_ink, numbers.uncertain_marks))):
        return replace(numbers, digits=_not_sure(numbers.digits))
    return numbers


def _not_sure(digits: Sequence[Digit]) -> tuple[Digit, ...]:
    """Return the digits, none of them sure."""
    return tuple(replace(digit, sure=False) for digit in digits)


def _agreed(by_ink: Sequence[Digit], by_number_reader: Sequence[Digit]) -> tuple[Digit, ...]:
    """Return the digits that were read by ink, sure also where both readings of the same digits confirm each other."""
    min_ink_confidence = MIN_INK_CONFIDENCE if len(by_ink) > 1 else MIN_LONE_INK_CONFIDENCE
    return tuple(
        replace(
            digit,
            sure=digit.sure or (digit.confidence >= min_ink_confidence and same.confidence >= MIN_AGREED_CONFIDENCE),
        )
        for digit, same in zip(by_ink, by_number_reader, strict=True)
    )


def _load_number_finder(path: Path) -> NumberFinder | None:
    """Return the number reader at the path; None, with a warning, where it is the shipped one and nothing of it is there."""
    recover(path)  # a kill may have left all of it in the staging folder
    if path == DEFAULT_NUMBER_READER and not path.exists() and not card_path(path).exists():
        logger.warning("%s is missing: numbers are read by their ink alone. It comes back with: git checkout models", path.name)
        return None
    return NumberFinder(path)


def _asks_number_reader(by_ink: InkReading, image: LoadedImage, expectation: Expectation | None) -> bool:
    """Return whether there may be a number: not where the image was turned, nor where one sure digit fills it and is expected."""
    if by_ink.turned:
        return False
    is_single = by_ink.is_one_sure_digit and by_ink.digits[0].box[2] >= MIN_SINGLE_WIDTH * image.full_size[0]
    is_expected = expectation is None or expectation.fits(text_of(by_ink.digits))
    return not (is_single and is_expected)


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
    if unsure:
        doubts.append(f"{unsure} of {len(found.digits)} pieces of ink are not clearly a digit")
    symbols = (("a sign that is not a digit", found.other_ink), ("what may be a mark", found.uncertain_marks))
    for what, positions in symbols:
        if positions:
            more = f", and {len(positions) - 1} more" if len(positions) > 1 else ""
            doubts.append(f"there is {what} {_in_words(positions[0], found.digits)}{more}")
    return "; ".join(doubts)


def _in_words(position: TextPosition, digits: Sequence[Digit]) -> str:
    """Return a position by the digits of its text line: "after the 2nd digit"."""
    after = sum(digit.row == position.row and digit.box[0] + digit.box[2] / 2 < position.x for digit in digits)
    number = max(after, 1)
    suffix = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    line = f" of text line {position.row + 1}" if digits[-1].row else ""
    return f"{'after' if after else 'before'} the {number}{suffix} digit{line}"


def _name_of(image: ImageSource) -> str:
    """Return the name of an image: its path, or what a Pillow image or an open file knows of one, or ""."""
    if isinstance(image, (str, bytes, os.PathLike)):
        return os.fsdecode(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)  # of Pillow; of an open file
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
