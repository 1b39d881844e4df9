"""The network scales its input itself, answers alike after saving, and every preset keeps to its size."""

import errno
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import pytest
from conftest import PROJECT, SHIPPED_MODEL

from digits.common.errors import UserError
from digits.model import network
from digits.model.calibration import calibrate


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small untrained model and its two files."""
    folder = tmp_path_factory.mktemp("saved")
    model = network.build(4, 6, 16, 0.5, seed=3)
    network.save(model, folder / "m.h5", folder / "m.tflite")
    return model, folder


def images_and_blank():
    """20 images of noise on black, white on black as MNIST's are, and a blank one: (21, 28, 28) uint8."""
    images = np.zeros((21, 28, 28), np.uint8)
    images[:20, 4:24, 4:24] = np.random.default_rng(1).integers(0, 256, (20, 20, 20))
    return images


def answers_of_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_images_of_0_to_1_and_0_to_255_with_three_axes_or_four_get_the_same_answers(saved):
    model, _ = saved
    images = images_and_blank()
    expected = network.predict(model, images)
    assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.001, "the images get one answer"
    for other in (images.astype(np.float32), images / 255, images[..., np.newaxis], images[..., np.newaxis] / np.float32(255)):
        assert np.abs(network.predict(model, other) - expected).max() < 1e-6


def test_the_reloaded_h5_and_tflite_answer_like_the_model_in_memory_on_both_scales_and_to_a_blank_image(saved):
    model, folder = saved
    images = images_and_blank()[..., np.newaxis].astype(np.float32)
    expected = network.predict(model, images)
    loaded = network.load(folder / "m.h5")
    assert np.array_equal(network.predict(loaded, images), expected)
    for scaled in (images, images / 255):
        assert np.abs(network.predict(loaded, scaled) - expected).max() < 1e-6
        assert np.abs(answers_of_litert(folder / "m.tflite", scaled) - expected).max() < 1e-6


def test_each_image_is_divided_by_its_maximum_and_a_blank_one_stays_blank(saved):
    model, _ = saved
    images = images_and_blank()[..., np.newaxis].astype(np.float32)
    images[0] *= 0.4  # faint
    scaled = network.keras.Model(model.input, model.get_layer("scaling").output)(images).numpy()
    assert scaled[:20].max(axis=(1, 2, 3)) == pytest.approx(np.ones(20), abs=1e-5)
    assert np.allclose(scaled[0] * images[0].max(), images[0], atol=1e-3)
    assert not scaled[20].any()


@pytest.mark.parametrize("scale", [1, 255])
def test_black_on_white_and_even_images_are_taken_as_blank_and_grey_paper_is_not(saved, scale):
    model, _ = saved
    images = images_and_blank()[:3] / np.float32(255)
    inverted, even, grey = 1 - images, np.full_like(images, 0.3), np.maximum(images, 0.8)
    of_blank = network.predict(model, np.zeros((1, 28, 28), np.float32))
    for other in (inverted, even):
        assert np.abs(network.predict(model, scale * other) - of_blank).max() < 1e-6
    seen = network.keras.Model(model.input, model.get_layer("white_on_black").output)(scale * grey[..., np.newaxis]).numpy()
    assert np.allclose(seen[..., 0], grey / grey.max(axis=(1, 2), keepdims=True), atol=1e-5)


def test_apply_temperature_divides_the_logits():
    model = network.build(4, 6, 16, 0.0, seed=3)
    images = images_and_blank()
    before = network.predict(model, images)
    network.apply_temperature(model, 0.05)
    assert np.abs(network.predict(model, images) - calibrate(before, 0.05)).max() < 1e-4
    assert np.abs(calibrate(before, 0.05) - before).max() > 0.01, "the temperature changes nothing"


def test_what_is_constant_is_not_learned(saved):
    model, _ = saved
    constant = {weight.path.split("/")[0] for weight in model.non_trainable_weights if "_norm" not in weight.path}
    assert constant == {"maximum_and_epsilon", "reciprocal", "dark_corners"}


def test_predict_gives_each_image_of_many_its_own_answer(saved, monkeypatch):
    model, _ = saved
    images = images_and_blank()
    expected = network.predict(model, images)
    monkeypatch.setattr(network, "PREDICT_BATCH_SIZE", 4)  # the last batch is smaller
    assert np.abs(network.predict(model, images) - expected).max() < 1e-6
    assert network.predict(model, images[:0]).shape == (0, 10)


def test_the_seed_of_load_decides_the_dropout(saved):
    _, folder = saved
    features = np.ones((1, 16), np.float32)
    first, again, other = [
        network.load(folder / "m.h5", seed).get_layer("dropout")(features, training=True).numpy() for seed in (1, 1, 2)
    ]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("preset", ["default", "best", "tiny"])
def test_each_preset_keeps_to_its_size(preset):
    import train_model

    settings = train_model.settings_from(train_model.parse(["--preset", preset]))
    sizes = (settings.conv1_filters, settings.conv2_filters, settings.dense_units)
    model = network.build(*sizes, settings.dropout_rate, seed=0)
    assert model.count_params() <= (20_000 if preset == "tiny" else 225_034)


def test_the_parameters_in_the_layer_table_add_up(saved):
    model, _ = saved
    counts = [int(row[2].replace(",", "")) for row in network.layer_table(model)]
    assert sum(counts[:-1]) == counts[-1] == model.count_params()


def test_build_gives_the_layers_the_names_that_the_shipped_file_has():
    names = [layer.name for layer in network.load(SHIPPED_MODEL.with_suffix(".h5")).layers]
    assert [layer.name for layer in network.build(4, 6, 0, 0.5, seed=0).layers] == names
    assert network.FEATURES_LAYER in names


def test_load_refuses_a_file_that_is_no_model(tmp_path):
    (tmp_path / "junk.h5").write_bytes(b"no model")
    with pytest.raises(UserError, match="not a model that Keras can read"):
        network.load(tmp_path / "junk.h5")


def test_load_refuses_a_network_with_another_input(tmp_path):
    import keras

    foreign = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    foreign.save(tmp_path / "foreign.keras")
    with pytest.raises(UserError, match="model for something else"):
        network.load(tmp_path / "foreign.keras")


def test_load_refuses_a_model_with_code_in_it_without_running_it(tmp_path):
    import keras

    trap = tmp_path / "ran"
    path = str(trap)
    function = eval(f"lambda x: (open({path!r}, 'w'), x)[1]")  # in a file of its own, without names from this one
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Lambda(function), keras.layers.Flatten()])
    model.save(tmp_path / "lambda.keras")
    trap.unlink()  # building it has run it
    with pytest.raises(UserError):
        network.load(tmp_path / "lambda.keras")
    assert not trap.exists()


def test_the_seed_of_build_decides_the_initial_weights():
    first, again, other = (network.build(4, 6, 0, 0.5, seed=seed).get_layer("conv1").get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


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
    assert network.load(tmp_path / "m.h5").count_params() == 7850
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        del file[kernel]
        instead(file, kernel, tmp_path)
    with pytest.raises(UserError, match="not a model that Keras can read") as refused:
        network.load(tmp_path / "m.h5")
    if instead is huge_array:  # 1.3 GB in 40 kB: refused by what is declared, not when it has been unpacked
        assert "unpacks to 1.3 GB" in str(refused.value.__cause__)


@pytest.mark.parametrize("member", ["model.weights.h5", "config.json", "more"])
def test_load_refuses_a_keras_file_that_unpacks_to_too_much_before_unpacking(member, tmp_path, monkeypatch):
    import keras

    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(tmp_path / "whole.keras")
    monkeypatch.setattr(network, "MAX_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was unpacked"))
    with (
        zipfile.ZipFile(tmp_path / "whole.keras") as whole,
        zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in {*whole.namelist(), member}:
            archive.writestr(name, bytes(1_000_001) if name == member else whole.read(name))
    with pytest.raises(UserError):
        network.load(tmp_path / "m.keras")


def test_load_refuses_a_keras_file_in_a_compression_without_bounded_memory(tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was unpacked"))
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError):
        network.load(tmp_path / "m.keras")


def test_load_refuses_a_network_that_can_not_answer(saved, monkeypatch):
    def out_of_memory(model, crops):
        raise MemoryError

    monkeypatch.setattr(network, "predict", out_of_memory)
    with pytest.raises(UserError, match="can't answer here .MemoryError.\\.\nExpected a network that runs"):
        network.load(saved[1] / "m.h5")


@pytest.mark.slow
def test_load_refuses_a_network_whose_answer_needs_more_memory_than_there_is(tmp_path):
    import keras

    layers = keras.layers
    padded = [layers.Reshape((28, 28, 1)), layers.ZeroPadding2D(10**7), layers.GlobalMaxPooling2D(), layers.Dense(10)]
    keras.Sequential([keras.Input((28, 28)), *padded]).save(tmp_path / "m.keras")  # 1.6 PB for one image
    with pytest.raises(UserError, match="can't answer here"):
        network.load(tmp_path / "m.keras")


def test_a_failed_conversion_is_a_user_error_that_names_the_temporary_folder(saved, tmp_path, monkeypatch):
    import keras

    def fill_the_disk(*_, **__):
        raise RuntimeError("No space left on device\nand a page about it")  # TensorFlow's errors are no OSErrors

    monkeypatch.setattr(keras.Model, "export", fill_the_disk)
    with pytest.raises(UserError, match="could not be made: No space left on device\nExpected room") as refused:
        network.save(saved[0], tmp_path / "m.h5", tmp_path / "m.tflite")
    assert tempfile.gettempdir() in str(refused.value) and "a page about it" not in str(refused.value)


def test_save_on_a_full_disk_raises_an_error_before_hdf5_writes(saved, tmp_path, monkeypatch):
    def disk_is_full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left on device"):
        network.save(saved[0], tmp_path / "m.h5", tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


SAVE_ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path
from digits.model import network
model = network.build(4, 6, 16, 0.5, seed=3)
for room in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        network.save(model, Path(sys.argv[1]) / "m.h5", Path(sys.argv[1]) / "m.tflite")
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
