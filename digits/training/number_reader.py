"""Training of the number reader, from scratch or from the weights in place, and what is saved with it.

A training has parts, each of them short enough for a sitting. A part ends with a learning rate near zero, and with a complete
set of files. The next part starts from the weights of that set with a warm restart (Loshchilov and Hutter 2017). Within a part
there is a checkpoint after each epoch.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits.common.config import MARKS, NUM_CLASSES
from digits.common.score import Score
from digits.composition.windows import WindowBatch
from digits.data.dataset import Dataset, Split
from digits.evaluation import metrics
from digits.model import number_network, store
from digits.model.card import EpochRecord, ModelCard
from digits.model.heat_map import BOX_UNIT, CLASS_COUNT, MIN_CENTRE, OTHER_INK, OUTPUT_COUNT, SIDE_MULTIPLE, STRIDE
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training.checkpoint import Checkpoint
from digits.training.composing import WindowStream, compose_ahead, split, validation_batches
from digits.training.environment import environment
from digits.training.interrupt import StopBetweenBatches
from digits.training.loop import EpochCallback, EpochScores, run_epochs, start_or_restore
from digits.training.recipe import number_reader_recipe

VALIDATION_BATCHES = 20  # 320 windows, with about 1,500 digits

# The settings, beside epochs and seed. Set by hand, together, and measured as a whole: benchmarks/results/whole_numbers.json, 777 images.
STEPS_PER_EPOCH = 500  # batches: about four minutes on two cores
WINDOW_BATCH_SIZE = 16  # windows a step
PART_LEARNING_RATE = 0.002  # the highest; in each part it rises to this and falls along a cosine
FINAL_RATE_FRACTION = 0.01  # of the highest learning rate, with which a part ends
MAX_WARM_UP_STEPS = 100  # steps in which the learning rate rises, at most a tenth of a part
WEIGHT_DECAY = 1e-4  # of AdamW (Loshchilov and Hutter 2019)
CLIP_NORM = 5.0  # largest norm of a gradient: windows without any symbol have steep ones


@dataclass(frozen=True, kw_only=True)
class PartSettings:
    """The settings of one part. epochs: 1 or more. seed: of everything that is random, except which digits are held back."""

    epochs: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return {"EPOCHS": 20, ...}, as they are printed and as a card and a checkpoint hold them."""
        return {
            "EPOCHS": self.epochs,
            "STEPS_PER_EPOCH": STEPS_PER_EPOCH,
            "BATCH_SIZE": WINDOW_BATCH_SIZE,
            "LEARNING_RATE": PART_LEARNING_RATE,
            "FINAL_RATE_FRACTION": FINAL_RATE_FRACTION,
            "MAX_WARM_UP_STEPS": MAX_WARM_UP_STEPS,
            "WEIGHT_DECAY": WEIGHT_DECAY,
            "CLIP_NORM": CLIP_NORM,
            "SEED": self.seed,
        }


@dataclass(frozen=True)
class Validation:
    """How the network answers for composed windows: whether the class is right at the centres of digits and of marks."""

    digits: Score
    marks: Score
    loss: float


def fit(
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

    training, validation: as of composing.split. earlier: the records of the parts before. checkpoint: is written after each epoch.
    resume: whether to go on from it. on_epoch_end: is called with the number of the epoch in this part. Raises UserError where
    the checkpoint can't be read or written, and KeyboardInterrupt after Ctrl-C; the last complete epoch can then be resumed.
    """
    steps = settings.epochs * STEPS_PER_EPOCH
    warm_up = max(1, min(MAX_WARM_UP_STEPS, steps // 10))
    learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), FINAL_RATE_FRACTION, warmup_target=PART_LEARNING_RATE, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(learning_rate, WEIGHT_DECAY, clipnorm=CLIP_NORM)
    model.compile(optimizer, number_network.loss, metrics=[number_network.centre_accuracy])
    optimizer.build(model.trainable_variables)

    history = start_or_restore(model, checkpoint, resume, earlier)
    stream = WindowStream(training, settings.seed, len(history), STEPS_PER_EPOCH, WINDOW_BATCH_SIZE)
    with StopBetweenBatches() as stop, compose_ahead(stream, stop) as upcoming:
        held_back = validation_batches(validation, VALIDATION_BATCHES, WINDOW_BATCH_SIZE)

        def run_epoch() -> EpochScores:
            accuracy, loss = train_on_windows(model, itertools.islice(upcoming, STEPS_PER_EPOCH), stop)
            validated = validate(model, held_back)
            return accuracy, loss, validated.digits.accuracy, validated.loss

        def report(number: int, record: EpochRecord, seconds_left: float) -> None:
            on_epoch_end(number - len(earlier), record, seconds_left)

        run_epochs(model, history, len(earlier) + settings.epochs, checkpoint, run_epoch, report)
        return history, validate(model, held_back)


def train_on_windows(model: keras.Model, batches: Iterator[WindowBatch], stop: StopBetweenBatches) -> tuple[float, float]:
    """Take one step for each batch, at least one; return the means of the accuracy at the centres and of the loss.

    Raises KeyboardInterrupt between two batches after Ctrl-C.
    """
    measured = []
    for windows, targets in batches:
        stop.check()
        values = model.train_on_batch(windows, targets, return_dict=True)  # of this batch alone
        measured.append((float(values["centre_accuracy"]), float(values["loss"])))
    accuracy, loss = np.mean(measured, axis=0)
    return float(accuracy), float(loss)


def validate(model: keras.Model, batches: Sequence[WindowBatch]) -> Validation:
    """Return how the network answers for these windows."""
    losses, labels, answers = [], [], []
    for windows, targets in batches:
        answer = model(windows, training=False)
        losses.append(float(number_network.loss(targets, answer)))
        logits = keras.ops.convert_to_numpy(answer)[..., :CLASS_COUNT]
        *places, label = np.nonzero(targets[..., :CLASS_COUNT] >= MIN_CENTRE)
        labels.append(label)
        answers.append(logits[tuple(places)].argmax(axis=-1))
    expected, right = np.concatenate(labels), np.concatenate(labels) == np.concatenate(answers)
    is_digit = expected < NUM_CLASSES
    is_mark = ~is_digit & (expected < OTHER_INK)
    return Validation(metrics.score_answers(right[is_digit]), metrics.score_answers(right[is_mark]), float(np.mean(losses)))


def save(
    model: keras.Model,
    model_path: Path,
    data: Dataset,
    settings: PartSettings,
    history: Sequence[EpochRecord],
    validation: Validation,
    earlier_card: ModelCard | None,
) -> ModelCard:
    """Write the three files beside the old ones, move them into place together, and return the new card.

    history: the records of all epochs of all parts. earlier_card: of the number reader from whose weights the part started,
    None where it started from scratch. The other arguments are as fit takes and returns them.
    """
    training, held_back = split(data)
    own_seconds = sum(record.seconds for record in history[-settings.epochs :])
    card = ModelCard(
        data=data.name,
        pictures={"training": len(training.labels), "validation": len(held_back.labels)},
        settings=settings.to_json(),
        recipe=number_reader_recipe(),
        seed=settings.seed,
        **environment(),
        seconds=round(own_seconds, 1),
        steps=settings.epochs * STEPS_PER_EPOCH,
        history=tuple(history),
        parameters=model.count_params(),
        classes=[*map(str, range(NUM_CLASSES)), *MARKS, "other ink"],
        input=f"(N, height, width, 1) float32, local mean 0 and standard deviation 1, sides multiples of {SIDE_MULTIPLE}",
        output=f"(N, height / {STRIDE}, width / {STRIDE}, {OUTPUT_COUNT}) float32: a logit for each class; log width and log "
        f"height in units of {BOX_UNIT:.0f} pixels; the centre's offset to the right and down in units of {STRIDE} pixels",
        validation=validation.digits,
        validation_marks=validation.marks,
    )
    if earlier_card is not None:
        card = card.after(earlier_card, model_path.name)
    with store.staged(model_path) as staging:
        number_network.save(model, staging / model_path.name, staging / f"{model_path.stem}.tflite")
        return store.commit(model_path, card)
