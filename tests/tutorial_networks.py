"""Networks as MNIST tutorials train them: one is trained, and its exact equivalents take their images in each other way.

A network's input changes by a factor and an offset from one way to another, which its first layer can undo.
"""

import itertools
from dataclasses import dataclass

import numpy as np

HIDDEN_UNITS = 64
EPOCHS, BATCH_SIZE, LEARNING_RATE = 5, 32, 0.3  # of the training: 94 % of the test images


@dataclass(frozen=True)
class DenseNetwork:
    """A network with one hidden layer: its weights for images of one format. Called with images, it answers."""

    network_format: object
    hidden: tuple  # weights (784, 64) and offsets (64,)
    last: tuple  # weights (64, 10) and offsets (10,)

    def __call__(self, images):
        """Return the answers, (N, 10) float32, for images as the format has them, without Keras."""
        x = np.maximum(images.reshape(len(images), -1) @ self.hidden[0] + self.hidden[1], 0) @ self.last[0] + self.last[1]
        if self.network_format.output == "sigmoid":
            x = 1 / (1 + np.exp(-x))
        if self.network_format.output == "softmax":
            x = np.exp(x - x.max(axis=1, keepdims=True))
            x /= x.sum(axis=1, keepdims=True)
        return x.astype(np.float32)

    def in_format(self, network_format):
        """Return the network of 0 to 1, white on black, as one of another format: it gives the same digits the same logits."""
        from digits.model.network_format import SCALES  # here: conftest.py puts the project on the path

        low, high = SCALES[network_format.scale]
        factor, offset = 1 / (high - low), -low / (high - low)
        if network_format.inverted:
            factor, offset = -factor, 1 - offset
        weights, offsets = self.hidden
        hidden = weights * factor, offsets + offset * weights.sum(axis=0)
        return DenseNetwork(network_format, tuple(map(np.float32, hidden)), self.last)

    def times(self, factor):
        """Return the network whose logits are these times the factor: above 1 it is too sure of itself."""
        return DenseNetwork(self.network_format, self.hidden, tuple(values * factor for values in self.last))

    def keras_model(self):
        """Return the network as a tutorial builds it with Keras."""
        from digits.model.network import keras, layers

        activation = None if self.network_format.output == "logits" else self.network_format.output
        model = keras.Sequential(
            [
                keras.Input(self.network_format.shape),
                *([layers.Flatten()] if len(self.network_format.shape) > 1 else []),
                layers.Dense(HIDDEN_UNITS, activation="relu"),
                layers.Dense(10, activation=activation),
            ]
        )
        model.set_weights([*self.hidden, *self.last])
        return model

    def save(self, path):
        """Write the network to an .h5, a .keras or a .tflite file, as a tutorial does; return the path."""
        from digits.model.keras_files import export

        model = self.keras_model()
        export(model, path) if path.suffix == ".tflite" else model.save(path)
        return path


def train(images, labels):
    """Return a DenseNetwork of 0 to 1, white on black, that learned the digits: (N, 28, 28) uint8 and (N,).

    By gradient descent in NumPy: it takes a second, and Keras would take ten.
    """
    from digits.model.calibration import softmax
    from digits.model.network_format import LOGITS, NetworkFormat

    rng, network_format = np.random.default_rng(0), NetworkFormat((784,), "0 to 1", output=LOGITS)
    x, targets = network_format.prepare(images), np.eye(10, dtype=np.float32)[labels]
    sizes = (784, HIDDEN_UNITS, 10)
    weights = [
        rng.normal(0, np.sqrt(2 / rows), (rows, columns)).astype(np.float32) for rows, columns in itertools.pairwise(sizes)
    ]
    offsets = [np.zeros(columns, np.float32) for columns in sizes[1:]]
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH_SIZE):
            hidden = np.maximum(x[batch] @ weights[0] + offsets[0], 0)
            error = (softmax(hidden @ weights[1] + offsets[1]) - targets[batch]) / len(batch)
            hidden_error = (error @ weights[1].T) * (hidden > 0)
            for layer, (given, found) in enumerate(((x[batch], hidden_error), (hidden, error))):
                weights[layer] -= LEARNING_RATE * given.T @ found
                offsets[layer] -= LEARNING_RATE * found.sum(axis=0)
    return DenseNetwork(network_format, (weights[0], offsets[0]), (weights[1], offsets[1]))
