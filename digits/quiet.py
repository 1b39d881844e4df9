"""Silence for libraries whose C++ writes to standard error at its start and has no setting for that."""

import contextlib
import os
import sys


@contextlib.contextmanager
def silent_stderr():
    """Throw away what the block writes to the process's standard error. Exceptions pass as ever."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
