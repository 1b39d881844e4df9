"""The training loop: epochs of augmented batches, validation, and a checkpoint after each epoch.

Keras' fit, with a PyDataset and callbacks, would do the same. It was tried (Keras 3.15.1, TensorFlow 2.21, epochs of 6,000
images on one core). An epoch took about as much processor time, 4.1 s instead of 3.9 s, but fit waited at its end for 2 to 10 s
for a thread that tunes TensorFlow's queues, and the weights were not those of this loop: fit compiles a step for batches of any
size, which rounds differently, so no result measured so far could be reproduced. The data are a stream here, because random
numbers are drawn in order; fit asks a PyDataset twice for its first batches, and calls on_epoch_end before the first epoch.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.common.score import Score
from digits.data.dataset import Split
from digits.evaluation import metrics
from digits.model import network
from digits.model.calibration import cross_entropy
from digits.model.card import EpochRecord
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training.batches import Batch, augmented_epoch, batched, outlier_count
from digits.training.checkpoint import Checkpoint
from digits.training.interrupt import StopBetweenBatches
from digits.training.optimizer import Muon
from digits.training.prefetch import prefetch
from digits.training.schedule import CosineWithRestart, second_phase_epochs
from digits.training.settings import TrainingSettings

# By label, the probabilities that the network is to answer, (11, 10): 1 for the digit, or 0.1 for all ten for an outlier
# (outlier exposure, Hendrycks, Mazeika and Dietterich 2019).
TARGETS = np.vstack([np.eye(NUM_CLASSES), np.full(NUM_CLASSES, 1 / NUM_CLASSES)]).astype(np.float32)

# Called after each epoch, with its number, from 1, its record, and the seconds that the rest will take at this pace.
EpochCallback = Callable[[int, EpochRecord, float], None]
EpochScores = tuple[float, float, float, float]  # of one epoch: accuracy, loss, and both on the validation images


def fit(
    model: keras.Model,
    training: Split,
    validation: Split,
    settings: TrainingSettings,
    checkpoint: Checkpoint,
    resume: bool,
    on_epoch_end: EpochCallback = lambda number, record, seconds_left: None,
) -> list[EpochRecord]:
    """Train the model in place and return the record of each epoch.

    checkpoint: is written after each epoch. resume: whether to go on from it. on_epoch_end: is called after each epoch. Raises
    UserError where there is nothing to resume or the checkpoint can't be read or written, and KeyboardInterrupt after Ctrl-C;
    the last complete epoch can then be resumed.

    The weights of the last epoch are kept. Those of the epoch that reads the validation images best would only be those of
    the luckiest of the last epochs, which are all equally good.
    """
    epochs = settings.epochs
    images = len(training.images) + (outlier_count(training.images) if settings.augment else 0)
    steps = -(-images // settings.batch_size)  # rounded up: the last batch may be smaller
    second = second_phase_epochs(epochs)
    learning_rate = CosineWithRestart((epochs - second) * steps, second * steps, settings.learning_rate)
    compile_for_digits(model, learning_rate)
    model.optimizer.build(model.trainable_variables)

    history = start_or_restore(model, checkpoint, resume)
    batches = itertools.chain.from_iterable(
        batched(augmented_epoch(*training, settings, epoch), settings.batch_size) for epoch in range(len(history), epochs)
    )
    with StopBetweenBatches() as stop, prefetch(batches, steps, stop) as upcoming:

        def run_epoch() -> EpochScores:
            accuracy, loss = train_batches(model, itertools.islice(upcoming, steps), stop)
            validated, val_loss = score(model, *validation)
            return accuracy, loss, validated.accuracy, val_loss

        run_epochs(model, history, epochs, checkpoint, run_epoch, on_epoch_end)
    return history


def start_or_restore(
    model: keras.Model, checkpoint: Checkpoint, resume: bool, earlier: Sequence[EpochRecord] = ()
) -> list[EpochRecord]:
    """Return the records so far. resume: whether to bring the model to the state of the checkpoint, else that is written anew.

    earlier: of what the model learned before this training.
    """
    if resume:
        return checkpoint.restore(model)
    checkpoint.save(model, earlier)  # so that a training killed in its first epoch can be resumed, too
    return list(earlier)


def run_epochs(
    model: keras.Model,
    history: list[EpochRecord],
    last: int,
    checkpoint: Checkpoint,
    run_epoch: Callable[[], EpochScores],
    on_epoch_end: EpochCallback,
) -> None:
    """Run epochs until the history has this many; after each, add its record, write the checkpoint and report."""
    first = len(history)
    while len(history) < last:
        started = time.monotonic()
        scores = run_epoch()
        record = EpochRecord(*scores, time.monotonic() - started)
        history.append(record)
        checkpoint.save(model, history)
        mean_seconds = float(np.mean([record.seconds for record in history[first:]]))
        on_epoch_end(len(history), record, mean_seconds * (last - len(history)))


def compile_for_digits(model: keras.Model, learning_rate: keras.optimizers.schedules.LearningRateSchedule) -> None:
    """Compile the model with the optimizer, the loss and the metric of a training."""
    model.compile(Muon(learning_rate), "categorical_crossentropy", metrics=[DigitAccuracy(name="accuracy")])


def train_batches(model: keras.Model, batches: Iterator[Batch], stop: StopBetweenBatches) -> tuple[float, float]:
    """Take one step for each batch and return (accuracy of the images of digits, mean loss of all images).

    batches: at least one. Raises KeyboardInterrupt between two batches after Ctrl-C.
    """
    correct = loss = 0.0
    digits = images_seen = 0
    for images, labels in batches:
        stop.check()
        measured = model.train_on_batch(images, TARGETS[labels], return_dict=True)  # of this batch alone
        digits_in_batch = int(np.count_nonzero(labels < NUM_CLASSES))
        correct, digits = correct + digits_in_batch * measured["accuracy"], digits + digits_in_batch
        loss, images_seen = loss + len(labels) * measured["loss"], images_seen + len(labels)
    return float(correct / digits), float(loss / images_seen)


def score(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> tuple[Score, float]:
    """Return the score on images (N, 28, 28) uint8 with labels (N,) uint8, 0 to 9, and the loss, their mean cross-entropy."""
    probabilities = network.predict(model, images)
    return metrics.score_answers(probabilities.argmax(axis=1) == labels), cross_entropy(probabilities, labels)


class DigitAccuracy(keras.metrics.CategoricalAccuracy):
    """The accuracy on images of digits. Outliers don't count."""

    def update_state(
        self, targets: keras.KerasTensor, probabilities: keras.KerasTensor, sample_weight: keras.KerasTensor | None = None
    ) -> None:
        """Count a batch. targets: rows of TARGETS, (N, 10) float32. probabilities: (N, 10) float32. The weights are ignored."""
        is_digit = keras.ops.max(targets, axis=-1) > 0.5
        super().update_state(targets, probabilities, keras.ops.cast(is_digit, "float32"))
