"""What decides what a training learns: what its settings may be, and the constants behind them, for the model's card.

The settings' values stand at the top of train_model.py, the constants at the top of the modules that use them.
"""

from digits import config, files
from digits.config import UserError


def _whole(least, most=10**9):
    """Return a check for a whole number in this range, and its description."""
    return lambda value: type(value) is int and least <= value <= most, f"a whole number from {least:,} to {most:,}"


def _is_number(value):
    return type(value) in (int, float)  # not bool, which is an int to Python


# {name: (check, what is expected)}
RANGES = {
    "EPOCHS": _whole(1),
    "BATCH_SIZE": _whole(1),
    "VALIDATION_SPLIT": (lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1, such as 0.1"),
    "LEARNING_RATE": (lambda value: _is_number(value) and 0 < value < 1e9, "a number above 0, such as 0.01"),
    "CONV1_FILTERS": _whole(1),
    "CONV2_FILTERS": _whole(1),
    "DENSE_UNITS": _whole(0),
    "DROPOUT_RATE": (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1, such as 0.3"),
    "AUGMENT": (lambda value: type(value) is bool, "True or False"),
    "SEED": _whole(0, 2**32 - 1),
}


def check(settings):
    """Raise UserError for the first of the settings, {name: value}, that is not what it may be."""
    for name, (holds, expected) in RANGES.items():
        if not holds(settings[name]):
            raise UserError(f"{name} is {settings[name]!r}.\nExpected {expected}. It stands at the top of train_model.py.")


def are_sound(settings):
    """Say whether the settings, {name: value}, are all there and what they may be. They may come from a file that was changed."""
    return all(name in settings and holds(settings[name]) for name, (holds, _) in RANGES.items())


def constants_of(*modules):
    """Return the constants at the top of modules, {"augmentation.ROTATION": 10.0, ...}: numbers, ranges and shares.

    What they take from config and files is left out: it is no choice of the training. Functions that are keys of a dict
    are named.
    """
    constants = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, dict):
                value = {getattr(key, "__name__", key): share for key, share in value.items()}
            if (
                name.isupper()
                and isinstance(value, (int, float, tuple, dict))
                and not (hasattr(config, name) or hasattr(files, name))
            ):
                constants[f"{module.__name__.rpartition('.')[2]}.{name}"] = value
    return constants
