"""How many answers are right: the one form in which scores are passed on, printed and saved."""

from dataclasses import dataclass, fields
from typing import Any

MAX_COUNT = 10**12  # images: more than any disk holds, so a larger count in a file is damage


@dataclass(frozen=True)
class Score:
    """The score of a model on n images. None: not measured.

    n: images, 0 or more. correct: those that are read right, 0 to n. accuracy: correct / n, 0 to 1. interval95: the two ends of
    the accuracy's 95 % interval, 0 to 1. loss: the mean cross-entropy, in nats. ece: the expected calibration error, 0 to 1
    (Guo et al. 2017). unsure: images whose answer is "not sure", 0 to n.
    """

    n: int
    correct: int
    accuracy: float
    interval95: tuple[float, float] | None = None
    loss: float | None = None
    ece: float | None = None
    unsure: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the score as a dict that json can write, without what was not measured."""
        entries = {**vars(self), "interval95": None if self.interval95 is None else list(self.interval95)}
        return {name: value for name, value in entries.items() if value is not None}

    @classmethod
    def from_json(cls, content: Any) -> "Score":
        """Return the score that to_json wrote. Other keys are ignored.

        Raises TypeError, KeyError or ValueError where an entry is missing or is not what to_json writes.
        """
        entries = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        counts = [content["n"], content["correct"], entries.get("unsure", 0)]
        are_counts = all(type(count) is int and 0 <= count < MAX_COUNT for count in counts) and max(counts) == content["n"]
        if not are_counts or not 0 <= content["accuracy"] <= 1:
            raise ValueError("a score's numbers are out of range")
        if "interval95" in entries:
            low, high = entries["interval95"]
            entries["interval95"] = (float(low), float(high))
        for name in {"loss", "ece"} & entries.keys():
            entries[name] = float(entries[name])
        return cls(**entries)
