"""Test that a model survives kill -9 at any moment of a training, of a fine-tuning and of saving.

    python stress/kill.py              fifty kills: half an hour on two cores
    python stress/kill.py --kills 5    a first try
    python stress/kill.py saving       a part: training, fine-tuning, saving

A small model learns 1,200 of the digits that come with scikit-learn. Then train_model.py is started with it again and again, and
killed: at a random moment of a training, of a fine-tuning (--fine-tune), or of saving, which begins when the staging folder
appears. After each kill the model must load, match its card, and read the test images as its card says; and it must be, byte
for byte, the model before or the one that the same command makes without a kill. What the kill left behind stays there for the
next run. At the end of each part a run without a kill must succeed and leave no file behind that does not belong there.

It prints a line for each kill and a table, writes benchmarks/results/kill.json, and ends with exit code 1 where one was not
survived.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import RESULTS, add_parts, facts, recipe_sha256

from digits.cli import command_line
from digits.common import files
from digits.common.config import PROJECT
from digits.common.errors import UserError
from digits.data import dataset
from digits.model import lookup, store
from digits.model.classifier import Classifier

SEED = 1  # of the moments
PARTS = {  # what is killed: its flags, and its fraction of the kills
    "training": (("--epochs", "3", "--batch-size", "50", "--seed", "7"), 0.4),
    "fine-tuning": (("--fine-tune", "{own}"), 0.3),
    "saving": (("--epochs", "1", "--batch-size", "50", "--seed", "8"), 0.3),
}
FIRST = ("--epochs", "4", "--batch-size", "50")  # of the model before: few enough that more training improves it
# The lock's file may stay: the system frees the lock itself when its process ends.
EXPECTED = {"m.h5", "m.tflite", "m.json", "m.lock", "previous"}


def write_data(folder):
    """Write small.npz, to learn from, and own.npz to fine-tune on. Return the test images and labels.

    Both hold digits of the same writers, so that the fine-tuned model is good enough to replace the one before.
    """
    data = dataset.bundled_digits()
    images, labels = data.x_train[:1200], data.y_train[:1200]
    np.savez(folder / "small.npz", x_train=images, y_train=labels, x_test=data.x_test, y_test=data.y_test)
    np.savez(folder / "own.npz", x_train=data.x_train[1200:1400], y_train=data.y_train[1200:1400])
    return data.x_test, data.y_test


def start(folder, flags):
    """Start train_model.py on the model in FOLDER/models and return its process."""
    words = [flag.format(own=folder / "own.npz") for flag in flags]
    places = ["--data", folder / "small.npz", "--model", folder / "models" / "m.h5"]
    places += [] if "--fine-tune" in flags else ["--output-dir", folder / "outputs"]  # a fine-tuning draws no figures
    command = [sys.executable, PROJECT / "train_model.py", *words, *places]
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)


def finish(folder, flags):
    """Run train_model.py to its end and return (seconds in all, seconds from the beginning of the saving)."""
    began = time.monotonic()
    earlier = staging_in(folder)
    process = start(folder, flags)
    saving = wait_for_saving(folder, process, earlier)
    if process.wait() != command_line.DONE:
        raise RuntimeError(f"{flags} ended with exit code {process.returncode}: {(folder / 'log').read_text()}")
    return time.monotonic() - began, time.monotonic() - saving


def staging_in(folder):
    """Return what identifies the present staging folder, None where there is none."""
    try:
        stat = store.staging_folder(folder / "models" / "m.h5").stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_ctime_ns


def wait_for_saving(folder, process, earlier):
    """Return the moment at which a new staging folder appears, or at which the process ends.

    earlier: staging_in(folder) before the process was started; a kill may have left a staging folder.
    """
    while process.poll() is None and staging_in(folder) in (None, earlier):
        time.sleep(0.002)
    return time.monotonic()


def model_in(folder):
    """Return the .h5 in place, as bytes."""
    return (folder / "models" / "m.h5").read_bytes()


def left_behind(folder):
    """Return the files in the model's folder that do not belong there, sorted."""
    present = {path.name for path in (folder / "models").iterdir()} - EXPECTED
    return sorted(present | {path.name for path in folder.glob("models/previous/.*")})


def examine(folder, known, images, labels):
    """Return what is on the disk after a kill: which model it is, or what is wrong with it.

    known: {name: .h5 as bytes}. images, labels: the test images.
    """
    path = folder / "models" / "m.tflite"
    try:
        classifier = Classifier(path)  # checks the .tflite by its card, and finishes an interrupted installation
        lookup.find_model(path.with_suffix(".h5"))
    except UserError as error:
        return f"refused: {error}"
    correct = int(np.sum(classifier.classify(images).probabilities.argmax(axis=1) == labels))
    if correct != classifier.card.test.correct:
        return f"reads {correct}, its card says {classifier.card.test.correct}"
    found = classifier.model_path.with_suffix(".h5").read_bytes()
    return next((name for name, content in known.items() if content == found), "another model")


def kill_part(part, kills, first, images, labels, generator):
    """Kill one part this many times, and return the list of what happened. Each run starts with what the kill before it left.

    first: the folder with the data and the model before, which stays as it is.
    """
    flags, _ = PARTS[part]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "not_killed"
        shutil.copytree(first, folder)
        seconds, seconds_saving = finish(folder, flags)
        known = {"as before": model_in(first), "as after": model_in(folder)}
        if known["as before"] == known["as after"]:
            raise RuntimeError(f"{flags} does not change the model, so a kill would test nothing")
        folder = Path(name) / "killed"
        shutil.copytree(first, folder)
        happened = []
        span = seconds_saving if part == "saving" else seconds
        while sum(one["killed"] for one in happened) < kills:
            earlier = staging_in(folder)
            process = start(folder, flags)
            began = wait_for_saving(folder, process, earlier) if part == "saving" else time.monotonic()
            moment = generator.random() * span
            try:
                process.wait(timeout=moment)
                span = time.monotonic() - began  # it ended before the kill; the next moment is drawn from this shorter time
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            left = left_behind(folder)
            found = examine(folder, known, images, labels)
            when = {"moment": round(moment, 3), "of": round(span, 1), "killed": process.returncode < 0}
            happened.append({"part": part, **when, "left": left, "found": found})
            print_line(happened[-1])
            if found == "as after":  # start again with the model before; other files that the kill left stay
                for path in (first / "models").glob("m.*"):
                    shutil.copy(path, folder / "models")
        finish(folder, flags)
        left, found = left_behind(folder), examine(folder, known, images, labels)
        happened.append({"part": part, "moment": None, "of": None, "killed": False, "left": left, "found": found})
        print_line(happened[-1])
    return happened


def print_line(one):
    """Print what happened at one kill."""
    moment = "the run after" if one["moment"] is None else f"{one['moment']:7.3f} of {one['of']:5.1f} s"
    note = "" if one["killed"] or one["moment"] is None else "  (it had ended)"
    print(f"  {one['part']:<12} {moment:<18} {one['found']:<10} {', '.join(one['left'])}{note}", flush=True)


def survived(one):
    """Return whether the model is a known one; after a run without a kill: the new one, with nothing left behind."""
    if one["moment"] is None:
        return one["found"] == "as after" and not one["left"]
    return one["found"] in ("as before", "as after")


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    add_parts(parser, PARTS, "part")
    parser.add_argument("--kills", type=command_line.positive_integer, default=50, help="how many in all (default: 50)")
    parser.add_argument("--json", type=Path, default=RESULTS / "kill.json", metavar="FILE", help="where the numbers go")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Train, kill, examine, write."""
    arguments = parse(argv)
    result = json.loads(arguments.json.read_bytes()) if arguments.json.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        first = Path(name)
        images, labels = write_data(first)
        finish(first, FIRST)
        recipe = recipe_sha256(Classifier(first / "models" / "m.tflite").card.recipe)
        for part in arguments.parts:
            kills = max(1, round(PARTS[part][1] * arguments.kills))
            happened = kill_part(part, kills, first, images, labels, random.Random(f"{SEED} {part}"))
            result[part] = {"kills": happened, "recipe_sha256": recipe, **facts("kill", argv, "stress")}
            files.write_json(arguments.json, result)
    command_line.print_table(table(result))
    well = all(survived(one) for of_part in result.values() for one in of_part["kills"])
    return command_line.DONE if well else command_line.SOME_FAILED


def table(result):
    """Return the table's rows, the head first."""
    rows = [("", "kills", "as before", "as after", "not survived")]
    for part, of_part in result.items():
        kills = [one for one in of_part["kills"] if one["killed"]]
        counts = [sum(one["found"] == found for one in kills) for found in ("as before", "as after")]
        rows.append((part, len(kills), *counts, len(kills) - sum(counts)))
    return rows


if __name__ == "__main__":
    sys.exit(main())
