"""Score a saved model: on MNIST's test images, or on a labelled folder of your own.

    python verify_all_digits.py                          MNIST's 10,000 test images
    python verify_all_digits.py --images custom_digits   your own: custom_digits/7/x.png, custom_digits/42/y.jpg
    python verify_all_digits.py --json scores.json       for programs; - is standard output

It prints the accuracy as a count, with its 95 % interval, a table by digit and the most frequent confusions:

      model              models/digit_recognition_model.tflite (219,050 parameters)
      images             10,000, MNIST
      accuracy           9,962 / 10,000 (99.62 %, 95 % interval 99.48 to 99.72 %)
      loss               0.0132
      calibration error  0.27 %
      not sure           171
      disputed labels    7 of the errors are on the 15 labels that people dispute

      digit             accuracy  precision    recall       F1  support
      0                  99.90 %    99.69 %   99.90 %  99.80 %      980
      ...

It draws all_digits_predictions, all_digits_examples, confusion_matrix_all_digits, confidence_all_digits and
most_confident_errors in outputs/; with --images custom_digits_report, confusion_matrix_custom and custom_errors. With
--json no figure is drawn unless --output-dir is given.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from digits.cli import command_line
from digits.cli.print_report import print_report
from digits.common.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR
from digits.common.files import write_json
from digits.common.formatting import counted, printable
from digits.data import dataset
from digits.data.dataset import Dataset
from digits.data.labelled_folder import labelled_images
from digits.data.mnist import MnistNotFound
from digits.evaluation.report import Report, report_on_digits, report_on_readings
from digits.model.card import ModelCard
from digits.model.classifier import DEFAULT_MODEL, Classifier
from digits.reading.parallel import read_all
from digits.reading.reader import Reader
from digits.reading.results import Reading

SEED = 0  # of the random choice of images in all_digits_examples and all_digits_predictions
LOW_ACCURACY = 0.9  # of a folder of single digits; below it advice is printed; docs/results.md has what the shipped model reads


class ScoredDataset(NamedTuple):
    """A data set whose test images were scored. probabilities: (N, 10) float32, of those images. card: of the model.

    models: as Reader.models; the model alone, because single digits are not looked for.
    """

    data: Dataset
    probabilities: np.ndarray
    report: Report
    card: ModelCard
    models: Mapping[str, Path]

    def draw(self, output_dir: Path) -> None:
        """Draw the five figures about single digits."""
        from digits.evaluation.figures import scores  # here: Matplotlib takes a second, and --json - draws nothing
        from digits.evaluation.figures.style import Prediction, save

        name, labels = self.data.name, self.data.y_test
        correct = self.probabilities.argmax(axis=1) == labels
        errors = np.flatnonzero(~correct)
        errors = errors[np.argsort(-self.probabilities[errors].max(axis=1), kind="stable")]

        def predictions(indices: Iterable[int]) -> list[Prediction]:
            return scores.predictions_at(self.data.x_test, labels, self.probabilities, indices)

        rows = [predictions(row) for row in scores.example_indices(labels, correct, np.random.default_rng(SEED))]
        last_of_each = [row[-1] for row in rows if row]
        count = f"{name}, {counted(len(errors), 'error')} in {counted(len(labels), 'image')}"
        figures = {
            "all_digits_predictions": scores.one_of_each_digit(f"{name}: one image of each digit", last_of_each),
            "all_digits_examples": scores.examples(f"{count}: ten images of each digit, up to four errors first", rows),
            "confusion_matrix_all_digits": scores.confusion(name, self.report.confusion),
            "confidence_all_digits": scores.confidence(f"{count}: confidence and calibration", labels, self.probabilities),
            "most_confident_errors": scores.confident_errors(f"{count}: the most confident errors", predictions(errors)),
        }
        for file_name, figure in figures.items():
            save(figure, output_dir / f"{file_name}.png")


class ScoredFolder(NamedTuple):
    """A labelled folder that was scored: the images' labels and what was read, in the same order.

    card: of the model. models: of the networks that read the images, as Reader.models.
    """

    folder: Path
    labels: list[str]
    readings: list[Reading]
    report: Report
    card: ModelCard
    models: Mapping[str, Path]

    def draw(self, output_dir: Path) -> None:
        """Draw the three figures about a folder."""
        from digits.evaluation.figures import readings, scores
        from digits.evaluation.figures.style import save

        name, score = printable(self.folder), self.report.score
        title = f"{name}: {score.correct:,} of {counted(score.n, 'image')} read as labelled"
        save(readings.labelled_sheet(title, self.labels, self.readings), output_dir / "custom_digits_report.png")
        save(scores.confusion(f"{name}, single digits", self.report.confusion), output_dir / "confusion_matrix_custom.png")
        errors = readings.errors_with_crops(f"{name}: images not read as labelled", self.labels, self.readings)
        save(errors, output_dir / "custom_errors.png")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=command_line.path,
        metavar="PATH",
        help="an .npz with x_test and y_test, or a folder of IDX files, MNIST's format (default: MNIST)",
    )
    source.add_argument("--images", type=command_line.path, metavar="FOLDER", help="a labelled folder of your own images")
    parser.add_argument(
        "--model", type=command_line.path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file"
    )
    parser.add_argument(
        "--output-dir", type=command_line.path, metavar="FOLDER", help="folder for the figures (default: outputs)"
    )
    parser.add_argument(
        "--json", type=command_line.output_file, metavar="FILE", help="write the report as JSON; - for standard output"
    )
    return parser.parse_args(argv)


def score_dataset(classifier: Classifier, data: Dataset) -> ScoredDataset:
    """Score the test images of a data set, as they are."""
    classification = classifier.classify(data.x_test)
    report = report_on_digits(
        data.y_test,
        classification,
        dataset=data.name,
        model=str(classifier.model_path),
        parameters=classifier.card.parameters,
        is_mnist=data.is_mnist,
    )
    return ScoredDataset(data, classification.probabilities, report, classifier.card, {"model": classifier.model_path})


def score_folder(reader: Reader, folder: Path, with_thumbnails: bool) -> ScoredFolder:
    """Read and score the labelled images of a folder. with_thumbnails: whether figures will be drawn."""
    images, unlabelled = labelled_images(folder)
    if unlabelled:
        print(f"{printable(folder)}: {counted(unlabelled, 'image')} without a label left aside", file=sys.stderr)
    labels = [label for _, label in images]
    answers = read_all(reader, [path for path, _ in images], thumbnails=len(images) if with_thumbnails else 0)
    readings = list(tqdm(answers, total=len(images), unit=" images", leave=False, disable=None))
    report = report_on_readings(
        labels,
        readings,
        dataset=str(folder),
        model=str(reader.classifier.model_path),
        parameters=reader.classifier.card.parameters,
    )
    return ScoredFolder(folder, labels, readings, report, reader.classifier.card, reader.models)


def score(arguments: argparse.Namespace, draws: bool) -> list[ScoredDataset | ScoredFolder]:
    """Score what the flags name; without MNIST and without flags, what is there instead of it."""
    if arguments.images:
        return [score_folder(Reader(arguments.model), arguments.images, draws)]
    classifier = Classifier(arguments.model)
    try:
        return [score_dataset(classifier, dataset.load(arguments.data, parts=("test",)))]
    except MnistNotFound as problem:
        print(f"{problem}\n\nInstead: the sample images, and the small digits inside scikit-learn.", file=sys.stderr)
        samples = score_folder(Reader(classifier.model_path, classifier.card), CUSTOM_DIGITS_DIR, draws)
        return [samples, score_dataset(classifier, dataset.bundled_digits())]


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Score, print, write, draw."""
    arguments = parse(argv)
    output_dir = arguments.output_dir or (None if arguments.json else OUTPUTS_DIR)
    quiet = arguments.json == "-"
    scored = score(arguments, draws=output_dir is not None)
    reports = [one.report for one in scored]

    if not quiet:
        for one in scored:
            print_report(one.report, one.card, one.models)
        if any(report.images is not None and report.score.accuracy < LOW_ACCURACY for report in reports):
            look = "custom_errors.png shows what the network saw: look for missing parts, or for what is not ink.\n"
            print(
                f"\nThis is low. {look if output_dir else ''}"
                "What helps: one number in an image, in focus, evenly lit, and the paper filling the image."
            )
    if arguments.json:
        if len(reports) > 1:
            print(
                "The JSON holds the last report; for the first: verify_all_digits.py --images custom_digits --json FILE",
                file=sys.stderr,
            )
        write_json(sys.stdout if quiet else arguments.json, reports[-1].to_json())
    if output_dir:
        for one in scored:
            one.draw(output_dir)
        if not quiet:
            print(f"\nfigures: {printable(output_dir)}")
    return command_line.SOME_FAILED if any(report.errors for report in reports) else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
