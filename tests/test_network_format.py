"""How a network takes its images, and what its answers are: each value that it is given, and what a card says of it."""

import numpy as np
import pytest

from digits.model.network_format import IMAGE_SHAPES, LOGITS, SIGMOID, NetworkFormat


@pytest.mark.parametrize(
    ("scale", "inverted", "black", "grey", "white"),
    [
        ("0 to 255", False, 0, 51, 255),
        ("0 to 255", True, 255, 204, 0),
        ("0 to 1", False, 0, 0.2, 1),
        ("0 to 1", True, 1, 0.8, 0),
        ("-1 to 1", False, -1, -0.6, 1),
        ("-1 to 1", True, 1, 0.6, -1),
    ],
)
def test_black_and_white_pixels_get_the_values_of_the_scale(scale, inverted, black, grey, white):
    crops = np.zeros((1, 28, 28), np.uint8)
    crops[0, 0, :2] = 51, 255
    for shape in IMAGE_SHAPES:
        prepared = NetworkFormat(shape, scale, inverted).prepare(crops)
        assert prepared.shape == (1, *shape) and prepared.dtype == np.float32
        assert prepared.ravel()[:3] == pytest.approx([grey, white, black])


def test_every_output_becomes_probabilities():
    outputs = np.array([[2.0, 1, *[0] * 8]], np.float32)
    of_logits = NetworkFormat((784,), output=LOGITS).probabilities(outputs)
    assert of_logits[0, :2] == pytest.approx(np.exp([2, 1]) / (np.exp([2, 1]).sum() + 8))
    of_sigmoid = NetworkFormat((784,), output=SIGMOID).probabilities(outputs / 4)
    assert of_sigmoid[0, :3] == pytest.approx([2 / 3, 1 / 3, 0])
    assert np.isfinite(NetworkFormat((784,), output=SIGMOID).probabilities(0 * outputs)).all()
    assert NetworkFormat((784,)).probabilities(outputs) is outputs


def test_a_format_is_read_back_from_json_as_it_was():
    for shape in IMAGE_SHAPES:
        written = NetworkFormat(shape, "-1 to 1", True, LOGITS)
        assert NetworkFormat.from_json(written.to_json()) == written
    assert NetworkFormat.from_json({"shape": [28, 28]}) == NetworkFormat((28, 28))


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": [32, 32]},
        {"scale": "0 to 2"},
        {"inverted": "yes"},
        {"output": "relu"},
        {"more": 1},
        {"shape": 784},
        {"scale": ["0 to 1"]},
    ],
)
def test_a_format_that_is_not_known_is_refused(wrong):
    with pytest.raises((TypeError, ValueError, KeyError)):
        NetworkFormat.from_json({**NetworkFormat((28, 28)).to_json(), **wrong})


def test_a_format_without_a_shape_is_refused():
    with pytest.raises(KeyError):
        NetworkFormat.from_json({"scale": "0 to 1"})
