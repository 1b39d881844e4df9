"""train_model.py --fine-tune: from a person's images to a new model in place, or to the reason why there is none."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digits.cli import command_line
from digits.cli.bring_back import command_to_bring_back
from digits.common.config import NUM_CLASSES
from digits.common.formatting import count_and_rate, counted
from digits.data.dataset import Dataset, Split, Splits
from digits.model import lookup, store
from digits.model.card import ModelCard
from digits.reading.reader import Reader
from digits.training import earlier_training, own_images, row_guard, saving
from digits.training.settings import TrainingSettings

if TYPE_CHECKING:  # these take seconds
    from digits.model.network import keras
    from digits.training.fine_tuning import Outcome


@dataclass(frozen=True)
class Prepared:
    """What a fine-tuning starts from: the card and settings of the model in place, what it learned from, and the person's images.

    images: the person's, with a name. learned, held_out: their digits. counts: of the person's images, by what is done with them.
    """

    card: ModelCard
    settings: TrainingSettings
    data: Dataset
    splits: Splits
    reader: Reader
    images: own_images.OwnImages
    learned: Split
    held_out: Split
    counts: dict[str, int]


def fine_tune(model_path: Path, images_path: Path, data_path: Path | None) -> int:
    """Learn a person's images; replace the model if it reads them better and has forgotten nothing. Returns an exit code.

    model_path: of the .h5 in place. images_path: a labelled folder, or data. data_path: of what the model learned from.
    Prints the progress. Raises UserError where one of the three is not what it should be.
    """
    lookup.find_model(model_path)
    with store.lock(model_path):
        prepared = prepare(model_path, images_path, data_path)
        started = time.monotonic()
        try:
            model, outcome = learn(model_path, prepared)
            print_outcome(outcome, prepared.data.name)
            if outcome.last.objections:
                print(
                    f"\nThe model stays as it was: {'; '.join(outcome.last.objections)}.\n"
                    "More images help, ten or more of each digit that is misread."
                )
                return command_line.DONE
            save(model, model_path, prepared, outcome, started)
        except KeyboardInterrupt:
            print("\nInterrupted. The model is as it was.", file=sys.stderr)
            return command_line.INTERRUPTED
        print(
            f"\nsaved: {model_path} and its .tflite and .json\n"
            f"The model before is kept. To bring it back:\n  {command_to_bring_back(model_path)}"
        )
        return command_line.DONE


def prepare(model_path: Path, images_path: Path, data_path: Path | None) -> Prepared:
    """Load the card, the data and the person's images; print how many there are. The arguments are as in fine_tune."""
    card, settings = earlier_training.load_training_card(model_path)
    data, splits = earlier_training.load_training_data(card, settings, data_path)
    reader = Reader(model_path.with_suffix(".tflite"))
    images = own_images.load(images_path, reader)
    for reason, count in images.left_out.items():
        print(f"left out: {counted(count, 'image')} {reason}", file=sys.stderr)
    learned_indices, held_out_indices = own_images.split(images.crops)
    counts = {"learned": len(learned_indices), "held_out": len(held_out_indices), "left_out": sum(images.left_out.values())}
    learned, held_out = images.digits(learned_indices), images.digits(held_out_indices)
    print(f"\nyour images: {images.name}")
    print_counts({"to learn from": (learned, counts["learned"]), "held out": (held_out, counts["held_out"])})
    return Prepared(card, settings, data, splits, reader, images, learned, held_out, counts)


def learn(model_path: Path, prepared: Prepared) -> tuple["keras.Model", "Outcome"]:
    """Return (the model with the weights to keep, the Outcome)."""
    rows = None
    reader, validation = prepared.reader, prepared.splits.validation
    if reader.number_reader is not None:
        print(f"reading {row_guard.ROW_COUNT:,} rows of digits, to see later whether numbers are still read", flush=True)
        rows = row_guard.find_rows(validation, reader.number_reader, reader.classifier)

    from digits.model import keras_files  # here: Keras takes seconds, and mistakes are reported without it
    from digits.training import fine_tuning

    model = keras_files.load(model_path, prepared.settings.seed)
    outcome = fine_tuning.fine_tune(
        model, prepared.splits, prepared.learned, prepared.held_out, prepared.settings, rows, print_round
    )
    return model, outcome


def save(model: "keras.Model", model_path: Path, prepared: Prepared, outcome: "Outcome", started: float) -> None:
    """Replace the model in place. started: by time.monotonic, when the learning began."""
    from digits.training.recipe import fine_tuning_recipe

    card = prepared.card
    entries = {
        "fine_tuned_from": (card.sha256 or {})[model_path.name],
        "recipe": card.recipe,  # of the training, not of the code as it is now
        "fine_tuning": {
            "data": prepared.images.name,
            "pictures": prepared.counts,
            **outcome.to_json(),
            "recipe": fine_tuning_recipe(),
            "seconds": round(time.monotonic() - started, 1),
        },
    }
    saving.save(model, model_path, prepared.data, prepared.splits, prepared.settings, card.history or (), **entries)


def print_counts(parts: dict[str, tuple[Split, int]]) -> None:
    """Print how many of each digit there are. parts: {name: (digits, number of images)}."""
    rows: list[tuple] = [("", *range(NUM_CLASSES), "images")]
    for name, (digits, images) in parts.items():
        by_digit = np.bincount(digits.labels, minlength=NUM_CLASSES)
        rows.append((name, *(f"{count:,}" for count in by_digit), f"{images:,}"))
    command_line.print_table(rows)
    print()


def print_round(step: int, steps: int, accuracy: float) -> None:
    """Print the progress after a round."""
    print(f"step {step} / {steps}   accuracy {100 * accuracy:5.2f} %", flush=True)


def print_outcome(outcome: "Outcome", data_name: str) -> None:
    """Print the scores of the earlier model and of each trial."""
    rows = [("", "yours, held out", f"{data_name}, validation", *(["rows of digits"] if outcome.before.rows else []))]
    scores = {"before": outcome.before}
    scores |= {f"{100 * one.alpha:.0f} % of what was learned": one.scores for one in outcome.interpolations}
    rows += [(name, *(count_and_rate(score) for score in found if score is not None)) for name, found in scores.items()]
    print()
    command_line.print_table(rows)
