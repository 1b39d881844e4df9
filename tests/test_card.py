"""The model card: what is written is read back as it was, and what was changed by hand is refused."""

import dataclasses
import json

import pytest
from conftest import SHIPPED_MODEL

from digits.common.errors import UserError
from digits.common.score import Score
from digits.model.card import EpochRecord, ModelCard, TrainingPart, load_card, load_checksums

PATH = SHIPPED_MODEL.with_suffix(".json")
SHIPPED = json.loads(PATH.read_text())


def test_the_shipped_card_is_written_as_it_was_read():
    assert json.dumps(load_card(PATH).to_json(), indent=2) + "\n" == PATH.read_text(encoding="ascii")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"temperature": 1.2, "threshold": 2.5},
        {"temperature": 1.2, "temperature_applied": True},
        {"threshold": float("-inf")},
        {"temperature": 1, "by": "somebody", "marks": {"nested": [1]}, "sha256": {"m.tflite": "00"}},
        {"parameters": 7, "quantized_from": "00", "validation": {"n": 2, "correct": 1, "accuracy": 0.5}},
        {"test": {"n": 2, "correct": 1, "accuracy": 0.5, "loss": 0.1}, "fine_tuned_from": "00", "fine_tuning": {"data": "own"}},
    ],
    ids=[
        "empty",
        "temperature and threshold",
        "temperature applied",
        "minus infinity",
        "unknown entries",
        "quantized",
        "fine-tuned",
    ],
)
def test_a_card_with_few_or_unknown_entries_is_written_as_it_was_read(content):
    written = ModelCard.from_json(content, PATH).to_json()
    assert written == content
    assert list(written) == list(content)


def test_the_parts_of_the_shipped_card_have_types():
    card = load_card(PATH)
    assert isinstance(card.test, Score) and isinstance(card.validation, Score)
    assert card.test.interval95 == tuple(SHIPPED["test"]["interval95"])
    assert card.history[0] == EpochRecord(**SHIPPED["history"][0])
    assert card.other == {}


def test_a_null_recipe_as_fine_tuning_once_wrote_it_is_read():
    assert ModelCard.from_json({"recipe": None}, PATH).recipe is None


NUMBERS = {"n": 1, "correct": 1, "accuracy": 1.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", value) for value in (float("nan"), 0, 1e-300, 10**400, "warm", [1], None)]
    + [("temperature_applied", value) for value in ("true", 1, None)]
    + [("threshold", value) for value in (float("nan"), 10**400, "high", {}, None)]
    + [("test", NUMBERS | {"accuracy": float("nan")}), ("test", NUMBERS | {"interval95": [0]})]
    + [("test", NUMBERS | changed) for changed in ({"n": 10**400}, {"n": "1"}, {"correct": -1}, {"loss": []})]
    + [("test", NUMBERS | {"correct": 2}), ("test", NUMBERS | {"unsure": 2})]
    + [("test", value) for value in ([], {}, {"n": 1, "correct": 1})]
    + [("parameters", value) for value in (10**4000, -1, "many", 1.5)]
    + [("history", value) for value in ("long", [{"seconds": 1}])]
    + [("history", [SHIPPED["history"][0] | {"seconds": seconds}]) for seconds in ("x", -1)]
    + [("settings", [1]), ("settings", None), ("sha256", "00"), ("data", 1)],
)  # fmt: skip
def test_an_entry_that_train_model_never_writes_is_refused(name, value):
    with pytest.raises(
        UserError, match=f"was changed: its {name} can't be used.\nExpected it as train_model.py wrote it"
    ) as refused:
        ModelCard.from_json(SHIPPED | {name: value}, PATH)
    assert str(PATH) in str(refused.value) and "remove the card" in str(refused.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\xff", "[" * 100_000])
def test_a_file_that_is_no_card_is_refused(content, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="m.json was changed: its content can't be used"):
        load_card(path)
    assert load_checksums(path) is None


def test_the_checksums_are_read_from_a_card_whose_other_entries_were_changed(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps({"temperature": "warm", "sha256": {"m.tflite": "00"}}))
    assert load_checksums(tmp_path / "m.json") == {"m.tflite": "00"}
    assert load_checksums(tmp_path / "absent.json") is None


# ---- a training in several parts ------------------------------------------------------------------------------------


def part_card(steps, seconds, **entries):
    return ModelCard(steps=steps, seconds=seconds, settings={"EPOCHS": 1}, **entries)


def test_a_card_counts_the_parts_before_and_names_what_the_last_one_started_from():
    first = part_card(100, 10.5, made_by="by hand", sha256={"m.h5": "aa"})
    second = dataclasses.replace(part_card(30, 2.0, recipe={"a": 1}).after(first, "m.h5"), sha256={"m.h5": "bb"})
    third = part_card(7, 1.0).after(second, "m.h5")
    assert (second.steps, second.seconds, second.trained_from) == (130, 12.5, "aa")
    assert (third.steps, third.seconds, third.trained_from) == (137, 13.5, "bb")
    assert third.earlier_parts == (
        TrainingPart(steps=100, seconds=10.5, settings={"EPOCHS": 1}, made_by="by hand"),
        TrainingPart(steps=30, seconds=2.0, settings={"EPOCHS": 1}, recipe={"a": 1}),
    )
    assert ModelCard.from_json(json.loads(json.dumps(third.to_json())), PATH) == third


@pytest.mark.parametrize(
    "part",
    [{}, 1, {"steps": 1}, {"steps": -1, "seconds": 1}, {"steps": 1.5, "seconds": 1}, {"steps": 1, "seconds": float("nan")},
     {"steps": 1, "seconds": 1, "recipe": [1]}, {"steps": 1, "seconds": 1, "made_by": 1}, {"steps": 1, "seconds": 1, "x": 1}],
)  # fmt: skip
def test_a_part_that_train_model_never_writes_is_refused(part):
    with pytest.raises(UserError, match="its earlier_parts can't be used"):
        ModelCard.from_json({"earlier_parts": [part]}, PATH)
