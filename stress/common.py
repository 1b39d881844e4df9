"""What the stress tests take from the benchmarks. Importing it puts the project and its folder benchmarks on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from record import PROJECT_FOLDER, RESULTS, add_parts, facts, facts_with_model, recipe_sha256  # noqa: E402
from serving import served_page  # noqa: E402

__all__ = ["PROJECT_FOLDER", "RESULTS", "add_parts", "facts", "facts_with_model", "recipe_sha256", "served_page"]
