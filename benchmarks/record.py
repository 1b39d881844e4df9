"""What the benchmarks and the stress tests share: the project on the path, and the facts that a result is kept with.

A result of a model carries the model's SHA-256; a result of a training carries its settings and the SHA-256 of its recipe.
update_docs.py shows a result only where these are those of the shipped model. Every result carries its command, commit and date.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT_FOLDER))  # where the package digits lies

from digits.common.config import CORES  # noqa: E402
from digits.model.card import load_card  # noqa: E402
from digits.model.classifier import DEFAULT_MODEL, Classifier  # noqa: E402
from digits.model.store import card_path  # noqa: E402
from digits.reading.line_reader import DEFAULT_LINE_READER  # noqa: E402
from digits.reading.number_reader import DEFAULT_NUMBER_READER  # noqa: E402

RESULTS = PROJECT_FOLDER / "benchmarks" / "results"


def add_flags(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the flags of the benchmarks that score a model. name: of the benchmark, for its result's file."""
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="a .tflite, .h5 or .keras file")
    parser.add_argument("--json", type=Path, default=RESULTS / f"{name}.json", metavar="FILE", help="where the numbers go")


def add_parts(parser: argparse.ArgumentParser, parts: Iterable[str], noun: str) -> None:
    """Add "NOUN ...", a choice of the parts of a benchmark; the value is arguments.parts, all of them where none is given."""
    names = tuple(parts)

    def part(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"there is no {noun} {text!r}; there are: {', '.join(names)}")
        return text

    parser.add_argument(
        "parts", nargs="*", type=part, default=names, metavar=noun.upper(), help=f"of {', '.join(names)} (default: all)"
    )


def facts(name: str, argv: Sequence[object] | None, folder: str = "benchmarks") -> dict[str, Any]:
    """Return what every result is kept with: its command, the machine and its cores, the versions, the commit and the date.

    name, folder: of the script. argv: its arguments, None for those of the command line.
    """
    typed = sys.argv[1:] if argv is None else [str(word) for word in argv]
    return {
        "command": shlex.join(["python", f"{folder}/{name}.py", *typed]),
        "machine": f"{platform.system()} {platform.machine()}, {CORES} of {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "opencv-python-headless", "pillow")},
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
    }


def commit() -> str | None:
    """Return the commit of the code, with "+" behind it where files other than results differ; None outside a git checkout."""
    git = ["git", "-C", str(PROJECT_FOLDER)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    status = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results"]
    changed = subprocess.run(status, capture_output=True, text=True)
    return None if head.returncode else head.stdout.strip() + ("+" if changed.stdout else "")


def facts_with_model(
    name: str, argv: Sequence[object] | None, classifier: Classifier, folder: str = "benchmarks"
) -> dict[str, Any]:
    """Return the facts, and which model it was."""
    return {
        **facts(name, argv, folder),
        "model": classifier.model_path.name,
        "model_sha256": (classifier.card.sha256 or {}).get(classifier.model_path.name),
        **reader_checksums(),
        "parameters": classifier.card.parameters,
        "temperature": classifier.card.temperature,
        "threshold": classifier.threshold,
    }


def reader_checksums() -> dict[str, str | None]:
    """Return the checksums of the number reader and the line reader in place, by their cards; None where there is none."""
    return {
        f"{path.stem}_sha256": (load_card(card_path(path)).sha256 or {}).get(path.name) if path.exists() else None
        for path in (DEFAULT_NUMBER_READER, DEFAULT_LINE_READER)
    }


def recipe_sha256(recipe: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a recipe, the constants behind the settings, as in the model card."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
