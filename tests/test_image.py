"""Every format that people have opens, upright and in the colours that they see."""

import io

import numpy as np
import pytest
from bar_images import assert_shows_the_bar, drawing, encoded
from PIL import Image

from digits.common.errors import UserError
from digits.reading.decoding import MAX_PIXELS
from digits.reading.image import LoadedImage, load_image

TURNED_LEFT = 6  # EXIF's code: the stored pixels must be turned by 90 degrees to the right


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
    with pytest.raises(UserError, match="expected one image: a path, a binary file, a Pillow image or an array"):
        load_image(source)


@pytest.mark.parametrize("mode", ["RGBA", "I", "F", "P"])
def test_a_large_image_is_converted_in_bands(mode, monkeypatch):
    whole = load_image(drawing("L", 255, 0).convert(mode))
    monkeypatch.setattr("digits.reading.image.BAND_PIXELS", 1000)
    largest, crop = [], Image.Image.crop
    monkeypatch.setattr(Image.Image, "crop", lambda whole, box: largest.append(box[3] - box[1]) or crop(whole, box))
    assert np.array_equal(load_image(drawing("L", 255, 0).convert(mode)).pixels, whole.pixels)
    assert max(largest) == 6  # rows of 160 pixels


@pytest.mark.parametrize(
    ("box", "full"),
    [((400, 0, 400, 30), (602, 0, 601, 45)), ((0, 99, 0.2, 1), (0, 148, 1, 2)), ((790, 90, 30, 30), (1188, 135, 15, 15))],
)
def test_a_box_in_the_full_image_is_in_whole_pixels_and_does_not_leave_it(box, full):
    assert LoadedImage(np.zeros((100, 800, 3), np.uint8), (1203, 150)).full_box(*box) == full
