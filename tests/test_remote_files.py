"""Files in s3:// are listed and fetched, under every name, and what goes wrong is said. The server runs on this machine."""

import io

import pytest
from buckets import bucket, put
from PIL import Image

from digits.common.errors import UserError
from digits.reading import remote_files
from digits.reading.page_images import page_names
from digits.reading.remote_files import fetch, is_remote, list_folder, open_file

FILES = ["in/a b#%[1].png", "in/sub/ü.PNG", "in/notes.txt", "in/scan.tif", "in/scan.tif#2"]


@pytest.fixture(scope="module", autouse=True)
def server():
    """A bucket "scans" with FILES, each of which holds its own path, but scan.tif three pages."""
    pages = [Image.new("L", (20 + page, 20)) for page in range(3)]
    scan = io.BytesIO()
    pages[0].save(scan, "TIFF", save_all=True, append_images=pages[1:])
    with bucket("scans") as file_system:
        put(file_system, {f"scans/{path}": path.encode() for path in FILES} | {"scans/in/scan.tif": scan.getvalue()})
        yield file_system


def test_an_address_is_told_from_a_path():
    assert all(map(is_remote, ("s3://bucket", "gs://b/x.png", "s3://b/with\nline.png")))
    assert not any(map(is_remote, ("x.png", "/s3:/x", "C:/x.png", "a/s3://b", "")))


@pytest.mark.parametrize("name", ["s3://scans/in", "s3://scans/in/", "s3://scans"])
def test_a_folder_holds_its_images_sorted_and_the_others_are_counted(name):
    images = ["s3://scans/in/a b#%[1].png", "s3://scans/in/scan.tif", "s3://scans/in/sub/ü.PNG"]
    assert list_folder(name) == (images, 2)


@pytest.mark.parametrize("name", ["s3://scans/in/notes.txt", "s3://scans/absent", "s3://absent/x"])
def test_what_is_no_folder_is_none(name):
    assert list_folder(name) is None


def test_local_folders_and_files_are_as_without_addresses(tmp_path):
    (tmp_path / "x.png").write_bytes(b"content")
    assert list_folder(str(tmp_path)) == ([tmp_path / "x.png"], 0)
    assert list_folder(str(tmp_path / "x.png")) is None
    with open_file(str(tmp_path / "x.png")) as file:
        assert file.read() == b"content"


def test_an_image_is_fetched_under_its_name():
    for path in FILES[:3]:
        assert fetch(f"s3://scans/{path}") == (f"s3://scans/{path}", path.encode(), None)


def test_a_page_is_fetched_with_its_file_unless_a_file_has_that_name():
    names = page_names(["s3://scans/in/scan.tif", "s3://scans/absent.tif"], open_file)
    assert names == [*(f"s3://scans/in/scan.tif#{page}" for page in (1, 2, 3)), "s3://scans/absent.tif"]
    assert [fetch(name).page for name in names[:3]] == [1, None, 3]
    assert fetch(names[1]).content == b"in/scan.tif#2"


@pytest.mark.parametrize("name", ["s3://scans/absent.png", "s3://scans/absent.pdf#2", "s3://absent/x.png", "s3://scans/in"])
def test_a_missing_file_is_said(name):
    with pytest.raises(UserError, match="^there is no such file$"):
        fetch(name)


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(monkeypatch):
    monkeypatch.setattr(remote_files, "MAX_FILE_SIZE", 10)
    with pytest.raises(UserError, match="at most"):
        fetch("s3://scans/in/a b#%[1].png")


def test_a_file_that_is_too_large_to_count_its_pages_costs_nothing_but_its_own_answer(monkeypatch):
    monkeypatch.setattr(remote_files, "MAX_FILE_SIZE", 10)
    names = ["s3://scans/in/scan.tif", "s3://scans/in/notes.txt"]
    assert page_names(names, open_file) == names


def test_an_unknown_kind_of_address_is_refused():
    with pytest.raises(UserError, match="foo://bucket can't be reached"):
        list_folder("foo://bucket/x")
