"""Every format that people have opens, upright and in the colours that they see."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image, ImageDraw

from digits.common.errors import UserError
from digits.reading import image
from digits.reading.image import MAX_PIXELS, MAX_PIXELS_BY_FORMAT, WORKING_SIDE, load_image

TURNED_LEFT = 6  # EXIF's code: the stored pixels must be turned by 90 degrees to the right


def drawing(mode="RGB", paper=(255, 255, 255), ink=(0, 0, 0), size=(160, 240)):
    """An image with a bar across its upper part, so that one sees which way is up."""
    drawn = Image.new(mode, size, paper)
    ImageDraw.Draw(drawn).rectangle((size[0] // 4, size[1] // 8, size[0] // 2, size[1] // 4), fill=ink)
    return drawn


def encoded(original, format, **options):
    """A Pillow image as a file in memory."""
    file = io.BytesIO()
    original.save(file, format, **options)
    return file


def assert_shows_the_bar(loaded, dark=True, tolerance=12):
    """The pixels are those of drawing(), whatever came between; dark: black on white, else white on black."""
    expected = np.asarray(drawing().resize(loaded.pixels.shape[1::-1])).astype(int)
    assert loaded.pixels.dtype == np.uint8 and loaded.pixels.shape == expected.shape
    difference = np.abs(loaded.pixels - (expected if dark else 255 - expected))
    assert np.percentile(difference, 98) <= tolerance, "beyond the bar's soft edge"


@pytest.mark.parametrize(
    ("name", "original", "options"),
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
def test_every_format_and_depth_is_read(tmp_path, name, original, options):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif").register_heif_opener()
    original.save(tmp_path / name, **options)
    loaded = load_image(tmp_path / name)
    assert loaded.full_size == (160, 240)
    assert_shows_the_bar(loaded)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("name", ["x.png", "x.webp", "palette.png", "x.gif"])
def test_a_transparent_image_is_laid_on_paper_that_differs_from_its_ink(tmp_path, name, dark):
    level = 0 if dark else 255
    if name in ("palette.png", "x.gif"):
        palette = drawing("P", 0, 1)
        palette.putpalette([level] * 3 + [level] * 3)  # ink and what is transparent have the same colour
        palette.save(tmp_path / name, transparency=0)
    else:
        drawing("RGBA", (level, level, level, 0), (level, level, level, 255)).save(tmp_path / name)
    assert_shows_the_bar(load_image(tmp_path / name), dark)


@pytest.mark.parametrize("name", ["x.gif", "x.webp", "x.tiff", "x.mpo"])
def test_the_first_frame_or_page_is_read(tmp_path, name):
    drawing().save(tmp_path / name, save_all=True, append_images=[Image.new("RGB", (160, 240), "blue")])
    assert_shows_the_bar(load_image(tmp_path / name))


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tiff", "x.webp", "x.heic"])
def test_a_photo_stored_sideways_is_turned_once(tmp_path, name):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = TURNED_LEFT
    stored = drawing().rotate(90, expand=True)
    # As bytes, the EXIF data makes pillow-heif write the turn that HEIC files carry outside of it as well.
    stored.save(tmp_path / name, exif=exif.tobytes())
    loaded = load_image(tmp_path / name)
    assert loaded.full_size == (160, 240)
    assert_shows_the_bar(loaded)


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


def sizes_when_decoded(monkeypatch):
    """Return a list to which the size of each image is added when it has been decoded."""
    sizes, to_rgb = [], image._to_rgb
    monkeypatch.setattr(image, "_to_rgb", lambda decoded: sizes.append(decoded.size) or to_rgb(decoded))
    return sizes


def test_a_large_photo_is_decoded_reduced(tmp_path, monkeypatch):
    drawing(size=(6000, 8000)).save(tmp_path / "x.jpg", quality=50)
    decoded = sizes_when_decoded(monkeypatch)
    loaded = load_image(tmp_path / "x.jpg")
    assert loaded.full_size == (6000, 8000)
    assert max(loaded.pixels.shape) == WORKING_SIDE
    assert max(decoded[0]) <= 2000, "all 48 million pixels were decoded"


def test_a_file_that_is_no_readable_image_is_refused_with_the_reason(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "short.png").write_bytes(b"x")
    (tmp_path / "damaged.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(100))
    drawing().save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    (tmp_path / "folder.png").mkdir()
    for name, reason in {
        "text.png": "not an image",
        "short.png": "not an image",
        "damaged.heic": "not an image",
        "half.jpg": "truncated",
        "folder.png": "folder",
        "absent.png": "no such file",
    }.items():
        with pytest.raises(UserError, match=reason):
            load_image(tmp_path / name)


def test_the_reason_is_one_line():
    pytest.importorskip("pillow_heif").register_heif_opener()
    whole = encoded(drawing(), "HEIF").getvalue()
    with pytest.raises(UserError) as refused:
        load_image(io.BytesIO(whole[: len(whole) * 9 // 10]))  # libheif says it in several
    assert str(refused.value).isprintable()


def test_an_image_without_pixels_is_refused():
    with pytest.raises(UserError, match="no pixels"):
        load_image(Image.new("L", (10, 0)))


def png_header(width, height):
    """The bytes of a PNG without pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_an_image_too_large_is_refused_from_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    with pytest.raises(UserError, match="at most 100 million"):
        load_image(tmp_path / "bomb.png")


# ---- arrays and Pillow images ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_array_is_read_as_the_image_that_it_holds(mode):
    original = drawing(mode, *((255, 0) if mode == "L" else ((255, 255, 255), (0, 0, 0))))
    loaded = load_image(np.asarray(original))
    assert loaded.full_size == (160, 240)
    assert np.array_equal(loaded.pixels, load_image(original).pixels)
    assert_shows_the_bar(load_image(np.asarray(original)[:, ::-1][:, ::-1]))  # not contiguous


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((10, 10), np.float32),
        np.zeros((10, 10), bool),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 1), np.uint8),
        np.zeros((2, 10, 10, 3), np.uint8),
        np.zeros(10, np.uint8),
        np.uint8(7)[...],
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_an_array_of_another_dtype_or_shape_is_refused_with_what_was_expected(array):
    with pytest.raises(UserError, match=rf"array of {array.dtype} and .*expected uint8, 0 to 255, and \(height, width\) or"):
        load_image(array)


@pytest.mark.parametrize("shape", [(0, 10), (10, 0, 3)])
def test_an_array_without_pixels_is_refused(shape):
    with pytest.raises(UserError, match="no pixels"):
        load_image(np.zeros(shape, np.uint8))


def test_an_array_too_large_is_refused():
    with pytest.raises(UserError, match="at most 100 million"):
        load_image(np.broadcast_to(np.uint8(255), (2, MAX_PIXELS)))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "JPEG2000", "PPM", "WEBP", "GIF"])
@pytest.mark.parametrize("decoded", [False, True])
def test_a_pillow_image_from_a_file_is_read_and_left_as_it_was(format, decoded):
    opened = Image.open(encoded(drawing(size=(1600, 2400)), format))
    if decoded:
        opened.load()
    assert_shows_the_bar(load_image(opened), tolerance=60)
    assert opened.size == (1600, 2400), "boxes would not fit it any more"


@pytest.mark.parametrize("source", [None, 7, ["x.png"]])
def test_what_is_no_source_of_an_image_is_refused(source):
    with pytest.raises(UserError, match="not an image that can be read"):
        load_image(source)


# ---- small files that want much time or memory ------------------------------------------------------------------


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
    monkeypatch.setattr("digits.reading.image.WORKING_SIDE", 50)
    monkeypatch.setattr("digits.reading.image.MAX_JPEG2000_PIXELS", 10_000)
    decoded = sizes_when_decoded(monkeypatch)
    loaded = load_image(encoded(drawing(size=size), "JPEG2000"))
    assert loaded.full_size == size
    assert max(decoded[0]) <= 61, "all pixels were decoded"
    assert_shows_the_bar(loaded, tolerance=60)  # the smaller version inside has other edges
    with pytest.raises(UserError, match="no smaller version"):
        load_image(encoded(drawing(size=size), "JPEG2000", num_resolutions=1))


@pytest.mark.parametrize("mode", ["RGBA", "I", "F", "P"])
def test_a_large_image_is_converted_in_bands(mode, monkeypatch):
    whole = load_image(drawing("L", 255, 0).convert(mode))
    monkeypatch.setattr("digits.reading.image.BAND_PIXELS", 1000)
    largest, crop = [], Image.Image.crop
    monkeypatch.setattr(Image.Image, "crop", lambda whole, box: largest.append(box[3] - box[1]) or crop(whole, box))
    assert np.array_equal(load_image(drawing("L", 255, 0).convert(mode)).pixels, whole.pixels)
    assert max(largest) == 6  # rows of 160 pixels


def test_damaged_exif_data_prints_no_warnings(tmp_path):
    tags = b"".join(struct.pack("<HHII", tag, 1, 1000, 8) for tag in range(1, 100))
    exif = b"II*\0" + struct.pack("<I", 1008) + bytes(1000) + struct.pack("<H", 99) + tags + bytes(4)
    drawing().save(tmp_path / "x.png", exif=exif)
    code = f"from digits.reading.image import load_image; load_image({str(tmp_path / 'x.png')!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert (result.returncode, result.stderr) == (0, "")
