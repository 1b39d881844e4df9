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
from digits.data.dataset import Split
from digits.model import keras_files, store
from digits.model.card import EpochRecord, ModelCard
from digits.model.lookup import ModelKind
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training.checkpoint import Checkpoint
from digits.training.composing import Batch, BatchStream, Compose, compose_ahead, validation_batches
from digits.training.environment import environment
from digits.training.interrupt import StopBetweenBatches
from digits.training.loop import EpochCallback, EpochScores, run_epochs, start_or_restore
from digits.training.schedule import warm_up_and_cosine_decay

VALIDATION_BATCHES = 20  # about 1,500 digits in windows, or 4,000 in rows

# The settings, beside epochs and seed. Set by hand, together, and measured as a whole: benchmarks/results/whole_numbers.json.
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
class ComposedTraining:
    """How one of the two networks that learn from composed pages is trained.

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


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a training.

    training: of the network. settings: of this part. data_name: of the data set. digits: to compose pages of and to validate on,
    as composing.split returns them. checkpoint: is written after each epoch. earlier_card: of the network from whose weights the
    part starts; None where it starts from scratch.
    """

    training: ComposedTraining
    settings: PartSettings
    data_name: str
    digits: tuple[Split, Split]
    checkpoint: Checkpoint
    earlier_card: ModelCard | None = None


def fit(
    part: Part,
    model: keras.Model,
    resume: bool,
    on_epoch_end: EpochCallback = lambda number, record, seconds_left: None,
) -> tuple[list[EpochRecord], Validation]:
    """Train the model in place for one part; return the records of all epochs of all parts, and the last validation.

    resume: whether to go on from the checkpoint. on_epoch_end: is called with the number of the epoch in this part. Raises
    UserError where the checkpoint can't be read or written, and KeyboardInterrupt after Ctrl-C; the last complete epoch can then
    be resumed.
    """
    training, settings = part.training, part.settings
    training_digits, validation_digits = part.digits
    earlier = (part.earlier_card.history if part.earlier_card else None) or ()
    steps = settings.epochs * STEPS_PER_EPOCH
    warm_up = max(1, min(MAX_WARM_UP_STEPS, steps // 10))
    learning_rate = warm_up_and_cosine_decay(steps, warm_up, PART_LEARNING_RATE, final_fraction=FINAL_RATE_FRACTION)
    optimizer = keras.optimizers.AdamW(learning_rate, WEIGHT_DECAY, clipnorm=CLIP_NORM)
    model.compile(optimizer, training.loss, metrics=[keras.metrics.MeanMetricWrapper(training.accuracy, name="accuracy")])
    optimizer.build(model.trainable_variables)

    history = start_or_restore(model, part.checkpoint, resume, earlier)
    stream = BatchStream(training.compose, training_digits, settings.seed, len(history), STEPS_PER_EPOCH, settings.batch_size)
    with StopBetweenBatches() as stop, compose_ahead(stream, stop) as upcoming:
        held_back_batches = validation_batches(training.compose, validation_digits, VALIDATION_BATCHES, settings.batch_size)

        def run_epoch() -> EpochScores:
            accuracy, loss = train_on_batches(model, itertools.islice(upcoming, STEPS_PER_EPOCH), stop)
            validated = training.validate(model, held_back_batches)
            return accuracy, loss, validated.score.accuracy, validated.loss

        def report(number: int, record: EpochRecord, seconds_left: float) -> None:
            on_epoch_end(number - len(earlier), record, seconds_left)

        run_epochs(model, history, len(earlier) + settings.epochs, part.checkpoint, run_epoch, report)
        return history, training.validate(model, held_back_batches)


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


def save(part: Part, model: keras.Model, model_path: Path, history: Sequence[EpochRecord], validation: Validation) -> ModelCard:
    """Write the three files beside the old ones, move them into place together, and return the new card.

    history, validation: as fit returns them.
    """
    settings = part.settings
    training_digits, validation_digits = part.digits
    own_seconds = sum(record.seconds for record in history[-settings.epochs :])
    card = ModelCard(
        data=part.data_name,
        pictures={"training": len(training_digits.labels), "validation": len(validation_digits.labels)},
        settings=settings.to_json(),
        recipe=part.training.recipe(),
        seed=settings.seed,
        **environment(),
        seconds=round(own_seconds, 1),
        steps=settings.epochs * STEPS_PER_EPOCH,
        history=tuple(history),
        parameters=model.count_params(),
        **part.training.card,
        validation=validation.score,
        validation_marks=validation.marks,
    )
    if part.earlier_card is not None:
        card = card.after(part.earlier_card, model_path.name)
    with store.staged(model_path) as staging:
        keras_files.save_as_float16(model, staging / model_path.name, staging / f"{model_path.stem}.tflite")
        return store.commit(model_path, card)
