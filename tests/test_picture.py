"""Every format that people have opens, upright and in the colours that they see."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from conftest import PROJECT
from digits.config import UserError
from digits.picture import HELD_TWICE, WORKING_SIDE, open_picture

TURNED_LEFT = 6  # EXIF's code: the stored pixels must be turned by 90 degrees to the right


def drawing(mode="RGB", paper=(255, 255, 255), ink=(0, 0, 0), size=(160, 240)):
    """A picture with a bar across its upper part, so that one sees which way is up."""
    image = Image.new(mode, size, paper)
    ImageDraw.Draw(image).rectangle((size[0] // 4, size[1] // 8, size[0] // 2, size[1] // 4), fill=ink)
    return image


def encoded(image, format, **options):
    """An image as a file in memory."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file


def assert_shows_the_bar(picture, dark=True, tolerance=12):
    """The pixels are those of drawing(), whatever came between; dark: black on white, else white on black."""
    expected = np.asarray(drawing().resize(picture.pixels.shape[1::-1])).astype(int)
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape == expected.shape
    difference = np.abs(picture.pixels - (expected if dark else 255 - expected))
    assert np.percentile(difference, 98) <= tolerance, "beyond the bar's soft edge"


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("x.png", drawing(), {}),
        ("x.jpg", drawing(), {"quality": 90}),
        ("x.jpg", drawing("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), {"quality": 90}),
        ("x.jpg", drawing("L", 255, 0), {"progressive": True}),
        ("x.webp", drawing(), {"quality": 90}),
        ("x.bmp", drawing(), {}),
        ("x.gif", drawing().convert("P"), {}),
        ("x.tiff", drawing("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), {"compression": "tiff_lzw"}),
        ("x.tiff", drawing("F", 1.0, 0.0), {}),
        ("x.tiff", drawing("1", 1, 0), {"compression": "group4"}),
        ("x.png", drawing("1", 1, 0), {}),
        ("x.png", drawing("L", 255, 0).convert("I").point(lambda level: level * 257).convert("I;16"), {}),
        ("x.png", drawing("LA", (0, 0), (0, 255)), {}),
        ("x.heic", drawing(), {"quality": 90}),
        ("no_ending", drawing(), {"format": "PNG"}),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "mode", ""),
)
def test_formats_and_depths(tmp_path, name, image, options):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif").register_heif_opener()
    image.save(tmp_path / name, **options)
    picture = open_picture(tmp_path / name)
    assert picture.size == (160, 240)
    assert_shows_the_bar(picture)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("name", ["x.png", "x.webp", "palette.png", "x.gif"])
def test_what_is_transparent_becomes_the_paper_that_its_ink_needs(tmp_path, name, dark):
    level = 0 if dark else 255
    if name in ("palette.png", "x.gif"):
        image = drawing("P", 0, 1)
        image.putpalette([level] * 3 + [level] * 3)  # ink and what is transparent have the same colour
        image.save(tmp_path / name, transparency=0)
    else:
        drawing("RGBA", (level, level, level, 0), (level, level, level, 255)).save(tmp_path / name)
    assert_shows_the_bar(open_picture(tmp_path / name), dark)


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.tiff", "x.mpo"])
def test_the_first_frame_or_page_is_read(tmp_path, name):
    drawing().save(tmp_path / name, save_all=True, append_images=[Image.new("RGB", (160, 240), "blue")])
    assert_shows_the_bar(open_picture(tmp_path / name))


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tiff", "x.webp", "x.heic"])
def test_a_photo_stored_sideways_is_turned_once(tmp_path, name):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = TURNED_LEFT
    stored = drawing().rotate(90, expand=True)
    # As bytes, the EXIF data makes pillow-heif write the turn that HEIC files carry outside of it as well.
    stored.save(tmp_path / name, exif=exif.tobytes())
    picture = open_picture(tmp_path / name)
    assert picture.size == (160, 240)
    assert_shows_the_bar(picture)


def test_heic_is_known_by_its_content(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    drawing().save(tmp_path / "x.heic")
    (tmp_path / "x.heic").rename(tmp_path / "x.jpg")  # as some programs pass it on
    assert_shows_the_bar(open_picture(tmp_path / "x.jpg"))
    with open(tmp_path / "x.jpg", "rb") as file:
        assert_shows_the_bar(open_picture(file))


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match="pip install pillow-heif"):
        open_picture(tmp_path / "x.heic")


def test_a_large_photo_is_decoded_reduced(tmp_path):
    drawing(size=(6000, 8000)).save(tmp_path / "x.jpg", quality=50)
    image = Image.open(tmp_path / "x.jpg")
    picture = open_picture(image)
    assert picture.size == (6000, 8000)
    assert max(picture.pixels.shape) == WORKING_SIDE
    assert max(image.size) <= 2000, "all 48 million pixels were decoded"


def test_what_can_not_be_read_says_so(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "short.png").write_bytes(b"x")
    (tmp_path / "damaged.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(100))
    drawing().save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    (tmp_path / "folder.png").mkdir()
    for name, reason in {
        "text.png": "not a picture",
        "short.png": "not a picture",
        "damaged.heic": "not a picture",
        "half.jpg": "truncated",
        "folder.png": "folder",
        "absent.png": "no such file",
    }.items():
        with pytest.raises(UserError, match=reason):
            open_picture(tmp_path / name)


def test_why_a_picture_can_not_be_read_is_one_line():
    pytest.importorskip("pillow_heif").register_heif_opener()
    whole = encoded(drawing(), "HEIF").getvalue()
    with pytest.raises(UserError) as refused:
        open_picture(io.BytesIO(whole[: len(whole) * 9 // 10]))  # libheif says it in several
    assert str(refused.value).isprintable()


def test_an_image_without_pixels_says_so():
    with pytest.raises(UserError, match="no pixels"):
        open_picture(Image.new("L", (10, 0)))


def png_header(width, height):
    """The bytes of a PNG without pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_a_picture_too_large_is_refused_from_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    with pytest.raises(UserError, match="at most 100 million"):
        open_picture(tmp_path / "bomb.png")


# ---- small files that want much time or memory ------------------------------------------------------------------


def test_a_bomb_inside_an_icon_is_refused_from_its_header():
    png = png_header(50_000, 50_000)
    header = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(png), 22)  # of one picture, 16 x 16
    with pytest.raises(UserError, match="at most 100 million"):
        open_picture(io.BytesIO(header + png))


def test_webp_is_refused_where_its_decoder_would_take_too_much_memory(monkeypatch):
    monkeypatch.setitem(HELD_TWICE, "WEBP", 160 * 240 - 1)
    with pytest.raises(UserError, match="it has 160 x 240 pixels"):
        open_picture(encoded(drawing(), "WEBP"))
    assert_shows_the_bar(open_picture(encoded(drawing(), "PNG")))


def test_a_file_of_too_many_small_parts_is_refused_before_it_ends():
    jpeg = encoded(drawing(), "JPEG").getvalue()
    file = io.BytesIO(jpeg[:2] + b"\xff\xfe\0\x02" * 500_000 + jpeg[2:])  # comments without a letter
    with pytest.raises(UserError, match="small parts"):
        open_picture(file)
    assert file.tell() < 1_000_000
    assert_shows_the_bar(open_picture(io.BytesIO(jpeg[:2] + b"\xff\xfe\0\x02" * 1_000 + jpeg[2:])))
    with pytest.raises(UserError, match="small parts"):
        open_picture(io.BytesIO(b"P5 1000 1000 254\n" + bytes(1_000_000)))  # Pillow scales these levels one by one


def test_pixels_written_as_text_are_read_up_to_a_size():
    text = " ".join(map(str, np.asarray(drawing("L", 255, 0)).ravel()))
    assert_shows_the_bar(open_picture(io.BytesIO(b"P2 160 240 255\n" + text.encode())))
    with pytest.raises(UserError, match="written as text"):
        open_picture(io.BytesIO(b"P2 2000 2000 255\n" + text.encode()))


def test_a_jpeg_of_endless_scans_is_refused():
    content = encoded(drawing(), "JPEG", progressive=True).getvalue()
    last = content.rindex(b"\xff\xda")
    with pytest.raises(UserError, match="more than 100 scans"):
        open_picture(io.BytesIO(content[:last] + content[last:-2] * 1000 + content[-2:]))
    assert_shows_the_bar(open_picture(io.BytesIO(content)))


@pytest.mark.parametrize("size", [(160, 240), (161, 241), (163, 239)])
def test_a_large_jpeg_2000_is_decoded_reduced(size, monkeypatch):
    monkeypatch.setattr("digits.picture.WORKING_SIDE", 50)
    monkeypatch.setattr("digits.picture.MOST_JPEG2000", 10_000)
    image = Image.open(encoded(drawing(size=size), "JPEG2000"))
    picture = open_picture(image)
    assert picture.size == size
    assert max(image.size) <= 61, "all pixels were decoded"
    assert_shows_the_bar(picture, tolerance=60)  # the smaller version inside has other edges
    with pytest.raises(UserError, match="no smaller version"):
        open_picture(encoded(drawing(size=size), "JPEG2000", num_resolutions=1))


@pytest.mark.parametrize("mode", ["RGBA", "I", "F", "P"])
def test_a_large_picture_is_not_copied_whole(mode, monkeypatch):
    whole = open_picture(drawing("L", 255, 0).convert(mode))
    monkeypatch.setattr("digits.picture.BAND_PIXELS", 1000)
    largest, crop = [], Image.Image.crop
    monkeypatch.setattr(Image.Image, "crop", lambda image, box: largest.append(box[3] - box[1]) or crop(image, box))
    assert np.array_equal(open_picture(drawing("L", 255, 0).convert(mode)).pixels, whole.pixels)
    assert max(largest) == 6  # rows of 160 pixels


def test_damaged_metadata_is_no_noise(tmp_path):
    tags = b"".join(struct.pack("<HHII", tag, 1, 1000, 8) for tag in range(1, 100))
    exif = b"II*\0" + struct.pack("<I", 1008) + bytes(1000) + struct.pack("<H", 99) + tags + bytes(4)
    drawing().save(tmp_path / "x.png", exif=exif)
    code = f"from digits.picture import open_picture; open_picture({str(tmp_path / 'x.png')!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert (result.returncode, result.stderr) == (0, "")
