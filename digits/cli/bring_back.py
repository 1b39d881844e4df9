"""The command that brings an earlier model back, as it can be pasted into a shell."""

import os
import shlex
import subprocess
from pathlib import Path

from digits.model import store


def command_to_bring_back(model_path: Path) -> str:
    """Return a command that copies the set in models/previous/ back into place. model_path: of the .h5 in place."""
    folder = model_path.absolute().parent
    previous = store.previous_folder(model_path).absolute()
    if os.name == "nt":  # both of its shells know copy, with one name or pattern
        return subprocess.list2cmdline(["copy", str(previous / f"{model_path.stem}.*"), str(folder)])
    return shlex.join(["cp", *(str(previous / file.name) for file in store.installed_files(model_path)), str(folder)])
