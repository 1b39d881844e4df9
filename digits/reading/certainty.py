"""Which digits of an image are sure, where the number reader was asked: what the different ways of reading it say.

There are three: by ink, by the number reader, and by the line reader, which reads the number reader's text lines a second time.
docs/results.md has how many of own_numbers are sure. The limits were set by hand on own_numbers; docs/constants.md shows what a
third more or less of each changes.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from digits.common.config import NUM_CLASSES
from digits.model.heat_map import CHARACTERS, OTHER_INK
from digits.reading.line_reader import LineReader, LineSymbol
from digits.reading.numbers import FoundText, in_reading_order, position_of
from digits.reading.results import Digit, text_of

MIN_NUMBER_CONFIDENCE = 0.8  # of each digit, from which a number is sure: the combined probability of the first two networks
MIN_SYMBOL_PROBABILITY = 0.5  # by the line reader, of each symbol of a number that it confirms, and of a mark that is missing
# Of a digit that stands alone, where its ink and the number reader give the same one: the confidence of each.
MIN_LONE_INK_CONFIDENCE, MIN_LONE_CONFIDENCE = 0.7, 0.6

MIN_FIT_CONFIDENCE = 0.95  # of each digit of a reading that fits only because it is expected

TextLines = Sequence[Sequence[LineSymbol]]  # the symbols of each text line, from left to right


def settle(found: FoundText, by_ink: Sequence[Digit], line_reader: LineReader | None) -> FoundText:
    """Return what was found with each digit sure or not, and with what may be read instead.

    found: what reader.choose returned; a digit found by ink is sure or not as Digit says. by_ink: the digits as
    their ink gives them. line_reader: None where there is none.

    found by ink: one digit                            as by ink
    found by ink: several, unseen by number reader     not sure
    by the number reader: one, and ink gives it too    as by ink, or from MIN_LONE_INK_CONFIDENCE and MIN_LONE_CONFIDENCE on
    by the number reader: one, and ink another         the one of higher confidence, not sure
    by the number reader: one, and ink none or more    not sure: both networks take many signs that stand alone for digits
    by the number reader: several, at least half of
        them contradicted by the classifier            not sure: it knows signs that are no digits, the two readers do not
    by the number reader: several, and the line reader
        gives other digits, or a mark that is missing  not sure; what it gives is kept as the other text
        confirms all, and ink gives these digits, too  sure
        gives the same digits, or there is none        from MIN_NUMBER_CONFIDENCE on

    The line reader confirms all where it gives the same digits, marks and other ink, each from MIN_SYMBOL_PROBABILITY on.
    What may be a mark is then settled: all of it are marks where the line reader gives these, too, and none where it gives none.
    """
    if found.detections is None:  # found by ink: only the number reader detects
        return found if len(found.digits) == 1 else replace(found, digits=_sure_from(math.inf, found.digits))
    if len(found.digits) == 1:
        return _settle_one(found, by_ink)
    by_line = None
    if line_reader is not None:
        by_line = [line_reader.read(found.detections.grey, line) for line in found.detections.lines]
    return _settle_several(found, by_ink, by_line)


def _settle_one(found: FoundText, by_ink: Sequence[Digit]) -> FoundText:
    """Return what was found, a digit that stands alone, sure or not by what its ink gives."""
    (digit,) = found.digits
    if len(by_ink) != 1:
        return replace(found, digits=_sure_from(math.inf, found.digits))
    (ink_digit,) = by_ink
    if ink_digit.digit != digit.digit:
        # Each is calibrated, on images of its own kind. A fine-tuned classifier is surer of the forms that it learned.
        likelier = max(digit, ink_digit, key=lambda one: one.confidence)
        return replace(found, digits=_sure_from(math.inf, [likelier]))
    is_confirmed = ink_digit.confidence >= MIN_LONE_INK_CONFIDENCE and digit.confidence >= MIN_LONE_CONFIDENCE
    return replace(found, digits=(replace(ink_digit, sure=ink_digit.sure or is_confirmed),))


def _settle_several(found: FoundText, by_ink: Sequence[Digit], by_line: TextLines | None) -> FoundText:
    """Return what was found, a number of several digits, sure or not by what its ink and the line reader give."""
    text = text_of(found.digits)
    if 2 * sum(found.agreed) <= len(found.digits):
        return replace(found, digits=_sure_from(math.inf, found.digits))
    if by_line is not None and (_digits_of(by_line) != text or _gives_another_mark(by_line, found)):
        return replace(found, digits=_sure_from(math.inf, found.digits), other_text=_text_of(by_line))
    with_uncertain = replace(found, marks=in_reading_order((*found.marks, *found.uncertain_marks)))
    for complete in (found, with_uncertain):
        if by_line is not None and _confirms(by_line, complete):
            least = 0.0 if text_of(by_ink) == text else MIN_NUMBER_CONFIDENCE
            return replace(complete, digits=_sure_from(least, found.digits), uncertain_marks=())
    return replace(found, digits=_sure_from(MIN_NUMBER_CONFIDENCE, found.digits))


def settle_fit(digits: Sequence[Digit], agreed: Sequence[bool]) -> tuple[Digit, ...]:
    """Return the digits of a reading that fits what is expected, sure from MIN_FIT_CONFIDENCE on.

    agreed: of each digit, whether the classifier agrees; where it does not, the digit is not sure.
    """
    return tuple(
        replace(digit, sure=agrees and digit.confidence >= MIN_FIT_CONFIDENCE)
        for digit, agrees in zip(digits, agreed, strict=True)
    )


def _sure_from(least: float, digits: Sequence[Digit]) -> tuple[Digit, ...]:
    """Return the digits, sure from this confidence on."""
    return tuple(replace(digit, sure=digit.confidence >= least) for digit in digits)


def _gives_another_mark(by_line: TextLines, found: FoundText) -> bool:
    """Return whether the line reader gives a mark, more likely than not, of which nothing was found."""
    given = Counter(symbol.label for line in by_line for symbol in line if symbol.probability >= MIN_SYMBOL_PROBABILITY)
    of_marks = Counter({label: count for label, count in given.items() if NUM_CLASSES <= label < OTHER_INK})
    return bool(of_marks - Counter(CHARACTERS.index(mark.mark) for mark in (*found.marks, *found.uncertain_marks)))


def _confirms(by_line: TextLines, numbers: FoundText) -> bool:
    """Return whether the line reader gives the symbols that the number reader found, each more likely than not."""
    are_likely = all(symbol.probability >= MIN_SYMBOL_PROBABILITY for line in by_line for symbol in line)
    return are_likely and [[symbol.label for symbol in line] for line in by_line] == _labels_of(numbers)


def _labels_of(numbers: FoundText) -> list[list[int]]:
    """Return the classes of the symbols in each text line, from left to right."""
    placed = [(*position_of(digit), digit.digit) for digit in numbers.digits]
    placed += [(*position_of(mark), CHARACTERS.index(mark.mark)) for mark in numbers.marks]
    placed += [(*position, OTHER_INK) for position in numbers.other_ink]
    rows = sorted({digit.row for digit in numbers.digits})
    return [[label for row, _, label in sorted(placed) if row == line] for line in rows]


def _digits_of(lines: TextLines) -> str:
    """Return the digits in text lines, the lines joined by "|"."""
    return "|".join("".join(CHARACTERS[symbol.label] for symbol in line if symbol.label < NUM_CLASSES) for line in lines)


def _text_of(lines: TextLines) -> str:
    """Return the digits and marks in text lines, the lines joined by "|"."""
    return "|".join("".join(CHARACTERS[symbol.label] for symbol in line if symbol.label < OTHER_INK) for line in lines)
