"""Bad images: truncated, with flipped bits, made to take much time or memory, with odd names, special files, very large ones.

small_images and bombs give them as bytes; make writes all of them into a folder: more than 4,000 files, together 2 GB. Each
has the ending of an image, so that a program that reads the folder takes it for an image.
"""

import functools
import io
import itertools
import os
import random
import shutil
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from bad_pdfs import pdf_bombs
from common import PROJECT_FOLDER  # noqa: F401, before digits: it puts the project on the path
from PIL import Image, ImageDraw

from digits.common.config import CUSTOM_DIGITS_DIR

TRUNCATIONS = 20  # lengths to which each image is cut
FLIPS = 1000  # images with one flipped bit each, in all
MODES = ("RGB", "L", "RGBA", "LA", "P", "PA", "1", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")
LARGE = {12: (4000, 3000), 50: (8000, 6250), 100: (10_000, 10_000)}  # megapixels: width, height


def drawn(mode, size, grain=0):
    """Return a 7 as a Pillow image of the mode, dark on light paper. grain: the grey levels of noise in the paper."""
    image = Image.new("L", size, 230)
    width, height = size
    ImageDraw.Draw(image).line([(width * x // 10, height * y // 10) for x, y in ((3, 2), (7, 2), (4, 8))], 20, width // 12 + 1)
    if grain:
        noise = np.random.default_rng(0).integers(0, grain, (height, width), np.uint8)
        image = Image.fromarray(np.asarray(image) - noise)
    if mode == "I;16":
        return image.convert("I").point(lambda level: level * 257).convert("I;16")
    return image.convert("RGB").convert(mode) if mode in ("PA", "LAB", "YCbCr") else image.convert(mode)


def encoded(image, format, **options):
    """Return a Pillow image as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def small_images():
    """Return {name: bytes} of a 7 in each format that Pillow opens and writes here, in each mode that the format takes."""
    pillow_heif.register_heif_opener()
    Image.init()
    images = {}
    for format in sorted({*Image.SAVE} & {*Image.OPEN}):
        for mode in MODES:
            try:
                images[f"{format} {mode}"] = encoded(drawn(mode, (32, 48)), format)
            except Exception:  # many formats take only some modes, and some can't be written at all
                continue
    frames = [drawn("RGB", (32, 48)), Image.new("RGB", (32, 48), "red")]
    for format in ("GIF", "WEBP", "TIFF", "PNG", "MPO", "AVIF", "HEIF"):
        images[f"{format} animated"] = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        images[f"{format} turned"] = encoded(frames[0], format, exif=exif)
    images["JPEG progressive"] = encoded(frames[0], "JPEG", progressive=True)
    for compression in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits", "zstd", "lzma"):
        images[f"TIFF {compression}"] = encoded(frames[0], "TIFF", compression=compression)
    images["TIFF group4"] = encoded(drawn("1", (32, 48)), "TIFF", compression="group4")
    images["TGA RLE"] = encoded(frames[0], "TGA", compression="tga_rle")
    return images


def small_documents():
    """Return {name: bytes} of PDF and TIFF files with two pages, a 7 on each."""
    documents = {}
    for format in ("PDF", "TIFF"):
        first, second = drawn("RGB", (32, 48)), drawn("L", (48, 32))  # anew: Pillow notes on them how they were saved
        documents[f"{format} pages"] = encoded(first, format, save_all=True, append_images=[second])
    return documents


def chunk(name, content):
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, *chunks, depth=1, compressed=None):
    """Return a grey PNG: by default black, of one bit a pixel, with further chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    if compressed is None:
        compressor, row = zlib.compressobj(1), bytes(1 + (width * depth + 7) // 8)
        compressed = b"".join([*(compressor.compress(row) for _ in range(height)), compressor.flush()])
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def directory(tags, size, first=1):
    """Return a TIFF whose directory has this number of tags, from the first on. All point to the same bytes, size of them."""
    entries = b"".join(struct.pack("<HHII", tag, 1, size, 8) for tag in range(first, first + tags))
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + struct.pack("<H", tags) + entries + bytes(4)


def jpeg_of_scans(width, height, scans):
    """Return a progressive JPEG whose last scan, which is empty, is repeated: each takes time to decode, and few bytes."""
    content = encoded(Image.new("L", (width, height), 255), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def bombs():
    """Yield (name, bytes) of small files that would take much memory or much time, or never end."""
    pillow_heif.register_heif_opener()
    small = png(8, 8)
    yield "over 50,000 x 50,000.png", png(50_000, 50_000)
    yield "over 10,001 x 10,000.jpg", encoded(Image.new("L", (10_001, 10_000)), "JPEG")
    icon = png(20_000, 20_000)
    yield "over, in an icon.png", struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(icon), 22) + icon
    gif = encoded(drawn("L", (8, 8)), "GIF")
    frame = gif.index(b"\x2c", 13 + 3 * 2 ** (1 + (gif[10] & 7)))
    yield "100,000 frames.gif", gif[:frame] + gif[frame:-1] * 100_000 + b";"
    yield "100,000 comments.gif", gif[:frame] + b"!\xfe\x0a0123456789\0" * 100_000 + gif[frame:]
    tiff = bytearray(encoded(drawn("L", (8, 8)), "TIFF"))
    start = struct.unpack_from("<I", tiff, 4)[0]
    end = start + 2 + 12 * struct.unpack_from("<H", tiff, start)[0]
    tiff[end : end + 4] = struct.pack("<I", start)
    yield "directory in a circle.tiff", bytes(tiff)
    yield "65,000 tags of 2 MB.tiff", directory(65_000, 2_000_000)
    yield "EXIF of 65,000 tags.png", png(8, 8, chunk(b"eXIf", directory(65_000, 1_000_000)))
    yield "EXIF of 65,000 tags.webp", encoded(drawn("RGB", (8, 8)), "WEBP", exif=directory(65_000, 1_000_000))
    yield "EXIF of 65,000 tags.heic", encoded(drawn("RGB", (64, 64)), "HEIF", exif=b"Exif\0\0" + directory(65_000, 1_000_000))
    segments = directory(5000, 60_000)
    segments = [b"Exif\0\0" + segments[i : i + 60_000] for i in range(0, len(segments), 60_000)]
    jpeg = encoded(drawn("L", (8, 8)), "JPEG")
    yield "EXIF in parts.jpg", jpeg[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments) + jpeg[2:]
    yield "a million comments.jpg", jpeg[:2] + b"\xff\xfe\0\x02" * 1_000_000 + jpeg[2:]
    yield "3,000 scans.jpg", jpeg_of_scans(*LARGE[12], 3000)
    yield "a million chunks.png", png(8, 8, chunk(b"teSt", b"") * 1_000_000)
    yield "zTXt of 1 GB.png", png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**9), 1)))
    yield "iCCP of 1 GB.png", png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**9), 1)))
    yield "IDAT of 1 GB.png", png(8, 8, compressed=zlib.compress(bytes(10**9), 1))
    noise = np.random.default_rng(0).integers(0, 254, 3 * 4000 * 3000, np.uint8)
    yield "levels to 254.ppm", b"P6 4000 3000 254\n" + noise.tobytes()
    yield "text.ppm", b"P3 4000 3000 255\n" + b"0 99 255 " * 12_000_000
    header = struct.pack("<2sIHHIIiiHHIIIIII", b"BM", 0, 0, 0, 1078, 40, 4000, 3000, 1, 8, 1, 0, 0, 0, 256, 0)
    yield "runs of one.bmp", header + bytes(1024) + b"\x01\x80" * 12_000_000 + b"\0\x01"
    for width, height in ((0, 0), (1, 100_000), (100_000, 1)):
        yield f"{width} x {height}.png", png(width, height)
        yield f"{width} x {height}.pgm", b"P5 %d %d 255\n" % (width, height) + bytes(width * height)
        yield f"{width} x {height}.gif", gif[:6] + struct.pack("<HH", min(width, 65_535), min(height, 65_535)) + gif[10:]
    pages = [drawn("L", (8, 8))] * 300
    yield "300 pages.tif", encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield "text.png", b"no image"
    yield "page.png", b"<!doctype html><svg xmlns='http://www.w3.org/2000/svg'><circle r='9'/></svg>"
    yield "empty.png", b""
    emoji = "emoji \N{GRINNING FACE}".encode()
    names = (b"two words", b"line\nbreak", b"quo\"te's", emoji, b"not \xff utf-8", b"-dash", b"*?[a]", b"a" * 250)
    for name in names:
        yield os.fsdecode(name) + ".png", small


def make_others(folder):
    """Put fonts, and what is no regular file, into the folder, each with the ending of an image."""
    import matplotlib

    for font in sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("*.ttf"))[:3]:
        shutil.copy(font, folder / f"{font.name}.png")
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path has at most 107 bytes
        listener.bind("socket.png")
        os.chdir(here)
    targets = {"zero": "/dev/zero", "null": "/dev/null", "random": "/dev/urandom", "itself": "itself.png", "nowhere": "/absent"}
    targets |= {"one": "other.png", "other": "one.png", "link": CUSTOM_DIGITS_DIR / "7" / "barred_ballpen_photo.jpg"}
    for name, target in targets.items():
        (folder / f"{name}.png").symlink_to(target)
    (folder / "below").symlink_to(folder)  # a reader that followed it would never end
    (folder / "folder.png").mkdir()


def large_images():
    """Yield (name, function that makes the image, format, options) of images of 12, 50 and 100 megapixels."""
    modes = {
        12: {
            "RGB": ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "HEIF", "TGA"),
            "RGBA": ("PNG", "WEBP", "TIFF", "JPEG2000"), "CMYK": ("JPEG", "TIFF"), "L": ("GIF", "PNG", "JPEG"), "LA": ("PNG",),
            "P": ("PNG", "TIFF"), "1": ("PNG", "TIFF", "PPM"),
            "I;16": ("PNG", "TIFF", "PPM"), "F": ("TIFF",),
        },
        50: {
            "RGB": ("PNG", "JPEG", "WEBP", "JPEG2000", "BMP"), "RGBA": ("PNG",), "I;16": ("PNG",), "CMYK": ("TIFF",),
            "L": ("GIF",),
        },
        100: {"RGB": ("PNG", "JPEG", "JPEG2000"), "RGBA": ("PNG",), "I;16": ("PNG",), "F": ("TIFF",)},
    }  # fmt: skip
    for megapixels, size in LARGE.items():
        grain = 25 if megapixels == 12 else 0  # which makes it slower to read, and much slower to write
        for mode, formats in modes[megapixels].items():
            for format in formats:
                options = {"transparency": 0} if (mode, format) == ("P", "PNG") else {}
                yield f"{megapixels} MP {mode}", functools.partial(drawn, mode, size, grain), format, options
        progressive = {"progressive": True, "subsampling": 0, "quality": 95}
        yield f"{megapixels} MP progressive", functools.partial(drawn, "CMYK", size, grain), "JPEG", progressive
    yield "12 MP lossless", functools.partial(drawn, "RGB", LARGE[12], 25), "WEBP", {"lossless": True, "method": 0, "quality": 0}


def make(folder):
    """Make all images in an empty folder."""
    small = small_images() | small_documents()
    for name, content in small.items():
        (folder / f"whole {name}.png").write_bytes(content)
        for i in range(TRUNCATIONS):
            (folder / f"truncated {name} {i:02}.png").write_bytes(content[: len(content) * i // TRUNCATIONS])
    rng = random.Random(0)
    for i in range(FLIPS):
        name = list(small)[i % len(small)]
        content = bytearray(small[name])
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (folder / f"flipped {name} {i:04}.png").write_bytes(content)
    for name, content in itertools.chain(bombs(), pdf_bombs()):
        (folder / name).write_bytes(content)
    make_others(folder)
    for name, image, format, options in large_images():
        image().save(folder / f"{name} {format}.png", format, **options)
