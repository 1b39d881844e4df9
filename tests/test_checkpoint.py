"""The checkpoint of a training: written and read, and refused where it does not fit."""

import io
import json
import zipfile

import numpy as np
import pytest

from digits.common.errors import UserError
from digits.model.card import EpochRecord

RECORD = EpochRecord(0.5, 1.5, 0.25, 2.0, 3.0)


@pytest.fixture(scope="module")
def model():
    """A small network, compiled but not trained."""
    from digits.model import network
    from digits.training import loop
    from digits.training.schedule import CosineWithRestart

    model = network.build(4, 4, 0, 0.3, seed=1)
    loop.compile_for_digits(model, CosineWithRestart(10, 4, 0.01))
    model.optimizer.build(model.trainable_variables)
    return model


def checkpoint_at(path, settings=None):
    from digits.training.checkpoint import Checkpoint

    return Checkpoint(path, settings or {"EPOCHS": 9, "recipe": (1, 2)})


def values_of(model):
    return [variable.numpy() for variable in model.variables + model.optimizer.variables]


def test_a_checkpoint_restores_the_weights_and_the_history(model, tmp_path):
    checkpoint = checkpoint_at(tmp_path)
    checkpoint.save(model, [RECORD])
    saved = values_of(model)
    for variable in model.trainable_variables:
        variable.assign(variable + 1)
    assert checkpoint_at(tmp_path).restore(model) == [RECORD]
    assert all(np.array_equal(now, before) for now, before in zip(values_of(model), saved, strict=True))
    checkpoint.remove()
    assert not tmp_path.exists()


def test_a_checkpoint_of_the_version_of_november_2026_is_restored(model, tmp_path):
    """Written as commit 27539a5 did it: numbered variables, settings and history as JSON."""
    rng = np.random.default_rng(0)
    values = [rng.integers(0, 9, value.shape).astype(value.dtype) for value in values_of(model)]
    history = [{"accuracy": 0.5, "loss": 1.5, "val_accuracy": 0.25, "val_loss": 2.0, "seconds": 3.0}]
    arrays = {str(i): value for i, value in enumerate(values)}
    settings = json.dumps({"EPOCHS": 9, "recipe": [1, 2]})
    np.savez(tmp_path / "state.npz", settings=settings, history=json.dumps(history), **arrays)
    assert checkpoint_at(tmp_path).restore(model) == [RECORD]
    assert all(np.array_equal(now, value) for now, value in zip(values_of(model), values, strict=True))


def test_a_checkpoint_of_a_network_without_its_own_scale_is_refused(model, tmp_path):
    # The version of November 2026 divided by 255 without weights: the constants are missing.
    constants = {
        id(weight) for name in ("maximum_and_epsilon", "reciprocal", "dark_corners") for weight in model.get_layer(name).weights
    }
    variables = [variable for variable in model.variables + model.optimizer.variables if id(variable) not in constants]
    arrays = {str(i): variable.numpy() for i, variable in enumerate(variables)}
    checkpoint = checkpoint_at(tmp_path)
    np.savez(checkpoint.path, settings=json.dumps(checkpoint.identity), history="[]", **arrays)
    with pytest.raises(UserError, match="holds another network"):
        checkpoint.restore(model)


def test_resuming_nothing_is_refused(model, tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        checkpoint_at(tmp_path / "none").restore(model)


def test_resuming_with_other_settings_is_refused_and_names_them(model, tmp_path):
    checkpoint_at(tmp_path, {"EPOCHS": 9, "SEED": 1}).save(model, [])
    with pytest.raises(UserError, match="EPOCHS: 9, now 3"):
        checkpoint_at(tmp_path, {"EPOCHS": 3, "SEED": 1}).restore(model)


def test_resuming_another_network_is_refused(model, tmp_path):
    from digits.model import network

    checkpoint_at(tmp_path).save(model, [])
    other = network.build(5, 4, 0, 0.3, seed=1)
    other.compile("adam")
    with pytest.raises(UserError, match="another network"):
        checkpoint_at(tmp_path).restore(other)


@pytest.mark.parametrize("content", ["nothing", "half", "one array", "bzip2", "no list", "a wrong record"])
def test_a_damaged_checkpoint_is_refused(content, model, tmp_path):
    checkpoint = checkpoint_at(tmp_path)
    checkpoint.save(model, [])
    assert checkpoint.restore(model) == []
    whole = checkpoint.path.read_bytes()
    if content == "bzip2":
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(checkpoint.path, "w", zipfile.ZIP_BZIP2) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    elif content == "no list":
        np.savez(checkpoint.path, settings="7", history="[]")
    elif content == "a wrong record":
        np.savez(checkpoint.path, settings=json.dumps(checkpoint.identity), history='[{"seconds": "x"}]')
    elif content == "one array":
        with open(checkpoint.path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        checkpoint.path.write_bytes(whole[: len(whole) // 2 if content == "half" else 0])
    with pytest.raises(UserError, match="without --resume"):
        checkpoint.restore(model)
