"""Many images are read by several processes, in order, whatever happens to one of them."""

import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, heed_ctrl_c
from PIL import Image

import predict_custom
from digits.common.config import CORES
from digits.reading import parallel
from digits.reading.form import Field, Form
from digits.reading.line_reader import DEFAULT_LINE_READER
from digits.reading.parallel import IMAGES_PER_TASK, MIN_PARALLEL_IMAGES, read_all
from digits.reading.reader import Reader

SAMPLES = sorted((PROJECT / "custom_digits").glob("*/*.png"), key=lambda path: path.stat().st_size)[:5]  # small, so quick
several_cores = pytest.mark.skipif(CORES < 2, reason="one core alone")
posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture(scope="module")
def reader():
    return Reader()


def start_reading(folder, *flags):
    """Start the script on the folder and return its process once answers come."""
    command = [sys.executable, PROJECT / "predict_custom.py", folder, "--json", folder.parent / "a.json", *flags]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
    )
    part = folder.parent / "a.json.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 0):
        time.sleep(0.02)
    return process


def processes_reading_for(process):
    """Return the ids of the processes that it started, but multiprocessing's own."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture
def folder(tmp_path):
    """A folder of 2,000 small images that hold a digit or nothing."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(folder / "0000.png")
    for number in range(1, 2000):
        (folder / f"{number:04}.png").symlink_to(SAMPLES[0] if number % 2 else folder / "0000.png")
    return folder


@several_cores
def test_answers_come_in_the_order_given_and_are_the_same_as_one_by_one(reader, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n junk")
    paths = [str(path) for path in (SAMPLES + [broken, tmp_path / "absent.png"]) * MIN_PARALLEL_IMAGES]
    paths = paths[: 2 * MIN_PARALLEL_IMAGES + IMAGES_PER_TASK // 2]
    readings = list(read_all(reader, paths, thumbnails=3))
    assert [reading.image for reading in readings] == paths
    alone = {path: reader.read(path) for path in set(paths)}
    for reading in readings:
        assert reading == alone[reading.image]
        for digit, same_digit in zip(reading.digits, alone[reading.image].digits, strict=True):
            assert np.array_equal(digit.crop, same_digit.crop)
            assert np.array_equal(digit.probabilities, same_digit.probabilities)
    assert [reading.thumbnail is not None for reading in readings[:5]] == [True, True, True, False, False]
    assert {reading.status for reading in readings} >= {"ok", "error"}


def test_expect_is_applied_to_every_image(reader, monkeypatch):
    monkeypatch.setattr(parallel, "CORES", 2)
    readings = list(read_all(reader, [str(SAMPLES[0])] * MIN_PARALLEL_IMAGES, 0, "#.##"))
    assert {(reading.status, reading.message) for reading in readings} == {("unsure", "does not fit #.##")}
    assert list(read_all(reader, [str(SAMPLES[0])], 0, "#.##")) == readings[:1]


def networks_in_this_process():
    return parallel._reader.models


@pytest.mark.parametrize("line_reader", [None, "other.tflite"])
def test_other_processes_read_with_the_same_networks(line_reader, tmp_path):
    if line_reader:
        line_reader = shutil.copy(DEFAULT_LINE_READER, tmp_path / line_reader)
    reader = Reader(line_reader=line_reader)
    assert reader.models.get("line reader") == line_reader
    with parallel._processes(reader.arguments, None, 1) as pool:
        assert pool.submit(networks_in_this_process).result() == reader.models


FORM = Form((Field("a", 0, 0, 1, 1), Field("b", 0.2, 0.2, 0.4, 0.4)))


@several_cores
def test_sheets_of_a_form_are_read_as_alone(reader):
    paths = [str(path) for path in SAMPLES[:2]]
    readings = list(read_all(reader, paths, thumbnails=1, form=FORM))
    assert readings == [FORM.read(reader, path) for path in paths]
    assert [list(reading.fields) for reading in readings] == [["a", "b"]] * 2
    assert [reading.thumbnail is not None for reading in readings] == [True, False]


class PoolThatBreaks:
    """A stand-in for a pool of processes: reads in this process, and breaks where a task holds crash.png, as a decoder may."""

    def __init__(self, reader):
        self.reader = reader

    def submit(self, function, task):
        future = concurrent.futures.Future()
        if any(Path(path).name == "crash.png" for path, _, _ in task):
            future.set_exception(BrokenProcessPool())
        else:
            future.set_result([self.reader.read(path) for path, _, _ in task])
        return future


def test_an_image_that_brings_down_its_process_is_an_error_and_all_others_are_read(reader, monkeypatch):
    monkeypatch.setattr(parallel, "CORES", 2)
    monkeypatch.setattr(parallel, "_processes", lambda arguments, form, count: contextlib.nullcontext(PoolThatBreaks(reader)))
    paths = [str(SAMPLES[0]) for i in range(2 * MIN_PARALLEL_IMAGES)]
    for place in (0, 50, 51, 127):
        paths[place] = f"{place}/crash.png"
    readings = list(read_all(reader, paths, thumbnails=0))
    assert [reading.image for reading in readings] == paths
    failed = {reading.image: reading.message for reading in readings if reading.status == "error"}
    assert failed == {f"{place}/crash.png": "the program that decodes it failed" for place in (0, 50, 51, 127)}


def test_a_sheet_that_brings_down_its_process_is_an_error_in_every_field(reader, monkeypatch):
    monkeypatch.setattr(parallel, "CORES", 2)
    monkeypatch.setattr(parallel, "_processes", lambda arguments, form, count: contextlib.nullcontext(PoolThatBreaks(reader)))
    first, second = read_all(reader, ["crash.png", str(SAMPLES[0])], 0, form=FORM)
    assert {name: field.status for name, field in first.fields.items()} == {"a": "error", "b": "error"}
    assert (first.status, first.message, second.image) == ("error", "the program that decodes it failed", str(SAMPLES[0]))


@several_cores
def test_a_process_that_is_killed_loses_no_image(reader):
    paths = [str(SAMPLES[0]) for i in range(2 * MIN_PARALLEL_IMAGES)]
    readings = read_all(reader, paths, thumbnails=0)
    first = next(readings)
    multiprocessing.active_children()[0].kill()
    rest = list(readings)
    assert [reading.image for reading in (first, *rest)] == paths
    assert {reading.status for reading in rest} == {"ok"}


def test_after_ctrl_c_the_files_hold_all_answers_so_far(reader, tmp_path, monkeypatch, capsys):
    def interrupted(reader, paths, thumbnails, expect, form):
        yield from map(reader.read, paths[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_custom, "read_all", interrupted)
    files = ["--json", str(tmp_path / "a.json"), "--csv", str(tmp_path / "a.csv")]
    assert predict_custom.main([*map(str, SAMPLES[:5]), *files]) == 130
    assert "Interrupted after 2 of 5 images." in capsys.readouterr().err
    entries = json.loads((tmp_path / "a.json").read_text())
    assert [entry["image"] for entry in entries] == list(map(str, SAMPLES[:2]))
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json"]


@pytest.mark.slow
@several_cores
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc to find the processes in")
def test_a_killed_process_of_the_script_loses_no_image(folder):
    process = start_reading(folder)
    victim, *_ = processes_reading_for(process)
    os.kill(victim, signal.SIGKILL)
    _, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    entries = json.loads((folder.parent / "a.json").read_text())
    assert [Path(entry["image"]).name for entry in entries] == sorted(path.name for path in folder.iterdir())
    assert {entry["status"] for entry in entries} == {"ok", "empty"}


@pytest.mark.slow
@several_cores
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc to find the processes in")
def test_all_processes_end_when_the_script_is_killed(folder):
    process = start_reading(folder)
    readers = processes_reading_for(process)
    process.kill()
    process.communicate(timeout=20)  # its output ends when all who hold it have ended
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{reader}").exists() for reader in readers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@posix
@several_cores
def test_ctrl_c_leaves_valid_json_and_says_how_many_images_it_holds(folder):
    process = start_reading(folder, "--csv", folder.parent / "a.csv")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the processes that read, too
    _, problems = process.communicate(timeout=60)
    assert process.returncode == 130
    entries = json.loads((folder.parent / "a.json").read_text())
    assert 0 < len(entries) < 2000
    assert f"Interrupted after {len(entries):,} of 2,000 images." in problems
    assert "Traceback" not in problems
    assert len((folder.parent / "a.csv").read_text().splitlines()) == 1 + len(entries)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["a.csv", "a.json", "in"]
