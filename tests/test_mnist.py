"""MNIST is looked for in data/, in the cache, then downloaded: whole and with the right hash, or not at all."""

import hashlib
import http.server
import logging
import re
import shutil
import socket
import threading
import time

import numpy as np
import pooch
import pytest
from arrays import read_mnist, small_arrays

from digits.data import dataset, mnist
from digits.data.array_files import ARRAYS

# ---- downloads ------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(mnist, "DOWNLOAD_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        hang_up = threading.Timer(10, listening.shutdown, [socket.SHUT_RDWR])  # so that a lost timeout fails, not hangs
        hang_up.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        hang_up.cancel()


def closed_url():
    """Return the url of a server that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


CONTENT = bytes(range(256)) * 9000  # 2.3 MB: more than one block of any reader


def hash_of(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_download_with_the_right_hash_is_kept(algorithm, server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    path = tmp_path / "new" / "folder" / "file"
    mnist.download(url + "file", hash_of(CONTENT, algorithm), path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["file", "cut", "absent"])
def test_a_failed_download_names_the_url_and_leaves_the_earlier_file(name, server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    path = tmp_path / "cache" / "file"
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    with pytest.raises(OSError, match=re.escape(url + name)) as failed:
        mnist.download(url + name, "sha256:" + "0" * 64, path)
    assert {"file": "hash", "cut": "900 more expected", "absent": "404"}[name] in str(failed.value)
    assert path.read_bytes() == b"earlier"
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_of_the_earlier_file_is_not_affected_by_a_download(server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    (tmp_path / "file").write_bytes(b"earlier")
    with open(tmp_path / "file", "rb") as file:
        mnist.download(url + "file", hash_of(CONTENT), tmp_path / "file")
        assert file.read() == b"earlier"


def test_a_download_with_a_wrong_hash_leaves_nothing_and_names_both_hashes(server, tmp_path):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    with pytest.raises(OSError) as failed:
        mnist.download(url + "file", "md5:" + "0" * 32, tmp_path / "cache" / "file")
    assert url + "file" in str(failed.value)
    assert "0" * 32 in str(failed.value)
    assert hashlib.md5(CONTENT).hexdigest() in str(failed.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_writes_one_line_to_standard_error_through_logging(server, tmp_path, caplog, capfd):
    url, served = server
    (served / "file").write_bytes(CONTENT)
    pooch.get_logger().setLevel(logging.NOTSET)
    mnist.download(url + "file", hash_of(CONTENT), tmp_path / "file")
    assert [record.getMessage() for record in caplog.records if record.name.startswith("digits")] == [f"Downloading {url}file"]
    assert capfd.readouterr() == ("", "")
    assert not pooch.get_logger().isEnabledFor(logging.WARNING), "pooch's own logger writes to standard error, too"


def test_a_server_out_of_reach_gives_an_oserror_that_names_the_url_and_the_reason(tmp_path):
    url = closed_url() + "file"
    with pytest.raises(OSError, match=re.escape(url) + ".*Connection refused"):
        mnist.download(url, "md5:" + "0" * 32, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_gives_an_oserror_that_names_the_url(silent_server, tmp_path):
    started = time.monotonic()
    with pytest.raises(OSError, match=re.escape(silent_server) + "file: timed out"):
        mnist.download(silent_server + "file", "md5:" + "0" * 32, tmp_path / "file")
    assert time.monotonic() - started < 5


# ---- where MNIST is looked for --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist_arrays(mnist_folder):
    return read_mnist(mnist_folder)


def keras_source(url, known_hash):
    """Return Keras' address of the one archive, served elsewhere."""
    return mnist.Source(url, {"mnist.npz": known_hash}, mnist.SOURCES[0].cache)


def mirror(url):
    """Return the mirror of the four files, served elsewhere, with the published hashes."""
    return mnist.Source(url, mnist.SOURCES[1].hashes, mnist.SOURCES[1].cache)


@pytest.fixture
def no_mnist(tmp_path, monkeypatch):
    """No data/, an empty cache, no server within reach. Returns the cache's folder."""
    monkeypatch.setattr(mnist, "DATA_DIR", tmp_path / "data")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(mnist, "SOURCES", (keras_source(closed_url(), "sha256:" + "0" * 64), mirror(closed_url())))
    return tmp_path / "keras" / "datasets"


def test_without_mnist_the_message_names_both_servers_and_the_remedy(no_mnist, tmp_path):
    with pytest.raises(mnist.MnistNotFound) as refused:
        dataset.load()
    text = str(refused.value)
    for source in mnist.SOURCES:
        assert source.url in text
    assert str(tmp_path / "data") in text
    assert "--data PATH" in text


def test_what_lies_in_the_data_folder_is_taken_first(no_mnist, mnist_arrays, tmp_path):
    no_mnist.mkdir(parents=True)
    np.savez(no_mnist / "mnist.npz", x_test=mnist_arrays["x_test"], y_test=mnist_arrays["y_test"])
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "own.npz", **small_arrays())
    data = dataset.load(parts=("test",))
    assert np.array_equal(data.x_test, small_arrays()["x_test"])
    assert data.name == f"not MNIST ({dataset.DATA_DIR})"


def test_mnist_in_the_cache_needs_no_download(no_mnist, mnist_arrays):
    no_mnist.mkdir(parents=True)
    np.savez(no_mnist / "mnist.npz", x_test=mnist_arrays["x_test"], y_test=mnist_arrays["y_test"])
    assert dataset.load(parts=("test",)).is_mnist


def test_an_archive_in_the_cache_that_is_not_mnist_is_ignored(no_mnist, caplog):
    no_mnist.mkdir(parents=True)
    np.savez(no_mnist / "mnist.npz", **small_arrays())
    with pytest.raises(mnist.MnistNotFound):
        mnist.find_arrays(ARRAYS)
    assert f"{no_mnist / 'mnist.npz'} is not MNIST and is ignored." in caplog.text


def test_a_damaged_archive_in_the_cache_is_replaced_by_a_download(no_mnist, server, monkeypatch):
    url, served = server
    no_mnist.mkdir(parents=True)
    (no_mnist / "mnist.npz").write_bytes(b"damaged")
    np.savez(served / "mnist.npz", **small_arrays())
    monkeypatch.setattr(mnist, "SOURCES", (keras_source(url, hash_of((served / "mnist.npz").read_bytes())),))
    assert np.array_equal(mnist.find_arrays(ARRAYS)["x_test"], small_arrays()["x_test"])


def test_the_mirror_stands_in_for_the_first_server(no_mnist, server, mnist_folder, mnist_arrays, monkeypatch):
    url, served = server
    for path in mnist_folder.glob("*.gz"):
        shutil.copy(path, served)
    monkeypatch.setattr(mnist, "SOURCES", (mnist.SOURCES[0], mirror(url)))
    for source in ("downloaded", "from the cache"):
        arrays = mnist.find_arrays(ARRAYS)
        for name, array in mnist_arrays.items():
            assert np.array_equal(arrays[name], array), (source, name)
        shutil.rmtree(served, ignore_errors=True)


def test_arrays_are_mnist_by_their_values_in_any_integer_type(mnist_arrays):
    assert mnist.are_mnist({"y_test": mnist_arrays["y_test"].astype(np.int64)})
    assert not mnist.are_mnist({"y_test": mnist_arrays["y_test"][::-1]})
