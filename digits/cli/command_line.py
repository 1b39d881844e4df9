"""What the scripts share as commands: exit codes, types of flags that check their values, tables and sentences on the screen."""

import argparse
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from digits.common.errors import UserError
from digits.common.formatting import printable
from digits.data.labelled_folder import IMAGE_SUFFIXES
from digits.training.settings import MAX_SEED

DONE, SOME_FAILED, NOTHING_TRIED, INTERRUPTED = 0, 1, 2, 130  # exit codes; 130 is the shells' own after Ctrl-C (128 + SIGINT)


def exit_codes(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Decorate a script's main function so that every error that the user can put right gives a message and an exit code.

    main: takes the command line's arguments, None for those of the process. Other exceptions are defects and pass through.
    """

    @functools.wraps(main)
    def wrapper(argv: Sequence[str] | None = None) -> int:
        # Some launchers start a program without standard output or error; what it prints is then thrown away.
        sys.stdout = sys.stdout or open(os.devnull, "w")
        sys.stderr = sys.stderr or open(os.devnull, "w")
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # so that a name in letters that the terminal can't show raises nothing
                stream.reconfigure(errors="backslashreplace")
        try:
            code = main(argv)
            print(end="", flush=True)
            return code
        except UserError as error:  # its text may quote a file, whose control characters must not reach the terminal
            print("", *map(printable, str(error).split("\n")), sep="\n", file=sys.stderr)
            return NOTHING_TRIED
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return INTERRUPTED
        except MemoryError:
            print(
                "\nThere is not enough memory.\n"
                "Expected some more: close other programs; train_model.py takes less with --batch-size 32.",
                file=sys.stderr,
            )
            return NOTHING_TRIED
        except BrokenPipeError:  # the program that reads our output, such as head, has ended
            _discard_stdout()
            return INTERRUPTED
        except OSError as error:  # a full disk behind standard output, a folder that was deleted
            _discard_stdout()
            where = printable(error.filename) if error.filename else "standard output"
            print(f"\n{where}: {error.strerror}.\nExpected to read or write there.", file=sys.stderr)
            return NOTHING_TRIED

    return wrapper


def parser(documentation: str | None) -> argparse.ArgumentParser:
    """Return a parser whose --help is the script's own docstring."""
    return argparse.ArgumentParser(
        description=documentation,
        epilog="exit codes: 0 done; 1 done, but an image could not be read; 2 nothing could be tried; 130 after Ctrl-C",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def positive_integer(text: str) -> int:
    """Return a flag's value as an int of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, not {text!r}")
    return int(text)


def seed(text: str) -> int:
    """Return a flag's value as a seed: an int from 0 to MAX_SEED."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {MAX_SEED}, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """Return a flag's value as a port: an int from 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 65535, not {text!r}")
    return int(text)


def path(text: str) -> Path:
    """Return a flag's value as a path. An empty value, as from a shell variable that is not set, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, not ''")
    return Path(text)


def output_file(text: str) -> str:
    """Return a flag's value as the name of a JSON or CSV file to write; not the name of an image, which it would replace."""
    if not text or Path(text).suffix.lower() in IMAGE_SUFFIXES:
        raise argparse.ArgumentTypeError(f"expected a file to write, such as answers.json, not {text!r}")
    return text


def h5_path(text: str) -> Path:
    """Return a flag's value as the path of an .h5 file, which need not exist."""
    if Path(text).suffix != ".h5" or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"expected the name of an .h5 file, not {text!r}")
    return Path(text)


def print_table(rows: Iterable[Sequence[Any]]) -> None:
    """Print rows of equal length, [(name, value, ...)], in aligned columns: numbers to the right, the rest to the left."""
    texts = [[str(value) for value in row] for row in rows]
    columns = list(zip(*texts, strict=True))
    widths = [max(map(len, column)) for column in columns]
    # The first row may be a heading, so it does not decide.
    numeric = [all(re.fullmatch(r"([\d,.]+( kB| %)?)?|-", value) for value in column[1:]) for column in columns]
    for row in texts:
        cells = zip(row, widths, numeric, strict=True)
        aligned = [f"{value:>{width}}" if right else f"{value:<{width}}" for value, width, right in cells]
        print("  " + "  ".join(aligned).rstrip())


def print_interrupted(done: int, count: int, files: Sequence[str | None]) -> None:
    """Print on standard error how many of the images were read before Ctrl-C, and where their answers are.

    done, count: numbers of images. files: the names of those that hold answers; None and "-", standard output, are left out.
    """
    written = [printable(name) for name in files if name not in (None, "-")]
    kept = f" Their answers are in {' and '.join(written)}." if written else ""
    print(f"\nInterrupted after {done:,} of {count:,} images.{kept}", file=sys.stderr)


def _discard_stdout() -> None:
    """Send to os.devnull what Python still flushes to standard output as it exits, which would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
