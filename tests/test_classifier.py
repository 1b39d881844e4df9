"""A saved network gives the same answers through every file, and a damaged one is refused."""

import dataclasses
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, SHIPPED_MODEL
from earlier_models import turn_into_earlier_set

from digits.common.errors import UserError
from digits.data.dataset import bundled_digits
from digits.model.card import ModelCard
from digits.model.classifier import CLASSIFY_BATCH_SIZE, Classifier
from digits.model.network_format import NetworkFormat


@pytest.fixture(scope="module")
def shipped():
    return Classifier(SHIPPED_MODEL)


def digit_images(count):
    """Real digits: the bundled ones, repeated up to the count."""
    return np.resize(bundled_digits().x_train, (count, 28, 28))


# ---- answers -------------------------------------------------------------------------------------------------------


def test_h5_and_tflite_give_the_same_probabilities(shipped):
    images = digit_images(1000)
    through_keras = Classifier(SHIPPED_MODEL.with_suffix(".h5")).classify(images)
    through_litert = shipped.classify(images)
    assert np.abs(through_keras.probabilities - through_litert.probabilities).max() < 1e-5
    assert np.array_equal(through_keras.sure, through_litert.sure)


@pytest.mark.parametrize("count", [0, 1, CLASSIFY_BATCH_SIZE + 44], ids=["none", "one", "more than a batch"])
def test_classify_returns_the_documented_shapes_and_types(shipped, count):
    probabilities, scores, sure = shipped.classify(digit_images(count))
    assert (probabilities.shape, probabilities.dtype) == ((count, 10), np.float32)
    assert (scores.shape, scores.dtype) == ((count,), np.float32)
    assert (sure.shape, sure.dtype) == ((count,), bool)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_an_image_in_a_batch_gets_the_same_answer_as_alone(shipped):
    images = digit_images(CLASSIFY_BATCH_SIZE + 3)
    together = shipped.classify(images).probabilities
    alone = np.concatenate([shipped.classify(image[None]).probabilities for image in images])
    assert np.abs(together - alone).max() < 1e-5


# ---- the card ------------------------------------------------------------------------------------------------------


def test_the_threshold_and_temperature_of_the_card_decide_what_is_sure(shipped):
    images = digit_images(100)
    strict = Classifier(SHIPPED_MODEL, dataclasses.replace(shipped.card, threshold=99.0))
    assert shipped.classify(images).sure.any() and not strict.classify(images).sure.any()
    hot = Classifier(SHIPPED_MODEL, dataclasses.replace(shipped.card, temperature=3.0, temperature_applied=None))
    assert hot.classify(images).log_odds.max() < shipped.classify(images).log_odds.max() / 2


def test_a_temperature_that_the_network_has_already_is_not_applied_again(shipped):
    images = digit_images(100)
    hot = Classifier(SHIPPED_MODEL, dataclasses.replace(shipped.card, temperature=3.0))
    assert hot.card.temperature_applied is True and hot.temperature == 1
    assert np.array_equal(hot.classify(images).probabilities, shipped.classify(images).probabilities)


def assert_the_same_answers(earlier_h5, today_h5):
    """Check that a set of the version of November 2026 reads as the same weights in a set of today."""
    images = digit_images(500)
    expected = Classifier(today_h5.with_suffix(".tflite")).classify(images)
    for path in (earlier_h5, earlier_h5.with_suffix(".tflite")):
        classifier = Classifier(path)
        assert classifier.temperature == classifier.card.temperature
        answers = classifier.classify(images)
        near = np.abs(answers.probabilities - expected.probabilities) < 0.01  # a maximum below 255 is another scale now
        assert near.mean() > 0.99 and (answers.sure == expected.sure).mean() > 0.99


def test_a_set_of_the_version_of_november_2026_reads_as_the_one_of_today(earlier, trained):
    assert_the_same_answers(earlier, trained.model_path)


@pytest.mark.slow
def test_the_shipped_set_as_it_was_in_november_2026_reads_as_the_one_of_today(model_copy):
    turn_into_earlier_set(model_copy.with_suffix(".h5"))
    assert_the_same_answers(model_copy.with_suffix(".h5"), SHIPPED_MODEL.with_suffix(".h5"))


def test_a_card_of_two_numbers_takes_the_place_of_the_one_beside_the_model():
    own = Classifier(SHIPPED_MODEL, ModelCard(temperature=2.0, threshold=1.5))
    assert (own.temperature, own.threshold) == (2.0, 1.5)


def test_a_model_without_a_card_gets_one_by_a_trial_and_answers_as_before(shipped, tmp_path):
    shutil.copy(SHIPPED_MODEL, tmp_path / "own.tflite")
    own = Classifier(tmp_path / "own.tflite")
    assert own.card.network_format == NetworkFormat((28, 28, 1))
    assert own.card.estimated_on and own.threshold == own.card.threshold
    images = digit_images(100)
    answers = [classifier.classify(images).probabilities.argmax(axis=1) for classifier in (own, shipped)]
    assert np.array_equal(*answers)


def test_a_card_without_a_threshold_makes_every_answer_sure():
    own = Classifier(SHIPPED_MODEL, ModelCard())
    assert own.temperature == 1
    assert own.classify(np.zeros((3, 28, 28), np.uint8)).sure.all()


@pytest.mark.parametrize("what", ["input", "output"])
def test_a_tflite_of_whole_numbers_is_refused_with_the_remedy(what, tmp_path):
    import tensorflow

    from digits.model.network import keras, layers

    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None, ..., None].astype(np.float32)] for image in digit_images(20))
    setattr(converter, f"inference_{what}_type", tensorflow.uint8)
    (tmp_path / "own.tflite").write_bytes(converter.convert())
    with pytest.raises(UserError, match="float32 and uint8.\nExpected .+ float32.\nWhere .+ without inference_input_type"):
        Classifier(tmp_path / "own.tflite")


def test_a_changed_card_beside_the_model_is_refused(model_copy):
    card = model_copy.with_suffix(".json")
    card.write_text(card.read_text().replace('"threshold": ', '"threshold": "high", "was": '))
    with pytest.raises(UserError, match="its threshold can't be used"):
        Classifier(model_copy)


# ---- damaged files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.tflite", "m.h5", "m.keras"])
def test_a_file_that_is_no_model_is_refused_with_the_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"TFL3" * 10)
    with pytest.raises(UserError, match="Expected"):
        Classifier(tmp_path / name)


def test_a_file_with_an_unknown_suffix_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"a network")
    with pytest.raises(UserError, match="ending of no known model"):
        Classifier(tmp_path / "m.onnx")


def test_a_truncated_tflite_is_refused(tmp_path):
    (tmp_path / "m.tflite").write_bytes(SHIPPED_MODEL.read_bytes()[:5000])
    with pytest.raises(UserError, match="m.tflite"):
        Classifier(tmp_path / "m.tflite")


@pytest.mark.parametrize("answers", [np.full((1, 10), np.nan, np.float32), np.zeros((1, 9), np.float32)], ids=["NaN", "nine"])
def test_answers_that_are_no_probabilities_are_refused(answers, monkeypatch):
    damaged = Classifier(SHIPPED_MODEL)
    monkeypatch.setattr(damaged, "_network", damaged._network._replace(answer=lambda crops: answers))
    with pytest.raises(UserError, match="damaged.\nExpected 10 numbers"):
        damaged.classify(np.zeros((1, 28, 28), np.uint8))


def damaged_copies(folder, count):
    """Return the paths of copies of the shipped .tflite, without a card, each with damage that its number as a seed gives.

    In turn: one bit of what describes the network, which stands at the file's two ends; a word of it; 200 bits anywhere.
    """
    original, paths = SHIPPED_MODEL.read_bytes(), []
    for seed in range(count):
        damaged, generator = bytearray(original), random.Random(seed)
        at_an_end = generator.choice([generator.randrange(3000), generator.randrange(len(original) - 8000, len(original) - 4)])
        if seed % 3 == 0:
            damaged[at_an_end] ^= 1 << generator.randrange(8)
        elif seed % 3 == 1:
            damaged[at_an_end : at_an_end + 4] = generator.choice([0, 1, 28, 2**16, 2**31, 2**32 - 1]).to_bytes(4, "little")
        else:
            for _ in range(200):
                damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        paths.append(folder / f"{seed}.tflite")
        paths[-1].write_bytes(damaged)
    return paths


CLASSIFY_WITH_EACH = """
import sys
import numpy as np
from digits.common.errors import UserError
from digits.model.classifier import Classifier
crops = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
for path in sys.argv[1:]:
    try:
        probabilities, scores, _ = Classifier(path).classify(crops)
        print("read" if np.isfinite(probabilities).all() and np.isfinite(scores).all() else f"{path}: no numbers")
    except UserError as error:
        print("refused" if "Expected" in str(error) else str(error))
"""


@pytest.mark.slow
def test_a_damaged_tflite_without_a_card_is_refused_or_read_and_crashes_nothing(tmp_path):
    # In a process of its own, because a crash of LiteRT would be one of this whole test run.
    paths = damaged_copies(tmp_path, 200)
    result = subprocess.run([sys.executable, "-c", CLASSIFY_WITH_EACH, *paths], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    answers = result.stdout.splitlines()
    assert set(answers) == {"refused", "read"} and len(answers) == len(paths)


def test_an_h5_without_keras_names_the_requirements(monkeypatch):
    import digits.model

    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not installed
    for module in ("network", "keras_files"):
        monkeypatch.delitem(sys.modules, f"digits.model.{module}", raising=False)
        monkeypatch.delattr(digits.model, module, raising=False)
    with pytest.raises(UserError, match=r"Keras is not installed[^$]*pip install -r requirements.txt[^$]*\.tflite"):
        Classifier(SHIPPED_MODEL.with_suffix(".h5"))
