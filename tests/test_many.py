"""Many pictures: read by several processes, in order, whatever happens to one of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import PROJECT, heed_ctrl_c
from digits.config import CORES
from digits.many import CHUNK, FEWEST, examine_all
from digits.recognizer import Recognizer

SAMPLES = sorted((PROJECT / "custom_digits").glob("*/*.png"))
several_cores = pytest.mark.skipif(CORES < 2, reason="one core alone")
posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


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
    """A folder of 2,000 small pictures that hold a 7 or nothing."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(folder / "0000.png")
    for number in range(1, 2000):
        (folder / f"{number:04}.png").symlink_to(SAMPLES[-1] if number % 2 else folder / "0000.png")
    return folder


@several_cores
def test_answers_come_in_the_order_given_and_are_the_same_as_one_by_one(recognizer, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n junk")
    paths = [str(path) for path in (SAMPLES + [broken, tmp_path / "absent.png"]) * FEWEST][: 2 * FEWEST + CHUNK // 2]
    readings = list(examine_all(recognizer, paths, thumbnails=3))
    assert [reading.entry["image"] for reading in readings] == paths
    alone = {path: recognizer.examine(path) for path in set(paths)}
    for reading, path in zip(readings, paths, strict=True):
        assert reading.entry == alone[path].entry
        assert np.array_equal(reading.crops, alone[path].crops)
    assert [reading.thumbnail is not None for reading in readings[:5]] == [True, True, True, False, False]
    assert {reading.entry["status"] for reading in readings} >= {"ok", "error"}


@several_cores
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc to find the processes in")
def test_a_process_that_dies_costs_no_picture(folder):
    process = start_reading(folder)
    victim, *_ = processes_reading_for(process)
    os.kill(victim, signal.SIGKILL)
    _, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    entries = json.loads((folder.parent / "a.json").read_text())
    assert [Path(entry["image"]).name for entry in entries] == sorted(path.name for path in folder.iterdir())
    assert {entry["status"] for entry in entries} == {"ok", "empty"}


@several_cores
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc to find the processes in")
def test_no_process_outlives_the_one_that_it_reads_for(folder):
    process = start_reading(folder)
    readers = processes_reading_for(process)
    process.kill()
    process.communicate(timeout=20)  # its output ends when all who hold it have ended
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{reader}").exists() for reader in readers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@posix
@several_cores
def test_ctrl_c_leaves_a_valid_list_and_says_how_far_it_came(folder):
    process = start_reading(folder, "--csv", folder.parent / "a.csv")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the processes that read, too
    _, problems = process.communicate(timeout=60)
    assert process.returncode == 130
    entries = json.loads((folder.parent / "a.json").read_text())
    assert 0 < len(entries) < 2000
    assert f"Interrupted after {len(entries):,} of 2,000 pictures." in problems
    assert "Traceback" not in problems
    assert len((folder.parent / "a.csv").read_text().splitlines()) == 1 + len(entries)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["a.csv", "a.json", "in"]
