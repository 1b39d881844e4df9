"""A model's three files belong together at every moment, whenever a program is killed."""

import errno
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import PROJECT
from model_sets import FILES, NAME, half_install, install, stage, version_in, version_of

from digits.common.errors import UserError
from digits.model import store
from digits.model.card import ModelCard
from digits.model.lookup import find_model


@pytest.fixture
def model(tmp_path):
    """The path of a model in whose folder nothing lies yet."""
    return tmp_path / "models" / f"{NAME}.h5"


# ---- staging and installing --------------------------------------------------------------------------------------


def test_install_moves_a_new_set_into_place_and_keeps_the_earlier_one(model):
    install(model, "old")
    assert version_in(model.parent) == "old"
    assert sorted(path.name for path in model.parent.iterdir()) == sorted(FILES)
    install(model, "new")
    assert version_in(model.parent) == "new"
    assert version_in(store.previous_folder(model)) == "old"
    assert sorted(path.name for path in model.parent.iterdir()) == sorted([*FILES, "previous"])
    assert sorted(path.name for path in store.previous_folder(model).iterdir()) == sorted(FILES)


@pytest.mark.parametrize(("expected", "is_same"), [(str.upper, True), (lambda text: 5, False), (lambda text: None, False)])
def test_a_checksum_may_be_in_capitals_and_a_damaged_one_is_none(expected, is_same, tmp_path):
    (tmp_path / "x").write_bytes(b"network")
    assert store.has_checksum(tmp_path / "x", expected(store.checksum(tmp_path / "x"))) is is_same


def test_install_leaves_what_another_model_is_copying_alone(model):
    install(model, "old")
    other = store.previous_folder(model) / ".new-of-another-model"
    other.parent.mkdir()
    other.touch()
    install(model, "new")
    assert other.exists() and version_in(other.parent) == "old"


def test_install_never_replaces_the_previous_set_with_half_a_set(model):
    half_install(model, moved=1)
    store.install(model)
    assert version_in(model.parent) == "new"
    assert version_in(store.previous_folder(model)) == "old"


def test_new_staging_folder_is_empty_after_an_abandoned_one(model):
    (stage(model, "new") / "leftover").touch()
    assert list(store.new_staging_folder(model).iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), UserError("no")])
def test_staged_leaves_nothing_where_the_set_can_not_be_completed(failure, model):
    install(model, "old")
    with (
        pytest.raises(UserError if isinstance(failure, OSError) else type(failure)) as raised,
        store.staged(model) as staging,
    ):
        (staging / model.name).write_text("half")
        raise failure
    if isinstance(failure, OSError):
        assert "No space left on device" in str(raised.value) and str(model.parent) in str(raised.value)
    assert not staging.exists()
    assert version_in(model.parent) == "old"


def test_staged_keeps_a_complete_set_that_can_not_be_installed_for_the_next_reader(model):
    with pytest.raises(UserError), store.staged(model) as staging:
        stage(model, "new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert version_in(staging) == "new"
    assert version_of(find_model(model)[1]) == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a process")
def test_commit_ignores_ctrl_c_and_installs_the_set(model, monkeypatch):
    stage(model, "new")
    complete = store.complete_staging

    def interrupted(*arguments):
        card = complete(*arguments)
        os.kill(os.getpid(), signal.SIGINT)
        return card

    monkeypatch.setattr(store, "complete_staging", interrupted)
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        card = store.commit(model, ModelCard(other={"version": "new"}))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert version_in(model.parent) == "new"
    assert set(card.sha256) == set(FILES[:2])


# ---- after a kill --------------------------------------------------------------------------------------------------

# Calls that change files, as Python reports them to its audit hooks.
CHANGES = {"os.mkdir", "shutil.copyfile", "os.rename", "shutil.rmtree", "os.remove", "os.rmdir"}

# Runs install() and dies before the given one of those calls, as after kill -9: nothing is cleaned up.
INSTALL_AND_DIE = """
import os, sys
from digits.model import store
left = int(sys.argv[2])

def count(event, arguments):
    global left
    if event in CHANGES:
        if left == 0:
            os._exit(9)
        left -= 1

sys.addaudithook(count)
store.install(sys.argv[1])
""".replace("CHANGES", repr(CHANGES))


def prepare_install(model, earlier):
    """Leave an earlier set in place, or none, and a new one in the staging folder."""
    shutil.rmtree(model.parent, ignore_errors=True)
    if earlier:
        install(model, earlier)
    stage(model, "new")


def check_recovery(model, asked_for, earlier, caplog):
    """A reader recovers the new set and keeps the earlier one, and the next install leaves no file of either behind."""
    card_moved = not (store.staging_folder(model) / f"{NAME}.json").exists()
    caplog.clear()
    path, card = find_model(model.with_suffix(asked_for))
    assert path == model.with_suffix(asked_for)
    assert version_of(card) == version_in(model.parent) == "new"
    assert version_in(store.previous_folder(model)) == earlier
    assert ("finished that" in caplog.text) == (not card_moved)
    install(model, "newer")
    for folder in (model.parent, store.previous_folder(model)):
        left_behind = {path.name for path in folder.iterdir()} - {*FILES, "previous", f"{NAME}.lock"}
        assert not left_behind


@pytest.mark.slow
@pytest.mark.parametrize("asked_for", [".tflite", ".h5"])
@pytest.mark.parametrize("earlier", ["old", None])
def test_a_kill_at_any_point_of_an_install_leaves_a_complete_set(earlier, asked_for, model, caplog):
    kills = 0
    while True:
        prepare_install(model, earlier)
        process = subprocess.run([sys.executable, "-c", INSTALL_AND_DIE, model, str(kills)], cwd=PROJECT)
        if process.returncode == 0:
            break
        assert process.returncode == 9
        check_recovery(model, asked_for, earlier, caplog)
        kills += 1
    assert kills >= (9 if earlier else 3), "three moves, and before them three copies with a move each: points to die at"


class Killed(BaseException):
    """Stands for a kill within this process: nothing catches it."""


@pytest.mark.parametrize("earlier", ["old", None])
def test_an_exception_at_any_rename_of_an_install_leaves_a_complete_set(earlier, model, caplog, monkeypatch):
    rename, renames = os.replace, 3 + (3 if earlier else 0)
    for failing in range(renames):
        prepare_install(model, earlier)
        done = []

        def replace(source, target, done=done, failing=failing):
            if len(done) == failing:
                raise Killed
            done.append(rename(source, target))

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(os, "replace", replace)
            store.install(model)
        check_recovery(model, ".tflite", earlier, caplog)


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_recover_and_load_card_finishes_an_interrupted_install(moved, model):
    half_install(model, moved)
    assert version_of(store.recover_and_load_card(model)) == "new"
    assert version_in(model.parent) == "new"


def test_recover_and_load_card_returns_none_without_a_complete_set(model):
    assert store.recover_and_load_card(model) is None
    install(model, "old")
    model.write_text("changed")
    assert store.recover_and_load_card(model) is None


# ---- one training at a time ----------------------------------------------------------------------------------------

HOLD = """
import sys, time
from digits.model import store
with store.lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(model):
    """Another process that holds the lock on the model."""
    with subprocess.Popen([sys.executable, "-c", HOLD, model], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_training_is_refused_until_the_first_is_killed(model, holder):
    with pytest.raises(UserError, match=f"Another training is writing {model}") as refused, store.lock(model):
        pass
    assert "--model OTHER_NAME.h5" in str(refused.value)
    with store.lock(model.with_name("other.h5")):
        pass
    holder.kill()
    holder.wait()
    with store.lock(model):
        pass


def test_lock_is_released_when_its_block_fails(model):
    with pytest.raises(KeyError), store.lock(model):
        raise KeyError
    with store.lock(model):
        pass


def test_recover_leaves_the_set_of_a_running_training_alone(model, holder):
    half_install(model, moved=0)
    _, card = find_model(model)
    assert version_of(card) == version_in(model.parent) == "old"
    assert version_in(store.staging_folder(model)) == "new"


def test_lock_in_a_folder_that_can_not_be_written_is_a_user_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written to"), store.lock(tmp_path / "file" / "model.h5"):
        pass
