"""Data is recognised, checked and refused by what the files hold, whatever they are named or claim to be."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest

from conftest import PROJECT
from digits import dataset
from digits.config import UserError

IMAGES_HEADER = bytes([0, 0, 8, 3])
LABELS_HEADER = bytes([0, 0, 8, 1])


def small_arrays(train=6, test=4):
    """Return valid arrays that are not MNIST."""
    generator = np.random.default_rng(0)
    counts = {"train": train, "test": test}
    images = {f"x_{part}": generator.integers(0, 256, (n, 28, 28)).astype(np.uint8) for part, n in counts.items()}
    return images | {f"y_{part}": (np.arange(n) % 10).astype(np.uint8) for part, n in counts.items()}


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(folder, arrays, gzipped=False):
    """Write the arrays as MNIST's IDX files and return the folder."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        path = folder / dataset.IDX_FILES[name]
        if gzipped:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx_bytes(array), compresslevel=1))
        else:
            path.write_bytes(idx_bytes(array))
    return folder


def refusal(path, parts=("train", "test")):
    """Return the text with which the path is refused."""
    with pytest.raises(UserError) as refused:
        dataset.load(path, parts)
    return str(refused.value)


# ---- MNIST ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist_arrays(mnist_folder):
    """MNIST's arrays, read without the code under test."""
    arrays = {}
    for name, stem in dataset.IDX_FILES.items():
        content = gzip.decompress((mnist_folder / f"{stem}.gz").read_bytes())
        shape = (-1, 28, 28) if name[0] == "x" else (-1,)
        arrays[name] = np.frombuffer(content, np.uint8, offset=16 if name[0] == "x" else 8).reshape(shape)
    return arrays


def assert_is_mnist(data, arrays):
    assert data.name == "MNIST"
    assert data.is_mnist
    for name, array in arrays.items():
        assert np.array_equal(getattr(data, name), array), name


def test_mnist_is_known_from_gzipped_idx_files(mnist_folder, mnist_arrays):
    assert_is_mnist(dataset.load(mnist_folder), mnist_arrays)


def test_mnist_is_known_from_plain_idx_files(mnist_arrays, tmp_path):
    assert_is_mnist(dataset.load(write_idx(tmp_path / "idx", mnist_arrays)), mnist_arrays)


def test_mnist_is_known_from_an_npz_of_its_arrays(mnist_arrays, tmp_path):
    # Labels as int64, as other programs save them: the sums are of the values.
    arrays = mnist_arrays | {name: mnist_arrays[name].astype(np.int64) for name in ("y_train", "y_test")}
    np.savez(tmp_path / "any_name.npz", **arrays)
    data = dataset.load(tmp_path / "any_name.npz")
    assert_is_mnist(data, mnist_arrays)
    assert data.y_test.dtype == np.uint8
    assert_is_mnist(dataset.load(tmp_path), mnist_arrays)  # the folder that holds it


def test_one_changed_pixel_is_not_mnist(mnist_arrays, tmp_path):
    images = mnist_arrays["x_test"].copy()
    images[9999, 27, 27] += 1
    np.savez(tmp_path / "changed.npz", x_test=images, y_test=mnist_arrays["y_test"])
    data = dataset.load(tmp_path / "changed.npz", parts=("test",))
    assert data.name == f"not MNIST ({tmp_path / 'changed.npz'})"
    assert not data.is_mnist


def test_the_test_part_needs_only_its_two_files(mnist_folder, mnist_arrays, tmp_path):
    for name in ("x_test", "y_test"):
        shutil.copy(mnist_folder / f"{dataset.IDX_FILES[name]}.gz", tmp_path)
    data = dataset.load(tmp_path, parts=("test",))
    assert_is_mnist(data, {name: mnist_arrays[name] for name in ("x_test", "y_test")})
    assert data.x_train.shape == (0, 28, 28)
    assert data.y_train.shape == (0,)
    text = refusal(tmp_path)
    assert "train-images-idx3-ubyte, train-labels-idx1-ubyte" in text
    assert "t10k" not in text


# ---- other data sets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["idx", "idx.gz", "npz"])
def test_other_arrays_are_read_and_named_not_mnist(form, tmp_path):
    arrays = small_arrays()
    path = tmp_path / "own.npz"
    if form == "npz":
        np.savez(path, **arrays)
    else:
        path = write_idx(tmp_path / "own", arrays, gzipped=form == "idx.gz")
    data = dataset.load(path)
    assert data.name == f"not MNIST ({path})"
    for name, array in arrays.items():
        assert np.array_equal(getattr(data, name), array)
        assert getattr(data, name).dtype == np.uint8


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    assert "There is no" in refusal(tmp_path / "absent.npz")
    assert "Expected an .npz file or a folder" in refusal(tmp_path / "absent.npz")


def test_a_folder_without_data_is_refused_with_the_names_it_lacks(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    text = refusal(tmp_path)
    for name in dataset.IDX_FILES.values():
        assert name in text


def with_images(folder, content):
    """Return a folder whose test pictures have this content, its test labels being right."""
    write_idx(folder, {"y_test": small_arrays()["y_test"]})
    (folder / dataset.IDX_FILES["x_test"]).write_bytes(content)
    return folder


IMAGES = idx_bytes(small_arrays()["x_test"])  # 16 bytes of header, 4 * 784 of pixels


@pytest.mark.parametrize(
    ("content", "said"),
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
def test_a_damaged_idx_file_is_refused_with_what_it_declares_and_holds(content, said, tmp_path):
    text = refusal(with_images(tmp_path, content), parts=("test",))
    assert said in text
    assert "t10k-images-idx3-ubyte" in text


def test_a_truncated_or_broken_gzip_file_is_refused(tmp_path):
    write_idx(tmp_path, small_arrays(), gzipped=True)
    path = tmp_path / f"{dataset.IDX_FILES['x_test']}.gz"
    whole = path.read_bytes()
    broken, garbled = bytearray(whole), bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF  # gzip notices by its check sum
    garbled[10] |= 6  # the first byte after gzip's header: a kind of block that does not exist
    for content in (whole[: len(whole) // 2], bytes(broken), bytes(garbled), b"not gzipped"):
        path.write_bytes(content)
        assert "can't be read" in refusal(tmp_path, parts=("test",))


def test_a_header_that_lies_takes_no_memory(tmp_path):
    # The most pictures that are believed, 392 MB of them, in a file of 19 bytes. In a process of its own, because the
    # peak of this one may lie higher already.
    pytest.importorskip("resource", reason="Windows measures memory otherwise")
    with_images(tmp_path, IMAGES_HEADER + struct.pack(">3I", 500_000, 28, 28) + b"abc")
    program = (
        "import resource, sys\nfrom digits import dataset\nfrom digits.config import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    dataset.load(sys.argv[1], parts=('test',))\n"
        "except UserError as error:\n    print(error, file=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=PROJECT, capture_output=True, text=True)
    assert "declares 392,000,000 bytes of data and holds only 3" in result.stderr
    assert int(result.stdout) < 100_000 * (1024 if sys.platform == "darwin" else 1)  # kB, on a Mac bytes


# ---- .npz files that are not what they say --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
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
        ({"y_test": np.array([1, 2, 3, 10], np.uint8)}, "labels from 1 to 10"),
        ({"y_test": np.array([-1, 2, 3, 4])}, "labels from -1 to 4"),
        ({"y_test": np.array([1, 2, 3, 300])}, "labels from 1 to 300"),  # 300 is 44 in 8 bits
        ({"y_test": np.array([1, 2, 3, 256])}, "labels from 1 to 256"),  # and 256 is 0
        ({"y_test": np.array([1, 2, 3], np.uint8)}, "4 pictures and 3 labels"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, np.uint8)}, "0 pictures and 0 labels"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_arrays_that_are_no_digits_are_refused(changes, said, tmp_path):
    np.savez(tmp_path / "own.npz", **(small_arrays() | changes))
    text = refusal(tmp_path / "own.npz")
    assert said in text
    assert "Expected" in text


def test_an_npz_without_an_array_is_refused_with_what_it_holds(tmp_path):
    arrays = small_arrays()
    del arrays["y_train"]
    np.savez(tmp_path / "own.npz", **arrays)
    text = refusal(tmp_path / "own.npz")
    assert "holds no y_train, only x_train.npy, x_test.npy, y_test.npy" in text
    assert dataset.load(tmp_path / "own.npz", parts=("test",)).y_test.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"five, seven, nine\n", b"", b"PK\3\4 and no more"], ids=["text", "empty", "cut"])
def test_a_file_that_is_only_named_npz_is_refused(content, tmp_path):
    (tmp_path / "own.npz").write_bytes(content)
    assert "can't be read as an .npz file" in refusal(tmp_path / "own.npz")


def npz_with_header(path, header, version=1, shadow=None):
    """Write an .npz with two test pictures under this .npy header, as text. shadow: content of a member "x_test"."""
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


def test_the_header_that_the_next_tests_change_is_a_good_one(tmp_path):
    assert len(dataset.load(npz_with_header(tmp_path / "own.npz", HEADER), parts=("test",)).x_test) == 2


def test_a_pickle_is_refused_and_never_loaded(tmp_path):
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
        dataset.load(npz_with_header(tmp_path / "own.npz", HEADER, shadow=hidden.getvalue()), parts=("test",))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("count", ["1000000000000", "500001", "500000", "3", "-1", "2.0"])
def test_an_npz_that_declares_what_it_does_not_hold_is_refused(count, tmp_path):
    refusal(npz_with_header(tmp_path / "own.npz", HEADER.replace("(2,", f"({count},")), parts=("test",))


@pytest.mark.parametrize("header", [HEADER.replace(")", "0"), HEADER[:30], "\n  x\n y", HEADER.replace("(2", "(True")])
def test_an_npz_with_a_damaged_header_is_refused(header, tmp_path):
    refusal(npz_with_header(tmp_path / "own.npz", header), parts=("test",))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_an_npz_in_a_compression_that_unpacks_without_bounds_is_refused(compression, tmp_path):
    # 6.5 kB in bzip2 under the header of ten pictures took 10.9 GB of memory: the first read unpacked all of its 8 GB.
    plain = npz_with_header(tmp_path / "plain.npz", HEADER)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "own.npz", "w", compression) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    assert "x_test is compressed as NumPy never does" in refusal(tmp_path / "own.npz", parts=("test",))


def test_of_the_names_in_an_npz_only_the_beginnings_are_shown(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        for i in range(9):
            archive.writestr(f"{i}" * 60_000, b"")
    assert len(refusal(tmp_path / "own.npz")) < 1000


def test_the_fingerprint_is_of_pictures_and_labels_in_turn(tmp_path):
    np.savez(tmp_path / "own.npz", **(small_arrays() | {"x_train": np.asfortranarray(small_arrays()["x_train"])}))
    expected = hashlib.sha256(small_arrays()["x_train"].tobytes() + small_arrays()["y_train"].tobytes()).hexdigest()
    assert dataset.load(tmp_path / "own.npz").fingerprint() == expected


def test_an_npz_with_a_second_array_of_the_name_does_not_pass_unchecked(tmp_path):
    other = io.BytesIO()
    np.save(other, np.full((2, 5), 7.0))
    path = npz_with_header(tmp_path / "own.npz", HEADER, shadow=other.getvalue())
    with contextlib.suppress(UserError):  # refusing it is as good
        assert dataset.load(path, parts=("test",)).x_test.shape == (2, 28, 28)


# ---- where MNIST is looked for, and downloads -----------------------------------------------------------------


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; of a path that ends in /cut it sends a tenth and hangs up."""

    def do_GET(self):
        if self.path.endswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        else:
            super().do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A running web server: (its url, the folder that it serves)."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Handler(*arguments, directory=str(folder))
    ) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def silent_server(monkeypatch):
    """The url of a server that takes connections and never answers."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(dataset, "CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hang_up = threading.Timer(10, listening.shutdown, [socket.SHUT_RDWR])  # so that a lost timeout fails, not hangs
        hang_up.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        hang_up.cancel()


def closed_url():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


CONTENT = bytes(range(256)) * 9000  # 2.3 MB: more than two of the blocks that are read at once


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_download_arrives_whole_and_checked(algorithm, server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    path = tmp_path / "new" / "folder" / "file"
    dataset.download(url + "file", hashlib.new(algorithm, CONTENT).hexdigest(), path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["file", "cut", "absent"])
def test_a_failed_download_names_the_url_and_leaves_the_earlier_file(name, server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    path = tmp_path / "cache" / "file"
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    with pytest.raises(OSError, match=re.escape(url + name)):
        dataset.download(url + name, "0" * 64, path)
    assert path.read_bytes() == b"earlier"
    assert list(path.parent.iterdir()) == [path]


def test_who_has_the_earlier_file_open_is_not_disturbed_by_a_download(server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    (tmp_path / "file").write_bytes(b"earlier")
    with open(tmp_path / "file", "rb") as file:
        dataset.download(url + "file", hashlib.sha256(CONTENT).hexdigest(), tmp_path / "file")
        assert file.read() == b"earlier"


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    with pytest.raises(OSError, match=f"checksum {hashlib.md5(CONTENT).hexdigest()}, expected {'0' * 32}"):
        dataset.download(url + "file", "0" * 32, tmp_path / "cache" / "file")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_server_out_of_reach_gives_an_oserror_that_names_the_url(tmp_path):
    url = closed_url() + "file"
    with pytest.raises(OSError, match=re.escape(url)):
        dataset.download(url, "0" * 32, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_gives_an_oserror_that_names_the_url(silent_server, tmp_path):
    with pytest.raises(OSError, match=re.escape(silent_server) + "file: timed out"):
        dataset.download(silent_server + "file", "0" * 32, tmp_path / "file")


@pytest.fixture
def no_mnist(tmp_path, monkeypatch):
    """No data/, an empty cache, no server within reach. Returns the cache's folder."""
    monkeypatch.setattr(dataset, "DATA_DIR", tmp_path / "data")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(dataset, "KERAS_ARCHIVE", (closed_url() + "mnist.npz", "0" * 64))
    monkeypatch.setattr(dataset, "MIRROR", closed_url())
    return tmp_path / "keras" / "datasets"


def test_without_mnist_the_message_names_both_servers_and_the_remedy(no_mnist, tmp_path):
    with pytest.raises(dataset.NoData) as refused:
        dataset.load()
    text = str(refused.value)
    assert dataset.KERAS_ARCHIVE[0] in text
    assert dataset.MIRROR in text
    assert str(tmp_path / "data") in text
    assert "--data PATH" in text


def test_mnist_in_the_cache_needs_no_download(no_mnist, mnist_arrays):
    no_mnist.mkdir(parents=True)
    np.savez(no_mnist / "mnist.npz", x_test=mnist_arrays["x_test"], y_test=mnist_arrays["y_test"])
    assert dataset.load(parts=("test",)).is_mnist


def test_an_archive_in_the_cache_that_is_not_mnist_is_left_aside(no_mnist):
    no_mnist.mkdir(parents=True)
    np.savez(no_mnist / "mnist.npz", **small_arrays())
    with pytest.raises(dataset.NoData):
        dataset.load()


def test_a_damaged_archive_in_the_cache_is_replaced_by_a_download(no_mnist, server, monkeypatch):
    url, served = server
    no_mnist.mkdir(parents=True)
    (no_mnist / "mnist.npz").write_bytes(b"damaged")
    np.savez(served / "mnist.npz", **small_arrays())
    checksum = hashlib.sha256((served / "mnist.npz").read_bytes()).hexdigest()
    monkeypatch.setattr(dataset, "KERAS_ARCHIVE", (url + "mnist.npz", checksum))
    assert np.array_equal(dataset.load().x_test, small_arrays()["x_test"])


def test_the_mirror_stands_in_for_the_first_server(no_mnist, server, mnist_folder, mnist_arrays, monkeypatch):
    url, served = server
    for path in mnist_folder.glob("*.gz"):
        shutil.copy(path, served)
    monkeypatch.setattr(dataset, "MIRROR", url)  # with the published sums of its files
    assert_is_mnist(dataset.load(), mnist_arrays)
    shutil.rmtree(served)  # the second time they come from the cache
    assert_is_mnist(dataset.load(), mnist_arrays)


# ---- splits and the bundled digits ----------------------------------------------------------------------------


def test_a_split_is_complete_disjoint_and_the_same_share_of_every_digit():
    labels = np.repeat(np.arange(10), np.arange(10, 200, 20)).astype(np.uint8)  # 10 of 0, 30 of 1, ... 190 of 9
    training, validation = dataset.split_validation(labels, 0.1, seed=3)
    assert sorted([*training, *validation]) == list(range(len(labels)))
    assert np.bincount(labels[validation]).tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    for part in (training, validation):
        assert (np.diff(labels[part].astype(int)) < 0).any(), "the part is sorted by digit"


def test_a_split_depends_on_the_seed_alone():
    labels = np.arange(1000) % 10
    first, again, other = [dataset.split_validation(labels, 0.2, seed) for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert set(first[1]) != set(other[1])


def test_the_bundled_digits_have_mnists_form():
    data = dataset.bundled_digits()
    assert (len(data.x_train), len(data.x_test)) == (1438, 359)
    assert data.name == dataset.BUNDLED
    assert not data.is_mnist
    images = np.concatenate([data.x_train, data.x_test])
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert images.max() == 255
    mass = images.sum(axis=(1, 2))
    centre_y = images.sum(axis=2) @ np.arange(28) / mass
    centre_x = images.sum(axis=1) @ np.arange(28) / mass
    assert abs(centre_y - 14).max() <= 0.5
    assert abs(centre_x - 14).max() <= 0.5


def test_the_bundled_digits_keep_their_labels():
    from sklearn.neighbors import KNeighborsClassifier

    data = dataset.bundled_digits()
    neighbour = KNeighborsClassifier(1).fit(data.x_train.reshape(-1, 784), data.y_train)
    assert neighbour.score(data.x_test.reshape(-1, 784), data.y_test) > 0.95  # 0.98 when written; chance is 0.1
    counts = np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


# ---- people's own pictures ------------------------------------------------------------------------------------


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def relative(folder, labelled):
    return [(path.relative_to(folder).as_posix(), label) for path, label in labelled]


def test_pictures_are_found_below_the_folder_sorted_and_others_counted(tmp_path):
    touch(tmp_path, "b.png", "a/2.JPG", "a/10.heic", "c/d/e.tiff", "notes.txt", "a/.gitkeep", "x.png.bak")
    paths, others = dataset.pictures_in(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["a/10.heic", "a/2.JPG", "b.png", "c/d/e.tiff"]
    assert others == 3


def test_a_picture_that_a_kill_left_unfinished_is_none(tmp_path):
    touch(tmp_path, "7/x.png", "7/.new-abc.png")
    assert dataset.pictures_in(tmp_path) == ([tmp_path / "7" / "x.png"], 0)
    assert relative(tmp_path, dataset.labelled_pictures(tmp_path)[0]) == [("7/x.png", "7")]


def test_a_sub_folder_named_with_digits_is_the_label(tmp_path):
    touch(tmp_path, "7/x.png", "42/y.jpg", "007/z.png", "sketches/s.png", "7a/t.png", "²/u.png", "v.png", "7/n.txt")
    labelled, unlabelled = dataset.labelled_pictures(tmp_path)
    assert relative(tmp_path, labelled) == [("007/z.png", "007"), ("42/y.jpg", "42"), ("7/x.png", "7")]
    assert unlabelled == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_labels_csv_wins_over_the_sub_folder(encoding, tmp_path):
    # Excel saves "CSV UTF-8" with a byte order mark, which would otherwise become part of the first column's name.
    touch(tmp_path, "7/x.png", "7/wrong.png", "scans/ä.png", "rows.png", "loose.png")
    rows = ["file,label", "7/wrong.png,1", "scans/ä.png, 42 ", "./rows.png,3|9", "loose.png,"]
    (tmp_path / "labels.csv").write_bytes("\r\n".join(rows).encode(encoding))
    labelled, unlabelled = dataset.labelled_pictures(tmp_path)
    expected = [("7/wrong.png", "1"), ("7/x.png", "7"), ("rows.png", "3|9"), ("scans/ä.png", "42")]
    assert relative(tmp_path, labelled) == expected
    assert unlabelled == 1


def test_a_listed_picture_that_is_missing_is_not_dropped(tmp_path):
    touch(tmp_path, "here.png")
    (tmp_path / "labels.csv").write_text("file,label\nhere.png,1\ngone.png,2\n")
    labelled, unlabelled = dataset.labelled_pictures(tmp_path)
    assert relative(tmp_path, labelled) == [("gone.png", "2"), ("here.png", "1")]
    assert unlabelled == 0


def test_a_folder_with_nothing_labelled_is_refused_with_the_count(tmp_path):
    assert "holds no labelled picture (0 without a label)" in str(refused_folder(tmp_path))
    touch(tmp_path, "a.png", "b/c.png")
    assert "holds no labelled picture (2 without a label)" in str(refused_folder(tmp_path))
    assert "There is no folder" in str(refused_folder(tmp_path / "absent"))
    assert "There is no folder" in str(refused_folder(tmp_path / "a.png"))


@pytest.mark.parametrize(
    "content",
    [b"name,digit\nx.png,1\n", b"file;label\nx.png;1\n", b"file,label\nx.png\n", b"file,label\n\xe4.png,1\n", b"label\n1\n"],
    ids=["columns", "semicolons", "short row", "not UTF-8", "no file"],
)
def test_a_broken_labels_csv_is_refused_by_name(content, tmp_path):
    touch(tmp_path, "7/x.png")
    (tmp_path / "labels.csv").write_bytes(content)
    text = str(refused_folder(tmp_path))
    assert str(tmp_path / "labels.csv") in text
    assert "Expected a CSV file with the columns file and label" in text


def refused_folder(folder):
    with pytest.raises(UserError) as refused:
        dataset.labelled_pictures(folder)
    return refused.value
