"""The state of a training in one file, from which an interrupted one goes on to the same weights, byte for byte."""

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digits.common.errors import UserError
from digits.common.files import SAFE_ZIP_COMPRESSIONS, atomic_write
from digits.model.card import EpochRecord
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings

STATE_FILE = "state.npz"
START_AGAIN = "Start from the beginning: the same command without --resume."


class Checkpoint:
    """All that a training needs to go on: variables, identity and history after its last complete epoch.

    folder: need not exist yet. identity: all that decides what is learned (settings, data and constants), by name, as JSON can
    hold it; a training with another one can't be resumed.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.path = folder / STATE_FILE
        # Through JSON and back, so that it compares equal with the one that is read again: a tuple becomes a list.
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))

    def save(self, model: keras.Model, history: Sequence[EpochRecord]) -> None:
        """Write the state of the compiled model, its optimizer and its random generators, and the history so far.

        Raises UserError where it can't be written; the checkpoint before it then stays.
        """
        variables = {str(i): keras.ops.convert_to_numpy(variable) for i, variable in enumerate(_variables(model))}
        records = json.dumps([record.to_json() for record in history])
        archive = io.BytesIO()  # in memory: NumPy 2.0 prints a traceback where the disk is full before the archive's end
        np.savez(archive, settings=json.dumps(self.identity), history=records, **variables)
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(archive.getbuffer())

    def restore(self, model: keras.Model) -> list[EpochRecord]:
        """Bring the compiled model to the saved state and return the history so far.

        Raises UserError where there is no checkpoint, a damaged one, or one of another identity or network.
        """
        if not self.path.exists():
            raise UserError(f"There is nothing to resume: no {self.path}.\nExpected an interrupted training. {START_AGAIN}")
        identity, history, values = _load(self.path)
        differing = sorted(name for name in self.identity | identity if self.identity.get(name) != identity.get(name))
        if differing:
            raise UserError(
                "The interrupted training had other settings, data or constants:\n"
                + "".join(f"  {name}: {identity.get(name)}, now {self.identity.get(name)}\n" for name in differing)
                + f"Expected the same ones. {START_AGAIN}"
            )
        variables = _variables(model)
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise UserError(f"{self.path} holds another network.\nExpected the one that these settings build. {START_AGAIN}")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return history

    def remove(self) -> None:
        """Delete the checkpoint and its folder, where there are any."""
        shutil.rmtree(self.folder, ignore_errors=True)


def saved_identity(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the checkpoint in a folder, None where there is none. Raises UserError where it is damaged."""
    path = folder / STATE_FILE
    return _load(path)[0] if path.exists() else None


def _load(path: Path) -> tuple[dict[str, Any], list[EpochRecord], list[np.ndarray]]:
    """Return (identity, history, values of the variables) of a checkpoint. Raises UserError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as state:
            if any(member.compress_type not in SAFE_ZIP_COMPRESSIONS for member in state.zip.infolist()):
                raise ValueError("it is compressed as NumPy never does")
            identity = dict(json.loads(str(state["settings"])))
            history = [EpochRecord.from_json(record) for record in json.loads(str(state["history"]))]
            return identity, history, [state[str(i)] for i in range(len(state.files) - 2)]
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f"{path} can't be read: {error or type(error).__name__}.\n{START_AGAIN}") from error


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return everything that changes while a compiled model learns, the states of its random generators included."""
    return model.variables + model.optimizer.variables
