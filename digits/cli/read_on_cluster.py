"""predict_custom.py --ray: read images on the machines of a Ray cluster."""

import argparse

from digits.cli import command_line
from digits.cli.find_images import find_images
from digits.cli.print_models import print_models
from digits.common.errors import UserError
from digits.common.formatting import counted, printable
from digits.reading.expectation import Expectation
from digits.reading.form import Form
from digits.reading.page_images import page_names
from digits.reading.reader import Reader

SUFFIXES = (".jsonl", ".parquet")  # of what --json names; a "/" may stand behind them


def check_ray_flags(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with exit code 2 and a reason where flags do not fit --ray. arguments: of predict_custom.py."""
    if not arguments.ray:
        parser.error("--ray: expected auto, or the address of a Ray cluster, not ''")
    for flag in ("csv", "label", "save_crops", "output_dir"):
        if getattr(arguments, flag) is not None:
            parser.error(f"--ray writes what --json names, and nothing else: leave --{flag.replace('_', '-')} away")
    if not (arguments.json or "").rstrip("/").endswith(SUFFIXES):
        given = f", not {arguments.json}" if arguments.json else ""
        parser.error(
            f"--ray writes one answer a line, or Parquet: expected --json answers.jsonl or --json answers.parquet{given}"
        )


def read_on_cluster(arguments: argparse.Namespace) -> int:
    """Read the images on a Ray cluster and write the answers; print how many there are. Return the exit code.

    arguments: of predict_custom.py. Raises UserError where the images can't be read at all.
    """
    try:
        from digits.reading import distributed, remote_files  # here: without --ray nothing of Ray is imported
    except ImportError as error:
        raise UserError("--ray needs packages that are missing.\nExpected: pip install -r requirements-ray.txt") from error
    from tqdm import tqdm

    names = page_names(find_images(arguments.images, remote_files.list_folder), remote_files.open_file)
    if arguments.expect is not None:
        Expectation.parse(arguments.expect)  # before anything is loaded: a wrong pattern ends here
    form = Form.load(arguments.fields, arguments.align) if arguments.fields else None
    reader = Reader(arguments.model)
    print_models(reader.models, reader.classifier.card)
    print(f"Ray cluster: {distributed.connect(arguments.ray)}")
    done = failed = 0
    with tqdm(total=len(names), unit=" images", leave=False, disable=None) as bar:

        def report(more_done: int, more_failed: int) -> None:
            nonlocal done, failed
            done += more_done
            failed += more_failed
            bar.update(more_done)

        interrupted = False
        try:
            distributed.read_and_write(names, arguments.json, reader.arguments, form, arguments.expect, arguments.ordered, report)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        command_line.print_interrupted(done, len(names), [arguments.json])
        return command_line.INTERRUPTED
    print(counted(done, "image") + (f", {failed:,} of them could not be read" if failed else ""))
    print(f"JSON: {printable(arguments.json)}")
    return command_line.SOME_FAILED if failed else command_line.DONE
