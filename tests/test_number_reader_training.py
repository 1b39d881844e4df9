"""train_model.py --eye: a part of a training ends with a whole set, from which the next part starts."""

import json

import numpy as np
import pytest

from digits.model import store


@pytest.mark.parametrize(
    "flags", [["--quantize"], ["--fine-tune", "custom_digits"], ["--preset", "tiny"], ["--batch-size", "8"], ["--epochs", "0"]]
)
def test_flags_that_the_number_reader_does_not_know_are_refused(flags, call_script):
    assert call_script("train_model.py", "--eye", *flags).returncode == 2


def test_going_on_with_nothing_is_refused(small_data, call_script, tmp_path):
    result = call_script("train_model.py", "--eye", "--resume", "--data", small_data, "--model", tmp_path / "m.h5")
    assert result.returncode == 2
    assert "nothing to go on with" in result.stderr


def test_data_without_one_of_the_digits_is_refused(call_script, tmp_path):
    images = np.zeros((20, 28, 28), np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 9
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    result = call_script("train_model.py", "--eye", "--data", tmp_path / "d.npz", "--model", tmp_path / "m.h5")
    assert result.returncode == 2
    assert "has no 9" in result.stderr


@pytest.mark.slow
def test_two_parts_of_a_training_each_end_with_a_whole_set(small_data, call_script, tmp_path, monkeypatch):
    from digits.training import number_reader

    monkeypatch.setattr(number_reader, "STEPS_PER_EPOCH", 3)
    monkeypatch.setattr(number_reader, "VALIDATION_BATCHES", 2)
    path = tmp_path / "number_reader.h5"
    command = ("train_model.py", "--eye", "--epochs", 2, "--data", small_data, "--model", path)
    for part, flags in enumerate(([], ["--resume"]), start=1):
        result = call_script(*command, *flags)
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("epoch ") == 2
        assert store.is_complete(tmp_path, path.stem)
        card = json.loads(path.with_suffix(".json").read_text())
        assert len(card["history"]) == 2 * part and card["steps"] == 6 * part
        assert not store.checkpoint_folder(path).exists()
    assert store.is_complete(tmp_path / "previous", path.stem)


@pytest.mark.slow
def test_an_interrupted_part_goes_on_to_the_same_weights(small_data, tmp_path, monkeypatch):
    from digits.data import dataset
    from digits.model import number_network
    from digits.training import number_reader
    from digits.training.checkpoint import Checkpoint

    monkeypatch.setattr(number_reader, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(number_reader, "VALIDATION_BATCHES", 1)
    splits = dataset.split(dataset.load(small_data), 0.1, 0)
    settings = number_reader.PartSettings(epochs=2, validation_split=0.1, seed=0)

    def part(folder, resume, on_epoch_end=lambda *_: None):
        model = number_network.build(0)
        number_reader.fit(model, splits, settings, (), Checkpoint(folder, settings.to_json()), resume, on_epoch_end)
        return model.get_weights()

    def interrupt(*_):
        raise KeyboardInterrupt

    whole = part(tmp_path / "whole", resume=False)
    with pytest.raises(KeyboardInterrupt):
        part(tmp_path / "halves", resume=False, on_epoch_end=interrupt)
    assert all(np.array_equal(a, b) for a, b in zip(whole, part(tmp_path / "halves", resume=True), strict=True))
