"""Read pictures without a digit: how many are called "not sure" or "empty", and how well the score tells letters from digits.

    python benchmarks/not_digits.py                       about a minute on two CPU cores
    python benchmarks/not_digits.py --output-dir outputs  also a sheet of the pictures, those that were read as digits first
    python benchmarks/not_digits.py --fonts FOLDER        with the fonts of this folder instead of those installed

All pictures are made by drawings.py, letters and other scripts from the fonts that it finds; which they were is printed and
kept in benchmarks/results/not_digits.json. A script for which no font is found is left out, and that is said.
AUROC is the share of pairs of an MNIST test digit and a letter in which the digit has the higher score. Letters come as
pictures that the project prepares (those in which it finds one piece of ink), and straight from the font in MNIST's form.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from record import add_flags, facts_with_model  # first: it puts the project on the path

import drawings
from digits import command_line, dataset, files
from digits.config import UserError
from digits.mnist_form import fit_into_box, place_by_mass
from digits.recognizer import Recognizer

SEED = 0
LETTER_VARIANTS = 40  # pictures of each letter, the fonts taking turns
SCRIPT_PICTURES = 40  # of each other script
DRAWN_VARIANTS = 8  # of each shape and object
PICTURES = 100  # of each of the other kinds
REFUSED = ("unsure", "empty")
FONTS_NAMED = 8  # of a kind, on the screen; all are in the JSON
SHEET_COLUMNS, SHEET_READ = 20, 12  # pictures a kind on the sheet, and how many of them may be such as were read


class Sample(NamedTuple):
    """A picture without a digit: what it shows, and of a letter also the ink, straight from the font."""

    kind: str
    what: str
    picture: object  # a Pillow image
    ink: np.ndarray | None = None


def samples(fonts):
    """Yield every Sample. fonts: {path: characters}. Each kind has a generator of its own: kinds don't change each other."""
    rng = np.random.default_rng([SEED, 0])
    paths = drawings.fonts_for(drawings.LETTERS, fonts)
    for i in range(LETTER_VARIANTS):
        for number, letter in enumerate(drawings.LETTERS):
            ink = drawings.written(letter, paths[(i + number) % len(paths)], rng)
            yield Sample("letters", letter, drawings.on_paper(ink, rng), ink)
    for number, (script, characters) in enumerate(drawings.SCRIPTS.items()):
        rng = np.random.default_rng([SEED, 1, number])
        paths = drawings.fonts_for(characters, fonts)
        for i in range(SCRIPT_PICTURES if paths else 0):
            ink = drawings.written(characters[i % len(characters)], paths[i % len(paths)], rng)
            yield Sample(script, characters[i % len(characters)], drawings.on_paper(ink, rng))

    rng = np.random.default_rng([SEED, 2])
    for _ in range(PICTURES):
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
        for _ in range(PICTURES):
            yield Sample(kind, "", drawings.image(make(int(rng.choice(drawings.PICTURE_SIDES)), rng)))


def mnist_form(ink):
    """Return ink, (SIDE, SIDE) float32, as MNIST would show it, (28, 28) uint8, without the project's preparation."""
    x, y, width, height = cv2.boundingRect((ink > 0.2).view(np.uint8))
    return place_by_mass(fit_into_box((255 * ink[y : y + height, x : x + width]).astype(np.uint8)))


def area_under_curve(digits, letters):
    """Return the share of pairs in which the digit's score is the higher one; a tie counts half (Mann and Whitney 1947)."""
    from sklearn.metrics import roc_auc_score  # here: the import takes a second

    truth = np.repeat([1, 0], [len(digits), len(letters)])
    return float(roc_auc_score(truth, np.concatenate([digits, letters])))


def sheet(read):
    """Return a figure with a row of pictures for each kind, those that were read as digits first and in red."""
    from matplotlib.figure import Figure  # here: the table does without

    kinds = list(dict.fromkeys(sample.kind for sample, _ in read))
    figure = Figure(figsize=(1.2 + 0.8 * SHEET_COLUMNS, 0.95 * len(kinds)), layout="constrained")
    for line, kind in zip(figure.subplots(len(kinds), SHEET_COLUMNS), kinds, strict=True):
        those = [(sample, entry) for sample, entry in read if sample.kind == kind]
        taken = [pair for pair in those if pair[1]["status"] not in REFUSED]
        refused = [pair for pair in those if pair[1]["status"] in REFUSED]
        taken = taken[:: -(-len(taken) // SHEET_READ)] if taken else []  # spread over all of them, as are the others
        refused = refused[:: max(1, len(refused) // (SHEET_COLUMNS - len(taken)))]
        for axes, (sample, entry) in zip(line, [*taken, *refused]):
            axes.imshow(sample.picture, vmin=0, vmax=255)
            colour = "#2a7f3e" if entry["status"] in REFUSED else "#c0392b"
            axes.set_title((entry["text"] or entry["status"])[:8], fontsize=7, color=colour)
        for axes in line:
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(kind, rotation=0, ha="right", va="center", fontsize=8)
    return figure


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="take the fonts in here (default: those installed)")
    parser.add_argument("--output-dir", type=Path, help="folder for the sheet (default: none is drawn)")
    add_flags(parser, "not_digits")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Draw, read, count, rank, print, write."""
    arguments = parse(argv)
    recognizer = Recognizer(arguments.model)
    data = dataset.load(arguments.data, parts=("test",))
    fonts = drawings.find_fonts(arguments.fonts)
    if not drawings.fonts_for(drawings.LETTERS, fonts):
        raise UserError("There is no font for the letters.\nExpected some: drawings.py names Debian's, or use --fonts FOLDER.")

    read, straight, prepared = [], [], []
    for sample in samples(fonts):
        entry = recognizer.read(sample.picture)
        read.append((sample, entry))
        if sample.ink is not None:
            straight.append(mnist_form(sample.ink))
            prepared += [entry["digits"][0]["score"]] if len(entry["digits"]) == 1 else []
    digits = recognizer.classify(data.x_test)[1]
    letters = {"prepared": np.array(prepared), "straight": recognizer.classify(np.stack(straight))[1]}

    kinds, rows = {}, [("kind", "pictures", "unsure", "empty", "refused")]
    for kind in [*dict.fromkeys(sample.kind for sample, _ in read), "all"]:
        statuses = [entry["status"] for sample, entry in read if kind in (sample.kind, "all")]
        counts = {"n": len(statuses), **{status: statuses.count(status) for status in REFUSED}}
        kinds[kind] = {**counts, "refused": (counts["unsure"] + counts["empty"]) / counts["n"]}
        rows.append((kind, *counts.values(), command_line.percent(kinds[kind]["refused"])))
    ranking = {name: {"letters": len(scores), "auroc": area_under_curve(digits, scores)} for name, scores in letters.items()}

    print(f"{recognizer.model_path.name}, threshold {recognizer.threshold:.3f}")
    command_line.print_table(rows)
    print("AUROC of the score, MNIST's test digits above letters:")
    rows = [(name, rank["letters"], f"{rank['auroc']:.4f}") for name, rank in ranking.items()]
    command_line.print_table([("letters", "n", "AUROC"), *rows])
    used = {"letters": drawings.LETTERS, **drawings.SCRIPTS}
    used = {kind: [Path(path).stem for path in drawings.fonts_for(characters, fonts)] for kind, characters in used.items()}
    for kind, names in used.items():
        more = f" and {len(names) - FONTS_NAMED} more" if len(names) > FONTS_NAMED else ""
        print(f"fonts for {kind}: {', '.join(names[:FONTS_NAMED]) or 'none, so it is left out'}{more}")
    result = {**facts_with_model("not_digits", argv, recognizer), "fonts": used, "kinds": kinds, "auroc": ranking}
    files.write_json(arguments.json, result)
    if arguments.output_dir:
        from digits import plots  # here: Matplotlib takes a second

        plots.save(sheet(read), arguments.output_dir / "not_digits.png")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
