"""What the benchmarks of the page share: draw_digits.py, running."""

import contextlib
import os
import subprocess
import sys

from record import PROJECT_FOLDER


@contextlib.contextmanager
def served_page():
    """Yield (process, address) of draw_digits.py at a free port, "http://127.0.0.1:PORT"; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, PROJECT_FOLDER / "draw_digits.py", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": "true"},
    )
    try:
        process.stdout.readline()  # the model
        yield process, process.stdout.readline().split()[1]
    finally:
        process.terminate()
