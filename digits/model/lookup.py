"""The path of a model -> the file to read and its card: checked, and recovered after a kill."""

import logging
import os
import time
from pathlib import Path

from digits.common.config import BUNDLED_MODEL_NAME, TRAIN_COMMAND
from digits.common.errors import UserError
from digits.model import store
from digits.model.card import ModelCard, load_card, load_checksums
from digits.model.store import card_path, previous_folder

logger = logging.getLogger(__name__)

INSTALL_SECONDS = 0.5  # in which a training has moved three files for sure: three renames take milliseconds


def find_model(model_path: str | os.PathLike, train_command: str = TRAIN_COMMAND) -> tuple[Path, ModelCard | None]:
    """Return (path of the file to read, its card) of a model that is to be used.

    A new set that a kill left half installed is installed first; where that fails, the answer is the set before it. Either
    is logged. A file without a card is the user's own and has None. train_command: what makes such a model, for the messages.
    Raises UserError where there is no model, or one that does not match its card.
    """
    path = Path(model_path)
    store.recover(path)
    if not _matches_card(path):
        time.sleep(INSTALL_SECONDS)
        if not _matches_card(path):
            path = _half_installed(path, train_command)
    if not path.is_file():
        raise _no_model(path, train_command)
    card = load_card(card_path(path)) if card_path(path).exists() else None
    if card and card.quantized_from and _quantization_source(path) not in (card.quantized_from, None):
        logger.warning(
            "%s was made from another model than the one beside it. To make it anew: %s --quantize", path, TRAIN_COMMAND
        )
    return path, card


def _matches_card(path: Path) -> bool:
    """Return whether the card beside a model, where there is one, was written for the file or does not name its kind."""
    if not path.exists() or not card_path(path).exists():
        return True
    checksums = load_checksums(card_path(path))
    if checksums is None:
        return False
    return path.suffix not in store.NETWORK_SUFFIXES or store.has_checksum(path, checksums.get(path.name))


def _half_installed(path: Path, train_command: str) -> Path:
    """Return the file of the set before a new one that is half installed. Raises UserError where it is not that."""
    previous = previous_folder(path) / path.name
    has_previous = store.is_complete(previous.parent, path.stem)
    if has_previous and store.staging_folder(path).exists():
        logger.warning("%s is half saved: using the earlier one, %s.", path, previous)
        return previous
    earlier = f", take the earlier set in {previous.parent}" if has_previous else ""
    raise UserError(
        f"{path} does not match its card {card_path(path).name}: one of them was changed or replaced.\n"
        f"Expected the file that the card was written for. Bring the shipped model back (git checkout models){earlier},\n"
        f"train anew ({train_command}), or remove the card to read the file without it."
    )


def _no_model(path: Path, train_command: str) -> UserError:
    found = " It is a folder." if path.is_dir() else ""
    bundled = path.with_name(f"{BUNDLED_MODEL_NAME}.tflite")
    has_weaker = train_command == TRAIN_COMMAND and bundled.exists()
    instead = f"\nUntil then there is a weaker one: --model {bundled}" if has_weaker else ""
    return UserError(
        f"No model at {path}.{found}\nExpected a .tflite, .h5 or .keras file. "
        f"The shipped one comes back with: git checkout models\nTo make one: {train_command}{instead}"
    )


def _quantization_source(path: Path) -> str | None:
    """Return the SHA-256 of the .h5 from which this 8-bit model would be made now, None where there is none."""
    name = path.stem.removesuffix(store.QUANTIZED_ENDING)
    return (load_checksums(path.with_name(f"{name}.json")) or {}).get(f"{name}.h5")
