"""What the shipped model promises, on pictures that it did not learn from. MNIST's test pictures are verify's business."""

import json

import numpy as np
import pytest

from conftest import SHIPPED_MODEL
from digits import dataset, disturbances, letterforms, not_digits
from digits.config import NUM_CLASSES
from digits.recognizer import Recognizer


@pytest.fixture(scope="module")
def shipped():
    return Recognizer(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def validation(mnist_folder):
    """The pictures that the shipped model was validated on: (pictures, labels)."""
    data = dataset.load(mnist_folder)
    settings = json.loads(SHIPPED_MODEL.with_suffix(".json").read_bytes())["settings"]
    _, chosen = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    return data.x_train[chosen], data.y_train[chosen]


def read(shipped, pictures):
    return shipped.classify(np.stack(pictures))[0].argmax(axis=1)


def test_barred_sevens_hooked_ones_leaning_fours_and_curled_nines_are_read(shipped, validation):
    images, labels = validation
    for digit, rewrite in {1: letterforms.hook, 4: letterforms.lean, 7: letterforms.bar, 9: letterforms.curl}.items():
        rewritten = [rewrite(image, np.random.default_rng(i)) for i, image in enumerate(images[labels == digit])]
        assert (read(shipped, rewritten) == digit).mean() > 0.97, digit


def test_a_bar_does_not_turn_ones_and_fours_into_sevens(shipped, validation):
    images, labels = validation
    for digit in (1, 4):
        crossed = [letterforms.bar(image, np.random.default_rng(i)) for i, image in enumerate(images[labels == digit])]
        changed = [a for a, b in zip(crossed, images[labels == digit]) if (a != b).any()]
        assert len(changed) > 50
        probabilities, _, sure = shipped.classify(np.stack(changed))
        assert ((probabilities.argmax(axis=1) == 7) & sure).mean() < 0.03, digit


def test_what_is_no_digit_is_seldom_sure_and_digits_seldom_are_not(shipped, validation):
    _, _, sure = shipped.classify(not_digits.draw(1000, *validation, np.random.default_rng(99)))
    assert sure.mean() < 0.05
    assert shipped.classify(validation[0])[2].mean() > 0.98


def test_sideways_digits_are_not_sure(shipped, validation):
    images, labels = validation
    sideways = [np.rot90(image) for image in images[np.isin(labels, not_digits.SIDEWAYS)][:500]]
    assert shipped.classify(np.stack(sideways))[2].mean() < 0.1


@pytest.mark.parametrize("disturbance", disturbances.DISTURBANCES, ids=lambda disturbance: disturbance.__name__)
def test_disturbed_pictures_are_read(shipped, validation, disturbance):
    images, labels = validation
    disturbed = disturbance(images[:1000], np.random.default_rng(0))
    assert (read(shipped, disturbed) == labels[:1000]).mean() > 0.91


def test_one_pixel_off_does_not_matter(shipped, validation):
    images, labels = validation
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        assert (read(shipped, np.roll(images, step, axis=axis)) == labels).mean() > 0.99


def test_a_grey_or_black_frame_is_no_digit(shipped):
    frames = np.stack([np.full((28, 28), level, np.uint8) for level in range(0, 256, 15)])
    probabilities, _, sure = shipped.classify(frames)
    assert not sure.any()
    assert probabilities.shape == (len(frames), NUM_CLASSES)
