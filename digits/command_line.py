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
        # Started without standard output or error, as some launchers do, a program prints into nothing.
        sys.stdout = sys.stdout or open(os.devnull, "w")
        sys.stderr = sys.stderr or open(os.devnull, "w")
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name that the terminal has no letters for must not stop us
                stream.reconfigure(errors="backslashreplace")
        try:
            code = main(argv)
            print(end="", flush=True)
            return code
        except UserError as error:  # it may name what stands in somebody's file, which must not steer the terminal
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
        except BrokenPipeError:  # the reader of our output, such as head, has seen enough: we were stopped by another
            _abandon_stdout()
            return INTERRUPTED
        except OSError as error:  # a full disk behind standard output, a folder that vanished
            _abandon_stdout()
            where = printable(error.filename) if error.filename else "standard output"
            print(f"\n{where}: {error.strerror}.\nExpected to read or write there.", file=sys.stderr)
            return NOTHING_TRIED

    return wrapper


def _abandon_stdout():
    """Let Python's last flush of standard output, which it makes at its exit, go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser(documentation):
    """Return a parser whose --help is the script's own docstring."""
    return argparse.ArgumentParser(
        description=documentation,
        epilog="exit codes: 0 done; 1 done, but a picture could not be read; 2 nothing could be tried; 130 after Ctrl-C",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


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


def port(text):
    """Return a flag's value as a port: an int from 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 65535, not {text!r}")
    return int(text)


def path(text):
    """Return a flag's value as a path; nothing, as from a variable that is not set, is none."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, not ''")
    return Path(text)


def h5_path(text):
    """Return a flag's value as the path of an .h5 file."""
    if Path(text).suffix != ".h5" or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"expected the name of an .h5 file, not {text!r}")
    return Path(text)


def print_table(rows):
    """Print rows of equal length, [(name, value, ...)], the columns aligned: numbers right, the rest left."""
    rows = [[str(value) for value in row] for row in rows]
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [all(re.fullmatch(r"([\d,.]+( kB| %)?)?|-", value) for value in column[1:]) for column in columns]
    for row in rows:
        cells = [f"{value:>{width}}" if right else f"{value:<{width}}" for value, width, right in zip(row, widths, numeric)]
        print("  " + "  ".join(cells).rstrip())


def count_and_rate(score):
    """Return "9,961 / 10,000 (99.61 %)"."""
    return f"{score['correct']:,} / {score['n']:,} ({percent(score['accuracy'])})"


def percent(share, decimals=2):
    """Return a share of 0 to 1 as "99.83 %", None as "-". Only what is exactly 1 is shown as 100 %."""
    if share is None:
        return "-"
    most = 1 if share == 1 else 1 - 10 ** -(decimals + 2)
    return f"{100 * min(share, most):.{decimals}f} %"


def confidence(probability):
    """Return an answer's probability, 0 to 1, as "99.8 %". No answer is certain, so none is shown as 100 %."""
    return percent(min(probability, 0.999), 1)


def counted(count, noun):
    """Return "1 picture" or "1,200 pictures"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text):
    """Return a file's name as one line for the screen: what can't be printed is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in os.fsdecode(text))
