"""What each text line of an image holds, "5" or "##.##", as on a form -> the likeliest reading that fits.

The number reader gives each place where something may stand a probability for every digit and mark. A reading takes some of these
places, from left to right, as the characters of the pattern, and drops the others. The likeliest one is found by dynamic
programming over places and characters, as in the Viterbi algorithm.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from digits.common.config import MARKS, MAX_TEXT_LENGTH, NUM_CLASSES
from digits.common.errors import UserError
from digits.model.calibration import PROBABILITY_FLOOR, log_odds
from digits.model.heat_map import CHARACTERS
from digits.reading.results import Box, Digit, Mark

ANY_DIGIT = "#"
# Of a fit that is sure: the free reading is at most e = 2.7 times as likely. benchmarks/results/expectation.json has 44 fits to
# what they hold and 440 to what they don't: at this value 4 and none are sure, and all 4 are right; at -4, 6 and none.
MIN_LOG_RATIO = -1.0


@dataclass(frozen=True)
class Expectation:
    """What each text line holds. pattern: its characters, "#" for any digit; digits and marks stand for themselves."""

    pattern: str

    @classmethod
    def parse(cls, text: str | int) -> "Expectation":
        """Return what a user expects with "5" or 5, five digits, or with a pattern such as "##.##". Raises UserError."""
        text = str(text)
        if text.isascii() and text.isdecimal() and len(text) <= MAX_TEXT_LENGTH and 1 <= int(text) <= MAX_TEXT_LENGTH:
            return cls(ANY_DIGIT * int(text))
        if not set(text) <= {ANY_DIGIT, *CHARACTERS} or ANY_DIGIT not in text or len(text) > MAX_TEXT_LENGTH:
            raise UserError(
                f"{text!r} is no number of digits (1 to {MAX_TEXT_LENGTH}) and no pattern.\n"
                f'Expected a number such as 5, or a pattern such as "##.##", with at least one #, which stands for a digit;\n'
                f"other digits and {' '.join(MARKS)} stand for themselves."
            )
        return cls(text)

    def fits(self, text: str) -> bool:
        """Return whether each text line of a reading fits; the lines are joined by "|"."""
        return all(len(line) == len(self.pattern) and all(map(_may_be, line, self.pattern)) for line in text.split("|"))


@dataclass(frozen=True, eq=False)
class PatternCandidate:
    """Something in a text line that may be a digit or a mark.

    probabilities: (15,), that it is there and is each of CHARACTERS, each 0 to 1; they have no sum of 1.
    presence: the probability that it is there at all; 1 for what is read without an expectation, too, so that a number with
    more digits or marks than expected does not pass for one that fits.
    agreed: whether the classifier agrees with the digit that is most probable.
    box, row, crop: as of a Digit.
    """

    probabilities: np.ndarray = field(repr=False)
    presence: float
    agreed: bool
    box: Box
    row: int
    crop: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Fit:
    """A reading that fits.

    agreed: of each digit, as of its candidate. log_ratio: of its probability to that of the likeliest reading of all, natural,
    at most 0.
    """

    digits: tuple[Digit, ...]
    agreed: tuple[bool, ...]
    marks: tuple[Mark, ...]
    log_ratio: float

    @property
    def is_likely(self) -> bool:
        """Whether it is not far less likely than the likeliest reading of all."""
        return self.log_ratio >= MIN_LOG_RATIO


def likeliest_fit(expectation: Expectation, lines: Sequence[Sequence[PatternCandidate]]) -> Fit | None:
    """Return the likeliest reading that fits in each text line; None where a line has fewer candidates than characters.

    lines: the candidates of each text line, from left to right.
    """
    digits: list[Digit] = []
    agreed: list[bool] = []
    marks: list[Mark] = []
    log_ratio = 0.0
    for candidates in lines:
        taken, line_log_ratio = _likeliest_path(expectation.pattern, candidates)
        if taken is None:
            return None
        log_ratio += line_log_ratio
        before = len(digits)
        for candidate, place in zip(taken, expectation.pattern, strict=True):
            if place in MARKS:
                confidence = round(float(candidate.probabilities[CHARACTERS.index(place)]), 4)
                marks.append(Mark(place, candidate.row, len(digits) - before, confidence, candidate.box))
            else:
                digits.append(_digit(candidate, place))
                agreed.append(candidate.agreed)
    return Fit(tuple(digits), tuple(agreed), tuple(marks), log_ratio)


def _likeliest_path(pattern: str, candidates: Sequence[PatternCandidate]) -> tuple[list[PatternCandidate] | None, float]:
    """Return (the candidates that are taken as the pattern's characters, the log ratio); (None, ...) where there are too few."""
    best = np.full(len(pattern) + 1, -math.inf)  # log probability of the likeliest way to have taken this many characters
    best[0] = 0.0
    is_taken = np.zeros((len(candidates), len(pattern)), bool)
    unconstrained = 0.0  # log probability of the likeliest reading of all
    allowed = [[i for i, character in enumerate(CHARACTERS) if _may_be(character, place)] for place in pattern]
    for number, candidate in enumerate(candidates):
        # No character is certain, and none is excluded.
        probabilities = np.clip(candidate.probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        dropped = math.log(max(1 - candidate.presence, PROBABILITY_FLOOR))
        unconstrained += max(dropped, math.log(probabilities.max()))
        taking = best[:-1] + np.log([probabilities[characters].max() for characters in allowed])
        is_taken[number] = taking > best[1:] + dropped
        best = np.append(best[0] + dropped, np.maximum(taking, best[1:] + dropped))
    if best[-1] == -math.inf:
        return None, -math.inf
    path: list[PatternCandidate] = []
    remaining = len(pattern)
    for number in reversed(range(len(candidates))):
        if remaining and is_taken[number, remaining - 1]:
            path.append(candidates[number])
            remaining -= 1
    return path[::-1], float(best[-1] - unconstrained)


def _digit(candidate: PatternCandidate, place: str) -> Digit:
    """Return a candidate as a digit; certainty.settle_fit decides whether it is sure.

    Its probabilities are those of the digits that its place in the pattern allows.
    """
    allowed = [_may_be(str(digit), place) for digit in range(NUM_CLASSES)]
    probabilities = np.where(allowed, np.maximum(candidate.probabilities[:NUM_CLASSES], PROBABILITY_FLOOR), 0).astype(np.float32)
    probabilities /= probabilities.sum()
    digit_log_odds = float(log_odds(probabilities[None])[0])
    return Digit.from_probabilities(probabilities, digit_log_odds, False, candidate.box, candidate.row, candidate.crop)


def _may_be(character: str, place: str) -> bool:
    """Return whether a character may stand at a place of a pattern."""
    return character == place or (place == ANY_DIGIT and character in CHARACTERS[:NUM_CLASSES])
