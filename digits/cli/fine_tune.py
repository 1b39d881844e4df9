"""train_model.py --fine-tune: from a person's images to a new model in place, or to the reason why there is none."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digits.cli import command_line
from digits.cli.bring_back import command_to_bring_back
from digits.common.config import NUM_CLASSES
from digits.common.formatting import count_and_rate, counted
from digits.data.dataset import Split
from digits.model import lookup, store
from digits.reading.reader import Reader
from digits.training import own_images, row_guard, saving

if TYPE_CHECKING:
    from digits.training.fine_tuning import Outcome  # it imports Keras, which takes seconds


def fine_tune(model_path: Path, images_path: Path, data_path: Path | None) -> int:
    """Learn a person's images; replace the model if it reads them better and has forgotten nothing. Returns an exit code.

    model_path: of the .h5 in place. images_path: a labelled folder, or data. data_path: of what the model learned from.
    Prints the progress. Raises UserError where one of the three is not what it should be.
    """
    lookup.find_model(model_path)
    with store.lock(model_path):
        card, settings = saving.load_training_card(model_path)
        data, splits = saving.load_training_data(card, settings, data_path)
        reader = Reader(model_path.with_suffix(".tflite"))
        own = own_images.load(images_path, reader)
        for reason, count in own.left_out.items():
            print(f"left out: {counted(count, 'image')} {reason}", file=sys.stderr)
        learned_indices, held_out_indices = own_images.split(own.crops)
        counts = {"learned": len(learned_indices), "held_out": len(held_out_indices), "left_out": sum(own.left_out.values())}
        learned, held_out = own.digits(learned_indices), own.digits(held_out_indices)
        print(f"\nyour images: {own.name}")
        print_counts({"to learn from": (learned, counts["learned"]), "held out": (held_out, counts["held_out"])})

        started = time.monotonic()
        rows = None
        if reader.number_finder is not None:
            print(f"reading {row_guard.ROW_COUNT:,} rows of digits, to see later whether numbers are still read", flush=True)
            rows = row_guard.find_rows(splits.validation, reader.number_finder, reader.classifier)

        from digits.model import network  # here: Keras takes seconds, and mistakes are reported without it
        from digits.training import fine_tuning, recipe

        model = network.load(model_path, settings.seed)
        try:
            outcome = fine_tuning.fine_tune(model, splits, learned, held_out, settings, rows, print_round)
            print_outcome(outcome, data.name)
            if outcome.last.objections:
                print(
                    f"\nThe model stays as it was: {'; '.join(outcome.last.objections)}.\n"
                    "More images help, ten or more of each digit that is misread."
                )
                return command_line.DONE
            entries = {
                "fine_tuned_from": (card.sha256 or {})[model_path.name],
                "recipe": card.recipe,  # of the training, not of the code as it is now
                "fine_tuning": {
                    "data": own.name,
                    "pictures": counts,
                    **outcome.to_json(),
                    "recipe": recipe.fine_tuning_recipe(),
                    "seconds": round(time.monotonic() - started, 1),
                },
            }
            saving.save(model, model_path, data, splits, settings, card.history or (), **entries)
        except KeyboardInterrupt:
            print("\nInterrupted. The model is as it was.", file=sys.stderr)
            return command_line.INTERRUPTED
        print(
            f"\nsaved: {model_path} and its .tflite and .json\n"
            f"The model before is kept. To bring it back:\n  {command_to_bring_back(model_path)}"
        )
        return command_line.DONE


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
    scores |= {f"{100 * trial.alpha:.0f} % of what was learned": trial.scores for trial in outcome.trials}
    rows += [(name, *(count_and_rate(score) for score in found if score is not None)) for name, found in scores.items()]
    print()
    command_line.print_table(rows)
