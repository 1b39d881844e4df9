"""The path of a model -> the file to read and its card: checked, and recovered after a kill."""

import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

from digits.common.config import (
    BUNDLED_MODEL_NAME,
    LINE_READER_NAME,
    MODEL_NAME,
    NUMBER_READER_NAME,
    TRAIN_COMMAND,
    TRAIN_LINE_READER_COMMAND,
    TRAIN_NUMBER_READER_COMMAND,
)
from digits.common.errors import UserError
from digits.model import store
from digits.model.card import ModelCard, load_card, load_checksums
from digits.model.heat_map import CLASS_NAMES
from digits.model.store import card_path, previous_folder

logger = logging.getLogger(__name__)

INSTALL_SECONDS = 0.5  # in which a training has moved three files for sure: three renames take milliseconds


class ModelKind(NamedTuple):
    """One of the kinds of model.

    example: the path of the shipped one. train_command: what makes one. classes: that its card names, in the order of the
    outputs; empty where a card names labels instead.
    """

    name: str
    example: str
    train_command: str
    classes: tuple[str, ...] = ()


NO_SYMBOL_NAME = "no symbol"  # the last of a line reader's classes, which no other kind has
DIGIT_NETWORK = ModelKind("digit network", f"models/{MODEL_NAME}.tflite", TRAIN_COMMAND)
NUMBER_READER = ModelKind("number reader", f"models/{NUMBER_READER_NAME}.tflite", TRAIN_NUMBER_READER_COMMAND, (*CLASS_NAMES,))
LINE_READER = ModelKind(
    "line reader", f"models/{LINE_READER_NAME}.tflite", TRAIN_LINE_READER_COMMAND, (*CLASS_NAMES, NO_SYMBOL_NAME)
)


def find_model(model_path: str | os.PathLike, kind: ModelKind = DIGIT_NETWORK) -> tuple[Path, ModelCard | None]:
    """Return (path of the file to read, its card) of a model that is to be used.

    A new set that a kill left half installed is installed first; where that fails, the answer is the set before it. Either
    is logged. A file without a card is the user's own and has None. Raises UserError where there is no model, one that does not
    match its card, one of another kind, or one whose classes are others.
    """
    path = Path(model_path)
    if not path.name:  # "", "." and "/"
        raise _no_model(path, kind)
    store.recover(path)
    if not _matches_card(path):
        time.sleep(INSTALL_SECONDS)
        if not _matches_card(path):
            path = _half_installed(path, kind)
    if not _has_content(path):
        raise _no_model(path, kind)
    card = load_card(card_path(path)) if card_path(path).exists() else None
    check_kind(path, card, kind, f"Expected a {kind.name}, such as {kind.example}: it is taken where no other one is named.")
    if card and card.classes and tuple(card.classes) != kind.classes:
        raise UserError(
            f"{path} has other classes than this version reads: {', '.join(map(str, card.classes))}.\n"
            f"Expected {', '.join(kind.classes)}. The shipped one comes back with: git checkout models\n"
            f"To make one: {kind.train_command}"
        )
    if card and card.quantized_from and _quantization_source(path) not in (card.quantized_from, None):
        logger.warning(
            "%s was made from another model than the one beside it. To make it anew: %s --quantize", path, TRAIN_COMMAND
        )
    return path, card


def check_kind(path: Path, card: ModelCard | None, kind: ModelKind, expected: str) -> None:
    """Raise UserError where the card says that the model at the path is of another kind. expected: the rest of the message."""
    found = kind
    if card and card.classes:
        found = LINE_READER if NO_SYMBOL_NAME in card.classes else NUMBER_READER
    elif card and card.labels:
        found = DIGIT_NETWORK
    if found != kind:
        raise UserError(f"{path} is a {found.name}, not a {kind.name}.\n{expected}")


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _matches_card(path: Path) -> bool:
    """Return whether the card beside a model, where there is one, was written for the file or does not name its kind."""
    if not path.exists() or not card_path(path).exists():
        return True
    checksums = load_checksums(card_path(path))
    if checksums is None:
        return False
    return path.suffix not in store.NETWORK_SUFFIXES or store.has_checksum(path, checksums.get(path.name))


def _half_installed(path: Path, kind: ModelKind) -> Path:
    """Return the file of the set before a new one that is half installed. Raises UserError where it is not that."""
    previous = previous_folder(path) / path.name
    has_previous = store.is_complete(previous.parent, path.stem)
    if has_previous and store.staging_folder(path).exists():
        logger.warning("%s is half saved: using the earlier one, %s.", path, previous)
        return previous
    if not _has_content(path):
        raise _no_model(path, kind)
    earlier = f", take the earlier set in {previous.parent}" if has_previous else ""
    raise UserError(
        f"{path} does not match its card {card_path(path).name}: one of them was changed or replaced, or it has no sha256.\n"
        f"Expected the file that the card was written for. Bring the shipped model back (git checkout models){earlier},\n"
        f"train anew ({kind.train_command}), or remove the card to read the file without it."
    )


def _no_model(path: Path, kind: ModelKind) -> UserError:
    found, remedy = "", "The shipped one comes back with: git checkout models"
    if path.is_dir():
        found = ": it is a folder"
        remedy = f"Give the path of the file, or remove the folder where it is in the way.\n{remedy}"
    elif path.is_file():
        found = ": the file is empty"
    bundled = path.parent / f"{BUNDLED_MODEL_NAME}.tflite"
    has_weaker = kind == DIGIT_NETWORK and bundled.exists()
    instead = f"\nUntil then there is a weaker one: --model {bundled}" if has_weaker else ""
    return UserError(
        f"No model at {path}{found}.\nExpected a {kind.name}, such as {kind.example}. {remedy}\n"
        f"To make one: {kind.train_command}{instead}"
    )


def _quantization_source(path: Path) -> str | None:
    """Return the SHA-256 of the .h5 from which this 8-bit model would be made now, None where there is none."""
    name = path.stem.removesuffix(store.QUANTIZED_ENDING)
    return (load_checksums(path.with_name(f"{name}.json")) or {}).get(f"{name}.h5")
