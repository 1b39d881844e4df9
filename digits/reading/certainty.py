"""Whether a number that the number reader found is sure: what two other ways of reading it say.

The line reader reads the same text lines, and the ink is read without either. docs/results.md has how many of own_numbers are sure.
The limits were set by hand on own_numbers; docs/constants.md shows what a third more or less of each changes.
"""

from collections.abc import Sequence
from dataclasses import replace

from digits.common.config import MARKS, NUM_CLASSES
from digits.model.heat_map import OTHER_INK
from digits.reading.line_reader import LineSymbol
from digits.reading.numbers import FoundText
from digits.reading.results import Digit, text_of

# Combined probabilities of both networks, of each digit of a number, from which the number is sure: where the line reader gives the
# same digits, and where it confirms all symbols.
MIN_SURE_CONFIDENCE, MIN_CONFIRMED_CONFIDENCE = 0.9, 0.8
MIN_SYMBOL_PROBABILITY = 0.5  # by the line reader, of each symbol of a number that it confirms

CHARACTERS = [*map(str, range(NUM_CLASSES)), *MARKS, ""]  # in the order of the classes; other ink has none

TextLines = Sequence[Sequence[LineSymbol]]  # the symbols of each text line, from left to right


def settle(numbers: FoundText, by_ink: Sequence[Digit], by_line: TextLines | None) -> FoundText:
    """Return a number of two digits or more, sure or not by what the two other ways of reading it say.

    numbers: as the number reader found it. by_ink: its digits as its ink gives them. by_line: its text lines as the line reader
    gives them; None: there is no line reader, and a number is sure by MIN_SURE_CONFIDENCE alone.

    the line reader gives other digits                        not sure; what it gives is kept as the other text
    it confirms all symbols, and the ink gives these digits   sure; what may be a mark is settled
    it confirms all symbols                                   sure from MIN_CONFIRMED_CONFIDENCE on; likewise
    it gives the same digits, or there is none                sure from MIN_SURE_CONFIDENCE on

    It confirms all symbols where it gives the same digits, marks and other ink, each from MIN_SYMBOL_PROBABILITY on.
    """
    is_confirmed = by_line is not None and _confirms(by_line, numbers)
    least = MIN_SURE_CONFIDENCE
    if is_confirmed:
        least = 0.0 if text_of(by_ink) == text_of(numbers.digits) else MIN_CONFIRMED_CONFIDENCE
    return replace(
        numbers,
        digits=_sure_from(least, numbers.digits),
        uncertain_marks=() if is_confirmed else numbers.uncertain_marks,
        other_text="" if by_line is None or _digits_of(by_line) == text_of(numbers.digits) else _text_of(by_line),
    )


def settle_fit(digits: Sequence[Digit]) -> tuple[Digit, ...]:
    """Return the digits of a reading that fits what is expected, each sure from MIN_SURE_CONFIDENCE on."""
    return _sure_from(MIN_SURE_CONFIDENCE, digits)


def _sure_from(least: float, digits: Sequence[Digit]) -> tuple[Digit, ...]:
    return tuple(replace(digit, sure=digit.confidence >= least) for digit in digits)


def _confirms(by_line: TextLines, numbers: FoundText) -> bool:
    """Return whether the line reader gives the symbols that the number reader found, each more likely than not."""
    are_likely = all(symbol.probability >= MIN_SYMBOL_PROBABILITY for line in by_line for symbol in line)
    return are_likely and [[symbol.label for symbol in line] for line in by_line] == _labels_of(numbers)


def _labels_of(numbers: FoundText) -> list[list[int]]:
    """Return the classes of the symbols in each text line, from left to right."""
    placed = [(digit.row, digit.box[0] + digit.box[2] / 2, digit.digit) for digit in numbers.digits]
    placed += [(mark.row, mark.box[0] + mark.box[2] / 2, NUM_CLASSES + MARKS.index(mark.mark)) for mark in numbers.marks]
    placed += [(position.row, position.x, OTHER_INK) for position in numbers.other_ink]
    rows = sorted({digit.row for digit in numbers.digits})
    return [[label for row, _, label in sorted(placed) if row == line] for line in rows]


def _digits_of(lines: TextLines) -> str:
    """Return the digits in text lines, the lines joined by "|"."""
    return "|".join("".join(CHARACTERS[symbol.label] for symbol in line if symbol.label < NUM_CLASSES) for line in lines)


def _text_of(lines: TextLines) -> str:
    """Return the digits and marks in text lines, the lines joined by "|"."""
    return "|".join("".join(CHARACTERS[symbol.label] for symbol in line) for line in lines)
