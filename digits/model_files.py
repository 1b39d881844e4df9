"""The three files of a model: named, checked, moved into place together, and mended after a kill.

    models/NAME.h5       the network as Keras saves it
    models/NAME.tflite   the same weights for fast starts and phones
    models/NAME.json     the card: what it learned from and how, its scores, and the SHA-256 of the other two

A new set is written whole into models/.NAME.new/, its card last, and only then moved, the card last again. So at every
moment the old set, the new one or both are whole, and whoever comes next can tell which.
"""

import contextlib
import hashlib
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

from digits.config import BUNDLED_MODEL_NAME, UserError
from digits.files import UNFINISHED, cannot_be_written, synchronise, write_json, written_beside

logger = logging.getLogger(__name__)

NETWORK_SUFFIXES = (".h5", ".tflite")
EIGHT_BITS = "_int8"  # ends the name of the 8-bit model of the one that is named so far
LARGEST_CARD = 10**6  # bytes; those of 56 epochs are 13,000. chosen
TRAIN_COMMAND = "python train_model.py"


def card_path(model_path):
    return Path(model_path).with_suffix(".json")


def staging_folder(model_path):
    """Return the folder in which the set that is to replace this model is put together."""
    return Path(model_path).parent / f".{Path(model_path).stem}.new"


def new_staging(model_path):
    """Return the staging folder, made and empty."""
    staging = staging_folder(model_path)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


@contextlib.contextmanager
def staged(model_path):
    """Yield the staging folder, made and empty. Where the block fails before the set is whole, nothing of it remains.

    Raises UserError where the folder can't be written to or the disk is full.
    """
    staging = new_staging(model_path)
    try:
        yield staging
    except BaseException as error:
        if not (staging / card_path(model_path).name).exists():  # a whole set waits there for whoever finishes the move
            shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_be_written(staging.parent, error) from error
        raise


def previous_folder(model_path):
    """Return the folder that keeps the set which the present one replaced."""
    return Path(model_path).parent / "previous"


def checkpoint_folder(model_path):
    return Path(model_path).with_suffix(".checkpoint")


def lock(model_path):
    """Return a held lock on training this model. The system frees it when the process ends, however it ends.

    Raises UserError where another process holds it or the folder can't be written to.
    """
    import filelock  # here: whoever only reads does without

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
    return held


def complete_staging(staging, name, card):
    """Write the card, with the sums of the network's files that stand beside it: from now on the new set is whole.

    They are two; a network of 8-bit numbers has a .tflite alone.
    """
    written = [staging / (name + suffix) for suffix in NETWORK_SUFFIXES if (staging / (name + suffix)).exists()]
    card["sha256"] = {file.name: _sha256(file) for file in written}
    for file in written:
        synchronise(file)
    write_json(staging / f"{name}.json", card)


def put_in_place(staging, model_path, card):
    """Complete the set in the staging folder with its card, and move it into place. Ctrl-C is too late from here on."""
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        complete_staging(staging, Path(model_path).stem, card)
        install(model_path)
    finally:
        signal.signal(signal.SIGINT, earlier)


def install(model_path):
    """Move the whole set that stands in the staging folder into place; keep the one that it replaces."""
    staging = staging_folder(model_path)
    if (staging / card_path(model_path).name).exists():  # else someone else has finished the move already
        _keep_previous(model_path)
    for suffix in (*NETWORK_SUFFIXES, ".json"):
        try:
            os.replace(staging / f"{Path(model_path).stem}{suffix}", Path(model_path).with_suffix(suffix))
        except FileNotFoundError:
            pass  # moved before a kill, or by a reader who finished the move at the same moment
    shutil.rmtree(staging, ignore_errors=True)


def _keep_previous(model_path):
    """Copy the set in place to models/previous/ if it is whole; half of one is no model to go back to."""
    if not _is_whole(Path(model_path).parent, Path(model_path).stem):
        return
    folder = previous_folder(model_path)
    folder.mkdir(exist_ok=True)
    for abandoned in folder.glob(f"{UNFINISHED}*"):  # by a kill; whoever is here holds the lock, so nobody else is copying
        abandoned.unlink()
    for source in set_in_place(model_path):
        with written_beside(folder / source.name) as copy:
            shutil.copyfile(source, copy)


def set_in_place(model_path):
    """Return the paths of a whole set's files, the card last."""
    sums = _parsed(card_path(model_path))["sha256"]
    return [*(Path(model_path).with_name(name) for name in sums), card_path(model_path)]


def command_to_bring_back(model_path):
    """Return a command, as it can be pasted into a shell, that copies the set in models/previous/ back into place."""
    folder = model_path.absolute().parent
    earlier = [str(previous_folder(model_path).absolute() / file.name) for file in set_in_place(model_path)]
    if os.name == "nt":  # both of its shells know copy, with one name or pattern
        return subprocess.list2cmdline(
            ["copy", str(previous_folder(model_path).absolute() / f"{model_path.stem}.*"), str(folder)]
        )
    return shlex.join(["cp", *earlier, str(folder)])


def _is_whole(folder, name, elsewhere=None):
    """Say whether the folder holds a card and the files that it names; files already moved may lie elsewhere."""
    try:
        card = _parsed(folder / f"{name}.json")
        sums = card["sha256"]
        if f"{name}.tflite" not in sums or not set(sums) <= {name + suffix for suffix in NETWORK_SUFFIXES}:
            return False  # a card that was written for other files, or for none
        for file_name, expected in sums.items():
            file = folder / file_name
            if not file.exists() and elsewhere is not None:
                file = elsewhere / file_name
            if _sha256(file) != expected:
                return False
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return True


def resolve(model_path):
    """Return (path to read, card or None) for a model that is to be used.

    Finishes the move of a whole new set that a kill interrupted, or takes the earlier set where that can't be done,
    and says so. A lone file without a card is the user's own and has None.
    Raises UserError where there is no model, or one that does not match its card.
    """
    path = Path(model_path)
    _finish_interrupted_save(path)
    if card_path(path).exists() and not _matches_card(path):
        time.sleep(0.5)  # seconds, chosen: a training may be moving its files at this very moment
    if card_path(path).exists() and not _matches_card(path):
        previous = previous_folder(path) / path.name
        if staging_folder(path).exists() and _is_whole(previous.parent, path.stem):
            logger.warning("%s is half saved: using the earlier one, %s.", path, previous)
            path = previous
        else:
            earlier = f", take the earlier set in {previous_folder(path)}" if _is_whole(previous.parent, path.stem) else ""
            raise UserError(
                f"{path} does not match its card {card_path(path).name}: one of them was changed or replaced.\n"
                f"Expected the file that the card was written for. Bring the shipped model back (git checkout models){earlier},\n"
                f"train anew ({TRAIN_COMMAND}), or remove the card to read the file without it."
            )
    if not path.is_file():
        found = " It is a folder." if path.is_dir() else ""
        bundled = path.with_name(f"{BUNDLED_MODEL_NAME}.tflite")
        instead = f"\nUntil then there is a weaker one: --model {bundled}" if bundled.exists() else ""
        raise UserError(
            f"No model at {path}.{found}\nExpected a .tflite, .h5 or .keras file. "
            f"The shipped one comes back with: git checkout models\nTo make one: {TRAIN_COMMAND}{instead}"
        )
    card = _read_card(path) if card_path(path).exists() else None
    if card and "quantized_from" in card and _what_is_quantized(path) not in (card["quantized_from"], None):
        logger.warning("%s is that of another model than the one beside it. To make it anew: %s --quantize", path, TRAIN_COMMAND)
    return path, card


def _what_is_quantized(path):
    """Return the sum of the .h5 from which an 8-bit model beside it would be made now, None where there is none."""
    name = path.stem.removesuffix(EIGHT_BITS)
    try:
        return _parsed(path.with_name(f"{name}.json"))["sha256"][f"{name}.h5"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_card(model_path):
    """Return the card beside a model. Raises UserError where what the scripts take from it is not what they wrote."""
    try:
        card = _parsed(card_path(model_path))
        test = card.get("test", {"n": 0, "correct": 0, "accuracy": 0.0})
        sound = all(0 <= test[name] < 10**12 for name in ("n", "correct", "accuracy"))
        sound = sound and isinstance(card.get("parameters", 0), int) and 0 <= card.get("parameters", 0) < 10**12
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise UserError(
            f"The card {card_path(model_path)} was changed.\n"
            f"Expected it as train_model.py wrote it. Train anew ({TRAIN_COMMAND}), or remove it to read the model without it."
        )
    return card


def _parsed(path):
    """Return what a card holds. Raises OSError, ValueError or RecursionError where it can't be read or is too large."""
    with open(path, "rb") as file:
        text = file.read(LARGEST_CARD + 1)
    if len(text) > LARGEST_CARD:
        raise ValueError("too large for a card")
    return json.loads(text)


def _finish_interrupted_save(path):
    """Move a whole new set into place that a kill left in the staging folder."""
    if not _is_whole(staging_folder(path), path.stem, elsewhere=path.parent):
        return
    try:
        held = lock(path)
    except UserError:
        return  # a living training is about to do it, or the folder can't be written to
    try:
        if _is_whole(staging_folder(path), path.stem, elsewhere=path.parent):
            install(path)
            logger.warning("A training was interrupted while it saved %s: finished that.", path.stem)
    except (OSError, UserError) as error:
        logger.warning("A training was interrupted while it saved %s; can't finish that: %s", path.stem, error)
    finally:
        held.release()


def card_in_place(model_path):
    """Return the card of the whole set that is in place, or None; finishes an interrupted save first.

    For whoever holds the lock.
    """
    if _is_whole(staging_folder(model_path), Path(model_path).stem, elsewhere=Path(model_path).parent):
        install(model_path)
    if _is_whole(Path(model_path).parent, Path(model_path).stem):
        return _read_card(model_path)
    return None


def _matches_card(path):
    """Say whether the card beside a model is readable and, where it names the file, was written for it."""
    try:
        sums = _parsed(card_path(path))["sha256"]
        return path.suffix not in NETWORK_SUFFIXES or sums[path.name] == _sha256(path)
    except FileNotFoundError:
        return not path.exists()  # a missing model is a missing model, not a mismatch
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
