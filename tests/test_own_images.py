"""A person's labelled images: what is learned from them, and what is held out."""

import shutil

import numpy as np
import pytest
from answers import reading
from conftest import PROJECT, SHIPPED_MODEL
from PIL import Image

from digits.common.errors import UserError
from digits.reading.reader import Reader
from digits.training import own_images

SAMPLES = PROJECT / "custom_digits"


@pytest.fixture(scope="module")
def reader():
    return Reader(SHIPPED_MODEL)


def test_images_become_the_crops_that_are_read(reader, tmp_path):
    for label, source in (("7", "7/barred_ballpen_photo.jpg"), ("42", "42/phone.jpg"), ("421", "42/phone.jpg")):
        (tmp_path / label).mkdir()
        shutil.copy(SAMPLES / source, tmp_path / label)
    shutil.copy(SAMPLES / "7" / "barred_ballpen_photo.jpg", tmp_path / "7" / "again.jpg")
    (tmp_path / "7" / "text.png").write_text("not an image")
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path)
    own = own_images.load(tmp_path, reader)
    assert [labels.tolist() for labels in own.labels] == [[4, 2], [7]]
    for crops, source in zip(own.crops, ("42/phone.jpg", "7/barred_ballpen_photo.jpg"), strict=True):
        assert np.array_equal(crops, [digit.crop for digit in reader.read(SAMPLES / source).digits])
    assert own.left_out == {
        "without a label": 1, "that can't be read": 1, "with more or fewer digits than their label says": 1, "there twice": 1,
    }  # fmt: skip


def test_a_digit_that_is_read_as_two_is_learned_as_a_whole(reader, tmp_path):
    path = SAMPLES / "42" / "phone.jpg"
    with Image.open(path) as image:
        joined = np.asarray(image.convert("L")).copy()
    joined[joined.shape[0] // 2 - 3 : joined.shape[0] // 2 + 3, joined.shape[1] // 4 : -joined.shape[1] // 4] = 0
    Image.fromarray(joined).save(tmp_path / "joined.png")
    assert len(reader.read(tmp_path / "joined.png").digits) > 1, "this image tests nothing"
    crops, reason = own_images.crops_of(tmp_path / "joined.png", "4", reader)
    assert reason == "" and crops.shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("label", "text", "learned"),
    [("4.2", "42", True), ("4.2", "4,2", True), ("42", "-4/2", True), ("4/2", "412", False), ("-4", "14", False)],
)
def test_marks_are_not_learned_and_only_the_digits_must_be_as_many(reader, tmp_path, monkeypatch, label, text, learned):
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path)
    (tmp_path / "labels.csv").write_text(f'file,label\nphone.jpg,"{label}"\n')
    read = reading(text)
    monkeypatch.setattr(reader, "read", lambda image: read)
    own = own_images.load(tmp_path, reader)
    assert [labels.tolist() for labels in own.labels] == ([[4, 2]] if learned else [])
    assert [crops.shape for crops in own.crops] == ([(2, 28, 28)] if learned else [])
    assert own.left_out == ({} if learned else {"with more or fewer digits than their label says": 1})


def test_arrays_are_taken_as_they_are(small_data, reader):
    with np.load(small_data) as arrays:
        own = own_images.load(small_data, reader)
        images, labels = own.digits(range(len(own.labels)))
        assert np.array_equal(images, arrays["x_train"]) and np.array_equal(labels, arrays["y_train"])


def test_what_was_learned_is_never_held_out_after_more_images_were_added():
    crops = list(np.random.default_rng(1).integers(0, 255, (200, 1, 28, 28), np.uint8))
    learned, held_out = own_images.split(crops)
    assert sorted(learned + held_out) == list(range(200)) and 35 <= len(held_out) <= 65
    for fewer in (150, 40, 4):
        learned_before, held_out_before = own_images.split(crops[:fewer])
        assert set(learned_before) <= set(learned) and held_out_before
    with pytest.raises(UserError, match="Expected 4 or more"):
        own_images.split(crops[:3])


def test_an_image_with_two_labels_is_not_learned(reader, tmp_path):
    for label in ("1", "7"):
        (tmp_path / label).mkdir()
        shutil.copy(SAMPLES / "7" / "barred_ballpen_photo.jpg", tmp_path / label)
    own = own_images.load(tmp_path, reader)
    assert own.crops == [] and own.left_out == {"with two labels, of which one must be wrong": 2}


def test_a_label_may_leave_out_where_a_text_line_ends(reader, tmp_path):
    with Image.open(SAMPLES / "7" / "barred_ballpen_photo.jpg") as image:
        seven = np.asarray(image.convert("RGB"))
    Image.fromarray(np.vstack([seven, seven])).save(tmp_path / "lines.png")
    assert reader.read(tmp_path / "lines.png").text == "7|7", "this image tests nothing"
    for label, reason in (("77", ""), ("7|7", ""), ("777", "with more or fewer digits than their label says")):
        assert own_images.crops_of(tmp_path / "lines.png", label, reader)[1] == reason
