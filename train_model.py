"""Learn handwritten digits from MNIST and save the model.

    python train_model.py                    four to five minutes on two CPU cores
    python train_model.py --preset best      an hour or more: the preset of the model that is shipped
    python train_model.py --epochs 2         a first try
    python train_model.py --resume           go on after a break, to the very same weights
    python train_model.py --fine-tune custom_digits   learn your hand from your own pictures: a minute
    python train_model.py --quantize         also save it with 8-bit numbers, a quarter of the size

It writes models/digit_recognition_model.h5, the same as .tflite for fast starts and phones, and .json (the model's
card), and draws dataset_overview, training_history and sample_predictions in outputs/. The last lines, of the run that
made the shipped model (--preset best --seed 46, on one of two x86 cores, no GPU, another training on the other):

    saved
      digit_recognition_model.h5      954 kB
      digit_recognition_model.tflite  899 kB
      digit_recognition_model.json     16 kB

    learned in 80.0 minutes
      validation:  5,978 / 5,999 (99.65 %)
      test:        9,968 / 10,000 (99.68 %)

    figures: outputs
"""

import shlex
import sys
from pathlib import Path

import numpy as np

from digits import command_line, dataset, model_files, personalization, quantization, saving
from digits.config import BUNDLED_MODEL_NAME, MODEL_NAME, MODELS_DIR, NUM_CLASSES, OUTPUTS_DIR, UserError
from digits.recognizer import Recognizer
from digits.settings import check

# ---- settings: change them here; flags change some of them for one run -----------------------------------------
PRESET = "default"  # "default", "best" or "tiny"; PRESETS says what the other two set differently
EPOCHS = 12  # times through the training pictures, 1 or more. chosen: takes no longer than Keras' example
BATCH_SIZE = 128  # pictures a step, 1 or more. chosen
VALIDATION_SPLIT = 0.1  # share of the training pictures kept for validation, above 0 and below 1. chosen
LEARNING_RATE = 0.01  # the highest; it rises to this and falls to zero. chosen
CONV1_FILTERS = 16  # channels of the first stage, 1 or more. chosen
CONV2_FILTERS = 32  # channels of the second stage, 1 or more; the third stage has twice as many. chosen
DENSE_UNITS = 0  # width of the last hidden layer, 0 for none. chosen
DROPOUT_RATE = 0.3  # share of the features hidden from the output while learning, 0 to below 1. chosen
AUGMENT = True  # True: new variants of the pictures in each epoch; False: the pictures as they are
SEED = 42  # 0 to 4294967295; the same seed gives the same model on the same processor, byte for byte

PRESETS = {  # chosen: as large as the classic CNN at the most, and below 20,000 parameters
    "default": {},
    "best": {"EPOCHS": 56, "CONV1_FILTERS": 32, "CONV2_FILTERS": 80},
    "tiny": {"EPOCHS": 28, "CONV1_FILTERS": 10, "CONV2_FILTERS": 20},
}
BUNDLED_EPOCHS = 60  # the bundled digits are few, so they are seen more often. chosen
NETWORK_SETTINGS = ("CONV1_FILTERS", "CONV2_FILTERS", "DENSE_UNITS", "DROPOUT_RATE")
OVERVIEW = 1000  # training pictures of which dataset_overview.png shows some as an epoch does
# Of MNIST's test pictures; a run that reaches less says so. Chosen below each one's lowest seed: 99.48, 99.63 and 99.39 %.
FLOORS = {"default": 0.993, "best": 0.995, "tiny": 0.99}


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
        raise UserError(
            f"PRESET is {arguments.preset!r}.\nExpected one of {', '.join(PRESETS)}. It stands at the top of train_model.py."
        )
    settings.update(PRESETS[arguments.preset])
    flags = {"EPOCHS": arguments.epochs, "BATCH_SIZE": arguments.batch_size, "SEED": arguments.seed}
    settings.update({name: value for name, value in flags.items() if value is not None})
    check(settings)
    return settings


def load_data(arguments):
    """Return (Dataset, path of the model to write); the bundled digits and their own model where MNIST can't be had."""
    try:
        return dataset.load(arguments.data), arguments.model
    except dataset.NoData as problem:
        print(f"{problem}\n\nUntil then: learning the 1,797 small digits that scikit-learn brings along.", file=sys.stderr)
        return dataset.bundled_digits(), arguments.model.with_name(f"{BUNDLED_MODEL_NAME}.h5")


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


def print_result(model_path, card, earlier_card):
    """Print what was saved and what it scores, beside the model that it replaces."""
    print("\nsaved")
    names = (model_path.name, *(model_path.with_suffix(suffix).name for suffix in (".tflite", ".json")))
    command_line.print_table([(name, f"{(model_path.parent / name).stat().st_size / 1000:,.0f} kB") for name in names])
    print(f"\nlearned in {card['seconds'] / 60:.1f} minutes")
    rows = [(f"{split}:", command_line.count_and_rate(card[split])) for split in ("validation", "test")]
    if earlier_card and "test" in earlier_card:
        before = command_line.count_and_rate(earlier_card["test"])
        rows.append(("test, model before:", f"{before}, kept in {model_path.parent / 'previous'}"))
    command_line.print_table(rows)
    if earlier_card and reads_more(earlier_card, card):
        command = model_files.command_to_bring_back(model_path)
        print(f"\nThe model before reads more of the validation pictures. To bring it back:\n  {command}")


def reads_more(earlier_card, card):
    """Say whether the earlier model reads more validation pictures: only these choose, and only where both had the same ones."""
    try:
        choices = [(one["data"], one["settings"]["VALIDATION_SPLIT"], one["seed"]) for one in (earlier_card, card)]
        return choices[0] == choices[1] and earlier_card["validation"]["correct"] > card["validation"]["correct"]
    except (KeyError, TypeError):  # somebody's own card
        return False


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
    parser.add_argument(
        "--preset", choices=PRESETS, help=f"a set of settings; best learns for an hour or more (default: {PRESET})"
    )
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="an .npz, or a folder of IDX files like MNIST's (default: MNIST)"
    )
    parser.add_argument("--epochs", type=command_line.positive_integer, metavar="N", help="times through the training pictures")
    parser.add_argument(
        "--batch-size", type=command_line.positive_integer, metavar="N", help="pictures a step; fewer take less memory"
    )
    parser.add_argument(
        "--seed", type=command_line.seed, metavar="N", help=f"the same seed gives the same model (default: {SEED})"
    )
    default_model = MODELS_DIR / f"{MODEL_NAME}.h5"
    parser.add_argument("--model", type=command_line.h5_path, default=default_model, metavar="FILE", help="the .h5 to write")
    parser.add_argument("--output-dir", type=Path, default=OUTPUTS_DIR, metavar="FOLDER", help="folder for a training's figures")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on with an interrupted training; give the same other flags")
    of_fine_tuning = "teach the saved model your hand: a labelled folder such as custom_digits, or an .npz"
    what.add_argument("--fine-tune", type=command_line.path, metavar="FOLDER_OR_DATA", help=of_fine_tuning)
    what.add_argument("--quantize", action="store_true", help="save an 8-bit copy of the saved model")
    arguments = parser.parse_args(argv)
    of_training = arguments.preset, arguments.epochs, arguments.batch_size, arguments.seed
    if (arguments.fine_tune or arguments.quantize) and of_training != (None, None, None, None):
        parser.error(
            "--fine-tune and --quantize take the settings of the saved model: "
            "leave --preset, --epochs, --batch-size and --seed away"
        )
    arguments.preset = arguments.preset or PRESET
    return arguments


@command_line.exit_codes
def main(argv=None) -> int:
    """Load, look, learn, save and score, print, draw."""
    arguments = parse(argv)
    if arguments.fine_tune:
        return personalization.fine_tune(arguments.model, arguments.fine_tune, arguments.data)
    if arguments.quantize:
        return quantization.quantize(arguments.model, arguments.data)
    settings = settings_from(arguments)
    data, model_path = load_data(arguments)
    if data.name == dataset.BUNDLED and arguments.epochs is None:
        settings["EPOCHS"] = BUNDLED_EPOCHS
    lock = model_files.lock(model_path)
    earlier_card = model_files.card_in_place(model_path)
    splits = dataset.splits_of(data, settings["VALIDATION_SPLIT"], settings["SEED"])
    print_data(data, splits)
    print("\nsettings")
    command_line.print_table(settings.items())

    from digits import network, plots, training  # here: Keras takes seconds, and --help and mistakes need none of it

    images, labels = (part[:OVERVIEW] for part in splits["training"])
    learned = next(training.pictures_of_epoch(images, labels, settings, epoch=0))
    plots.save(plots.dataset_overview(data.name, splits, learned), arguments.output_dir / "dataset_overview.png")
    model = network.build(*(settings[name] for name in NETWORK_SETTINGS), settings["SEED"])
    print("\nnetwork")
    command_line.print_table([("layer", "output", "parameters"), *network.layer_table(model)])
    print()

    checkpoint = training.Checkpoint(
        model_files.checkpoint_folder(model_path), settings | {"pictures": data.fingerprint()} | training.recipe()
    )
    if not arguments.resume and checkpoint.path.exists():
        print("An interrupted training is discarded; --resume would have gone on with it.", file=sys.stderr)
    try:
        history = training.fit(model, splits["training"], splits["validation"], settings, checkpoint, arguments.resume)
        card = saving.save(model, model_path, data, splits, settings, history)
    except KeyboardInterrupt:
        command = shlex.join(["python", *sys.argv] + ([] if arguments.resume else ["--resume"]))
        print(f"\nInterrupted. The finished epochs are kept; to go on:\n  {command}", file=sys.stderr)
        return command_line.INTERRUPTED
    checkpoint.remove()
    print_result(model_path, card, earlier_card)
    draw_result(model_path, card, splits, arguments.output_dir)
    print(f"\nfigures: {arguments.output_dir}")
    floor = FLOORS.get(settings["PRESET"])
    if floor and data.is_mnist and card["test"]["accuracy"] < floor:
        print(
            f"This is less than the {100 * floor:.1f} % that the preset is good for.\n"
            "More epochs help, or the settings as they were."
        )
    lock.release()
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
