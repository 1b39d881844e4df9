"""What the benchmarks that score a model share: the project on the path, and what a result was measured with."""

import datetime
import os
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT_FOLDER))  # where the package digits lies

from digits.config import CORES  # noqa: E402
from digits.recognizer import DEFAULT_MODEL  # noqa: E402

RESULTS = PROJECT_FOLDER / "benchmarks" / "results"


def add_flags(parser, name):
    """Add the flags that all of them have. name: of the benchmark, for its result's file."""
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="a .tflite, .h5 or .keras file")
    parser.add_argument("--json", type=Path, default=RESULTS / f"{name}.json", metavar="FILE", help="where the numbers go")


def facts(name, argv):
    """Return {fact: value} of a run: its command, the machine and the cores that the run might use, the versions, the day."""
    typed = sys.argv[1:] if argv is None else [str(word) for word in argv]
    return {
        "command": shlex.join(["python", f"benchmarks/{name}.py", *typed]),
        "machine": f"{platform.system()} {platform.machine()}, {CORES} of {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "opencv-python-headless", "pillow")},
        "date": datetime.date.today().isoformat(),
    }


def facts_with_model(name, argv, recognizer):
    """Return facts, and which model it was."""
    return {
        **facts(name, argv),
        "model": recognizer.model_path.name,
        "model_sha256": recognizer.card.get("sha256", {}).get(recognizer.model_path.name),
        "parameters": recognizer.card.get("parameters"),
        "temperature": recognizer.temperature,
        "threshold": recognizer.threshold,
    }
