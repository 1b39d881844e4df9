"""A kept picture is whole, lies under its label and takes no other file's place."""

import concurrent.futures

import pytest

from digits.config import UserError
from digits.dataset import labelled_pictures
from digits.keeping import keep


def test_a_kept_picture_is_found_under_its_label(tmp_path):
    path = keep(b"the picture", ".JPG", "42", tmp_path)
    assert path.read_bytes() == b"the picture"
    assert labelled_pictures(tmp_path) == ([(path, "42")], 0)


def test_many_who_keep_at_once_overwrite_nothing(tmp_path):
    contents = [str(number).encode() for number in range(60)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        paths = list(pool.map(lambda content: keep(content, ".png", "7", tmp_path), contents))
    assert [path.read_bytes() for path in paths] == contents
    assert sorted((tmp_path / "7").iterdir()) == sorted(paths), "something else was left there"


@pytest.mark.parametrize(
    "label", ["", "seven", "4|2", "../7", "7/..", "-1", "4.2", "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT TWO}", "1" * 300]
)
def test_other_labels_are_refused(label, tmp_path):
    with pytest.raises(UserError, match="Expected the digits"):
        keep(b"the picture", ".png", label, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["", ".txt", ".py", "png", "/../x.png"])
def test_other_suffixes_are_refused(suffix, tmp_path):
    with pytest.raises(UserError, match="Expected one of .bmp"):
        keep(b"the picture", suffix, "7", tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_place_that_can_not_be_written_is_said(tmp_path):
    (tmp_path / "7").write_text("in the way")
    with pytest.raises(UserError, match="can't be written"):
        keep(b"the picture", ".png", "7", tmp_path)
    assert (tmp_path / "7").read_text() == "in the way"


def test_what_can_not_be_written_whole_leaves_no_name(tmp_path, monkeypatch):
    from pathlib import Path

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        keep(b"the picture", ".png", "7", tmp_path)
    assert not any((tmp_path / "7").iterdir())
