"""What each ingredient of the augmentation gives: the default preset learns without it, and reads what people wrote.

    python benchmarks/ingredients.py                      all rows, about four minutes a row on two CPU cores
    python benchmarks/ingredients.py "all" "no bars"      these rows
    python benchmarks/ingredients.py --own-digits FOLDER  default: ../shared/own_digits

Each row is one training with train_model.py's settings at the default preset's length, the same seed, one thing left out.
No network here learns from the pictures that people made, so every writer is left out of every training; the spread over
writers is that of their own accuracies' differences from the row "all". MNIST is scored on validation pictures, never on
its test pictures: rows are there to choose by. Each row is written to benchmarks/results/ingredients.json as it ends, and a
row that is there already, made by the same code and settings, is not made again.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from record import RESULTS, facts  # first: it puts the project on the path

import train_model
from corruptions import CORRUPTIONS
from digits import augmentation, command_line, dataset, disturbances, files, letterforms, training
from digits.config import PROJECT
from digits.recognizer import Recognizer
from own_digits import find_items


def without(*left_out):
    """Return the disturbances but these."""
    return {kind: share for kind, share in disturbances.DISTURBANCES.items() if kind.__name__ not in left_out}


# Each row: what is set otherwise, by module and name.
ROWS = {
    "all": [],
    "no letterforms": [(letterforms, "SHARE", 0.0)],
    "no stroke width": [(augmentation, "THICKER", 0.0), (augmentation, "THINNER", 0.0)],
    "no elastic bending": [(augmentation, "ELASTIC", 0.0)],
    "no strong maps": [(augmentation, "STRONG_SHARE", 0.0)],
    "no pencil, no backgrounds": [(disturbances, "DISTURBANCES", without("pencil", "background", "band"))],
    "no noise, no blur": [(disturbances, "DISTURBANCES", without("noise", "blur", "coarse", "scatter"))],
    "no stray ink": [(disturbances, "DISTURBANCES", without("stray_lines", "neighbours", "blots"))],
    "no disturbances": [(disturbances, "DISTURBANCES", {})],
    "no pictures of no digit": [(training, "NOT_DIGITS", 0.0)],
    "nothing of all this": [(train_model, "AUGMENT", False)],
}
PICTURES = 2000  # validation pictures under each corruption; a mean over 17 of them is sure to 0.1 points


def train(data, folder):
    """Return a Recognizer of a network trained with train_model.py's settings as they are now, and the seconds it took."""
    from digits import network  # here: Keras takes seconds, and --help does without

    settings = train_model.settings_from(train_model.parse([]))
    splits = train_model.split_data(data, settings)
    model = network.build(*(settings[name] for name in train_model.NETWORK_SETTINGS), settings["SEED"])
    checkpoint = training.Checkpoint(folder / "checkpoint", settings)
    started = time.monotonic()
    training.fit(model, splits["training"], splits["validation"], settings, checkpoint, resume=False)
    seconds = time.monotonic() - started
    network.save(model, folder / "m.h5", folder / "m.tflite")
    card = train_model.fit_confidence(folder / "m.tflite", splits["validation"], settings["SEED"])
    return Recognizer(folder / "m.tflite", card=card), splits["validation"], seconds


def score(recognizer, validation, items):
    """Return the row's figures; own_digits as {writer: [right, pictures]}."""
    images, labels = validation
    probabilities, _, sure = recognizer.classify(images)
    corrupted = [
        np.mean(recognizer.classify(corrupt(images[:PICTURES], np.random.default_rng(1)))[0].argmax(axis=1) == labels[:PICTURES])
        for corrupt in CORRUPTIONS.values()
    ]
    bundled = dataset.bundled_digits()
    by_writer, unsure, barred = {}, 0, []
    for item in items:
        entry = recognizer.read(item.path)
        right = entry["text"] == item.label
        counts = by_writer.setdefault(item.writer, [0, 0])
        counts[0] += right
        counts[1] += 1
        unsure += entry["status"] == "unsure"
        if "barred7" in item.notes:
            barred.append(right)
    return {
        "validation": float(np.mean(probabilities.argmax(axis=1) == labels)),
        "validation_unsure": float(np.mean(~sure)),
        "corrupted": float(np.mean(corrupted)),
        "bundled": float(np.mean(recognizer.classify(bundled.x_train)[0].argmax(axis=1) == bundled.y_train)),
        "own_digits": by_writer,
        "own_digits_unsure": unsure / len(items),
        "barred_sevens": [int(np.sum(barred)), len(barred)],
    }


def differences(row, everything):
    """Return the mean over writers of a row's accuracy less that of the row "all", and its standard error."""
    by_writer = [
        np.divide(*row["own_digits"][writer]) - np.divide(*counts) for writer, counts in everything["own_digits"].items()
    ]
    return float(np.mean(by_writer)), float(np.std(by_writer, ddof=1) / np.sqrt(len(by_writer)))


def print_rows(rows):
    """Print the table of the rows that there are."""
    table = [("", "own digits", "by writer, less all", "unsure", "barred 7", "corrupted", "scikit-learn", "validation", "minutes")]
    for name, row in rows.items():
        right, n = np.sum(list(row["own_digits"].values()), axis=0)
        gain = "" if name == "all" or "all" not in rows else "{:+.2%} ± {:.2%}".format(*differences(row, rows["all"]))
        shares = [f"{100 * row[figure]:.2f} %" for figure in ("own_digits_unsure", "corrupted", "bundled", "validation")]
        barred = "{} / {}".format(*row["barred_sevens"])
        table.append((name, f"{right} / {n}", gain, shares[0], barred, *shares[1:], f"{row['seconds'] / 60:.1f}"))
    command_line.print_table(table)


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of: {', '.join(ROWS)} (default: all of them)")
    parser.add_argument("--own-digits", type=Path, default=PROJECT.parent / "shared" / "own_digits", help="people's pictures")
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    arguments = parser.parse_args(argv)
    for name in arguments.rows:
        if name not in ROWS:
            parser.error(f"no row {name!r}; there are: {', '.join(ROWS)}")
    return arguments


@command_line.exit_codes
def main(argv=None) -> int:
    """Train and score each row that is not there yet, print the table."""
    arguments = parse(argv)
    data, items = dataset.load(arguments.data), find_items(arguments.own_digits)
    path = RESULTS / "ingredients.json"
    settings = train_model.settings_from(train_model.parse([]))
    written = json.loads(path.read_bytes()) if path.exists() else {}
    rows = written.get("rows", {}) if written.get("settings") == settings else {}
    for name in arguments.rows or ROWS:
        if name in rows:
            continue
        print(f"\n{name}", file=sys.stderr)
        present = [(module, constant, getattr(module, constant)) for module, constant, _ in ROWS[name]]
        for module, constant, value in ROWS[name]:
            setattr(module, constant, value)
        with tempfile.TemporaryDirectory() as folder:
            recognizer, validation, seconds = train(data, Path(folder))
            rows[name] = {**score(recognizer, validation, items), "seconds": seconds}
        for module, constant, value in present:
            setattr(module, constant, value)
        files.write_json(path, {**facts("ingredients", argv), "settings": settings, "rows": rows})
    print_rows({name: rows[name] for name in ROWS if name in rows})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
