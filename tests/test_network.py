"""The network holds its own scaling, survives saving, and every preset keeps to its size."""

import numpy as np
import pytest

import train_model
from digits import network
from digits.config import UserError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small untrained model and its two files."""
    folder = tmp_path_factory.mktemp("saved")
    model = network.build(4, 6, 16, 0.5, seed=3)
    network.save(model, folder / "m.h5", folder / "m.tflite")
    return model, folder


def test_scaling_is_inside(saved):
    model, _ = saved
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (5, 28, 28)).astype(np.uint8)
    expected = network.answer(model, pictures.astype(np.float32))
    assert np.allclose(network.answer(model, pictures), expected)
    assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    assert float(model.get_layer("scaling")(np.full((1, 28, 28), 255.0)).numpy().max()) == pytest.approx(1.0)


def test_what_is_loaded_answers_like_what_was_saved(saved):
    model, folder = saved
    pictures = np.random.default_rng(1).integers(0, 256, (20, 28, 28)).astype(np.float32)
    assert np.array_equal(network.answer(network.load(folder / "m.h5"), pictures), network.answer(model, pictures))


@pytest.mark.parametrize("preset", train_model.PRESETS)
def test_presets_keep_to_their_size(preset):
    settings = train_model.settings_from(train_model.parse(["--preset", preset]))
    model = network.build(*(settings[name] for name in train_model.NETWORK_SETTINGS), seed=0)
    assert model.count_params() <= (20_000 if preset == "tiny" else 225_034)


def test_the_layer_table_adds_up(saved):
    model, _ = saved
    counts = [int(row[2].replace(",", "")) for row in network.layer_table(model)]
    assert sum(counts[:-1]) == counts[-1] == model.count_params()


def test_a_junk_file_is_refused(tmp_path):
    (tmp_path / "junk.h5").write_bytes(b"no model")
    with pytest.raises(UserError, match="not a model that Keras can read"):
        network.load(tmp_path / "junk.h5")


def test_a_model_for_something_else_is_refused(tmp_path):
    import keras

    foreign = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    foreign.save(tmp_path / "foreign.keras")
    with pytest.raises(UserError, match="model for something else"):
        network.load(tmp_path / "foreign.keras")


def test_a_model_with_code_in_it_is_refused_without_running_it(tmp_path):
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


def test_the_seed_decides_the_first_weights():
    first, again, other = (network.build(4, 6, 0, 0.5, seed=seed).get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
