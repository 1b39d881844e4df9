"""The line reader: what it reads in a line of MNIST's digits, and files that are no line reader."""

import dataclasses
import shutil

import numpy as np
import pytest

from digits.common.errors import UserError
from digits.composition.rows import random_rows
from digits.data import dataset
from digits.model.card import load_card
from digits.reading.detection import Detection
from digits.reading.line_reader import DEFAULT_LINE_READER, LineReader
from digits.reading.number_reader import DEFAULT_NUMBER_READER
from digits.training.composing import split


@pytest.fixture(scope="module")
def line_reader():
    return LineReader()


def digits_of(boxes):
    return [Detection(0, 1.0, *map(float, box), np.zeros(16)) for box in boxes]


def test_most_rows_of_digits_that_it_never_learned_are_read(mnist_folder, line_reader):
    _, validation = split(dataset.load(mnist_folder, parts=("train",)))
    right = 0
    for row, label in random_rows(validation, gap=3, count=40, rng=np.random.default_rng(0)):
        columns = np.flatnonzero(row.max(axis=0) > 60)
        ends = digits_of([(columns[0], 8, 10, 20), (columns[-1] - 10, 8, 10, 20)])
        right += "".join(str(symbol.label) for symbol in line_reader.read(255 - row, ends)) == label
    assert right >= 32


def test_blank_paper_shows_no_symbol(line_reader):
    assert line_reader.read(np.full((60, 200), 230, np.uint8), digits_of([(20, 20, 15, 20), (80, 20, 15, 20)])) == []


def test_a_line_is_read_alike_whatever_was_read_before(line_reader):
    rng = np.random.default_rng(0)
    grey, line = rng.integers(0, 255, (60, 300), np.uint8), digits_of([(20, 20, 15, 20), (200, 20, 15, 20)])
    first = line_reader.read(grey, line)
    line_reader.read(grey, line[:1])
    assert line_reader.read(grey, line) == first


@pytest.mark.parametrize("content", [b"junk", b"\0" * 5000, "truncated"], ids=["junk", "zeros", "truncated"])
def test_a_damaged_file_is_an_error_that_says_what_helps(content, tmp_path):
    path = tmp_path / "line_reader.tflite"
    path.write_bytes(DEFAULT_LINE_READER.read_bytes()[:100_000] if content == "truncated" else content)
    with pytest.raises(UserError, match="line_reader.tflite is not a line reader that can be used: .+\n.*git checkout models"):
        LineReader(path)


def test_a_number_reader_is_refused_by_its_card(tmp_path):
    for suffix in (".tflite", ".json"):
        shutil.copy(DEFAULT_NUMBER_READER.with_suffix(suffix), tmp_path)
    with pytest.raises(UserError, match="is a number reader, not a line reader"):
        LineReader(tmp_path / DEFAULT_NUMBER_READER.name)


def test_an_absent_file_is_an_error_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(UserError, match="No model at (.*\n)+.*python train_model.py --line-reader"):
        LineReader(tmp_path / "absent.tflite")


def test_the_shipped_card_says_what_the_network_is():
    card = load_card(DEFAULT_LINE_READER.with_suffix(".json"))
    assert card.classes[-1] == "no symbol" and len(card.classes) == 17
    assert card.pictures == {"training": 55_000, "validation": 5000}
    assert dataclasses.asdict(card)["other"] == {}
