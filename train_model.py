"""Learn handwritten digits from MNIST and save the model.

    python train_model.py                    less than five minutes on two CPU cores
    python train_model.py --preset best      about an hour: the preset of the model that is shipped
    python train_model.py --epochs 2         a first try
    python train_model.py --resume           go on after a break, to the very same weights
    python train_model.py --fine-tune custom_digits   learn your hand from your own pictures: 90 seconds
    python train_model.py --quantize         also save it with 8-bit numbers, a quarter of the size

It writes models/digit_recognition_model.h5, the same as .tflite for fast starts and phones, and .json (the model's
card), and draws dataset_overview, training_history and sample_predictions in outputs/. The last lines, of the run that
made the shipped model (two x86 cores, no GPU, beside other work):

    saved
      digit_recognition_model.h5      954 kB
      digit_recognition_model.tflite  899 kB
      digit_recognition_model.json     13 kB

    learned in 77.1 minutes
      validation:          5,971 / 5,999 (99.53 %)
      test:                9,966 / 10,000 (99.66 %)
"""

import os
import platform
import shlex
import subprocess
import sys
import time
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
EXAMPLES = 1000  # training pictures by which --quantize measures the ranges of the network's numbers. chosen
MOST_LOST = 0.001  # share of the validation pictures that an 8-bit model may read wrong more than the float one: 0.1 points
ACCEPTED = 0.01  # share of drawn pictures of no digit that may pass as one; chosen with own_digits, of which 2 % are "not sure"


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


def save_model(model, model_path, data, splits, settings, history, fine_tuned=None):
    """Write the three files beside the old ones, move them into place together, and return the new card.

    fine_tuned: what the card says besides of a model that learned somebody's hand.
    """
    from digits import network

    with model_files.staged(model_path) as staging:
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
            **(fine_tuned or {}),
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


# ---- a model that is there: learn somebody's hand, or make it small ------------------------------------------------


def whole_set(model_path):
    """Return the card of the whole set in place, for whoever holds the lock. Raises UserError where there is none."""
    card = model_files.card_in_place(model_path)
    if card is None:
        for path in (model_path, model_path.with_suffix(".tflite")):
            model_files.resolve(path)  # it says what is amiss
    if card is None or not _tells_how_it_learned(card, model_path):
        raise UserError(
            f"{model_path} has no card beside it that says how it learned.\n"
            f"Expected a model as train_model.py saves it: .h5, .tflite and .json. To make one: {model_files.TRAIN_COMMAND}"
        )
    return card


def _tells_how_it_learned(card, model_path):
    """Say whether a card holds what learning on needs, in the form in which save_model writes it."""
    if not {"settings", "pictures", "temperature", "threshold", "data", "history"} <= set(card) or model_path.name not in card["sha256"]:
        return False
    try:
        return all(holds(card["settings"][name]) for name, (holds, _) in RANGES.items()) and all(
            0 <= epoch["seconds"] < 10**9 for epoch in card["history"]
        )
    except (TypeError, KeyError):
        return False


def data_of(card, data_path):
    """Return (Dataset, splits) that a model learned from, split as it was then. Raises UserError where it was another."""
    data = dataset.load(data_path)
    splits = split_data(data, card["settings"])
    pictures = {split: len(labels) for split, (_, labels) in splits.items()}
    if data.is_mnist != (card["data"] == "MNIST") or pictures != card["pictures"]:
        raise UserError(
            f"The model learned from {card['data']}, {card['pictures']}; this is {data.name}, {pictures}.\n"
            "Expected the same: some of it was not learned and tells what is forgotten. Name it with --data PATH."
        )
    return data, splits


def fine_tune(arguments):
    """Learn the pictures at --fine-tune beside those of the data set; replace the model if it reads them better and forgot nothing."""
    from digits import own_pictures  # here: a training of its own does without

    model_path = arguments.model
    model_files.resolve(model_path)
    lock = model_files.lock(model_path)
    earlier_card = whole_set(model_path)
    settings = earlier_card["settings"]
    data, splits = data_of(earlier_card, arguments.data)
    own = own_pictures.load(arguments.fine_tune, Recognizer(model_path.with_suffix(".tflite")))
    for reason, count in own.left_out.items():
        print(f"left out: {count:,} pictures {reason}", file=sys.stderr)
    learned, held_out = own_pictures.split(own.labels, settings["SEED"])
    print(f"\nyour pictures: {own.name}")
    rows = [("", *range(NUM_CLASSES), "pictures")]
    for name, chosen in (("to learn from", learned), ("held out", held_out)):
        counts = np.bincount(own.arrays(chosen)[1], minlength=NUM_CLASSES)
        rows.append((name, *(f"{count:,}" for count in counts), f"{len(chosen):,}"))
    command_line.print_table(rows)
    print()

    from digits import network  # here: Keras takes seconds, and mistakes need none of it
    from digits import fine_tuning  # after it, which keeps TensorFlow quiet as it starts

    started = time.monotonic()
    model = network.load(model_path, settings["SEED"])
    weights = model.get_weights()
    scored = {"held_out": own.arrays(held_out), "validation": splits["validation"]}
    before = {name: fine_tuning.score(model, *arrays) for name, arrays in scored.items()}
    try:
        fine_tuning.learn(model, splits["training"], own.arrays(learned), settings)
        rows = [("", "yours, held out", f"{data.name}, validation"), ("before", *map(count_and_rate, before.values()))]
        for share in fine_tuning.shares_of_the_way(model, weights):
            after = {name: fine_tuning.score(model, *arrays) for name, arrays in scored.items()}
            rows.append((f"{100 * share:.0f} % of what was learned", *map(count_and_rate, after.values())))
            objections = fine_tuning.objections(before, after)
            if not objections:
                break
        print()
        command_line.print_table(rows)
        if objections:
            print(f"\nThe model stays as it was: {'; '.join(objections)}.\nMore pictures help, ten or more of each digit that is misread.")
            lock.release()
            return command_line.DONE
        facts = {
            "fine_tuned_from": earlier_card["sha256"][model_path.name],
            "fine_tuning": {
                "data": own.name,
                "pictures": {"learned": len(learned), "held_out": len(held_out), "left_out": sum(own.left_out.values())},
                **{name: {"before": before[name], "after": after[name]} for name in scored},
                "share": share,
                "seconds": round(time.monotonic() - started, 1),
            },
        }
        save_model(model, model_path, data, splits, settings, earlier_card["history"], facts)
    except KeyboardInterrupt:
        print("\nInterrupted. The model is as it was.", file=sys.stderr)
        return command_line.INTERRUPTED
    print(f"\nsaved: {model_path} and its .tflite and .json\nThe model before is kept. To bring it back:\n  {command_to_bring_back(model_path)}")
    lock.release()
    return command_line.DONE


def command_to_bring_back(model_path):
    """Return a command, as it can be pasted into a shell, that copies the set in models/previous/ back into place."""
    earlier = [model_files.previous_folder(model_path) / file.name for file in model_files.set_in_place(model_path)]
    code = "import shutil, sys; [shutil.copy(file, sys.argv[1]) for file in sys.argv[2:]]"  # every system has this copy
    words = ["python", "-c", code, str(model_path.absolute().parent), *(str(file.absolute()) for file in earlier)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def quantize(arguments):
    """Save the model in 8-bit numbers beside it, with a card of its own, and compare the two."""
    model_path = arguments.model
    model_files.resolve(model_path)
    lock = model_files.lock(model_path)
    card = whole_set(model_path)
    data, splits = data_of(card, arguments.data)

    os.environ["KERAS_BACKEND"] = "tensorflow"  # which alone converts; nothing is trained here
    from digits import network

    small_path = model_path.with_name(f"{model_path.stem}_int8.tflite")
    with model_files.staged(small_path) as staging:
        network.save_quantized(network.load(model_path), staging / small_path.name, splits["training"][0][:EXAMPLES])
        paths = {"float": model_path.with_suffix(".tflite"), "int8": staging / small_path.name}
        scores = {name: {} for name in paths}
        for name, path in paths.items():
            recognizer = Recognizer(path, card)
            for split in ("validation", "test"):
                images, labels = splits[split]
                right = recognizer.classify(images)[0].argmax(axis=1) == labels
                scores[name][split] = {"n": len(labels), "correct": int(right.sum()), "accuracy": float(right.mean())}
        print(f"\ndata: {data.name}")
        rows = [
            (name, *(count_and_rate(scores[name][split]) for split in ("validation", "test")), f"{path.stat().st_size / 1000:,.0f} kB")
            for name, path in paths.items()
        ]
        command_line.print_table([("", "validation", "test", "size"), *rows])
        lost = scores["float"]["validation"]["correct"] - scores["int8"]["validation"]["correct"]
        if lost > MOST_LOST * len(splits["validation"][1]):
            raise UserError(
                f"The 8-bit model reads {lost} validation pictures less than the float one, so it was not saved.\n"
                f"Expected at most {100 * MOST_LOST:.1f} % of them. The float one is small, too: {model_path.with_suffix('.tflite')}"
            )
        same = ("data", "settings", "parameters", "labels", "input", "output", "temperature", "threshold")
        small_card = {name: card[name] for name in same if name in card}
        model_files.complete_staging(
            staging, small_path.stem, small_card | {"quantized_from": card["sha256"][model_path.name], **scores["int8"]}
        )
        model_files.install(small_path)
    print(f"\nsaved: {small_path}\nTo read with it: python predict_custom.py --model {shlex.quote(str(small_path))}")
    lock.release()
    return command_line.DONE


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--preset", choices=PRESETS, help=f"a set of settings (default: {PRESET})")
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--epochs", type=command_line.positive_integer, help="instead of EPOCHS")
    parser.add_argument("--batch-size", type=command_line.positive_integer, help="instead of BATCH_SIZE")
    parser.add_argument("--seed", type=command_line.seed, help="instead of SEED")
    parser.add_argument("--model", type=command_line.h5_path, default=MODELS_DIR / f"{MODEL_NAME}.h5", help="the .h5 to write")
    parser.add_argument("--output-dir", type=Path, default=OUTPUTS_DIR, help="folder for the figures (default: outputs)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="continue an interrupted training with the same settings")
    what.add_argument(
        "--fine-tune", type=Path, metavar="FOLDER_OR_DATA", help="teach the saved model your hand: pictures in custom_digits, or data"
    )
    what.add_argument("--quantize", action="store_true", help="also save the model that is there with 8-bit numbers")
    arguments = parser.parse_args(argv)
    of_training = arguments.preset, arguments.epochs, arguments.batch_size, arguments.seed
    if (arguments.fine_tune or arguments.quantize) and of_training != (None, None, None, None):
        parser.error("--fine-tune and --quantize take the settings of the saved model: leave --preset, --epochs, --batch-size and --seed away")
    arguments.preset = arguments.preset or PRESET
    return arguments


@command_line.exit_codes
def main(argv=None) -> int:
    """Load, look, learn, save, score, draw."""
    arguments = parse(argv)
    if arguments.fine_tune:
        return fine_tune(arguments)
    if arguments.quantize:
        return quantize(arguments)
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
