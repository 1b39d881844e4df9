"""The CNN: build, save, load. The only module that knows Keras' file formats.

Importing this imports Keras, which takes seconds; reading pictures with a .tflite does without it.
"""

import io
import math
import os
import subprocess
import sys
import tempfile
import zipfile

import absl.logging

from digits.config import CORES, IMAGE_SIZE, NUM_CLASSES, PROJECT, UserError
from digits.files import BOUNDED_COMPRESSIONS
from digits.quiet import silent_stderr

# TensorFlow does not use oneDNN's convolutions on processors without AVX-512, although they are faster there, too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# While a network learns, one core makes pictures: a layer shared out over all cores would wait for that one. On two cores an
# epoch takes about a tenth less so (measured).
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, CORES - 1)))

with silent_stderr():
    import keras
    from keras import layers

    keras.ops.zeros(1)  # the backend looks for a GPU at its first tensor, and complains where there is none

absl.logging.set_verbosity(absl.logging.ERROR)  # the .h5 is a legacy format on purpose: everything reads it

FEATURES = "features"  # the name of the last hidden layer, by which whoever opens a model's file finds it

H5_FRAME = 200_000  # bytes allowed for what is no weight in an .h5; measured: about 60,000. chosen
LARGEST = 10**9  # bytes that a model's file may unpack to: 250 million weights, a thousand times ours. chosen


def build(conv1_filters, conv2_filters, dense_units, dropout_rate, seed):
    """Return the untrained network: (N, 28, 28), 0 to 255 -> probabilities (N, 10), float32.

    Four convolutions, each with batch normalisation (Ioffe and Szegedy 2015); pooling halves the picture twice. The first is
    5x5 and is pooled at once, for most of the time is spent where the picture is still large. conv1_filters: channels
    before the first pooling. conv2_filters: channels after it, doubled after the second. dense_units: width of the last
    hidden layer, 0 for none. dropout_rate: 0 to below 1, before the output. seed: of the initial weights and of the dropout.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE), name="pictures")
    x = layers.Rescaling(1 / 255, name="scaling")(inputs)
    x = layers.Reshape((IMAGE_SIZE, IMAGE_SIZE, 1), name="one_channel")(x)
    x = convolution(x, conv1_filters, 5, "conv1", pooled=True)
    x = convolution(x, conv2_filters, 3, "conv2a")
    x = convolution(x, conv2_filters, 3, "conv2b", pooled=True)
    x = convolution(x, 2 * conv2_filters, 3, "conv3", padding="same")
    x = layers.Flatten(name="flatten" if dense_units else FEATURES)(x)
    if dense_units:
        x = layers.Dense(dense_units, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    outputs = layers.Dense(NUM_CLASSES, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="digit_recognition")


def convolution(x, filters, size, name, padding="valid", pooled=False):
    """Return the layer x convolved, pooled if wanted, normalised and rectified.

    filters: channels of the result. size: of the square kernel, in pixels. name: begins the names of the layers. padding:
    "valid" or "same". The normalisation's offset makes a bias superfluous, and pooling before it saves three quarters of its
    work.
    """
    x = layers.Conv2D(filters, size, padding=padding, use_bias=False, name=name)(x)
    if pooled:
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def layer_table(model):
    """Return [(layer, shape of its output for one picture, parameters)], their sum in the last row; for printing."""
    rows = [(layer.name, tuple(layer.output.shape)[1:], f"{layer.count_params():,}") for layer in model.layers]
    return [*rows, ("all", "", f"{model.count_params():,}")]


def save(model, h5_path, tflite_path):
    """Write the network as .h5 and, with the same weights, as .tflite. h5_path, tflite_path: Paths.

    Raises OSError where a file can't be written, UserError where it can't be converted, as where TensorFlow is missing.
    The optimizer is left out, for saving it changes the model's compiled configuration (Keras 3.15.1). Only TensorFlow
    writes .tflite files: where Keras runs on something else, such as JAX, another process converts the .h5.
    """
    _make_sure_of_room(h5_path, 4 * model.count_params() + H5_FRAME)
    model.save(h5_path, include_optimizer=False)
    if keras.backend.backend() == "tensorflow":
        export(model, tflite_path)
        return
    code = "import sys; from digits import network; network.export(network.load(sys.argv[1]), sys.argv[2])"
    result = subprocess.run(
        [sys.executable, "-c", code, h5_path.resolve(), tflite_path.resolve()],
        cwd=PROJECT,  # from where the code above finds the package
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"The .tflite could not be written: TensorFlow does not start ({reason}).\n"
            "Expected it beside Keras: pip install tensorflow. The earlier model is in place; a training is kept, and the\n"
            "same command with --resume goes on here or where TensorFlow is. A hand is learned anew there."
        )


def _make_sure_of_room(path, size):
    """Write so many bytes to the path and remove them again. Raises OSError where they don't fit.

    On a full disk HDF5 can't write what it holds back, and ends the process with a segmentation fault (1.14, h5py 3.14).
    """
    try:
        with open(path, "wb") as file:
            file.write(bytes(size))
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def export(model, tflite_path, **how):
    """Write the network as .tflite. Keras has to run on TensorFlow. how: options of its converter, by name.

    Raises OSError where the file can't be written, UserError where the network can't be converted.
    """
    try:
        with silent_stderr():
            model.export(tflite_path, format="litert", verbose=False, **how)
    except OSError:
        raise
    except Exception as error:  # TensorFlow's errors have no common type; likely is a full disk for its temporary files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The .tflite could not be made: {reason}\n"
            f"Expected room for TensorFlow's own files in {tempfile.gettempdir()}. The earlier model is in place; a training is\n"
            "kept, and the same command with --resume goes on. A hand is learned anew."
        ) from error


def save_quantized(model, tflite_path, examples):
    """Write the network as a .tflite that calculates with whole numbers of 8 bits, a quarter of the size.

    Weights and the layers' outputs are rounded to 256 levels, over the ranges that they take for the examples, (N, 28, 28)
    uint8 (Jacob et al. 2018). Input and output stay float32, as in the other .tflite. Keras has to run on TensorFlow.
    Raises as export does.
    """
    import tensorflow  # here: only this needs more of it than Keras itself calls

    export(
        model,
        tflite_path,
        optimizations=[tensorflow.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([example[None].astype("float32")] for example in examples),
    )


def load(path, seed=None):
    """Return the network in an .h5 or .keras file. Raises UserError for anything else, and where it can't run here.

    seed: of the dropout, for a training that goes on: the file does not hold it, and each loading would draw another.
    Nothing in the file is run: safe_mode stays on, and the compiled configuration is not read.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    try:
        _check_size(path)
        with silent_stderr():
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
    try:
        with silent_stderr():  # TensorFlow, where memory is short, writes a page about it
            answer(model, keras.ops.zeros((1, IMAGE_SIZE, IMAGE_SIZE)))
    except Exception as error:  # a layer that can't calculate here, or that hands on more than the memory holds
        raise UserError(
            f"{path} is a model that can't answer here ({type(error).__name__}).\n"
            "Expected a network that runs in this computer's memory, such as train_model.py writes."
        ) from error
    return model


def _check_size(path):
    """Raise ValueError where the file declares more than LARGEST bytes. Keras itself allows each array 4 GiB."""
    if not zipfile.is_zipfile(path):
        declared = _declared_in_h5(path)
    else:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type not in BOUNDED_COMPRESSIONS for member in members):
                raise ValueError("its archive is compressed as Keras never does")
            declared = sum(member.file_size for member in members)
            if declared <= LARGEST:
                declared += sum(
                    _declared_in_h5(io.BytesIO(archive.read(member))) for member in members if member.filename.endswith(".h5")
                )
    if declared > LARGEST:
        raise ValueError(f"it unpacks to {declared / 1e9:,.1f} GB")


def _declared_in_h5(file):
    """Return how many bytes the arrays in an HDF5 file declare. file: a path or an open file. Links are not followed."""
    import h5py  # here: it comes with Keras, and the rest of this module needs none of it

    sizes = []

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(math.prod(item.shape or ()) * item.dtype.itemsize)

    with h5py.File(file) as opened:
        opened.visititems(add)
    return sum(sizes)


def answer(model, crops):
    """Return the probabilities (N, 10) float32 of the crops (N, 28, 28), 0 to 255, any type. Quicker than model.predict."""
    return keras.ops.convert_to_numpy(model(crops, training=False))
