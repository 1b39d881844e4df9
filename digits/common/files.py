"""Atomic writes: a file appears in its place whole or not at all, whatever stops the program.

The content goes to a temporary file in the same folder, is flushed to the disk, and is then renamed to the final name.
"""

import contextlib
import errno
import json
import os
import re
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from digits.common.errors import UserError

# NumPy and Keras write no other compression into a zip file. The others are unpacked a whole block at a time, so a file of
# 6 kB could take 8 GB of memory (measured with bzip2).
SAFE_ZIP_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
TEMPORARY_PREFIX = ".new-"  # of a file that is still being written, or that a killed process has left behind


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a temporary file in the same folder; when the block ends, it replaces the file at the path.

    If the block fails, the temporary file is removed and an earlier file stays as it was. A device or a pipe is yielded itself,
    because a file in its place would destroy it. Raises UserError where the folder can't be written to or the disk is full.
    """
    path = Path(path).resolve()  # so that the target of a symbolic link is replaced, not the link
    temporary = None
    try:
        if _is_special_file(path):
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept, because Keras and Matplotlib derive the format from it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=path.suffix)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        # mkstemp makes files that only their owner may read; an ordinary file has the permissions that the umask leaves.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_text_stream(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Yield a text file named PATH.part, to be written little by little; when the block ends, it replaces the file at the path.

    The temporary file has a plain name, because a user may look into it while a long run writes it. "-" is standard output; it,
    a device and a pipe are written to directly. If the block fails, the temporary file is removed and an earlier file stays.
    Raises UserError where the folder can't be written to or the disk is full.
    """
    if path == "-":
        yield sys.stdout
        return
    target = Path(path).resolve()
    part = target.with_name(f"{target.name}.part")
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_special_file(target):
            with _open_text(target) as file:
                yield file
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _open_text(part) as file:
                yield file
            flush_to_disk(part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(target, error) from error


def write_json(target: str | os.PathLike[str] | TextIO, content: Any) -> None:
    """Write JSON, indented by two spaces and in ASCII only, to a path (atomically) or to an open text file.

    Raises UserError where the path can't be written.
    """
    text = json.dumps(content, indent=2) + "\n"
    if isinstance(target, (str, os.PathLike)):
        with atomic_write(target) as temporary:
            temporary.write_text(text, encoding="ascii")
    else:
        target.write(text)


class JsonListWriter:
    """Writes a JSON list to an open text file, entry by entry, in the same form as write_json writes a whole list."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._separator = "["

    def append(self, entry: Any) -> None:
        """Write one entry, which json must be able to write."""
        text = f"{self._separator}\n{textwrap.indent(json.dumps(entry, indent=2), '  ')}"
        try:
            self._file.write(text)
        finally:  # Ctrl-C may come right after the entry was written
            self._separator = ","

    def end(self) -> None:
        """Write the end of the list. The file stays open."""
        self._file.write("[]\n" if self._separator == "[" else "\n]\n")


def write_error(path: str | os.PathLike[str], error: OSError) -> UserError:
    """Return the UserError that says that the path can't be written, and why."""
    reason = error.strerror or str(error)
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        reason = "a part of this path is a file, not a folder"
    wrapped = re.search("error message = '(.*?)'", reason)  # HDF5 puts the system's message into a paragraph of its own
    return UserError(
        f"{os.fspath(path)} can't be written: {wrapped[1] if wrapped else reason}.\n"
        "Expected a folder that can be written to and room on its disk. No partly written file remains."
    )


def flush_to_disk(path: str | os.PathLike[str]) -> None:
    """Wait until the file's content is on the disk, so that a power failure after the rename can't leave an empty file."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _is_special_file(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _open_text(path: Path) -> TextIO:
    """Open a file for CSV or JSON: lines end as the writer ends them, and bytes of file names that are no UTF-8 pass through."""
    return open(path, "w", newline="", encoding="utf-8", errors="surrogateescape")
