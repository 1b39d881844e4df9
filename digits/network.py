"""The CNN: build, save, load. The only module that knows Keras' file formats.

Importing this imports Keras, which takes seconds: whoever reads pictures with a .tflite does without it.
"""

import absl.logging

from digits.config import IMAGE_SIZE, NUM_CLASSES, UserError
from digits.quiet import silent_stderr

with silent_stderr():
    import keras
    from keras import layers

    keras.ops.zeros(1)  # the backend looks for a GPU at its first tensor, and complains where there is none

absl.logging.set_verbosity(absl.logging.ERROR)  # the .h5 is a legacy format on purpose: everything reads it

FEATURES = "features"  # the last hidden layer, by which a file's reader finds what describes a digit


def build(conv1_filters, conv2_filters, dense_units, dropout_rate, seed):
    """Return the untrained network: (N, 28, 28), 0 to 255 -> probabilities (N, 10), float32.

    Pairs of 3x3 convolutions (Simonyan and Zisserman 2015), each with batch normalisation (Ioffe and Szegedy 2015),
    halved by pooling. conv1_filters and conv2_filters: channels before and after the first pooling, doubled after the
    second. dense_units: width of the last hidden layer, 0 for none. dropout_rate: 0 to below 1, before the output. seed:
    of the first weights and of the dropout.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE), name="pictures")
    x = layers.Rescaling(1 / 255, name="scaling")(inputs)
    x = layers.Reshape((IMAGE_SIZE, IMAGE_SIZE, 1), name="one_channel")(x)
    x = _convolution(x, conv1_filters, "conv1a")
    x = _convolution(x, conv1_filters, "conv1b")
    x = layers.MaxPooling2D(name="pool1")(x)
    x = _convolution(x, conv2_filters, "conv2a")
    x = _convolution(x, conv2_filters, "conv2b")
    x = layers.MaxPooling2D(name="pool2")(x)
    x = _convolution(x, 2 * conv2_filters, "conv3", padding="same")
    x = layers.Flatten(name="flatten" if dense_units else FEATURES)(x)
    if dense_units:
        x = layers.Dense(dense_units, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    outputs = layers.Dense(NUM_CLASSES, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="digit_recognition")


def _convolution(x, filters, name, padding="valid"):
    """Convolve 3x3, normalise, rectify. The normalisation's offset makes a bias superfluous."""
    x = layers.Conv2D(filters, 3, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def layer_table(model):
    """Return [(layer, shape of its output for one picture, parameters)], the sum last."""
    rows = [(layer.name, tuple(layer.output.shape)[1:], f"{layer.count_params():,}") for layer in model.layers]
    return [*rows, ("all", "", f"{model.count_params():,}")]


def save(model, h5_path, tflite_path):
    """Write the network as .h5 and, with the same weights, as .tflite.

    Saving with the optimizer would change the model's compiled configuration (Keras 3.15.1), so it is left out.
    """
    model.save(h5_path, include_optimizer=False)
    with silent_stderr():
        model.export(tflite_path, format="litert", verbose=False)


def load(path):
    """Return the network in an .h5 or .keras file. Raises UserError for anything else.

    Nothing in the file is run: safe_mode stays on, and the compiled configuration is left unread.
    """
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises errors of many kinds for a file that is not a model
        raise UserError(
            f"{path} is not a model that Keras can read ({type(error).__name__}).\n"
            "Expected a .h5 or .keras file as train_model.py writes it."
        ) from error
    shapes = (model.input_shape, model.output_shape) if hasattr(model, "input_shape") else None
    if shapes != ((None, IMAGE_SIZE, IMAGE_SIZE), (None, NUM_CLASSES)):
        raise UserError(
            f"{path} is a model for something else: its input and output are {shapes}.\n"
            f"Expected (None, {IMAGE_SIZE}, {IMAGE_SIZE}) and (None, {NUM_CLASSES})."
        )
    return model


def answer(model, crops):
    """Return the probabilities (N, 10) float32 of the crops (N, 28, 28), 0 to 255. Much quicker than model.predict."""
    return keras.ops.convert_to_numpy(model(crops, training=False))
