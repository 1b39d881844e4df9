"""The network's files: they answer like the network, and files that are broken, foreign or made to do harm are refused."""

import errno
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import pytest
from arrays import images_and_blank
from conftest import PROJECT

from digits.common.errors import UserError
from digits.model import keras_files, network


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small untrained model and its two files."""
    folder = tmp_path_factory.mktemp("saved")
    model = network.build(4, 6, 16, 0.5, seed=3)
    keras_files.save(model, folder / "m.h5", folder / "m.tflite")
    return model, folder


def answers_of_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_the_reloaded_h5_and_tflite_answer_like_the_model_in_memory_on_both_scales_and_to_a_blank_image(saved):
    model, folder = saved
    images = images_and_blank()[..., np.newaxis].astype(np.float32)
    expected = network.predict(model, images)
    loaded = keras_files.load(folder / "m.h5")
    assert np.array_equal(network.predict(loaded, images), expected)
    for scaled in (images, images / 255):
        assert np.abs(network.predict(loaded, scaled) - expected).max() < 1e-6
        assert np.abs(answers_of_litert(folder / "m.tflite", scaled) - expected).max() < 1e-6


def test_the_seed_of_load_decides_the_dropout(saved):
    _, folder = saved
    features = np.ones((1, 16), np.float32)
    first, again, other = [
        keras_files.load(folder / "m.h5", seed).get_layer("dropout")(features, training=True).numpy() for seed in (1, 1, 2)
    ]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_load_refuses_a_file_that_is_no_model(tmp_path):
    (tmp_path / "junk.h5").write_bytes(b"no model")
    with pytest.raises(UserError, match="not a model that Keras can read"):
        keras_files.load(tmp_path / "junk.h5")


def test_load_refuses_a_network_with_another_input(tmp_path):
    import keras

    foreign = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    foreign.save(tmp_path / "foreign.keras")
    with pytest.raises(UserError, match="model for something else"):
        keras_files.load(tmp_path / "foreign.keras")


def test_load_refuses_a_model_with_code_in_it_without_running_it(tmp_path):
    import keras

    trap = tmp_path / "ran"
    path = str(trap)
    function = eval(f"lambda x: (open({path!r}, 'w'), x)[1]")  # in a file of its own, without names from this one
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Lambda(function), keras.layers.Flatten()])
    model.save(tmp_path / "lambda.keras")
    trap.unlink()  # building it has run it
    with pytest.raises(UserError):
        keras_files.load(tmp_path / "lambda.keras")
    assert not trap.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_load_refuses_a_custom_layer_and_says_why(suffix, tmp_path):
    import keras

    @keras.saving.register_keras_serializable("theirs")
    class Custom(keras.layers.Dense):
        pass

    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), Custom(10)])
    model.save(tmp_path / f"own{suffix}")
    keras.saving.get_custom_objects().clear()  # as in another process
    with pytest.raises(UserError, match="Expected .+ Keras' own layers\nalone. No code in a file is run, so custom layers"):
        keras_files.load(tmp_path / f"own{suffix}")


def test_load_says_that_weights_alone_are_no_model(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(UserError, match="as model.save writes it .save_weights leaves the layers out."):
        keras_files.load(tmp_path / "own.weights.h5")


def test_load_refuses_an_input_of_whole_numbers(tmp_path):
    import keras

    layers = keras.layers
    inputs = keras.Input((28, 28), dtype="uint8")
    model = keras.Sequential([inputs, layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)])
    model.save(tmp_path / "own.keras")
    with pytest.raises(UserError, match="takes whole numbers .uint8..\nExpected an input of floating-point numbers"):
        keras_files.load(tmp_path / "own.keras")


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_load_takes_each_shape_in_which_tutorials_give_a_digit(shape, tmp_path):
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.save(tmp_path / "own.h5")
    assert keras_files.load(tmp_path / "own.h5").input_shape == (None, *shape)


def own_h5(path):
    """Write a small model that could be used, and return the name of its kernel in the file."""
    import h5py
    import keras

    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(path)
    names = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.append(name) if getattr(item, "shape", None) == (784, 10) else None)
    return names[0]


def external_link(file, kernel, folder):
    import h5py

    file[kernel] = h5py.ExternalLink(folder / "other.h5", kernel)


def looping_link(file, kernel, folder):
    import h5py

    file[kernel] = h5py.SoftLink(f"/{kernel}")


def external_data(file, kernel, folder):
    file.create_dataset(kernel, (784, 10), "f4", external=[(str(folder / "other.h5"), 0, 31360)])


def huge_array(file, kernel, folder):
    file.create_dataset(kernel, (784, 400_000), "f4", chunks=(784, 1000), compression="gzip", fillvalue=1)


@pytest.mark.parametrize("instead", [external_link, looping_link, external_data, huge_array])
def test_load_refuses_weights_in_other_files_and_arrays_that_are_too_large(instead, tmp_path):
    import h5py

    kernel = own_h5(tmp_path / "m.h5")
    own_h5(tmp_path / "other.h5")
    assert keras_files.load(tmp_path / "m.h5").count_params() == 7850
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        del file[kernel]
        instead(file, kernel, tmp_path)
    with pytest.raises(UserError, match="not a model that Keras can read") as refused:
        keras_files.load(tmp_path / "m.h5")
    if instead is huge_array:  # 1.3 GB in 40 kB: refused by what is declared, not when it has been unpacked
        assert "unpacks to 1.3 GB" in str(refused.value.__cause__)


@pytest.mark.parametrize("member", ["model.weights.h5", "config.json", "more"])
def test_load_refuses_a_keras_file_that_unpacks_to_too_much_before_unpacking(member, tmp_path, monkeypatch):
    import keras

    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(tmp_path / "whole.keras")
    monkeypatch.setattr(keras_files, "MAX_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was unpacked"))
    with (
        zipfile.ZipFile(tmp_path / "whole.keras") as whole,
        zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in {*whole.namelist(), member}:
            archive.writestr(name, bytes(1_000_001) if name == member else whole.read(name))
    with pytest.raises(UserError):
        keras_files.load(tmp_path / "m.keras")


def test_load_refuses_a_keras_file_in_a_compression_without_bounded_memory(tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was unpacked"))
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError):
        keras_files.load(tmp_path / "m.keras")


def test_load_refuses_a_network_that_can_not_answer(saved, monkeypatch):
    def out_of_memory(model, crops):
        raise MemoryError

    monkeypatch.setattr(network, "predict", out_of_memory)
    with pytest.raises(UserError, match="can't answer here .MemoryError.\\.\nExpected a network that runs"):
        keras_files.load(saved[1] / "m.h5")


@pytest.mark.slow
def test_load_refuses_a_network_whose_answer_needs_more_memory_than_there_is(tmp_path):
    import keras

    layers = keras.layers
    padded = [layers.Reshape((28, 28, 1)), layers.ZeroPadding2D(10**7), layers.GlobalMaxPooling2D(), layers.Dense(10)]
    keras.Sequential([keras.Input((28, 28)), *padded]).save(tmp_path / "m.keras")  # 1.6 PB for one image
    with pytest.raises(UserError, match="can't answer here"):
        keras_files.load(tmp_path / "m.keras")


def test_a_failed_conversion_is_a_user_error_that_names_the_temporary_folder(saved, tmp_path, monkeypatch):
    import keras

    def fill_the_disk(*_, **__):
        raise RuntimeError("No space left on device\nand a page about it")  # TensorFlow's errors are no OSErrors

    monkeypatch.setattr(keras.Model, "export", fill_the_disk)
    with pytest.raises(UserError, match="could not be made: No space left on device\nExpected room") as refused:
        keras_files.save(saved[0], tmp_path / "m.h5", tmp_path / "m.tflite")
    assert tempfile.gettempdir() in str(refused.value) and "a page about it" not in str(refused.value)


def test_save_on_a_full_disk_raises_an_error_before_hdf5_writes(saved, tmp_path, monkeypatch):
    def disk_is_full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left on device"):
        keras_files.save(saved[0], tmp_path / "m.h5", tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


SAVE_ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path
from digits.model import keras_files, network
model = network.build(4, 6, 16, 0.5, seed=3)
for room in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        keras_files.save(model, Path(sys.argv[1]) / "m.h5", Path(sys.argv[1]) / "m.tflite")
    except OSError as error:
        print("OSError:", error.strerror)
"""


@pytest.mark.slow
def test_save_on_a_small_disk_raises_an_error_instead_of_crashing(tmp_path):
    # HDF5 that can't write its buffers ends the process with a segmentation fault.
    pytest.importorskip("resource", reason="Windows limits no file's size")
    result = subprocess.run(
        [sys.executable, "-c", SAVE_ON_A_SMALL_DISK, tmp_path, "1000", "40000"], cwd=PROJECT, capture_output=True, text=True
    )
    assert result.returncode == 0 and "Traceback" not in result.stderr, result.stderr
    assert result.stdout.count("OSError:") == 2
    assert list(tmp_path.iterdir()) == []
