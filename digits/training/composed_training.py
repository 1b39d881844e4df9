"""Training of a network on composed pages, from scratch or from the weights in place, and what is saved with it.

A training has parts, each of them short enough for a sitting. A part ends with a learning rate near zero, and with a complete
set of files. The next part starts from the weights of that set with a warm restart (Loshchilov and Hutter 2017). Within a part
there is a checkpoint after each epoch.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits.common.score import Score
from digits.data.dataset import Dataset, Split
from digits.model import keras_files, store
from digits.model.card import EpochRecord, ModelCard
from digits.model.lookup import ModelKind
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training.checkpoint import Checkpoint
from digits.training.composing import Batch, BatchStream, Compose, compose_ahead, split, validation_batches
from digits.training.environment import environment
from digits.training.interrupt import StopBetweenBatches
from digits.training.loop import EpochCallback, EpochScores, run_epochs, start_or_restore

VALIDATION_BATCHES = 20  # about 1,500 digits in windows, or 4,000 in rows

# The settings, beside epochs and seed. Set by hand, together, and measured as a whole: benchmarks/results/whole_numbers.json, 777 images.
STEPS_PER_EPOCH = 500  # batches: about four minutes on two cores
PART_LEARNING_RATE = 0.002  # the highest; in each part it rises to this and falls along a cosine
FINAL_RATE_FRACTION = 0.01  # of the highest learning rate, with which a part ends
MAX_WARM_UP_STEPS = 100  # steps in which the learning rate rises, at most a tenth of a part
WEIGHT_DECAY = 1e-4  # of AdamW (Loshchilov and Hutter 2019)
CLIP_NORM = 5.0  # largest norm of a gradient: windows without any symbol have steep ones


@dataclass(frozen=True, kw_only=True)
class PartSettings:
    """The settings of one part.

    epochs: 1 or more. seed: of everything that is random, except which digits are held back. batch_size: that of the network.
    """

    epochs: int
    seed: int
    batch_size: int

    def to_json(self) -> dict[str, Any]:
        """Return {"EPOCHS": 20, ...}, as they are printed and as a card and a checkpoint hold them."""
        return {
            "EPOCHS": self.epochs,
            "STEPS_PER_EPOCH": STEPS_PER_EPOCH,
            "BATCH_SIZE": self.batch_size,
            "LEARNING_RATE": PART_LEARNING_RATE,
            "FINAL_RATE_FRACTION": FINAL_RATE_FRACTION,
            "MAX_WARM_UP_STEPS": MAX_WARM_UP_STEPS,
            "WEIGHT_DECAY": WEIGHT_DECAY,
            "CLIP_NORM": CLIP_NORM,
            "SEED": self.seed,
        }


@dataclass(frozen=True)
class Validation:
    """How a network answers for composed pages. score: of what it is for. marks: of marks alone, where it counts them."""

    score: Score
    loss: float
    marks: Score | None = None


@dataclass(frozen=True)
class ComposedNetwork:
    """A network that learns from composed pages, and how it learns.

    kind: of the model. batch_size: windows or rows a step. build: makes it, of a seed. loss: of targets and answers. accuracy: of
    the same, shown while training. compose: makes its batches. validate: says how it answers for a list of batches. score_name:
    what Validation.score counts. recipe: the constants behind the settings. card: entries of its card that never change.
    """

    kind: ModelKind
    batch_size: int
    build: Callable[[int], keras.Model]
    loss: Callable[[Any, Any], Any]
    accuracy: Callable[[Any, Any], Any]
    compose: Compose
    validate: Callable[[keras.Model, Sequence[Batch]], Validation]
    score_name: str
    recipe: Callable[[], dict[str, Any]]
    card: Mapping[str, Any]


def fit(
    network: ComposedNetwork,
    model: keras.Model,
    training: Split,
    validation: Split,
    settings: PartSettings,
    earlier: Sequence[EpochRecord],
    checkpoint: Checkpoint,
    resume: bool,
    on_epoch_end: EpochCallback = lambda number, record, seconds_left: None,
) -> tuple[list[EpochRecord], Validation]:
    """Train the model in place for one part; return the records of all epochs of all parts, and the last validation.

    network: what the model is. training, validation: as of composing.split. earlier: the records of the parts before. checkpoint: is written after each epoch.
    resume: whether to go on from it. on_epoch_end: is called with the number of the epoch in this part. Raises UserError where
    the checkpoint can't be read or written, and KeyboardInterrupt after Ctrl-C; the last complete epoch can then be resumed.
    """
    steps = settings.epochs * STEPS_PER_EPOCH
    warm_up = max(1, min(MAX_WARM_UP_STEPS, steps // 10))
    learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), FINAL_RATE_FRACTION, warmup_target=PART_LEARNING_RATE, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(learning_rate, WEIGHT_DECAY, clipnorm=CLIP_NORM)
    model.compile(optimizer, network.loss, metrics=[keras.metrics.MeanMetricWrapper(network.accuracy, name="accuracy")])
    optimizer.build(model.trainable_variables)

    history = start_or_restore(model, checkpoint, resume, earlier)
    stream = BatchStream(network.compose, training, settings.seed, len(history), STEPS_PER_EPOCH, settings.batch_size)
    with StopBetweenBatches() as stop, compose_ahead(stream, stop) as upcoming:
        held_back = validation_batches(network.compose, validation, VALIDATION_BATCHES, settings.batch_size)

        def run_epoch() -> EpochScores:
            accuracy, loss = train_on_batches(model, itertools.islice(upcoming, STEPS_PER_EPOCH), stop)
            validated = network.validate(model, held_back)
            return accuracy, loss, validated.score.accuracy, validated.loss

        def report(number: int, record: EpochRecord, seconds_left: float) -> None:
            on_epoch_end(number - len(earlier), record, seconds_left)

        run_epochs(model, history, len(earlier) + settings.epochs, checkpoint, run_epoch, report)
        return history, network.validate(model, held_back)


def train_on_batches(model: keras.Model, batches: Iterator[Batch], stop: StopBetweenBatches) -> tuple[float, float]:
    """Take one step for each batch, at least one; return the means of the accuracy and of the loss.

    Raises KeyboardInterrupt between two batches after Ctrl-C.
    """
    measured = []
    for inputs, targets in batches:
        stop.check()
        values = model.train_on_batch(inputs, targets, return_dict=True)  # of this batch alone
        measured.append((float(values["accuracy"]), float(values["loss"])))
    accuracy, loss = np.mean(measured, axis=0)
    return float(accuracy), float(loss)


def save(
    network: ComposedNetwork,
    model: keras.Model,
    model_path: Path,
    data: Dataset,
    settings: PartSettings,
    history: Sequence[EpochRecord],
    validation: Validation,
    earlier_card: ModelCard | None,
) -> ModelCard:
    """Write the three files beside the old ones, move them into place together, and return the new card.

    network: what the model is. history: the records of all epochs of all parts. earlier_card: of the network from whose weights the part started,
    None where it started from scratch. The other arguments are as fit takes and returns them.
    """
    training, held_back = split(data)
    own_seconds = sum(record.seconds for record in history[-settings.epochs :])
    card = ModelCard(
        data=data.name,
        pictures={"training": len(training.labels), "validation": len(held_back.labels)},
        settings=settings.to_json(),
        recipe=network.recipe(),
        seed=settings.seed,
        **environment(),
        seconds=round(own_seconds, 1),
        steps=settings.epochs * STEPS_PER_EPOCH,
        history=tuple(history),
        parameters=model.count_params(),
        **network.card,
        validation=validation.score,
        validation_marks=validation.marks,
    )
    if earlier_card is not None:
        card = card.after(earlier_card, model_path.name)
    with store.staged(model_path) as staging:
        keras_files.save_as_float16(model, staging / model_path.name, staging / f"{model_path.stem}.tflite")
        return store.commit(model_path, card)
