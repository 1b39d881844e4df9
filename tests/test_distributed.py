"""Images are read on a Ray cluster, each exactly once, with the answers of the plain command. Two nodes run on this machine."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from buckets import bucket, put
from conftest import PROJECT
from PIL import Image
from pyarrow.fs import FileSelector
from ray.cluster_utils import Cluster

from digits.common.errors import UserError
from digits.reading import distributed
from digits.reading.form import Field, Form
from digits.reading.reader import Reader
from digits.reading.remote_files import open_file

SAMPLES = sorted((PROJECT / "custom_digits").glob("*/*.png"), key=lambda path: path.stat().st_size)[:10]  # small, so quick
# In every process that Python starts: one that opens crash.png ends at once, as if its decoder had failed, and one that opens
# slow.png waits, so that a reading is surely not done yet.
CRASHES = """
import os, sys, time

def watch(event, values):
    if event == "open" and str(values[0]).endswith("crash.png"):
        os._exit(1)
    if event == "open" and str(values[0]).endswith("slow.png"):
        time.sleep(20)

sys.addaudithook(watch)
"""
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_log_monitor": False}
HEAD = NODE | {"include_dashboard": False, "no_monitor": True}  # nothing but what reads: the other services take long to start
# For a machine with other work: minutes (in seconds or milliseconds) that Ray waits for its own processes, and the ordinary
# priority for those that read; Ray would give them the lowest.
PATIENCE = {
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
}
COPIES = 4  # of each sample: reading them takes long enough to lose a node meanwhile


@pytest.fixture(scope="module")
def server():
    with bucket("scans") as file_system:
        yield file_system


@pytest.fixture(scope="module")
def cluster(server, tmp_path_factory):
    """A cluster of two nodes with a core each, whose processes do what CRASHES says."""
    folder = tmp_path_factory.mktemp("crashes")
    (folder / "sitecustomize.py").write_text(CRASHES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        for name, value in {"RAY_USAGE_STATS_ENABLED": "0", **PATIENCE}.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args=HEAD)
        cluster.add_node(**NODE)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of images: samples, a TIFF file of two pages, a broken file and one that is empty."""
    folder = tmp_path_factory.mktemp("images") / "in"
    folder.mkdir()
    for number in range(COPIES * len(SAMPLES)):
        shutil.copy(SAMPLES[number % len(SAMPLES)], folder / f"{number:03}.png")
    pages = [Image.open(path).convert("L") for path in SAMPLES[:2]]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    (folder / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def plain(folder, call_script):
    """The entries of the plain command for the folder."""
    call_script("predict_custom.py", folder.name, "--json", "../plain.json", cwd=folder.parent)
    return json.loads((folder.parent.parent / "plain.json").read_text())


def start(cluster, folder, *arguments):
    """Start the script on the cluster, in the folder, and return the process."""
    command = [sys.executable, PROJECT / "predict_custom.py", *arguments, "--ray", cluster.address]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_answers(process, folder):
    """Wait until the one file with answers grows. It has a temporary name."""
    while not any(path.stat().st_size for path in folder.glob(".new-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def with_index(entries):
    return [{"index": index, **entry} for index, entry in enumerate(entries)]


def json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.mark.slow
def test_every_image_is_answered_once_though_a_node_is_lost_and_a_decoder_crashes(cluster, folder, plain, tmp_path):
    lost = cluster.add_node(**NODE)
    images = tmp_path / "in"
    shutil.copytree(folder, images)
    (images / "crash.png").write_bytes(b"")
    process = start(cluster, tmp_path, "in", "absent.png", "--json", "answers.jsonl")
    wait_for_answers(process, tmp_path)
    cluster.remove_node(lost, allow_graceful=False)
    output, problems = process.communicate(timeout=500)
    assert (process.returncode, problems) == (1, ""), problems
    assert f"{len(plain) + 2} images, 4 of them could not be read" in output

    def error(name, message):
        return {"image": name, "status": "error", "text": "", "message": message, "digits": [], "marks": []}

    crash, absent = error("in/crash.png", "the program that decodes it failed"), error("absent.png", "there is no such file")
    expected = with_index([*sorted([*plain, crash], key=lambda entry: entry["image"]), absent])
    answers = json_lines(tmp_path / "answers.jsonl")
    assert sorted(answers, key=lambda answer: answer["index"]) == expected
    assert [path.name for path in tmp_path.iterdir() if path != images] == ["answers.jsonl"]


@pytest.mark.slow
def test_s3_is_read_and_written_in_order(cluster, server, folder, plain, tmp_path):
    names = sorted(path.name for path in folder.iterdir())
    put(server, {f"scans/in/{name}": (folder / name).read_bytes() for name in names})
    expected = [{**entry, "image": f"s3://scans/{entry['image']}"} for entry in plain]
    for output in ("s3://scans/answers.parquet/", "s3://scans/answers.jsonl"):
        process = start(cluster, tmp_path, "s3://scans/in", "--json", output, "--ordered")
        _, problems = process.communicate(timeout=500)
        assert (process.returncode, problems) == (1, ""), problems
    lines = server.open_input_stream("scans/answers.jsonl").read().decode("ascii").splitlines()
    assert [json.loads(line) for line in lines] == with_index(expected)
    assert pyarrow.parquet.read_table("scans/answers.parquet", filesystem=server).to_pylist() == with_index(expected)


@pytest.mark.slow
def test_ctrl_c_keeps_the_answers_so_far(cluster, folder, plain, tmp_path):
    (tmp_path / "slow.png").write_bytes(SAMPLES[0].read_bytes())
    process = start(cluster, tmp_path, folder, "slow.png", "--json", "answers.jsonl")
    wait_for_answers(process, tmp_path)
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=100)
    answers = json_lines(tmp_path / "answers.jsonl")
    assert process.returncode == 130
    assert 0 < len(answers) <= len(plain)
    assert problems.strip() == f"Interrupted after {len(answers)} of {len(plain) + 1} images. Their answers are in answers.jsonl."


# ---- the parts, without a cluster -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def form():
    return Form((Field("a", 0, 0, 1, 1), Field("b", 0.2, 0.2, 0.4, 0.4)))


def rows_of(*names):
    return distributed._fetch(distributed._rows(7, names))


def test_an_actor_answers_as_the_reader_does_and_survives_a_crash(server, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    put(server, {"scans/7.png": SAMPLES[0].read_bytes()})
    crash = tmp_path / "crash.png"
    crash.touch()
    names = [str(SAMPLES[0]), str(crash), "s3://scans/7.png", "s3://scans/absent.png", os.fsdecode(b"\xff.png")]
    reader = Reader()
    actor = distributed._ReadingActor(os.getcwd(), reader.arguments, None, "#")
    answers = [json.loads(answer) for answer in actor(rows_of(*names))["answer"].to_pylist()]
    assert [(answer["index"], answer["image"]) for answer in answers] == list(enumerate(names, start=7))
    expected = reader.read(SAMPLES[0], "#").to_json()
    assert [answer | {"image": expected["image"]} for answer in answers[::2][:2]] == [{"index": i, **expected} for i in (7, 9)]
    messages = ["the program that decodes it failed", "there is no such file", "there is no such file"]
    assert [answers[place]["message"] for place in (1, 3, 4)] == messages


def test_sheets_of_a_form_have_a_column_for_each_field_in_parquet(form, tmp_path):
    reader = Reader()
    actor = distributed._ReadingActor(os.getcwd(), reader.arguments, form, None)
    answers = actor(rows_of(str(SAMPLES[0]), os.fsdecode(b"\xff.png")))
    output = tmp_path / "answers.parquet"
    with distributed._output_file(str(output)) as file, distributed._parquet(file, distributed._schema(form)) as write:
        write(answers)
    sheet, missing = pyarrow.parquet.read_table(output).to_pylist()
    assert sheet == {"index": 7, **form.read(reader, SAMPLES[0]).to_json()}
    assert (missing["image"], missing["status"], missing["fields"]["a"]["status"]) == ("\\udcff.png", "error", "error")


def test_a_part_that_is_written_again_replaces_the_first(tmp_path):
    answers = pa.table({"index": [20_000], "status": ["error"], "answer": ['{"index": 20000}']})
    for _ in range(2):
        counts = distributed._write_part(answers, f"{tmp_path}/answers.jsonl/", distributed._json_lines, None)
        assert counts.to_pylist() == [{"done": 1, "failed": 1}]
    (part,) = Path(tmp_path, "answers.jsonl").iterdir()
    assert (part.name, json_lines(part)) == ("part-0000020000.jsonl", [{"index": 20_000}])


@pytest.mark.parametrize("name", ["s3://scans/answers.jsonl", "{folder}/answers.jsonl"])
def test_a_file_that_fails_half_way_does_not_replace_the_earlier_one(name, server, tmp_path):
    name = name.format(folder=tmp_path)
    for content in (b"whole", b"half"):
        with contextlib.suppress(ZeroDivisionError), distributed._whole_file(name) as file:
            file.write(content)
            1 / (content == b"whole")
    with open_file(name) as file:
        assert file.read() == b"whole"
    assert not any("answers.jsonl.part" in file.path for file in server.get_file_info(FileSelector("scans")))


def test_a_folder_that_is_not_empty_is_refused(server, tmp_path):
    distributed._check_empty(f"{tmp_path}/new/")
    distributed._check_empty("s3://scans/new/")
    (tmp_path / "old.jsonl").touch()
    put(server, {"scans/old/x": b""})
    for folder in (f"{tmp_path}/", "s3://scans/old/"):
        with pytest.raises(UserError, match=f"{re.escape(folder)} is not empty"):
            distributed._check_empty(folder)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "[Errno "),
        ("nowhere", "it names no host and port"),
        ("host:port", "it names no host and port"),
        (":6379", "it names no host and port"),
    ],
)
def test_a_wrong_address_is_exit_code_2(address, reason, call_script, tmp_path):
    result = call_script("predict_custom.py", SAMPLES[0], "--ray", address, "--json", tmp_path / "a.jsonl")
    assert result.returncode == 2
    assert f"There is no Ray cluster at {address}: {reason}" in result.stderr and "Expected auto, or the address" in result.stderr


def test_the_reason_that_ray_gives_is_found_in_its_stack_traces():
    text = "The actor died\nTraceback:\n  File x\nModuleNotFoundError: No module named 'digits'\n\nTo change retries, see y."
    message = str(distributed._failure(RuntimeError(text)))
    assert "could not read the images: ModuleNotFoundError: No module named 'digits'\n" in message
    assert "could not read the images: RuntimeError\n" in str(distributed._failure(RuntimeError()))
