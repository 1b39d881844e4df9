"""The network scales its input itself, its layers have their names, and every preset keeps to its size."""

import numpy as np
import pytest
from arrays import images_and_blank
from conftest import SHIPPED_MODEL

from digits.model import keras_files, network
from digits.model.calibration import calibrate


@pytest.fixture(scope="module")
def model():
    """A small untrained network."""
    return network.build(4, 6, 16, 0.5, seed=3)


def test_images_of_0_to_1_and_0_to_255_with_three_axes_or_four_get_the_same_answers(model):
    images = images_and_blank()
    expected = network.predict(model, images)
    assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.001, "the images get one answer"
    for other in (images.astype(np.float32), images / 255, images[..., np.newaxis], images[..., np.newaxis] / np.float32(255)):
        assert np.abs(network.predict(model, other) - expected).max() < 1e-6


def test_each_image_is_divided_by_its_maximum_and_a_blank_one_stays_blank(model):
    images = images_and_blank()[..., np.newaxis].astype(np.float32)
    images[0] *= 0.4  # faint
    scaled = network.keras.Model(model.input, model.get_layer("scaling").output)(images).numpy()
    assert scaled[:20].max(axis=(1, 2, 3)) == pytest.approx(np.ones(20), abs=1e-5)
    assert np.allclose(scaled[0] * images[0].max(), images[0], atol=1e-3)
    assert not scaled[20].any()


@pytest.mark.parametrize("scale", [1, 255])
def test_black_on_white_and_even_images_are_taken_as_blank_and_grey_paper_is_not(model, scale):
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


def test_the_layers_before_conv1_are_not_trained(model):
    constant = {weight.path.split("/")[0] for weight in model.non_trainable_weights if "_norm" not in weight.path}
    assert constant == {"maximum_and_epsilon", "reciprocal", "dark_corners"}


def test_predict_gives_each_image_of_many_its_own_answer(model, monkeypatch):
    images = images_and_blank()
    expected = network.predict(model, images)
    monkeypatch.setattr(network, "PREDICT_BATCH_SIZE", 4)  # the last batch is smaller
    assert np.abs(network.predict(model, images) - expected).max() < 1e-6
    assert network.predict(model, images[:0]).shape == (0, 10)


@pytest.mark.parametrize("preset", ["default", "best", "tiny"])
def test_each_preset_keeps_to_its_size(preset):
    import train_model

    settings = train_model.settings_from(train_model.parse(["--preset", preset]))
    sizes = (settings.conv1_filters, settings.conv2_filters, settings.dense_units)
    model = network.build(*sizes, settings.dropout_rate, seed=0)
    assert model.count_params() <= (20_000 if preset == "tiny" else 225_034)


def test_the_parameters_in_the_layer_table_add_up(model):
    counts = [int(row[2].replace(",", "")) for row in network.layer_table(model)]
    assert sum(counts[:-1]) == counts[-1] == model.count_params()


def test_build_gives_the_layers_the_names_that_the_shipped_file_has():
    names = [layer.name for layer in keras_files.load(SHIPPED_MODEL.with_suffix(".h5")).layers]
    assert [layer.name for layer in network.build(4, 6, 0, 0.5, seed=0).layers] == names
    assert network.FEATURES_LAYER in names


def test_the_seed_of_build_decides_the_initial_weights():
    first, again, other = (network.build(4, 6, 0, 0.5, seed=seed).get_layer("conv1").get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
