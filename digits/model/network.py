"""The convolutional network: build, save, load. The only module that knows Keras' file formats.

Importing this imports Keras, which takes seconds; reading images with a .tflite works without it.
"""

import io
import math
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from digits.common.config import CORES, DIGIT_SIZE, IMAGE_SIZE, NUM_CLASSES, PROJECT
from digits.common.errors import UserError
from digits.common.files import SAFE_ZIP_COMPRESSIONS
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
PREDICT_BATCH_SIZE = 500  # images in one call of the network: 0.4 MB, which fits a processor's cache

H5_OVERHEAD_BYTES = 200_000  # in an .h5 beside the weights; three times the 60,000 that were measured
MAX_UNPACKED_BYTES = 10**9  # of a model's file: 250 million weights, a thousand times those of the preset "best"


def build(conv1_filters: int, conv2_filters: int, dense_units: int, dropout_rate: float, seed: int) -> keras.Model:
    """Return the untrained network: (N, 28, 28, 1), 0 to 255 or 0 to 1 -> probabilities (N, 10), float32.

    It brings each image to one scale itself, and takes one that is not white on black as blank. Keras takes (N, 28, 28), too.

    Four convolutions, each with batch normalisation (Ioffe and Szegedy 2015); max pooling halves the sides of the feature maps
    twice. The first kernel is 5x5 and its output is pooled at once, because most of the time is spent where the feature maps
    are still large (the row "two at full size" in benchmarks/results/ingredients.json). conv1_filters: channels before the first
    pooling. conv2_filters: channels after it, doubled after the second. dense_units: width of the last hidden layer, 0 for none.
    dropout_rate: 0 to below 1, of the features before the output (Srivastava et al. 2014). seed: of the initial weights and of the
    dropout.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="pictures")  # the shipped models have this name in their files
    x = _blank_unless_white_on_black(_scaled_by_maximum(inputs))
    x = _convolution(x, conv1_filters, 5, "conv1", pooled=True)
    x = _convolution(x, conv2_filters, 3, "conv2a")
    x = _convolution(x, conv2_filters, 3, "conv2b", pooled=True)
    x = _convolution(x, 2 * conv2_filters, 3, "conv3", padding="same")
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


def layer_table(model: keras.Model) -> list[tuple[str, Any, str]]:
    """Return the rows of a table of the layers: (name, shape of the output for one image, parameters), the sum last."""
    rows = [(layer.name, tuple(layer.output.shape)[1:], f"{layer.count_params():,}") for layer in model.layers]
    return [*rows, ("all", "", f"{model.count_params():,}")]


def save(model: keras.Model, h5_path: Path, tflite_path: Path, **converter_options: Any) -> None:
    """Write the network as .h5 and, with the same weights, as .tflite.

    Raises OSError where a file can't be written, UserError where the network can't be converted, as where TensorFlow is
    missing. The optimizer is left out, because saving it changes the model's compiled configuration (Keras 3.15.1). Only
    TensorFlow writes .tflite files: where Keras runs on another backend, such as JAX, another process converts the .h5.
    converter_options: as in export; only where Keras runs on TensorFlow.
    """
    _check_free_space(h5_path, 4 * model.count_params() + H5_OVERHEAD_BYTES)
    model.save(h5_path, include_optimizer=False)
    if keras.backend.backend() == "tensorflow":
        export(model, tflite_path, **converter_options)
        return
    code = "import sys; from digits.model import network; network.export(network.load(sys.argv[1]), sys.argv[2])"
    result = subprocess.run(
        [sys.executable, "-c", code, h5_path.resolve(), tflite_path.resolve()],
        cwd=PROJECT,  # so that the code above finds the package
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"The .tflite could not be written: TensorFlow does not start ({reason}).\n"
            "Expected it beside Keras: pip install tensorflow. The earlier model is in place; a training is kept, and the\n"
            "same command with --resume goes on here or where TensorFlow is. A fine-tuning starts anew there."
        )


def export(model: keras.Model, tflite_path: str | os.PathLike, **converter_options: Any) -> None:
    """Write the network as .tflite. Keras has to run on TensorFlow. converter_options: of TensorFlow's converter, by name.

    Raises OSError where the file can't be written, UserError where the network can't be converted.
    """
    try:
        with silent_stderr():
            model.export(tflite_path, format="litert", verbose=False, **converter_options)
    except OSError:
        raise
    except Exception as error:  # TensorFlow's errors have no common type; a likely one is a full disk for its temporary files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The .tflite could not be made: {reason}\n"
            f"Expected room for TensorFlow's own files in {tempfile.gettempdir()}. The earlier model is in place; a training is\n"
            "kept, and the same command with --resume goes on. A fine-tuning starts anew."
        ) from error


def save_quantized(model: keras.Model, tflite_path: str | os.PathLike, examples: np.ndarray) -> None:
    """Write the network as a .tflite that calculates with 8-bit integers, a quarter of the size.

    Weights and the layers' outputs are rounded to 256 levels, over the ranges that they take for the examples, (N, 28, 28)
    uint8 (post-training integer quantization, Jacob et al. 2018). Input and output stay float32, as in the other .tflite, but
    the input is 0 to 255 alone: 256 levels between these hold no image of 0 to 1. Keras has to run on TensorFlow. Raises OSError
    and UserError, as export does.
    """
    import tensorflow  # here: only this needs more of it than Keras itself calls

    fixed = _with_fixed_scale(model)

    def representative_dataset() -> Iterator[list[np.ndarray]]:
        for example in examples:
            yield [example.reshape(1, *fixed.input_shape[1:]).astype(np.float32)]

    optimizations = [tensorflow.lite.Optimize.DEFAULT]
    export(fixed, tflite_path, optimizations=optimizations, representative_dataset=representative_dataset)


def _with_fixed_scale(model: keras.Model) -> keras.Model:
    """Return the network with an input of 0 to 255 alone. It shares the layers that learned with the model."""
    if isinstance(model.get_layer(SCALING_LAYER), layers.Rescaling):  # an earlier model
        return model
    names = [layer.name for layer in model.layers]
    inputs = keras.Input(model.input_shape[1:], name=model.layers[0].name)
    x = layers.Rescaling(1 / 255, name=SCALING_LAYER)(inputs)
    for layer in model.layers[names.index(WHITE_ON_BLACK_LAYER) + 1 :]:
        x = layer(x)
    return keras.Model(inputs, x, name=model.name)


def load(path: str | os.PathLike, seed: int | None = None) -> keras.Model:
    """Return the network in an .h5 or .keras file. Raises UserError for anything else, and where it can't run here.

    seed: of the dropout, for fine-tuning: the file does not hold it, and each loading would draw another. No code in the file
    is run: Keras' safe_mode stays on, and the compiled configuration is not read.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    try:
        _check_unpacked_size(path)
        with silent_stderr():
            model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises errors of many kinds for a file that is not a model
        raise UserError(
            f"{path} is not a model that Keras can read ({type(error).__name__}).\n"
            "Expected a .h5 or .keras file as train_model.py writes it."
        ) from error
    shapes = (model.input_shape, model.output_shape) if hasattr(model, "input_shape") else None
    image_shape = (None, IMAGE_SIZE, IMAGE_SIZE)  # that of earlier models, of a fixed scale
    if shapes not in [(input_shape, (None, NUM_CLASSES)) for input_shape in ((*image_shape, 1), image_shape)]:
        raise UserError(
            f"{path} is a model for something else: its input and output are {shapes}.\n"
            f"Expected {(*image_shape, 1)} and {(None, NUM_CLASSES)}."
        )
    try:
        with silent_stderr():  # TensorFlow, where memory is short, writes a page about it
            predict(model, np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.float32))
    except Exception as error:  # a layer that can't run here, or whose output is larger than the memory
        raise UserError(
            f"{path} is a model that can't answer here ({type(error).__name__}).\n"
            "Expected a network that runs in this computer's memory, such as train_model.py writes."
        ) from error
    return model


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


def _check_free_space(path: Path, size: int) -> None:
    """Write this number of bytes to the path and remove them again. Raises OSError where they don't fit.

    On a full disk HDF5 can't write its buffers, and ends the process with a segmentation fault (1.14, h5py 3.14).
    """
    try:
        with open(path, "wb") as file:
            file.write(bytes(size))
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def _check_unpacked_size(path: str | os.PathLike) -> None:
    """Raise ValueError where the file unpacks to more than MAX_UNPACKED_BYTES. Keras itself allows each array 4 GiB."""
    if not zipfile.is_zipfile(path):
        size = _h5_array_bytes(path)
    else:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type not in SAFE_ZIP_COMPRESSIONS for member in members):
                raise ValueError("its archive is compressed as Keras never does")
            size = sum(member.file_size for member in members)
            if size <= MAX_UNPACKED_BYTES:
                weights = [member for member in members if member.filename.endswith(".h5")]
                size += sum(_h5_array_bytes(io.BytesIO(archive.read(member))) for member in weights)
    if size > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to {size / 1e9:,.1f} GB")


def _h5_array_bytes(file: str | os.PathLike | BinaryIO) -> int:
    """Return the size that the arrays in an HDF5 file declare, in bytes. Links are not followed."""
    import h5py  # here: it comes with Keras, and the rest of this module does not need it

    sizes = []

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(math.prod(item.shape or ()) * item.dtype.itemsize)

    with h5py.File(file) as opened:
        opened.visititems(add)
    return sum(sizes)
