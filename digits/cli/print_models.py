"""The networks in use as the scripts print them, and how a network without a card of its training takes its images."""

import sys
from collections.abc import Mapping
from pathlib import Path

from digits.common.formatting import printable
from digits.model.card import ModelCard


def print_models(models: Mapping[str, Path], card: ModelCard, quiet: bool = False) -> None:
    """Print the files of the networks, and after the model what model_notes says of it.

    models: as Reader.models. card: of the model. quiet: standard output is for the answers alone; then only what model_notes
    says is printed, on standard error.
    """
    for kind, path in models.items():
        rows = [] if quiet else [(kind, printable(path))]
        if kind == "model":
            rows += model_notes(card)
        for name, text in rows:
            print(f"{name}: {text}", file=sys.stderr if quiet else sys.stdout)


def model_notes(card: ModelCard) -> list[tuple[str, str]]:
    """Return [(name, text)] of what a card says of a network that train_model.py did not write; nothing of one that it wrote."""
    notes = []
    if card.network_format is not None:
        notes += [("input", card.network_format.input_in_words()), ("output", card.network_format.output)]
    if card.estimated_on is not None:
        values = [("temperature", card.temperature), ("threshold", card.threshold)]
        known = ", ".join(f"{name} {value:.2f}" for name, value in values if value is not None)
        notes.append(("estimated", f"input, output, {known}; on {printable(card.estimated_on)}"))
    return notes
