"""Fixtures that several test files share: the project's folder, MNIST where it is, scripts to call, one trained model."""

import contextlib
import importlib
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pytest
from earlier_models import turn_into_earlier_set

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

QUICK_JAX = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # in the environment: XLA compiles in seconds what runs for seconds
SHIPPED_MODEL = PROJECT / "models" / "digit_recognition_model.tflite"


def heed_ctrl_c():
    """Undo, as preexec_fn of a process, that one started in the background of a shell ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Result:
    """What a script did: its exit code and what it wrote, named as in subprocess.CompletedProcess."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def mnist_folder():
    """The folder with MNIST's four files."""
    for folder in (PROJECT / "data", PROJECT.parent / "shared" / "mnist"):
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    pytest.skip("MNIST is not on this machine: put its four files into data/")


@pytest.fixture(scope="session")
def run_script():
    """A function that runs a script in a process of its own, as a user does, and returns the finished process."""

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
def call_script():
    """A function that calls a script's main in this process, where starting a process is not what is tested.

    Importing TensorFlow takes seconds; so each worker imports it once instead of once a test.
    """

    def call(script, *arguments, cwd=None):
        module = importlib.import_module(script.removesuffix(".py"))
        stdout, stderr = io.StringIO(), io.StringIO()
        warnings = logging.StreamHandler(stderr)  # as logging writes them where nothing else is set up
        warnings.setLevel(logging.WARNING)
        logging.getLogger().addHandler(warnings)
        try:
            with (
                contextlib.redirect_stdout(stdout),
                contextlib.redirect_stderr(stderr),
                contextlib.chdir(cwd or os.getcwd()),
            ):
                code = module.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse: --help and wrong flags
            code = end.code
        finally:
            logging.getLogger().removeHandler(warnings)
        return Result(code, stdout.getvalue(), stderr.getvalue())

    return call


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data set for quick trainings: 1,200 of the bundled digits in an .npz."""
    import numpy as np

    from digits.data.dataset import bundled_digits

    data = bundled_digits()
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x_train=data.x_train[:1200], y_train=data.y_train[:1200], x_test=data.x_test, y_test=data.y_test)
    return path


@pytest.fixture(scope="session")
def tutorial_network(mnist_folder):
    """A small network as a tutorial trains it on MNIST: a tutorial_networks.DenseNetwork of 0 to 1, white on black."""
    import tutorial_networks

    from digits.data.array_files import read_arrays

    arrays = read_arrays(mnist_folder, ["x_train", "y_train"])
    return tutorial_networks.train(arrays["x_train"][:10_000], arrays["y_train"][:10_000])


@dataclass(frozen=True)
class Trained:
    """A model that train_model.py made of the small data. folder: holds models/m.h5, .tflite and .json, and outputs/."""

    folder: Path
    stdout: str
    stderr: str

    @property
    def model_path(self):
        return self.folder / "models" / "m.h5"


@pytest.fixture(scope="session")
def trained(small_data, run_script, tmp_path_factory, worker_id):
    """The model of one quick training, made by train_model.py once a test run and shared by all workers. Read only."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "trained"
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            places = ("--model", unfinished / "models" / "m.h5", "--output-dir", unfinished / "outputs")
            result = run_script("train_model.py", "--data", small_data, "--epochs", 5, "--batch-size", 50, *places)
            assert result.returncode == 0, result.stderr
            (unfinished / "stdout.txt").write_text(result.stdout)
            (unfinished / "stderr.txt").write_text(result.stderr)
            unfinished.rename(folder)
    return Trained(folder, (folder / "stdout.txt").read_text(), (folder / "stderr.txt").read_text())


@pytest.fixture
def trained_copy(trained, tmp_path):
    """A copy of the trained model's three files to work on: the path of its .h5."""
    folder = tmp_path / "models"
    folder.mkdir()
    for suffix in (".h5", ".tflite", ".json"):
        shutil.copy(trained.model_path.with_suffix(suffix), folder)
    return folder / trained.model_path.name


@pytest.fixture(scope="session")
def earlier(trained, tmp_path_factory):
    """The trained model as the version of November 2026 saved it: the path of its .h5. Read only."""
    folder = tmp_path_factory.mktemp("earlier")
    for suffix in (".h5", ".tflite", ".json"):
        shutil.copy(trained.model_path.with_suffix(suffix), folder)
    turn_into_earlier_set(folder / trained.model_path.name)
    return folder / trained.model_path.name


@pytest.fixture
def model_copy(tmp_path):
    """The shipped model's three files, in a folder of their own."""
    folder = tmp_path / "models"
    folder.mkdir()
    for path in SHIPPED_MODEL.parent.glob("digit_recognition_model.*"):
        if path.is_file():
            shutil.copy(path, folder)
    return folder / SHIPPED_MODEL.name


@dataclass(frozen=True)
class PageServer:
    """The page that is served by a thread of this process. folder: of its examples and of the images that are kept."""

    port: int
    folder: Path


@pytest.fixture(scope="session")
def page_server(tmp_path_factory):
    """The page of draw_digits.py, served once for each worker, with one example in its folder: 7/an example.jpg."""
    import uvicorn

    from digits.web.reader_pool import ReaderPool
    from digits.web.server import create_app
    from draw_digits import listen

    folder = tmp_path_factory.mktemp("examples")
    (folder / "7").mkdir()
    shutil.copy(PROJECT / "custom_digits" / "7" / "barred_ballpen_photo.jpg", folder / "7" / "an example.jpg")
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(ReaderPool(SHIPPED_MODEL), folder), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield PageServer(listening.getsockname()[1], folder)
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class ComposedSheet:
    """A form with one field of each kind and an empty one. blank, page (filled in), photo (of page): (height, width) uint8."""

    blank: Any
    fields: tuple
    page: Any
    labels: list[str]
    photo: Any


@pytest.fixture(scope="session")
def composed_sheet():
    """A sheet as benchmarks/composed_forms.py composes it, filled in with the digits in custom_digits/."""
    import numpy as np

    sys.path.insert(0, str(PROJECT / "benchmarks"))
    from composed_forms import KINDS, blank_form, fill_in, photograph

    from digits.data.dataset import Split
    from digits.reading.reader import Reader

    reader = Reader(SHIPPED_MODEL)
    samples = [reader.read(path) for path in sorted((PROJECT / "custom_digits").glob("[0-9]/*.*"))]
    digits = [sample.digits[0] for sample in samples if sample.status == "ok"]
    rng = np.random.default_rng(6)
    form = blank_form(rng)
    crops = Split(np.stack([digit.crop for digit in digits]), np.array([digit.digit for digit in digits]))
    page, labels = fill_in(form, crops, rng)
    of_each_kind = [next(i for i, other in enumerate(form.kinds) if other == kind and labels[i]) for kind in KINDS]
    some = [*of_each_kind, labels.index("")]
    fields = tuple(form.fields[i] for i in some)
    return ComposedSheet(form.page, fields, page, [labels[i] for i in some], photograph(page, rng))
