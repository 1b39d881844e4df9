"""Training is a function of data, settings and seed, whatever interrupts it."""

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from conftest import PROJECT, QUICK_JAX, heed_ctrl_c

EPOCHS = 3
FLAGS = ("--epochs", str(EPOCHS), "--batch-size", "100")  # 1,080 pictures to learn from: the last batch is smaller


@pytest.fixture(scope="module")
def uninterrupted(small_data, run_script, tmp_path_factory):
    """The .h5 of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    result = run_script("train_model.py", *FLAGS, *_places(small_data, folder))
    assert result.returncode == 0, result.stderr
    return folder / "m.h5"


def _places(data, folder):
    return "--data", data, "--model", folder / "m.h5", "--output-dir", folder / "figures"


def test_the_same_seed_gives_the_same_file(uninterrupted, small_data, run_script, tmp_path):
    # From another folder and under another hash seed: neither may reach the weights.
    result = run_script("train_model.py", *FLAGS, *_places(small_data, tmp_path), cwd=tmp_path, PYTHONHASHSEED="7")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "m.h5").read_bytes() == uninterrupted.read_bytes()


@pytest.mark.parametrize("epochs_done", [1, EPOCHS])  # the second: killed while it saves. benchmarks/kill.py tries fifty moments
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_cleanly_and_says_how_to_resume(small_data, tmp_path):
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


needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")


@needs_jax
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
    same = [{**json.loads(result.stdout), "model": None, "loss": None} for result in (verified, by_keras)]
    assert same[0] == same[1], "the .tflite is another network"


def test_resuming_nothing_is_refused(small_data, run_script, tmp_path):
    result = run_script("train_model.py", *FLAGS, "--resume", *_places(small_data, tmp_path))
    assert result.returncode == 2
    assert "nothing to resume" in result.stderr
    assert "Traceback" not in result.stderr


def test_resuming_with_other_settings_is_refused(small_data, run_script, tmp_path):
    from digits.training import Checkpoint
    from digits import network
    import keras

    model = network.build(4, 4, 0, 0.0, seed=1)
    model.compile(keras.optimizers.Adam())
    Checkpoint(tmp_path / "m.checkpoint", {"EPOCHS": 9}).save(model, [])
    result = run_script("train_model.py", *FLAGS, "--resume", *_places(small_data, tmp_path))
    assert result.returncode == 2
    assert "EPOCHS: 9, now 3" in result.stderr


@pytest.mark.parametrize("content", ["nothing", "half", "one array", "bzip2", "no list"])
def test_a_damaged_checkpoint_is_refused(content, tmp_path):
    from digits import network
    from digits.config import UserError
    from digits.training import Checkpoint
    import keras

    model = network.build(4, 4, 0, 0.0, seed=1)
    model.compile(keras.optimizers.Adam())
    checkpoint = Checkpoint(tmp_path, {"EPOCHS": 9})
    checkpoint.save(model, [])
    assert checkpoint.restore(model) == []
    whole = checkpoint.path.read_bytes()
    if content == "bzip2":
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(checkpoint.path, "w", zipfile.ZIP_BZIP2) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    elif content == "no list":
        np.savez(checkpoint.path, settings="7", history="[]")
    elif content == "one array":
        with open(checkpoint.path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        checkpoint.path.write_bytes(whole[: len(whole) // 2 if content == "half" else 0])
    with pytest.raises(UserError, match="without --resume"):
        checkpoint.restore(model)


SETTINGS = {"SEED": 1, "AUGMENT": False, "EPOCHS": 7}


def numbered_pictures(count):
    """Pictures whose first pixel tells their number, and labels that go with it."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = range(count)
    return images, (np.arange(count) % 10).astype(np.uint8)


def whole_epoch(images, labels, settings, epoch):
    """All that an epoch learns from, in one piece."""
    from digits.training import pictures_of_epoch

    return tuple(map(np.concatenate, zip(*pictures_of_epoch(images, labels, settings, epoch))))


def test_every_picture_is_seen_once_an_epoch_in_another_order():
    orders = []
    for epoch in range(2):
        pictures, labels = whole_epoch(*numbered_pictures(200), SETTINGS, epoch)
        orders.append(pictures[:, 0, 0])
        assert sorted(orders[-1]) == list(range(200))
        assert np.array_equal(labels, orders[-1] % 10), "a picture lost its label"
    assert not np.array_equal(*orders)


def test_pictures_of_no_digit_come_on_top_and_point_to_none():
    from digits.dataset import bundled_digits
    from digits.training import TARGETS

    data = bundled_digits()
    pictures, labels = whole_epoch(data.x_train, data.y_train, SETTINGS | {"AUGMENT": True}, 0)
    none = labels == 10
    assert none.sum() == round(0.1 * len(data.x_train)) and len(pictures) == len(data.x_train) + none.sum()
    assert np.allclose(TARGETS[10], 0.1) and np.array_equal(TARGETS[:10], np.eye(10))
    assert none[: len(none) // 2].any() and none[-len(none) // 2 :].any(), "not mixed"
    assert np.array_equal(np.bincount(labels[~none]), np.bincount(data.y_train))


def test_an_epoch_is_a_function_of_seed_and_number():
    from digits.dataset import bundled_digits

    data = bundled_digits()
    first, again, other = [
        whole_epoch(data.x_train, data.y_train, SETTINGS | {"SEED": seed, "AUGMENT": True}, 3)[0] for seed in (1, 1, 2)
    ]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("sizes", [[500, 500, 320], [500], [3], [100, 1]])
def test_batches_hold_all_in_order_and_are_full_but_the_last(sizes):
    from digits.training import batches

    ends = np.cumsum(sizes)
    chunks = ((np.arange(end - size, end), np.arange(end - size, end) % 10) for size, end in zip(sizes, ends))
    pictures, labels = zip(*batches(chunks, 100))
    assert np.array_equal(np.concatenate(pictures), np.arange(ends[-1])) and np.array_equal(
        np.concatenate(labels), np.arange(ends[-1]) % 10
    )
    assert {len(batch) for batch in pictures[:-1]} <= {100} and 0 < len(pictures[-1]) <= 100


def test_what_is_made_ahead_keeps_its_order_and_its_errors():
    from digits.training import StopBetweenBatches, made_ahead

    def items():
        yield from range(5)
        raise OSError("the disk is gone")

    taken = []
    with pytest.raises(OSError, match="gone"), StopBetweenBatches() as stop, made_ahead(items(), 3, stop) as upcoming:
        for item in upcoming:
            taken.append(item)
    assert taken == list(range(5))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a process")
def test_ctrl_c_after_the_last_batch_is_not_lost():
    from digits.training import StopBetweenBatches

    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), StopBetweenBatches():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a shell's background
        with StopBetweenBatches() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            stop.here()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, earlier)


def test_only_digits_count_for_the_accuracy():
    from digits.training import TARGETS, DigitAccuracy

    accuracy = DigitAccuracy()
    right, wrong = np.eye(10, dtype=np.float32)[[3, 4]]
    accuracy.update_state(TARGETS[[3, 3, 10, 10]], np.stack([right, wrong, right, wrong]))
    assert float(accuracy.result()) == 0.5


def test_too_little_to_validate_on_is_refused(run_script, tmp_path):
    pictures, labels = np.zeros((7, 28, 28), np.uint8), np.arange(7, dtype=np.uint8)
    np.savez(tmp_path / "seven.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    result = run_script("train_model.py", *_places(tmp_path / "seven.npz", tmp_path))
    assert result.returncode == 2
    assert "7 training pictures can't be split" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("EPOCHS", 0), ("BATCH_SIZE", 0), ("VALIDATION_SPLIT", 1.5), ("VALIDATION_SPLIT", "0.1"), ("LEARNING_RATE", True), ("DROPOUT_RATE", None), ("CONV1_FILTERS", 0), ("DROPOUT_RATE", 1), ("AUGMENT", "no"), ("SEED", -1)],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name, value, monkeypatch):
    import train_model
    from digits.config import UserError

    monkeypatch.setattr(train_model, name, value)
    with pytest.raises(UserError, match=f"{name} is {value!r}"):
        train_model.settings_from(train_model.parse([]))


def test_two_models_are_compared_by_the_same_validation_pictures():
    import train_model

    def card(correct, seed=1, data="MNIST"):
        score = {"n": 10, "correct": correct, "accuracy": correct / 10}
        return {"data": data, "seed": seed, "settings": {"VALIDATION_SPLIT": 0.1}, "validation": score, "test": score}

    assert train_model.reads_more(card(9), card(8))
    assert not train_model.reads_more(card(8), card(8))
    assert not train_model.reads_more(card(9, seed=2), card(8)) and not train_model.reads_more(card(9, data="mine"), card(8))
    assert not train_model.reads_more({"data": "MNIST", "settings": "changed"}, card(8))
