"""A file is replaced whole or not at all, whatever stops the writing."""

import io
import json
import os
import stat
import subprocess
import sys

import pytest
from conftest import PROJECT

from digits.common.errors import UserError
from digits.common.files import JsonListWriter, atomic_text_stream, atomic_write, write_error, write_json


def test_a_new_file_replaces_the_earlier_one_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "figure.png"
    for content in ("first", "second"):
        with atomic_write(path) as temporary:
            temporary.write_text(content)
            assert temporary.parent == path.parent, "a move across disks is not atomic"
            assert temporary.suffix == ".png", "Matplotlib derives the format from it"
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_of_the_earlier_file_is_not_affected(tmp_path):
    write_json(tmp_path / "scores.json", ["earlier"])
    with open(tmp_path / "scores.json") as file:
        write_json(tmp_path / "scores.json", ["a", "longer", "list"])
        assert json.load(file) == ["earlier"]


# Writes a file and ends, as by kill -9, before the n-th of the calls that open, make, move or remove a file.
WRITE_AND_DIE = """
import os, sys
from digits.common.files import write_json
left = int(sys.argv[2])

def count(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.chmod", "os.rename", "os.remove", "tempfile.mkstemp"):
        if left == 0:
            os._exit(9)
        left -= 1

sys.addaudithook(count)
write_json(sys.argv[1], ["new"])
"""


@pytest.mark.slow
def test_a_kill_at_any_point_leaves_the_earlier_file_or_the_new_one(tmp_path):
    path = tmp_path / "scores.json"
    found = []
    while True:
        write_json(path, ["earlier"])
        process = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, path, str(len(found))], cwd=PROJECT)
        found.append(json.loads(path.read_text()))
        if process.returncode == 0:
            break
        assert process.returncode == 9
    assert found[0] == ["earlier"]
    assert found[-1] == ["new"]
    assert len(found) >= 5, "made, opened, given its permissions, moved: these are calls to be killed at"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_earlier_file_and_nothing_else(failure, tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("earlier")
    with pytest.raises(failure), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise failure
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("function", ["open", "close", "umask", "fsync", "replace"])
def test_a_system_call_that_fails_leaves_the_earlier_file_and_nothing_else(function, tmp_path, monkeypatch):
    path = tmp_path / "scores.json"
    write_json(path, ["earlier"])

    def fail(*arguments, **options):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, function, fail)
        with pytest.raises(UserError, match="Input/output error"):
            write_json(path, ["new"])
    assert json.loads(path.read_text()) == ["earlier"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_can_not_be_made_is_the_users_error(tmp_path):
    # The parent is a file: nobody can write below it, not even root, whom permissions do not bind.
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match="scores.json can't be written: a part of this path is a file") as refused:
        write_json(tmp_path / "file" / "scores.json", {})
    assert "Expected a folder that can be written to" in str(refused.value)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_in_the_place_of_the_file_is_the_users_error(tmp_path):
    (tmp_path / "scores.json").mkdir()
    with pytest.raises(UserError, match="can't be written"):
        write_json(tmp_path / "scores.json", {})
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_permissions_of_a_file_follow_the_umask(umask, tmp_path):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "scores.json", {})
        assert os.umask(umask) == umask, "the process' umask was changed"
    finally:
        os.umask(before)
    assert (tmp_path / "scores.json").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB, mounted for the test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root on Linux may mount a disk, and not in every container")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_the_users_error_and_leaves_the_earlier_file(tiny_disk):
    path = tiny_disk / "scores.json"
    write_json(path, ["earlier"])
    with pytest.raises(UserError, match="No space left on device") as refused:
        write_json(path, ["x" * 100_000])
    assert "room on its disk" in str(refused.value)
    assert json.loads(path.read_text()) == ["earlier"]
    assert list(tiny_disk.iterdir()) == [path]


def test_hdf5s_message_for_a_full_disk_is_reduced_to_the_systems():
    told = "Unable to create file (file write failed: time = now\n, errno = 28, error message = 'No space left on device')"
    for error in (OSError(told), OSError(28, told), OSError(28, "No space left on device")):
        assert str(write_error("m.h5", error)).startswith("m.h5 can't be written: No space left on device.\nExpected")


CONTENT = {"image": "ä\udcff|\n.png", "confidence": None, "digits": [1, 2.5], "ok": True}  # \udcff: a byte that is no UTF-8


def test_json_comes_back_as_it_was_written(tmp_path):
    write_json(tmp_path / "scores.json", CONTENT)
    text = (tmp_path / "scores.json").read_bytes().decode("ascii")
    assert json.loads(text) == CONTENT
    assert text.startswith('{\n  "image"')
    assert text.endswith("}\n")


def test_json_is_written_to_an_open_stream_in_the_same_form(tmp_path):
    stream = io.StringIO()
    write_json(stream, CONTENT)
    write_json(tmp_path / "scores.json", CONTENT)
    assert stream.getvalue() == (tmp_path / "scores.json").read_text()


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_json(tmp_path / "pipe", [1])
    assert json.loads(os.read(reader, 100)) == [1]
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    os.close(reader)


def test_the_target_of_a_symbolic_link_is_replaced_not_the_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_json(tmp_path / "link", [1])
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "target").read_text()) == [1]


@pytest.mark.parametrize("entries", [[], [{"a": 1}], [{"a": [1, 2], "b": {}}, {"ü": None}, {}]])
def test_a_list_written_entry_by_entry_equals_the_one_written_whole(tmp_path, entries):
    write_json(tmp_path / "whole.json", entries)
    with atomic_text_stream(tmp_path / "streamed.json") as file:
        writer = JsonListWriter(file)
        for entry in entries:
            writer.append(entry)
        writer.end()
    assert (tmp_path / "streamed.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_a_streamed_file_replaces_the_earlier_one_when_the_block_ends(tmp_path):
    (tmp_path / "a.csv").write_text("earlier")
    with atomic_text_stream(tmp_path / "a.csv") as file:
        file.write("now")
        assert (tmp_path / "a.csv").read_text() == "earlier"
        assert (tmp_path / "a.csv.part").exists()
    assert (tmp_path / "a.csv").read_text() == "now"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_stream_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path):
    (tmp_path / "a.csv").write_text("earlier")
    with pytest.raises(ZeroDivisionError), atomic_text_stream(tmp_path / "a.csv") as file:
        file.write(str(1 / 0))
    assert (tmp_path / "a.csv").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(UserError, match="can't be written"), atomic_text_stream(tmp_path / "a.csv" / "b.csv"):
        pass


def test_a_folder_in_the_place_of_a_streamed_file_is_noticed_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="directory"), atomic_text_stream(tmp_path):
        pytest.fail("the block began")


def test_a_device_is_streamed_to_directly_without_a_temporary_file():
    with atomic_text_stream("/dev/null") as file:
        file.write("away")
    assert not os.path.exists("/dev/null.part")
