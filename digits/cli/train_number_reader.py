"""train_model.py --eye: the number reader's network, trained from scratch or further, and saved beside the digit network."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from digits.cli import command_line
from digits.cli.bring_back import command_to_bring_back
from digits.common.config import NUM_CLASSES
from digits.common.errors import UserError
from digits.common.formatting import count_and_rate
from digits.data import dataset
from digits.model import store
from digits.model.card import EpochRecord, ModelCard

if TYPE_CHECKING:
    from digits.training.number_reader import Validation  # it imports Keras, and wrong paths are answered without it


def train(model_path: Path, data_path: Path | None, epochs: int, validation_split: float, seed: int, resume: bool) -> int:
    """Train the number reader for one part and save it. Returns an exit code.

    model_path: of the .h5 to write. data_path: of the digits that windows are composed of; None: MNIST. epochs: of this part.
    resume: whether to go on, with an interrupted part, or else with the network in place; without it, training starts from
    scratch. Raises UserError where there is nothing to go on with, or the data lacks a digit.
    """
    data = dataset.load(data_path, parts=("train",))
    missing = set(range(NUM_CLASSES)) - set(np.unique(data.y_train).tolist())
    if missing:
        raise UserError(f"The data has no {min(missing)}.\nExpected images of all ten digits: numbers are composed of them.")
    with store.lock(model_path):
        earlier_card = store.recover_and_load_card(model_path)

        os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that writes a .tflite
        from digits.model import number_network
        from digits.training import number_reader
        from digits.training.checkpoint import Checkpoint

        settings = number_reader.PartSettings(epochs=epochs, validation_split=validation_split, seed=seed)
        identity = settings.to_json() | {"pictures": data.fingerprint()}
        checkpoint = Checkpoint(store.checkpoint_folder(model_path), identity)
        interrupted = checkpoint.path.exists()
        earlier: tuple[EpochRecord, ...] = ()
        if resume and not interrupted:
            if earlier_card is None:
                raise UserError(
                    f"There is nothing to go on with: no interrupted training and no {model_path}.\n"
                    "Expected one of them. Start from the beginning: the same command without --resume."
                )
            earlier = earlier_card.history or ()
            model = number_network.load(model_path, seed)
        else:
            model = number_network.build(seed)
        if interrupted and not resume:
            print("An interrupted training is discarded; --resume would have gone on with it.", file=sys.stderr)
        print(f"\ndata: {data.name}\n\nsettings")
        command_line.print_table(settings.to_json().items())
        print(f"\nnetwork: {model.count_params():,} parameters, {_start(resume, interrupted)}\n", flush=True)

        def print_epoch(number: int, record: EpochRecord, seconds_left: float) -> None:
            print(
                f"epoch {number:{len(str(epochs))}} / {epochs}   loss {record.loss:6.3f}   validation {record.val_loss:6.3f}   "
                f"digits {100 * record.val_accuracy:5.2f} %   {record.seconds:4.0f} s"
                + (f"   about {seconds_left / 60:.1f} minutes to go" if number < epochs else ""),
                flush=True,
            )

        splits = dataset.split(data, validation_split, seed)
        try:
            history, validation = number_reader.fit(
                model, splits, settings, earlier, checkpoint, interrupted and resume, print_epoch
            )
        except KeyboardInterrupt:
            command = shlex.join(["python", *sys.argv] + ([] if resume else ["--resume"]))
            print(f"\nInterrupted. The finished epochs are kept; to go on:\n  {command}", file=sys.stderr)
            return command_line.INTERRUPTED
        card = number_reader.save(model, model_path, data, splits, settings, history, validation)
        checkpoint.remove()
        _print_result(model_path, card, validation, earlier_card)
    return command_line.DONE


def _start(resume: bool, interrupted: bool) -> str:
    """Return where the training starts, in words. interrupted: whether there is a checkpoint."""
    if not resume:
        return "from scratch"
    return "from the checkpoint" if interrupted else "from the weights in place"


def _print_result(model_path: Path, card: ModelCard, validation: "Validation", earlier_card: ModelCard | None) -> None:
    """Print what was saved and what it scores, and how the network before comes back."""
    print("\nsaved")
    paths = [model_path.with_suffix(suffix) for suffix in (".h5", ".tflite", ".json")]
    command_line.print_table([(path.name, f"{path.stat().st_size / 1000:,.0f} kB") for path in paths])
    print(f"\nlearned in {(card.seconds or 0) / 60:.1f} minutes, all parts together")
    scores = {"digits of composed windows:": validation.digits, "marks:": validation.marks}
    command_line.print_table([(name, count_and_rate(score)) for name, score in scores.items()])
    if earlier_card:
        print(f"\nThe network before is kept. To bring it back:\n  {command_to_bring_back(model_path)}")
