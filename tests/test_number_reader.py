"""Heat maps become boxes, images are searched at the sizes that the network knows, and digits in a row are found."""

import shutil

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from digits.common.errors import UserError
from digits.data import dataset
from digits.model import lookup
from digits.model.card import load_card
from digits.model.heat_map import BOX_UNIT, BOX_VALUES, CLASS_COUNT, MIN_DIGIT_HEIGHT, POINT, STRIDE
from digits.model.store import previous_folder, staging_folder
from digits.reading.number_reader import (
    DEFAULT_NUMBER_READER,
    MAX_PYRAMID_PIXELS,
    PYRAMID_STEP,
    NumberReader,
    peaks,
    pyramid_scales,
)

# ---- heat maps to boxes ---------------------------------------------------------------------------------------------


def empty_maps(height=8, width=12):
    """Heat maps in which nothing is, and boxes of BOX_UNIT in the middle of their places."""
    return np.full((height, width, CLASS_COUNT), 0.01, np.float32), np.zeros((height, width, BOX_VALUES), np.float32)


def test_a_peak_is_a_box_about_its_centre():
    heat_maps, boxes = empty_maps()
    heat_maps[3, 5, 7] = 0.9
    boxes[3, 5] = np.log(20 / BOX_UNIT), np.log(32 / BOX_UNIT), 0.25, -0.5
    (found,) = peaks(heat_maps, boxes, 0.3)
    assert (found.label, found.probability) == (7, pytest.approx(0.9))
    assert (found.x, found.y) == pytest.approx((5.75 * STRIDE, 3 * STRIDE))
    assert (found.width, found.height) == pytest.approx((20, 32), rel=1e-6)
    assert np.array_equal(found.probabilities, heat_maps[3, 5])


def test_a_place_beside_a_higher_one_is_no_peak():
    heat_maps, boxes = empty_maps()
    heat_maps[2:5, 4:7, 3] = 0.6
    heat_maps[3, 5, 3] = 0.9
    assert len(peaks(heat_maps, boxes, 0.3)) == 1


def test_peaks_come_the_most_probable_first_and_none_below_the_least_probability():
    heat_maps, boxes = empty_maps()
    for column, (label, probability) in enumerate([(1, 0.5), (POINT, 0.29), (2, 0.8), (3, 0.6)]):
        heat_maps[4, 3 * column, label] = probability
    assert [found.label for found in peaks(heat_maps, boxes, 0.3)] == [2, 3, 1]
    assert peaks(*empty_maps(), 0.3) == []


def test_a_peak_in_a_corner_counts():
    heat_maps, boxes = empty_maps()
    heat_maps[0, 0, 1] = heat_maps[-1, -1, 2] = 0.9
    assert {found.label for found in peaks(heat_maps, boxes, 0.3)} == {1, 2}


def test_a_box_has_a_finite_size_whatever_the_network_says():
    heat_maps, boxes = empty_maps()
    heat_maps[3, 5, 7] = 0.9
    for value in (-1e4, 1e4):
        boxes[3, 5, :2] = value
        (found,) = peaks(heat_maps, boxes, 0.3)
        assert 0.1 < found.width == found.height < 1000


# ---- the pyramid ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (20, 3000), (3000, 20), (480, 640), (800, 800), (1, 800), (3000, 3000)])
def test_all_levels_together_keep_to_the_budget(size):
    height, width = size
    scales = pyramid_scales(height, width)
    assert len(scales) >= 1 and max(scales) <= 1
    assert sum(scale**2 * height * width for scale in scales) <= MAX_PYRAMID_PIXELS


def test_each_level_is_smaller_than_the_one_before_down_to_the_lowest_digit():
    scales = pyramid_scales(600, 800)
    assert [larger / smaller for larger, smaller in zip(scales, scales[1:], strict=False)] == pytest.approx(
        [PYRAMID_STEP] * (len(scales) - 1)
    )
    assert MIN_DIGIT_HEIGHT <= scales[-1] * 600 < PYRAMID_STEP * MIN_DIGIT_HEIGHT


# ---- the network's file ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def number_reader():
    return NumberReader(DEFAULT_NUMBER_READER)


def test_the_number_of_threads_changes_no_answer(number_reader):
    digits = dataset.bundled_digits().x_train[:120].reshape(8, 15, 28, 28)
    grey = 255 - np.concatenate(np.concatenate(digits, axis=1), axis=1)
    expected, detected = (reader.find(grey) for reader in (number_reader, NumberReader(DEFAULT_NUMBER_READER, num_threads=2)))
    assert sum(map(len, expected.lines)) > 50
    for line, other in zip(expected.lines, detected.lines, strict=True):
        assert [detection.probability for detection in line] == [detection.probability for detection in other]


@pytest.mark.parametrize("content", [b"junk", b"\0" * 5000, "truncated"], ids=["junk", "zeros", "truncated"])
def test_a_damaged_file_is_an_error_that_says_what_helps(content, tmp_path):
    path = tmp_path / "number_reader.tflite"
    path.write_bytes(DEFAULT_NUMBER_READER.read_bytes()[:100_000] if content == "truncated" else content)
    with pytest.raises(
        UserError, match="number_reader.tflite is not a number reader that can be used: .+\n.*git checkout models"
    ):
        NumberReader(path)


def test_another_network_is_an_error(tmp_path):
    shutil.copy(SHIPPED_MODEL, tmp_path / "number_reader.tflite")
    expected = r"is not a number reader that can be used: its inputs and outputs are \(28, 28, 1\), \(10\), float32."
    with pytest.raises(UserError, match=expected):
        NumberReader(tmp_path / "number_reader.tflite")


def test_an_absent_file_is_an_error_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py --eye"):
        NumberReader(tmp_path / "absent.tflite")


def copy_of_the_set(folder):
    """Copy the shipped number reader's three files to the folder; return the path of the .tflite."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".h5", ".tflite", ".json"):
        shutil.copy(DEFAULT_NUMBER_READER.with_suffix(suffix), folder)
    return folder / DEFAULT_NUMBER_READER.name


def test_a_file_that_does_not_match_its_card_is_an_error_before_anything_is_read(tmp_path):
    path = copy_of_the_set(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="does not match its card (.*\n)+.*python train_model.py --eye"):
        NumberReader(path)


def test_a_set_that_a_kill_left_half_installed_is_finished(tmp_path, caplog):
    path = tmp_path / DEFAULT_NUMBER_READER.name
    copy_of_the_set(staging_folder(path))
    (staging_folder(path) / path.name).rename(path)
    assert NumberReader(path).card.parameters == 374_500
    assert path.with_suffix(".json").exists() and not staging_folder(path).exists()
    assert "finished that" in caplog.text


def test_where_a_half_installed_set_is_damaged_the_previous_one_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(lookup, "INSTALL_SECONDS", 0)
    path = copy_of_the_set(tmp_path)
    copy_of_the_set(previous_folder(path))
    staging_folder(path).mkdir()
    path.write_bytes(b"half of a new one")
    assert NumberReader(path).model_path == previous_folder(path) / path.name


def test_an_answer_that_is_not_finite_is_an_error(number_reader, monkeypatch):
    run = number_reader._network._network
    monkeypatch.setattr(number_reader._network, "_network", lambda batch: np.full_like(run(batch), np.nan))
    with pytest.raises(UserError, match="is not a number reader that can be used: its answer is not finite"):
        number_reader.find(np.full((50, 50), 255, np.uint8))


# ---- what is found --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validation_digits(mnist_folder):
    """MNIST's digits that the digit network did not learn from."""
    data = dataset.load(mnist_folder, parts=("train",))
    settings = load_card(SHIPPED_MODEL.with_suffix(".json")).settings
    _, validation = dataset.split_validation(data.y_train, settings["VALIDATION_SPLIT"], settings["SEED"])
    return dataset.Split(data.x_train[validation], data.y_train[validation])


def composed_row(images, gap, scale, paper=230, ink=50):
    """A row of dark digits with this gap between their bounding boxes, and the boxes (N, 4): left, top, width, height."""
    parts = []
    for image in images:
        x, y, width, height = cv2.boundingRect((image > 60).astype(np.uint8))
        parts.append((image[:, x : x + width], y, height))
    margin = 12
    row = np.zeros((28 + 2 * margin, 2 * margin + sum(part.shape[1] + gap for part, _, _ in parts)), np.uint8)
    boxes, left = [], margin
    for part, y, height in parts:
        row[margin : margin + 28, left : left + part.shape[1]] = part
        boxes.append((left, margin + y, part.shape[1], height))
        left += part.shape[1] + gap
    large = cv2.resize(row, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return (paper - (paper - ink) / 255 * large).astype(np.uint8), np.array(boxes) * float(scale)


@pytest.fixture(scope="module")
def found_rows(number_reader, validation_digits):
    """Of 30 rows of two to six digits: (labels, boxes, the lines that were found)."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        places = rng.choice(len(validation_digits.labels), rng.integers(2, 7), replace=False)
        grey, boxes = composed_row(validation_digits.images[places], gap=8, scale=rng.choice([1, 2, 3]))
        found.append((validation_digits.labels[places].tolist(), boxes, number_reader.find(grey).lines))
    return found


def test_most_rows_with_clear_gaps_are_read_exactly(found_rows):
    exact = [len(lines) == 1 and [digit.label for digit in lines[0]] == labels for labels, _, lines in found_rows]
    assert sum(exact) >= 24


def test_most_boxes_are_within_a_tenth_of_the_digits_height(found_rows):
    errors = []
    for labels, boxes, lines in found_rows:
        if len(lines) == 1 and len(lines[0]) == len(labels):
            found = np.array([(digit.left, digit.top, digit.width, digit.height) for digit in lines[0]])
            edges, expected = (np.hstack([box[:, :2], box[:, :2] + box[:, 2:]]) for box in (found, boxes))
            errors += (np.abs(edges - expected).max(axis=1) / boxes[:, 3]).tolist()
    assert len(errors) >= 80
    assert np.mean(np.array(errors) <= 0.1) >= 0.8


def test_two_rows_are_two_lines(number_reader, validation_digits):
    rows = [composed_row(validation_digits.images[start : start + 4], gap=8, scale=2)[0] for start in (0, 4)]
    width = max(row.shape[1] for row in rows)
    page = np.vstack([cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_REPLICATE) for row in rows])
    lines = number_reader.find(page).lines
    assert len(lines) == 2
    assert max(digit.y for digit in lines[0]) < min(digit.y for digit in lines[1])
    for line in lines:
        assert [digit.x for digit in line] == sorted(digit.x for digit in line)


@pytest.mark.parametrize("size", [(1, 1), (1, 800), (800, 1), (2, 3), (28, 28), (800, 800)])
@pytest.mark.parametrize("level", [0, 255])
def test_blank_images_hold_no_digits(number_reader, size, level):
    blank = np.full(size, level, np.uint8)
    assert number_reader.find(blank)[1:] == ([], [], [])


@pytest.mark.parametrize("size", [(1, 1), (1, 800), (800, 1), (5, 7), (30, 800), (800, 30), (2000, 1500)])
def test_noise_of_any_size_does_no_harm(number_reader, size):
    noise = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    detections = number_reader.find(noise)
    for detection in [*detections.marks_and_other_ink, *(digit for line in detections.lines for digit in line)]:
        assert 0 <= detection.x <= size[1] and 0 <= detection.y <= size[0]


def test_the_same_image_is_found_the_same_whatever_was_searched_before(number_reader, validation_digits):
    grey, _ = composed_row(validation_digits.images[:4], gap=8, scale=2)
    before = number_reader.find(grey).lines
    number_reader.find(np.full((100, 70), 255, np.uint8))
    after = number_reader.find(grey).lines
    assert [[vars(digit) | {"probabilities": digit.probabilities.tolist()} for digit in line] for line in before] == [
        [vars(digit) | {"probabilities": digit.probabilities.tolist()} for digit in line] for line in after
    ]
