"""What the shipped model promises, on images that it did not learn from. MNIST's test images are left to verify."""

import json

import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from digits.augmentation import corruptions, letterforms, outliers
from digits.common.config import NUM_CLASSES
from digits.data import dataset
from digits.model.classifier import Classifier


@pytest.fixture(scope="module")
def shipped():
    return Classifier(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def validation(mnist_folder):
    """The images that the shipped model was validated on: (images, labels)."""
    data = dataset.load(mnist_folder)
    settings = json.loads(SHIPPED_MODEL.with_suffix(".json").read_bytes())["settings"]
    _, held_out = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    return data.x_train[held_out], data.y_train[held_out]


def digits_read(shipped, images):
    return shipped.classify(np.stack(images)).probabilities.argmax(axis=1)


def test_barred_sevens_hooked_ones_narrow_fours_and_long_tailed_nines_are_read(shipped, validation):
    images, labels = validation
    forms = {1: letterforms.add_hook, 4: letterforms.narrow_or_widen_top, 7: letterforms.add_bar, 9: letterforms.extend_tail}
    for digit, rewrite in forms.items():
        rewritten = [rewrite(image, np.random.default_rng(i)) for i, image in enumerate(images[labels == digit])]
        assert (digits_read(shipped, rewritten) == digit).mean() > 0.97, digit


def test_a_bar_does_not_turn_fours_into_sevens(shipped, validation):
    images, labels = validation
    crossed = [letterforms.add_bar(image, np.random.default_rng(i)) for i, image in enumerate(images[labels == 4])]
    changed = [a for a, b in zip(crossed, images[labels == 4], strict=True) if (a != b).any()]
    assert len(changed) > 50
    probabilities, _, sure = shipped.classify(np.stack(changed))
    assert ((probabilities.argmax(axis=1) == 7) & sure).mean() < 0.03


def test_fewer_than_5_percent_of_outliers_are_sure_and_more_than_98_percent_of_digits(shipped, validation):
    outlier_images = outliers.draw(1000, *validation, np.random.default_rng(99))
    assert shipped.classify(outlier_images).sure.mean() < 0.05
    assert shipped.classify(validation[0]).sure.mean() > 0.98


def test_sideways_digits_are_not_sure(shipped, validation):
    images, labels = validation
    sideways = [np.rot90(image) for image in images[np.isin(labels, outliers.DIGITS_TO_ROTATE_90)][:500]]
    assert shipped.classify(np.stack(sideways)).sure.mean() < 0.1


@pytest.mark.parametrize("corruption", corruptions.CORRUPTION_PROBABILITIES, ids=lambda corruption: corruption.__name__)
def test_corrupted_images_are_read(shipped, validation, corruption):
    images, labels = validation
    corrupted = corruption(images[:1000], np.random.default_rng(0))
    assert (digits_read(shipped, corrupted) == labels[:1000]).mean() > 0.91


def test_a_shift_by_one_pixel_does_not_matter(shipped, validation):
    images, labels = validation[0][::4], validation[1][::4]
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        assert (digits_read(shipped, np.roll(images, step, axis=axis)) == labels).mean() > 0.99


def test_an_even_grey_image_is_not_sure(shipped):
    even = np.stack([np.full((28, 28), level, np.uint8) for level in range(0, 256, 15)])
    probabilities, _, sure = shipped.classify(even)
    assert not sure.any()
    assert probabilities.shape == (len(even), NUM_CLASSES)


# ---- in a tutorial's script: neither this package nor the card ------------------------------------------------------


@pytest.fixture(scope="module", params=[3, 4], ids=["(N, 28, 28)", "(N, 28, 28, 1)"])
def by_keras(request):
    """The .h5 in Keras, as a function of images (N, 28, 28), which it is given in one of both forms."""
    import keras

    model = keras.models.load_model(SHIPPED_MODEL.with_suffix(".h5"))
    return lambda images: model.predict(images if request.param == 3 else images[..., np.newaxis], verbose=0)


def by_litert(images):
    """Return the answers of the .tflite in LiteRT to images (N, 28, 28)."""
    from ai_edge_litert.interpreter import Interpreter

    images = images[..., np.newaxis]
    interpreter = Interpreter(model_path=str(SHIPPED_MODEL))
    if len(images) > 1:
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def assert_reads(answer, shipped, validation):
    """Check that one image, many, and a blank one get calibrated answers, on both scales."""
    for count in (1, 300):
        images, labels = validation[0][:count], validation[1][:count]
        calibrated = shipped.classify(images).probabilities
        for scaled in (images.astype("float32"), images.astype("float32") / 255):
            answers = answer(scaled)
            assert (answers.argmax(axis=1) == labels).mean() >= 0.99
            assert np.abs(answers - calibrated).max() < 1e-4
    of_blank = answer(np.zeros((1, 28, 28), np.float32))
    assert np.isfinite(of_blank).all() and of_blank.max() < 0.2


def test_the_h5_in_keras_reads_images_of_both_scales_and_forms(by_keras, shipped, validation):
    assert_reads(by_keras, shipped, validation)


def test_the_tflite_in_litert_reads_images_of_both_scales(shipped, validation):
    assert_reads(by_litert, shipped, validation)


def test_black_on_white_is_not_sure_by_the_card_and_has_no_large_probability_without_it(shipped, validation):
    inverted = 255 - validation[0][:1000]
    probabilities, _, sure = shipped.classify(inverted)
    assert (~sure).mean() >= 0.98
    assert probabilities.max(axis=1).mean() < 0.5
    for scaled in (inverted.astype("float32"), inverted.astype("float32") / 255):
        assert by_litert(scaled).max(axis=1).mean() < 0.5
