"""Learn handwritten digits from MNIST and save the model.

    python train_model.py                    four to twelve minutes on one CPU core
    python train_model.py --preset best      an hour or more: the preset of the shipped model
    python train_model.py --epochs 2         a first attempt
    python train_model.py --resume           go on with an interrupted training, to the same weights
    python train_model.py --fine-tune custom_digits   learn your handwriting from your own images: a few minutes
    python train_model.py --quantize         also save it with 8-bit numbers, a quarter of the size
    python train_model.py --eye              train the number reader, which finds digits and marks in images: an hour or more
    python train_model.py --eye --resume     train it further, for as long again
    python train_model.py --line-reader      train the line reader, which reads each number a second time: an hour or more

It writes models/digit_recognition_model.h5, the same as .tflite for fast starts and phones, and .json (the model's
card), and draws dataset_overview, training_history and sample_predictions in outputs/. With --eye it writes
models/number_reader.h5, .tflite and .json and draws nothing, with --line-reader models/line_reader.h5, .tflite and .json. The
last lines, of the run that made the shipped model (--preset best --seed 42, on one of two x86 cores, no GPU, other work on the
other):

    saved
      digit_recognition_model.h5      974 kB
      digit_recognition_model.tflite  888 kB
      digit_recognition_model.json     17 kB

    learned in 81.3 minutes
      validation:  5,975 / 5,999 (99.60 %)
      test:        9,962 / 10,000 (99.62 %)

    figures: outputs
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digits.cli import command_line, fine_tune, print_training, quantize
from digits.cli.bring_back import command_to_bring_back
from digits.cli.train_reader_network import train_reader_network
from digits.common import formatting
from digits.common.config import (
    BUNDLED_MODEL_NAME,
    LINE_READER_NAME,
    MODEL_NAME,
    MODELS_DIR,
    NUM_CLASSES,
    NUMBER_READER_NAME,
    OUTPUTS_DIR,
)
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.array_files import ARRAYS
from digits.data.dataset import Dataset, Split, Splits
from digits.data.mnist import MnistNotFound
from digits.model import lookup, store
from digits.model.card import EpochRecord, ModelCard
from digits.model.classifier import Classifier
from digits.model.lookup import LINE_READER, NUMBER_READER
from digits.training import saving
from digits.training.settings import TrainingSettings

# ---- settings: change them here; flags change some of them for one run -----------------------------------------
# Those of the network, the learning rate and the epochs were set by hand, together, and measured as a whole:
# benchmarks/results/seeds.json.
PRESET = "default"  # "default", "best" or "tiny"; PRESETS says what the other two set differently
EPOCHS = 12  # passes over the training images, 1 or more
BATCH_SIZE = 128  # images a step, 1 or more; that of Keras' MNIST example
VALIDATION_SPLIT = 0.1  # fraction of the training images kept for validation, above 0 and below 1; that of Keras' example
LEARNING_RATE = 0.01  # the highest, above 0; it rises to this and falls to zero
CONV1_FILTERS = 16  # channels of the first stage, 1 or more
CONV2_FILTERS = 32  # channels of the second stage, 1 or more; the third stage has twice as many
DENSE_UNITS = 0  # width of the last hidden layer, 0 for none
DROPOUT_RATE = 0.3  # fraction of the features hidden from the output while learning, 0 to below 1
AUGMENT = True  # True: new variants of the images in each epoch, drawn digits and outliers; False: the images as they are
SEED = 42  # 0 to 4294967295; the same seed gives the same model on the same processor, byte for byte

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "best": {"EPOCHS": 56, "CONV1_FILTERS": 32, "CONV2_FILTERS": 76},  # at most as large as the classic CNN of 225,034 parameters
    "tiny": {"EPOCHS": 28, "CONV1_FILTERS": 10, "CONV2_FILTERS": 19},  # below 20,000 parameters
}
BUNDLED_EPOCHS_FACTOR = 5  # the 1,400 bundled digits are a fortieth of MNIST, so five times as many epochs still take less time
# Of --eye and --line-reader, 500 steps an epoch: 80 to 100 minutes on two cores; one or two epochs are a first try. The other
# settings stand in digits/training/composed_training.py.
NUMBER_READER_EPOCHS, LINE_READER_EPOCHS = 20, 13
OVERVIEW_IMAGES = 1000  # training images of which dataset_overview.png shows some as an epoch does
# Of MNIST's test images; a run that reads fewer says so. Below the worst seed of each preset so far: 99.47, 99.60 and 99.38 %
# (benchmarks/results/seeds.json).
FLOORS = {"default": 0.993, "best": 0.995, "tiny": 0.99}

# Which flags the other modes refuse, and why.
SAVED_SETTINGS = "it takes the settings of the saved model"
OWN_SETTINGS = "its settings stand in digits/training/composed_training.py"
OF_READERS = {
    "--fine-tune": "only the digit network can be fine-tuned",
    "--quantize": "only the digit network has an 8-bit version",
    "--preset": OWN_SETTINGS,
    "--batch-size": OWN_SETTINGS,
    "--output-dir": "it draws no figures",
}
REFUSED_FLAGS = {
    "--eye": {"--line-reader": "give one after the other", **OF_READERS},
    "--line-reader": OF_READERS,
    "--fine-tune": {
        "--quantize": "give one after the other",
        "--output-dir": "it draws no figures",
        "--resume": "a fine-tuning takes minutes and is not resumed; the same command without it starts anew",
        **dict.fromkeys(("--preset", "--epochs", "--batch-size", "--seed"), SAVED_SETTINGS),
    },
    "--quantize": {
        "--output-dir": "it draws no figures",
        "--resume": "there is nothing to go on with; the same command without it starts anew",
        **dict.fromkeys(("--preset", "--epochs", "--batch-size", "--seed"), SAVED_SETTINGS),
    },
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--preset", choices=PRESETS, help=f"a set of settings; best learns for an hour or more (default: {PRESET})"
    )
    parser.add_argument(
        "--data", type=command_line.path, metavar="PATH", help="an .npz, or a folder of IDX files like MNIST's (default: MNIST)"
    )
    parser.add_argument("--epochs", type=command_line.positive_integer, metavar="N", help="passes over the training images")
    parser.add_argument(
        "--batch-size", type=command_line.positive_integer, metavar="N", help="images a step; fewer take less memory"
    )
    parser.add_argument(
        "--seed", type=command_line.seed, metavar="N", help=f"the same seed gives the same model (default: {SEED})"
    )
    parser.add_argument("--model", type=command_line.h5_path, metavar="FILE", help="the .h5 to write")
    parser.add_argument(
        "--output-dir", type=command_line.path, metavar="FOLDER", help="folder for a training's figures (default: outputs)"
    )
    resume_help = (
        "go on with an interrupted training, with the same other flags; "
        "with --eye and --line-reader, else with the network in place"
    )
    parser.add_argument("--resume", action="store_true", help=resume_help)
    fine_tune_help = "teach the saved model your handwriting: a labelled folder such as custom_digits, or an .npz"
    parser.add_argument("--fine-tune", type=command_line.path, metavar="FOLDER_OR_DATA", help=fine_tune_help)
    parser.add_argument("--quantize", action="store_true", help="save an 8-bit copy of the saved model")
    eye_help = f"train the number reader, {NUMBER_READER_NAME}, which finds digits and marks in images, not the digit network"
    parser.add_argument("--eye", action="store_true", help=eye_help)
    line_reader_help = (
        f"train the line reader, {LINE_READER_NAME}, which reads the lines that the number reader finds a second time"
    )
    parser.add_argument("--line-reader", action="store_true", help=line_reader_help)
    arguments = parser.parse_args(argv)
    refuse_flags_of_other_modes(parser, arguments)
    name = NUMBER_READER_NAME if arguments.eye else LINE_READER_NAME if arguments.line_reader else MODEL_NAME
    arguments.model = arguments.model or MODELS_DIR / f"{name}.h5"
    arguments.preset = arguments.preset or PRESET
    arguments.output_dir = arguments.output_dir or OUTPUTS_DIR
    return arguments


def refuse_flags_of_other_modes(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with a message where a flag is given that the mode does not know."""
    for mode, reasons in REFUSED_FLAGS.items():
        for flag, reason in reasons.items():
            values = [getattr(arguments, name[2:].replace("-", "_")) for name in (mode, flag)]
            if not any(value is None or value is False for value in values):  # a seed of 0 was given
                parser.error(f"leave {flag} away with {mode}: {reason}")


def settings_from(arguments: argparse.Namespace) -> TrainingSettings:
    """Return the effective settings: the constants above, then the preset's, then the flags. Raises UserError."""
    if arguments.preset not in PRESETS:
        raise UserError(
            f"PRESET is {arguments.preset!r}.\nExpected one of {', '.join(PRESETS)}. It stands at the top of train_model.py."
        )
    settings = TrainingSettings(
        preset=arguments.preset,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        validation_split=VALIDATION_SPLIT,
        learning_rate=LEARNING_RATE,
        conv1_filters=CONV1_FILTERS,
        conv2_filters=CONV2_FILTERS,
        dense_units=DENSE_UNITS,
        dropout_rate=DROPOUT_RATE,
        augment=AUGMENT,
        seed=SEED,
    )
    flags = {"EPOCHS": arguments.epochs, "BATCH_SIZE": arguments.batch_size, "SEED": arguments.seed}
    given = {name: value for name, value in flags.items() if value is not None}
    return TrainingSettings.from_json(settings.to_json() | PRESETS[arguments.preset] | given)


def load_data(arguments: argparse.Namespace) -> tuple[Dataset, Path]:
    """Return the data and the path of the model to write; where MNIST can't be had, the bundled digits and their own model."""
    try:
        return dataset.load(arguments.data), arguments.model
    except MnistNotFound as problem:
        print(f"{problem}\n\nUntil then: learning the 1,797 small digits that scikit-learn brings along.", file=sys.stderr)
        return dataset.bundled_digits(), arguments.model.with_name(f"{BUNDLED_MODEL_NAME}.h5")


def print_data(data: Dataset, splits: Splits) -> None:
    """Print the arrays' shapes, and the number of images by digit and split."""
    print(f"\ndata: {data.name}")
    command_line.print_table([(name, getattr(data, name).shape, getattr(data, name).dtype) for name in ARRAYS])
    rows: list[tuple] = [("", *range(NUM_CLASSES), "all")]
    for name, split in splits._asdict().items():
        counts = np.bincount(split.labels, minlength=NUM_CLASSES)
        rows.append((name, *(f"{count:,}" for count in counts), f"{len(split.labels):,}"))
    print("\nimages")
    command_line.print_table(rows)


def train(
    data: Dataset, splits: Splits, settings: TrainingSettings, model_path: Path, resume: bool, output_dir: Path
) -> ModelCard:
    """Draw what is learned from, train, save; return the new model's card. Raises KeyboardInterrupt after Ctrl-C."""
    from digits.evaluation.figures.style import save
    from digits.evaluation.figures.training import dataset_overview
    from digits.model import network  # here: Keras takes seconds, and --help and mistakes are answered without it
    from digits.training import batches, loop, recipe
    from digits.training.checkpoint import Checkpoint

    images, labels = (part[:OVERVIEW_IMAGES] for part in splits.training)
    learned = Split(*next(batches.augmented_epoch(images, labels, settings, epoch=0)))
    save(dataset_overview(data.name, splits, learned), output_dir / "dataset_overview.png")
    model = network.build(
        settings.conv1_filters, settings.conv2_filters, settings.dense_units, settings.dropout_rate, settings.seed
    )
    print("\nnetwork")
    command_line.print_table([("layer", "output", "parameters"), *network.layer_table(model)])
    print()

    def print_epoch(number: int, record: EpochRecord, seconds_left: float) -> None:
        measured = f"accuracy {100 * record.accuracy:5.2f} %   validation {100 * record.val_accuracy:5.2f} %"
        print(print_training.epoch_line(number, settings.epochs, measured, record.seconds, seconds_left), flush=True)

    identity = settings.to_json() | {"pictures": data.fingerprint()} | recipe.training_recipe()
    checkpoint = Checkpoint(store.checkpoint_folder(model_path), identity)
    print_training.say_if_discarded(checkpoint, resume)
    history = loop.fit(model, splits.training, splits.validation, settings, checkpoint, resume, print_epoch)
    card = saving.save(model, model_path, data, splits, settings, history)
    checkpoint.remove()
    return card


def print_result(model_path: Path, card: ModelCard, earlier_card: ModelCard | None) -> None:
    """Print what was saved and what it scores, beside the model that it replaces."""
    print_training.print_saved(model_path, card.seconds)
    rows = [(f"{name}:", formatting.count_and_rate(getattr(card, name))) for name in ("validation", "test")]
    if earlier_card and earlier_card.test:
        before = formatting.count_and_rate(earlier_card.test)
        rows.append(("test, model before:", f"{before}, kept in {store.previous_folder(model_path)}"))
    command_line.print_table(rows)
    if earlier_card and reads_more(earlier_card, card):
        command = command_to_bring_back(model_path)
        print(f"\nThe model before reads more of the validation images. To bring it back:\n  {command}")


def reads_more(earlier_card: ModelCard, card: ModelCard) -> bool:
    """Return whether the earlier model reads more validation images: only these decide, and only where both had the same ones."""
    origins = [(one.data, (one.settings or {}).get("VALIDATION_SPLIT"), one.seed) for one in (earlier_card, card)]
    if origins[0] != origins[1] or not earlier_card.validation or not card.validation:
        return False
    return earlier_card.validation.correct > card.validation.correct


def draw_result(model_path: Path, card: ModelCard, settings: TrainingSettings, splits: Splits, output_dir: Path) -> None:
    """Draw training_history.png and sample_predictions.png."""
    from digits.evaluation.figures.scores import one_of_each_digit, predictions_at
    from digits.evaluation.figures.style import save
    from digits.evaluation.figures.training import training_history
    from digits.training.schedule import second_phase_epochs

    first_phase = settings.epochs - second_phase_epochs(settings.epochs)
    save(training_history(card.history or (), settings.augment, first_phase), output_dir / "training_history.png")
    images, labels = splits.test
    samples = [int(np.flatnonzero(labels == digit)[0]) for digit in np.unique(labels)]
    probabilities = Classifier(model_path.with_suffix(".tflite")).classify(images[samples]).probabilities
    predictions = predictions_at(images[samples], labels[samples], probabilities, range(len(samples)))
    title = f"{card.data}: the first test image of each digit"
    save(one_of_each_digit(title, predictions), output_dir / "sample_predictions.png")


def train_digit_network(arguments: argparse.Namespace) -> int:
    """Load the data, train, save and score, print, draw. Returns an exit code."""
    settings = settings_from(arguments)
    data, model_path = load_data(arguments)
    if data.name == dataset.BUNDLED and arguments.epochs is None:
        settings = dataclasses.replace(settings, epochs=BUNDLED_EPOCHS_FACTOR * settings.epochs)
    with store.lock(model_path):
        earlier_card = store.recover_and_load_card(model_path)
        lookup.check_kind(model_path, earlier_card, lookup.DIGIT_NETWORK, print_training.OTHER_KIND_IN_PLACE)
        splits = dataset.split(data, settings.validation_split, settings.seed)
        print_data(data, splits)
        print("\nsettings")
        command_line.print_table(settings.to_json().items())
        try:
            card = train(data, splits, settings, model_path, arguments.resume, arguments.output_dir)
        except KeyboardInterrupt:
            return print_training.say_interrupted(arguments.resume)
        print_result(model_path, card, earlier_card)
        draw_result(model_path, card, settings, splits, arguments.output_dir)
    print(f"\nfigures: {arguments.output_dir}")
    floor = FLOORS.get(settings.preset)
    if floor and data.is_mnist and card.test and card.test.accuracy < floor:
        print(
            f"This is less than the {100 * floor:.1f} % that the preset is good for.\n"
            "More epochs help, or the settings as they were."
        )
    return command_line.DONE


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Train, or do what another mode's flag asks for."""
    arguments = parse(argv)
    if arguments.fine_tune:
        return fine_tune.fine_tune(arguments.model, arguments.fine_tune, arguments.data)
    if arguments.quantize:
        return quantize.quantize(arguments.model, arguments.data)
    if arguments.eye or arguments.line_reader:
        kind, epochs = (NUMBER_READER, NUMBER_READER_EPOCHS) if arguments.eye else (LINE_READER, LINE_READER_EPOCHS)
        seed = SEED if arguments.seed is None else arguments.seed
        return train_reader_network(kind, arguments.model, arguments.data, arguments.epochs or epochs, seed, arguments.resume)
    return train_digit_network(arguments)


if __name__ == "__main__":
    sys.exit(main())
