"""Read people's single digits with networks from tutorials: prepared as tutorials do it, by this project, and with all of it.

    python benchmarks/own_model.py FOLDER ...     the folders of whole_numbers.py; five minutes on one core

    classic CNN           the classic CNN with 225,034 parameters (see classic_networks.py): (28, 28, 1), 0 to 1, softmax
    quickstart            the dense network of TensorFlow's quickstart for beginners: 784 values, 0 to 1, logits
    quickstart, inverted  the same as (28, 28), -1 to 1, black on white, softmax

    resized               grey, resized to 28x28, inverted where it is bright, as in peers.py
    prepared              the network is given to predict_custom.py's reader, without the number reader and the line reader
    complete              the same with both: python predict_custom.py IMAGES --model NETWORK

The networks are trained at the first run and kept in outputs/. How each takes its images is found by the trial that every
--model without a card goes through. The table goes to standard output, the numbers to benchmarks/results/own_model.json.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from classic_networks import FIRST_SEED
from peers import tutorial_crop
from record import add_flags, facts_with_model  # first of ours: it puts the project on the path
from robustness import classic_cnn_file
from tqdm import tqdm
from whole_numbers import SINGLE_KINDS, Item, counts, find_items, outcome_of, read

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.config import NUM_CLASSES, OUTPUTS_DIR
from digits.data import dataset
from digits.data.dataset import Dataset
from digits.model.classifier import Classifier
from digits.model.network_format import LOGITS, SOFTMAX, NetworkFormat
from digits.reading.reader import Reader
from digits.reading.results import Reading

CLASSIC, OURS = "classic CNN", "this project's network"
QUICKSTARTS = {
    "quickstart": NetworkFormat((784,), "0 to 1", False, LOGITS),
    "quickstart, inverted": NetworkFormat((28, 28), "-1 to 1", True, SOFTMAX),
}
EPOCHS, HIDDEN_UNITS, DROPOUT_RATE = 5, 128, 0.2  # of the quickstart; its batches have Keras' 32 images
WAYS = ("resized", "prepared", "complete")


def quickstart_file(name: str, data: Dataset) -> Path:
    """Return the .tflite of a quickstart network, which is trained where it is not there yet."""
    path = OUTPUTS_DIR / f"{name.replace(', ', '-')}-seed{FIRST_SEED}-{data.fingerprint()[:12]}.tflite"
    if not path.is_file():
        from digits.model import keras_files  # here: Keras takes seconds
        from digits.model.network import keras, layers

        print(f"training {name}, kept in {path.parent.name}/{path.name} ...", file=sys.stderr)
        network_format = QUICKSTARTS[name]
        keras.utils.set_random_seed(FIRST_SEED)
        is_logits = network_format.output == LOGITS
        flatten = [layers.Flatten()] if len(network_format.shape) > 1 else []
        hidden = [layers.Dense(HIDDEN_UNITS, activation="relu"), layers.Dropout(DROPOUT_RATE)]
        last = layers.Dense(NUM_CLASSES, activation=None if is_logits else "softmax")
        model = keras.Sequential([keras.Input(network_format.shape), *flatten, *hidden, last])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=is_logits))
        model.fit(network_format.prepare(data.x_train), data.y_train, epochs=EPOCHS, verbose=0)
        with files.atomic_write(path) as temporary:
            keras_files.export(model, temporary)
    return path


def networks(shipped: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the file of each network, the shipped one last."""
    data = dataset.load(parts=("train",))
    yield CLASSIC, classic_cnn_file(data)
    for name in QUICKSTARTS:
        yield name, quickstart_file(name, data)
    yield OURS, shipped


def resized(classifier: Classifier) -> Callable[[Path], Reading]:
    """Return a function that reads an image as a tutorial does."""

    def read_resized(path: Path) -> Reading:
        probabilities = classifier.classify(tutorial_crop(path)[np.newaxis]).probabilities
        return Reading(str(path), "ok", str(probabilities[0].argmax()))

    return read_resized


def score(path: Path, items: Sequence[Item], mnist: Dataset) -> dict[str, Any]:
    """Return what a network reads: {"format", "mnist", "ways": {way: {kind: counts}}, ...}."""
    complete = Reader(path)
    classifier = complete.classifier
    prepared = Reader(path, classifier.card, number_reader=None, line_reader=None)
    readers = {
        "resized": resized(classifier),
        "prepared": lambda image: read(prepared, image),
        "complete": lambda image: read(complete, image),
    }
    answers = classifier.classify(mnist.x_test).probabilities.argmax(axis=1)
    ways = {}
    for way in WAYS:
        readings = [readers[way](item.path) for item in tqdm(items, f"{path.name}, {way}", disable=None)]
        outcome = outcome_of(readings, [item.label for item in items])
        masks = {kind: np.array([item.kind == kind for item in items]) for kind in SINGLE_KINDS}
        ways[way] = {kind: counts(outcome, mask) for kind, mask in {"all": np.ones(len(items), bool), **masks}.items()}
    card = classifier.card
    return {
        "format": card.network_format.to_json() if card.network_format else None,
        **{name: getattr(card, name) for name in ("temperature", "threshold", "estimated_on")},
        "mnist": {"n": len(answers), "correct": int((answers == mnist.y_test).sum())},
        "ways": ways,
    }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="people's images, as for whole_numbers.py")
    add_flags(parser, "own_model")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Train or load the networks, read, print; write after each network."""
    arguments = parse(argv)
    items = [item for item in find_items(arguments.folders) if item.kind in SINGLE_KINDS]
    mnist = dataset.load(parts=("test",))
    result: dict[str, Any] = facts_with_model("own_model", argv, Classifier(arguments.model))
    result["networks"] = {}
    rows = [("network", "MNIST", *(f"{way}, of {len(items)}" for way in WAYS))]
    for name, path in networks(arguments.model):
        found = score(path, items, mnist)
        result["networks"][name] = found
        files.write_json(arguments.json, result)
        of_ways = [found["ways"][way]["all"] for way in WAYS]
        rates = [f"{one['correct']} ({formatting.percent(one['correct'] / one['n'], 1)})" for one in of_ways]
        rows.append((name, formatting.percent(found["mnist"]["correct"] / found["mnist"]["n"]), *rates))
    command_line.print_table(rows)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
