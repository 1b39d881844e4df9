"""train_model.py --eye and --line-reader: a part of a training ends with a whole set, from which the next part starts."""

import contextlib
import functools
import itertools
import json

import numpy as np
import pytest

from digits.model import store
from digits.model.card import load_card
from digits.model.lookup import LINE_READER, NUMBER_READER
from digits.reading.number_reader import DEFAULT_NUMBER_READER


@pytest.mark.parametrize(
    "flags",
    [
        ["--quantize"],
        ["--fine-tune", "custom_digits"],
        ["--preset", "tiny"],
        ["--batch-size", "8"],
        ["--output-dir", "figures"],
    ],
    ids=lambda flags: flags[0],
)
@pytest.mark.parametrize("mode", ["--eye", "--line-reader"])
def test_a_flag_that_a_reader_does_not_know_is_refused_by_its_name(mode, flags, call_script):
    result = call_script("train_model.py", mode, *flags)
    assert result.returncode == 2
    assert f"leave {flags[0]} away with {mode}" in result.stderr


def test_a_part_without_epochs_is_refused(call_script):
    assert call_script("train_model.py", "--eye", "--epochs", "0").returncode == 2


def test_going_on_with_nothing_is_refused(small_data, call_script, tmp_path):
    result = call_script("train_model.py", "--eye", "--resume", "--data", small_data, "--model", tmp_path / "m.h5")
    assert result.returncode == 2
    assert "nothing to go on with" in result.stderr


def test_a_digit_network_is_not_replaced_by_a_number_reader(small_data, call_script, model_copy):
    model = model_copy.with_suffix(".h5")
    before = model.read_bytes()
    for flags in ([], ["--resume"]):
        result = call_script("train_model.py", "--eye", *flags, "--data", small_data, "--model", model)
        assert result.returncode == 2
        assert "is a digit network" in result.stderr
    assert model.read_bytes() == before


def test_data_without_one_of_the_digits_is_refused(call_script, tmp_path):
    images = np.zeros((200, 28, 28), np.uint8)
    labels = np.arange(200, dtype=np.uint8) % 9
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    result = call_script("train_model.py", "--eye", "--data", tmp_path / "d.npz", "--model", tmp_path / "m.h5")
    assert result.returncode == 2
    assert "has no 9" in result.stderr


def test_the_shipped_card_is_that_of_a_number_reader():
    card = load_card(DEFAULT_NUMBER_READER.with_suffix(".json"))
    assert len(card.classes) == 16 and card.labels is None
    assert card.other == {}, "every entry is one that this version knows"
    assert card.steps >= sum(part.steps for part in card.earlier_parts or ())
    assert card.pictures == {"training": 55_000, "validation": 5000}


def test_settings_say_all_that_a_part_is_trained_with():
    from digits.training import composed_training

    settings = composed_training.PartSettings(epochs=3, seed=7, batch_size=5).to_json()
    assert (settings.pop("EPOCHS"), settings.pop("SEED"), settings.pop("BATCH_SIZE")) == (3, 7, 5)
    constants = {"LEARNING_RATE": "PART_LEARNING_RATE"}  # the others have the same names
    assert settings == {name: getattr(composed_training, constants.get(name, name)) for name in settings}
    assert {"WEIGHT_DECAY", "CLIP_NORM", "FINAL_RATE_FRACTION", "MAX_WARM_UP_STEPS"} < set(settings)


@pytest.fixture
def quick(monkeypatch):
    """Parts of few steps, of windows of few glyphs and papers that this process composes."""
    from digits.training import composed_training, composing

    monkeypatch.setattr(composed_training, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(composed_training, "VALIDATION_BATCHES", 1)
    monkeypatch.setattr(composed_training, "compose_ahead", lambda stream, stop: contextlib.nullcontext(iter(stream)))
    monkeypatch.setattr(composing, "GlyphPool", functools.partial(composing.GlyphPool, size=50))
    monkeypatch.setattr(composing, "PaperPool", functools.partial(composing.PaperPool, size=5))
    return composed_training


@pytest.fixture
def interrupt_at(quick, monkeypatch):
    """A function that lets a training be interrupted, as by Ctrl-C, in this epoch that it begins from now on, from 1."""
    train_on_batches = quick.train_on_batches

    def at(epoch):
        epochs = itertools.count(1)

        def interrupted(*arguments):
            if next(epochs) == epoch:
                raise KeyboardInterrupt
            return train_on_batches(*arguments)

        monkeypatch.setattr(quick, "train_on_batches", interrupted)

    return at


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "shown"), [("--eye", "digits of composed windows"), ("--line-reader", "composed rows")], ids=["eye", "line reader"]
)
def test_each_part_ends_with_a_whole_set_whose_card_tells_of_all_parts(
    flag, shown, small_data, call_script, tmp_path, interrupt_at
):
    path = tmp_path / "m.h5"
    command = ("train_model.py", flag, "--epochs", 2, "--data", small_data, "--model", path)

    def train(*flags, code=0):
        result = call_script(*command, *flags)
        assert result.returncode == code, result.stderr
        return result.stdout, load_card(path.with_suffix(".json"))

    stdout, first = train()
    assert "from scratch" in stdout and stdout.count("epoch ") == 2 and "network before" not in stdout
    assert "\nsettings, from digits/training/composed_training.py\n" in stdout
    assert (first.steps, len(first.history), first.trained_from, first.earlier_parts) == (4, 2, None, None)
    assert first.settings["EPOCHS"] == 2 and "composition.CODE_CHECKSUM" in first.recipe

    interrupt_at(2)
    train("--resume", code=130)
    stdout, second = train("--resume")
    assert "from the checkpoint" in stdout and stdout.count("epoch ") == 1 and f"{shown}, network before:" in stdout
    assert (second.steps, len(second.history), second.trained_from) == (8, 4, first.sha256[path.name])
    assert second.history[:2] == first.history
    assert second.seconds == pytest.approx(sum(record.seconds for record in second.history), abs=0.2)
    assert [(part.steps, part.settings) for part in second.earlier_parts] == [(4, first.settings)]
    assert store.is_complete(tmp_path, path.stem) and store.is_complete(tmp_path / "previous", path.stem)
    assert not store.checkpoint_folder(path).exists()

    interrupt_at(2)
    train(code=130)  # from scratch
    stdout, third = train("--resume")  # so what is in place does not count
    assert (third.steps, len(third.history), third.trained_from, third.earlier_parts) == (4, 2, None, None)


@pytest.mark.slow
def test_a_part_whose_network_in_place_was_exchanged_is_not_resumed(small_data, call_script, tmp_path, interrupt_at):
    path = tmp_path / "number_reader.h5"
    for suffix in (".h5", ".tflite", ".json"):
        path.with_suffix(suffix).write_bytes(DEFAULT_NUMBER_READER.with_suffix(suffix).read_bytes())
    interrupt_at(1)
    command = ("train_model.py", "--eye", "--resume", "--epochs", 2, "--data", small_data, "--model", path)
    assert call_script(*command).returncode == 130
    card = json.loads(path.with_suffix(".json").read_text())
    path.write_bytes(path.read_bytes() + b"\0")
    card["sha256"][path.name] = store.checksum(path)
    path.with_suffix(".json").write_text(json.dumps(card))
    result = call_script(*command)
    assert result.returncode == 2
    assert "trained_from" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", [NUMBER_READER, LINE_READER], ids=lambda kind: kind.name)
def test_an_interrupted_part_goes_on_to_the_same_weights_with_batches_from_another_process(
    kind, small_data, tmp_path, monkeypatch
):
    from digits.data import dataset
    from digits.training import composed_training, composing
    from digits.training.checkpoint import Checkpoint
    from digits.training.composed_networks import BY_KIND

    monkeypatch.setattr(composed_training, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(composed_training, "VALIDATION_BATCHES", 1)
    training = BY_KIND[kind]
    data = dataset.load(small_data)
    settings = composed_training.PartSettings(epochs=2, seed=0, batch_size=training.batch_size)

    def train(folder, resume, on_epoch_end=lambda *_: None):
        model = training.build(0)
        part = composed_training.Part(
            training=training,
            settings=settings,
            data_name=data.name,
            digits=composing.split(data),
            checkpoint=Checkpoint(folder, settings.to_json()),
        )
        composed_training.fit(part, model, resume, on_epoch_end)
        return model.get_weights()

    def interrupt(*_):
        raise KeyboardInterrupt

    whole = train(tmp_path / "whole", resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", resume=False, on_epoch_end=interrupt)
    assert all(np.array_equal(a, b) for a, b in zip(whole, train(tmp_path / "halves", resume=True), strict=True))
