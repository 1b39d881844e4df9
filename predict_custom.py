"""Read the digits in your own images.

    python predict_custom.py                              the image at IMAGE_PATH, at the top of this script
    python predict_custom.py me.jpg scans/ "week*/*.png"  images, folders with all below them, patterns
    python predict_custom.py scan.pdf "other.tif#3"       every page of a PDF or TIFF file, or its third
    python predict_custom.py scans/ --json answers.json   for programs; - is standard output
    python predict_custom.py me.jpg --save-crops seen/    also what the network saw, as 28x28 images
    python predict_custom.py me.jpg --label 7             also keep a copy under custom_digits/7/, to learn from
    python predict_custom.py scans/ --expect 5            forms: each text line holds five digits
    python predict_custom.py scans/ --expect "##.##"      or this: # is a digit, marks and digits stand for themselves
    python predict_custom.py scans/ --fields fields.csv --csv answers.csv    sheets of one form, a column for each field
    python predict_custom.py scans/ --fields fields.csv --align blank.jpg    that lie a little differently on each image
    python predict_custom.py s3://bucket/scans/ --ray auto --json answers.jsonl   on the machines of a Ray cluster

Each line gives the image, what was read, for each digit its confidence, and the runner-up from 0.1 % on; "?" is "not sure":

    model: models/digit_recognition_model.tflite
    number reader: models/number_reader.tflite
    line reader: models/line_reader.tflite
    custom_digits/42/phone.jpg                42        4 99.9 %  2 99.9 %
    custom_digits/1/hooked_ballpen_photo.jpg  1         1 99.4 % (or 7 0.5 %)
    absent.png                                error     there is no such file

outputs/custom_predictions.png shows the first 24 images with the digits boxed, what the network saw, and the
probabilities. With --json or --csv no figure is drawn unless --output-dir is given. docs/forms.md describes fields.csv,
docs/many_images.md --ray.
"""

import argparse
import contextlib
import csv
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from digits.cli import command_line
from digits.cli.find_images import find_images
from digits.cli.print_models import print_models
from digits.cli.read_on_cluster import check_ray_flags, read_on_cluster
from digits.common import formatting
from digits.common.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR
from digits.common.errors import UserError
from digits.common.files import JsonListWriter, atomic_text_stream, atomic_write
from digits.data.kept_images import check_label, check_suffix, keep_image
from digits.model.classifier import DEFAULT_MODEL
from digits.model.store import NETWORK_SUFFIXES
from digits.reading.expectation import Expectation
from digits.reading.form import NAME_SEPARATOR, RESERVED_NAMES, Form, FormReading
from digits.reading.page_images import page_names, split_name
from digits.reading.parallel import read_all
from digits.reading.reader import Reader
from digits.reading.results import Reading

# ---- setting -------------------------------------------------------------------------------------------------------
IMAGE_PATH = CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"  # your own: "C:/Users/me/seven.jpg", or a folder

MAX_IMAGES_IN_FIGURE = 24  # more are not legible
MAX_STEM_BYTES = 80  # of a crop's name that are the image's: file systems take 255 in all
MAX_NAME_WIDTH = 60  # characters of the column of names; longer names push their answers to the right
MIN_RUNNER_UP = 0.001  # probability: of a less probable one nothing but "0.0 %" would be shown
UNSURE = " ?"  # after a text that is not sure
CSV_COLUMNS = ("image", "status", "text", "confidence", "message")


@dataclass
class Answers:
    """What reading the images gave. shown: Readings for the figure. done, failed: numbers of images read, and unreadable."""

    shown: list[Reading]
    done: int = 0
    failed: int = 0
    interrupted: bool = False


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = command_line.parser(__doc__)
    parser.add_argument("images", nargs="*", help=f"images, folders or patterns (default: {IMAGE_PATH})")
    parser.add_argument(
        "--model", type=command_line.path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file"
    )
    parser.add_argument("--output-dir", type=command_line.path, metavar="FOLDER", help="folder for the figure (default: outputs)")
    for flag in ("--json", "--csv"):
        what = f"write the answers as {flag[2:].upper()}; - for standard output"
        parser.add_argument(flag, type=command_line.output_file, metavar="FILE", help=what)
    parser.add_argument(
        "--save-crops", type=command_line.path, metavar="FOLDER", help="write what the network saw, as 28x28 PNG files"
    )
    parser.add_argument(
        "--label", metavar="TEXT", help="keep a copy under custom_digits/; TEXT is what it shows: 42, 12/05/2024; --label=-7,50"
    )
    parser.add_argument(
        "--expect", metavar="FORMAT", help='what each text line holds: 5, five digits, or "##.##", # for a digit; --expect="-##"'
    )
    parser.add_argument(
        "--fields",
        type=command_line.path,
        metavar="FILE",
        help="the fields of a form, of which each image is a sheet: a CSV file",
    )
    parser.add_argument(
        "--align",
        type=command_line.path,
        metavar="IMAGE",
        help="a sheet of the form, blank or filled in, by which others are aligned",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="read on a Ray cluster: auto, or its address; --json names a .jsonl or .parquet file"
    )
    parser.add_argument("--ordered", action="store_true", help="with --ray: write the answers in the order of the images")
    arguments = parser.parse_args(argv)
    check_flags(parser, arguments)
    arguments.images = arguments.images or [str(IMAGE_PATH)]
    return arguments


def check_flags(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with exit code 2 and a reason where flags do not fit together."""
    if arguments.align and not arguments.fields:
        parser.error("--align says where the fields of a form lie: give them with --fields fields.csv")
    if arguments.fields and arguments.expect is not None:
        parser.error("--expect is for images without fields: a column expect in the file of --fields says it of each field")
    if arguments.fields and arguments.label is not None:
        parser.error("--label says what one image shows, and --fields reads many numbers on each")
    if arguments.json and arguments.csv and Path(arguments.json).absolute() == Path(arguments.csv).absolute():
        parser.error(f"--json and --csv are both {arguments.json}: give each a file of its own")
    if arguments.label is not None and not arguments.images:
        parser.error(
            f"--label says what an image shows, and no image is given: predict_custom.py me.jpg --label {arguments.label}"
        )
    if arguments.ordered and arguments.ray is None:
        parser.error("--ordered is for --ray: without it the answers are in the order of the images")
    if arguments.ray is not None:
        check_ray_flags(parser, arguments)


def answer_line(reading: Reading, width: int) -> str:
    """Return the printed line of a Reading: image, text, each digit's confidence, its runner-up from MIN_RUNNER_UP on, message.

    Of a sheet its status and the text of each field are printed.
    width: characters of the first column, so that the answers stand below each other.
    """
    answer: str = reading.status
    if isinstance(reading, FormReading):
        details = [f"{name}: {field.text}{UNSURE if field.status == 'unsure' else ''}" for name, field in reading.fields.items()]
    else:
        answer = reading.text + (UNSURE if reading.status == "unsure" else "") or answer
        details = []
        for (first, confidence), (second, runner_up), _ in (digit.top3 for digit in reading.digits):
            alternative = f" (or {second} {formatting.confidence(runner_up)})" if runner_up >= MIN_RUNNER_UP else ""
            details.append(f"{first} {formatting.confidence(confidence)}{alternative}")
    reason = formatting.printable(reading.message)
    if not reading.digits and reading.status != "ok":
        details = [reason]  # nothing was found that should be there: the reason says more than empty fields
    elif reading.status != "ok":
        details.append(f"({reason})")
    return f"{formatting.printable(reading.image):<{width}}  {answer:<8}  {'  '.join(details)}"


def csv_row(reading: Reading) -> list[Any]:
    """Return a Reading as a row of the CSV: its confidence is the least certain digit's. A sheet's has the text of each field."""
    if isinstance(reading, FormReading):
        texts = [field.text for field in reading.fields.values()]
        return [reading.image, reading.status, reading.message, NAME_SEPARATOR.join(reading.unsure), *texts]
    confidence = "" if reading.confidence is None else reading.confidence
    return [reading.image, reading.status, reading.text, confidence, reading.message]


@contextlib.contextmanager
def answer_files(json_path: str | None, csv_path: str | None, form: Form | None) -> Iterator[Callable[[Reading], None]]:
    """Yield a function that writes a Reading to the JSON and the CSV file, where given; they are whole when the block ends."""
    with contextlib.ExitStack() as files:
        writers: list[Callable[[Reading], object]] = []
        if json_path:
            entries = JsonListWriter(files.enter_context(atomic_text_stream(json_path)))
            files.callback(entries.end)
            writers.append(lambda reading: entries.append(reading.to_json()))
        if csv_path:
            rows = csv.writer(files.enter_context(atomic_text_stream(csv_path)))
            rows.writerow(CSV_COLUMNS if form is None else (*RESERVED_NAMES, *(field.name for field in form.fields)))
            writers.append(lambda reading: rows.writerow(csv_row(reading)))

        def write(reading: Reading) -> None:
            for writer in writers:
                writer(reading)

        yield write


def save_crops(reading: Reading, number: int, folder: Path) -> None:
    """Write what the network saw of one image: NUMBER_NAME_POSITION_is_DIGIT.png, the number as printed."""
    stem = formatting.printable(Path(reading.image).stem).replace("\\", "_").replace("/", "_")
    stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    for position, digit in enumerate(reading.digits, start=1):
        with atomic_write(folder / f"{number:05}_{stem}_{position}_is_{digit.digit}.png") as temporary:
            Image.fromarray(digit.crop).save(temporary)


def progress_bar(count: int) -> tuple[Callable[[Iterable], Iterable], Callable[[str], None]]:
    """Return (a function that wraps what a loop goes through, a print that leaves the bar alone); one image needs no bar."""
    if count == 1:
        return iter, print
    from tqdm import tqdm  # here: a quick answer does without

    return functools.partial(tqdm, total=count, unit=" images", leave=False, disable=None), tqdm.write


def draw(readings: Sequence[Reading], left_out: int, path: Path) -> None:
    """Write the figure of some Readings. left_out: the number of images that it does not show, which it says."""
    from digits.evaluation.figures.readings import custom_predictions  # here: importing Matplotlib takes a second
    from digits.evaluation.figures.style import save

    save(custom_predictions(readings, left_out=left_out), path)


def check_arguments(arguments: argparse.Namespace, paths: Sequence[str]) -> None:
    """Raise UserError for what can't be done with these images, before anything is loaded or written.

    That is a wrong label or pattern, a label of several images, and answers in place of a file that is read.
    """
    model = [Path(arguments.model).with_suffix(ending) for ending in (*NETWORK_SUFFIXES, ".json")]
    inputs = [*(split_name(path)[0] for path in paths), arguments.fields, arguments.align, arguments.model, *model]
    for output in filter(os.path.exists, filter(None, (arguments.json, arguments.csv))):
        if any(os.path.samefile(output, path) for path in inputs if path and os.path.exists(path)):
            raise UserError(f"The answers would take the place of {output}, which is read.\nExpected another name for them.")
    if arguments.label is not None:
        check_label(arguments.label)
        if len(paths) != 1 or split_name(paths[0])[1]:
            found = "this is a page of a file" if len(paths) == 1 else f"these are {len(paths):,}"
            raise UserError(
                f"--label is for one image, and {found}.\nExpected a file of one image, and the digits that it shows."
            )
        check_suffix(Path(paths[0]).suffix)
    if arguments.expect is not None:
        Expectation.parse(arguments.expect)


def read_and_write(
    reader: Reader, form: Form | None, paths: Sequence[str], arguments: argparse.Namespace, quiet: bool, max_shown: int
) -> Answers:
    """Read the images, write the JSON, the CSV and the crops, print a line for each image.

    form: of which they are sheets; None: they are none. quiet: whether nothing is printed. max_shown: how many Readings to
    return, for the figure; fewer than all if interrupted.
    """
    width = min(MAX_NAME_WIDTH, max(len(formatting.printable(path)) for path in paths))
    with_progress, write_line = progress_bar(len(paths))
    answers = Answers([])
    with answer_files(arguments.json, arguments.csv, form) as write_answer:
        try:
            for reading in with_progress(read_all(reader, paths, max_shown, arguments.expect, form)):
                answers.done += 1
                answers.failed += reading.status == "error"
                write_answer(reading)
                if len(answers.shown) < max_shown:
                    answers.shown.append(reading)
                if arguments.save_crops:
                    save_crops(reading, answers.done, arguments.save_crops)
                if not quiet:
                    write_line(answer_line(reading, width))
        except KeyboardInterrupt:
            answers.interrupted = True
            command_line.print_interrupted(answers.done, len(paths), [arguments.json, arguments.csv])
    return answers


def print_files(arguments: argparse.Namespace) -> None:
    """Print which files hold the answers."""
    for name, path in (("JSON", arguments.json), ("CSV", arguments.csv), ("crops", arguments.save_crops)):
        if path:
            print(f"{name}: {formatting.printable(path)}")


@command_line.exit_codes
def main(argv: Sequence[str] | None = None) -> int:
    """Find the images, read them, write the answers, draw the figure."""
    arguments = parse(argv)
    if arguments.ray is not None:
        return read_on_cluster(arguments)
    paths = page_names(find_images(arguments.images))
    check_arguments(arguments, paths)
    form = Form.load(arguments.fields, arguments.align) if arguments.fields else None
    reader = Reader(arguments.model)
    quiet = "-" in (arguments.json, arguments.csv)  # standard output is for the answers alone
    print_models(reader.models, reader.classifier.card, quiet)
    draws = bool(arguments.output_dir or not (arguments.json or arguments.csv))
    answers = read_and_write(reader, form, paths, arguments, quiet, MAX_IMAGES_IN_FIGURE if draws else 0)
    if answers.interrupted:
        return command_line.INTERRUPTED

    if arguments.label is not None and not answers.failed:
        copy = keep_image(Path(paths[0]).read_bytes(), Path(paths[0]).suffix, arguments.label)
        print(f"\nkept: {formatting.printable(copy)}", file=sys.stderr if quiet else sys.stdout)
    draws = draws and answers.failed < answers.done  # where no image could be read, there is nothing to show
    figure_path = (arguments.output_dir or OUTPUTS_DIR) / "custom_predictions.png" if draws else None
    if not quiet:
        print_files(arguments)
    if figure_path:
        draw(answers.shown, len(paths) - len(answers.shown), figure_path)
        if not quiet:
            print(f"\nfigure: {formatting.printable(figure_path)}")
    return command_line.SOME_FAILED if answers.failed else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
