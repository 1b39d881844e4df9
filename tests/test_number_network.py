"""The number reader's network: the form of its answer, its size, its loss, and the same answers after saving."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from digits.common.errors import UserError
from digits.model import keras_files, number_network
from digits.model.heat_map import CLASS_COUNT, LOSS_WEIGHT, OUTPUT_COUNT, TARGET_COUNT, normalise
from digits.model.lookup import NUMBER_READER

MAX_PARAMETERS = 1_000_000 - 225_034 - 372_729  # together with the largest digit network and the line reader's at most a million


@pytest.fixture(scope="module")
def model():
    return number_network.build(seed=1)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    keras_files.save_as_float16(model, folder / "m.h5", folder / "m.tflite")
    return folder


def images_of(height, width):
    return np.random.default_rng(0).normal(size=(1, height, width, 1)).astype(np.float32)


@pytest.mark.parametrize("height, width", [(64, 256), (32, 96)])
def test_the_answer_has_a_place_for_every_fourth_pixel(height, width, model):
    assert model(images_of(height, width)).shape == (1, height // 4, width // 4, OUTPUT_COUNT)


def test_the_network_stays_small(model):
    assert model.count_params() <= MAX_PARAMETERS


def test_a_loaded_network_answers_like_the_saved_one(model, saved):
    image, loaded = images_of(64, 128), number_network.build(seed=2)
    keras_files.load_weights(loaded, saved / "m.h5", NUMBER_READER)
    assert np.array_equal(loaded(image), model(image))


def test_the_tflite_answers_like_the_network_for_images_of_any_size(model, saved):
    interpreter = Interpreter(str(saved / "m.tflite"))
    place = interpreter.get_input_details()[0]["index"]
    for height, width in ((64, 128), (96, 64)):
        image = images_of(height, width)
        interpreter.resize_tensor_input(place, image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, image)
        interpreter.invoke()
        answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        assert np.abs(answer - np.asarray(model(image))).max() < 0.02  # its weights are rounded to float16


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match="not a number reader's network"):
        keras_files.load_weights(number_network.build(seed=0), path, NUMBER_READER)


def test_the_loss_is_low_for_right_answers_and_ignores_places_that_do_not_count():
    target = np.zeros((1, 4, 4, TARGET_COUNT), np.float32)
    target[..., LOSS_WEIGHT] = 1
    target[0, 1, 1, 7] = 1
    right = np.full((1, 4, 4, OUTPUT_COUNT), -9, np.float32)
    right[..., CLASS_COUNT:] = 0
    right[0, 1, 1, 7] = 9
    wrong = right.copy()
    wrong[0, 3, 3, 2] = 9
    losses = [float(number_network.loss(target, answer)) for answer in (right, wrong)]
    assert losses[0] < 0.01 < 1 < losses[1]
    target[0, 3, 3, LOSS_WEIGHT] = 0
    assert float(number_network.loss(target, wrong)) == pytest.approx(losses[0], abs=1e-4)
    assert float(number_network.centre_accuracy(target, right)) == 1


def test_normalised_images_have_the_same_contrast_at_any_brightness():
    grey = np.random.default_rng(0).integers(100, 140, (60, 80)).astype(np.float32)
    dark, bright = normalise(grey - 80), normalise(grey + 100)
    assert np.abs(dark - bright).max() < 1e-3
    assert np.abs(normalise(np.full((60, 80), 200, np.uint8))).max() == 0
