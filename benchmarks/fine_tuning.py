"""Learn single hands by train_model.py --fine-tune, and read images of theirs that it did not get.

    python benchmarks/fine_tuning.py                    ../shared/own_digits; about twenty minutes on two CPU cores
    python benchmarks/fine_tuning.py FOLDER             one built the same: single.csv, numbers/labels.csv
    python benchmarks/fine_tuning.py --splits 5         more splits of each writer's images, for a surer spread

First digits written so oddly that the model misreads most of them, drawn by code: ten are learned, ten others read. Then
every writer with 20 images or more: half of them are learned, the other half read; split after split. What is learned
from is all that the command gets, and it holds a quarter of that out for its own decision. MNIST is beside each.

The table goes to standard output, the numbers to benchmarks/results/fine_tuning.json after each run.
"""

import collections
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from own_digits import find_items
from PIL import Image
from record import add_flags, facts_with_model  # it puts the project on the path

from digits.cli import command_line
from digits.common import files
from digits.common.config import PROJECT
from digits.common.errors import UserError
from digits.data.labels import matches
from digits.reading.reader import Reader

FEWEST = 20  # images of a writer
SPLITS = 3
ODD_LEARNED, ODD_READ = 10, 10
# Digits that nobody's textbook has, as pen strokes: points (x, y) in percent of the height, y downwards.
ODD_DIGITS = {
    "a seven in the mirror, with a loop": ("7", [[(90, 0), (10, 0), (0, 20), (20, 28), (30, 10), (10, 0), (70, 100)]]),
    "a four like an h": ("4", [[(10, 0), (10, 100)], [(10, 60), (35, 40), (60, 55), (60, 100)]]),
}


class LabelledImage(NamedTuple):
    """An image's path and the text that it shows."""

    path: Path
    label: str


# ---- odd digits -------------------------------------------------------------------------------------------------------


def draw(strokes, rng):
    """Return a digit as an unsteady hand draws it, (320, 320) uint8, dark ink on white."""
    canvas = np.full((320, 320), 255, np.uint8)
    slant, turn = rng.normal(0, 0.1), rng.normal(0, 0.07)
    size, narrow = rng.uniform(1.5, 2.2), rng.uniform(0.85, 1.15)
    pen = int(rng.integers(7, 15))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for stroke in strokes:
        points = np.array(stroke, float) - (40, 50) + rng.normal(0, 4, (len(stroke), 2))
        points[:, 0] -= slant * points[:, 1]
        points = points @ rotation * (size * narrow, size) + 160
        cv2.polylines(canvas, [np.rint(8 * points).astype(np.int32)], False, 30, pen, cv2.LINE_AA, shift=3)
    return cv2.GaussianBlur(canvas, (0, 0), 1)


def odd_images(name, folder):
    """Draw an odd digit into the folder and return the LabelledImages."""
    label, strokes = ODD_DIGITS[name]
    rng = np.random.default_rng(1)
    images = []
    for number in range(ODD_LEARNED + ODD_READ):
        path = folder / f"odd_{number}.png"
        Image.fromarray(draw(strokes, rng)).save(path)
        images.append(LabelledImage(path, label))
    return images


# ---- one run ----------------------------------------------------------------------------------------------------------


def run(model_path, learned, read, data_path):
    """Fine-tune a copy of the model on some LabelledImages and return what it and the model before read of others."""
    with tempfile.TemporaryDirectory() as temporary:
        own, models = Path(temporary) / "own", Path(temporary) / "models"
        models.mkdir()
        for suffix in (".h5", ".tflite", ".json"):
            shutil.copy(model_path.with_suffix(suffix), models)
        for number, image in enumerate(learned):
            folder = own / str(number)  # labels with rows can't name a folder, so labels.csv says them
            folder.mkdir(parents=True)
            shutil.copy(image.path, folder)
        rows = "".join(f"{number}/{image.path.name},{image.label}\n" for number, image in enumerate(learned))
        (own / "labels.csv").write_text("file,label\n" + rows, encoding="utf-8")
        copy = models / model_path.with_suffix(".h5").name
        command = [sys.executable, PROJECT / "train_model.py", "--fine-tune", own, "--model", copy]
        result = subprocess.run(command + (["--data", data_path] if data_path else []), capture_output=True, text=True)
        if result.returncode != command_line.DONE:
            raise UserError(f"The command failed with exit code {result.returncode}:{result.stderr}\nExpected 0.")
        card = json.loads(copy.with_suffix(".json").read_bytes())
        earlier = json.loads(model_path.with_suffix(".json").read_bytes())
        replaced = card["sha256"] != earlier["sha256"]
        return {
            "learned": len(learned),
            "n": len(read),
            "before": right(model_path, read),
            "after": right(copy.with_suffix(".tflite"), read),
            "replaced": replaced,
            "why_not": "" if replaced else next(line for line in result.stdout.splitlines() if "stays as it was" in line),
            "validation": {"before": earlier["validation"]["correct"], "after": card["validation"]["correct"]},
            "test": {"before": earlier["test"]["correct"], "after": card["test"]["correct"]},
            "seconds": card["fine_tuning"]["seconds"] if replaced else None,
        }


def right(model_path, images):
    """Return how many of the LabelledImages are read exactly."""
    reader = Reader(model_path)
    return sum(matches(reader.read(image.path).text, image.label) for image in images)


# ---- the command ------------------------------------------------------------------------------------------------------


def print_runs(runs):
    """Print a row for each hand: mean and spread over its splits."""
    rows = [("hand", "splits", "read", "before", "after", "validation", "test", "replaced")]
    for name, those in runs.items():
        before, after = ([100 * run[when] / run["n"] for run in those] for when in ("before", "after"))
        changes = [
            spread([run[part]["after"] - run[part]["before"] for run in those], "{:+.1f}") for part in ("validation", "test")
        ]
        replaced = f"{sum(run['replaced'] for run in those)} of {len(those)}"
        rows.append((name, len(those), those[0]["n"], spread(before, "{:.1f}"), spread(after, "{:.1f}"), *changes, replaced))
    command_line.print_table(rows)
    print("before, after: percent of the images read exactly; validation, test: MNIST's images read more or less than before")


def spread(values, form):
    """Return "97.1 ± 1.2": mean and standard deviation; the value alone where there is one."""
    mean = form.format(np.mean(values))
    return f"{mean} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else mean


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    default = PROJECT.parent / "shared" / "own_digits"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="the images (default: ../shared/own_digits)")
    parser.add_argument(
        "--splits", type=command_line.positive_integer, default=SPLITS, help=f"of each writer's images (default: {SPLITS})"
    )
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    add_flags(parser, "fine_tuning")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Draw, choose, learn, read, print, write."""
    arguments = parse(argv)
    facts = facts_with_model("fine_tuning", argv, Reader(arguments.model).classifier)
    by_writer = collections.defaultdict(list)
    for item in find_items(arguments.folder):
        by_writer[item.writer].append(LabelledImage(item.path, item.label))
    writers = {writer: images for writer, images in sorted(by_writer.items()) if len(images) >= FEWEST}

    runs = collections.defaultdict(list)

    def note(name, learned, read):
        runs[name].append(run(arguments.model, learned, read, arguments.data))
        print(f"{name}: {runs[name][-1]}", file=sys.stderr)
        files.write_json(arguments.json, {**facts, "runs": runs})

    with tempfile.TemporaryDirectory() as folder:
        for name in ODD_DIGITS:
            images = odd_images(name, Path(folder))
            note(name, images[:ODD_LEARNED], images[ODD_LEARNED:])
    for split in range(arguments.splits):
        for writer, images in writers.items():
            order = np.random.default_rng(split).permutation(len(images))
            half = len(images) // 2
            note(writer, [images[i] for i in order[:half]], [images[i] for i in order[half:]])
    print_runs(runs)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
