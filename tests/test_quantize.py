"""train_model.py --quantize: the 8-bit model is small, calculates with whole numbers, and is read like any other."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from test_scripts import refused


@pytest.mark.slow
def test_the_8_bit_model_is_small_calculates_with_8_bits_and_is_read_like_any(trained_copy, small_data, call_script):
    from ai_edge_litert.interpreter import Interpreter

    before = {path.name: path.read_bytes() for path in trained_copy.parent.glob("m.*")}
    result = call_script("train_model.py", "--quantize", "--data", small_data, "--model", trained_copy)
    assert result.returncode == 0, result.stderr
    assert {path.name: path.read_bytes() for path in trained_copy.parent.glob("m.*") if path.suffix != ".lock"} == before
    small = trained_copy.with_name("m_int8.tflite")
    assert small.stat().st_size < 0.5 * trained_copy.with_suffix(".tflite").stat().st_size
    interpreter = Interpreter(str(small))
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 28, 28, 1]
    kinds = [tensor["dtype"] for tensor in interpreter.get_tensor_details() if len(tensor["shape"]) == 4]
    assert np.mean([kind == np.int8 for kind in kinds]) > 0.8, "the convolutions do not calculate with 8 bits"

    verified = call_script("verify_all_digits.py", "--data", small_data, "--model", small, "--json", "-")
    scores, card = json.loads(verified.stdout), json.loads(small.with_suffix(".json").read_text())
    of_float = json.loads(before["m.json"])
    assert scores["correct"] == card["test"]["correct"]
    assert abs(scores["correct"] - of_float["test"]["correct"]) <= 2
    assert all(card[name] == of_float[name] for name in ("temperature", "temperature_applied", "recipe"))
    assert card["input"].startswith("(N, 28, 28, 1) float32, 0 to 255, white"), "it takes 0 to 1 as the float model does"
    assert card["quantized_from"] == of_float["sha256"]["m.h5"]
    read = call_script("predict_custom.py", PROJECT / "custom_digits" / "42", "--model", small, "--json", "-")
    assert (read.returncode, read.stderr) == (0, "")

    small.write_bytes(small.read_bytes()[:-1] + b"x")
    refused(call_script("predict_custom.py", "--model", small), "does not match its card")
    again = call_script("train_model.py", "--quantize", "--data", small_data, "--model", trained_copy)
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_model_of_the_version_of_november_2026_is_quantized(earlier, small_data, call_script, tmp_path):
    model = Path(shutil.copytree(earlier.parent, tmp_path / "models")) / earlier.name
    result = call_script("train_model.py", "--quantize", "--data", small_data, "--model", model)
    assert result.returncode == 0, result.stderr
    card = json.loads(model.with_name("m_int8.json").read_text())
    assert "temperature_applied" not in card and card["input"].startswith("(N, 28, 28) float32, 0 to 255, white")
    verified = call_script(
        "verify_all_digits.py", "--data", small_data, "--model", model.with_name("m_int8.tflite"), "--json", "-"
    )
    assert json.loads(verified.stdout)["correct"] == card["test"]["correct"]
