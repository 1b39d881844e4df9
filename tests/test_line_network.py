"""The line reader's network: the form of its answer, its size, its loss, and the same answers after saving."""

import numpy as np
import pytest

from digits.model import keras_files, line_network
from digits.model.line_image import LINE_HEIGHT, NO_SYMBOL, PADDING
from digits.model.litert import LiteRTNetwork
from digits.model.lookup import LINE_READER


@pytest.fixture(scope="module")
def model():
    return line_network.build(seed=1)


def line_of(width):
    return np.random.default_rng(0).normal(size=(1, LINE_HEIGHT, width, 1)).astype(np.float32)


@pytest.mark.parametrize("width", [2, 64, 250])
def test_the_answer_has_a_column_for_every_second_pixel(width, model):
    assert model(line_of(width)).shape == (1, width // 2, NO_SYMBOL + 1)


def test_a_loaded_network_and_its_tflite_answer_like_the_saved_one(model, tmp_path):
    keras_files.save_as_float16(model, tmp_path / "m.h5", tmp_path / "m.tflite")
    loaded = line_network.build(seed=2)
    keras_files.load_weights(loaded, tmp_path / "m.h5", LINE_READER)
    lite = LiteRTNetwork(tmp_path / "m.tflite", (LINE_HEIGHT, -1, 1), (-1, NO_SYMBOL + 1))
    for width in (64, 96):
        line = line_of(width)
        expected = np.asarray(model(line))
        assert np.array_equal(loaded(line), expected)
        assert np.abs(lite(line) - expected).max() < 0.02  # its weights are rounded to float16


def answer_of(columns):
    """An answer that is certain of these classes, column by column."""
    logits = np.full((1, len(columns), NO_SYMBOL + 1), -9, np.float32)
    logits[0, np.arange(len(columns)), columns] = 9
    return logits


def test_the_loss_is_low_where_the_columns_show_the_symbols_in_order_and_high_elsewhere():
    target = np.array([[1, 1, 7, PADDING]], np.int32)
    right = answer_of([NO_SYMBOL, 1, 1, NO_SYMBOL, 1, 7, 7, NO_SYMBOL])
    assert float(line_network.loss(target, right)) < 0.01
    assert float(line_network.exact_rows(target, right)) == 1
    merged = answer_of([NO_SYMBOL, 1, 1, 1, 1, 7, 7, NO_SYMBOL])  # only one 1: nothing stands between
    assert float(line_network.loss(target, merged)) > 5
    assert float(line_network.exact_rows(target, merged)) == 0


def test_a_batch_counts_each_row_once():
    target = np.array([[3, PADDING], [3, PADDING]], np.int32)
    answer = np.concatenate([answer_of([3, NO_SYMBOL]), answer_of([4, NO_SYMBOL])])
    assert float(line_network.exact_rows(target, answer)) == 0.5
