"""Read the digits in your own pictures.

    python predict_custom.py                              the picture at IMAGE_PATH, at the top of this script
    python predict_custom.py me.jpg scans/ 'week*/*.png'  pictures, folders with all below them, patterns
    python predict_custom.py scans/ --json answers.json   for programs; - is standard output
    python predict_custom.py me.jpg --save-crops seen/    also what the network saw, as 28x28 pictures
    python predict_custom.py me.jpg --label 7             also keep a copy under custom_digits/7/, to learn from

Each line gives the picture, what was read, and for each digit its confidence and the runner-up; "?" is "not sure":

    model: models/digit_recognition_model.tflite
    custom_digits/42/phone.jpg                42        4 99.9 % (or 9 0.0 %)  2 99.9 % (or 7 0.0 %)
    custom_digits/1/hooked_ballpen_photo.jpg  1         1 97.9 % (or 7 1.8 %)
    absent.png                                error     there is no such file

outputs/custom_predictions.png shows the first 24 pictures with the digits boxed, what the network saw, and the
probabilities. With --json or --csv no figure is drawn unless --output-dir is given.
"""

import contextlib
import csv
import functools
import glob
import os
import sys
from pathlib import Path

from PIL import Image

from digits import command_line, report
from digits.config import CUSTOM_DIGITS_DIR, OUTPUTS_DIR, UserError
from digits.dataset import pictures_in
from digits.files import JsonList, streamed, written_beside
from digits.keeping import check_label, keep
from digits.many import examine_all
from digits.recognizer import DEFAULT_MODEL, Recognizer

# ---- setting -------------------------------------------------------------------------------------------------------
IMAGE_PATH = CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"  # your own: "C:/Users/me/seven.jpg", or a folder

FIGURE_LIMIT = 24  # pictures in the figure; more are not legible
CSV_COLUMNS = ("image", "status", "text", "confidence", "message")


def find_pictures(names):
    """Return the pictures' paths, in the order given, folders and patterns sorted. Raises UserError for none at all."""
    paths = []
    for name in names:
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) and not os.path.lexists(name) else [name]
        if not matches:
            print(f"nothing matches {command_line.printable(name)}", file=sys.stderr)
        for match in matches:
            if os.path.isdir(match):
                pictures, others = pictures_in(match)
                paths += map(str, pictures)
                if others or not pictures:
                    where = command_line.printable(match)
                    found = command_line.counted(len(pictures), "picture")
                    print(f"{where}: {found}, {command_line.counted(others, 'other file')} left aside", file=sys.stderr)
            else:
                paths.append(match)
    if not paths:
        raise UserError("There is no picture to read.\nExpected pictures, folders with pictures or patterns that match some.")
    return paths


def line(entry, width):
    """Return what is printed of an entry: picture, text, and each digit's confidence with its runner-up.

    width: of the longest name, so that the answers stand below each other.
    """
    details = [
        f"{first} {command_line.confidence(confidence)} (or {second} {command_line.confidence(runner_up)})"
        for (first, confidence), (second, runner_up), _ in (digit["top3"] for digit in entry["digits"])
    ]
    answer = entry["text"] + (" ?" if entry["status"] == "unsure" else "") or entry["status"]
    details = "  ".join(details) or command_line.printable(entry["message"])
    return f"{command_line.printable(entry['image']):<{width}}  {answer:<8}  {details}"


def csv_row(entry):
    """Return an entry as a row of the CSV: its confidence is the least certain digit's."""
    confidence = report.least_confidence(entry)
    return [entry["image"], entry["status"], entry["text"], "" if confidence is None else confidence, entry["message"]]


def save_crops(reading, number, folder):
    """Write what the network saw of one picture: NUMBER_NAME_POSITION_is_DIGIT.png, the number as printed."""
    for i, (crop, digit) in enumerate(zip(reading.crops, reading.entry["digits"], strict=True), start=1):
        stem = command_line.printable(Path(reading.entry["image"]).stem)[:80].replace("\\", "_").replace("/", "_")
        with written_beside(folder / f"{number:05}_{stem}_{i}_is_{digit['digit']}.png") as temporary:
            Image.fromarray(crop).save(temporary)


@contextlib.contextmanager
def answer_files(json_path, csv_path):
    """Yield a function that writes an entry to the JSON and the CSV that were asked for; they are whole when the block ends."""
    with contextlib.ExitStack() as files:
        targets = []
        if json_path:
            entries = JsonList(files.enter_context(streamed(json_path)))
            files.callback(entries.end)
            targets.append(entries.append)
        if csv_path:
            rows = csv.writer(files.enter_context(streamed(csv_path)))
            rows.writerow(CSV_COLUMNS)
            targets.append(lambda entry: rows.writerow(csv_row(entry)))
        yield lambda entry: [write(entry) for write in targets]


def progress_bar(count):
    """Return (a function that wraps what a loop goes through, a print that leaves the bar alone); one picture needs no bar."""
    if count == 1:
        return iter, print
    from tqdm import tqdm  # here: a quick answer does without

    return functools.partial(tqdm, total=count, unit=" pictures", leave=False, disable=None), tqdm.write


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "pictures", nargs="*", default=[str(IMAGE_PATH)], help=f"pictures, folders or patterns (default: {IMAGE_PATH})"
    )
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FILE", help="a .tflite, .h5 or .keras file")
    parser.add_argument("--output-dir", type=Path, metavar="FOLDER", help="folder for the figure (default: outputs)")
    parser.add_argument("--json", metavar="FILE", help="write the answers as JSON; - for standard output")
    parser.add_argument("--csv", metavar="FILE", help="write the answers as CSV; - for standard output")
    parser.add_argument("--save-crops", type=Path, metavar="FOLDER", help="write what the network saw, as 28x28 PNG files")
    parser.add_argument(
        "--label", metavar="TEXT", help="keep a copy under custom_digits/TEXT/; TEXT is what it shows, such as 42"
    )
    arguments = parser.parse_args(argv)
    if arguments.json == arguments.csv == "-":
        parser.error("--json - and --csv - both want standard output: give one of them a file")
    return arguments


@command_line.exit_codes
def main(argv=None) -> int:
    """Find, read, print, write, draw."""
    arguments = parse(argv)
    paths = find_pictures(arguments.pictures)
    if arguments.label is not None:
        check_label(arguments.label)
        if len(paths) != 1:
            raise UserError(
                f"--label is for one picture, and these are {len(paths):,}.\nExpected one, and the digits that it shows."
            )
    recognizer = Recognizer(arguments.model)
    quiet = "-" in (arguments.json, arguments.csv)
    if not quiet:
        print(f"model: {command_line.printable(recognizer.model_path)}")

    width = min(60, max(len(command_line.printable(path)) for path in paths))
    draws = arguments.output_dir or not (arguments.json or arguments.csv)
    progress, write = progress_bar(len(paths))
    shown, done, failed = [], 0, 0
    with answer_files(arguments.json, arguments.csv) as write_answer:
        try:
            for reading in progress(examine_all(recognizer, paths, thumbnails=FIGURE_LIMIT if draws else 0)):
                done += 1
                failed += reading.entry["status"] == "error"
                write_answer(reading.entry)
                if draws and done <= FIGURE_LIMIT:
                    shown.append(reading)
                if arguments.save_crops:
                    save_crops(reading, done, arguments.save_crops)
                if not quiet:
                    write(line(reading.entry, width))
        except KeyboardInterrupt:
            written = " and ".join(name for name in (arguments.json, arguments.csv) if name not in (None, "-"))
            kept = f" {written} holds their answers." if written else ""
            print(f"\nInterrupted after {done:,} of {len(paths):,} pictures.{kept}", file=sys.stderr)
            return command_line.INTERRUPTED

    if arguments.label is not None and not failed:
        kept = keep(Path(paths[0]).read_bytes(), Path(paths[0]).suffix, arguments.label)
        print(f"\nkept: {command_line.printable(kept)}", file=sys.stderr if quiet else sys.stdout)
    if draws:
        from digits import plots  # here: Matplotlib takes a second, and a quick answer draws nothing

        figure_path = (arguments.output_dir or OUTPUTS_DIR) / "custom_predictions.png"
        plots.save(plots.custom_predictions(shown, left_out=len(paths) - len(shown)), figure_path)
        if not quiet:
            print(f"\nfigure: {command_line.printable(figure_path)}")
    if not quiet:
        for name, path in (("JSON", arguments.json), ("CSV", arguments.csv), ("crops", arguments.save_crops)):
            if path:
                print(f"{name}: {command_line.printable(path)}")
    return command_line.SOME_FAILED if failed else command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
