"""The training loop: augmented batches, the learning rate's course, and a checkpoint that resumes exactly.

Everything random is drawn from the seed, the epoch and the batch, never from what was drawn before: so a run that is
killed and resumed sees the same pictures in the same order, and ends with the same weights, byte for byte.
"""

import io
import json
import shutil
import sys
import time
import zipfile
import zlib

import keras
import numpy as np

from digits.augmentation import augment
from digits.config import UserError
from digits.files import written_beside
from digits.quiet import silent_stderr

WARM_UP = 0.2  # share of the steps in which the learning rate rises
FIRST_RATE = 0.05  # share of the highest learning rate with which it begins


class Batches(keras.utils.PyDataset):
    """Shuffled batches of (pictures, labels), each epoch in another order and, if wanted, augmented anew.

    images: (N, 28, 28) uint8. labels: (N,) uint8. The last batch of an epoch may be smaller; none is dropped.
    """

    def __init__(self, images, labels, batch_size, augmented, seed):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size, self.augmented, self.seed = batch_size, augmented, seed
        self.begin_epoch(0)

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, batch):
        chosen = self.order[batch * self.batch_size : (batch + 1) * self.batch_size]
        images = self.images[chosen]
        if self.augmented:
            images = augment(images, np.random.default_rng([self.seed, self.epoch, batch]))
        return images, self.labels[chosen]

    def begin_epoch(self, epoch):
        """Shuffle for this epoch. Told from outside, because Keras calls on_epoch_end more often than epochs end."""
        self.epoch = epoch
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))


class Checkpoint:
    """All that a training needs to go on, in one file: variables, settings and history after so many epochs."""

    def __init__(self, folder, settings):
        self.folder = folder
        self.path = folder / "state.npz"
        # Through JSON and back, so that they compare equal with those that are read again.
        self.settings = json.loads(json.dumps(settings))

    def save(self, model, history):
        """Write the state of the model, its optimizer and its random generators."""
        variables = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
        archive = io.BytesIO()  # NumPy 2.0, interrupted by a full disk while it writes an archive, leaves a traceback
        np.savez(archive, settings=json.dumps(self.settings), history=json.dumps(history), **variables)
        with written_beside(self.path) as temporary:
            temporary.write_bytes(archive.getbuffer())

    def restore(self, model):
        """Bring the model to the saved state and return the history so far. Raises UserError where that can't be."""
        again = "Start from the beginning: the same command without --resume."
        if not self.path.exists():
            raise UserError(f"There is nothing to resume: no {self.path}.\nExpected an interrupted training. {again}")
        try:
            with np.load(self.path, allow_pickle=False) as state:
                settings, history = json.loads(str(state["settings"])), json.loads(str(state["history"]))
                values = [state[str(i)] for i in range(len(state.files) - 2)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{self.path} can't be read: {error}.\n{again}") from error
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
        shutil.rmtree(self.folder, ignore_errors=True)


def _variables(model):
    """Return everything that changes while a compiled model learns, its random generators' states included."""
    return model.variables + model.optimizer.variables


class _EveryEpoch(keras.callbacks.Callback):
    """Before each epoch: shuffle. After it: keep its figures, write the checkpoint, say how long the rest will take."""

    def __init__(self, batches, checkpoint, history, epochs):
        super().__init__()
        self.batches, self.checkpoint, self.history, self.epochs = batches, checkpoint, history, epochs
        self.first_epoch = len(history)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_started = time.monotonic()
        self.batches.begin_epoch(epoch)

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in logs.items()}
        self.history.append({**figures, "seconds": time.monotonic() - self.epoch_started})
        self.checkpoint.save(self.model, self.history)
        left = self.epochs - len(self.history)
        if left:
            seconds = np.mean([epoch["seconds"] for epoch in self.history[self.first_epoch :]]) * left
            bar_ends = "\n" if sys.stdout.isatty() else ""  # Keras' bar is still on its line
            print(f"{bar_ends}{left} {'epoch' if left == 1 else 'epochs'} to go, about {seconds / 60:.1f} minutes")


def fit(model, training, validation, settings, checkpoint, resume):
    """Train the model in place and return its history by epoch: [{"accuracy", "loss", "val_accuracy", "val_loss", "seconds"}].

    training, validation: (pictures (N, 28, 28) uint8, labels (N,) uint8). settings: the names in capitals of
    train_model.py. The learning rate rises, then falls to zero along a cosine (Loshchilov and Hutter 2017), so the
    last epoch's weights are kept: among the last few, the best on validation is the luckiest, not the best.
    """
    steps = settings["EPOCHS"] * -(-len(training[0]) // settings["BATCH_SIZE"])
    warm_up = max(1, round(steps * WARM_UP))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings["LEARNING_RATE"] * FIRST_RATE,
        warmup_target=settings["LEARNING_RATE"],
        warmup_steps=warm_up,
        decay_steps=max(1, steps - warm_up),
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)

    history = checkpoint.restore(model) if resume else []
    if not resume:
        checkpoint.save(model, history)  # so that a kill in the first epoch can be resumed, too
    batches = Batches(*training, settings["BATCH_SIZE"], settings["AUGMENT"], settings["SEED"])
    with silent_stderr():  # TensorFlow announces its first generator, and only that one, on standard error
        model.evaluate(Batches(*validation, batch_size=len(validation[0]), augmented=False, seed=0), verbose=0)
    model.fit(
        batches,
        initial_epoch=len(history),
        epochs=settings["EPOCHS"],
        validation_data=validation,
        validation_batch_size=500,
        shuffle=False,  # Batches does that; Keras would draw the batches' order from a state that no checkpoint holds
        verbose=1 if sys.stdout.isatty() else 2,  # a bar on a terminal, a line an epoch in a file
        callbacks=[_EveryEpoch(batches, checkpoint, history, settings["EPOCHS"])],
    )
    return history
