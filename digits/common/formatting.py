"""Numbers and names as people read them on a screen or in a figure. Pure functions: text in, text out."""

import os

from digits.common.score import Score


def count_and_rate(score: Score) -> str:
    """Return "9,961 / 10,000 (99.61 %)"."""
    return f"{score.correct:,} / {score.n:,} ({percent(score.accuracy)})"


def percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction, 0 to 1, as "99.83 %", and None as "-". Only exactly 1 is shown as 100 %."""
    if fraction is None:
        return "-"
    shown = fraction if fraction == 1 else min(fraction, 1 - 10 ** -(decimals + 2))
    return f"{100 * shown:.{decimals}f} %"


def confidence(probability: float) -> str:
    """Return an answer's probability, 0 to 1, as "99.8 %". No answer is certain, so none is shown as 100 %."""
    return percent(min(probability, 0.999), decimals=1)


def counted(count: int, noun: str) -> str:
    """Return "1 image" or "1,200 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text: str | bytes | os.PathLike[str]) -> str:
    """Return a file's name as one line for the screen: characters that can't be printed are escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in os.fsdecode(text))
