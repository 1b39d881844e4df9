"""What the trainings of the digit network, the number reader and the line reader print alike."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from digits.cli import command_line

if TYPE_CHECKING:
    from digits.training.checkpoint import Checkpoint  # it imports Keras, and --help is answered without it

OTHER_KIND_IN_PLACE = "Expected another name after --model: the file there would be replaced by a network of another kind."


def epoch_line(number: int, epochs: int, measured: str, seconds: float, seconds_left: float) -> str:
    """Return "epoch  3 / 12   MEASURED     21 s   about 3.2 minutes to go"; the last epoch's line has no time to go."""
    left = f"   about {seconds_left / 60:.1f} minutes to go" if number < epochs else ""
    return f"epoch {number:{len(str(epochs))}} / {epochs}   {measured}   {seconds:4.0f} s{left}"


def say_if_discarded(checkpoint: "Checkpoint", resume: bool) -> None:
    """Say that a training starts from the beginning although there is a checkpoint."""
    if checkpoint.path.exists() and not resume:
        print("An interrupted training is discarded; --resume would have gone on with it.", file=sys.stderr)


def say_interrupted(resume: bool) -> int:
    """Say how an interrupted training goes on; return the exit code. resume: whether it was already a resumed one."""
    command = shlex.join(["python", *sys.argv] + ([] if resume else ["--resume"]))
    print(f"\nInterrupted. The finished epochs are kept; to go on:\n  {command}", file=sys.stderr)
    return command_line.INTERRUPTED


def print_saved(model_path: Path, seconds: float | None) -> None:
    """Print the three files of the model with their sizes. seconds: that the training took."""
    print("\nsaved")
    paths = [model_path.with_suffix(suffix) for suffix in (".h5", ".tflite", ".json")]
    command_line.print_table([(path.name, f"{path.stat().st_size / 1000:,.0f} kB") for path in paths])
    print(f"\nlearned in {(seconds or 0) / 60:.1f} minutes")
