"""The benchmarks of people's images: what is counted, what is left out, how rows are composed. No image of people is needed."""

import json
import sys

import numpy as np
import pytest
from answers import reading
from conftest import PROJECT
from PIL import Image

from digits.common.errors import UserError

sys.path.insert(0, str(PROJECT / "benchmarks"))
import expectation
import own_digits
import peers
import whole_numbers
from composed_images import ComposedImage

TABLE = "file,label,writer,style\n"


@pytest.fixture
def folder(tmp_path):
    """Two single digits, two cheques and an image without a digit, all blank."""
    tables = {
        "single.csv": TABLE + "7/a.png,7,p1,photo\n1/b.png,1,p2,scan\n",
        "labels.csv": TABLE + "cheques/c.png,120,q1,dataset\ncheques/d.png,12|3,q1,dataset\n",
    }
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    for name in ("single/7/a.png", "single/1/b.png", "cheques/c.png", "cheques/d.png", "not_digits/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (30, 30), 255).save(tmp_path / name)
    return tmp_path


class FakeReader:
    """Answers by the file's name."""

    answers = {"a": reading("7"), "b": reading("7"), "c": reading("1.20", "unsure"), "d": reading("123"), "e": reading("8")}

    def read(self, path):
        return self.answers[path.stem]


def test_counts_equal_those_by_hand(folder):
    result = whole_numbers.score_people(FakeReader(), [folder])
    assert {kind: tuple(found.values())[:4] for kind, found in result["kinds"].items()} == {
        "single": (2, 1, 0, 1), "cheques": (2, 1, 1, 1), "all single digits": (2, 1, 0, 1), "all numbers": (2, 1, 1, 1),
    }  # fmt: skip
    assert {group: found["correct"] for group, found in result["writers"].items()} == {
        "p1, photo": 1,
        "p2, scan": 0,
        "q1, dataset": 1,
    }
    assert {length: found["n"] for length, found in result["lengths"].items()} == {"1": 2, "3": 2}
    assert [(found["file"], found["label"], found["read"], found["status"]) for found in result["misread"]] == [
        ("1/b.png", "1", "7", "ok"), ("cheques/d.png", "12|3", "123", "ok"),
    ]  # fmt: skip
    assert result["not_readable"] == {"not_digits": {"n": 1, "refused": 0, "accepted": {"e.png": "8"}}}


def test_the_numbers_alone_are_counted_together(folder):
    assert whole_numbers.count_numbers(FakeReader(), [folder]) == {"n": 2, "correct": 1, "unsure": 1, "wrong_and_ok": 1}


def test_composed_images_are_counted_by_kind_and_lost_marks_apart(monkeypatch):
    point, cells = whole_numbers.MARK_KINDS["."], "table and form cells"
    # kind, label, read, status
    answers = [
        (point, "1.5", "1.5", "ok"),
        (point, "1.5", "15", "ok"),  # a mark is lost
        (point, "1.5", "115", "unsure"),  # a mark is read as a digit, but it is not sure
        (cells, "12", "13", "ok"),  # misread, but of the same form
        (cells, "12", "1112", "ok"),  # a line is read as a digit
        (cells, "12", "12", "unsure"),
    ]
    images = [ComposedImage(kind, np.full((1, 1), number, np.uint8), label) for number, (kind, label, *_) in enumerate(answers)]
    monkeypatch.setattr(whole_numbers, "composed_images", lambda digits, count: images)

    class Answers:
        def read(self, pixels):
            return reading(*answers[pixels[0, 0]][2:])

    counts = {kind: tuple(found.values()) for kind, found in whole_numbers.score_composed(Answers(), None, 6).items()}
    assert counts == {point: (3, 1, 1, 1, 1), cells: (3, 1, 1, 2, 1), whole_numbers.ALL_MARKS: (3, 1, 1, 1, 1)}


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="none of the tables"):
        whole_numbers.find_items([tmp_path])


def test_pieces_of_text_are_joined_to_lines_by_their_places():
    corners = np.array([[0, 0], [10, 0], [10, 8], [0, 8]])
    boxes = np.stack([corners + [20, 2], corners + [0, 12], corners])
    assert peers.in_lines(boxes, ("b", "c", "a")) == ["ab", "c"]
    assert peers.digits_alone(["1a2", "x", "3.4"]) == "12|34"


def test_a_peer_is_scored_by_kind(folder):
    items = whole_numbers.find_items([folder])
    found = peers.compare("fake", lambda item: item.label.replace("|", ""), items)
    assert found["kinds"] == {"single": {"n": 2, "correct": 2}, "cheques": {"n": 2, "correct": 1}}
    assert found["seconds"] >= 0


def test_what_was_measured_of_the_same_images_stays_and_ours_only_of_the_same_model(folder, tmp_path):
    items = whole_numbers.find_items([folder])
    kinds = {"single": {"n": 2, "correct": 1}, "cheques": {"n": 2, "correct": 0}}
    fewer = {**kinds, "cheques": {"n": 1, "correct": 0}}
    content = {
        "model_sha256": "a",
        "peers": {"ours": {"kinds": kinds}, "tesseract": {"kinds": kinds}, "tutorial": {"kinds": fewer}},
    }
    path = tmp_path / "peers.json"
    path.write_text(json.dumps(content))
    assert list(peers.measured_before(path, "a", items)) == ["ours", "tesseract"]
    assert list(peers.measured_before(path, "b", items)) == ["tesseract"]
    assert peers.measured_before(tmp_path / "absent.json", "a", items) == {}


def test_a_value_is_set_without_the_images_of_its_group():
    groups = np.array(["a", "a", "b", "c"])
    assert expectation.set_without(groups, lambda others: others.sum()) == {"a": 2, "b": 3, "c": 3}
    assert expectation.set_without(groups, lambda others: others.argmin()) == {"a": 0, "b": 2, "c": 3}


def test_cheques_are_left_out_in_five_folds_and_other_images_by_writer():
    items = [whole_numbers.Item(PROJECT, kind, "1", "w", "") for kind in ("people", *["cheques"] * 10)]
    groups = expectation.writers_left_out(items)
    assert groups[0] == "w" and sorted(groups[1:]) == sorted(f"cheques, fold {fold}" for fold in range(5) for _ in range(2))


def test_with_the_constants_as_they_are_nothing_changes_where_writers_are_left_out():
    items = [own_digits.Item(PROJECT, "single", label, writer, "photo", (), False) for label, writer in ("7p", "1p", "4q", "2r")]
    readings = [reading("7"), reading("7", "unsure"), reading("4", confidences=[0.6]), reading("", "empty")]
    present = own_digits.outcome_of(readings, items)
    settings = {None: readings, ("ink", "A", 1.0): readings, ("ink", "A", 2.0): list(readings)}
    left_out, taken = own_digits.leave_writers_out(settings, items)
    assert set(taken.values()) == {None}
    for values, expected in zip(left_out, present, strict=True):
        np.testing.assert_array_equal(values, expected)


def test_each_writer_is_read_with_the_constant_that_suits_the_others():
    items = [own_digits.Item(PROJECT, "single", label, writer, "photo", (), False) for label, writer in ("7p", "1q", "1q")]
    better = [reading("1"), reading("1"), reading("1", "unsure")]  # for q, and worse for p
    setting = ("ink", "A", 2.0)
    left_out, taken = own_digits.leave_writers_out({None: [reading("7")] * 3, setting: better}, items)
    assert taken == {"p": setting, "q": None}
    assert left_out.correct.tolist() == [False, False, False]
    assert left_out.unsure.tolist() == [False, False, False]
