"""The model card (Mitchell et al. 2019): what a model learned from and how, what it scored, and how its answers are read."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.common.errors import UserError
from digits.common.score import Score
from digits.model.network_format import IN_JSON, NetworkFormat

# Wider than the 0.25 to 4 in which training looks for a temperature. Only a change by hand leads outside.
MIN_CARD_TEMPERATURE, MAX_CARD_TEMPERATURE = 0.01, 100.0
MAX_PARAMETERS = 10**12  # so many need terabytes of memory
MAX_EPOCH_SECONDS = 10**9  # 30 years
MAX_STEPS = 10**12  # at a thousand a second, 30 years
MAX_CARD_BYTES = 10**6  # a card of 56 epochs has 16,000; a larger file is refused before it takes memory


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch of a training measured.

    accuracy, loss: of the images as they were learned from; the accuracy of those that show a digit, 0 to 1. val_accuracy,
    val_loss: of the validation images. seconds: what the epoch took. The losses are mean cross-entropies, in nats.
    """

    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    seconds: float

    def to_json(self) -> dict[str, float]:
        """Return the record as a dict that json can write."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, content: Any) -> "EpochRecord":
        """Return the record that to_json wrote. Raises TypeError, KeyError or ValueError where it is not one."""
        record = cls(**{field.name: float(content[field.name]) for field in dataclasses.fields(cls)})
        if not 0 <= record.seconds < MAX_EPOCH_SECONDS:
            raise ValueError("an epoch's duration is out of range")
        return record


@dataclass(frozen=True, kw_only=True)
class TrainingPart:
    """What a training in several parts did in one of them.

    steps: of the optimizer, in this part. seconds: that it took. settings, recipe: as in ModelCard; None where they are not
    known. made_by: in words, what the settings do not say.
    """

    steps: int
    seconds: float
    settings: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] | None = None
    made_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the part as a dict that json can write, without what is not known."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Any) -> "TrainingPart":
        """Return the part that to_json wrote. Raises TypeError, KeyError or ValueError where it is not one."""
        part = cls(**content)
        steps, seconds = _steps(part.steps), float(part.seconds)
        if not 0 <= seconds < MAX_EPOCH_SECONDS:
            raise ValueError("a part's duration is out of range")
        for value, kind in ((part.settings, Mapping), (part.recipe, Mapping), (part.made_by, str)):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{value} is no {kind.__name__}")
        return dataclasses.replace(part, steps=steps, seconds=seconds)


def _parts(parts: list[Any]) -> tuple[TrainingPart, ...]:
    return tuple(map(TrainingPart.from_json, parts))


def _steps(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_STEPS:
        raise ValueError("the number of steps is out of range")
    return value


def _history(records: list[Any]) -> tuple[EpochRecord, ...]:
    return tuple(map(EpochRecord.from_json, records))


def _parameters(value: int) -> int:
    if not 0 <= value < MAX_PARAMETERS:
        raise ValueError("the number of parameters is out of range")
    return value


def _temperature(value: float) -> float:
    if not MIN_CARD_TEMPERATURE <= value <= MAX_CARD_TEMPERATURE:
        raise ValueError("the temperature is out of range")
    return float(value)


def _threshold(value: float) -> float:
    if math.isnan(value):
        raise ValueError("the threshold is not a number")
    return float(value)


def _entry(kind: type | tuple[type, ...], from_json: Callable[[Any], Any] = lambda value: value) -> Any:
    """Return a field of ModelCard. kind: what json reads there. from_json: makes the field's value of that, or raises."""
    return dataclasses.field(default=None, metadata={"kind": kind, "from_json": from_json})


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What is known about a model. None: the card does not say. One that a user writes needs sha256.

    The fields have the names of the file's keys, and their order. digits.training checks what the settings hold.
    """

    data: str | None = _entry(str)  # name of the data set
    pictures: Mapping[str, int] | None = _entry(dict)  # {"training", "validation", "test": number of images}
    preset: str | None = _entry(str)
    settings: Mapping[str, Any] | None = _entry(dict)  # by the names at the top of train_model.py
    recipe: Mapping[str, Any] | None = _entry((dict, type(None)))  # constants behind them; null: none known before fine-tuning
    seed: int | None = _entry(int)
    versions: Mapping[str, str] | None = _entry(dict)  # of Python and the libraries
    machine: str | None = _entry(str)  # system and processor
    seconds: float | None = _entry((int, float))  # that the training took, all parts together
    steps: int | None = _entry(int, _steps)  # of the optimizer, all parts together; of the number and the line reader
    history: tuple[EpochRecord, ...] | None = _entry(list, _history)  # by epoch, of all parts
    parameters: int | None = _entry(int, _parameters)  # of the network
    labels: list[int] | None = _entry(list)  # the digits, in the order of the outputs
    classes: list[str] | None = _entry(list)  # of the number and the line reader, in the order of the outputs
    # The next four say in words how to use the network without this package.
    input: str | None = _entry(str)
    output: str | None = _entry(str)
    calibration: str | None = _entry(str)
    score: str | None = _entry(str)
    network_format: NetworkFormat | None = _entry(dict, NetworkFormat.from_json)  # None: as train_model.py's networks have it
    temperature: float | None = _entry((int, float), _temperature)  # divides the logits (Guo et al. 2017)
    temperature_applied: bool | None = _entry(bool)  # true: in the network's file; None: its answers are still to be calibrated
    threshold: float | None = _entry((int, float), _threshold)  # log-odds from which an answer is sure
    estimated_on: str | None = _entry(str)  # in words; None: the format, temperature and threshold are no estimates
    quantized_from: str | None = _entry(str)  # SHA-256 of the .h5 of which this is the 8-bit version
    validation: Score | None = _entry(dict, Score.from_json)  # of these two: on composed windows or rows
    validation_marks: Score | None = _entry(dict, Score.from_json)  # on the marks of these windows
    test: Score | None = _entry(dict, Score.from_json)
    fine_tuned_from: str | None = _entry(str)  # SHA-256 of the .h5 before fine-tuning
    fine_tuning: Mapping[str, Any] | None = _entry(dict)  # what was learned from and what changed
    trained_from: str | None = _entry(str)  # SHA-256 of the .h5 from which the last part of the training started
    earlier_parts: tuple[TrainingPart, ...] | None = _entry(list, _parts)  # of the training, the first one first
    made_by: str | None = _entry(str)  # in words, what the settings do not say
    other: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # entries that this version does not know
    sha256: Mapping[str, str] | None = _entry(dict)  # {name: checksum} of the network's files

    def after(self, earlier: "ModelCard", h5_name: str) -> "ModelCard":
        """Return the card of a training in several parts.

        self: describes the last part alone; its history is that of all parts. earlier: the card of what the parts before gave.
        h5_name: of the .h5 for which that was written, and from which the last part started.
        """
        parts = earlier.earlier_parts or ()
        steps, seconds = earlier.steps or 0, earlier.seconds or 0.0
        last_before = TrainingPart(
            steps=steps - sum(part.steps for part in parts),
            seconds=round(seconds - sum(part.seconds for part in parts), 1),
            settings=earlier.settings,
            recipe=earlier.recipe,
            made_by=earlier.made_by,
        )
        return dataclasses.replace(
            self,
            steps=steps + (self.steps or 0),
            seconds=round(seconds + (self.seconds or 0.0), 1),
            trained_from=(earlier.sha256 or {}).get(h5_name),
            earlier_parts=(*parts, last_before),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the card as a dict that json can write."""
        entries: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name == "other":
                entries |= value
            elif name in ("history", "earlier_parts") and value is not None:
                entries[name] = [part.to_json() for part in value]
            elif isinstance(value, (Score, NetworkFormat)):
                entries[name] = value.to_json()
            elif value is not None:
                entries[name] = value
        return entries

    @classmethod
    def from_json(cls, content: Any, path: Path) -> "ModelCard":
        """Return the card that to_json wrote. content: as json read it from the path, which the message names.

        Raises UserError where an entry that this version knows is not what train_model.py writes.
        """
        if not isinstance(content, dict):
            raise _was_changed(path, "content")
        entries = dict(content)
        values = {}
        for field in dataclasses.fields(cls):
            if field.metadata and field.name in entries:
                value = entries.pop(field.name)
                try:
                    if not isinstance(value, field.metadata["kind"]):
                        raise TypeError
                    values[field.name] = field.metadata["from_json"](value)
                except (TypeError, ValueError, KeyError, OverflowError) as error:
                    raise _was_changed(path, field.name) from error
        return cls(**values, other=entries)


def load_card(path: Path) -> ModelCard:
    """Return the card in a file. Raises UserError where it can't be read, or is not what train_model.py writes."""
    try:
        content = _read_json(path)
    except (OSError, ValueError) as error:
        raise _was_changed(path, "content") from error
    return ModelCard.from_json(content, path)


def load_checksums(path: Path) -> dict[str, str] | None:
    """Return {file name: SHA-256} of the files for which the card at the path was written, None where it does not say."""
    try:
        return dict(_read_json(path)["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_json(path: Path) -> Any:
    """Return what json reads from a card's file. Raises OSError or ValueError where it can't be read or is too large."""
    with open(path, "rb") as file:
        text = file.read(MAX_CARD_BYTES + 1)
    if len(text) > MAX_CARD_BYTES:
        raise ValueError("too large for a card")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply for a card") from error


def _was_changed(path: Path, entry: str) -> UserError:
    if entry == "network_format":  # which train_model.py does not write, but users may: docs/your_own_model.md
        return UserError(f"The card {path} can't be used: its {entry} is not known.\nExpected {IN_JSON}.")
    return UserError(
        f"The card {path} was changed: its {entry} can't be used.\n"
        "Expected it as train_model.py wrote it. The shipped ones come back with: git checkout models\n"
        "Without a card the model can be read, and replaced by a new training: remove the card."
    )
