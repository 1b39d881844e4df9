"""Sets of a model's three files as the version of November 2026 wrote them, made from sets of today."""

import json
from pathlib import Path


def turn_into_earlier_set(model_path: Path) -> dict:
    """Rewrite the set of an .h5 in place, and return its card, a dict.

    Its network takes (N, 28, 28), 0 to 255, and divides by 255; its answers are still to be calibrated by the card's temperature.
    """
    from digits.model import keras_files, network, store  # here: conftest.py puts the project on the path
    from digits.model.network import keras, layers

    card = json.loads(model_path.with_suffix(".json").read_text())
    model = keras_files.load(model_path)
    network.apply_temperature(model, 1 / card["temperature"])
    inputs = keras.Input((28, 28), name="pictures")
    x = layers.Reshape((28, 28, 1), name="one_channel")(layers.Rescaling(1 / 255, name="scaling")(inputs))
    earlier = keras.Model(inputs, _apply_learned_layers(model, x), name="digit_recognition")
    keras_files.save(earlier, model_path, model_path.with_suffix(".tflite"))
    del card["temperature_applied"]
    card |= {
        "parameters": earlier.count_params(),
        "input": "(N, 28, 28) float32, 0 to 255, white ink on black, a digit in a 20x20 box, centred by mass at (14, 14)",
        "output": "(N, 10) float32, the probability p of each label",
        "calibration": "p ** (1 / temperature), divided by its sum over the ten labels",
        "score": "log(q / (1 - q)), q the largest of the calibrated ten; below the threshold an answer is 'not sure'",
        "sha256": {path.name: store.checksum(path) for path in (model_path, model_path.with_suffix(".tflite"))},
    }
    model_path.with_suffix(".json").write_text(json.dumps(card))
    return card


def _apply_learned_layers(model, x):
    """Return what the layers behind the model's own scaling answer to x, one by one: earlier files hold no model in the model."""
    start = model.get_layer("white_on_black")
    answers = {id(start.output): x}
    for layer in model.layers[model.layers.index(start) + 1 :]:
        given, answer = layer.input, layer.output
        answers[id(answer)] = layer([answers[id(one)] for one in given] if isinstance(given, list) else answers[id(given)])
    return answers[id(model.output)]
