"""Draw the sample images of this folder from pen strokes that are listed here as coordinates.

They are for trying the programs, and for tests. No person wrote these digits on paper, so a good score
on them proves nothing about real handwriting; put your own images beside them.

From any folder:

    python custom_digits/draw_samples.py
    python custom_digits/draw_samples.py --output-dir /tmp/samples

It prints one line for each image, and a last line with the totals (2 seconds on one CPU core):

    0/paint_brush.png                        1.6 kB
    ...
    36 images, 0.57 MB

The same library versions give the same images, byte for byte. The labels that can't be a folder's name go to labels.csv; the
lines of other images in it stay as they are.
"""

import argparse
import csv
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255
Finish = Callable[[np.ndarray, np.random.Generator], Image.Image]

# These values, and those of the finishes and kinds below, were set by hand, to look like handwriting. Nothing was measured with
# them: the samples must not decide anything about the reader.
SEED = 2026  # each image adds its own name, so that a new image changes no other
SUPERSAMPLING = 4  # smooth pens are drawn this many times larger, then reduced: 16 samples a pixel for anti-aliasing
CURVE_STEPS = 24  # points of the curve from one control point of a stroke to the next
POINT_JITTER = 1.1  # standard deviation, in percent of a digit's height
SIZE_JITTER = 0.07  # largest relative difference of a digit's height, either way
DIGIT_SPACING = 20  # percent of a digit's height, between neighbours
JPEG_QUALITY = 80  # 1 to 100; about what phones and messengers use
EXIF_ORIENTATION = 0x0112  # the tag's number in the Exif standard
ROTATE_CLOCKWISE_TO_VIEW = 6  # its value for an image that was taken with the phone held upright

# The strokes of each form of a digit or mark, in the order of writing. A stroke passes smoothly through its points "x,y",
# in percent of the digit's height, y downwards; at "/" the pen turns a sharp corner without lifting.
DIGIT_FORMS = {
    "0 round": ["36,2 20,6 6,26 2,55 10,84 30,98 50,86 60,56 55,24 43,7 29,3"],
    "0 narrow": ["31,2 16,12 6,44 9,80 23,98 40,86 48,52 43,17 29,2"],
    "0 not quite closed": ["40,9 25,3 9,20 3,52 11,86 31,98 51,83 57,48 49,17 36,4"],
    "1 plain": ["20,2 19,50 18,98"],
    "1 hooked": ["4,28 18,15 30,2 / 28,55 27,98"],
    "1 with base": ["8,27 22,14 32,2 / 31,50 31,96", "8,97 30,96 55,97"],
    "2 plain": ["5,24 14,6 32,1 48,12 49,32 36,56 18,80 3,97 / 25,95 58,96"],
    "2 looped": ["5,22 17,5 34,1 48,14 44,40 28,68 13,88 4,93 3,83 12,79 28,89 44,97 60,91"],
    "3 round": ["5,15 24,2 45,9 47,29 34,42 18,47 / 42,50 56,70 45,91 23,99 3,88"],
    "3 flat": ["6,5 28,4 51,3 / 22,41 / 44,46 56,68 44,92 22,98 4,89"],
    "4 open": ["15,4 11,30 5,60 / 30,60 62,57", "47,24 44,60 42,99"],
    "4 closed": ["42,2 22,34 2,66 / 30,67 62,65", "42,2 42,50 40,99"],
    "5 with cap": ["14,4 11,24 8,44 / 26,37 46,45 55,67 43,90 22,98 3,90", "14,5 34,4 57,2"],
    "5 in one": ["54,3 34,5 16,5 / 12,26 8,45 / 28,38 49,48 54,70 40,92 20,98 3,91"],
    "6 tall": ["42,2 23,20 9,45 4,70 10,90 25,99 41,93 49,78 44,62 30,56 15,63 6,77"],
    "6 round": ["50,8 36,2 19,14 7,39 4,68 11,90 27,98 44,91 52,74 46,57 31,51 16,59 6,75"],
    "7 barred": ["4,6 28,6 56,3 / 40,36 29,66 23,98", "14,53 32,50 52,47"],
    "7 plain": ["3,8 28,6 54,4 / 38,38 27,68 20,98"],
    "8 as S and back": ["49,15 40,4 28,2 15,9 13,23 24,37 39,51 49,67 46,87 30,98 12,92 6,77 15,60 31,46 45,32 50,18 43,7"],
    "8 of two rings": ["28,46 10,36 9,14 28,2 46,12 46,34 28,46", "28,46 7,58 4,82 27,98 51,84 49,59 26,46"],
    "9 curled tail": ["50,15 34,2 14,10 6,30 16,47 34,45 47,30 51,9 / 55,40 51,76 37,96 17,98 6,85"],
    "9 straight": ["48,17 33,2 12,11 6,33 20,48 40,38 50,12 / 47,55 43,98"],
    ". point": ["4,92 9,95 5,98 9,99"],
    "/ slash": ["68,-30 34,52 0,134"],
}

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
BLUE_INK = (32, 52, 138)
GRAPHITE = (120, 120, 122)
CHALK, BOARD = (232, 234, 226), (46, 88, 68)
NOTEBOOK_PAPER, RULE, MARGIN = (248, 247, 242), (176, 200, 226), (226, 150, 150)
FORM_PAPER, FORM_PRINT = (250, 246, 234), (70, 70, 70)
POSTCODE_PRINT = (232, 128, 84)
SCAN_BLUR, SCAN_GRAIN = 0.7, 2.0  # pixels, grey levels


def pen_path(stroke: str, rng: np.random.Generator) -> np.ndarray:
    """Return one stroke of DIGIT_FORMS as (n, 2) float, a smooth curve in percent whose control points are jittered."""
    pieces: list[np.ndarray] = []
    corner: list[np.ndarray] = []  # the last point of the piece before
    for piece in stroke.split("/"):
        listed = np.array([point.split(",") for point in piece.split()], float)
        points = np.array([*corner, *(listed + rng.normal(0, POINT_JITTER, listed.shape))])
        pieces.append(catmull_rom(points))
        corner = [points[-1]]
    return np.concatenate(pieces)


def catmull_rom(points: np.ndarray) -> np.ndarray:
    """Return (n, 2) points of the curve through all of the control points (k, 2) (Catmull and Rom 1974)."""
    before, after = np.vstack([points[:1], points[:-2]]), np.vstack([points[2:], points[-1:]])
    start, end = points[:-1, None], points[1:, None]
    start_slope, end_slope = (end - before[:, None]) / 2, (after[:, None] - start) / 2
    t = np.linspace(0, 1, CURVE_STEPS)[None, :, None]
    curve = (
        start * (1 + 2 * t) * (1 - t) ** 2
        + start_slope * t * (1 - t) ** 2
        + end * t**2 * (3 - 2 * t)
        + end_slope * t**2 * (t - 1)
    )
    return curve.reshape(-1, 2)


def write_number(sample: "Sample", rng: np.random.Generator) -> list[np.ndarray]:
    """Return the strokes of a sample's number as (n, 2) curves in percent of a digit's height."""
    curves, left = [], 0.0
    slant, uneven = sample.slant, sample.uneven
    for position, form in enumerate(sample.forms):
        scale = 1 + rng.uniform(-SIZE_JITTER, SIZE_JITTER)
        strokes = [pen_path(stroke, rng) * scale for stroke in DIGIT_FORMS[form]]
        for stroke in strokes:
            stroke[:, 0] -= (stroke[:, 1] - 50) * np.tan(np.radians(slant))
            stroke[:, 1] += 100 * (1 - scale) + uneven * (-1) ** position
        first, last = min(stroke[:, 0].min() for stroke in strokes), max(stroke[:, 0].max() for stroke in strokes)
        shift = position * sample.kind.cell - (first + last) / 2 if sample.kind.cell else left - first
        curves += [stroke + [shift, 0] for stroke in strokes]
        left = max(curve[:, 0].max() for curve in curves) + sample.spacing
    return curves


def draw_ink(curves: list[np.ndarray], kind: "Kind", rng: np.random.Generator) -> np.ndarray:
    """Return curves in percent, drawn with the kind's pen, as (height, width) float32 of its size: 0 no ink to 1 full ink."""
    scale = SUPERSAMPLING if kind.smooth else 1
    width, height = kind.size[0] * scale, kind.size[1] * scale
    points = np.concatenate(curves)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    ink = np.zeros((height, width), np.uint8)
    for curve in curves:
        pixels = np.multiply(kind.centre, (width, height)) + (curve - centre) * kind.digit_height * scale / 100
        # The pressure of a pen varies along a stroke; that of a mouse does not.
        knots = rng.uniform(0.82, 1.12, 5) if kind.smooth else np.ones(5)
        pressure = np.interp(np.linspace(0, 4, len(curve)), range(5), knots)
        for start, end, press in zip(pixels[:-1], pixels[1:], pressure[:-1], strict=True):
            thickness = max(1, round(kind.pen * scale * press))
            cv2.line(ink, np.rint(start).astype(int), np.rint(end).astype(int), 255, thickness)
    return cv2.resize(ink, kind.size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def noise(shape: tuple[int, ...], blur: float, rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise, (height, width) float32, mean 0, standard deviation 1. blur: size of its grain in pixels."""
    field = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), blur)
    return (field - field.mean()) / field.std()


def ramp(shape: tuple[int, ...], angle: float) -> np.ndarray:
    """Return a plane of (height, width) that rises from 0 to 1 in the direction of an angle in radians."""
    rows, columns = np.indices(shape)
    plane = columns * np.cos(angle) + rows * np.sin(angle)
    return (plane - plane.min()) / np.ptp(plane)


def blend(background: npt.ArrayLike, ink: np.ndarray, colour: Colour) -> Image.Image:
    """Return an RGB image of ink, (height, width), in a colour on a background: a colour or (height, width, 3)."""
    below = np.asarray(background, float)
    return Image.fromarray(np.rint(below + ink[..., None] * (colour - below)).astype(np.uint8))


# ---- the finishes: each takes ink (height, width), 0 to 1, and a random generator, and returns an image ------------


def plain(paper: Colour, colour: Colour) -> Finish:
    """Return a finish: even ink on an even background."""
    return lambda ink, rng: blend(paper, ink, colour)


def transparent(colour: Colour) -> Finish:
    """Return a finish: ink on a transparent background, whose hidden colour is black, as drawing programs save it."""

    def finish(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
        alpha = np.rint(ink * 255).astype(np.uint8)
        return Image.fromarray(np.dstack([(alpha > 0)[..., None] * np.array(colour, np.uint8), alpha]))

    return finish


def pencil(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Finish: faint pencil on rough paper, scanned in grey."""
    texture = np.clip(0.7 + 0.3 * noise(ink.shape, 0.8, rng), 0, 1)
    return blend(WHITE, ink * texture, GRAPHITE).convert("L")


def chalk(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Finish: broken chalk on a wiped green board."""
    wiped = BOARD + 3 * noise(ink.shape, 40, rng)[..., None]
    broken = np.clip(0.85 + 0.35 * noise(ink.shape, 1.2, rng), 0, 1)
    return blend(wiped, ink * broken, CHALK)


def notebook(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Finish: blue ballpen on ruled paper; the lowest digit stands on a line."""
    height, width = ink.shape
    page = np.full((height, width, 3), NOTEBOOK_PAPER)
    spacing, baseline = height // 5, np.flatnonzero(ink.max(axis=1) > 0.5)[-1] + 2
    for row in range(baseline % spacing, height, spacing):
        page[row : row + 2] = RULE
    page[:, width // 9 : width // 9 + 2] = MARGIN
    return blend(page, ink, BLUE_INK)


def form_cell(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Finish: blue ballpen in one printed cell of a form."""
    height, width = ink.shape
    inset = width // 10
    page = np.full((height, width, 3), FORM_PAPER, np.uint8)
    cv2.rectangle(page, (inset, inset), (width - inset, height - inset), FORM_PRINT, thickness=3)
    return blend(page, ink, BLUE_INK)


def cells(count: int, width: int, height: int, printed: Colour, table: bool) -> Finish:
    """Return a finish: blue ballpen in printed cells, scanned.

    count: of the cells, in the middle of the image. width, height: of a cell with the space beside it, in pixels. table: whether
    the cells are columns of a table, whose lines end at the border of the image, or boxes one by one.
    """

    def finish(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
        rows, columns = ink.shape
        page = np.full((rows, columns, 3), FORM_PAPER, np.uint8)
        left, top = (columns - count * width) // 2, (rows - height) // 2
        for number in range(count):
            x = left + number * width
            if table:
                cv2.line(page, (x, 0), (x, rows), printed, thickness=2)
            else:
                cv2.rectangle(page, (x + width // 14, top), (x + width - width // 14, top + height), printed, thickness=2)
        if table:
            cv2.line(page, (left + count * width, 0), (left + count * width, rows), printed, thickness=2)
            for y in (top, top + height):
                cv2.line(page, (0, y), (columns, y), printed, thickness=2)
        scene = cv2.GaussianBlur(np.asarray(blend(page, ink, BLUE_INK), np.float32), (0, 0), SCAN_BLUR)
        scene += SCAN_GRAIN * noise(ink.shape, 0.7, rng)[..., None]
        return Image.fromarray(np.clip(np.rint(scene), 0, 255).astype(np.uint8))

    return finish


def photo(paper: Colour, absorption: tuple[float, float, float]) -> Finish:
    """Return a finish: a phone's photograph of a page, with uneven light, a soft shadow, slight blur and grain.

    absorption: fraction of the red, green and blue light that the ink absorbs.
    """

    def finish(ink: np.ndarray, rng: np.random.Generator) -> Image.Image:
        angle = rng.uniform(0, 2 * np.pi)
        shadow = ramp(ink.shape, angle + rng.uniform(-0.9, 0.9)) - rng.uniform(0.5, 0.75)
        light = 1 - 0.16 * ramp(ink.shape, angle) - 0.14 / (1 + np.exp(-16 * shadow))
        light += 0.006 * noise(ink.shape, 3, rng)
        scene: np.ndarray = np.asarray(paper) * light[..., None] * (1 - ink[..., None] * absorption)
        scene = cv2.GaussianBlur(scene, (0, 0), 1.2) + 4 * noise(ink.shape, 0.7, rng)[..., None]
        return Image.fromarray(np.clip(np.rint(scene), 0, 255).astype(np.uint8))

    return finish


@dataclass(frozen=True)
class Kind:
    """A kind of image: size (width, height), height of a digit and width of the pen in pixels, and the finish.

    cell: percent of a digit's height from one digit's middle to the next, 0 where they follow each other at a distance.
    """

    size: tuple[int, int]
    digit_height: int
    pen: float
    finish: Finish
    centre: tuple[float, float] = (0.5, 0.5)  # of the writing, as fractions of width and height
    smooth: bool = True  # False: no anti-aliasing and an even width, as with a mouse
    cell: float = 0.0


PAINT = Kind((320, 320), 220, 14, plain(WHITE, BLACK), smooth=False)
THIN_PEN = Kind((1000, 1000), 620, 16, plain(WHITE, BLACK))
MARKER = Kind((360, 400), 270, 46, plain(WHITE, (24, 24, 28)))
WHITE_ON_BLACK = Kind((280, 280), 190, 20, plain(BLACK, WHITE))
DARK_ON_TRANSPARENT = Kind((300, 300), 200, 16, transparent((20, 20, 60)))
LIGHT_ON_TRANSPARENT = Kind((300, 300), 200, 18, transparent((255, 255, 240)))
MINIATURE = Kind((28, 28), 20, 2.4, plain(WHITE, BLACK))
OFF_CENTRE = Kind((480, 360), 62, 6, plain(WHITE, BLACK), centre=(0.83, 0.24))
PENCIL = Kind((300, 320), 200, 8, pencil)
CHALKBOARD = Kind((640, 520), 300, 17, chalk)
NOTEBOOK = Kind((640, 480), 74, 6, notebook)
FORM = Kind((240, 280), 150, 8, form_cell)
# The absorptions make the ink 70 to 120 grey levels darker than the paper around it.
PHOTO_YELLOW = Kind((800, 600), 260, 12, photo((222, 213, 186), (0.64, 0.56, 0.36)), centre=(0.47, 0.53))
PHOTO_GREY = Kind((640, 800), 280, 14, photo((196, 197, 200), (0.56, 0.56, 0.54)), centre=(0.54, 0.46))
POSTCODE = Kind((600, 160), 78, 6, cells(5, 104, 116, POSTCODE_PRINT, table=False), cell=100 * 104 / 78)
TABLE = Kind((640, 180), 72, 6, cells(4, 128, 106, FORM_PRINT, table=True), cell=100 * 128 / 72)
PRICE_TAG = Kind((520, 260), 120, 11, photo((236, 214, 120), (0.7, 0.6, 0.4)))
LETTERHEAD = Kind((760, 200), 84, 6, photo((222, 222, 220), (0.75, 0.68, 0.42)))
WHITEBOARD = Kind((520, 300), 170, 15, plain((244, 246, 247), (28, 60, 120)))


@dataclass(frozen=True)
class Sample:
    """One image; its label are the digits and marks of its forms."""

    name: str
    kind: Kind
    forms: list[str]  # names in DIGIT_FORMS
    slant: float = 4.0  # degrees to the right
    uneven: float = 0.0  # percent of a digit's height
    sideways: bool = False  # the pixels lie on their side, and the EXIF orientation says so
    spacing: float = DIGIT_SPACING  # percent of a digit's height; below 0 neighbours overlap
    folder: str = ""  # "": the label

    @property
    def label(self) -> str:
        """Return the text in the image."""
        return "".join(form[0] for form in self.forms)

    @property
    def file(self) -> str:
        """Return the path below the output folder, FOLDER/NAME."""
        return f"{self.folder or self.label}/{self.name}"


SAMPLES = [
    Sample("paint_brush.png", PAINT, ["0 round"], 0),
    Sample("chalk_board.jpg", CHALKBOARD, ["0 not quite closed"]),
    Sample("thin_pen_narrow.png", THIN_PEN, ["0 narrow"], 12),
    Sample("paint_brush_plain.png", PAINT, ["1 plain"], 6),
    Sample("hooked_with_base_marker.png", MARKER, ["1 with base"], 0),
    Sample("hooked_ballpen_photo.jpg", PHOTO_YELLOW, ["1 hooked"], 8),
    Sample("white_on_black.png", WHITE_ON_BLACK, ["2 plain"]),
    Sample("looped_notebook.png", NOTEBOOK, ["2 looped"], 8),
    Sample("looped_pen_photo.jpg", PHOTO_GREY, ["2 looped"], 2),
    Sample("transparent_dark_ink.png", DARK_ON_TRANSPARENT, ["3 round"]),
    Sample("flat_topped_paint.png", PAINT, ["3 flat"], -4),
    Sample("miniature_28x28.png", MINIATURE, ["3 round"]),
    Sample("open_thin_pen.png", THIN_PEN, ["4 open"], 6),
    Sample("closed_phone_sideways_exif.jpg", PHOTO_GREY, ["4 closed"], 3, sideways=True),
    Sample("transparent_light_ink.png", LIGHT_ON_TRANSPARENT, ["4 open"], 0),
    Sample("form_cell.png", FORM, ["5 with cap"], 6),
    Sample("marker.png", MARKER, ["5 in one"], 2),
    Sample("ballpen_photo.jpg", PHOTO_YELLOW, ["5 with cap"], 9),
    Sample("pencil_faint.png", PENCIL, ["6 tall"], 6),
    Sample("chalk_board.jpg", CHALKBOARD, ["6 round"], 2),
    Sample("barred_ballpen_photo.jpg", PHOTO_YELLOW, ["7 barred"], 6),
    Sample("plain_white_on_black.png", WHITE_ON_BLACK, ["7 plain"]),
    Sample("miniature_28x28.png", MINIATURE, ["7 barred"]),
    Sample("s_and_back_paint.png", PAINT, ["8 as S and back"], 5),
    Sample("two_rings_transparent_light_ink.png", LIGHT_ON_TRANSPARENT, ["8 of two rings"], 0),
    Sample("s_and_back_pencil.png", PENCIL, ["8 as S and back"], 10),
    Sample("off_centre_small.png", OFF_CENTRE, ["9 straight"], 5),
    Sample("curled_tail_pen_photo.jpg", PHOTO_GREY, ["9 curled tail"], 2),
    Sample("form_cell.png", FORM, ["9 curled tail"], 4),
    Sample("phone.jpg", PHOTO_YELLOW, ["4 open", "2 plain"], 7),
    Sample("notebook.png", NOTEBOOK, ["2 looped", "0 narrow", "2 plain", "6 round"], 5, uneven=8),
    Sample("boxed_postcode.jpg", POSTCODE, ["8 of two rings", "0 round", "3 round", "3 flat", "1 hooked"], 3, uneven=3),
    Sample("table_row.jpg", TABLE, ["7 barred", "4 open", "9 curled tail", "6 tall"], 6, uneven=2),
    Sample("price_tag.jpg", PRICE_TAG, ["1 hooked", "2 plain", ". point", "5 with cap", "0 round"], 5, spacing=26),
    Sample("touching.png", WHITEBOARD, ["2 plain", "5 in one", "3 round"], 4, spacing=-5),
    Sample(
        "date.jpg",
        LETTERHEAD,
        ["2 looped", "5 in one", "/ slash", "0 round", "8 as S and back", "/ slash", "2 plain", "0 round", "2 plain", "6 round"],
        6,
        spacing=20,
        folder="dates",
    ),
]


def draw(sample: Sample) -> Image.Image:
    """Return the sample's image, upright; the same on every call."""
    rng = np.random.default_rng([SEED, zlib.crc32(sample.file.encode())])
    curves = write_number(sample, rng)
    return sample.kind.finish(draw_ink(curves, sample.kind, rng), rng)


def save(sample: Sample, folder: Path) -> int:
    """Write one sample below the folder and return the size of its file in bytes."""
    path = folder / sample.file
    path.parent.mkdir(parents=True, exist_ok=True)
    image, exif = draw(sample), Image.Exif()
    if sample.sideways:
        image = image.transpose(Image.Transpose.ROTATE_90)  # counter-clockwise
        exif[EXIF_ORIENTATION] = ROTATE_CLOCKWISE_TO_VIEW
    image.save(path, quality=JPEG_QUALITY, exif=exif, optimize=True)
    return path.stat().st_size


def add_labels(samples: Sequence[Sample], folder: Path) -> None:
    """Add the samples to the folder's labels.csv. Lines of other images stay as they are."""
    path = folder / "labels.csv"
    lines = path.read_text("utf-8").splitlines() if path.exists() else ["file,label"]
    listed = {row[0] for row in csv.reader(lines) if row}
    lines += [f"{sample.file},{sample.label}" for sample in samples if sample.file not in listed]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw all samples and print a line for each; return the exit code: 0, or 2 where the folder can't be written to."""
    parser = argparse.ArgumentParser(description="Draw the sample images from our own pen strokes.")
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="where the labelled folders go (default: beside this script)",
    )
    folder = parser.parse_args(argv).output_dir
    total = 0
    try:
        for sample in SAMPLES:
            size = save(sample, folder)
            total += size
            print(f"{sample.file:38} {size / 1000:5.1f} kB")
        add_labels([sample for sample in SAMPLES if sample.folder], folder)
    except OSError as error:
        print(
            f"Cannot write {error.filename or folder}: {error.strerror}. Expected a folder that can be written to: "
            "name another with --output-dir FOLDER.",
            file=sys.stderr,
        )
        return 2
    print(f"{len(SAMPLES)} images, {total / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
