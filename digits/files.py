"""Files written beside and moved into place: whole or not at all, whatever stops the program."""

import contextlib
import json
import os
import re
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

from digits.config import UserError

# In a zip file; NumPy and Keras write no other. The rest is unpacked a whole block at a time: 6 kB of bzip2 may hold 8 GB.
BOUNDED_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UNFINISHED = ".new-"  # begins the name of a file that is still being written, or that a kill has left


@contextlib.contextmanager
def written_beside(path):
    """Yield a temporary path beside the path; what is written there takes the path's place at the end.

    Where the block fails, nothing remains of it and an earlier file stays as it was. Raises UserError where the
    folder can't be written to or the disk is full.
    """
    path = Path(path).resolve()  # what a symbolic link points to is replaced, not the link
    temporary = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path  # a device or a pipe is written to; putting a file in its place would destroy it
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept, because Keras and Matplotlib choose the format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files that only their owner may read; an ordinary file has the modes that umask leaves.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        synchronise(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_be_written(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cannot_be_written(path, error):
    """Return the UserError for an OSError."""
    reason = error.strerror or str(error)
    within = re.search("error message = '(.*?)'", reason)  # HDF5 wraps the system's words into a paragraph of its own
    return UserError(
        f"{path} can't be written: {within[1] if within else reason}.\n"
        "Expected a folder that can be written to and room on its disk. Nothing half-written remains."
    )


def synchronise(path):
    """Wait until the file's content is on the disk, so that a power cut after the move can't empty it."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def write_json(target, content):
    """Write JSON for people and programs, two spaces of indentation and ASCII only, to a path or an open file."""
    text = json.dumps(content, indent=2) + "\n"
    if hasattr(target, "write"):
        target.write(text)
    else:
        with written_beside(target) as temporary:
            temporary.write_text(text, encoding="ascii")


@contextlib.contextmanager
def streamed(path):
    """Yield a text file named PATH.part, to be written bit by bit; it takes the path's place when the block ends well.

    "-" and what is no ordinary file, such as a pipe, are written to directly. Raises UserError where the folder can't be
    written to or the disk is full; nothing half-written remains then.
    """
    if path == "-":
        yield sys.stdout
        return
    path = Path(path).resolve()
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            with open(part, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                yield file
            synchronise(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from error


class JsonList:
    """A JSON list, written to an open file entry by entry, as write_json would write it whole."""

    def __init__(self, file):
        self.file = file
        self.before = "["

    def append(self, entry):
        text = f"{self.before}\n{textwrap.indent(json.dumps(entry, indent=2), '  ')}"
        try:
            self.file.write(text)
        finally:  # Ctrl-C may come right after the entry was written
            self.before = ","

    def end(self):
        self.file.write("[]\n" if self.before == "[" else "\n]\n")
