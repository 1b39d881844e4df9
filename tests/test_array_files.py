"""Arrays are read as the files hold them; what is damaged, hostile or of another shape is refused with a message."""

import contextlib
import io
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from arrays import idx_bytes, small_arrays, write_idx
from conftest import PROJECT

from digits.common.errors import UserError
from digits.data.array_files import ARRAYS, IDX_FILES, MAX_IMAGES, read_arrays

IMAGES_HEADER = bytes([0, 0, 8, 3])
TEST_ARRAYS = ("x_test", "y_test")


def refusal(path, names=ARRAYS):
    """Return the text with which the path is refused."""
    with pytest.raises(UserError) as refused:
        read_arrays(path, names)
    return str(refused.value)


# ---- IDX files and folders ------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    assert "There is no" in refusal(tmp_path / "absent.npz")
    assert "Expected an .npz file or a folder" in refusal(tmp_path / "absent.npz")


def test_a_folder_without_data_is_refused_with_the_names_it_lacks(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    text = refusal(tmp_path)
    for name in IDX_FILES.values():
        assert name in text


def with_images(folder, content):
    """Return a folder whose test images have this content, its test labels being right."""
    write_idx(folder, {"y_test": small_arrays()["y_test"]})
    (folder / IDX_FILES["x_test"]).write_bytes(content)
    return folder


IMAGES = idx_bytes(small_arrays()["x_test"])  # 16 bytes of header, 4 * 784 of pixels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IMAGES[:-5], "declares 3,136 bytes of data and holds only 3,131"),
        (IMAGES + b"\0", "declares 3,136 bytes of data and holds more"),
        (b"", "does not begin as such a file does (empty)"),
        (IMAGES[:9], "does not begin as such a file does (00000803)"),
        (b"PK\3\4" + IMAGES[4:], "does not begin as such a file does (504b0304)"),
        (bytes([0, 0, 8, 1]) + IMAGES[4:], "does not begin as such a file does (00000801)"),
        (bytes([0, 0, 13, 3]) + IMAGES[4:], "does not begin as such a file does (00000d03)"),  # 13: 32-bit floats
        (IMAGES_HEADER + struct.pack(">3I", 2**32 - 1, 28, 28), "declares the shape (4294967295, 28, 28)"),
        (IMAGES_HEADER + struct.pack(">3I", 1, 2**32 - 1, 28), "declares the shape (1, 4294967295, 28)"),
        (IMAGES_HEADER + struct.pack(">3I", 4, 32, 32) + bytes(4096), "declares the shape (4, 32, 32)"),
    ],
    ids="truncated longer empty short-header magic dimensions floats many large 32x32".split(),
)
def test_a_damaged_idx_file_is_refused_with_its_declared_and_real_size(content, message, tmp_path):
    text = refusal(with_images(tmp_path, content), TEST_ARRAYS)
    assert message in text
    assert "t10k-images-idx3-ubyte" in text


def test_a_truncated_or_broken_gzip_file_is_refused(tmp_path):
    write_idx(tmp_path, small_arrays(), gzipped=True)
    path = tmp_path / f"{IDX_FILES['x_test']}.gz"
    whole = path.read_bytes()
    broken, garbled = bytearray(whole), bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF  # gzip notices by its check sum
    garbled[10] |= 6  # the first byte after gzip's header: a kind of block that does not exist
    for content in (whole[: len(whole) // 2], bytes(broken), bytes(garbled), b"not gzipped"):
        path.write_bytes(content)
        assert "can't be read" in refusal(tmp_path, TEST_ARRAYS)


def test_a_header_that_declares_too_much_data_allocates_no_memory(tmp_path):
    # The largest count that is accepted, 392 MB of images, in a file of 19 bytes. In a process of its own, because the
    # peak of this one may be higher already.
    pytest.importorskip("resource", reason="Windows measures memory otherwise")
    with_images(tmp_path, IMAGES_HEADER + struct.pack(">3I", MAX_IMAGES, 28, 28) + b"abc")
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from digits.common.errors import UserError\nfrom digits.data.array_files import read_arrays\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_arrays(Path(sys.argv[1]), ('x_test', 'y_test'))\n"
        "except UserError as error:\n    print(error, file=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=PROJECT, capture_output=True, text=True)
    assert "declares 392,000,000 bytes of data and holds only 3" in result.stderr
    assert int(result.stdout) < 100_000 * (1024 if sys.platform == "darwin" else 1)  # kB, on a Mac bytes


# ---- .npz files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((6, 32, 32), np.uint8)}, "x_train is (6, 32, 32) of uint8"),
        ({"x_train": np.zeros((6, 784), np.uint8)}, "x_train is (6, 784) of uint8"),
        ({"x_train": np.zeros((6, 28, 28, 1), np.uint8)}, "x_train is (6, 28, 28, 1) of uint8"),
        ({"x_train": np.zeros((6, 28, 28), np.float32)}, "x_train is (6, 28, 28) of float32"),
        ({"x_train": np.full((6, 28, 28), np.nan)}, "x_train is (6, 28, 28) of float64"),
        ({"x_train": np.full((6, 28, 28), 256)}, "x_train is (6, 28, 28) of int64"),
        ({"x_train": np.zeros(6, np.uint8)}, "x_train is (6,) of uint8"),
        ({"y_test": np.zeros((4, 28, 28), np.uint8)}, "y_test is (4, 28, 28) of uint8"),
        ({"y_test": np.full(4, np.nan)}, "y_test is (4,) of float64"),
        ({"y_test": np.array(["1", "2", "3", "4"])}, "y_test is (4,) of <U1"),
        ({"y_test": np.eye(10, dtype=np.uint8)[:4]}, "y_test is (4, 10) of uint8"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_arrays_of_another_shape_or_type_are_refused(changes, message, tmp_path):
    np.savez(tmp_path / "own.npz", **(small_arrays() | changes))
    text = refusal(tmp_path / "own.npz")
    assert message in text
    assert "Expected" in text


def test_an_npz_that_lacks_an_array_is_refused_with_the_names_it_holds(tmp_path):
    arrays = small_arrays()
    del arrays["y_train"]
    np.savez(tmp_path / "own.npz", **arrays)
    text = refusal(tmp_path / "own.npz")
    assert "holds no y_train, only x_train.npy, x_test.npy, y_test.npy" in text
    assert read_arrays(tmp_path / "own.npz", TEST_ARRAYS)["y_test"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"five, seven, nine\n", b"", b"PK\3\4 and no more"], ids=["text", "empty", "cut"])
def test_a_file_that_is_no_zip_archive_is_refused(content, tmp_path):
    (tmp_path / "own.npz").write_bytes(content)
    assert "can't be read as an .npz file" in refusal(tmp_path / "own.npz")


def npz_with_header(path, header, version=1, shadow=None):
    """Write an .npz with two test images under this .npy header, as text. shadow: content of a member "x_test"."""
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    content = b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("ascii") + bytes(2 * 784)
    labels = io.BytesIO()
    np.save(labels, np.zeros(2, np.uint8))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_test.npy", content)
        archive.writestr("y_test.npy", labels.getvalue())
        if shadow is not None:
            archive.writestr("x_test", shadow)
    return path


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 28, 28), }"


def test_the_header_that_the_next_tests_change_is_accepted(tmp_path):
    assert len(read_arrays(npz_with_header(tmp_path / "own.npz", HEADER), TEST_ARRAYS)["x_test"]) == 2


def test_a_pickle_is_refused_and_not_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    for name in ("x_test", "y_test"):
        np.savez(tmp_path / "own.npz", **(small_arrays() | {name: np.array([Trap()] * 4, object)}))
        assert f"{name} is (4,) of object" in refusal(tmp_path / "own.npz")
    (tmp_path / "own.npz").write_bytes(pickle.dumps(Trap()))  # numpy.load itself would take it for a pickle
    refusal(tmp_path / "own.npz")
    hidden = io.BytesIO()
    np.save(hidden, np.array([Trap()] * 2, object))
    with contextlib.suppress(UserError):  # the harmless array beside it may be read, this one never
        read_arrays(npz_with_header(tmp_path / "own.npz", HEADER, shadow=hidden.getvalue()), TEST_ARRAYS)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("count", ["1000000000000", "500001", "500000", "3", "-1", "2.0"])
def test_an_npz_that_declares_another_size_than_it_holds_is_refused(count, tmp_path):
    refusal(npz_with_header(tmp_path / "own.npz", HEADER.replace("(2,", f"({count},")), TEST_ARRAYS)


@pytest.mark.parametrize("header", [HEADER.replace(")", "0"), HEADER[:30], "\n  x\n y", HEADER.replace("(2", "(True")])
def test_an_npz_with_a_damaged_header_is_refused(header, tmp_path):
    refusal(npz_with_header(tmp_path / "own.npz", header), TEST_ARRAYS)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_an_npz_in_a_compression_that_needs_unlimited_memory_is_refused(compression, tmp_path):
    # 6.5 kB in bzip2 under the header of ten images took 10.9 GB of memory: the first read unpacked all of its 8 GB.
    plain = npz_with_header(tmp_path / "plain.npz", HEADER)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "own.npz", "w", compression) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    assert "x_test is compressed as NumPy never does" in refusal(tmp_path / "own.npz", TEST_ARRAYS)


def test_long_names_in_an_npz_are_shortened_in_the_message(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        for i in range(9):
            archive.writestr(f"{i}" * 60_000, b"")
    assert len(refusal(tmp_path / "own.npz")) < 1000


def test_an_npz_with_two_arrays_of_a_name_gives_the_checked_one(tmp_path):
    other = io.BytesIO()
    np.save(other, np.full((2, 5), 7.0))
    path = npz_with_header(tmp_path / "own.npz", HEADER, shadow=other.getvalue())
    with contextlib.suppress(UserError):  # refusing it is as good
        assert read_arrays(path, TEST_ARRAYS)["x_test"].shape == (2, 28, 28)
