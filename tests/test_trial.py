"""A network without a card: the trial finds how it takes its images and how sure it is, or refuses it."""

import dataclasses
import json
import shutil
from itertools import product

import numpy as np
import pytest

from digits.common.errors import UserError
from digits.data.array_files import read_arrays
from digits.model import classifier, trial
from digits.model.card import ModelCard
from digits.model.classifier import Classifier
from digits.model.litert import LiteRTNetwork
from digits.model.network_format import IMAGE_SHAPES, LOGITS, SCALES, SIGMOID, SOFTMAX, NetworkFormat
from digits.model.trial import card_by_trial, trial_digits

FORMATS = [
    NetworkFormat(shape, scale, inverted, output)
    for shape, scale, inverted, output in product(IMAGE_SHAPES, SCALES, (False, True), (SOFTMAX, LOGITS))
]
# Each shape, scale, polarity and output at least once: the shapes have nothing to do with the others.
SOME_FORMATS = [
    NetworkFormat((28, 28, 1), "0 to 1", False, SOFTMAX),
    NetworkFormat((28, 28), "-1 to 1", True, LOGITS),
    NetworkFormat((784,), "0 to 255", True, SIGMOID),
]


def described(network_format):
    """Return the name of a test with this format; None for what is no format."""
    if not isinstance(network_format, NetworkFormat):
        return None
    return f"{network_format.input_in_words()}, {network_format.output}"


@pytest.fixture(scope="module")
def mnist(mnist_folder):
    """A function that returns the first count digits of MNIST's "train" or "test" part: images and labels."""

    def first(part, count):
        arrays = read_arrays(mnist_folder, [f"x_{part}", f"y_{part}"])
        return arrays[f"x_{part}"][:count], arrays[f"y_{part}"][:count]

    return first


@pytest.fixture
def network(tutorial_network):
    return tutorial_network


@pytest.fixture
def file(tmp_path):
    """The path of a file that stands for a network's."""
    path = tmp_path / "own.tflite"
    path.write_text("a network")
    return path


# ---- the format ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [SOFTMAX, LOGITS])
@pytest.mark.parametrize("inverted", [False, True], ids=["white on black", "black on white"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_trial_finds_scale_polarity_and_output(scale, inverted, output, network, file):
    own = network.in_format(NetworkFormat((784,), scale, inverted, output))
    assert card_by_trial(file, own, (784,), None).network_format == own.network_format


def test_the_trial_finds_the_scale_of_a_network_that_is_far_too_sure_of_itself(network, file):
    # With 0 to 1 instead of 0 to 255 it is unsure of all digits: the lower log loss, as long as it has no temperature.
    own = network.times(15).in_format(NetworkFormat((784,), "0 to 255", output=LOGITS))
    card = card_by_trial(file, own, (784,), None)
    assert card.network_format == own.network_format
    assert card.temperature > 10


def test_a_network_that_brings_images_to_one_scale_itself_is_given_0_to_255(network, file):
    def any_scale(images):
        return network(images / np.maximum(images.max(axis=1, keepdims=True), 1e-3))

    assert card_by_trial(file, any_scale, (784,), None).network_format == NetworkFormat((784,), output=LOGITS)


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".tflite"])
@pytest.mark.parametrize("network_format", SOME_FORMATS, ids=described)
def test_a_file_of_each_kind_and_shape_is_read_as_the_network_that_it_holds(suffix, network_format, network, mnist, tmp_path):
    check_file(network.in_format(network_format).save(tmp_path / f"own{suffix}"), network_format, network, mnist)


@pytest.mark.slow
@pytest.mark.parametrize("network_format", FORMATS, ids=described)
def test_every_format_is_found_in_files_of_every_kind(network_format, network, mnist, tmp_path):
    for suffix in (".h5", ".keras", ".tflite"):
        check_file(network.in_format(network_format).save(tmp_path / f"own{suffix}"), network_format, network, mnist)


def check_file(path, network_format, network, mnist):
    """Check that the Classifier of a file finds the format and answers as the network."""
    own = Classifier(path)
    assert own.card.network_format == network_format
    assert own.card.parameters == (None if path.suffix == ".tflite" else 784 * 64 + 64 + 64 * 10 + 10)
    images, _ = mnist("test", 300)
    expected = network(network.network_format.prepare(images)).argmax(axis=1)
    assert (own.classify(images).probabilities.argmax(axis=1) == expected).mean() > 0.99  # float32 rounds otherwise


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network_format", "hidden_units"),
    [
        (NetworkFormat((28, 28), "0 to 255", False, SOFTMAX), 128),
        (NetworkFormat((28, 28), "-1 to 1", True, LOGITS), 128),
        # Not 0 to 255 without a hidden layer: there the scale is little more than a temperature, and is found about as often
        # as not (docs/your_own_model.md).
        (NetworkFormat((784,), "0 to 1", False, SIGMOID), 0),
    ],
    ids=described,
)
def test_a_network_that_was_trained_in_a_format_is_read(network_format, hidden_units, mnist, tmp_path):
    from digits.model.network import keras, layers

    images, labels = mnist("train", 20_000)
    keras.utils.set_random_seed(0)
    flatten = [layers.Flatten()] if len(network_format.shape) > 1 else []
    hidden = [layers.Dense(hidden_units, activation="relu")] if hidden_units else []
    last = layers.Dense(10, activation=None if network_format.output == LOGITS else network_format.output)
    model = keras.Sequential([keras.Input(network_format.shape), *flatten, *hidden, last])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=network_format.output == LOGITS))
    model.fit(network_format.prepare(images), labels, epochs=4, batch_size=64, verbose=0)
    model.save(tmp_path / "own.h5")
    own = Classifier(tmp_path / "own.h5")
    assert own.card.network_format == network_format
    images, labels = mnist("test", 1000)
    assert (own.classify(images).probabilities.argmax(axis=1) == labels).mean() > 0.8


# ---- how sure it is ------------------------------------------------------------------------------------------------


def test_temperature_and_threshold_are_estimated_and_marked_so(network, mnist, file):
    card = card_by_trial(file, network, (784,), 7)
    assert card.estimated_on.startswith("359 small digits of scikit-learn (8") and "as many drawn outliers" in card.estimated_on
    assert card.parameters == 7 and card.temperature_applied is None
    too_sure = card_by_trial(file, network.times(3), (784,), 7)
    assert too_sure.temperature == pytest.approx(3 * card.temperature, rel=0.1)
    assert too_sure.threshold == pytest.approx(card.threshold, abs=0.2)


def test_most_digits_are_sure_and_most_outliers_are_not(tried, mnist):
    from digits.augmentation import outliers

    own = Classifier(*tried)
    digits = mnist("test", 500)
    assert own.classify(digits[0]).sure.mean() > 0.7
    assert own.classify(outliers.draw(500, *digits, np.random.default_rng(5))).sure.mean() < 0.5


def test_the_trial_gives_the_same_card_each_time(network, file):
    assert card_by_trial(file, network, (784,), None) == card_by_trial(file, network, (784,), None)


def test_the_digits_of_the_trial_are_in_mnists_form_and_none_was_lost():
    images, labels = trial_digits()
    assert images.shape == (359, 28, 28) and images.dtype == np.uint8
    assert np.bincount(labels).min() > 30
    ink = images > 0
    heights, widths = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
    assert (np.maximum(heights, widths) == 20).all()
    assert images.max(axis=(1, 2)).min() > 150


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_a_network_that_reads_too_few_digits_is_refused_with_its_score(network, file):
    shuffled = dataclasses.replace(network, last=tuple(np.roll(values, 3, axis=-1) for values in network.last))
    with pytest.raises(UserError, match=r"own.tflite reads \d+ % of 359 small digits.*\nExpected 60 % or more"):
        card_by_trial(file, shuffled, (784,), None)


def test_a_network_whose_answers_are_no_numbers_is_refused(file):
    with pytest.raises(UserError, match="reads 0 % of 359 small digits"):
        card_by_trial(file, lambda images: np.full((len(images), 10), np.nan, np.float32), (784,), None)


def test_a_format_in_which_the_answers_are_no_numbers_is_left_out(network, file):
    def fails_beyond_1(images):
        answers = network(images)
        return answers if images.max() <= 1 else np.full_like(answers, np.nan)

    assert card_by_trial(file, fails_beyond_1, (784,), None).network_format.scale == "0 to 1"


# ---- a card that states the format ---------------------------------------------------------------------------------


@pytest.fixture
def no_trial(monkeypatch):
    monkeypatch.setattr(trial, "card_by_trial", lambda *_: pytest.fail("there was a trial"))


@pytest.fixture(scope="module")
def tried(tutorial_network, tmp_path_factory):
    """A network's file without a card, and the card that the trial gives it. Read only."""
    path = tutorial_network.save(tmp_path_factory.mktemp("tried") / "own.tflite")
    return path, Classifier(path).card


@pytest.fixture
def own(tried, tmp_path):
    """A network's file and the card that the trial gave it, written beside it."""
    path, card = tmp_path / "own.tflite", tried[1]
    shutil.copy(tried[0], path)
    path.with_suffix(".json").write_text(json.dumps(card.to_json()))
    return path, card


def test_a_card_that_was_kept_takes_the_place_of_the_trial(own, no_trial):
    path, card = own
    kept = Classifier(path)
    assert kept.card == card and kept.temperature == card.temperature
    crops = trial_digits().images[:5]
    assert np.array_equal(kept.classify(crops).probabilities, Classifier(path, card).classify(crops).probabilities)


def test_a_format_alone_is_enough_for_a_card(own, no_trial):
    path, card = own
    alone = ModelCard(network_format=card.network_format, sha256=card.sha256)
    path.with_suffix(".json").write_text(json.dumps(alone.to_json()))
    images, labels = trial_digits()
    answers = Classifier(path).classify(images)
    assert answers.sure.all() and (answers.probabilities.argmax(axis=1) == labels).mean() > 0.8


def test_a_card_that_was_kept_for_another_file_is_refused(own):
    path, _ = own
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="does not match its card"):
        Classifier(path)


def test_a_card_that_states_another_shape_is_refused_with_both(own):
    path, card = own
    wrong = dataclasses.replace(card, network_format=NetworkFormat((28, 28)))
    with pytest.raises(UserError, match=r"takes images of \(28, 28\); they are \(784,\).\nExpected the shape"):
        Classifier(path, wrong)


def test_a_card_with_an_unknown_format_is_refused_with_the_entry(own):
    path, card = own
    entries = card.to_json()
    entries["network_format"]["scale"] = "0 to 2"
    path.with_suffix(".json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match=r'its network_format is not known.\nExpected .*"scale": one of \["0 to 255", "0 to 1"'):
        Classifier(path)


def test_a_tflite_file_of_one_image_at_a_time_is_read(network, tried, tmp_path):
    import tensorflow

    model = network.in_format(NetworkFormat((28, 28), "0 to 1", output=LOGITS)).keras_model()
    one = tensorflow.function(lambda image: model(image, training=False))
    signature = tensorflow.TensorSpec((1, 28, 28), tensorflow.float32)
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([one.get_concrete_function(signature)])
    (tmp_path / "own.tflite").write_bytes(converter.convert())
    with pytest.raises(RuntimeError):  # its Flatten layer holds the number of images
        LiteRTNetwork(tmp_path / "own.tflite", (28, 28), (10,))(np.zeros((2, 28, 28), np.float32))
    images = trial_digits().images
    alone, together = Classifier(tmp_path / "own.tflite"), Classifier(*tried)
    assert np.allclose(alone.classify(images).probabilities, together.classify(images).probabilities, atol=1e-4)


def test_the_classifier_of_a_shipped_model_needs_no_trial(no_trial):
    Classifier(classifier.DEFAULT_MODEL)
