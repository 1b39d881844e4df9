"""Read people's images with this project and with other programs, in one run: PP-OCRv6, Tesseract, the usual tutorial's pipeline.

    python benchmarks/peers.py FOLDER ...                   the folders of whole_numbers.py; half an hour on one core
    python benchmarks/peers.py FOLDER ... --only ours       a part of them; the others stay in the result as they were

    ours            predict_custom.py's reader, without an option
    ppocr line      PP-OCRv6 small through rapidocr, recognition alone: it is told that the image is one text line
    ppocr page      the same with its own detection of text and of its direction, on a white border of 100 pixels
    tesseract       Tesseract, told that there are digits alone, and whether it is one character, one line or several lines
    tutorial        grey, resized to 28x28, inverted where it is bright, divided by 255, then the classic CNN with 225,034
                    parameters, which is trained at the first run and kept in outputs/ (see classic_networks.py); one digit
                    is all that it can answer, so it is given single digits alone

Digits and text lines are compared, whatever else was read is left out; letters that look like a digit, such as O and S, count as
that digit, for PP-OCRv6 can't be told that there are digits alone. The other programs are not among this project's
requirements: pip install rapidocr==3.10.0 onnxruntime, and Tesseract's own package (Debian: tesseract-ocr).

Each but the tutorial's reads on one thread, and what is given is the time of the processor, from the image's file to the text: it
does not depend on what else the machine does. Loading the models does not count. The table goes to standard output, the numbers
to benchmarks/results/peers.json.
"""

import argparse
import collections
import functools
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps
from record import add_flags, facts, facts_with_model  # first: it puts the project on the path
from tqdm import tqdm
from whole_numbers import Item, find_items

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.config import IMAGE_SIZE
from digits.common.errors import UserError
from digits.data.labels import digits_of
from digits.reading.reader import Reader

Peer = Callable[[Item], str]  # one of people's images -> its digits, text lines joined by "|"

# PP-OCRv6 reads single digits as these letters. Without this it reads about 2 % fewer of them.
LOOK_ALIKES = str.maketrans("OoIilSsZzBbgq", "0011155228699")
# Pixels. Most cheques are crops 50 to 60 pixels high: of 44, its detection finds text in 12 as they are, in 43 with this border.
# With one in the colour of the paper it finds text in all, but 29 instead of 36 are then read.
DETECTION_BORDER = 100
BRIGHT = 127  # grey level of 255: a brighter mean is taken for paper, the tutorials' rule
TESSERACT_CHARACTER, TESSERACT_LINE, TESSERACT_BLOCK = "10", "7", "6"  # its page segmentation modes


def upright(path: Path) -> Image.Image:
    """Return an image as a person sees it, RGB: turned as its EXIF data say, on white where it is transparent."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def digits_alone(lines: Sequence[str]) -> str:
    """Return the digits of the text lines, lines joined by "|"; a line without a digit is left out."""
    return "|".join(filter(None, (re.sub("[^0-9]", "", line.translate(LOOK_ALIKES)) for line in lines)))


def ours(model_path: Path) -> Peer:
    """Return this project's reader."""
    reader = Reader(model_path, num_threads=1)
    cv2.setNumThreads(1)
    return lambda item: digits_of(reader.read(item.path).text)


@functools.cache
def ppocr() -> Any:
    """Return PP-OCRv6 small: detection, direction and recognition, on one thread."""
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(params={**threads, "Global.log_level": "error"})


def bgr(path: Path) -> np.ndarray:
    """Return an image as rapidocr takes it, (height, width, 3) uint8 BGR."""
    return np.ascontiguousarray(np.asarray(upright(path))[..., ::-1])


def ppocr_line(model_path: Path) -> Peer:
    """Return PP-OCRv6's recognition of the whole image as one line."""

    def read(item: Item) -> str:
        return digits_alone(ppocr()(bgr(item.path), use_det=False, use_cls=False, use_rec=True).txts or ())

    return read


def ppocr_page(model_path: Path) -> Peer:
    """Return PP-OCRv6 with its own detection; the pieces of text that it finds are joined to lines by their places."""

    def read(item: Item) -> str:
        sides = (DETECTION_BORDER, DETECTION_BORDER)
        bordered = np.pad(bgr(item.path), (sides, sides, (0, 0)), constant_values=255)
        found = ppocr()(bordered, use_det=True, use_cls=True, use_rec=True)
        return digits_alone(in_lines(found.boxes, found.txts)) if found.txts else ""

    return read


def in_lines(boxes: np.ndarray, texts: Sequence[str]) -> list[str]:
    """Return pieces of text joined to lines, from the top.

    boxes: (N, 4, 2), the corners (x, y). A piece is on a line when its centre is above the lowest corner of the line's first
    piece.
    """
    centres = boxes.mean(axis=1)
    lines: list[list[int]] = []
    for piece in np.argsort(centres[:, 1]):
        if lines and centres[piece, 1] < boxes[lines[-1][0], :, 1].max():
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return ["".join(texts[piece] for piece in sorted(line, key=lambda piece: centres[piece, 0])) for line in lines]


def tesseract(model_path: Path) -> Peer:
    """Return Tesseract with digits alone, told whether it is one digit, one line or several lines."""

    def read(item: Item) -> str:
        single = TESSERACT_CHARACTER if len(item.label) == 1 else TESSERACT_LINE
        mode = TESSERACT_BLOCK if "|" in item.label else single
        content = io.BytesIO()
        upright(item.path).save(content, "PNG")
        command = ["tesseract", "-", "-", "--psm", mode, "-c", "tessedit_char_whitelist=0123456789"]
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        result = subprocess.run(command, input=content.getvalue(), capture_output=True, env=environment, check=True)
        return digits_alone(result.stdout.decode().splitlines())

    return read


def tutorial_crop(path: Path) -> np.ndarray:
    """Return an image as tutorials give it to a network, (28, 28) uint8: resized, and inverted where it is bright."""
    grey = np.asarray(upright(path).convert("L").resize((IMAGE_SIZE, IMAGE_SIZE)))
    return 255 - grey if grey.mean() > BRIGHT else grey


def tutorial(model_path: Path) -> Peer:
    """Return the usual tutorial's pipeline and the classic CNN. It reads one digit."""
    from robustness import classic_cnn  # here: it is not needed for the others

    from digits.data import dataset

    network = classic_cnn(dataset.load(parts=("train",)))
    return lambda item: str(network(tutorial_crop(item.path)[np.newaxis])[0])


PEERS: dict[str, Callable[[Path], Peer]] = {
    "ours": ours, "ppocr line": ppocr_line, "tesseract": tesseract, "tutorial": tutorial, "ppocr page": ppocr_page,
}  # fmt: skip


def check_installed(names: Sequence[str]) -> None:
    """Raise UserError where a program that is to be compared is not installed."""
    missing = []
    if any(name.startswith("ppocr") for name in names):
        packages = [package for package in ("rapidocr", "onnxruntime") if importlib.util.find_spec(package) is None]
        missing += [f"pip install {' '.join(packages)}"] if packages else []
    if "tesseract" in names and shutil.which("tesseract") is None:
        missing.append("apt-get install tesseract-ocr, or your system's package")
    if missing:
        raise UserError(f"Not everything to compare with is installed.\nExpected: {'; '.join(missing)}. Or use --only.")


def versions_of(name: str) -> dict[str, str]:
    """Return {program: version} of a peer."""
    if name == "tesseract":
        return {name: subprocess.run([name, "--version"], capture_output=True, text=True).stdout.split()[1]}
    packages = {"tutorial": ("keras", "tensorflow"), "ours": ()}.get(name, ("rapidocr", "onnxruntime"))
    return {package: version(package) for package in packages}


def measured_before(path: Path, model_sha256: str | None, items: Sequence[Item]) -> dict[str, Any]:
    """Return {name: result} of the peers in an earlier result that read as many images of each kind; ours, if by this model."""
    if not path.exists():
        return {}
    earlier = json.loads(path.read_bytes())
    totals = collections.Counter(item.kind for item in items)
    return {
        name: found
        for name, found in earlier["peers"].items()
        if all(totals[kind] == score["n"] for kind, score in found["kinds"].items())
        and (name != "ours" or earlier["model_sha256"] == model_sha256)
    }


def processor_seconds() -> float:
    """Return the time that this process and the ended ones that it started have used a processor."""
    return sum(os.times()[:4])


def compare(name: str, peer: Peer, items: Sequence[Item]) -> dict[str, Any]:
    """Return what a peer reads: {"seconds": of the processor for an image, "kinds": {kind: {"n", "correct"}}}."""
    peer(items[0])  # what is loaded at the first image does not count
    kinds = {item.kind: {"n": 0, "correct": 0} for item in items}
    started = processor_seconds()
    for item in tqdm(items, name, disable=None):
        kinds[item.kind]["n"] += 1
        kinds[item.kind]["correct"] += peer(item) == digits_of(item.label)
    return {"seconds": (processor_seconds() - started) / len(items), "kinds": kinds}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="people's images, as for whole_numbers.py")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), help="a part of the programs")
    add_flags(parser, "peers")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Read, compare, print; write after each program."""
    arguments = parse(argv)
    check_installed(arguments.only)
    items = find_items(arguments.folders)
    result: dict[str, Any] = facts_with_model("peers", argv, Reader(arguments.model).classifier)
    result["peers"] = measured_before(arguments.json, result["model_sha256"], items)
    for name in arguments.only:
        given = [item for item in items if name != "tutorial" or len(item.label) == 1]
        if given:
            found = compare(name, PEERS[name](arguments.model), given)
            result["peers"][name] = {**facts("peers", argv), "versions": versions_of(name), **found}
            files.write_json(arguments.json, result)

    kinds = list(dict.fromkeys(item.kind for item in items))
    totals = [sum(item.kind == kind for item in items) for kind in kinds]
    rows = [("read exactly", *(f"{kind} ({n})" for kind, n in zip(kinds, totals, strict=True)), "CPU seconds an image")]
    for name, found in result["peers"].items():
        scores = [found["kinds"].get(kind) for kind in kinds]
        rates = [formatting.percent(score["correct"] / score["n"], 1) if score else "-" for score in scores]
        rows.append((name, *rates, f"{found['seconds']:.3f}"))
    command_line.print_table(rows)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
