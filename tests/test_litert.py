"""A .tflite file is run by LiteRT for batches of any size, and refused where it is something else."""

import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from digits.model.litert import LiteRTNetwork
from digits.reading.number_reader import DEFAULT_NUMBER_READER


def random_images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_an_image_has_the_same_answer_alone_and_in_batches_of_any_size():
    network = LiteRTNetwork(DEFAULT_NUMBER_READER, (-1, -1, 1), (-1, -1, 20))
    images = random_images(3, 32, 64, 1)
    together = network(images)
    assert together.shape == (3, 8, 16, 20) and together.dtype == np.float32
    for size in (1, 2):
        assert np.allclose(network(images[:size]), together[:size], atol=1e-4)
    assert network(random_images(1, 64, 32, 1)).shape == (1, 16, 8, 20)


@pytest.mark.parametrize(("input_shape", "output_shape"), [((28, 28), (11,)), ((32, 32), (10,)), ((-1, -1, 1), (-1, -1, 20))])
def test_a_network_of_another_form_is_refused(input_shape, output_shape):
    with pytest.raises(ValueError, match=r"its inputs and outputs are \(28, 28, 1\), \(10\), float32"):
        LiteRTNetwork(SHIPPED_MODEL, input_shape, output_shape)


@pytest.mark.parametrize("content", [b"", b"# Handwritten digits", "h5"])
def test_another_file_is_refused_as_no_tflite(content, tmp_path):
    (tmp_path / "text.tflite").write_bytes(SHIPPED_MODEL.with_suffix(".h5").read_bytes() if content == "h5" else content)
    with pytest.raises(ValueError, match="it is not a .tflite file"):
        LiteRTNetwork(tmp_path / "text.tflite", (28, 28, 1), (10,))


def test_loading_writes_nothing_to_standard_error(capfd):
    LiteRTNetwork(DEFAULT_NUMBER_READER, (-1, -1, 1), (-1, -1, 20))(random_images(1, 32, 32, 1))
    assert capfd.readouterr().err == ""
