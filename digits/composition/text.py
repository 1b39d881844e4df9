"""What a line of a composed page says: numbers with their marks, and words."""

from collections.abc import Callable

import numpy as np

from digits.composition.chance import pick
from digits.composition.signs import CENTS, EQUALS, UNMISTAKABLE_LETTERS
from digits.model.heat_map import COLON, COMMA, MINUS, OTHER_INK, POINT, SLASH

# A class of the heat map for a digit, a mark, or a sign that is neither (OTHER_INK); a letter, CENTS or EQUALS as text;
# None for a space.
Token = int | str | None

# ---- numbers; the family of pages: see digits/composition/__init__.py. Of whole numbers the highest is never drawn. ----
# Digits in a number: most amounts, dates and codes have two to seven.
LENGTH_PROBABILITIES = {1: 0.07, 2: 0.12, 3: 0.16, 4: 0.18, 5: 0.16, 6: 0.12, 7: 0.08, 8: 0.06, 10: 0.05}
ROUND_PROBABILITY = 0.25  # that a number ends in zeros, which is more frequent than chance makes it; else ...
REPETITION_PROBABILITY = 0.12  # ... that some of its digits are repeated
AMOUNT_SEPARATORS = (POINT, POINT, POINT, COMMA, COMMA, MINUS)  # before every third digit from the right, and ...
ANYWHERE_PROBABILITY = 0.12  # ... before any other digit
DATE_SEPARATORS = (SLASH, COLON, MINUS, POINT)
DATE_PARTS, DATE_PART_LENGTH = (2, 4), (1, 4)
SPACE_PROBABILITY = 0.3  # behind each digit of a spaced number

# ---- what stands around a number ----
MINUS_PROBABILITY = 0.08  # before it
ENDING_PROBABILITY = 0.3
# What closes an amount on a cheque.
ENDINGS: list[list[Token]] = [
    [POINT],
    [POINT],
    [COMMA],
    [MINUS],
    [POINT, MINUS],
    [COMMA, MINUS],
    [OTHER_INK],
    [EQUALS],
    [EQUALS],
    [MINUS, MINUS],
    [CENTS],
]
SIGN_PROBABILITY, SIGN_COUNT = 0.06, (1, 3)  # before it, as a currency
WORD_PROBABILITY, WORD_LENGTH = 0.1, (1, 6)  # beside it
WORD_FIRST_PROBABILITY = 0.5

# ---- lines without any digit ----
LINE_WORDS, LINE_WORD_LENGTH = (1, 5), (1, 8)
SIGN_AFTER_WORD_PROBABILITY = 0.3

# ---- digits as MNIST shows them ----
MNIST_LENGTH = (2, 8)


def random_text(rng: np.random.Generator) -> list[Token]:
    """Return what a line says: a number, mostly with marks, sometimes with a word beside it."""
    write_number = pick(rng, NUMBER_PROBABILITIES)
    tokens = write_number(rng, _random_number(rng))
    if rng.random() < MINUS_PROBABILITY:
        tokens.insert(0, MINUS)
    if rng.random() < ENDING_PROBABILITY:
        tokens += ENDINGS[rng.integers(len(ENDINGS))]
    if rng.random() < SIGN_PROBABILITY:
        tokens[:0] = [OTHER_INK] * int(rng.integers(*SIGN_COUNT))
    if rng.random() < WORD_PROBABILITY:
        word = _random_word(rng, WORD_LENGTH)
        tokens = [*word, None, *tokens] if rng.random() < WORD_FIRST_PROBABILITY else [*tokens, None, *word]
    return tokens


def random_words(rng: np.random.Generator) -> list[Token]:
    """Return a line of words and signs without any digit."""
    tokens: list[Token] = []
    for _ in range(rng.integers(*LINE_WORDS)):
        tokens += [*_random_word(rng, LINE_WORD_LENGTH), None]
        if rng.random() < SIGN_AFTER_WORD_PROBABILITY:
            tokens += [OTHER_INK, None]
    return tokens


def random_digits(rng: np.random.Generator) -> list[Token]:
    """Return digits alone."""
    return list(_digits(rng, int(rng.integers(*MNIST_LENGTH))))


def plain(rng: np.random.Generator, digits: list[int]) -> list[Token]:
    """Return the digits alone."""
    return list(digits)


def amount(rng: np.random.Generator, digits: list[int]) -> list[Token]:
    """Return the digits as an amount: a point or comma before every third, or anywhere."""
    tokens: list[Token] = []
    separator = int(rng.choice(AMOUNT_SEPARATORS))
    for i, digit in enumerate(digits):
        if i and ((len(digits) - i) % 3 == 0 or rng.random() < ANYWHERE_PROBABILITY):
            tokens.append(separator)
        tokens.append(digit)
    return tokens


def date(rng: np.random.Generator, digits: list[int]) -> list[Token]:
    """Return other digits as a date, a time, a score or a range."""
    tokens: list[Token] = []
    separator = int(rng.choice(DATE_SEPARATORS))
    for part in range(rng.integers(*DATE_PARTS)):
        if part:
            tokens.append(separator)
        tokens += _digits(rng, int(rng.integers(*DATE_PART_LENGTH)))
    return tokens


def spaced(rng: np.random.Generator, digits: list[int]) -> list[Token]:
    """Return the digits with spaces between some."""
    tokens: list[Token] = []
    for digit in digits:
        tokens += [digit, None] if rng.random() < SPACE_PROBABILITY else [digit]
    return tokens


NUMBER_PROBABILITIES: dict[Callable[[np.random.Generator, list[int]], list[Token]], float] = {
    plain: 0.4,
    amount: 0.35,
    date: 0.1,
    spaced: 0.15,
}


def _random_number(rng: np.random.Generator) -> list[int]:
    """Return a number's digits."""
    digits = _digits(rng, pick(rng, LENGTH_PROBABILITIES))
    if rng.random() < ROUND_PROBABILITY:
        first = rng.integers(len(digits))
        digits[first:] = [0] * (len(digits) - first)
    elif rng.random() < REPETITION_PROBABILITY:
        digits = [digits[rng.integers(len(digits))] for _ in digits]
    return digits


def _random_word(rng: np.random.Generator, length: tuple[int, int]) -> list[str]:
    """Return a word's letters. length: its range; the highest is never drawn."""
    return [str(letter) for letter in rng.choice(UNMISTAKABLE_LETTERS, rng.integers(*length))]


def _digits(rng: np.random.Generator, count: int) -> list[int]:
    """Return this many random digits."""
    return [int(digit) for digit in rng.integers(0, 10, count)]
