"""Training is a function of data, settings and seed, whatever interrupts it."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import PROJECT, QUICK_JAX, heed_ctrl_c

from digits.training.settings import TrainingSettings

# ---- in this process, with a small network. Three full batches an epoch: another batch size would be compiled, too -----

SETTINGS = TrainingSettings(
    preset="default", epochs=3, batch_size=44, validation_split=0.1, learning_rate=0.01, conv1_filters=3, conv2_filters=4,
    dense_units=0, dropout_rate=0.3, augment=True, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def splits():
    """120 of the bundled digits to learn from, 30 to validate on."""
    from digits.data.dataset import Split, bundled_digits

    data = bundled_digits()
    return Split(data.x_train[:120], data.y_train[:120]), Split(data.x_test[:30], data.y_test[:30])


def fit(splits, folder, resume=False, stop_after=None):
    """Train a new small network; return (its weights, its history, [what was reported after each epoch])."""
    from digits.model import network
    from digits.training import loop
    from digits.training.checkpoint import Checkpoint

    model = network.build(3, 4, 0, 0.3, SETTINGS.seed)
    reported = []

    def report(*values):
        reported.append(values)
        if values[0] == stop_after:
            raise KeyboardInterrupt

    history = loop.fit(model, *splits, SETTINGS, Checkpoint(folder, SETTINGS.to_json()), resume, report)
    return model.get_weights(), history, reported


@pytest.fixture(scope="module")
def fitted(splits, tmp_path_factory):
    """An uninterrupted training."""
    return fit(splits, tmp_path_factory.mktemp("checkpoint"))


@pytest.mark.slow
def test_an_interrupted_training_resumes_to_the_same_weights(fitted, splits, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(splits, tmp_path, stop_after=1)
    weights, history, reported = fit(splits, tmp_path, resume=True)
    assert [number for number, *_ in reported] == [2, 3], "an epoch was learned again, or left out"
    assert all(np.array_equal(now, before) for now, before in zip(weights, fitted[0], strict=True))
    assert [record.val_loss for record in history] == [record.val_loss for record in fitted[1]]


def test_each_epoch_is_reported_with_the_time_that_is_left(fitted):
    _, history, reported = fitted
    assert [(number, record) for number, record, _ in reported] == list(enumerate(history, start=1))
    assert reported[0][2] == pytest.approx(2 * history[0].seconds) and reported[-1][2] == 0


def test_only_digits_count_for_the_accuracy():
    from digits.training.loop import TARGETS, DigitAccuracy

    accuracy = DigitAccuracy()
    correct, wrong = np.eye(10, dtype=np.float32)[[3, 4]]
    accuracy.update_state(TARGETS[[3, 3, 10, 10]], np.stack([correct, wrong, correct, wrong]))
    assert float(accuracy.result()) == 0.5


def test_the_target_of_an_outlier_is_that_all_digits_are_equally_likely():
    from digits.training.loop import TARGETS

    assert np.allclose(TARGETS[10], 0.1) and np.array_equal(TARGETS[:10], np.eye(10))


# ---- the command ----------------------------------------------------------------------------------------------------

EPOCHS = 3
FLAGS = ("--epochs", str(EPOCHS), "--batch-size", "100")  # 1,080 images to learn from: the last batch is smaller


@pytest.fixture(scope="module")
def uninterrupted(small_data, run_script, tmp_path_factory):
    """The .h5 of a training that was not interrupted."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    result = run_script("train_model.py", *FLAGS, *_places(small_data, folder))
    assert result.returncode == 0, result.stderr
    return folder / "m.h5"


def _places(data, folder):
    return "--data", data, "--model", folder / "m.h5", "--output-dir", folder / "figures"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file(uninterrupted, small_data, run_script, tmp_path):
    # From another folder and under another hash seed: neither may reach the weights.
    result = run_script("train_model.py", *FLAGS, *_places(small_data, tmp_path), cwd=tmp_path, PYTHONHASHSEED="7")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "m.h5").read_bytes() == uninterrupted.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("epochs_done", [1, EPOCHS])  # the second: killed while it saves. KILLS tries fifty moments
def test_a_killed_training_resumes_to_the_same_weights(uninterrupted, small_data, run_script, tmp_path, epochs_done):
    command = [sys.executable, str(PROJECT / "train_model.py"), *FLAGS, *map(str, _places(small_data, tmp_path))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "m.checkpoint" / "state.npz"
    while _epochs_in(checkpoint) < epochs_done:
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "m.h5").exists()

    result = run_script("train_model.py", *FLAGS, "--resume", *_places(small_data, tmp_path))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "m.h5").read_bytes() == uninterrupted.read_bytes()
    assert not checkpoint.exists()


def _epochs_in(checkpoint):
    """Return how many epochs a checkpoint holds, -1 for none."""
    try:
        with np.load(checkpoint) as state:
            return len(json.loads(str(state["history"])))
    except FileNotFoundError:
        return -1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_a_training_and_says_how_to_resume_it(small_data, tmp_path):
    command = [sys.executable, str(PROJECT / "train_model.py"), "--epochs", "200", *map(str, _places(small_data, tmp_path))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c)
    while _epochs_in(tmp_path / "m.checkpoint" / "state.npz") < 1:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_on_jax_without_tensorflow_the_training_is_kept_until_there_is_one(small_data, run_script, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "tensorflow.py").write_text("raise ImportError('there is none here')")
    earlier = tmp_path / "m.tflite"
    earlier.write_bytes(b"the earlier model")
    flags = ("--epochs", "1", *_places(small_data, tmp_path))
    without = run_script("train_model.py", *flags, KERAS_BACKEND="jax", **QUICK_JAX, PYTHONPATH=tmp_path / "none")
    assert without.returncode == 2
    assert "there is none here" in without.stderr and "--resume" in without.stderr
    assert "Traceback" not in without.stderr
    assert earlier.read_bytes() == b"the earlier model" and not (tmp_path / "m.h5").exists()
    earlier.unlink()

    resumed = run_script("train_model.py", *flags, "--resume", KERAS_BACKEND="jax", **QUICK_JAX)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 1 / 1" not in resumed.stdout, "it was trained again"
    verified = run_script("verify_all_digits.py", "--data", small_data, "--model", tmp_path / "m.tflite", "--json", "-")
    by_keras = run_script("verify_all_digits.py", "--data", small_data, "--model", tmp_path / "m.h5", "--json", "-")
    of_tflite, of_h5 = (json.loads(result.stdout) | {"model": None} for result in (verified, by_keras))
    for name in ("loss", "ece"):  # Keras and LiteRT round differently
        assert of_tflite.pop(name) == pytest.approx(of_h5.pop(name), abs=1e-5)
    assert of_tflite == of_h5, "the .tflite is another network"


def test_resuming_what_can_not_be_resumed_is_exit_code_2(small_data, call_script, tmp_path):
    from digits.model import network
    from digits.training.checkpoint import Checkpoint

    result = call_script("train_model.py", *FLAGS, "--resume", *_places(small_data, tmp_path))
    assert (result.returncode, "nothing to resume" in result.stderr) == (2, True)
    model = network.build(4, 4, 0, 0.0, seed=1)
    model.compile("adam")
    Checkpoint(tmp_path / "m.checkpoint", {"EPOCHS": 9}).save(model, [])
    result = call_script("train_model.py", *FLAGS, "--resume", *_places(small_data, tmp_path))
    assert (result.returncode, "EPOCHS: 9, now 3" in result.stderr) == (2, True)


def test_too_few_images_to_validate_on_are_refused(call_script, tmp_path):
    images, labels = np.zeros((7, 28, 28), np.uint8), np.arange(7, dtype=np.uint8)
    np.savez(tmp_path / "seven.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    result = call_script("train_model.py", *_places(tmp_path / "seven.npz", tmp_path))
    assert result.returncode == 2
    assert "7 training images can't be split" in result.stderr


def test_two_models_are_compared_by_the_same_validation_images():
    import train_model
    from digits.common.score import Score
    from digits.model.card import ModelCard

    def card(correct, seed=1, data="MNIST"):
        score = Score(10, correct, correct / 10)
        return ModelCard(data=data, seed=seed, settings={"VALIDATION_SPLIT": 0.1}, validation=score, test=score)

    assert train_model.reads_more(card(9), card(8))
    assert not train_model.reads_more(card(8), card(8))
    assert not train_model.reads_more(card(9, seed=2), card(8)) and not train_model.reads_more(card(9, data="mine"), card(8))
    assert not train_model.reads_more(ModelCard(data="MNIST"), card(8))
