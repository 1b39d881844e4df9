"""Read MNIST's test images under 17 corruptions, and scikit-learn's digits: ours beside the classic 225k-parameter CNN.

    python benchmarks/robustness.py                       about two minutes on two CPU cores, the CNN's training included
    python benchmarks/robustness.py --output-dir outputs  also a figure of what each corruption looks like

The networks are given the arrays as they are, without preprocessing. The CNN is trained by its own recipe (see
classic_networks.py) at the first run and kept in outputs/ beside its seed. The table goes to standard output, the numbers
to benchmarks/results/robustness.json. The strength of each corruption follows from how well the CNN reads, not from
our network.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from classic_networks import FIRST_SEED, RECIPES, build
from corruptions import CORRUPTIONS
from record import add_flags, facts_with_model  # first: it puts the project on the path

from digits.cli import command_line
from digits.common import files, formatting
from digits.common.config import OUTPUTS_DIR
from digits.data import dataset
from digits.data.dataset import Dataset
from digits.model.classifier import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CNN = "cnn-225k"
SEED = 0  # of the corruptions
EXAMPLES = 8  # images of each corruption in the figure


def classic_cnn(data: Dataset) -> Callable[[np.ndarray], np.ndarray]:
    """Return the 225k-parameter CNN as a function: (N, 28, 28) uint8 -> digits (N,)."""
    from digits.model.network import keras  # here: Keras takes seconds, and --help does without

    model = keras.saving.load_model(classic_cnn_file(data), compile=False)
    return lambda images: model.predict(np.float32(images)[..., np.newaxis] / 255, batch_size=500, verbose=0).argmax(axis=1)


def classic_cnn_file(data: Dataset) -> Path:
    """Return the file of the 225k-parameter CNN, a .keras. It is trained once, then kept in outputs/."""
    path = OUTPUTS_DIR / f"{CNN}-seed{FIRST_SEED}-{data.fingerprint()[:12]}.keras"
    if not path.is_file():
        print(f"training {CNN}, kept in {path.parent.name}/{path.name} ...", file=sys.stderr)
        recipe = RECIPES[CNN]
        model = build(recipe, FIRST_SEED)
        model.compile("adam", recipe.loss)
        images = np.float32(data.x_train)[..., np.newaxis] / 255
        model.fit(images, data.y_train, recipe.batch_size, recipe.epochs, validation_split=recipe.validation_split, verbose=0)
        with files.atomic_write(path) as temporary:
            model.save(temporary)
    return path


def images_to_read(data: Dataset) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (name, images, labels): the test images as they are, under each corruption, and the bundled digits."""
    yield "none", data.x_test, data.y_test
    for number, (name, corrupt) in enumerate(CORRUPTIONS.items()):
        # A generator each, so that a corruption added or changed leaves the others as they are.
        yield name, corrupt(data.x_test, np.random.default_rng([SEED, number])), data.y_test
    bundled = dataset.bundled_digits()
    images = np.concatenate([bundled.x_train, bundled.x_test])  # neither network has learned from them
    yield "scikit-learn", images, np.concatenate([bundled.y_train, bundled.y_test])


def sheet(examples: Mapping[str, np.ndarray]) -> "Figure":
    """Return a figure with a row of images for each name. examples: {name: (n, 28, 28) uint8}."""
    from digits.evaluation.figures.style import SMALL_SIZE, Canvas, draw_crop  # here: Matplotlib takes a second

    cell, names = 0.8, 1.2  # inches
    subtitle = "Test images of MNIST, and digits of scikit-learn, as the networks are given them"
    canvas = Canvas("Corruptions", subtitle, names + EXAMPLES * cell, len(examples) * cell)
    for row, (name, images) in enumerate(examples.items()):
        canvas.text(0, row * cell + 0.3, name, fontsize=SMALL_SIZE)
        for column, image in enumerate(images):
            draw_crop(canvas.axes(names + column * cell, row * cell, cell - 0.08, cell - 0.08), image)
    return canvas.figure


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    parser.add_argument("--output-dir", type=Path, help="folder for the figure (default: none is drawn)")
    add_flags(parser, "robustness")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Train or load the CNN, corrupt, read, print, write."""
    arguments = parse(argv)
    classifier = Classifier(arguments.model)
    data = dataset.load(arguments.data)
    read_classic = classic_cnn(data)

    scores, examples = {}, {}
    for name, images, labels in images_to_read(data):
        ours = classifier.classify(images).probabilities.argmax(axis=1)
        correct = [int(np.sum(answers == labels)) for answers in (read_classic(images), ours)]
        scores[name] = {"n": len(labels), CNN: correct[0], "ours": correct[1]}
        examples[name] = images[:EXAMPLES]
    means = {who: float(np.mean([scores[name][who] / scores[name]["n"] for name in CORRUPTIONS])) for who in (CNN, "ours")}

    rows = [("corruption", CNN, "ours")]
    rows += [(name, *(formatting.percent(score[who] / score["n"]) for who in means)) for name, score in scores.items()]
    rows.insert(-1, (f"mean of {len(CORRUPTIONS)}", *map(formatting.percent, means.values())))
    print(f"{data.name}, {len(data.y_test):,} test images; {classifier.model_path.name}")
    command_line.print_table(rows)
    result = {**facts_with_model("robustness", argv, classifier), "data": data.name, "mean": means, "correct": scores}
    files.write_json(arguments.json, result)
    if arguments.output_dir:
        from digits.evaluation.figures.style import save  # here: Matplotlib takes a second

        save(sheet(examples), arguments.output_dir / "robustness.png")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
