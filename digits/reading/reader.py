"""An image -> its text: finds the digits, asks the classifier, and says what is not sure."""

import os

import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.common.errors import UserError
from digits.model.card import ModelCard
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.reading.finder import find_candidates
from digits.reading.image import ImageSource, LoadedImage, load_image
from digits.reading.results import Digit, Reading, text_of
from digits.reading.segmentation_graph import MAX_CLEAR_COST, best_path, candidate_costs, cut_ones

MAX_TURNED_DIGITS = 60  # an image with more is a page of text, not a number on its side; the longest label has 60 digits
MIN_SCORE_GAIN = 2.0  # by which the mean log-odds must be higher when turned: odds e^2 = 7 times as high


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
        digits = self._read_any_way_up(loaded)
        width, thumbnail = loaded.full_size[0], loaded.thumbnail()
        if not digits:
            return Reading(name, "empty", message="no ink was found on the paper", width=width, thumbnail=thumbnail)
        unsure = sum(not digit.sure for digit in digits)
        if unsure == 0:
            return Reading(name, "ok", text_of(digits), "", digits, width=width, thumbnail=thumbnail)
        message = f"{unsure} of {len(digits)} pieces of ink are not clearly a digit"
        return Reading(name, "unsure", text_of(digits), message, digits, width=width, thumbnail=thumbnail)

    def _read_any_way_up(self, image: LoadedImage) -> tuple[Digit, ...]:
        """Return the digits in the image as it lies; or turned, where its digits tell that it lies on its side.

        They do where some are not sure as it lies, and where two or more are all sure, and clearly better, when it is turned.
        One digit alone does not tell which side is up: a 7 on its side may be a 2. Nor do ones and zeros: a dash on its
        side is a 1.
        """
        as_it_lies = self._find_digits(image, 0)
        if not 2 <= len(as_it_lies) <= MAX_TURNED_DIGITS or _are_sure(as_it_lies):
            return as_it_lies
        turned = [self._find_digits(image, quarter_turns) for quarter_turns in (1, 2, 3)]
        best = max((digits for digits in turned if len(digits) >= 2), key=_mean_score, default=as_it_lies)
        is_clear = _are_sure(best) and _mean_score(best) > _mean_score(as_it_lies) + MIN_SCORE_GAIN
        return best if is_clear and any(digit.digit > 1 for digit in best) else as_it_lies

    def _find_digits(self, image: LoadedImage, quarter_turns: int) -> tuple[Digit, ...]:
        """Return the digits, in reading order, in the image after this number of quarter turns to the left.

        A closer look is taken only where some ink is not clearly a digit. In most images all is, which saves time.
        """
        for candidates in find_candidates(image, quarter_turns):
            crops = np.array([candidate.crop for candidate in candidates], np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
            answers = self.classifier.classify(crops)
            costs = candidate_costs(candidates, answers.probabilities, answers.scores)
            if (costs <= MAX_CLEAR_COST).all():
                break
        sure = answers.sure & ~cut_ones(candidates, answers.probabilities)
        return tuple(
            Digit.from_probabilities(
                answers.probabilities[i], answers.scores[i], sure[i], candidates[i].box, candidates[i].row, candidates[i].crop
            )
            for i in best_path(candidates, costs)
        )


def _name_of(image: ImageSource) -> str:
    """Return the name of an image: its path, or what a Pillow image or an open file knows of one, or ""."""
    if isinstance(image, (str, bytes, os.PathLike)):
        return os.fsdecode(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)  # of Pillow; of an open file
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""


def _are_sure(digits: tuple[Digit, ...]) -> bool:
    return all(digit.sure for digit in digits)


def _mean_score(digits: tuple[Digit, ...]) -> float:
    """Return the mean score of at least one digit."""
    return sum(digit.score for digit in digits) / len(digits)
