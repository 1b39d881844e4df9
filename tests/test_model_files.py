"""A model's three files belong together at every moment, whenever a program is killed."""

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import PROJECT
from digits import model_files
from digits.config import UserError

NAME = "digits_model"
FILES = [NAME + suffix for suffix in (".h5", ".tflite", ".json")]


@pytest.fixture
def model(tmp_path):
    """The path of a model in whose folder nothing lies yet."""
    return tmp_path / "models" / f"{NAME}.h5"


def stage(model, version):
    """Put a whole set of this version ("old", "new") into the staging folder. What is inside does not matter here."""
    staging = model_files.new_staging(model)
    for suffix in model_files.NETWORK_SUFFIXES:
        (staging / (NAME + suffix)).write_text(f"{version} network as {suffix}")
    model_files.complete_staging(staging, NAME, {"version": version})
    return staging


def version_in(folder):
    """Return the version of the whole set in the folder, checked file by file against its card; None for no set."""
    if not any((folder / name).exists() for name in FILES):
        return None
    card = json.loads((folder / f"{NAME}.json").read_text())
    for suffix in model_files.NETWORK_SUFFIXES:
        content = (folder / (NAME + suffix)).read_bytes()
        assert content.decode() == f"{card['version']} network as {suffix}", f"{NAME + suffix} is of another set"
        assert card["sha256"][NAME + suffix] == hashlib.sha256(content).hexdigest()
    return card["version"]


def half_moved(model, moved):
    """Leave an old set in place, its copy in previous/, and a new one of which this many files have been moved."""
    stage(model, "old")
    model_files.install(model)
    shutil.copytree(model.parent, model_files.previous_folder(model), ignore=shutil.ignore_patterns(".*"))
    staging = stage(model, "new")
    for name in FILES[:moved]:
        os.replace(staging / name, model.parent / name)
    return staging


# ---- moving into place ----------------------------------------------------------------------------------------


def test_a_new_set_moves_into_place_and_the_earlier_one_is_kept(model):
    stage(model, "old")
    model_files.install(model)
    assert version_in(model.parent) == "old"
    assert sorted(path.name for path in model.parent.iterdir()) == sorted(FILES)
    stage(model, "new")
    model_files.install(model)
    assert version_in(model.parent) == "new"
    assert version_in(model_files.previous_folder(model)) == "old"
    assert sorted(path.name for path in model.parent.iterdir()) == sorted([*FILES, "previous"])
    assert sorted(path.name for path in model_files.previous_folder(model).iterdir()) == sorted(FILES)


def test_half_a_set_never_replaces_the_one_in_previous(model):
    half_moved(model, 1)
    model_files.install(model)
    assert version_in(model.parent) == "new"
    assert version_in(model_files.previous_folder(model)) == "old"


def test_nothing_of_an_abandoned_staging_reaches_the_next_one(model):
    (stage(model, "new") / "leftover").touch()
    assert list(model_files.new_staging(model).iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), UserError("no")])
def test_a_set_that_can_not_be_put_together_leaves_nothing(failure, model):
    stage(model, "old")
    model_files.install(model)
    with (
        pytest.raises(UserError if isinstance(failure, OSError) else type(failure)) as raised,
        model_files.staged(model) as staging,
    ):
        (staging / model.name).write_text("half")
        raise failure
    if isinstance(failure, OSError):
        assert "No space left on device" in str(raised.value) and str(model.parent) in str(raised.value)
    assert not staging.exists()
    assert version_in(model.parent) == "old"


def test_a_whole_set_that_can_not_be_moved_waits(model):
    with pytest.raises(UserError), model_files.staged(model) as staging:
        stage(model, "new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert version_in(staging) == "new"
    assert model_files.resolve(model)[1]["version"] == "new"


# Runs install() and dies, as after kill -9, before the given one of the calls that change files: no cleaning up.
INSTALL_AND_DIE = """
import os, sys
from digits import model_files
left = int(sys.argv[2])

def count(event, arguments):
    global left
    if event in ("os.mkdir", "shutil.copyfile", "os.rename", "shutil.rmtree", "os.remove", "os.rmdir"):
        if left == 0:
            os._exit(9)
        left -= 1

sys.addaudithook(count)
model_files.install(sys.argv[1])
"""


@pytest.mark.parametrize("asked_for", [".tflite", ".h5"])
@pytest.mark.parametrize("earlier", ["old", None])
def test_a_kill_at_any_point_of_the_move_leaves_a_set_that_is_whole(earlier, asked_for, model, caplog):
    died = 0
    while True:
        shutil.rmtree(model.parent, ignore_errors=True)
        if earlier:
            stage(model, earlier)
            model_files.install(model)
        stage(model, "new")
        process = subprocess.run([sys.executable, "-c", INSTALL_AND_DIE, model, str(died)], cwd=PROJECT)
        if process.returncode == 0:
            break
        assert process.returncode == 9
        card_moved = not (model_files.staging_folder(model) / f"{NAME}.json").exists()
        caplog.clear()
        path, card = model_files.resolve(model.with_suffix(asked_for))
        assert path == model.with_suffix(asked_for)
        assert card["version"] == version_in(model.parent) == "new", f"killed before call {died}"
        assert version_in(model_files.previous_folder(model)) == earlier, f"killed before call {died}"
        stage(model, "newer")
        model_files.install(model)
        for folder in (model.parent, model_files.previous_folder(model)):
            lying_about = {path.name for path in folder.iterdir()} - {*FILES, "previous", f"{NAME}.lock"}
            assert not lying_about, f"killed before call {died}, and left behind by the next run"
        assert ("finished that" in caplog.text) == (not card_moved)
        died += 1
    assert died >= (9 if earlier else 3), "three moves, and before them three copies with a move each: points to die at"


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_a_training_that_begins_finishes_the_move_first(moved, model):
    half_moved(model, moved)
    assert model_files.card_in_place(model)["version"] == "new"
    assert version_in(model.parent) == "new"


def test_a_training_that_begins_finds_no_card_where_no_whole_set_is(model):
    assert model_files.card_in_place(model) is None
    half_moved(model, 0)
    model_files.install(model)
    model.write_text("changed")
    assert model_files.card_in_place(model) is None


# ---- what a reader gets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [[], FILES[:1], FILES[:2]])
def test_a_new_set_without_its_card_is_ignored(files, model):
    staging = half_moved(model, 0)
    for name in set(FILES) - set(files):
        (staging / name).unlink()
    path, card = model_files.resolve(model)
    assert path == model
    assert card["version"] == version_in(model.parent) == "old"


@pytest.mark.parametrize("moved", [1, 2])
def test_a_half_moved_set_that_is_damaged_gives_way_to_the_earlier_one(moved, model, caplog):
    staging = half_moved(model, moved)
    (staging / FILES[moved]).write_text("damaged")
    path, card = model_files.resolve(model)
    assert path == model_files.previous_folder(model) / model.name
    assert card["version"] == "old"
    assert path.read_text() == "old network as .h5"
    assert "using the earlier one" in caplog.text


def test_without_a_whole_earlier_set_half_a_set_is_refused(model):
    staging = half_moved(model, 1)
    (staging / FILES[1]).write_text("damaged")
    (model_files.previous_folder(model) / FILES[1]).write_text("damaged too")
    with pytest.raises(UserError, match="does not match its card"):
        model_files.resolve(model)


def test_a_move_that_can_not_be_finished_gives_way_to_the_earlier_set(model, caplog):
    # As in a folder that is read-only, but so that root can't finish it either: a folder stands where the file must go.
    half_moved(model, 1)
    model.with_suffix(".tflite").unlink()
    model.with_suffix(".tflite").mkdir()
    path, card = model_files.resolve(model)
    assert path == model_files.previous_folder(model) / model.name
    assert card["version"] == "old"
    assert "can't finish that" in caplog.text


@pytest.mark.parametrize("suffix", model_files.NETWORK_SUFFIXES)
def test_a_changed_model_is_refused_with_its_card_and_the_remedy(suffix, model):
    stage(model, "old")
    model_files.install(model)
    shutil.copytree(model.parent, model_files.previous_folder(model))  # an earlier set is no answer to a changed file
    model.with_suffix(suffix).write_text("changed")
    with pytest.raises(UserError) as refused:
        model_files.resolve(model.with_suffix(suffix))
    text = str(refused.value)
    assert str(model.with_suffix(suffix)) in text
    assert f"does not match its card {NAME}.json" in text
    assert "python train_model.py" in text
    model_files.card_path(model).unlink()  # the remedy that the text names last
    assert model_files.resolve(model.with_suffix(suffix)) == (model.with_suffix(suffix), None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": {}}', '{"sha256": null}', "\xff"])
def test_an_unreadable_card_is_refused(content, model):
    stage(model, "old")
    model_files.install(model)
    model_files.card_path(model).write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="does not match its card"):
        model_files.resolve(model)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": ' + "9" * 10_000 + "}",
        '{"a": "' + "x" * model_files.LARGEST_CARD + '"}',
    ],
    ids=["deep", "a number of 10,000 digits", "large"],
)
def test_a_card_that_is_none_is_refused_before_it_takes_memory(content, model):
    stage(model, "old")
    model_files.install(model)
    card = json.loads(model_files.card_path(model).read_text())
    model_files.card_path(model).write_text(json.dumps(card)[:-1] + ", " + content[1:])
    with pytest.raises(UserError, match="does not match its card"):
        model_files.resolve(model)


@pytest.mark.parametrize(
    "changed",
    [{"test": {"n": 1, "correct": 1, "accuracy": float("nan")}}, {"test": {"n": 10**400, "correct": 1, "accuracy": 0.5}},
     {"test": []}, {"test": {"n": "1", "correct": 1, "accuracy": 1}}, {"parameters": 10**4000}, {"parameters": "many"}],
)  # fmt: skip
def test_a_card_with_what_train_model_never_writes_is_refused(changed, model):
    stage(model, "old")
    model_files.install(model)
    card = json.loads(model_files.card_path(model).read_text())
    model_files.card_path(model).write_text(json.dumps(card | changed))
    with pytest.raises(UserError, match="was changed.\nExpected it as train_model.py wrote it"):
        model_files.resolve(model)


def test_a_missing_model_is_refused_with_the_command_that_makes_one(model):
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py"):
        model_files.resolve(model)
    stage(model, "old")
    model_files.install(model)
    model.unlink()  # its card and its twin remain
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py"):
        model_files.resolve(model)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(UserError, match="It is a folder"):
        model_files.resolve(tmp_path)


@pytest.mark.parametrize("suffix", [".h5", ".tflite", ".keras"])
def test_a_lone_file_is_the_users_own_and_has_no_card(suffix, tmp_path, caplog):
    path = tmp_path / f"own{suffix}"
    path.write_text("a network")
    assert model_files.resolve(path) == (path, None)
    assert caplog.text == ""


def test_a_keras_file_is_read_with_the_card_beside_it(model):
    # The card has the temperature and the threshold; it names only the other two files, so there is nothing to compare.
    stage(model, "old")
    model_files.install(model)
    model.with_suffix(".keras").write_text("the same network")
    path, card = model_files.resolve(model.with_suffix(".keras"))
    assert path.suffix == ".keras"
    assert card["version"] == "old"


def test_a_whole_set_is_used_in_silence_and_left_as_it_is(model, caplog):
    caplog.set_level(logging.DEBUG)
    stage(model, "old")
    model_files.install(model)
    before = {path: path.stat().st_mtime_ns for path in model.parent.iterdir()}
    assert model_files.resolve(model)[1]["version"] == "old"
    assert {path: path.stat().st_mtime_ns for path in model.parent.iterdir()} == before
    assert caplog.text == ""


# ---- one training at a time -----------------------------------------------------------------------------------

HOLD = """
import sys, time
from digits import model_files
held = model_files.lock(sys.argv[1])
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_training_is_refused_until_the_first_is_killed(model):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, model], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"Another training is writing {model}") as refused:
            model_files.lock(model)
        assert "--model OTHER_NAME.h5" in str(refused.value)
        model_files.lock(model.with_name("other.h5")).release()
    finally:
        holder.kill()
        holder.communicate()
    model_files.lock(model).release()


def test_a_reader_leaves_the_move_of_a_living_training_alone(model):
    half_moved(model, 0)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, model], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        path, card = model_files.resolve(model)
        assert card["version"] == version_in(model.parent) == "old"
        assert version_in(model_files.staging_folder(model)) == "new"
    finally:
        holder.kill()
        holder.communicate()


def test_a_lock_where_nothing_can_be_written_is_the_users_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written to"):
        model_files.lock(tmp_path / "file" / "model.h5")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a process")
def test_ctrl_c_is_too_late_once_the_set_is_being_put_in_place(model, monkeypatch):
    staging = stage(model, "new")
    complete = model_files.complete_staging

    def interrupted(*arguments):
        complete(*arguments)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(model_files, "complete_staging", interrupted)
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        model_files.put_in_place(staging, model, {"version": "new"})
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert version_in(model.parent) == "new"


@pytest.mark.parametrize(("float_now", "warned"), [("new", True), ("old", False), (None, False)])
def test_an_8_bit_model_of_an_earlier_model_is_named(model, caplog, float_now, warned):
    stage(model, "old")
    model_files.install(model)
    of_old = json.loads(model.with_suffix(".json").read_text())["sha256"][model.name]
    small = model.with_name(f"{NAME}_int8.tflite")
    staging = model_files.new_staging(small)
    (staging / small.name).write_text("8 bits of the old network")
    model_files.put_in_place(staging, small, {"quantized_from": of_old})
    if float_now == "new":
        stage(model, "new")
        model_files.install(model)
    elif float_now is None:
        for name in FILES:
            (model.parent / name).unlink()

    model_files.resolve(small)
    assert ("--quantize" in caplog.text) == warned
