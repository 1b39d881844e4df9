"""What page.py and stress/ten_people.py share: draw_digits.py, running."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from record import PROJECT_FOLDER


@contextlib.contextmanager
def served_page() -> Iterator[tuple[subprocess.Popen, str]]:
    """Yield draw_digits.py, running at a free port, and its address, such as "http://127.0.0.1:8000"; at the end stop it."""
    process = subprocess.Popen(
        [sys.executable, PROJECT_FOLDER / "draw_digits.py", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": "true"},  # a program that does nothing, in place of a browser
    )
    try:
        yield process, next(line.split()[1] for line in process.stdout if line.startswith("page:"))  # behind the networks
    finally:
        process.terminate()
