"""The sample images in custom_digits/: each has its label, drawing them again loses nothing, and the numbers are read."""

import sys

import cv2
import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image

from digits import Reader
from digits.data.labelled_folder import labelled_images

sys.path.insert(0, str(PROJECT / "custom_digits"))
import draw_samples
from draw_samples import SAMPLES, Sample

NUMBERS = [sample for sample in SAMPLES if len(sample.label) > 1]


@pytest.fixture
def few(monkeypatch):
    """Two samples, one of them with its label in labels.csv."""
    samples = [next(sample for sample in SAMPLES if sample.name == name) for name in ("miniature_28x28.png", "date.jpg")]
    monkeypatch.setattr(draw_samples, "SAMPLES", samples)
    return samples


def test_every_sample_is_in_the_folder_under_its_label():
    labels = {
        path.relative_to(PROJECT / "custom_digits").as_posix(): label
        for path, label in labelled_images(PROJECT / "custom_digits")[0]
    }
    assert {sample.file: sample.label for sample in SAMPLES}.items() <= labels.items()
    assert {"80331", "7496", "12.50", "253", "25/08/2026"} <= set(labels.values())


def test_the_samples_are_drawn_as_they_are_in_the_folder(few, tmp_path):
    assert draw_samples.main(["--output-dir", str(tmp_path)]) == 0
    for sample in few:
        drawn, kept = (np.asarray(Image.open(folder / sample.file), float) for folder in (tmp_path, PROJECT / "custom_digits"))
        assert drawn.shape == kept.shape and np.abs(drawn - kept).mean() < 1  # other versions of a library may round otherwise


def test_lines_of_other_images_in_labels_csv_stay(few, tmp_path):
    (tmp_path / "labels.csv").write_text('file,label\nmine.png,"1,234"\n')
    for _ in range(2):
        draw_samples.main(["--output-dir", str(tmp_path)])
    assert (tmp_path / "labels.csv").read_text() == 'file,label\nmine.png,"1,234"\ndates/date.jpg,25/08/2026\n'


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert draw_samples.main(["--output-dir", str(tmp_path / "file")]) == 2
    assert "another with --output-dir" in capsys.readouterr().err


def test_the_digits_of_touching_samples_are_one_piece_of_ink():
    sample = next(sample for sample in SAMPLES if sample.name == "touching.png")
    grey = np.asarray(draw_samples.draw(sample).convert("L"))
    assert cv2.connectedComponents((grey < 128).astype(np.uint8))[0] - 1 == 1


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.mark.parametrize("sample", NUMBERS, ids=lambda sample: sample.label)
def test_the_samples_of_numbers_are_read_as_labelled(sample: Sample, reader):
    reading = reader.read(PROJECT / "custom_digits" / sample.file)
    assert (reading.text, reading.status) == (sample.label, "ok")
