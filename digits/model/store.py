"""The three files of a model, replaced as one: a kill or a power cut at any moment leaves a complete set.

    models/NAME.h5       the network as Keras saves it
    models/NAME.tflite   the same weights for fast starts and phones
    models/NAME.json     the model card, with the SHA-256 checksums of the other two

A new set is staged, then installed:

1. Its files are written into the staging folder, models/.NAME.new/, the card last. With its card the set is complete.
2. The set in place is copied to models/previous/.
3. The new files are moved into place, each by an atomic rename, the card last.

So at every moment the old set, the new one or both are complete, and the checksums tell which. After a kill, the next training
(recover_and_load_card) or the next reader (lookup.find_model) finishes steps 2 and 3. One lock for each model keeps two
trainings apart.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from digits.common.errors import UserError
from digits.common.files import flush_to_disk, write_error, write_json
from digits.model.card import ModelCard, load_card, load_checksums

logger = logging.getLogger(__name__)

NETWORK_SUFFIXES = (".h5", ".tflite")
QUANTIZED_ENDING = "_int8"  # NAME_int8.tflite is the 8-bit version of NAME.tflite; it has a card of its own and no .h5

# ---- names -----------------------------------------------------------------------------------------------------
# In each, model_path is the path of any of the three files.


def card_path(model_path: str | os.PathLike) -> Path:
    """Return the path of the model's card."""
    return Path(model_path).with_suffix(".json")


def staging_folder(model_path: str | os.PathLike) -> Path:
    """Return the folder in which the set that is to replace this model is put together."""
    return Path(model_path).parent / f".{Path(model_path).stem}.new"


def previous_folder(model_path: str | os.PathLike) -> Path:
    """Return the folder that keeps the set which the present one replaced."""
    return Path(model_path).parent / "previous"


def checkpoint_folder(model_path: str | os.PathLike) -> Path:
    """Return the folder of the checkpoint of a training of this model."""
    return Path(model_path).with_suffix(".checkpoint")


def installed_files(model_path: str | os.PathLike) -> list[Path]:
    """Return the paths of the files in place that the card names, and of the card, last."""
    card = card_path(model_path)
    return [*(card.with_name(name) for name in load_checksums(card) or {}), card]


# ---- saving ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(model_path: str | os.PathLike) -> Iterator[None]:
    """Hold the lock on changing this model. The system frees it when the process ends, however it ends.

    Raises UserError where another process holds it or the folder can't be written to.
    """
    import filelock  # here: reading works without it

    path = Path(model_path).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(path)
        held.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(
            f"Another training is writing {model_path}.\n"
            "Expected one at a time. Wait for it, or train beside it with --model OTHER_NAME.h5."
        ) from None
    except OSError as error:
        raise UserError(
            f"{path.parent} can't be written to: {error.strerror or error}.\n"
            "Expected a folder for the model. Name another with --model FOLDER/NAME.h5."
        ) from error
    try:
        yield
    finally:
        held.release()


@contextlib.contextmanager
def staged(model_path: str | os.PathLike) -> Iterator[Path]:
    """Yield the staging folder, new and empty. Where the block fails before the set is complete, nothing of it remains.

    Raises UserError where the folder can't be written to or the disk is full.
    """
    staging = new_staging_folder(model_path)
    try:
        yield staging
    except BaseException as error:
        if not (staging / card_path(model_path).name).exists():  # a complete set waits there until it is installed
            shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError):
            raise write_error(staging.parent, error) from error
        raise


def commit(model_path: str | os.PathLike, card: ModelCard) -> ModelCard:
    """Complete the staged set with its card and install it; return the card with the checksums. Ctrl-C is ignored meanwhile."""
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        card = complete_staging(model_path, card)
        install(model_path)
    finally:
        signal.signal(signal.SIGINT, earlier)
    return card


def new_staging_folder(model_path: str | os.PathLike) -> Path:
    """Return the staging folder, new and empty."""
    staging = staging_folder(model_path)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


def complete_staging(model_path: str | os.PathLike, card: ModelCard) -> ModelCard:
    """Write the card beside the staged network files, with their checksums, and return it. Now the set is complete.

    The files are the .h5 and the .tflite; of a quantized network the .tflite alone.
    """
    staging, name = staging_folder(model_path), Path(model_path).stem
    files = [staging / (name + suffix) for suffix in NETWORK_SUFFIXES if (staging / (name + suffix)).exists()]
    card = dataclasses.replace(card, sha256={file.name: checksum(file) for file in files})
    for file in files:
        flush_to_disk(file)
    write_json(staging / f"{name}.json", card.to_json())
    return card


def install(model_path: str | os.PathLike) -> None:
    """Move the complete staged set into place; keep the set that it replaces. Raises OSError or UserError.

    What a kill or another process has moved already is passed over.
    """
    staging = staging_folder(model_path)
    if (staging / card_path(model_path).name).exists():  # once the card is moved, the set in place is the new one
        _keep_previous(model_path)
    for suffix in (*NETWORK_SUFFIXES, ".json"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(staging / f"{Path(model_path).stem}{suffix}", Path(model_path).with_suffix(suffix))
    shutil.rmtree(staging, ignore_errors=True)


def _keep_previous(model_path: str | os.PathLike) -> None:
    """Copy the set in place to models/previous/, unless a kill has left half of a set there."""
    if not is_complete(Path(model_path).parent, Path(model_path).stem):
        return
    folder = previous_folder(model_path)
    folder.mkdir(exist_ok=True)
    for source in installed_files(model_path):
        copy = staging_folder(model_path) / f"previous.{source.name}"  # models/previous/ is shared with other models
        shutil.copyfile(source, copy)
        flush_to_disk(copy)
        os.replace(copy, folder / source.name)


# ---- after a kill ----------------------------------------------------------------------------------------------


def recover(model_path: str | os.PathLike) -> None:
    """Install a complete set that a kill left in the staging folder, and log that. What can't be installed stays there."""
    if not _is_staged(model_path):
        return
    with contextlib.suppress(UserError), lock(model_path):  # where it is locked, a running training is about to install it
        try:
            if _is_staged(model_path):
                install(model_path)
                logger.warning("A training was interrupted while it saved %s: finished that.", Path(model_path).stem)
        except (OSError, UserError) as error:
            name = Path(model_path).stem
            logger.warning("A training was interrupted while it saved %s; can't finish that: %s", name, error)


def recover_and_load_card(model_path: str | os.PathLike) -> ModelCard | None:
    """Install a set that a kill left in the staging folder; return the card of the set in place, None where it is not complete.

    The caller holds the lock. Raises OSError or UserError where the set can't be installed or the card was changed.
    """
    if _is_staged(model_path):
        install(model_path)
    if is_complete(Path(model_path).parent, Path(model_path).stem):
        return load_card(card_path(model_path))
    return None


def _is_staged(model_path: str | os.PathLike) -> bool:
    """Return whether a complete set waits in the staging folder; some of its files may be in place already."""
    return is_complete(staging_folder(model_path), Path(model_path).stem, moved_to=Path(model_path).parent)


# ---- checking --------------------------------------------------------------------------------------------------


def is_complete(folder: Path, name: str, moved_to: Path | None = None) -> bool:
    """Return whether a folder holds a model's card and the files for which it was written.

    name: of the files, without suffix. moved_to: a folder where files that are missing may be, too.
    """
    checksums = load_checksums(folder / f"{name}.json") or {}
    if f"{name}.tflite" not in checksums or not set(checksums) <= {name + suffix for suffix in NETWORK_SUFFIXES}:
        return False
    places = {file: folder if moved_to is None or (folder / file).exists() else moved_to for file in checksums}
    return all(has_checksum(places[file] / file, expected) for file, expected in checksums.items())


def has_checksum(path: Path, expected: str | None) -> bool:
    """Return whether a file can be read and has this SHA-256."""
    try:
        return checksum(path) == str(expected).lower()  # a damaged card may hold what is no text
    except OSError:
        return False


def checksum(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
