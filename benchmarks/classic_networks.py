"""Train four classic MNIST networks by their own recipes, and ours by the user's own command, in one run.

    python benchmarks/classic_networks.py                             about twenty minutes on two CPU cores
    python benchmarks/classic_networks.py --seeds 3                   each three times: mean ± standard deviation
    python benchmarks/classic_networks.py --only keras-example ours   a part of them

It prints a table and writes it to benchmarks/results/classic_networks.md, with the raw numbers beside it as .json.
The seconds are those of the training, compilation and validation included; "relative" divides them by Keras' example's.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from record import facts, recipe_sha256  # first of ours: it puts the project on the path

from digits.cli import command_line
from digits.common import files
from digits.common.config import IMAGE_SIZE, NUM_CLASSES, PROJECT
from digits.common.errors import UserError
from digits.data import dataset


class Recipe(NamedTuple):
    """A network and how its authors train it, always with Adam at its default rate."""

    layers: str  # in order; convolutions are 3x3 without padding, poolings 2x2; all with ReLU but the last
    parameters: int  # known beforehand; a network of another size is not the one that is meant
    epochs: int
    batch_size: int
    validation_split: float  # share of the training images that is not learned from: the last ones, as Keras does it
    loss: str


# ---- settings ---------------------------------------------------------------------------------------------------
FIRST_SEED = 42  # as train_model.py has it; --seeds counts up from here
SPARSE, CATEGORICAL = "sparse_categorical_crossentropy", "categorical_crossentropy"  # equal but for the labels' form
RECIPES = {
    # The network that this project grew from.
    "cnn-225k": Recipe("Conv32 Pool Conv64 Pool Flatten Dropout0.5 Dense128 Softmax10", 225_034, 5, 128, 0.1, SPARSE),
    "cnn-122k": Recipe("Conv32 Pool Conv64 Pool Flatten Dense64 Softmax10", 121_930, 5, 64, 0.2, CATEGORICAL),
    # Its loss is a guess.
    "dense-118k": Recipe("Flatten Dense128 Dense128 Softmax10", 118_282, 20, 32, 0.0, SPARSE),
    # keras-io, examples/vision/mnist_convnet
    "keras-example": Recipe("Conv32 Pool Conv64 Pool Flatten Dropout0.5 Softmax10", 34_826, 15, 128, 0.1, CATEGORICAL),
}
# What a user types, but for the folder and the seed.
OURS = {
    "ours": ("train_model.py", "--preset", "default"),
    "ours, one epoch": ("train_model.py", "--preset", "default", "--epochs", "1"),
    "ours, tiny, two epochs": ("train_model.py", "--preset", "tiny", "--epochs", "2"),
}
NETWORKS = (*RECIPES, *OURS)
GOAL = 0.99  # of the test images: when this was first reached is measured, after the training, from each epoch's weights
REFERENCE = "keras-example"  # the network whose seconds the others' are divided by


def build(recipe, seed):
    """Return the recipe's untrained network: (N, 28, 28, 1) float32, 0 to 1 -> probabilities (N, 10)."""
    # As many threads as TensorFlow takes by itself: digits/model/network.py takes one less, for the augmentation.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "0"
    from digits.model.network import keras, layers  # here: Keras takes seconds; from there: it starts without a word

    kinds = {
        "Conv": lambda filters: layers.Conv2D(int(filters), 3, activation="relu"),
        "Pool": lambda _: layers.MaxPooling2D(),
        "Flatten": lambda _: layers.Flatten(),
        "Dropout": lambda rate: layers.Dropout(float(rate)),
        "Dense": lambda units: layers.Dense(int(units), activation="relu"),
        "Softmax": lambda units: layers.Dense(int(units), activation="softmax"),
    }
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))])
    for word in recipe.layers.split():
        kind = word.rstrip("0123456789.")
        model.add(kinds[kind](word.removeprefix(kind)))
    if model.count_params() != recipe.parameters:
        raise ValueError(f"{recipe.layers} has {model.count_params():,} parameters, expected {recipe.parameters:,}")
    return model


def run_recipe(recipe, data, seed):
    """Train by the recipe, score the test images once, and return the run's numbers."""
    x_train, x_test = [np.float32(images)[..., np.newaxis] / 255 for images in (data.x_train, data.x_test)]
    y_train = np.eye(NUM_CLASSES, dtype=np.float32)[data.y_train] if recipe.loss == CATEGORICAL else data.y_train
    model = build(recipe, seed)
    snapshots = []  # (seconds, weights) after each epoch
    started = time.monotonic()
    model.compile("adam", recipe.loss, metrics=["accuracy"])
    model.fit(
        x_train, y_train, recipe.batch_size, recipe.epochs, validation_split=recipe.validation_split, verbose=0,
        callbacks=[keras_callback(lambda: snapshots.append((time.monotonic() - started, model.get_weights())))],
    )  # fmt: skip
    scores = []
    for _, weights in snapshots:
        model.set_weights(weights)
        scores.append(int(np.sum(model.predict(x_test, verbose=0).argmax(axis=1) == data.y_test)))
    reached = [seconds for (seconds, _), correct in zip(snapshots, scores, strict=True) if correct >= GOAL * len(x_test)]
    score = {"correct": scores[-1], "n": len(x_test), "seconds_to_goal": reached[0] if reached else None}
    numbers = {"parameters": recipe.parameters, "epochs": recipe.epochs, **score, "seconds": snapshots[-1][0]}
    return {**numbers, "settings": recipe._asdict()}


def keras_callback(at_end_of_epoch):
    """Return a callback of Keras' that calls this function after each epoch."""
    from digits.model.network import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: at_end_of_epoch())


def run_ours(name, data_path, seed):
    """Run the user's command in a folder of its own and return the same numbers from the card that it writes.

    When a training first reached the goal is not known, for the script keeps the last weights alone: its end counts.
    """
    with tempfile.TemporaryDirectory() as folder:
        model_path = Path(folder) / "ours.h5"
        flags = ["--seed", str(seed), "--model", model_path, "--output-dir", folder]
        flags += ["--data", data_path] if data_path else []
        script, *settings = OURS[name]
        command = [sys.executable, PROJECT / script, *settings, *flags]
        environment = {variable: value for variable, value in os.environ.items() if variable != "TF_NUM_INTRAOP_THREADS"}
        code = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment).returncode
        if code != command_line.DONE:
            raise UserError(f"{shlex.join(OURS[name])} ended with exit code {code}.\nExpected 0; it says above what helps.")
        card = json.loads(model_path.with_suffix(".json").read_text(encoding="ascii"))
    score = {figure: card["test"][figure] for figure in ("correct", "n")}
    epochs, seconds = len(card["history"]), card["seconds"]
    score["seconds_to_goal"] = seconds if score["correct"] >= GOAL * score["n"] else None
    numbers = {"parameters": card["parameters"], "epochs": epochs, **score, "seconds": seconds}
    return {**numbers, "settings": card["settings"], "recipe_sha256": recipe_sha256(card["recipe"])}


def table(runs):
    """Return the table's rows, the head first. runs: {network: [numbers of a run, by seed]}."""
    rows = [("network", "parameters", "epochs", "test accuracy", "seconds", "relative", "until 99 %")]
    reference = sum(run["seconds"] for run in runs.get(REFERENCE, []))
    for name, those in runs.items():
        first = those[0]
        correct, seconds = [[run[key] for run in those] for key in ("correct", "seconds")]
        percents = [100 * count / first["n"] for count in correct]
        accuracy = f"{summary(correct, 0)} / {first['n']:,} ({summary(percents, 2)} %)"
        relative = f"{sum(seconds) / reference:.2f}" if reference else ""
        to_goal = [run["seconds_to_goal"] for run in those]
        until = "-" if None in to_goal else summary(to_goal, 0)
        rows.append((name, f"{first['parameters']:,}", first["epochs"], accuracy, summary(seconds, 0), relative, until))
    return rows


def summary(values, decimals):
    """Return "9,906", or of several values, to one more decimal, mean and standard deviation: "9,906.3 ± 4.2"."""
    if len(values) == 1:
        return f"{values[0]:,.{decimals}f}"
    return f"{statistics.mean(values):,.{decimals + 1}f} ± {statistics.stdev(values):,.{decimals + 1}f}"


def markdown(rows, networks, facts):
    """Return the table, the networks' layers and what the table was measured with as Markdown."""
    ruled = [rows[0], (":---", *["---:"] * (len(rows[0]) - 1)), *rows[1:]]
    lines = ["# Classic networks and ours", "", *(f"| {' | '.join(map(str, row))} |" for row in ruled)]
    lines += [
        "",
        f"Seconds of training, compilation included; relative: divided by those of {REFERENCE}; until 99 %: of the test "
        "images, in seconds; of ours the whole training.",
        "",
    ]
    for name, recipe in RECIPES.items():
        if name in networks:
            training = f"batch {recipe.batch_size}, {recipe.validation_split:.0%} validation, {recipe.loss}"
            lines.append(f"- {name}: {recipe.layers}; {training}")
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, ""])


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--seeds", type=command_line.positive_integer, default=1, help="runs a network (default: 1)")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=NETWORKS, help="a part of the networks")
    parser.add_argument("--output-dir", type=Path, default=PROJECT / "benchmarks" / "results", help="folder for the results")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Train, score, print, write."""
    arguments = parse(argv)
    data = dataset.load(arguments.data)
    seeds = list(range(FIRST_SEED, FIRST_SEED + arguments.seeds))
    runs = {name: [] for name in NETWORKS if name in arguments.only}
    for seed in seeds:  # the networks take turns, so that a machine that slows down slows all of them
        for name in runs:
            print(f"{name}, seed {seed} ...", file=sys.stderr)
            numbers = run_ours(name, arguments.data, seed) if name in OURS else run_recipe(RECIPES[name], data, seed)
            runs[name].append({"seed": seed, **numbers})

    rows = table(runs)
    command_line.print_table(rows)
    known = {
        "data": data.name,
        "seeds": f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else seeds[0],
        **{package: version(package) for package in ("keras", "tensorflow")},
        **facts("classic_networks", argv),
    }
    with files.atomic_write(arguments.output_dir / "classic_networks.md") as temporary:
        temporary.write_text(markdown(rows, runs, known), encoding="utf-8")
    files.write_json(arguments.output_dir / "classic_networks.json", {**known, "runs": runs})
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
