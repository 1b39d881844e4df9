"""What the scripts share as commands: exit codes, and flags that check their values."""

import argparse
import functools
import os
import re
import sys
from pathlib import Path

from digits.config import UserError

DONE, SOME_FAILED, NOTHING_TRIED, INTERRUPTED = 0, 1, 2, 130


def exit_codes(main):
    """Decorate a script's main so that whatever the user can put right is a message and an exit code."""

    @functools.wraps(main)
    def wrapper(argv=None) -> int:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # a file's name must not stop us where a terminal lacks letters
        try:
            code = main(argv)
            sys.stdout.flush()
            return code
        except UserError as error:
            print(f"\n{error}", file=sys.stderr)
            return NOTHING_TRIED
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the reader of our output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE

    return wrapper


def parser(documentation):
    """Return a parser whose --help is the script's own docstring."""
    return argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)


def positive_integer(text):
    """Return a flag's value as an int of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, not {text!r}")
    return int(text)


def seed(text):
    """Return a flag's value as a seed: an int from 0 to 2**32 - 1."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {2**32 - 1}, not {text!r}")
    return int(text)


def h5_path(text):
    """Return a flag's value as the path of an .h5 file."""
    if not text.endswith(".h5"):
        raise argparse.ArgumentTypeError(f"expected the name of an .h5 file, not {text!r}")
    return Path(text)


def print_table(rows):
    """Print rows of equal length, [(name, value, ...)], the columns aligned: numbers right, the rest left."""
    rows = [[str(value) for value in row] for row in rows]
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [all(re.fullmatch(r"[\d,.]*( kB| %)?", value) for value in column[1:]) for column in columns]
    for row in rows:
        cells = [f"{value:>{width}}" if right else f"{value:<{width}}" for value, width, right in zip(row, widths, numeric)]
        print("  " + "  ".join(cells).rstrip())


def percent(rate):
    """Return a rate as "99.8 %"; nothing short of 1 is shown as 100 %."""
    return f"{100 * (min(rate, 0.999) if rate < 1 else rate):.1f} %"


def printable(text):
    """Return a file's name as one line for the screen: what can't be printed is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in os.fsdecode(text))
