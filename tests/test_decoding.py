"""Files are opened by their content, large ones in a smaller version; those that want much time or memory are refused."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from bar_images import assert_shows_the_bar, drawing, encoded
from conftest import PROJECT

from digits.common.errors import UserError
from digits.reading.decoding import MAX_PIXELS_BY_FORMAT
from digits.reading.image import WORKING_SIDE, load_image
from digits.reading.page_images import decode_page


def test_heic_is_recognised_by_its_content_not_its_name(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    drawing().save(tmp_path / "x.heic")
    (tmp_path / "x.heic").rename(tmp_path / "x.jpg")  # as some programs pass it on
    assert_shows_the_bar(load_image(tmp_path / "x.jpg"))
    with open(tmp_path / "x.jpg", "rb") as file:
        assert_shows_the_bar(load_image(file))


def test_heic_without_pillow_heif_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match="pip install pillow-heif"):
        load_image(tmp_path / "x.heic")


def test_avif_is_refused_with_what_helps(tmp_path):
    (tmp_path / "x.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0mif1avif")
    with pytest.raises(UserError, match="AVIF images are not read; save it as PNG or JPEG"):
        load_image(tmp_path / "x.avif")


def test_a_large_photo_is_decoded_reduced():
    file = encoded(drawing(size=(6000, 8000)), "JPEG", quality=50)
    decoded, size = decode_page(file, None, WORKING_SIDE)
    assert size == load_image(file).full_size == (6000, 8000)
    assert WORKING_SIDE <= max(decoded.size) <= 2000, "all 48 million pixels were decoded"
    assert max(load_image(file).pixels.shape) == WORKING_SIDE


def png_header(width, height):
    """The bytes of a PNG without pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_an_image_too_large_is_refused_from_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    with pytest.raises(UserError, match="at most 100 million"):
        load_image(tmp_path / "bomb.png")


def test_a_bomb_inside_an_icon_is_refused_from_its_header():
    png = png_header(50_000, 50_000)
    header = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(png), 22)  # of one image, 16 x 16
    with pytest.raises(UserError, match="at most 100 million"):
        load_image(io.BytesIO(header + png))


def test_webp_is_refused_where_its_decoder_would_take_too_much_memory(monkeypatch):
    monkeypatch.setitem(MAX_PIXELS_BY_FORMAT, "WEBP", 160 * 240 - 1)
    with pytest.raises(UserError, match="it has 160 x 240 pixels"):
        load_image(encoded(drawing(), "WEBP"))
    assert_shows_the_bar(load_image(encoded(drawing(), "PNG")))


def test_a_file_of_too_many_small_parts_is_refused_before_it_ends():
    jpeg = encoded(drawing(), "JPEG").getvalue()
    file = io.BytesIO(jpeg[:2] + b"\xff\xfe\0\x02" * 500_000 + jpeg[2:])  # comments without a letter
    with pytest.raises(UserError, match="small parts"):
        load_image(file)
    assert file.tell() < 1_000_000
    assert_shows_the_bar(load_image(io.BytesIO(jpeg[:2] + b"\xff\xfe\0\x02" * 1_000 + jpeg[2:])))
    with pytest.raises(UserError, match="small parts"):
        load_image(io.BytesIO(b"P5 1000 1000 254\n" + bytes(1_000_000)))  # Pillow scales these levels one by one


def test_pixels_written_as_text_are_refused_above_a_size():
    text = " ".join(map(str, np.asarray(drawing("L", 255, 0)).ravel()))
    assert_shows_the_bar(load_image(io.BytesIO(b"P2 160 240 255\n" + text.encode())))
    with pytest.raises(UserError, match="written as text"):
        load_image(io.BytesIO(b"P2 2000 2000 255\n" + text.encode()))


def test_a_jpeg_of_too_many_scans_is_refused():
    content = encoded(drawing(), "JPEG", progressive=True).getvalue()
    last = content.rindex(b"\xff\xda")
    with pytest.raises(UserError, match="more than 100 scans"):
        load_image(io.BytesIO(content[:last] + content[last:-2] * 1000 + content[-2:]))
    assert_shows_the_bar(load_image(io.BytesIO(content)))


@pytest.mark.parametrize("size", [(160, 240), (161, 241), (163, 239)])
def test_a_large_jpeg_2000_is_decoded_reduced(size, monkeypatch):
    monkeypatch.setattr("digits.reading.decoding.MAX_JPEG2000_PIXELS", 10_000)
    file = encoded(drawing(size=size), "JPEG2000")
    assert max(decode_page(file, None, 50)[0].size) <= 61, "all pixels were decoded"
    loaded = load_image(file, max_side=50)
    assert loaded.full_size == size
    assert_shows_the_bar(loaded, tolerance=60)  # the smaller version inside has other edges
    assert max(decode_page(file, None, 240)[0].size) <= 121, "more pixels were decoded than may be"
    with pytest.raises(UserError, match="no smaller version"):
        load_image(encoded(drawing(size=size), "JPEG2000", num_resolutions=1), max_side=50)


def test_the_bytes_of_a_jpeg_2000_marker_in_another_box_are_not_taken_for_it(monkeypatch):
    monkeypatch.setattr("digits.reading.decoding.MAX_JPEG2000_PIXELS", 10_000)
    content = encoded(drawing(size=(160, 240)), "JPEG2000").getvalue()
    boxes = content.index(b"jp2h") - 4
    uuid = (24 + 40).to_bytes(4, "big") + b"uuid" + bytes(16) + b"\xff\x52" + bytes(38)
    loaded = load_image(io.BytesIO(content[:boxes] + uuid + content[boxes:]), max_side=50)
    assert loaded.full_size == (160, 240)


def test_damaged_exif_data_prints_no_warnings(tmp_path):
    tags = b"".join(struct.pack("<HHII", tag, 1, 1000, 8) for tag in range(1, 100))
    exif = b"II*\0" + struct.pack("<I", 1008) + bytes(1000) + struct.pack("<H", 99) + tags + bytes(4)
    drawing().save(tmp_path / "x.png", exif=exif)
    code = f"from digits.reading.image import load_image; load_image({str(tmp_path / 'x.png')!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert (result.returncode, result.stderr) == (0, "")
