"""The convolutional network: its layers, and its answers.

Importing this imports Keras, which takes seconds; reading images with a .tflite works without it.
"""

import os
from typing import Any

import numpy as np

from digits.common.config import CORES, DIGIT_SIZE, IMAGE_SIZE, NUM_CLASSES
from digits.common.errors import UserError
from digits.common.stderr import silent_stderr

# TensorFlow does not use oneDNN's convolutions on processors without AVX-512, although they are faster there, too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# During training one core augments images: a layer that is split over all cores would wait for that one. On two cores an epoch
# takes about a tenth less time with this setting (measured).
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, CORES - 1)))

try:
    with silent_stderr():
        import absl.logging
        import keras
        from keras import layers

        keras.ops.zeros(1)  # the backend looks for a GPU at its first tensor, and complains where there is none
except ModuleNotFoundError as error:  # requirements-read.txt, for reading alone, leaves it out
    raise UserError(
        f"Keras is not installed ({error}).\n"
        "Expected it for training and for .h5 and .keras files: pip install -r requirements.txt\n"
        "To read images without it, use the .tflite file of the model."
    ) from error

absl.logging.set_verbosity(absl.logging.ERROR)  # the .h5 is a legacy format on purpose: everything reads it

# Names of layers in a model's file.
SCALING_LAYER = "scaling"  # its output is the image on the scale 0 to 1
WHITE_ON_BLACK_LAYER = "white_on_black"  # its output is that image, or a blank one; what learned comes after it
FEATURES_LAYER = "features"  # the last hidden layer
OUTPUT_LAYER = "probabilities"

# An image of the maximum m is divided by the square root of m squared and this squared: a blank image stays blank, and the
# error is less than a millionth for m of 1 or more.
SCALE_EPSILON = 0.001
# The corners of a digit in MNIST's form are as dark as its paper. Where they are about as bright as the brightest pixel, the ink
# is not white on black. Up to the first brightness an image is taken as it is, from the second as blank. Of 5,999 validation
# images the corners, their mean, are at most 0.84 on the grey paper of corruptions.background, and at least 0.96 inverted.
BRIGHT_CORNERS = (0.85, 0.95)
REDUCTION_RATIO = 4  # channels for each hidden unit of squeeze and excitation (Hu et al. 2018)
PREDICT_BATCH_SIZE = 500  # images in one call of the network: 0.4 MB, which fits a processor's cache


def build(conv1_filters: int, conv2_filters: int, dense_units: int, dropout_rate: float, seed: int) -> keras.Model:
    """Return the untrained network: (N, 28, 28, 1), 0 to 255 or 0 to 1 -> probabilities (N, 10), float32.

    It brings each image to one scale itself, and takes one that is not white on black as blank. Keras takes (N, 28, 28), too.

    Four convolutions, each with batch normalisation (Ioffe and Szegedy 2015); max pooling halves the sides of the feature maps
    twice. Squeeze and excitation (Hu et al. 2018) weights the channels after the second pooling and after the last convolution.
    The first kernel is 5x5 and its output is pooled at once, because most of the time is spent where the feature maps are still
    large (benchmarks/ingredients.py can also train two 3x3 ones at full size). conv1_filters: channels before the first pooling.
    conv2_filters: channels after it, doubled after the second. dense_units: width of the last hidden layer, 0 for none.
    dropout_rate: 0 to below 1, of the features before the output (Srivastava et al. 2014). seed: of the initial weights and of
    the dropout.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="pictures")  # the shipped models have this name in their files
    x = _blank_unless_white_on_black(_scaled_by_maximum(inputs))
    x = _convolution(x, conv1_filters, 5, "conv1", pooled=True)
    x = _convolution(x, conv2_filters, 3, "conv2a")
    x = _squeeze_and_excitation(_convolution(x, conv2_filters, 3, "conv2b", pooled=True), "weights2")
    x = _squeeze_and_excitation(_convolution(x, 2 * conv2_filters, 3, "conv3", padding="same"), "weights3")
    x = layers.Flatten(name="flatten" if dense_units else FEATURES_LAYER)(x)
    if dense_units:
        x = layers.Dense(dense_units, activation="relu", name=FEATURES_LAYER)(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    outputs = layers.Dense(NUM_CLASSES, activation="softmax", name=OUTPUT_LAYER)(x)
    return keras.Model(inputs, outputs, name="digit_recognition")


def _scaled_by_maximum(images: keras.KerasTensor) -> keras.KerasTensor:
    """Return the images (N, 28, 28, 1), 0 or more, divided by the maximum of each; a blank one stays blank.

    With Keras' own layers alone: a model's file holds no code, so other operations and Lambda layers are not loaded from an
    .h5. The maximum m and a constant c become a vector of length 1, whose second part is c / sqrt(m ** 2 + c ** 2).
    """
    x = layers.GlobalMaxPooling2D(keepdims=True, name="maximum")(images)
    x = _constant_convolution(x, [1, 0], "maximum_and_epsilon", bias=[0, SCALE_EPSILON])
    x = layers.UnitNormalization(name="unit_length")(x)
    x = _constant_convolution(x, [[0], [1 / SCALE_EPSILON]], "reciprocal")
    return layers.Multiply(name=SCALING_LAYER)([images, x])


def _blank_unless_white_on_black(images: keras.KerasTensor) -> keras.KerasTensor:
    """Return the images (N, 28, 28, 1), 0 to 1, those with bright corners made blank: the network is not sure of them."""
    margin = (IMAGE_SIZE - DIGIT_SIZE) // 2
    x = layers.AveragePooling2D(margin, strides=IMAGE_SIZE - margin, name="corners")(images)  # (2, 2, 1)
    low, high = BRIGHT_CORNERS
    steepness = 6 / (high - low)  # the hard sigmoid rises from 0 at -3 to 1 at 3
    x = _constant_convolution(x, -steepness / 4, "dark_corners", 2, bias=steepness * (low + high) / 2, activation="hard_sigmoid")
    return layers.Multiply(name=WHITE_ON_BLACK_LAYER)([images, x])


def _constant_convolution(
    x: keras.KerasTensor,
    kernel: Any,
    name: str,
    kernel_size: int = 1,
    bias: Any = None,
    activation: str | None = None,
) -> keras.KerasTensor:
    """Return x convolved with constants, which are not learned. kernel: broadcasts to (size, size, channels, filters)."""
    constant = keras.initializers.Constant
    return layers.Conv2D(
        np.shape(kernel)[-1] if np.ndim(kernel) else 1,
        kernel_size,
        activation=activation,
        use_bias=bias is not None,
        kernel_initializer=constant(kernel),
        bias_initializer=constant(0 if bias is None else bias),
        trainable=False,
        name=name,
    )(x)


def _convolution(
    x: keras.KerasTensor, filters: int, kernel_size: int, name: str, padding: str = "valid", pooled: bool = False
) -> keras.KerasTensor:
    """Return the feature maps x convolved, max-pooled if wanted, normalised and rectified.

    filters: channels of the result. kernel_size: in pixels. name: begins the names of the layers. The normalisation's offset
    takes the place of a bias; pooling before the normalisation saves three quarters of its work.
    """
    x = layers.Conv2D(filters, kernel_size, padding=padding, use_bias=False, name=name)(x)
    if pooled:
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _squeeze_and_excitation(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return the feature maps x, each channel times a weight from 0 to 1 that is computed from the means of all.

    This is squeeze and excitation (Hu et al. 2018). name: begins the names of the layers.
    """
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    weights = layers.Conv2D(max(1, channels // REDUCTION_RATIO), 1, activation="relu", name=f"{name}_squeeze")(weights)
    weights = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_excite")(weights)
    return layers.Multiply(name=f"{name}_weighed")([x, weights])


def layer_table(model: keras.Model) -> list[tuple[str, Any, str]]:
    """Return the rows of a table of the layers: (name, shape of the output for one image, parameters), the sum last."""
    rows = [(layer.name, tuple(layer.output.shape)[1:], f"{layer.count_params():,}") for layer in model.layers]
    return [*rows, ("all", "", f"{model.count_params():,}")]


def predict(model: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Return the probabilities, (N, 10) float32, of the crops, (N, 28, 28), 0 to 255, of any type.

    For small batches this is quicker than model.predict, which sets up a data set for each call.
    """
    if len(crops) == 0:  # TensorFlow refuses the largest value of an empty batch
        return np.zeros((0, NUM_CLASSES), np.float32)
    batches = [crops[start : start + PREDICT_BATCH_SIZE] for start in range(0, len(crops), PREDICT_BATCH_SIZE)]
    return np.concatenate([keras.ops.convert_to_numpy(model(batch, training=False)) for batch in batches])


def apply_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the network's logits by the temperature (Guo et al. 2017), in place: in the weights of its last layer."""
    layer = model.get_layer(OUTPUT_LAYER)
    layer.set_weights([weights / temperature for weights in layer.get_weights()])


def with_fixed_scale(model: keras.Model) -> keras.Model:
    """Return the network with an input of 0 to 255 alone, without the layer that blanks what is not white on black.

    It shares the layers that learned with the model.
    """
    if isinstance(model.get_layer(SCALING_LAYER), layers.Rescaling):  # an earlier model
        return model
    learned = keras.Model(model.get_layer(WHITE_ON_BLACK_LAYER).output, model.output)
    inputs = keras.Input(model.input_shape[1:], name=model.layers[0].name)
    return keras.Model(inputs, learned(layers.Rescaling(1 / 255, name=SCALING_LAYER)(inputs)), name=model.name)
