"""What each ingredient of the training gives: the default preset learns without it, and reads what people wrote.

    python benchmarks/ingredients.py                      all rows with three seeds, 5 to 15 minutes a training on one core
    python benchmarks/ingredients.py "all" "Adam"         these rows
    python benchmarks/ingredients.py --seeds 42           this seed
    python benchmarks/ingredients.py --own-digits FOLDER --own-numbers FOLDER    default: both in ../shared

The row "all" is the default preset as seeds.py trains it. Each other row is trained with the same settings, and one thing left
out or done otherwise.
No network here learns from the images that people made, so every writer is left out of every training; the spread over
writers is that of their own accuracies' differences from the row "all". MNIST is scored on validation images, never on
its test images: rows are there to choose by. Each training is written to benchmarks/results/ingredients.json as it ends, and
one that is there already with the same settings is not made again: so they can be gathered over days, and by several of these
commands at a time, each with rows and a core of its own (taskset -c 0 python ...).
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from corruptions import CORRUPTIONS
from own_digits import find_items
from record import RESULTS, add_parts, facts  # first: it puts the project on the path
from seeds import model_of
from whole_numbers import SINGLE_KINDS, outcome_of
from whole_numbers import find_items as find_numbers

import train_model
from digits.augmentation import augment, corruptions, letterforms
from digits.cli import command_line
from digits.common import files
from digits.common.config import PROJECT
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.labels import matches
from digits.model import keras_files, network
from digits.model.card import ModelCard
from digits.model.network import keras
from digits.reading.reader import Reader
from digits.training import batches, loop, saving, schedule
from digits.training.checkpoint import Checkpoint
from digits.training.recipe import training_recipe


def without(*left_out):
    """Return the probabilities of all corruptions but these."""
    return {kind: share for kind, share in corruptions.CORRUPTION_PROBABILITIES.items() if kind.__name__ not in left_out}


def adam(rate):
    """Return the optimizer that Muon took the place of."""
    return keras.optimizers.Adam(rate)


class Averaging(loop.Muon):
    """The optimizer with an average of the weights in their place at the end (after Polyak and Juditsky 1992).

    The average is exponential, about the last 500 steps', an epoch's; batch normalization keeps its own statistics.
    """

    def __init__(self, rate):
        super().__init__(rate)
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = True, 0.998, None


def two_at_full_size(conv1_filters, conv2_filters, dense_units, dropout_rate, seed):
    """Return a network as of network.build, with two 3x3 convolutions before its first pooling (Simonyan and Zisserman 2015)."""
    from digits.model.network import _convolution as convolution
    from digits.model.network import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((28, 28, 1))
    x = network._blank_unless_white_on_black(network._scaled_by_maximum(inputs))
    x = convolution(x, conv1_filters, 3, "conv1a")
    x = convolution(x, conv1_filters, 3, "conv1b", pooled=True)
    x = convolution(x, conv2_filters, 3, "conv2a")
    x = network._squeeze_and_excitation(convolution(x, conv2_filters, 3, "conv2b", pooled=True), "weights2")
    x = network._squeeze_and_excitation(convolution(x, 2 * conv2_filters, 3, "conv3", padding="same"), "weights3")
    x = layers.Dropout(dropout_rate)(layers.Flatten(name="features")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name=network.OUTPUT_LAYER)(x))


def plain_at_the_end(images, labels, settings, epoch, augmented_epoch=loop.augmented_epoch):
    """Return what augmented_epoch does, but in the last epoch the images as they are, and no outliers."""
    last = epoch == settings.epochs - 1
    return augmented_epoch(images, labels, dataclasses.replace(settings, augment=False) if last else settings, epoch)


# Each row: what is set otherwise, by module and name.
ROWS = {
    "all": [],
    "no drawn digits": [(batches, "DRAWN_FRACTION", 0.0)],
    "no outlines": [(corruptions, "CORRUPTION_PROBABILITIES", without("outline"))],
    "no squeeze and excitation": [(network, "_squeeze_and_excitation", lambda feature_maps, name: feature_maps)],
    "no letterforms": [(letterforms, "CHANGED_FRACTION", 0.0)],
    "no stroke width": [(augment, "MAX_DILATION", 0.0), (augment, "MAX_EROSION", 0.0)],
    "no elastic bending": [(augment, "ELASTIC_STD", 0.0)],
    "no strong maps": [(augment, "STRONG_PROBABILITY", 0.0)],
    "no pencil, no backgrounds": [(corruptions, "CORRUPTION_PROBABILITIES", without("pencil", "background", "band_or_stripes"))],
    "no noise, no blur": [(corruptions, "CORRUPTION_PROBABILITIES", without("noise", "blur", "low_resolution", "glass_blur"))],
    "no stray ink": [(corruptions, "CORRUPTION_PROBABILITIES", without("stray_lines", "neighbours", "blots"))],
    "no corruptions": [(corruptions, "CORRUPTION_PROBABILITIES", {})],
    "no outliers": [(batches, "OUTLIERS_PER_DIGIT", 0.0)],
    "no augmentation": [(train_model, "AUGMENT", False)],  # nor drawn digits, nor outliers
    "last epoch plain": [(loop, "augmented_epoch", plain_at_the_end)],
    "no second phase": [(schedule, "SECOND_PHASE_FRACTION", 0.0)],
    "averaged weights": [(loop, "Muon", Averaging)],
    "Adam": [(loop, "Muon", adam), (train_model, "LEARNING_RATE", 0.005)],  # the rate that it had here before Muon
    "two at full size": [(network, "build", two_at_full_size)],
}
SEEDS = [42, 43, 44]
CORRUPTED_IMAGES = 2000  # validation images under each corruption; a mean over 17 of them is sure to 0.3 points


def train(splits, settings, folder):
    """Return a Reader with a network trained with these settings, its files in this folder."""
    model = network.build(
        settings.conv1_filters, settings.conv2_filters, settings.dense_units, settings.dropout_rate, settings.seed
    )
    checkpoint = Checkpoint(folder / "checkpoint", settings.to_json())
    loop.fit(model, splits.training, splits.validation, settings, checkpoint, resume=False)
    model.optimizer.finalize_variable_values(model.trainable_variables)  # the average, where one was kept
    saving.calibrate(model, splits.validation)
    keras_files.save(model, folder / "m.h5", folder / "m.tflite")
    threshold, _ = saving.score_validation(folder / "m.tflite", splits.validation, settings.seed)
    return Reader(folder / "m.tflite", ModelCard(threshold=threshold))


def score(reader, validation, items, numbers):
    """Return the row's figures; own_digits as {writer: [correct, images]}, numbers as [correct, images]."""
    images, labels = validation
    classify = reader.classifier.classify
    probabilities, _, sure = classify(images)
    corrupted = [
        np.mean(
            classify(corrupt(images[:CORRUPTED_IMAGES], np.random.default_rng(1))).probabilities.argmax(axis=1)
            == labels[:CORRUPTED_IMAGES]
        )
        for corrupt in CORRUPTIONS.values()
    ]
    bundled = dataset.bundled_digits()
    by_writer, unsure, barred = {}, 0, []
    for item in items:
        reading = reader.read(item.path)
        right = matches(reading.text, item.label)
        counts = by_writer.setdefault(item.writer, [0, 0])
        counts[0] += right
        counts[1] += 1
        unsure += reading.status == "unsure"
        if "barred7" in item.notes:
            barred.append(right)
    of_numbers = outcome_of([reader.read(item.path) for item in numbers], [item.label for item in numbers])
    return {
        "validation": float(np.mean(probabilities.argmax(axis=1) == labels)),
        "validation_unsure": float(np.mean(~sure)),
        "corrupted": float(np.mean(corrupted)),
        "bundled": float(np.mean(classify(bundled.x_train).probabilities.argmax(axis=1) == bundled.y_train)),
        "own_digits": by_writer,
        "own_digits_unsure": unsure / len(items),
        "barred_sevens": [int(np.sum(barred)), len(barred)],
        "numbers": [int(of_numbers.correct.sum()), len(numbers)],
        "numbers_unsure": float(np.mean(of_numbers.unsure)),
    }


def by_writer(runs):
    """Return each writer's accuracy, the mean over the runs: {writer: share}."""
    return {writer: np.mean([np.divide(*run["own_digits"][writer]) for run in runs]) for writer in runs[0]["own_digits"]}


def difference(by_seed, everything):
    """Return the mean over writers of a row's accuracy less that of the row "all" with the same seeds, and its standard error.

    by_seed, everything: {seed: figures}; the standard error is that between writers, not between seeds.
    """
    both = by_seed.keys() & everything.keys()
    ours, theirs = (by_writer([runs[seed] for seed in both]) for runs in (by_seed, everything))
    gains = [ours[writer] - theirs[writer] for writer in theirs]
    return float(np.mean(gains)), float(np.std(gains, ddof=1) / np.sqrt(len(gains)))


def mean_and_spread(shares):
    """Return "99.42 ± 0.03 %": mean and standard deviation; of one value itself."""
    spread = f" ± {100 * np.std(shares, ddof=1):.2f}" if len(shares) > 1 else ""
    return f"{100 * np.mean(shares):.2f}{spread} %"


def print_rows(rows):
    """Print the table. rows: {row: {seed: figures}}."""
    header = "", "seeds", "own digits", "less all", "unsure", "barred 7", "numbers", "corrupted", "scikit-learn", "validation"
    table = [header]
    for name, by_seed in rows.items():
        runs = list(by_seed.values())
        right, n = np.sum([list(run["own_digits"].values()) for run in runs], axis=1).T
        compared = name != "all" and by_seed.keys() & rows.get("all", {}).keys()
        gain = "{:+.2%} ± {:.2%}".format(*difference(by_seed, rows["all"])) if compared else ""
        columns = [
            mean_and_spread([run[figure] for run in runs])
            for figure in ("own_digits_unsure", "corrupted", "bundled", "validation")
        ]
        barred = np.mean([run["barred_sevens"] for run in runs], axis=0)
        barred = f"{barred[0]:.1f} / {barred[1]:.0f}"
        read_numbers, all_numbers = np.mean([run["numbers"] for run in runs], axis=0)
        of_numbers = f"{read_numbers:.1f} / {all_numbers:.0f}"
        table.append((name, len(runs), f"{np.mean(right):.1f} / {n[0]}", gain, columns[0], barred, of_numbers, *columns[1:]))
    command_line.print_table(table)


def read(path, settings):
    """Return what is noted so far: {row: {seed: figures}}. Raises UserError where that was with other settings."""
    written = json.loads(path.read_bytes()) if path.exists() else {"settings": settings, "rows": {}}
    if written["settings"] != settings:
        raise UserError(
            f"{path} holds rows of other settings.\nExpected the same ones. Move it away, and the rows are made anew."
        )
    return written["rows"]


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    add_parts(parser, ROWS, "row")
    parser.add_argument("--seeds", nargs="+", type=command_line.seed, default=SEEDS, help="(default: 42 to 44)")
    parser.add_argument("--own-digits", type=Path, default=PROJECT.parent / "shared" / "own_digits", help="people's images")
    parser.add_argument("--own-numbers", type=Path, default=PROJECT.parent / "shared" / "own_numbers", help="the same: numbers")
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Train and score what is not there yet, print the table."""
    arguments = parse(argv)
    data, items = dataset.load(arguments.data), find_items(arguments.own_digits)
    numbers = [item for item in find_numbers([arguments.own_numbers]) if item.kind not in SINGLE_KINDS]
    path = RESULTS / "ingredients.json"
    settings = train_model.settings_from(train_model.parse([])).to_json() | training_recipe()
    settings = json.loads(json.dumps({name: value for name, value in settings.items() if name != "SEED"}))
    for seed in arguments.seeds:  # the rows take turns, so that all have as many seeds whenever it is stopped
        for name in arguments.parts:
            if str(seed) in read(path, settings).get(name, {}):
                continue
            print(f"\n{name}, seed {seed}", file=sys.stderr)
            present = [(module, constant, getattr(module, constant)) for module, constant, _ in ROWS[name]]
            for module, constant, value in ROWS[name]:
                setattr(module, constant, value)
            of_training = train_model.settings_from(train_model.parse(["--seed", str(seed)]))
            splits = dataset.split(data, of_training.validation_split, seed)
            with tempfile.TemporaryDirectory() as folder:
                if ROWS[name]:
                    reader = train(splits, of_training, Path(folder))
                else:
                    reader = Reader(model_of("default", seed, arguments.data).with_suffix(".tflite"))
                figures = {**score(reader, splits.validation, items, numbers), **facts("ingredients", argv)}
            rows = read(path, settings)  # again, for another command may have added to it
            rows.setdefault(name, {})[str(seed)] = figures
            for module, constant, value in present:
                setattr(module, constant, value)
            files.write_json(path, {"settings": settings, "rows": rows})
    rows = read(path, settings)
    print_rows({name: rows[name] for name in ROWS if name in rows})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
