"""MNIST: where it is looked for on this machine, and where it is downloaded from.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.common.config import DATA_DIR
from digits.common.errors import UserError
from digits.data.array_files import read_arrays

logger = logging.getLogger(__name__)

# SHA-256 of each array's bytes (uint8, C order). Archives of the same arrays differ in their time stamps.
ARRAY_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
# Seconds to wait for a connection, and for each next part of the data: with two servers, a machine without internet says within
# 10 seconds that MNIST can't be downloaded.
DOWNLOAD_TIMEOUT = 4


class MnistNotFound(UserError):
    """MNIST is neither on this machine nor can it be downloaded."""


@dataclass(frozen=True)
class Source:
    """An address to download MNIST from.

    url: of the folder that holds the files, ending in "/". hashes: {file name: "algorithm:hex digest"} as its publisher states
    them. cache: name of the one file, or of a folder for several, in Keras' folder of data sets.
    """

    url: str
    hashes: Mapping[str, str]
    cache: str

    def cache_path(self) -> Path:
        """Return where the files are kept, in the folder that Keras uses too: a file, or a folder for several."""
        keras_home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
        return Path(keras_home) / "datasets" / self.cache

    def download(self) -> None:
        """Download the files to the cache. Raises OSError, whose text names the url and the reason."""
        cache = self.cache_path()
        for name, known_hash in self.hashes.items():
            download(self.url + name, known_hash, cache if len(self.hashes) == 1 else cache / name)


SOURCES = (
    Source(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # Keras'
        {"mnist.npz": "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
        "mnist.npz",
    ),
    Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # torchvision's
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
        "mnist_idx",
    ),
)


def find_arrays(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return {name: array} from data/, from Keras' cache, or downloaded into it; the first that is there.

    names: some of array_files.ARRAYS. What lies in data/ is taken as it is, also where it is not MNIST.
    Raises UserError where data/ holds damaged files, MnistNotFound where nothing is there and no download succeeds.
    """
    if any(DATA_DIR.glob("*.npz")) or any(DATA_DIR.glob("*ubyte*")):
        return read_arrays(DATA_DIR, names)
    for source in SOURCES:
        try:
            arrays = read_arrays(source.cache_path(), names)
        except UserError:
            continue  # absent or damaged; a download replaces it
        if are_mnist(arrays):
            return arrays
        logger.warning("%s is not MNIST and is ignored.", source.cache_path())

    problems = []
    for source in SOURCES:
        try:
            source.download()
            return read_arrays(source.cache_path(), names)
        except OSError as error:
            problems.append(str(error))
    raise MnistNotFound(
        "MNIST is not on this machine, and it could not be downloaded:\n"
        + "".join(f"  {problem}\n" for problem in problems)
        + f"Expected mnist.npz or MNIST's four IDX files in {DATA_DIR}, or a connection to the internet.\n"
        "To go on: put the files there, or name them with --data PATH."
    )


def are_mnist(arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether the arrays, {name: array}, hold MNIST's values, in any integer type."""
    return all(
        hashlib.sha256(np.ascontiguousarray(array, np.uint8).data).hexdigest() == ARRAY_SHA256[name]
        for name, array in arrays.items()
    )


def download(url: str, known_hash: str, path: Path) -> None:
    """Download the url to the path, whole and with this hash or not at all. A file that has the hash already is kept.

    known_hash: "md5:" or "sha256:" and the hex digest. Raises OSError, whose text names the url and the reason.
    """
    import pooch  # here: only a download needs it

    pooch.get_logger().setLevel(logging.ERROR)  # it writes to standard error by itself
    logger.warning("Downloading %s", url)
    try:
        pooch.retrieve(
            url, known_hash, fname=path.name, path=path.parent, downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT)
        )
    except (OSError, ValueError) as error:  # pooch raises ValueError for another hash; the errors of requests are OSErrors
        cause: BaseException = error
        while inner := cause.__cause__ or cause.__context__:  # the system's own message, not that of each library around it
            cause = inner
        raise OSError(f"{url}: {str(cause).removesuffix(f' for url: {url}')}") from error
