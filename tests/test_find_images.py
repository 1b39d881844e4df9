"""Names on a command line are images, folders or patterns; what is left out is said on standard error."""

import pytest

from digits.cli.find_images import find_images
from digits.common.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with images in scans/ and below it, one whose name looks like a pattern, and other files."""
    monkeypatch.chdir(tmp_path)
    for name in ("scans/b.png", "scans/week/a.jpg", "scans/notes.txt", "scans/answers.json", "texts/x.txt", "me[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_and_patterns_give_their_images_sorted_in_the_order_of_the_names(folder, capsys):
    assert find_images(["absent.png", "scans", "s*/*.png"]) == ["absent.png", "scans/b.png", "scans/week/a.jpg", "scans/b.png"]
    assert capsys.readouterr().err == "scans: 2 images, 2 other files left out\n"


def test_a_pattern_of_any_depth_gives_each_file_once(folder):
    assert find_images(["scans/**"]) == ["scans/b.png", "scans/week/a.jpg", "scans/answers.json", "scans/notes.txt"]


def test_a_file_that_is_named_as_a_pattern_is_found_under_its_name(folder):
    assert find_images(["me[1].png"]) == ["me[1].png"]


def test_without_any_image_what_was_found_instead_is_said(folder, capsys):
    with pytest.raises(UserError, match="There is no image to read"):
        find_images(["texts", "*.tif"])
    assert capsys.readouterr().err == "texts: 0 images, 1 other file left out\nnothing matches *.tif\n"


def test_folders_that_are_elsewhere_are_listed_by_the_function_that_knows_them(folder):
    elsewhere = {"s3://bucket/in": (["s3://bucket/in/7.png"], 0)}
    assert find_images(["s3://bucket/in", "s3://bucket/8.png"], elsewhere.get) == ["s3://bucket/in/7.png", "s3://bucket/8.png"]
