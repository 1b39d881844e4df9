"""Which file a model's path stands for: what is read, what is recovered and what is refused."""

import json
import logging
import shutil

import pytest
from model_sets import FILES, NAME, half_install, install, version_in, version_of

from digits.common.errors import UserError
from digits.model import lookup, store
from digits.model.card import MAX_CARD_BYTES, ModelCard
from digits.model.lookup import DIGIT_NETWORK, NUMBER_READER, find_model


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The path of a model in whose folder nothing lies yet. No test here needs the wait for another training."""
    monkeypatch.setattr(lookup, "INSTALL_SECONDS", 0)
    return tmp_path / "models" / f"{NAME}.h5"


def change_card(model, **entries):
    card = json.loads(store.card_path(model).read_text())
    store.card_path(model).write_text(json.dumps(card | entries))


# ---- what is read --------------------------------------------------------------------------------------------------


def test_a_complete_set_is_used_without_a_message_and_left_as_it_is(model, caplog):
    caplog.set_level(logging.DEBUG)
    install(model, "old")
    before = {path: path.stat().st_mtime_ns for path in model.parent.iterdir()}
    assert version_of(find_model(model)[1]) == "old"
    assert {path: path.stat().st_mtime_ns for path in model.parent.iterdir()} == before
    assert caplog.text == ""


@pytest.mark.parametrize("suffix", [".h5", ".tflite", ".keras"])
def test_a_lone_file_is_the_users_own_and_has_no_card(suffix, tmp_path, caplog):
    path = tmp_path / f"own{suffix}"
    path.write_text("a network")
    assert find_model(path) == (path, None)
    assert caplog.text == ""


def test_a_keras_file_is_read_with_the_card_beside_it(model):
    # The card has the temperature and the threshold; it names only the other two files, so there is nothing to compare.
    install(model, "old")
    model.with_suffix(".keras").write_text("the same network")
    path, card = find_model(model.with_suffix(".keras"))
    assert path.suffix == ".keras"
    assert version_of(card) == "old"


@pytest.mark.parametrize(("float_now", "warned"), [("new", True), ("old", False), (None, False)])
def test_an_8_bit_model_of_an_earlier_float_model_is_read_with_a_warning(model, caplog, float_now, warned):
    install(model, "old")
    checksum_of_old = json.loads(model.with_suffix(".json").read_text())["sha256"][model.name]
    small = model.with_name(f"{NAME}_int8.tflite")
    (store.new_staging_folder(small) / small.name).write_text("8 bits of the old network")
    store.commit(small, ModelCard(quantized_from=checksum_of_old))
    if float_now == "new":
        install(model, "new")
    elif float_now is None:
        for name in FILES:
            (model.parent / name).unlink()

    find_model(small)
    assert ("--quantize" in caplog.text) == warned


# ---- after a kill --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [[], FILES[:1], FILES[:2]])
def test_a_staged_set_without_its_card_is_ignored(files, model):
    staging = half_install(model, moved=0)
    for name in set(FILES) - set(files):
        (staging / name).unlink()
    path, card = find_model(model)
    assert path == model
    assert version_of(card) == version_in(model.parent) == "old"


@pytest.mark.parametrize("moved", [1, 2])
def test_a_half_installed_set_that_is_damaged_gives_way_to_the_previous_one(moved, model, caplog):
    staging = half_install(model, moved)
    (staging / FILES[moved]).write_text("damaged")
    path, card = find_model(model)
    assert path == store.previous_folder(model) / model.name
    assert version_of(card) == "old"
    assert path.read_text() == "old network as .h5"
    assert "using the earlier one" in caplog.text


def test_a_half_installed_set_without_a_previous_one_is_refused(model):
    staging = half_install(model, moved=1)
    (staging / FILES[1]).write_text("damaged")
    (store.previous_folder(model) / FILES[1]).write_text("damaged too")
    with pytest.raises(UserError, match="does not match its card"):
        find_model(model)


def test_an_install_that_can_not_be_finished_gives_way_to_the_previous_set(model, caplog):
    # As in a folder that is read-only, but so that root can't finish it either: a folder stands where the file must go.
    half_install(model, moved=1)
    model.with_suffix(".tflite").unlink()
    model.with_suffix(".tflite").mkdir()
    path, card = find_model(model)
    assert path == store.previous_folder(model) / model.name
    assert version_of(card) == "old"
    assert "can't finish that" in caplog.text


def test_a_set_that_is_being_installed_at_this_moment_is_waited_for(model, monkeypatch):
    install(model, "old")
    model.write_text("another")
    monkeypatch.setattr(lookup.time, "sleep", lambda seconds: install(model, "new"))
    assert version_of(find_model(model)[1]) == "new"


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", store.NETWORK_SUFFIXES)
def test_a_changed_model_is_refused_with_its_card_and_the_remedy(suffix, model):
    install(model, "old")
    shutil.copytree(model.parent, store.previous_folder(model))  # an earlier set is no answer to a changed file
    model.with_suffix(suffix).write_text("changed")
    with pytest.raises(UserError) as refused:
        find_model(model.with_suffix(suffix))
    text = str(refused.value)
    assert str(model.with_suffix(suffix)) in text
    assert f"does not match its card {NAME}.json" in text
    assert "python train_model.py" in text
    store.card_path(model).unlink()  # the remedy that the text names last
    assert find_model(model.with_suffix(suffix)) == (model.with_suffix(suffix), None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": {}}', '{"sha256": null}', "\xff"])
def test_an_unreadable_card_is_refused(content, model):
    install(model, "old")
    store.card_path(model).write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="does not match its card"):
        find_model(model)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": ' + "9" * 10_000 + "}",
        '{"a": "' + "x" * MAX_CARD_BYTES + '"}',
    ],
    ids=["deep", "a number of 10,000 digits", "large"],
)
def test_a_card_that_would_take_too_much_memory_is_refused(content, model):
    install(model, "old")
    card = store.card_path(model).read_text()
    store.card_path(model).write_text(card.rstrip()[:-1] + ", " + content[1:])
    with pytest.raises(UserError, match="does not match its card"):
        find_model(model)


def test_a_changed_entry_of_the_card_is_refused_with_its_name(model):
    install(model, "old")
    change_card(model, temperature="warm")
    with pytest.raises(UserError, match=f"{NAME}.json was changed: its temperature can't be used.\nExpected"):
        find_model(model)


def test_a_missing_model_is_refused_with_the_command_that_makes_one(model):
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py"):
        find_model(model)
    install(model, "old")
    model.unlink()  # its card and its .tflite remain
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py"):
        find_model(model)


@pytest.mark.parametrize("path", ["", ".", "/", "a folder"])
def test_a_folder_or_an_empty_path_is_refused_as_a_model(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a folder").mkdir()
    with pytest.raises(UserError, match="No model at .+: it is a folder.\nExpected a digit network"):
        find_model(path)


def test_a_folder_or_an_empty_file_in_the_place_of_a_model_is_not_blamed_on_its_card(model):
    install(model, "old")
    model.write_text("")
    with pytest.raises(UserError, match="No model at .+: the file is empty.\nExpected a digit network"):
        find_model(model)
    model.unlink()
    model.mkdir()
    with pytest.raises(UserError, match="No model at .+: it is a folder.\nExpected .+ remove the folder"):
        find_model(model)


@pytest.mark.parametrize(
    ("entry", "wanted", "message"),
    [
        (
            {"classes": NUMBER_READER.classes},
            DIGIT_NETWORK,
            "is a number reader, not a digit network.\nExpected .+digit_recognition_model",
        ),
        ({"labels": [0, 1]}, NUMBER_READER, "is a digit network, not a number reader.\nExpected .+number_reader.tflite"),
    ],
)
def test_a_model_of_the_other_kind_is_refused_by_its_card(model, entry, wanted, message):
    install(model, "old")
    change_card(model, **entry)
    with pytest.raises(UserError, match=message):
        find_model(model, wanted)
    other = NUMBER_READER if wanted == DIGIT_NETWORK else DIGIT_NETWORK
    assert find_model(model, other)[0] == model


@pytest.mark.parametrize("classes", [["0", "1"], [*NUMBER_READER.classes[1:], NUMBER_READER.classes[0]]])
def test_a_reader_with_other_classes_is_refused_with_both(model, classes):
    install(model, "old")
    change_card(model, classes=classes)
    with pytest.raises(UserError, match=f"other classes than this version reads: {classes[0]}, .+\nExpected 0, 1, 2"):
        find_model(model, NUMBER_READER)
