"""The training loop: augmented epochs, the course of the learning rate, and a checkpoint that resumes exactly.

Everything random is drawn from the seed and the epoch's number, never from what was drawn before. So a run that is killed
and resumed sees the same pictures in the same order, and ends with the same weights, byte for byte.
"""

import collections
import concurrent.futures
import contextlib
import io
import itertools
import json
import shutil
import signal
import sys
import time

import keras
import numpy as np

from digits import augmentation, disturbances, letterforms, muon, network, not_digits, report
from digits.augmentation import augment
from digits.config import NUM_CLASSES, UserError
from digits.files import BOUNDED_COMPRESSIONS, written_beside
from digits.muon import Muon
from digits.settings import constants_of

WARM_UP = 0.2  # share of the first phase's steps in which the learning rate rises. chosen
FIRST_RATE = 0.05  # share of the highest learning rate with which it begins. chosen
# The second phase, the last epochs: milder augmentation, and a learning rate that begins once more.
SECOND_PHASE_SHARE = 2 / 7  # of the epochs. chosen
SECOND_PHASE_PROBABILITY_SCALE = 0.4  # times as many pictures are varied and disturbed. chosen
SECOND_PHASE_RATE = 0.4  # share of the highest learning rate with which it begins. chosen
NOT_DIGITS = 0.1  # pictures of no digit in an epoch, for each picture of one. chosen
CHUNK = 500  # pictures augmented or scored at a time, so that they fit a processor's cache. chosen
# By label, the probabilities that the network is to answer, (11, 10): 1 for the digit, or 0.1 for all ten where there is none.
TARGETS = np.vstack([np.eye(NUM_CLASSES), np.full(NUM_CLASSES, 1 / NUM_CLASSES)]).astype(np.float32)


def recipe():
    """Return the constants that decide, beside the settings, what a training learns: {"augmentation.ROTATION": 10.0, ...}."""
    return constants_of(augmentation, letterforms, disturbances, not_digits, muon, sys.modules[__name__])


def not_digits_beside(images):
    """Return how many pictures of no digit an epoch adds to these, (N, 28, 28) uint8."""
    return round(NOT_DIGITS * len(images))


def second_phase_epochs(epochs):
    """Return how many of the epochs make up the second phase."""
    return round(SECOND_PHASE_SHARE * epochs)


def pictures_of_epoch(images, labels, settings, epoch):
    """Yield what an epoch learns from, shuffled, CHUNK pictures at a time: (pictures (M, 28, 28) uint8, labels (M,) uint8).

    images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9. settings: SEED, EPOCHS and AUGMENT of train_model.py. epoch: from
    0. With AUGMENT, each picture comes as a new variant, and pictures of no digit come on top, with the label 10.
    """
    rng = np.random.default_rng([settings["SEED"], epoch])
    in_second_phase = epoch >= settings["EPOCHS"] - second_phase_epochs(settings["EPOCHS"])
    probability_scale = SECOND_PHASE_PROBABILITY_SCALE if in_second_phase else 1.0
    if settings["AUGMENT"]:
        none = not_digits.draw(not_digits_beside(images), images, labels, rng)
        images = np.concatenate([images, none])
        labels = np.concatenate([labels, np.full(len(none), not_digits.NOT_A_DIGIT, labels.dtype)])
    order = rng.permutation(len(images))
    for start in range(0, len(images), CHUNK):
        chosen = order[start : start + CHUNK]
        pictures, answers = images[chosen], labels[chosen]
        yield (augment(pictures, answers, rng, probability_scale) if settings["AUGMENT"] else pictures), answers


def batches(chunks, size):
    """Yield a stream of (pictures, labels) as batches of this size, in its order. The last one holds what is left.

    chunks: an iterator over at least one pair of arrays (M, 28, 28) and (M,). size: 1 or more.
    """
    pictures, labels = next(chunks)
    for more_pictures, more_labels in itertools.chain(chunks, [(pictures[:0], labels[:0])]):
        while len(labels) >= size:
            yield pictures[:size], labels[:size]
            pictures, labels = pictures[size:], labels[size:]
        pictures, labels = np.concatenate([pictures, more_pictures]), np.concatenate([labels, more_labels])
    if len(labels):
        yield pictures, labels


class DigitAccuracy(keras.metrics.CategoricalAccuracy):
    """The share of digits that are read right; pictures of no digit don't count."""

    def update_state(self, targets, probabilities, sample_weight=None):
        """Count a batch. targets: rows of TARGETS, (N, 10) float32. probabilities: (N, 10) float32. The weights are ignored."""
        is_digit = keras.ops.max(targets, axis=-1) > 0.5
        super().update_state(targets, probabilities, keras.ops.cast(is_digit, "float32"))


class Checkpoint:
    """All that a training needs to go on, in one file: variables, settings and history after the last whole epoch.

    folder: a Path, which need not exist yet. settings: what JSON can hold, by name; only the same ones resume.
    """

    def __init__(self, folder, settings):
        self.folder = folder
        self.path = folder / "state.npz"
        # Through JSON and back, so that they compare equal with those that are read again.
        self.settings = json.loads(json.dumps(settings))

    def save(self, model, history):
        """Write the state of the model, its optimizer and its random generators, and the history, as fit returns it.

        Raises UserError where it can't be written; the checkpoint before it then stays.
        """
        variables = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
        archive = io.BytesIO()  # in memory: NumPy 2.0 prints a traceback where a disk is full before the archive's end
        np.savez(archive, settings=json.dumps(self.settings), history=json.dumps(history), **variables)
        with written_beside(self.path) as temporary:
            temporary.write_bytes(archive.getbuffer())

    def restore(self, model):
        """Bring the compiled model to the saved state and return the history so far.

        Raises UserError where there is no checkpoint, a damaged one, or one of other settings or of another network.
        """
        again = "Start from the beginning: the same command without --resume."
        if not self.path.exists():
            raise UserError(f"There is nothing to resume: no {self.path}.\nExpected an interrupted training. {again}")
        try:
            with np.load(self.path, allow_pickle=False) as state:
                if any(member.compress_type not in BOUNDED_COMPRESSIONS for member in state.zip.infolist()):
                    raise ValueError("it is compressed as NumPy never does")
                settings, history = dict(json.loads(str(state["settings"]))), list(json.loads(str(state["history"])))
                values = [state[str(i)] for i in range(len(state.files) - 2)]
        except Exception as error:  # a damaged archive fails in many ways
            raise UserError(f"{self.path} can't be read: {error or type(error).__name__}.\n{again}") from error
        differing = sorted(name for name in self.settings | settings if self.settings.get(name) != settings.get(name))
        if differing:
            raise UserError(
                "The interrupted training had other settings:\n"
                + "".join(f"  {name}: {settings.get(name)}, now {self.settings.get(name)}\n" for name in differing)
                + f"Expected the same ones. {again}"
            )
        variables = _variables(model)
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise UserError(f"{self.path} holds another network.\nExpected the one that these settings build. {again}")
        for variable, value in zip(variables, values):
            variable.assign(value)
        return history

    def remove(self):
        """Delete the checkpoint and its folder, where there are any."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _variables(model):
    """Return everything that changes while a compiled model learns, its random generators' states included."""
    return model.variables + model.optimizer.variables


class StopBetweenBatches:
    """Within its context, Ctrl-C ends a training between two batches, a second Ctrl-C at once: by KeyboardInterrupt.

    Raised at any moment, inside of TensorFlow, KeyboardInterrupt may be swallowed, or leave memory in disorder and crash.
    """

    asked = False

    def __enter__(self):
        self.earlier = signal.getsignal(signal.SIGINT)
        if self.earlier is not signal.SIG_IGN:  # what a shell runs in its background ignores Ctrl-C, and goes on doing so
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, kind, *error):
        signal.signal(signal.SIGINT, self.earlier)
        if kind is None:
            self.here()  # Ctrl-C may have come after the last batch

    def _ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def here(self):
        """Raise KeyboardInterrupt if Ctrl-C has asked for it."""
        if self.asked:
            raise KeyboardInterrupt

    def wait_for(self, future):
        """Return the future's result, or raise what it raised; raise KeyboardInterrupt as soon as Ctrl-C asks for it."""
        while not future.done():
            self.here()
            concurrent.futures.wait([future], timeout=0.1)  # seconds between two looks. chosen
        return future.result()


class CosineWithRestart(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate, by step: it rises, falls to zero along a cosine, and falls once more from a lower start.

    A warm restart (SGDR, Loshchilov and Hutter 2017). first, second: steps in the two phases. highest: the highest
    rate.
    """

    def __init__(self, first, second, highest):
        warm_up = max(1, round(first * WARM_UP))
        self.steps = first
        self.first = keras.optimizers.schedules.CosineDecay(
            highest * FIRST_RATE, max(1, first - warm_up), warmup_target=highest, warmup_steps=warm_up
        )
        self.second = keras.optimizers.schedules.CosineDecay(highest * SECOND_PHASE_RATE, max(1, second))

    def __call__(self, step):
        return keras.ops.where(step < self.steps, self.first(step), self.second(keras.ops.maximum(step - self.steps, 0)))


def fit(model, training, validation, settings, checkpoint, resume):
    """Train the model in place and return its history by epoch: [{"accuracy", "loss", "val_accuracy", "val_loss", "seconds"}].

    training, validation: (pictures (N, 28, 28) uint8, labels (N,) uint8, 0 to 9). settings: the names in capitals of
    train_model.py. checkpoint: the Checkpoint that is written after each epoch. resume: whether to go on from it. Prints a
    line for each epoch. Raises UserError where there is nothing to resume or the checkpoint can't be read or written, and
    KeyboardInterrupt after Ctrl-C; the last whole epoch can then be resumed.

    The first phase learns to read what is badly written and badly shown, the second, with milder augmentation and a lower
    rate, to read the rest more exactly. The last epoch's weights are kept: the epoch that reads the validation pictures best
    is merely the luckiest of the last few.
    """
    epochs = settings["EPOCHS"]
    pictures = len(training[0]) + (not_digits_beside(training[0]) if settings["AUGMENT"] else 0)
    steps = -(-pictures // settings["BATCH_SIZE"])
    second = second_phase_epochs(epochs)
    rate = CosineWithRestart((epochs - second) * steps, second * steps, settings["LEARNING_RATE"])
    model.compile(Muon(rate), "categorical_crossentropy", metrics=[DigitAccuracy(name="accuracy")])
    model.optimizer.build(model.trainable_variables)

    history = checkpoint.restore(model) if resume else []
    if not resume:
        checkpoint.save(model, history)  # so that a kill in the first epoch can be resumed, too
    first = len(history)
    all_epochs = (
        batches(pictures_of_epoch(*training, settings, epoch), settings["BATCH_SIZE"]) for epoch in range(first, epochs)
    )
    with StopBetweenBatches() as stop, made_ahead(itertools.chain.from_iterable(all_epochs), steps, stop) as upcoming:
        for epoch in range(first, epochs):
            started = time.monotonic()
            learned, validated = take_steps(model, itertools.islice(upcoming, steps), stop), score(model, *validation)
            figures = {**learned, **{f"val_{name}": validated[name] for name in learned}}
            history.append({**figures, "seconds": time.monotonic() - started})
            checkpoint.save(model, history)
            _print_epoch(history, epochs, first)
    return history


@contextlib.contextmanager
def made_ahead(items, most, stop):
    """Yield an iterator over the items, of which up to most are made ahead: one core makes pictures while another learns.

    items: an iterator, none of whose items is None. stop: a StopBetweenBatches. The yielded iterator raises what making an
    item raises, and KeyboardInterrupt after Ctrl-C.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as worker:
        futures = collections.deque(worker.submit(next, items, None) for _ in range(most))

        def taken():
            while (item := stop.wait_for(futures.popleft())) is not None:
                futures.append(worker.submit(next, items, None))
                yield item

        try:
            yield taken()
        finally:
            worker.shutdown(cancel_futures=True)


def take_steps(model, upcoming, stop):
    """Take a step for each batch and return {"accuracy", "loss"}, floats over all of them; of digits alone for the accuracy.

    upcoming: yields at least one (pictures (N, 28, 28) uint8, labels (N,) uint8, 10 for no digit). stop: a
    StopBetweenBatches. Raises KeyboardInterrupt between two batches after Ctrl-C.

    Keras' fit would do the same, but waits at its end for a thread that tunes TensorFlow's queues (2.21), which sleeps for
    up to as long as the epoch took.
    """
    right = loss = digits = seen = 0
    for pictures, labels in upcoming:
        stop.here()
        figures = model.train_on_batch(pictures, TARGETS[labels], return_dict=True)  # of this batch alone
        of_digits = np.count_nonzero(labels < NUM_CLASSES)
        right, digits = right + of_digits * figures["accuracy"], digits + of_digits
        loss, seen = loss + len(labels) * figures["loss"], seen + len(labels)
    return {"accuracy": float(right / digits), "loss": float(loss / seen)}


def score(model, images, labels):
    """Return {"n", "correct", "accuracy", "loss"} of the pictures (N, 28, 28) uint8; the loss is the cross-entropy."""
    probabilities = np.concatenate([network.answer(model, images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)])
    return {**report.rate(probabilities.argmax(axis=1) == labels), "loss": report.cross_entropy(probabilities, labels)}


def _print_epoch(history, epochs, first):
    """Print the last epoch's line, with the time to go at this run's mean pace. first: epochs done before this run."""
    figures, left = history[-1], epochs - len(history)
    seconds = np.mean([epoch["seconds"] for epoch in history[first:]]) * left
    print(
        f"epoch {len(history):{len(str(epochs))}} / {epochs}   accuracy {100 * figures['accuracy']:5.2f} %   "
        f"validation {100 * figures['val_accuracy']:5.2f} %   {figures['seconds']:4.0f} s"
        + (f"   about {seconds / 60:.1f} minutes to go" if left else ""),
        flush=True,
    )
