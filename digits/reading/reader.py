"""An image -> its text. It is read in two ways, by its ink and by the number reader; the Reader decides between them."""

import functools
import logging
import os

from digits.common.config import NUMBER_READER
from digits.common.errors import UserError
from digits.model.card import ModelCard
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.model.lookup import find_model
from digits.reading.image import ImageSource, LoadedImage, load_image
from digits.reading.ink_reading import InkReading, read_by_ink
from digits.reading.number_finder import NumberFinder
from digits.reading.numbers import Numbers, read_numbers
from digits.reading.results import Reading, text_of

# Fraction of the image's width from which one sure digit is all that the image shows. In own_numbers, a digit that was found
# alone in a number is at most 0.29 wide.
MIN_SINGLE_WIDTH = 0.3
# Of each digit, so that a number takes the place of one sure digit. In own_numbers, the 5 numbers that are one sure digit by ink
# have at least 0.51. In own_digits, one of 494 single digits is taken for two, at 0.47; it is too wide to be asked about.
MIN_NUMBER_PROBABILITY = 0.4

logger = logging.getLogger(__name__)


class Reader:
    """Reads the digits and numbers in images: Reader().read("me.jpg").text.

    model_path, card: as in Classifier. Raises UserError where the model can't be used.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_MODEL, card: ModelCard | None = None) -> None:
        self.classifier = Classifier(model_path, card)

    def read(self, image: ImageSource) -> Reading:
        """Return what is written in an image.

        image: a path, a binary file, a Pillow image, or an array, (height, width) or (height, width, 3) uint8, grey or RGB.
        An image that can't be read gives a Reading with the status "error", which says why; only a damaged model raises
        UserError.
        """
        name = _name_of(image)
        try:
            loaded = load_image(image)
        except UserError as error:
            return Reading(name, "error", message=str(error))
        by_ink = read_by_ink(loaded, self.classifier)
        numbers = Numbers(by_ink.digits)
        if not by_ink.turned and not _shows_one_digit(by_ink, loaded) and self.number_finder is not None:
            numbers = choose(by_ink, read_numbers(loaded, self.number_finder, self.classifier))
        return _reading(name, loaded, numbers)

    @functools.cached_property
    def number_finder(self) -> NumberFinder | None:
        """The number reader's network, loaded when it is needed first; None where there is none in models/."""
        if not NUMBER_READER.exists():
            logger.warning("%s is missing: numbers are read by their ink alone.", NUMBER_READER.name)
            return None
        return NumberFinder(find_model(NUMBER_READER)[0])


def choose(by_ink: InkReading, numbers: Numbers) -> Numbers:
    """Return the better one of two readings of an image.

    the number reader finds no digit                     by ink
    one sure digit by ink, and no certain number         by ink
    both read the same digits                            by ink, whose confidence is calibrated, with the number reader's marks
    everything else                                      the number reader's
    """
    certain_number = len(numbers.digits) > 1 and numbers.min_probability >= MIN_NUMBER_PROBABILITY
    if not numbers.digits or (by_ink.is_one_sure_digit and not certain_number):
        return Numbers(by_ink.digits)
    if text_of(by_ink.digits) == text_of(numbers.digits):
        return Numbers(by_ink.digits, numbers.marks, numbers.other_ink)
    return numbers


def _shows_one_digit(by_ink: InkReading, image: LoadedImage) -> bool:
    """Return whether one sure digit fills so much of the image that there can't be a number."""
    return by_ink.is_one_sure_digit and by_ink.digits[0].box[2] >= MIN_SINGLE_WIDTH * image.full_size[0]


def _reading(name: str, image: LoadedImage, numbers: Numbers) -> Reading:
    """Return the Reading of what was found in an image."""
    width, thumbnail = image.full_size[0], image.thumbnail()
    digits, marks = numbers.digits, numbers.marks
    if not digits:
        return Reading(name, "empty", message="no ink was found on the paper", width=width, thumbnail=thumbnail)
    unsure = sum(not digit.sure for digit in digits) + numbers.other_ink
    message = f"{unsure} of {len(digits) + numbers.other_ink} pieces of ink are not clearly a digit" if unsure else ""
    return Reading(name, "unsure" if unsure else "ok", text_of(digits, marks), message, digits, marks, width, thumbnail)


def _name_of(image: ImageSource) -> str:
    """Return the name of an image: its path, or what a Pillow image or an open file knows of one, or ""."""
    if isinstance(image, (str, bytes, os.PathLike)):
        return os.fsdecode(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)  # of Pillow; of an open file
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
