"""The network's files: .h5 and .tflite are written, .h5 and .keras are read, also files that were made to do harm.

Importing this imports Keras, which takes seconds.
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

from digits.common.config import NUM_CLASSES, PROJECT
from digits.common.errors import UserError
from digits.common.files import SAFE_ZIP_COMPRESSIONS
from digits.common.stderr import silent_stderr
from digits.model import network
from digits.model.lookup import ModelKind
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.model.network_format import IMAGE_SHAPES

H5_OVERHEAD_BYTES = 200_000  # in an .h5 beside the weights; three times the 60,000 that were measured
MAX_UNPACKED_BYTES = 10**9  # of a model's file: 250 million weights, a thousand times those of the preset "best"


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
    code = "import sys; from digits.model import keras_files; keras_files.export(keras_files.load(sys.argv[1]), sys.argv[2])"
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


def save_as_float16(model: keras.Model, h5_path: Path, tflite_path: Path) -> None:
    """Write the network as .h5 and, with weights rounded to float16, as .tflite. Raises OSError and UserError, as save.

    Keras has to run on TensorFlow. Where the network takes inputs of any size, the input of the .tflite has to be resized first.
    """
    import tensorflow  # here: only this needs more of it than Keras itself calls

    optimizations = {
        "optimizations": [tensorflow.lite.Optimize.DEFAULT],
        "target_spec": {"supported_types": [tensorflow.float16]},
    }
    save(model, h5_path, tflite_path, **optimizations)


def save_quantized(model: keras.Model, tflite_path: str | os.PathLike, examples: np.ndarray) -> None:
    """Write the network as a .tflite that calculates with 8-bit integers, a quarter of the size.

    Weights and the layers' outputs are rounded to 256 levels, over the ranges that they take for the examples, (N, 28, 28)
    uint8 (post-training integer quantization, Jacob et al. 2018). Input and output stay float32, as in the other .tflite, but
    the input is 0 to 255 alone: an image of 0 to 1 would be lost in the 256 levels of this range. Keras has to run on
    TensorFlow. Raises OSError and UserError, as export does.
    """
    import tensorflow  # here: only this needs more of it than Keras itself calls

    fixed = network.with_fixed_scale(model)

    def representative_dataset() -> Iterator[list[np.ndarray]]:
        for example in examples:
            yield [example.reshape(1, *fixed.input_shape[1:]).astype(np.float32)]

    optimizations = [tensorflow.lite.Optimize.DEFAULT]
    export(fixed, tflite_path, optimizations=optimizations, representative_dataset=representative_dataset)


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
            "Expected a .h5 or .keras file as model.save writes it (save_weights leaves the layers out), with Keras' own layers\n"
            "alone. No code in a file is run, so custom layers and Lambda layers are refused."
        ) from error
    found = (model.input_shape, model.output_shape) if hasattr(model, "input_shape") else None
    if found not in [((None, *shape), (None, NUM_CLASSES)) for shape in IMAGE_SHAPES]:
        raise UserError(
            f"{path} is a model for something else: its input and output are {found}.\n"
            f"Expected {(None, NUM_CLASSES)} as the output, and one of "
            f"{', '.join(str((None, *shape)) for shape in IMAGE_SHAPES)} as the input."
        )
    if not keras.backend.is_float_dtype(model.inputs[0].dtype):
        raise UserError(
            f"{path} takes whole numbers ({model.inputs[0].dtype}).\n"
            "Expected an input of floating-point numbers: leave the dtype of the first layer away."
        )
    try:
        with silent_stderr():  # TensorFlow, where memory is short, writes a page about it
            network.predict(model, np.zeros((1, *model.input_shape[1:]), np.float32))
    except Exception as error:  # a layer that can't run here, or whose output is larger than the memory
        raise UserError(
            f"{path} is a model that can't answer here ({type(error).__name__}).\n"
            "Expected a network that runs in this computer's memory, such as train_model.py writes."
        ) from error
    return model


def load_weights(model: keras.Model, path: str | os.PathLike, kind: ModelKind) -> None:
    """Give the network the weights in an .h5 file that save wrote for one of this kind. Raises UserError for anything else.

    Only weights are read from the file, no code and no layers.
    """
    try:
        model.load_weights(path)
    except Exception as error:  # Keras raises errors of many kinds for a file that is not a model
        raise UserError(
            f"{path} is not a {kind.name}'s network ({type(error).__name__}).\n"
            f"Expected the .h5 of a {kind.name}. The shipped one comes back with: git checkout models\n"
            f"To make one: {kind.train_command}"
        ) from error


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
