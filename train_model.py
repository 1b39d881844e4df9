"""Learn handwritten digits from MNIST and save the model.

    python train_model.py                    less than five minutes on two CPU cores
    python train_model.py --preset best      less than an hour: the preset of the model that is shipped
    python train_model.py --epochs 2         a first try
    python train_model.py --resume           go on after a break, to the very same weights

It writes models/digit_recognition_model.h5, the same as .tflite for fast starts and phones, and .json (the model's
card), and draws dataset_overview, training_history and sample_predictions in outputs/. The last lines, of the run that
made the shipped model (two x86 cores, no GPU, beside other work):

    saved
      digit_recognition_model.h5      942 kB
      digit_recognition_model.tflite  875 kB
      digit_recognition_model.json     16 kB

    learned in 54.5 minutes
      validation:          5,967 / 5,999 (99.47 %)
      test:                9,958 / 10,000 (99.58 %)
"""

import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from digits import command_line, dataset, model_files
from digits.config import BUNDLED_MODEL_NAME, MODEL_NAME, MODELS_DIR, NUM_CLASSES, OUTPUTS_DIR, UserError
from digits.recognizer import Recognizer, calibrate, fit_temperature, fit_threshold

# ---- settings: change them here; flags change some of them for one run -----------------------------------------
PRESET = "default"  # "default", "best" or "tiny"; PRESETS says what the other two set differently
EPOCHS = 12  # times through the training pictures, 1 or more
BATCH_SIZE = 128  # pictures a step, 1 or more
VALIDATION_SPLIT = 0.1  # share of the training pictures kept for validation, above 0 and below 1
LEARNING_RATE = 0.01  # the highest; it rises to this and falls to zero
CONV1_FILTERS = 16  # channels of the first stage, 1 or more
CONV2_FILTERS = 32  # channels of the second stage, 1 or more; the third stage has twice as many
DENSE_UNITS = 0  # width of the last hidden layer, 0 for none
DROPOUT_RATE = 0.3  # share of the features hidden from the output while learning, 0 to below 1
AUGMENT = True  # True: new variants of the pictures in each epoch; False: the pictures as they are
SEED = 42  # 0 to 4294967295; the same seed on the same machine gives the same model, byte for byte

PRESETS = {
    "default": {},
    "best": {"EPOCHS": 56, "CONV1_FILTERS": 32, "CONV2_FILTERS": 80},
    "tiny": {"EPOCHS": 28, "CONV1_FILTERS": 10, "CONV2_FILTERS": 20},
}
BUNDLED_EPOCHS = 60  # the bundled digits are few, so they are seen more often
NETWORK_SETTINGS = ("CONV1_FILTERS", "CONV2_FILTERS", "DENSE_UNITS", "DROPOUT_RATE")


def _whole(least, most=10**9):
    """Return a check for a whole number in this range, and its description."""
    return lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most:,}"


RANGES = {
    "EPOCHS": _whole(1),
    "BATCH_SIZE": _whole(1),
    "VALIDATION_SPLIT": (lambda value: 0 < value < 1, "a number between 0 and 1, such as 0.1"),
    "LEARNING_RATE": (lambda value: type(value) in (int, float) and value > 0, "a number above 0, such as 0.01"),
    "CONV1_FILTERS": _whole(1),
    "CONV2_FILTERS": _whole(1),
    "DENSE_UNITS": _whole(0),
    "DROPOUT_RATE": (lambda value: 0 <= value < 1, "a number from 0 to below 1, such as 0.3"),
    "AUGMENT": (lambda value: type(value) is bool, "True or False"),
    "SEED": _whole(0, 2**32 - 1),
}
VERSIONS = ("keras", "tensorflow", "numpy", "opencv-python-headless")  # the packages that the card names
OVERVIEW = 1000  # training pictures of which dataset_overview.png shows some as an epoch does
FLOORS = {"default": 0.993, "best": 0.995}  # of MNIST's test pictures; a run that reaches less says so
ACCEPTED = 0.025  # share of drawn pictures of no digit that may pass as one; chosen with own_digits, of which 2 % are "not sure"


def settings_from(arguments):
    """Return the effective settings: the constants above, then the preset's, then the flags."""
    settings = {
        "PRESET": arguments.preset,
        "EPOCHS": EPOCHS,
        "BATCH_SIZE": BATCH_SIZE,
        "VALIDATION_SPLIT": VALIDATION_SPLIT,
        "LEARNING_RATE": LEARNING_RATE,
        "CONV1_FILTERS": CONV1_FILTERS,
        "CONV2_FILTERS": CONV2_FILTERS,
        "DENSE_UNITS": DENSE_UNITS,
        "DROPOUT_RATE": DROPOUT_RATE,
        "AUGMENT": AUGMENT,
        "SEED": SEED,
    }
    if arguments.preset not in PRESETS:
        raise UserError(f"PRESET is {arguments.preset!r}.\nExpected one of {', '.join(PRESETS)}. It stands at the top of train_model.py.")
    settings.update(PRESETS[arguments.preset])
    flags = {"EPOCHS": arguments.epochs, "BATCH_SIZE": arguments.batch_size, "SEED": arguments.seed}
    settings.update({name: value for name, value in flags.items() if value is not None})
    for name, (holds, expected) in RANGES.items():
        if not holds(settings[name]):
            raise UserError(f"{name} is {settings[name]!r}.\nExpected {expected}. It stands at the top of train_model.py.")
    return settings


def load_data(arguments):
    """Return (Dataset, path of the model to write); the bundled digits and their own model where MNIST can't be had."""
    try:
        return dataset.load(arguments.data), arguments.model
    except dataset.NoData as problem:
        print(f"{problem}\n\nUntil then: learning the 1,797 small digits that scikit-learn brings along.", file=sys.stderr)
        return dataset.bundled_digits(), arguments.model.with_name(f"{BUNDLED_MODEL_NAME}.h5")


def split_data(data, settings):
    """Return {"training": (images, labels), "validation": ..., "test": ...}."""
    training, validation = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    if len(training) == 0 or len(validation) == 0:
        raise UserError(
            f"{len(data.y_train)} training pictures can't be split: {len(training)} to learn from, {len(validation)} to validate on.\n"
            "Expected some of both: more pictures of each digit help, or another VALIDATION_SPLIT."
        )
    return {
        "training": (data.x_train[training], data.y_train[training]),
        "validation": (data.x_train[validation], data.y_train[validation]),
        "test": (data.x_test, data.y_test),
    }


def print_data(data, splits):
    """Print the arrays' shapes, and the pictures per digit and split."""
    print(f"\ndata: {data.name}")
    command_line.print_table([(name, getattr(data, name).shape, getattr(data, name).dtype) for name in dataset.ARRAYS])
    rows = [("", *range(NUM_CLASSES), "all")]
    for split, (_, labels) in splits.items():
        counts = np.bincount(labels, minlength=NUM_CLASSES)
        rows.append((split, *(f"{count:,}" for count in counts), f"{len(labels):,}"))
    print("\npictures")
    command_line.print_table(rows)


def fit_confidence(tflite_path, validation, seed):
    """Return the card's part that validation decides: temperature, threshold, and the validation score.

    The temperature comes from the validation pictures, the threshold from as many drawn ones that hold no digit.
    """
    from digits import not_digits, report  # here: scikit-learn takes a second

    images, labels = validation
    uncalibrated = Recognizer(tflite_path, card={"temperature": 1.0})
    probabilities, _, sure = uncalibrated.classify(images)
    none, _, _ = uncalibrated.classify(not_digits.draw(len(images), images, labels, np.random.default_rng(seed)))
    score = report.score_arrays(labels, probabilities, sure, is_mnist=False)
    temperature = fit_temperature(probabilities, labels)
    return {
        "temperature": temperature,
        "threshold": fit_threshold(calibrate(none, temperature), ACCEPTED),
        "validation": {name: score[name] for name in ("n", "correct", "accuracy")},
    }


def evaluate(tflite_path, splits, is_mnist, seed):
    """Return the card's part that is measured: what validation decides, then the test scores.

    The test pictures are scored once, here, when everything is decided. They go through the same Recognizer as a
    user's pictures, so verify_all_digits.py counts the very same answers.
    """
    from digits import report  # here: scikit-learn takes a second

    measured = fit_confidence(tflite_path, splits["validation"], seed)
    images, labels = splits["test"]
    probabilities, _, sure = Recognizer(tflite_path, card=measured).classify(images)
    test = report.score_arrays(labels, probabilities, sure, is_mnist)
    measured["test"] = {name: test[name] for name in ("n", "correct", "accuracy", "interval95", "loss", "ece", "unsure")}
    return measured


def save_model(model, model_path, data, splits, settings, history):
    """Write the three files beside the old ones, move them into place together, and return the new card."""
    from digits import network

    staging = model_files.new_staging(model_path)
    tflite_path = staging / f"{model_path.stem}.tflite"
    network.save(model, staging / model_path.name, tflite_path)
    card = {
        "data": data.name,
        "pictures": {split: len(labels) for split, (_, labels) in splits.items()},
        "preset": settings["PRESET"],
        "settings": settings,
        "seed": settings["SEED"],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
        "machine": f"{platform.system()} {platform.machine()}",
        "seconds": round(sum(epoch["seconds"] for epoch in history), 1),
        "history": history,
        "parameters": model.count_params(),
        "labels": list(range(NUM_CLASSES)),
        "input": "(N, 28, 28) float32, 0 to 255, white ink on black, a digit in a 20x20 box, centred by mass at (14, 14)",
        "output": "(N, 10) float32, the probability of each label",
        **evaluate(tflite_path, splits, data.is_mnist, settings["SEED"]),
    }
    model_files.complete_staging(staging, model_path.stem, card)
    model_files.install(model_path)
    return card


def print_result(model_path, card, earlier_card):
    """Print what was saved and what it scores, beside the model that it replaces."""
    print("\nsaved")
    names = (model_path.name, *(model_path.with_suffix(suffix).name for suffix in (".tflite", ".json")))
    command_line.print_table([(name, f"{(model_path.parent / name).stat().st_size / 1000:,.0f} kB") for name in names])
    print(f"\nlearned in {card['seconds'] / 60:.1f} minutes")
    rows = [(f"{split}:", count_and_rate(card[split])) for split in ("validation", "test")]
    if earlier_card and "test" in earlier_card:
        rows.append(("test, model before:", f"{count_and_rate(earlier_card['test'])}, kept in {model_path.parent / 'previous'}"))
    command_line.print_table(rows)


def count_and_rate(score):
    """Return "9,961 / 10,000 (99.61 %)"."""
    return f"{score['correct']:,} / {score['n']:,} ({100 * score['accuracy']:.2f} %)"


def draw_result(model_path, card, splits, output_dir):
    """Draw training_history.png and sample_predictions.png."""
    from digits import plots

    plots.save(plots.training_history(card["history"]), output_dir / "training_history.png")
    images, labels = splits["test"]
    samples = [int(np.flatnonzero(labels == digit)[0]) for digit in np.unique(labels)]
    probabilities, _, _ = Recognizer(model_path.with_suffix(".tflite")).classify(images[samples])
    shown = plots.records(images[samples], labels[samples], probabilities, range(len(samples)))
    title = f"the first test picture of each digit ({card['data']})"
    plots.save(plots.digits_with_bars(title, shown), output_dir / "sample_predictions.png")


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--preset", choices=PRESETS, default=PRESET, help=f"a set of settings (default: {PRESET})")
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--epochs", type=command_line.positive_integer, help="instead of EPOCHS")
    parser.add_argument("--batch-size", type=command_line.positive_integer, help="instead of BATCH_SIZE")
    parser.add_argument("--seed", type=command_line.seed, help="instead of SEED")
    parser.add_argument("--model", type=command_line.h5_path, default=MODELS_DIR / f"{MODEL_NAME}.h5", help="the .h5 to write")
    parser.add_argument("--output-dir", type=Path, default=OUTPUTS_DIR, help="folder for the figures (default: outputs)")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted training with the same settings")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Load, look, learn, save, score, draw."""
    arguments = parse(argv)
    settings = settings_from(arguments)
    data, model_path = load_data(arguments)
    if data.name == dataset.BUNDLED and arguments.epochs is None:
        settings["EPOCHS"] = BUNDLED_EPOCHS
    lock = model_files.lock(model_path)
    earlier_card = model_files.card_in_place(model_path)
    splits = split_data(data, settings)
    print_data(data, splits)
    print("\nsettings")
    command_line.print_table(settings.items())

    from digits import network, plots, training  # here: Keras takes seconds, and --help and mistakes need none of it

    images, labels = (part[:OVERVIEW] for part in splits["training"])
    learned = training.pictures_of_epoch(images, labels, settings, epoch=0)
    plots.save(plots.dataset_overview(data.name, splits, learned), arguments.output_dir / "dataset_overview.png")
    model = network.build(*(settings[name] for name in NETWORK_SETTINGS), settings["SEED"])
    print("\nnetwork")
    command_line.print_table([("layer", "output", "parameters"), *network.layer_table(model)])
    print()

    checkpoint = training.Checkpoint(model_files.checkpoint_folder(model_path), settings | {"pictures": data.fingerprint()})
    if not arguments.resume and checkpoint.path.exists():
        print("An interrupted training is discarded; --resume would have gone on with it.", file=sys.stderr)
    try:
        history = training.fit(model, splits["training"], splits["validation"], settings, checkpoint, arguments.resume)
        card = save_model(model, model_path, data, splits, settings, history)
    except KeyboardInterrupt:
        command = shlex.join(["python", *sys.argv] + ([] if arguments.resume else ["--resume"]))
        print(f"\nInterrupted. The finished epochs are kept; to go on:\n  {command}", file=sys.stderr)
        return command_line.INTERRUPTED
    checkpoint.remove()
    draw_result(model_path, card, splits, arguments.output_dir)
    print_result(model_path, card, earlier_card)
    floor = FLOORS.get(settings["PRESET"])
    if floor and data.is_mnist and card["test"]["accuracy"] < floor:
        print(f"This is less than the {100 * floor:.1f} % that the preset is good for. More epochs help, or the settings as they were.")
    lock.release()
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
