"""The settings of a training: what each may be, and their form in a card or a checkpoint.

Their values, with comments, stand at the top of train_model.py; the constants behind them are listed in recipe.py.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from digits.common.errors import UserError

MAX_WHOLE_NUMBER = 10**9  # what is larger than this is a mistake: no training takes so many epochs or channels
MAX_SEED = 2**32 - 1  # the largest that keras.utils.set_random_seed takes


def _setting(is_valid: Callable[[Any], bool], expected: str) -> Any:
    """Return a field of TrainingSettings with its check and, for the message, what is expected."""
    return dataclasses.field(metadata={"is_valid": is_valid, "expected": expected})


def _whole_number(least: int, most: int = MAX_WHOLE_NUMBER) -> Any:
    # type() and not isinstance(): True is an int to Python.
    return _setting(lambda value: type(value) is int and least <= value <= most, f"a whole number from {least:,} to {most:,}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of a training, checked. In JSON they have the names of the constants in train_model.py.

    preset: the name of the preset that they come from. epochs: passes over the training images. batch_size: images a step.
    validation_split: fraction of the training images kept for validation. learning_rate: the highest of the schedule.
    conv1_filters, conv2_filters, dense_units, dropout_rate: of the network, as in network.build. augment: whether each epoch
    sees new variants of the images, drawn digits and outliers. seed: of everything that is random.
    Raises UserError for the first field that is not what it may be.
    """

    preset: str = _setting(lambda value: isinstance(value, str), "the name of a preset")
    epochs: int = _whole_number(1)
    batch_size: int = _whole_number(1)
    validation_split: float = _setting(lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1, such as 0.1")
    learning_rate: float = _setting(
        lambda value: _is_number(value) and 0 < value < MAX_WHOLE_NUMBER, "a number above 0, such as 0.01"
    )
    conv1_filters: int = _whole_number(1)
    conv2_filters: int = _whole_number(1)
    dense_units: int = _whole_number(0)
    dropout_rate: float = _setting(lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1, such as 0.3")
    augment: bool = _setting(lambda value: type(value) is bool, "True or False")
    seed: int = _whole_number(0, MAX_SEED)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.metadata["is_valid"](value):
                raise UserError(
                    f"{field.name.upper()} is {value!r}.\n"
                    f"Expected {field.metadata['expected']}. It stands at the top of train_model.py."
                )

    def to_json(self) -> dict[str, Any]:
        """Return {"EPOCHS": 12, ...}, as a card and a checkpoint hold the settings."""
        return {name.upper(): value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, content: Any) -> "TrainingSettings":
        """Return the settings that to_json wrote; other keys are ignored. Raises UserError where one is missing or wrong."""
        if not isinstance(content, dict):
            raise UserError(f"The settings are {content!r}.\nExpected the names and values at the top of train_model.py.")
        values: dict[str, Any] = {field.name: content.get(field.name.upper()) for field in dataclasses.fields(cls)}
        return cls(**values)
