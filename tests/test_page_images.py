"""Pages of PDF and TIFF files are images of their own; a file that brings its decoder down costs its page alone."""

import io
import os
import subprocess
import sys

import pytest
from bar_images import assert_shows_the_bar, drawing, encoded
from conftest import PROJECT
from PIL import TiffImagePlugin

from digits.common.errors import UserError
from digits.reading import page_images, pdf_process
from digits.reading.image import load_image
from digits.reading.page_images import MAX_PAGES, Page, page_count, page_names
from digits.reading.reader import Reader

sys.path.insert(0, str(PROJECT / "stress"))
from bad_pdfs import encrypted, pdf  # noqa: E402

SIZES = [(100, 200), (200, 100), (300, 200)]  # of the pages; at 200 dots an inch they are a whole number of points wide and high
ENDINGS = {"PDF": "pdf", "TIFF": "tif"}
formats = pytest.mark.parametrize("format", ENDINGS)


def document(format, sizes=SIZES):
    """A file in memory with a bar on each of its pages."""
    pages = [drawing(size=size) for size in sizes]
    return encoded(pages[0], format, save_all=True, append_images=pages[1:], **({"resolution": 200} if format == "PDF" else {}))


def tiff(*frames):
    """A TIFF file in memory of frames (size, {tag: value})."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, new=True) as writer:
        for size, tags in frames:
            drawing(size=size).save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    return file


@pytest.fixture(params=ENDINGS.items(), ids=ENDINGS)
def scan(request, tmp_path):
    """The path of a file with three pages."""
    format, ending = request.param
    path = tmp_path / f"scan.{ending}"
    path.write_bytes(document(format).getvalue())
    return str(path)


def refused(source):
    """The sentence with which a source is refused."""
    with pytest.raises(UserError) as caught:
        load_image(source)
    return str(caught.value)


# ---- pages and their names -------------------------------------------------------------------------------------


def test_every_page_is_an_image_of_its_own(scan):
    names = page_names([scan])
    assert names == [f"{scan}#1", f"{scan}#2", f"{scan}#3"]
    for name, size in zip(names, SIZES, strict=True):
        assert load_image(name).full_size == size
        assert_shows_the_bar(load_image(name))
    assert load_image(os.fsencode(names[1])).full_size == SIZES[1]


@formats
def test_a_file_of_one_page_has_its_own_name(format, tmp_path):
    path = tmp_path / f"scan.{ENDINGS[format].upper()}"
    path.write_bytes(document(format, SIZES[1:2]).getvalue())
    assert page_names([str(path)]) == [str(path)]
    assert_shows_the_bar(load_image(path))
    assert load_image(path).full_size == load_image(f"{path}#1").full_size == SIZES[1]


def test_names_keep_their_order_and_what_can_not_be_opened_keeps_its_name(scan, tmp_path):
    os.mkfifo(tmp_path / "pipe.pdf")  # to open it would take for ever
    (tmp_path / "text.pdf").write_text("no PDF file")
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "photo.jpg").write_bytes(encoded(drawing(), "JPEG").getvalue())
    before = [str(tmp_path / name) for name in ("pipe.pdf", "text.pdf")]
    after = [*(str(tmp_path / name) for name in ("folder.tif", "photo.jpg", "absent.pdf")), f"{scan}#2"]
    assert page_names([*before, scan, *after]) == [*before, *page_names([scan]), *after]


def test_a_file_that_has_the_name_of_a_page_is_read_instead_of_it(scan):
    drawing(size=(50, 60)).save(f"{scan}#2", "PNG")
    assert [load_image(name).full_size for name in page_names([scan])] == [SIZES[0], (50, 60), SIZES[2]]
    drawing(size=(50, 60)).save(f"{scan}#x", "PNG")
    assert load_image(f"{scan}#x").full_size == (50, 60)


def test_a_file_with_several_pages_says_how_one_is_named(scan):
    assert refused(scan) == 'it has 3 pages; add the number of one to its name, as in "scan.pdf#1"'
    with open(scan, "rb") as file:
        assert refused(file).startswith("it has 3 pages")


@pytest.mark.parametrize("suffix", ["#0", "#-1", "#", "#x", "#02", "#1#1", f"#{10**9}"])
def test_what_is_no_name_of_a_page_is_no_file(scan, suffix):
    assert refused(scan + suffix) == "there is no such file"
    assert refused(f"absent{suffix}") == refused("absent#1") == "there is no such file"


def test_a_page_that_is_not_there_is_refused(scan):
    assert refused(f"{scan}#4") == "it has 3 pages, and no page 4"


@formats
@pytest.mark.parametrize("opened", [io.BytesIO, "a file on the disk"])
def test_a_page_of_an_open_file_is_read(format, opened, tmp_path):
    content = document(format).getvalue()
    (tmp_path / "scan").write_bytes(content)  # without an ending: what it is, its content says
    with io.BytesIO(content) if opened is io.BytesIO else open(tmp_path / "scan", "rb") as file:
        assert page_count(file) == 3
        assert [load_image(Page(file, number)).full_size for number in (3, 1, 2)] == [SIZES[2], SIZES[0], SIZES[1]]
        assert Reader(number_reader=None).read(Page(file, 4)).message == "it has 3 pages, and no page 4"
        for number in (0, -1):
            message = Reader(number_reader=None).read(Page(file, number)).message
            assert message == f"it has no page {number}: pages are counted from 1"


def test_a_page_of_a_pdf_is_drawn_where_the_system_refuses_a_limit(monkeypatch):
    resource = pytest.importorskip("resource")

    def refuse(kind, limits):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    pdf_process.limit_resources()


@formats
def test_pages_after_the_last_that_is_read_are_one_error(format, tmp_path, monkeypatch):
    monkeypatch.setattr(page_images, "MAX_PAGES", 2)
    path = tmp_path / f"scan.{ENDINGS[format]}"
    path.write_bytes(document(format, SIZES + SIZES).getvalue())
    names = page_names([str(path)])
    assert names == [f"{path}#1", f"{path}#2", f"{path}#3"]
    assert load_image(names[1]).full_size == SIZES[1]
    assert refused(names[2]) == "only the first 2 pages of a file are read; divide it into several files"
    assert refused(path).startswith("it has more than 2 pages; add the number")
    path.write_bytes(document(format, SIZES[:2]).getvalue())
    assert page_names([str(path)]) == names[:2]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "MPO"])
def test_the_first_frame_of_an_animation_is_its_only_page(format, tmp_path):
    path = tmp_path / "x.tif"
    path.write_bytes(encoded(drawing(), format, save_all=True, append_images=[drawing(paper=(0, 0, 255))]).getvalue())
    assert page_names([str(path)]) == [str(path)]
    assert_shows_the_bar(load_image(path))
    assert refused(f"{path}#2") == "it has 1 page, and no page 2"


def test_smaller_versions_and_masks_in_a_tiff_file_are_no_pages():
    small, mask = {254: 1}, {254: 4}
    file = tiff((SIZES[0], small), (SIZES[1], {}), (SIZES[0], mask), (SIZES[2], {254: 2}))
    assert page_count(file) == 2
    assert [load_image(Page(file, number)).full_size for number in (1, 2)] == [SIZES[1], SIZES[2]]
    assert load_image(tiff((SIZES[1], {}), (SIZES[0], small))).full_size == SIZES[1]
    assert load_image(tiff((SIZES[1], small))).full_size == SIZES[1]


def test_each_page_of_a_tiff_file_is_turned_as_its_own_tags_say():
    turned = tiff((SIZES[0], {}), (SIZES[0], {274: 6}), (SIZES[0], {}))
    assert [load_image(Page(turned, number)).full_size for number in (1, 2, 3)] == [SIZES[0], SIZES[0][::-1], SIZES[0]]


# ---- broken and hostile files ----------------------------------------------------------------------------------


def test_a_tiff_file_that_was_cut_off_has_its_whole_pages_and_an_error(tmp_path):
    content = document("TIFF").getvalue()
    (tmp_path / "scan.tif").write_bytes(content[: len(content) - 5 * SIZES[2][0]])
    *whole, last = page_names([str(tmp_path / "scan.tif")])
    assert [load_image(name).full_size for name in whole] == SIZES[:2]
    assert refused(last).startswith("it is not an image that can be read")


def tiff_whose_next_page_is_at(find_place):
    """A TIFF file in memory of one page. find_place: gets its content and its directory's place, returns that of the next one."""
    content = bytearray(encoded(drawing(), "TIFF").getvalue())
    start = int.from_bytes(content[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(content[start : start + 2], "little")
    content[end : end + 4] = find_place(content, start).to_bytes(4, "little")
    return io.BytesIO(content)


def test_a_page_that_can_not_be_found_in_a_tiff_file_is_an_error_and_no_other_page():
    for place in (lambda content, start: len(content) + 1000, lambda content, start: 3):
        file = tiff_whose_next_page_is_at(place)
        assert page_count(file) == 2
        assert_shows_the_bar(load_image(Page(file, 1)))
        assert refused(Page(file, 2)).startswith("it is not an image that can be read")


def test_a_tiff_file_without_end_is_counted_soon():
    assert page_count(tiff_whose_next_page_is_at(lambda content, start: start)) == 1
    assert page_count(tiff(*[((2, 2), {254: 1})] * 30)) == 1
    assert page_count(tiff(*[((2, 2), {})] * (MAX_PAGES + 5))) == MAX_PAGES + 1


def test_a_password_is_said_in_a_sentence():
    assert refused(io.BytesIO(encrypted())) == "it is a PDF file with a password; a copy without one can be read"


def test_a_broken_pdf_file_is_said_in_a_sentence():
    content = document("PDF").getvalue()
    for broken in (b"%PDF-1.7\n", content[: len(content) // 2], b"%PDF-" + bytes(1000)):
        assert refused(io.BytesIO(broken)) == "the PDF file is damaged"
        assert page_count(io.BytesIO(broken)) == 1
    assert refused(io.BytesIO(pdf(kids=b"2 0 R"))) == "this page of the PDF file is damaged"


def test_a_page_with_too_many_pixels_is_refused_before_it_is_drawn():
    assert load_image(io.BytesIO(pdf())).full_size == (200, 200)
    found = refused(io.BytesIO(pdf(page=b"/MediaBox[0 0 14400 14400]")))
    assert found == "it has 40000 x 40000 pixels at 200 dots an inch; at most 50 million are read"


def test_a_page_is_upright_as_the_pdf_file_says():
    assert load_image(io.BytesIO(pdf(page=b"/MediaBox[0 0 72 144]/Rotate 90"))).full_size == (400, 200)


def pypdfium2_that(code, folder, monkeypatch):
    """Let the process of a PDF file's page import a module pypdfium2 of this code."""
    (folder / "pypdfium2.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    "code", ["import os; os.abort()", "raise MemoryError", pytest.param("while True: pass", marks=pytest.mark.slow)]
)
def test_a_decoder_that_is_brought_down_or_never_ends_costs_its_own_page_alone(code, tmp_path, monkeypatch):
    monkeypatch.setattr(page_images, "MAX_WAIT", 2)
    pypdfium2_that(code, tmp_path, monkeypatch)
    assert refused(io.BytesIO(pdf())) == "its decoder failed, or would take more than 10 seconds or 1,000 MiB"
    assert page_count(io.BytesIO(pdf())) == 1
    assert_shows_the_bar(load_image(document("TIFF", SIZES[:1])))


def test_a_pdf_file_without_pypdfium2_says_what_to_install(tmp_path, monkeypatch):
    pypdfium2_that("raise ImportError", tmp_path, monkeypatch)
    assert refused(io.BytesIO(pdf())) == "PDF files need one more package: pip install pypdfium2"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of processor time")
def test_a_page_that_is_drawn_without_end_is_ended_though_nobody_waits(tmp_path):
    (tmp_path / "pypdfium2.py").write_text("while True: pass")
    process = subprocess.run(
        [sys.executable, "-P", PROJECT / "digits" / "reading" / "pdf_process.py", "1"],
        input=pdf(), capture_output=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=300,
    )  # fmt: skip
    assert process.returncode != 0 and process.stdout == b""
