"""Score a saved model: on MNIST's test pictures, or on a labelled folder of your own.

    python verify_all_digits.py                          MNIST's 10,000 test pictures
    python verify_all_digits.py --images custom_digits   your own: custom_digits/7/x.png, custom_digits/42/y.jpg
    python verify_all_digits.py --json scores.json       for programs; - is standard output

It prints the accuracy as a count, with its 95 % interval, a table by digit and the most frequent confusions:

      model              models/digit_recognition_model.tflite (223,658 parameters)
      pictures           10,000, MNIST
      accuracy           9,968 / 10,000 (99.68 %, 95 % interval 99.55 to 99.77 %)
      loss               0.0108
      calibration error  0.20 %
      not sure           168
      disputed labels    9 of the errors are on the 15 labels that people dispute

      digit               accuracy  precision    recall       F1  support
      0                   100.00 %    99.69 %  100.00 %  99.85 %      980
      ...

It draws all_digits_predictions, all_digits_examples, confusion_matrix_all_digits, confidence_all_digits and
most_confident_errors in outputs/; with --images custom_digits_report, confusion_matrix_custom and custom_errors. With
--json no figure is drawn unless --output-dir is given.
"""

import functools
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits import command_line, dataset, report
from digits.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR
from digits.files import write_json
from digits.many import examine_all
from digits.recognizer import DEFAULT_MODEL, Recognizer

SEED = 0  # of the choice of examples in the figures
LOW_ACCURACY = 0.9  # of people's own pictures; below it the advice is printed. chosen


def verify_arrays(recognizer, data):
    """Score the test pictures of a Dataset. Returns (report, a function that draws its figures into a folder)."""
    probabilities, _, sure = recognizer.classify(data.x_test)
    scores = {**about(recognizer, data.name), **report.score_arrays(data.y_test, probabilities, sure, data.is_mnist)}
    return scores, functools.partial(draw_arrays, data, probabilities, scores)


def draw_arrays(data, probabilities, scores, output_dir):
    """Draw the five figures about single digits."""
    from digits import plots  # here: Matplotlib takes a second, and --json - draws nothing

    images, labels = data.x_test, data.y_test
    right = probabilities.argmax(axis=1) == labels
    generator = np.random.default_rng(SEED)
    rows = [plots.records(images, labels, probabilities, row) for row in plots.ten_of_each(labels, right, generator)]
    one_of_each = [row[-1] for row in rows if row]
    wrong = np.flatnonzero(~right)
    most_confident = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:20]
    count = f"{len(wrong):,} errors in {len(labels):,} ({data.name})"
    figures = {
        "all_digits_predictions": plots.digits_with_bars(f"one of each digit ({data.name})", one_of_each),
        "all_digits_examples": plots.examples(f"ten of each digit, up to four of its errors first; {count}", rows),
        "confusion_matrix_all_digits": plots.confusion(data.name, scores["confusion"]),
        "confidence_all_digits": plots.confidence(f"confidence; {count}", labels, probabilities),
        "most_confident_errors": plots.confident_errors(
            f"the most confident of {count}", plots.records(images, labels, probabilities, most_confident)
        ),
    }
    for name, figure in figures.items():
        plots.save(figure, output_dir / f"{name}.png")


def verify_folder(recognizer, folder, drawn):
    """Score the labelled pictures of a folder, from the files on. drawn: whether figures will be. Returns as verify_arrays."""
    pictures, unlabelled = dataset.labelled_pictures(folder)
    if unlabelled:
        left_aside = command_line.counted(unlabelled, "picture")
        print(f"{command_line.printable(folder)}: {left_aside} without a label left aside", file=sys.stderr)
    labels = [label for _, label in pictures]
    reading = examine_all(recognizer, [path for path, _ in pictures], thumbnails=len(pictures) if drawn else 0)
    readings = list(tqdm(reading, total=len(pictures), unit=" pictures", leave=False, disable=None))
    scores = {**about(recognizer, str(folder)), **report.score_readings(labels, [reading.entry for reading in readings])}
    return scores, functools.partial(draw_folder, folder, labels, readings, scores)


def draw_folder(folder, labels, readings, scores, output_dir):
    """Draw the three figures about a folder of pictures."""
    from digits import plots

    title = f"{command_line.printable(folder)}: {scores['correct']:,} of {scores['n']:,} read as labelled"
    plots.save(plots.sheet(title, labels, readings), output_dir / "custom_digits_report.png")
    plots.save(plots.confusion("single digits", scores["confusion"]), output_dir / "confusion_matrix_custom.png")
    plots.save(plots.errors_with_crops("read otherwise", labels, readings), output_dir / "custom_errors.png")


def about(recognizer, name):
    """Return what a report says first: the data's name, the model and its size."""
    return {"dataset": name, "model": str(recognizer.model_path), "parameters": recognizer.card.get("parameters")}


def print_scores(scores, card):
    """Print a report."""
    parameters = f"{scores['parameters']:,} parameters" if scores["parameters"] else "no card"
    rows = [
        ("model", f"{command_line.printable(scores['model'])} ({parameters})"),
        ("pictures", f"{scores['n']:,}, {command_line.printable(scores['dataset'])}"),
        ("accuracy", report.count_rate_and_interval(scores)),
    ]
    if scores["loss"] is not None:
        rows.append(("loss", f"{scores['loss']:.4f}"))
    if scores["ece"] is not None:
        rows.append(("calibration error", f"{100 * scores['ece']:.2f} %"))
    rows.append(("not sure", f"{scores['unsure']:,}"))
    if "pictures" in scores:
        rows.append(("unreadable", f"{scores['errors']:,}"))
        rows.append(("not in the table", f"{scores['not_in_confusion']:,} (more than one digit, or not read as one)"))
    else:
        on_card = card.get("test", {})
        if on_card and card.get("data") == scores["dataset"] and on_card.get("correct") != scores["correct"]:
            rows.append(("the card differs", f"{on_card.get('correct'):,} / {on_card.get('n'):,}"))
        if scores["dataset"] == "MNIST":
            rows.append(
                (
                    "disputed labels",
                    f"{scores['disputed_errors']} of the errors are on the {len(report.DISPUTED)} labels that people dispute",
                )
            )
    print()
    command_line.print_table(rows)
    print()
    command_line.print_table(report.table(scores))
    confusions = report.frequent_confusions(scores)
    if confusions:
        print("\nmost frequent confusions")
        command_line.print_table([(f"{truth} read as {answer}", f"{count:,}") for truth, answer, count in confusions])
    wrong = [picture for picture in scores.get("pictures", []) if picture["text"] != picture["label"]]
    if wrong:
        print("\nread otherwise")
        command_line.print_table([(command_line.printable(p["image"]), p["label"], p["text"] or "-", p["status"]) for p in wrong])


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="an .npz with x_test and y_test, or a folder of IDX files, MNIST's format (default: MNIST)",
    )
    source.add_argument("--images", type=Path, metavar="FOLDER", help="a labelled folder of your own pictures")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file")
    parser.add_argument("--output-dir", type=Path, metavar="FOLDER", help="folder for the figures (default: outputs)")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - for standard output")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Load, score, print, write, draw."""
    arguments = parse(argv)
    output_dir = arguments.output_dir or (None if arguments.json else OUTPUTS_DIR)
    recognizer = Recognizer(arguments.model)
    reports = []
    if arguments.images:
        reports.append(verify_folder(recognizer, arguments.images, bool(output_dir)))
    else:
        try:
            data = dataset.load(arguments.data, parts=("test",))
        except dataset.NoData as problem:
            print(f"{problem}\n\nInstead: the sample pictures, and small digits that scikit-learn brings along.", file=sys.stderr)
            reports.append(verify_folder(recognizer, CUSTOM_DIGITS_DIR, bool(output_dir)))
            data = dataset.bundled_digits()
        reports.append(verify_arrays(recognizer, data))

    if arguments.json != "-":
        for scores, _ in reports:
            print_scores(scores, recognizer.card)
        if any("pictures" in scores and scores["accuracy"] < LOW_ACCURACY for scores, _ in reports):
            print(
                "\nThis is low. custom_errors.png shows what the network saw: look for missing parts, or ink that is none.\n"
                "What helps: one number a picture, in focus, evenly lit, the paper filling the picture."
            )
    if arguments.json:
        if len(reports) > 1:
            print(
                "The JSON holds the last report; for the first: verify_all_digits.py --images custom_digits --json FILE",
                file=sys.stderr,
            )
        write_json(sys.stdout if arguments.json == "-" else arguments.json, reports[-1][0])
    if output_dir:
        for _, draw in reports:
            draw(output_dir)
        if arguments.json != "-":
            print(f"\nfigures: {output_dir}")
    unreadable = any(scores["errors"] for scores, _ in reports)
    return command_line.SOME_FAILED if unreadable else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
