"""The settings of a training: their ranges, their form in a card, and where they come from."""

import dataclasses
import json

import pytest
from conftest import SHIPPED_MODEL

import train_model
from digits.common.errors import UserError
from digits.training.settings import TrainingSettings

CARD = json.loads(SHIPPED_MODEL.with_suffix(".json").read_text())


@pytest.mark.parametrize(
    ("name", "value"),
    [("EPOCHS", 0), ("BATCH_SIZE", 0), ("VALIDATION_SPLIT", 1.5), ("VALIDATION_SPLIT", "0.1"), ("LEARNING_RATE", True),
     ("DROPOUT_RATE", None), ("CONV1_FILTERS", 0), ("DROPOUT_RATE", 1), ("AUGMENT", "no"), ("SEED", -1), ("SEED", 2**32)],
)  # fmt: skip
def test_a_setting_out_of_its_range_is_refused_by_its_name(name, value, monkeypatch):
    monkeypatch.setattr(train_model, name, value)
    with pytest.raises(UserError, match=f"{name} is {value!r}.*\n.*at the top of train_model.py"):
        train_model.settings_from(train_model.parse([]))


def test_an_unknown_preset_is_refused(monkeypatch):
    monkeypatch.setattr(train_model, "PRESET", "huge")
    with pytest.raises(UserError, match="PRESET is 'huge'"):
        train_model.settings_from(train_model.parse([]))


@pytest.mark.parametrize("preset", train_model.PRESETS)
def test_a_flag_wins_over_the_preset_and_the_preset_over_the_constants(preset):
    settings = train_model.settings_from(train_model.parse(["--preset", preset, "--seed", "7"]))
    expected = {field.name.upper(): getattr(train_model, field.name.upper()) for field in dataclasses.fields(settings)}
    assert settings.to_json() == expected | {"PRESET": preset, "SEED": 7} | train_model.PRESETS[preset]
    by_flag = train_model.settings_from(train_model.parse(["--preset", preset, "--epochs", "3", "--batch-size", "4"]))
    assert (by_flag.epochs, by_flag.batch_size) == (3, 4)


def test_the_shipped_card_holds_the_settings_that_its_command_gives():
    settings = TrainingSettings.from_json(CARD["settings"])
    assert settings.to_json() == CARD["settings"] and list(settings.to_json()) == list(CARD["settings"])
    assert settings == train_model.settings_from(train_model.parse(["--preset", "best", "--seed", str(CARD["seed"])]))


@pytest.mark.parametrize("content", [None, [1], {}, CARD["settings"] | {"EPOCHS": None}, CARD["settings"] | {"EPOCHS": "many"}])
def test_settings_in_json_that_are_missing_or_wrong_are_refused(content):
    with pytest.raises(UserError):
        TrainingSettings.from_json(content)
