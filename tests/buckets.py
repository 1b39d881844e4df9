"""A server that speaks S3 on this machine, for the tests of s3://."""

import contextlib
import logging
import os
import urllib.request
from collections.abc import Iterator
from unittest import mock

from moto.server import ThreadedMotoServer
from pyarrow import fs

from digits.reading import remote_files


@contextlib.contextmanager
def bucket(name: str) -> Iterator[fs.S3FileSystem]:
    """Yield the file system of a server with one empty bucket; the environment says where it is, as a user's would."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # it would print each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    # All servers of a process share their buckets, also those that ended.
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    remote_files._file_system.cache_clear()  # of a server before
    with mock.patch.dict(os.environ, environment):
        file_system = fs.S3FileSystem(endpoint_override=address, allow_bucket_creation=True)
        file_system.create_dir(name)
        yield file_system
    server.stop()


def put(file_system: fs.S3FileSystem, files: dict[str, bytes]) -> None:
    """Write {path in the file system: content}."""
    for path, content in files.items():
        with file_system.open_output_stream(path) as file:
            file.write(content)
