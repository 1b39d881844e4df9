"""Fixtures that several test files share: the project's folder, MNIST where it is, and models made once a session."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

QUICK_JAX = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # in the environment: XLA compiles in seconds what runs for seconds
SHIPPED_MODEL = PROJECT / "models" / "digit_recognition_model.tflite"


def heed_ctrl_c():
    """Undo, as preexec_fn of a process, that one started in the background of a shell ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mnist_folder():
    """The folder with MNIST's four files."""
    for folder in (PROJECT / "data", PROJECT.parent / "shared" / "mnist"):
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    pytest.skip("MNIST is not on this machine: put its four files into data/")


@pytest.fixture(scope="session")
def run_script():
    """A function that runs a script as a user does and returns the finished process with its text output."""

    def run(script, *arguments, cwd=None, **environment):
        return subprocess.run(
            [sys.executable, str(PROJECT / script), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=cwd,
            env={**os.environ, **environment},
        )

    return run


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data set for quick trainings: 1,200 of the bundled digits in an .npz."""
    import numpy as np

    from digits.dataset import bundled_digits

    data = bundled_digits()
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x_train=data.x_train[:1200], y_train=data.y_train[:1200], x_test=data.x_test, y_test=data.y_test)
    return path


@pytest.fixture
def model_copy(tmp_path):
    """The shipped model's three files, in a folder of their own."""
    folder = tmp_path / "models"
    folder.mkdir()
    for path in SHIPPED_MODEL.parent.glob("digit_recognition_model.*"):
        if path.is_file():
            shutil.copy(path, folder)
    return folder / SHIPPED_MODEL.name
