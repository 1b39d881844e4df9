"""An image -> its digits, told by their ink: paper and ink are separated, the classifier judges each connected piece.

Digits that touch, and numbers on forms and cheques, are read by numbers.py.
"""

from dataclasses import dataclass

import numpy as np

from digits.common.config import IMAGE_SIZE, MAX_TEXT_LENGTH
from digits.model.classifier import Classifier
from digits.reading.candidates import find_candidates
from digits.reading.image import LoadedImage
from digits.reading.results import Digit

MAX_TURNED_DIGITS = MAX_TEXT_LENGTH  # an image with more is a page of text, not a number on its side
MIN_LOG_ODDS_GAIN = 2.0  # by which the mean log-odds must be higher when turned: odds e^2 = 7 times as high


@dataclass(frozen=True)
class InkReading:
    """digits: in reading order. quarter_turns: to the left, after which the image stands upright, as its digits tell: 0 to 3."""

    digits: tuple[Digit, ...]
    quarter_turns: int = 0

    @property
    def is_one_sure_digit(self) -> bool:
        """Whether there is one digit, and it is clearly one."""
        return len(self.digits) == 1 and self.digits[0].sure


def read_by_ink(image: LoadedImage, classifier: Classifier, upright: bool = False) -> InkReading:
    """Return the digits in the image as it lies, or turned by quarter turns, if it lies on its side and need not be upright.

    The image counts as turned if as it lies there are 2 to MAX_TURNED_DIGITS digits, some not sure, and if after a turn there
    are two or more digits, all of them are sure, and their mean log-odds are higher by MIN_LOG_ODDS_GAIN. One digit alone does
    not tell which side is up: a 7 on its side may be a 2. Nor do ones and zeros: a dash on its side is a 1.
    """
    as_it_lies = _find_digits(image, 0, classifier)
    if upright or not 2 <= len(as_it_lies) <= MAX_TURNED_DIGITS or _are_sure(as_it_lies):
        return InkReading(as_it_lies)
    turned = [InkReading(_find_digits(image, turns, classifier), turns) for turns in (1, 2, 3)]
    several = [reading for reading in turned if len(reading.digits) >= 2]
    best = max(several, key=lambda reading: _mean_log_odds(reading.digits), default=InkReading(as_it_lies))
    is_clear = _are_sure(best.digits) and _mean_log_odds(best.digits) > _mean_log_odds(as_it_lies) + MIN_LOG_ODDS_GAIN
    if is_clear and any(digit.digit > 1 for digit in best.digits):
        return best
    return InkReading(as_it_lies)


def _find_digits(image: LoadedImage, quarter_turns: int, classifier: Classifier) -> tuple[Digit, ...]:
    """Return the digits, in reading order, in the image after this number of quarter turns to the left."""
    candidates = find_candidates(image, quarter_turns)
    crops = np.array([candidate.crop for candidate in candidates], np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    answers = classifier.classify(crops)
    return tuple(
        Digit.from_probabilities(probabilities, log_odds, sure, candidate.box, candidate.row, candidate.crop)
        for candidate, probabilities, log_odds, sure in zip(candidates, *answers, strict=True)
    )


def _are_sure(digits: tuple[Digit, ...]) -> bool:
    return all(digit.sure for digit in digits)


def _mean_log_odds(digits: tuple[Digit, ...]) -> float:
    """Return the mean log-odds of at least one digit."""
    return sum(digit.log_odds for digit in digits) / len(digits)
