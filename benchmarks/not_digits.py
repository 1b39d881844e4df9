"""Read outliers, images without a digit: how many are "unsure" or "empty", and how well the score separates letters from digits.

    python benchmarks/not_digits.py                       about a minute on two CPU cores
    python benchmarks/not_digits.py --output-dir outputs  also a sheet of the images, those that were read as digits first
    python benchmarks/not_digits.py --fonts FOLDER        with the fonts of this folder instead of those installed

All images are made by drawings.py, letters and other scripts from the fonts that it finds; which they were is printed and
kept in benchmarks/results/not_digits.json. A script for which no font is found is left out, and that is said.
AUROC is the fraction of pairs of an MNIST test digit and a letter in which the digit has the higher score. Letters are scored
twice: as images that are read like any other (those in which one digit is found), and as the font draws them, in MNIST's format.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import drawings
import numpy as np
from PIL import Image
from record import add_flags, facts_with_model  # first: it puts the project on the path

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.mnist_format import centre_by_mass, size_normalise
from digits.reading.reader import Reader
from digits.reading.results import Reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 0
LETTER_VARIANTS = 40  # images of each letter, the fonts taking turns
SCRIPT_IMAGES = 40  # of each other script
DRAWN_VARIANTS = 8  # of each shape and object
IMAGES = 100  # of each of the other kinds
REJECTED = ("unsure", "empty")
FONTS_NAMED = 8  # of a kind, on the screen; all are in the JSON
SHEET_COLUMNS, SHEET_READ = 20, 12  # images of a kind on the sheet; how many of them at most were read as digits


class Sample(NamedTuple):
    """An image without a digit: what it shows, and of a letter also its ink as the font draws it."""

    kind: str
    what: str
    image: Image.Image
    ink: np.ndarray | None = None


def samples(fonts: Mapping[str, set[str]]) -> Iterator[Sample]:
    """Yield every Sample. fonts: {path: characters}. Each kind has a generator of its own: kinds don't change each other.

    Raises UserError where there is no font for the letters.
    """
    rng = np.random.default_rng([SEED, 0])
    paths = drawings.fonts_for(drawings.LETTERS, fonts)
    if not paths:
        raise UserError(
            "There is no font for the letters.\nExpected some: drawings.py names Debian's, or not_digits.py --fonts FOLDER."
        )
    for i in range(LETTER_VARIANTS):
        for number, letter in enumerate(drawings.LETTERS):
            ink = drawings.written(letter, paths[(i + number) % len(paths)], rng)
            yield Sample("letters", letter, drawings.on_paper(ink, rng), ink)
    for number, (script, characters) in enumerate(drawings.SCRIPTS.items()):
        rng = np.random.default_rng([SEED, 1, number])
        paths = drawings.fonts_for(characters, fonts)
        for i in range(SCRIPT_IMAGES if paths else 0):
            ink = drawings.written(characters[i % len(characters)], paths[i % len(paths)], rng)
            yield Sample(script, characters[i % len(characters)], drawings.on_paper(ink, rng))

    rng = np.random.default_rng([SEED, 2])
    for _ in range(IMAGES):
        yield Sample("scribbles", "", drawings.on_paper(drawings.pen(drawings.scribble(rng), rng), rng))
    for kind, drawn in (("shapes", drawings.SHAPES), ("objects", drawings.OBJECTS)):
        rng = np.random.default_rng([SEED, 3, len(kind)])
        for i in range(DRAWN_VARIANTS):
            for what, strokes in drawn.items():
                filled = what in drawings.SOLID and i % 4 == 3
                yield Sample(kind, what, drawings.on_paper(drawings.pen(strokes, rng, filled), rng))
    pages = {"blank paper": drawings.paper, "ruled paper": drawings.ruled_paper}
    pages |= {"noise": drawings.noise, "textures": drawings.texture}
    for number, (kind, make) in enumerate(pages.items()):
        rng = np.random.default_rng([SEED, 4, number])
        for _ in range(IMAGES):
            yield Sample(kind, "", drawings.image(make(int(rng.choice(drawings.IMAGE_SIDES)), rng)))


def mnist_format(ink: np.ndarray) -> np.ndarray:
    """Return ink, (SIDE, SIDE) float32, as MNIST would show it, (28, 28) uint8, without the project's preprocessing."""
    x, y, width, height = cv2.boundingRect((ink > 0.2).view(np.uint8))
    return centre_by_mass(size_normalise((255 * ink[y : y + height, x : x + width]).astype(np.uint8)))


def area_under_curve(digits: np.ndarray, letters: np.ndarray) -> float:
    """Return the fraction of pairs in which the digit's score is higher; a tie counts half (Mann and Whitney 1947)."""
    from sklearn.metrics import roc_auc_score  # here: the import takes a second

    truth = np.repeat([1, 0], [len(digits), len(letters)])
    return float(roc_auc_score(truth, np.concatenate([digits, letters])))


def sheet(read: Sequence[tuple[Sample, Reading]]) -> "Figure":
    """Return a figure with a row of images for each kind, those that were read as digits first and in vermillion."""
    from digits.evaluation.figures.style import CORRECT, SMALL_SIZE, TINY_SIZE, WRONG, Canvas  # here: Matplotlib takes a second

    kinds = list(dict.fromkeys(sample.kind for sample, _ in read))
    cell, height, names = 0.72, 0.9, 1.0  # inches
    subtitle = "Above each image: what was read. Blue: rejected as unsure or empty. Vermillion: read as digits."
    canvas = Canvas("Images without a digit", subtitle, names + SHEET_COLUMNS * cell, len(kinds) * height)
    for row, kind in enumerate(kinds):
        of_kind = [(sample, reading) for sample, reading in read if sample.kind == kind]
        accepted = [pair for pair in of_kind if pair[1].status not in REJECTED]
        rejected = [pair for pair in of_kind if pair[1].status in REJECTED]
        accepted = accepted[:: -(-len(accepted) // SHEET_READ)] if accepted else []  # spread over all of them, as are the others
        rejected = rejected[:: max(1, len(rejected) // (SHEET_COLUMNS - len(accepted)))]
        canvas.text(0, row * height + 0.45, kind, fontsize=SMALL_SIZE)
        for column, (sample, reading) in enumerate([*accepted, *rejected][:SHEET_COLUMNS]):
            axes = canvas.axes(names + column * cell, row * height + 0.2, cell - 0.08, cell - 0.08)
            axes.imshow(sample.image, vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, linewidth=0.5)
            colour = CORRECT if reading.status in REJECTED else WRONG
            title = (reading.text or reading.status)[:8]
            axes.set_title(title, fontsize=TINY_SIZE, fontweight="normal", color=colour, pad=2)
    return canvas.figure


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="take the fonts in here (default: those installed)")
    parser.add_argument("--output-dir", type=Path, help="folder for the sheet (default: none is drawn)")
    add_flags(parser, "not_digits")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Draw, read, count, rank, print, write."""
    arguments = parse(argv)
    reader = Reader(arguments.model)
    classifier = reader.classifier
    data = dataset.load(arguments.data, parts=("test",))
    fonts = drawings.find_fonts(arguments.fonts)

    read, straight, prepared = [], [], []
    for sample in samples(fonts):
        reading = reader.read(sample.image)
        read.append((sample, reading))
        if sample.ink is not None:
            straight.append(mnist_format(sample.ink))
            prepared += [reading.digits[0].log_odds] if len(reading.digits) == 1 else []
    digits = classifier.classify(data.x_test).log_odds
    letters = {"prepared": np.array(prepared), "straight": classifier.classify(np.stack(straight)).log_odds}

    kinds, rows = {}, [("kind", "images", "unsure", "empty", "rejected")]
    for kind in [*dict.fromkeys(sample.kind for sample, _ in read), "all"]:
        statuses = [reading.status for sample, reading in read if kind in (sample.kind, "all")]
        counts = {"n": len(statuses), **{status: statuses.count(status) for status in REJECTED}}
        kinds[kind] = {**counts, "refused": (counts["unsure"] + counts["empty"]) / counts["n"]}
        rows.append((kind, *counts.values(), formatting.percent(kinds[kind]["refused"])))
    ranking = {name: {"letters": len(scores), "auroc": area_under_curve(digits, scores)} for name, scores in letters.items()}

    print(f"{classifier.model_path.name}, threshold {classifier.threshold:.3f}")
    command_line.print_table(rows)
    print("AUROC of the score, MNIST's test digits above letters:")
    rows = [(name, rank["letters"], f"{rank['auroc']:.4f}") for name, rank in ranking.items()]
    command_line.print_table([("letters", "n", "AUROC"), *rows])
    used = {"letters": drawings.LETTERS, **drawings.SCRIPTS}
    used = {kind: [Path(path).stem for path in drawings.fonts_for(characters, fonts)] for kind, characters in used.items()}
    for kind, names in used.items():
        more = f" and {len(names) - FONTS_NAMED} more" if len(names) > FONTS_NAMED else ""
        print(f"fonts for {kind}: {', '.join(names[:FONTS_NAMED]) or 'none, so it is left out'}{more}")
    result = {**facts_with_model("not_digits", argv, classifier), "fonts": used, "kinds": kinds, "auroc": ranking}
    files.write_json(arguments.json, result)
    if arguments.output_dir:
        from digits.evaluation.figures.style import save  # here: Matplotlib takes a second

        save(sheet(read), arguments.output_dir / "not_digits.png")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
