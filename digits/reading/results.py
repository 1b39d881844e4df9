"""What was read in an image: digits and marks with their boxes, and the text that they make. The types that callers get."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Status = Literal["ok", "unsure", "empty", "error"]
Box = tuple[int, int, int, int]  # x, y, width, height, in pixels of the upright image


@dataclass(frozen=True)
class Digit:
    """One digit that was read.

    digit: 0 to 9.
    confidence: its probability, 0 to 1.
    log_odds: of its probability; see Classifier.classify. In JSON the key is score.
    sure: whether it is clearly this digit. By its ink: its log-odds are at least the threshold of the digit network's card.
        Where the number reader was asked: as the table in certainty.settle says.
    box: x, y, width, height, in pixels of the upright image.
    row: the number of its text line, from 0.
    crop: (28, 28) uint8, white on black: what the network saw.
    probabilities: (10,) float32, calibrated.
    """

    digit: int
    confidence: float
    log_odds: float
    sure: bool
    box: Box
    row: int
    crop: np.ndarray = field(repr=False, compare=False)
    probabilities: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def from_probabilities(
        cls, probabilities: np.ndarray, log_odds: float, sure: bool, box: Box, row: int, crop: np.ndarray
    ) -> "Digit":
        """Return the digit that is most probable. The arguments are as the fields."""
        best = int(probabilities.argmax())
        return cls(
            best, round(float(probabilities[best]), 4), round(float(log_odds), 3), bool(sure), box, row, crop, probabilities
        )

    @property
    def top3(self) -> list[tuple[int, float]]:
        """The three most probable digits with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:3]
        return [(int(digit), round(float(self.probabilities[digit]), 4)) for digit in order]

    def to_json(self) -> dict[str, Any]:
        """Return what predict_custom.py --json writes for the digit."""
        return {
            "digit": self.digit,
            "confidence": self.confidence,
            "score": self.log_odds,
            "box": list(self.box),
            "top3": [list(pair) for pair in self.top3],
        }


@dataclass(frozen=True)
class Mark:
    """One mark that was read before, between or after digits.

    mark: one of the characters in config.MARKS.
    row: the number of its text line, from 0.
    after: the number of digits before it in that text line.
    confidence: its probability, 0 to 1.
    box: x, y, width, height, in pixels of the upright image.
    """

    mark: str
    row: int
    after: int
    confidence: float
    box: Box

    def to_json(self) -> dict[str, Any]:
        """Return what predict_custom.py --json writes for the mark."""
        return {**vars(self), "box": list(self.box)}


@dataclass(frozen=True)
class Reading:
    """What was read in one image.

    image: its name, "" for one that has none.
    status: "ok"; "unsure": something is there, but it is not clearly digits; "empty": no ink; "error": it can't be read.
    text: the digits and marks, text lines joined by "|"; the best guess where the status is "unsure".
    message: why the status is not "ok", else "".
    digits, marks: in reading order.
    width: of the full image, in pixels: the scale of the boxes; 0 after an error.
    thumbnail: (height, width, 3) uint8 RGB, upright, at most 300 pixels a side, for figures; None after an error.
    """

    image: str
    status: Status
    text: str = ""
    message: str = ""
    digits: tuple[Digit, ...] = ()
    marks: tuple[Mark, ...] = ()
    width: int = 0
    thumbnail: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def sure(self) -> bool:
        """Whether the image holds digits, and all of them are clearly digits: whether the status is "ok"."""
        return self.status == "ok"

    @property
    def confidence(self) -> float | None:
        """The confidence of the least certain digit, 0 to 1; None where no digit was read."""
        return min((digit.confidence for digit in self.digits), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the entry that predict_custom.py --json writes for the image."""
        return {
            "image": self.image,
            "status": self.status,
            "text": self.text,
            "message": self.message,
            "digits": [digit.to_json() for digit in self.digits],
            "marks": [mark.to_json() for mark in self.marks],
        }


def text_of(digits: Sequence[Digit], marks: Sequence[Mark] = ()) -> str:
    """Return digits and marks as text, with "|" between the text lines.

    digits: in reading order. Marks that stand after the same digit are put in the order of their x.
    """
    lines: dict[int, list[str]] = {row: [] for row in sorted({digit.row for digit in digits} | {mark.row for mark in marks})}
    for digit in digits:
        lines[digit.row].append(str(digit.digit))
    # The last mark first: it does not move the places of those before it.
    for mark in sorted(marks, key=lambda mark: (mark.after, mark.box[0]), reverse=True):
        lines[mark.row].insert(mark.after, mark.mark)
    return "|".join(map("".join, lines.values()))
