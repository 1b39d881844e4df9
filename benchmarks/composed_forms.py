"""Forms that are composed for forms.py: printed, filled in with MNIST's digits, and photographed.

A form is a page of A4 at 200 dots an inch with fields of four kinds: boxes below their labels, lines behind their labels, boxes
with a cell for each digit, and a table. Digits are written as MNIST shows them, one by one, and leave their box now and then.

To look at a form, blank, filled in and photographed:

    python benchmarks/composed_forms.py FOLDER
"""

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import record  # noqa: F401  it puts the project on the path
from PIL import Image, ImageDraw, ImageFont

from digits.cli import command_line
from digits.data.dataset import Split
from digits.reading.form import Field

PAGE_SIZE = 1654, 2339  # pixels: A4 at 200 dots an inch
MARGIN, TOP = 150, 380  # pixels of paper to the left, and above the first field
COLUMN_WIDTH, ROW_HEIGHT, TABLE_ROW_HEIGHT = 700, 125, 70
FIELD_WIDTH, FIELD_HEIGHT = 380, 68  # pixels: 48 x 8.6 mm
LINE_THICKNESS = 2, 3  # pixels
TEXT_SIZE, TITLE_SIZE = 28, 60  # pixels
PAPER, PRINT = (235, 252), (20, 120)  # grey levels
BOXES, LINES, CELLS, TABLE = KINDS = ("boxes", "lines", "boxes with cells", "table")
ROWS = {BOXES: 4, LINES: 4, CELLS: 3, TABLE: 6}  # of two fields each, of one in the table
EMPTY_FIELDS = 3  # of the 28 of a sheet
MAX_DIGITS = 6  # of a field

# ---- handwriting, in heights of the field ----
DIGIT_HEIGHT = 0.55, 0.85
DIGIT_GAP = 0.08, 0.25  # between the digits' ink
OFFSET_STD = 0.04  # of each digit, up or down
LEAVING_PROBABILITY, LEAVING_OFFSET = 0.1, (0.15, 0.35)  # that a number leaves its box, upwards or downwards
PEN = 20, 110  # grey levels

# ---- photographs, as the issue of forms asks for ----
MAX_SHIFT, MAX_TURN, MAX_SLANT = 0.04, 5.0, 15.0  # fraction of the side; degrees; degrees
CAMERA_DISTANCE = 1.3, 2.0  # heights of the page
DESK_WIDTH = 0.1  # of the side, around the page
DESK = 40, 150  # grey levels
LIGHT_SLOPE = 0.25  # fraction by which one side may be darker than the middle
SHADOW_DEPTH, SHADOW_SOFTNESS = (0.15, 0.45), (10, 120)  # fraction of the light; pixels
BLUR_STD, GRAIN_STD = (0.3, 1.0), (2.0, 7.0)  # pixels; grey levels

WORDS = """amount meter reading number date total price order items room page weight height score points class street code
    customer invoice quantity row seat ticket start end hours minutes distance stock shelf batch account member year table entry
    lap volume pressure level sample tank unit district house floor ward bed dose visit case file""".split()


@dataclasses.dataclass(frozen=True)
class ComposedForm:
    """page: (height, width) uint8, as printed. fields, kinds: in the same order; the kinds are KINDS."""

    page: np.ndarray
    fields: tuple[Field, ...]
    kinds: tuple[str, ...]


def blank_form(rng: np.random.Generator) -> ComposedForm:
    """Return a form with random words, levels and lines."""
    width, height = PAGE_SIZE
    paper, ink = (int(rng.integers(*levels)) for levels in (PAPER, PRINT))
    image = Image.new("L", PAGE_SIZE, paper)
    draw = ImageDraw.Draw(image)
    text, title = (ImageFont.truetype(_typeface(), size) for size in (TEXT_SIZE, TITLE_SIZE))
    line = int(rng.integers(*LINE_THICKNESS, endpoint=True))

    def words(count: int) -> str:
        return " ".join(str(word) for word in rng.choice(WORDS, count, replace=False))

    draw.text((MARGIN, 110), words(2).title(), ink, title)
    for row in range(3):
        draw.text((MARGIN, 220 + 45 * row), words(10).capitalize() + ".", ink, text)
    fields: list[Field] = []
    kinds: list[str] = []
    y = TOP
    for kind in KINDS:
        for _ in range(ROWS[kind]):
            for column in range(1 if kind == TABLE else 2):
                left, label = MARGIN + column * COLUMN_WIDTH, words(2)
                if kind == BOXES:
                    draw.text((left, y), label, ink, text)
                    box = (left, y + 38, left + FIELD_WIDTH, y + 38 + FIELD_HEIGHT)
                    draw.rectangle(box, outline=ink, width=line)
                elif kind == LINES:
                    draw.text((left, y + 38 + FIELD_HEIGHT), label, ink, text, anchor="ls")
                    start = left + round(text.getlength(label)) + 20
                    box = (start, y + 38, left + COLUMN_WIDTH - 50, y + 38 + FIELD_HEIGHT)
                    draw.line((box[0], box[3], box[2], box[3]), ink, line)
                elif kind == CELLS:
                    draw.text((left, y), label, ink, text)
                    box = (left, y + 38, left + MAX_DIGITS * (FIELD_HEIGHT - 8), y + 38 + FIELD_HEIGHT)
                    draw.rectangle(box, outline=ink, width=line)
                    for cell in range(1, MAX_DIGITS):
                        x = left + cell * (FIELD_HEIGHT - 8)
                        draw.line((x, box[1], x, box[3]), ink, line)
                else:
                    draw.rectangle((left, y, left + 400, y + TABLE_ROW_HEIGHT), outline=ink, width=line)
                    draw.text((left + 15, y + TABLE_ROW_HEIGHT // 2), label, ink, text, anchor="lm")
                    box = (left + 400, y, left + 400 + FIELD_WIDTH, y + TABLE_ROW_HEIGHT)
                    draw.rectangle(box, outline=ink, width=line)
                name = f"{label} {len(fields) + 1}"
                fields.append(Field(name, box[0] / width, box[1] / height, (box[2] - box[0]) / width, (box[3] - box[1]) / height))
                kinds.append(kind)
            y += TABLE_ROW_HEIGHT if kind == TABLE else ROW_HEIGHT
    draw.text((MARGIN, height - 110), words(9).capitalize() + ".", ink, text)
    return ComposedForm(np.asarray(image), tuple(fields), tuple(kinds))


def fill_in(form: ComposedForm, digits: Split, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Return (the form filled in by one person, (height, width) uint8, the label of each field, "" for an empty one).

    digits: images to write with, (N, 28, 28) uint8, white on black.
    """
    page = form.page.astype(np.float32)
    labels = [""] * len(form.fields)
    pen = rng.uniform(*PEN)
    filled = rng.permutation(len(form.fields))[EMPTY_FIELDS:]
    for number in sorted(filled):
        field, kind = form.fields[number], form.kinds[number]
        places = rng.choice(len(digits.labels), rng.integers(1, MAX_DIGITS, endpoint=True), replace=False)
        labels[number] = "".join(map(str, digits.labels[places]))
        left, top, width, height = np.array([field.x, field.y, field.width, field.height]) * np.tile(PAGE_SIZE, 2)
        size = height * rng.uniform(*DIGIT_HEIGHT)
        if kind == CELLS:
            size = min(size, 0.7 * height)
        base = top + height / 2
        if kind != CELLS and rng.random() < LEAVING_PROBABILITY:
            base += rng.choice([-1, 1]) * rng.uniform(*LEAVING_OFFSET) * height
        x = left + height * rng.uniform(0.1, 0.3)
        for place, image in enumerate(digits.images[places]):
            columns = np.flatnonzero(image.max(axis=0) > 60)
            ink = image[:, columns[0] : columns[-1] + 1]
            scale = size / 20  # MNIST's digits are 20 pixels high
            ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            if kind == CELLS:
                cell = width / MAX_DIGITS
                x = left + (place + 0.5) * cell - ink.shape[1] / 2 + rng.normal(0, 0.05) * cell
            y = base - ink.shape[0] / 2 + rng.normal(0, OFFSET_STD) * height
            _write(page, ink, round(x), round(y), pen)
            x += ink.shape[1] + height * rng.uniform(*DIGIT_GAP)
    return np.clip(page, 0, 255).astype(np.uint8), labels


def photograph(page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a photograph of a page, (height, width) uint8, on a desk: shifted, turned, slanted, in shadow, with grain."""
    height, width = page.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    turn, axis = math.radians(rng.uniform(-MAX_TURN, MAX_TURN)), rng.uniform(0, 2 * math.pi)
    slant = cv2.Rodrigues(np.array([math.cos(axis), math.sin(axis), 0]) * math.radians(rng.uniform(0, MAX_SLANT)))[0]
    level = cv2.Rodrigues(np.array([0, 0, turn]))[0]
    distance = rng.uniform(*CAMERA_DISTANCE) * height
    seen = (np.hstack([corners - [width / 2, height / 2], np.zeros((4, 1))]) @ (slant @ level).T) + [0, 0, distance]
    seen = distance * seen[:, :2] / seen[:, 2:]
    border = round(DESK_WIDTH * height)
    shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * [width, height]
    target = (seen + [width / 2 + border, height / 2 + border] + shift).astype(np.float32)
    size = width + 2 * border, height + 2 * border
    desk = int(rng.integers(*DESK))
    image = cv2.warpPerspective(
        page, cv2.getPerspectiveTransform(corners, target), size, flags=cv2.INTER_LINEAR, borderValue=desk
    ).astype(np.float32)

    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j].astype(np.float32)
    slopes = rng.uniform(-LIGHT_SLOPE, LIGHT_SLOPE, 2)
    light = 1 + (slopes[0] * x + slopes[1] * y) / 2
    direction, place = rng.uniform(0, 2 * math.pi), rng.uniform(-0.6, 0.6)
    softness = rng.uniform(*SHADOW_SOFTNESS) / size[0]
    shadow = 0.5 + 0.5 * np.tanh((math.cos(direction) * x + math.sin(direction) * y - place) / (2 * softness))
    image *= light * (1 - rng.uniform(*SHADOW_DEPTH) * shadow)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR_STD))
    image += rng.normal(0, rng.uniform(*GRAIN_STD), image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def _write(page: np.ndarray, ink: np.ndarray, left: int, top: int, pen: float) -> None:
    """Write ink, (h, w) uint8, on a page, (height, width) float32, with a pen of this grey level; it covers what is printed."""
    target = page[top : top + ink.shape[0], left : left + ink.shape[1]]
    covered = ink[: target.shape[0], : target.shape[1]].astype(np.float32) / 255
    target[...] = np.minimum(target, target * (1 - covered) + pen * covered)


def _typeface() -> str:
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Write the three images."""
    from digits.data import dataset

    parser = command_line.parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments: argparse.Namespace = parser.parse_args(argv)
    data = dataset.load(parts=("train",))
    rng = np.random.default_rng(arguments.seed)
    form = blank_form(rng)
    page, labels = fill_in(form, Split(data.x_train, data.y_train), rng)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in (("blank", form.page), ("filled", page), ("photographed", photograph(page, rng))):
        Image.fromarray(pixels).save(arguments.folder / f"{name}.png")
    command_line.print_table(
        [("field", "label"), *((field.name, label) for field, label in zip(form.fields, labels, strict=True))]
    )
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
