"""What a line of a composed page says: numbers with their marks, and words."""

import numpy as np

from digits.composition.signs import CENTS, EQUALS, unmistakable_letters
from digits.model.heat_map import COLON, COMMA, MINUS, OTHER_INK, POINT, SLASH

# A class of the heat map for a digit, a mark, or a sign that is neither (OTHER_INK); a letter, CENTS or EQUALS as text;
# None for a space.
Token = int | str | None

# Digits in a number, and how often: most amounts, dates and codes have two to seven. Set by hand, as the whole family.
LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 10]
LENGTH_PROBABILITIES = [0.07, 0.12, 0.16, 0.18, 0.16, 0.12, 0.08, 0.06, 0.05]
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


def random_text(rng: np.random.Generator) -> list[Token]:
    """Return what a line says: a number, mostly with marks, sometimes with a word beside it."""
    kind = rng.random()
    length = int(rng.choice(LENGTHS, p=LENGTH_PROBABILITIES))
    digits = [int(digit) for digit in rng.integers(0, 10, length)]
    if rng.random() < 0.25:  # round numbers and repeated digits are more frequent than chance makes them
        first = int(rng.integers(length))
        digits[first:] = [0] * (length - first)
    elif rng.random() < 0.12:
        digits = [digits[rng.integers(length)] for _ in digits]
    tokens: list[Token] = []
    if kind < 0.4:
        tokens += digits
    elif kind < 0.75:  # an amount: a point or comma before every third digit, or anywhere
        separator = int(rng.choice([POINT, POINT, POINT, COMMA, COMMA, MINUS]))
        for i, digit in enumerate(digits):
            if i and ((length - i) % 3 == 0 or rng.random() < 0.12):
                tokens.append(separator)
            tokens.append(digit)
    elif kind < 0.85:  # a date, a time, a score, a range
        separator = int(rng.choice([SLASH, COLON, MINUS, POINT]))
        for part in range(rng.integers(2, 4)):
            if part:
                tokens.append(separator)
            tokens += [int(digit) for digit in rng.integers(0, 10, rng.integers(1, 4))]
    else:
        for digit in digits:
            tokens += [digit] + ([None] if rng.random() < 0.3 else [])
    if rng.random() < 0.08:
        tokens.insert(0, MINUS)
    if rng.random() < 0.3:
        tokens += ENDINGS[rng.integers(len(ENDINGS))]
    if rng.random() < 0.06:
        tokens[:0] = [OTHER_INK] * int(rng.integers(1, 3))
    if rng.random() < 0.1:
        word: list[Token] = [str(letter) for letter in rng.choice(unmistakable_letters(), rng.integers(1, 6))]
        tokens = (word + [None] + tokens) if rng.random() < 0.5 else (tokens + [None] + word)
    return tokens


def random_words(rng: np.random.Generator) -> list[Token]:
    """Return a line of words and signs without any digit."""
    tokens: list[Token] = []
    for _ in range(rng.integers(1, 5)):
        tokens += [*(str(letter) for letter in rng.choice(unmistakable_letters(), rng.integers(1, 8))), None]
        if rng.random() < 0.3:
            tokens += [OTHER_INK, None]
    return tokens
