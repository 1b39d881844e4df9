"""A kept image is written whole, with its label, and overwrites no other file."""

import concurrent.futures
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from digits.common.config import MAX_TEXT_LENGTH
from digits.common.errors import UserError
from digits.data import kept_images
from digits.data.kept_images import check_label, keep_image
from digits.data.labelled_folder import labelled_images

DATE = "12/05/2024"
# A program that keeps images, arguments: folder, label, how many. It prints the path of each.
KEEP = """
import sys
from pathlib import Path
from digits.data.kept_images import keep_image
folder, label, count = sys.argv[1:]
for number in range(int(count)):
    print(keep_image(f"{label} {number}".encode(), ".png", label, Path(folder)), flush=True)
"""


def start_keeping(folder, label, count):
    """Start a process that keeps this many images."""
    command = [sys.executable, "-c", KEEP, folder, label, str(count)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("label", ["42", "12.50", "1,234", "-7"])
def test_a_kept_image_is_found_under_its_label(label, tmp_path):
    path = keep_image(b"the image", ".JPG", label, tmp_path)
    assert path.read_bytes() == b"the image" and path.parent == tmp_path / label
    assert labelled_images(tmp_path) == ([(path, label)], 0)


@pytest.mark.parametrize("label", [DATE, "2024-11-25", "25.11.2024", "12:45", "-1/2", ".5", "500/-", "4|2", "12.50|3/4"])
def test_an_image_whose_label_can_not_name_a_folder_is_kept_with_a_line_in_labels_csv(label, tmp_path):
    path = keep_image(b"the image", ".JPG", label, tmp_path)
    assert path.read_bytes() == b"the image" and path.parent == tmp_path / "kept" and path.suffix == ".jpg"
    assert labelled_images(tmp_path) == ([(path, label)], 0)
    again = keep_image(b"the image", ".jpg", "8/10", tmp_path)
    assert labelled_images(tmp_path) == (sorted([(path, label), (again, "8/10")]), 0)


@pytest.mark.parametrize("label", ["7", DATE])
def test_many_threads_that_keep_images_at_once_overwrite_nothing(label, tmp_path):
    contents = [str(number).encode() for number in range(60)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        paths = list(pool.map(lambda content: keep_image(content, ".png", label, tmp_path), contents))
    assert [path.read_bytes() for path in paths] == contents
    (folder,) = tmp_path.iterdir()
    others = set() if label == "7" else {folder / "labels.csv", folder / "labels.lock"}
    assert set(folder.iterdir()) == {*paths, *others}, "something else was left there"
    assert labelled_images(tmp_path) == ([(path, label) for path in sorted(paths)], 0)


def test_two_processes_that_keep_images_at_once_lose_no_label(tmp_path):
    labels = [DATE, "12:45"]
    processes = [start_keeping(tmp_path, label, 20) for label in labels]
    kept = {}
    for process, label in zip(processes, labels, strict=True):
        kept |= {Path(line): label for line in process.communicate(timeout=60)[0].splitlines()}
        assert process.returncode == 0
    assert len(kept) == 40 and labelled_images(tmp_path) == (sorted(kept.items()), 0)
    assert sorted(path.read_bytes().decode() for path in kept) == sorted(f"{label} {i}" for label in labels for i in range(20))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_a_process_that_is_killed_loses_nothing_that_it_kept_and_blocks_no_other(tmp_path):
    kept = []
    for _ in range(3):
        process = start_keeping(tmp_path, DATE, 1_000_000)
        lines = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        kept += [Path(line) for line in (*map(str.strip, lines), *process.communicate(timeout=60)[0].split("\n")) if line]
        kept.append(keep_image(b"after", ".png", DATE, tmp_path))
        labels = dict(labelled_images(tmp_path)[0])
        assert {labels[path] for path in kept} == {DATE}
        assert all(path.read_bytes() for path in labels), "a line stands for an image that is not there"


@pytest.mark.parametrize(
    "label",
    ["", "seven", "../7", "7/..", "..", "./", "/7", "-", ".", "|", "7|", "4..2", "7 ", "\N{SUPERSCRIPT TWO}",
     "\N{ARABIC-INDIC DIGIT TWO}", "1" * 300, "1" * (MAX_TEXT_LENGTH + 1), "1/" * 30 + "1"],
)  # fmt: skip
def test_a_label_that_is_no_number_is_refused(label, tmp_path):
    with pytest.raises(UserError, match="can't be kept as .*\nExpected the digits"):
        keep_image(b"the image", ".png", label, tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_longest_labels_are_kept(tmp_path):
    for label in ("1" * MAX_TEXT_LENGTH, "1/" * (MAX_TEXT_LENGTH // 2 - 1) + "12"):
        assert check_label(label) == label
        path = keep_image(b"the image", ".png", label, tmp_path)
        assert (path, label) in labelled_images(tmp_path)[0]


@pytest.mark.parametrize("label", ["7", DATE])
@pytest.mark.parametrize("suffix", ["", ".txt", ".py", "png", "/../x.png"])
def test_a_suffix_that_is_no_images_is_refused(suffix, label, tmp_path):
    with pytest.raises(UserError, match="Expected one of .bmp"):
        keep_image(b"the image", suffix, label, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("label", "name"), [("7", "7"), (DATE, "kept")])
def test_a_folder_that_can_not_be_written_is_the_users_error(label, name, tmp_path):
    (tmp_path / name).write_text("in the way")
    with pytest.raises(UserError, match="can't be written"):
        keep_image(b"the image", ".png", label, tmp_path)
    assert (tmp_path / name).read_text() == "in the way"


@pytest.mark.parametrize(("label", "name"), [("7", "7"), (DATE, "kept")])
def test_an_image_that_can_not_be_written_whole_leaves_no_file(label, name, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        keep_image(b"the image", ".png", label, tmp_path)
    assert not any((tmp_path / name).iterdir())


def test_an_image_whose_label_can_not_be_written_is_not_kept(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "labels.csv").write_text("picture;digits\n")
    with pytest.raises(UserError, match="labels.csv has the columns picture;digits"):
        keep_image(b"the image", ".png", DATE, tmp_path)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["labels.csv", "labels.lock"]


def test_an_image_stays_when_the_program_is_interrupted_before_its_label_is_written(tmp_path, monkeypatch):
    def interrupt(image, label):
        raise KeyboardInterrupt

    monkeypatch.setattr(kept_images, "add_label", interrupt)
    with pytest.raises(KeyboardInterrupt):
        keep_image(b"the image", ".png", DATE, tmp_path)
    (path,) = (tmp_path / "kept").iterdir()
    assert path.read_bytes() == b"the image"
