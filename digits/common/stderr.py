"""Silence for libraries whose C++ code writes to standard error at its start and has no setting for that."""

import contextlib
import os
import sys
from collections.abc import Iterator

STDERR_DESCRIPTOR = 2  # of the process, in POSIX and in Windows; sys.stderr may be another object


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what the block writes to the process's standard error, C++ code included. Exceptions pass."""
    sys.stderr.flush()
    original = os.dup(STDERR_DESCRIPTOR)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, STDERR_DESCRIPTOR)
    try:
        yield
    finally:
        os.dup2(original, STDERR_DESCRIPTOR)
        os.close(original)
        os.close(null)
