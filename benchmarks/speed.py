"""How fast the scripts answer, each compared with a baseline in the same run.

    python benchmarks/speed.py                   everything, about three minutes on two cores
    python benchmarks/speed.py start photos      some of the parts: start, folder, photos, verify

start   one image from a cold start: predict_custom.py with the .tflite, compared with loading the .h5 with Keras and predicting
folder  10,000 images of 28x28 pixels from MNIST, half of them black on white: images a second on all cores, the memory for
        all of them and for a tenth, and the time of each step on one core
photos  JPEG images of 12 megapixels: reading, compared with Pillow's full decode, Image.open(file).load()
verify  verify_all_digits.py on MNIST, figures included

Medians of RUNS runs, ours and the baseline's in turn. It prints a table and writes benchmarks/results/speed.json.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from PIL import Image
from record import RESULTS, add_parts, facts_with_model  # before digits: it puts the project on the path

from digits.cli import command_line
from digits.common import files
from digits.common.config import CUSTOM_DIGITS_DIR, PROJECT
from digits.data import dataset
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.reading import candidates, reader
from digits.reading.reader import Reader

RUNS = 5
PARTS = ("start", "folder", "photos", "verify")
SMALL_IMAGES = 10_000
IMAGES_ON_ONE_CORE = 1000  # of them, for the time of each step
PHOTO_SIZE = (4000, 3000)  # width, height in pixels
IMAGE_PATH = CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"
KERAS_PREDICTS = """
import sys, numpy, keras
from PIL import Image
model = keras.models.load_model(sys.argv[1], compile=False)
image = 255 - numpy.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)), "float32")
print(model.predict(image[None], verbose=0).argmax())
"""


def run(command):
    """Run a command and return (seconds of wall time, peak memory of its largest process in MiB)."""
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != command_line.DONE:
        raise RuntimeError(f"{command} ended with exit code {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def medians(*commands):
    """Return (seconds, MiB) for each command: medians of RUNS runs in turn, after a first round, which fills the disk cache."""
    results = [[run(command) for command in commands] for _ in range(RUNS + 1)][1:]
    return [tuple(statistics.median(values) for values in zip(*of_one, strict=True)) for of_one in zip(*results, strict=True)]


def start():
    """Measure one image from a cold start."""
    ours = [sys.executable, PROJECT / "predict_custom.py", IMAGE_PATH, "--json", "-"]
    keras = [sys.executable, "-c", KERAS_PREDICTS, DEFAULT_MODEL.with_suffix(".h5"), IMAGE_PATH]
    (seconds, memory), (keras_seconds, keras_memory) = medians(ours, keras)
    return {"seconds": seconds, "MiB": memory, "keras_seconds": keras_seconds, "keras_MiB": keras_memory}


def folder():
    """Measure a folder of small images."""
    images = dataset.load(None).x_train[:SMALL_IMAGES]
    with tempfile.TemporaryDirectory() as name:
        paths = []
        for i, image in enumerate(images):
            paths.append(Path(name) / f"{i // 1000}" / f"{i}.png")
            paths[-1].parent.mkdir(exist_ok=True)
            Image.fromarray(image if i % 2 else 255 - image).save(paths[-1])
        command = [sys.executable, PROJECT / "predict_custom.py", "--json", os.devnull]
        rounds = [(run([*command, name]), run([*command, Path(name) / "0"])) for _ in range(3)]
        seconds, memory = (statistics.median(values) for values in zip(*(large for large, _ in rounds), strict=True))
        memory_of_tenth = statistics.median(memory for _, (_, memory) in rounds)
        return {
            "pictures": len(paths),
            "a_second": len(paths) / seconds,
            "MiB": memory,
            "MiB_for_a_tenth": memory_of_tenth,
            "milliseconds_on_one_core": step_times(paths[:IMAGES_ON_ONE_CORE]),
        }


def step_times(paths):
    """Return {step: milliseconds an image} on one core. Each step's functions are replaced by ones that measure themselves."""
    spent = dict.fromkeys(("decode", "find ink", "segment and crop", "network"), 0.0)

    def timed(step, function):
        def wrapper(*arguments, **options):
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[step] += time.perf_counter() - started

        return wrapper

    images = Reader()
    with contextlib.ExitStack() as patches:
        for owner, name, step in (
            (reader, "load_image", "decode"),
            (candidates, "find_ink", "find ink"),
            (candidates, "find_segments", "segment and crop"),
            (candidates, "digit_crop", "segment and crop"),
            (images.classifier, "classify", "network"),
        ):
            patches.enter_context(mock.patch.object(owner, name, timed(step, getattr(owner, name))))
        cv2.setNumThreads(1)
        started = time.perf_counter()
        for path in paths:
            images.read(path)
        spent["all"] = time.perf_counter() - started
    return {step: 1000 * seconds / len(paths) for step, seconds in spent.items()}


def photos():
    """Measure a large photograph: three digits with a thick pen on grey paper with a shadow and noise."""
    rng = np.random.default_rng(1)
    width, height = PHOTO_SIZE
    paper = np.linspace(190, 140, width, dtype=np.float32)[None, :] + rng.normal(0, 4, (height, width)).astype(np.float32)
    page = paper.clip(0, 255).astype(np.uint8)
    for i, digit in enumerate("274"):
        cv2.putText(page, digit, (700 + 900 * i, 2000), cv2.FONT_HERSHEY_SIMPLEX, 30, 60, 60, cv2.LINE_AA)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "photo.jpg"
        Image.merge("RGB", [Image.fromarray(page)] * 3).save(path, quality=90)
        images = Reader()
        timings = []
        for _ in range(RUNS + 1):
            moments = [time.perf_counter()]
            Image.open(path).load()
            moments.append(time.perf_counter())
            reading = images.read(path)
            moments.append(time.perf_counter())
            timings.append(np.diff(moments))
    decode, read = np.median(timings[1:], axis=0)
    return {"milliseconds": 1000 * read, "decode_milliseconds": 1000 * decode, "text": reading.text}


def verify():
    """Measure the scoring of MNIST's test images, with its figures."""
    with tempfile.TemporaryDirectory() as name:
        timings = [run([sys.executable, PROJECT / "verify_all_digits.py", "--output-dir", name])[0] for _ in range(3)]
    return {"seconds": statistics.median(timings)}


def table(result):
    """Return the table's rows, the header first."""
    rows = [("", "ours", "baseline", "ratio")]
    if one := result.get("start"):
        rows.append(
            (
                "one image, cold start, seconds",
                f"{one['seconds']:.2f}",
                f"{one['keras_seconds']:.2f}",
                f"{one['keras_seconds'] / one['seconds']:.1f}",
            )
        )
        rows.append(
            ("the same, MiB of memory", f"{one['MiB']:.0f}", f"{one['keras_MiB']:.0f}", f"{one['keras_MiB'] / one['MiB']:.1f}")
        )
    if many := result.get("folder"):
        rows.append((f"{many['pictures']:,} small images, a second", f"{many['a_second']:,.0f}", "", ""))
        rows.append(
            (
                "MiB for all of them; for a tenth",
                f"{many['MiB']:.0f}",
                f"{many['MiB_for_a_tenth']:.0f}",
                f"{many['MiB'] / many['MiB_for_a_tenth']:.2f}",
            )
        )
        for step, milliseconds in many["milliseconds_on_one_core"].items():
            rows.append((f"- milliseconds an image: {step}", f"{milliseconds:.2f}", "", ""))
    if photo := result.get("photos"):
        rows.append(
            (
                "12-megapixel JPEG, milliseconds; its decode alone",
                f"{photo['milliseconds']:.0f}",
                f"{photo['decode_milliseconds']:.0f}",
                f"{photo['milliseconds'] / photo['decode_milliseconds']:.2f}",
            )
        )
    if scored := result.get("verify"):
        rows.append(("verify_all_digits.py on MNIST, seconds", f"{scored['seconds']:.1f}", "", ""))
    return rows


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    add_parts(parser, PARTS, "part")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Measure, print, write."""
    arguments = parse(argv)
    path = RESULTS / "speed.json"
    result = json.loads(path.read_bytes()) if path.exists() else {}
    for part in arguments.parts:
        print(f"{part} ...", file=sys.stderr)
        result[part] = {**globals()[part](), **facts_with_model("speed", argv, Classifier())}
        files.write_json(path, result)
    command_line.print_table(table(result))
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
