"""Reading image and label arrays from .npz and IDX files that may be damaged or hostile.

Every header is checked before its data is read, so no file makes the program allocate memory for data that it doesn't hold, and
no pickle is ever loaded. Images are (N, 28, 28) uint8; labels are (N,) integers.
"""

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.common.errors import UserError
from digits.common.files import SAFE_ZIP_COMPRESSIONS

# The arrays' names in an .npz file, and the names of MNIST's IDX files (yann.lecun.com/exdb/mnist), of which either is read.
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
ARRAYS = tuple(IDX_FILES)
# Images in one array, 392 MB; a header that declares more is refused. All digits of NIST's Special Database 19, of which MNIST
# is a part, are 402,953 (QMNIST, Yadav and Bottou 2019).
MAX_IMAGES = 500_000


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return {name: array} for the names, which are some of ARRAYS, from an .npz or a folder with IDX files or one .npz.

    Raises UserError where the path is something else, or a file is damaged or declares another shape or type.
    """
    expected = "Expected an .npz file or a folder with MNIST's IDX files."
    if path.is_dir():
        return _read_folder(path, names)
    if not path.exists():
        raise UserError(f"There is no {path}.\n{expected}")
    if not path.is_file():
        raise UserError(f"{path} is a pipe or a device.\n{expected}")
    return _read_npz(path, names)


def is_image_array(name: str) -> bool:
    """Return whether the array of this name, one of ARRAYS, holds images; the others hold labels."""
    return name.startswith("x_")


def _read_folder(folder: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    files = {name: _idx_file(folder, name) for name in names}
    missing = [IDX_FILES[name] for name, file in files.items() if file is None]
    if not missing:
        return {name: _read_idx(file, dimensions=3 if is_image_array(name) else 1) for name, file in files.items() if file}
    archives = sorted(folder.glob("*.npz"))
    if len(archives) == 1:
        return _read_npz(archives[0], names)
    raise UserError(
        f"The folder {folder} does not hold {', '.join(missing)} (.gz or not), nor one .npz file.\n"
        "Expected MNIST's IDX files or an .npz with x_train, y_train, x_test and y_test."
    )


def _idx_file(folder: Path, name: str) -> Path | None:
    """Return the IDX file that holds the array of this name, or None. Some mirrors write .idx3 for -idx3."""
    for stem in (IDX_FILES[name], IDX_FILES[name].replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            if (folder / (stem + suffix)).is_file():
                return folder / (stem + suffix)
    return None


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array in an IDX file: (N, 28, 28) for 3 dimensions, (N,) for 1. Raises UserError."""
    expected = f"Expected an IDX file of bytes with {dimensions} dimension{'s' if dimensions > 1 else ''}."
    header_size = 4 + 4 * dimensions
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            header = file.read(header_size)
            # The magic number: two zeros, 8 for unsigned bytes, the number of dimensions.
            if len(header) < header_size or header[:4] != bytes([0, 0, 8, dimensions]):
                raise UserError(f"{path} does not begin as such a file does ({header[:4].hex() or 'empty'}).\n{expected}")
            shape = struct.unpack(f">{dimensions}I", header[4:])
            if shape[0] > MAX_IMAGES or shape[1:] not in ((), (IMAGE_SIZE, IMAGE_SIZE)):
                raise UserError(
                    f"{path} declares the shape {shape}.\nExpected at most {MAX_IMAGES:,} images of {IMAGE_SIZE}x{IMAGE_SIZE}."
                )
            size = math.prod(shape)
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be read: {error}.\n{expected} A fresh copy helps.") from error
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content):,}"
        raise UserError(f"{path} declares {size:,} bytes of data and holds {held}.\nA fresh copy helps.")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return {name: array} from an .npz. Raises UserError.

    numpy.load is not used: it loads pickles, and it allocates what a header declares.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                if f"{name}.npy" not in archive.namelist():
                    held = [member[:40] for member in archive.namelist()[:8]]
                    raise UserError(
                        f"{path} holds no {name}, only {', '.join(held) or 'nothing'}.\n"
                        f"Expected an .npz file with {', '.join(names)}."
                    )
                if archive.getinfo(f"{name}.npy").compress_type not in SAFE_ZIP_COMPRESSIONS:
                    raise ValueError(f"{name} is compressed as NumPy never does")
                with archive.open(f"{name}.npy") as member:
                    _check_npy_header(member, name, path)
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    except UserError:
        raise
    except Exception as error:  # zipfile and NumPy raise many types for a damaged archive
        raise UserError(
            f"{path} can't be read as an .npz file: {error or type(error).__name__}.\n"
            "Expected one with x_train, y_train, x_test and y_test, as numpy.savez writes it."
        ) from error
    return arrays


def _check_npy_header(member: IO[bytes], name: str, path: Path) -> None:
    """Raise UserError where an .npy file inside an .npz declares another shape or type than the array of this name has."""
    if np.lib.format.read_magic(member) != (1, 0):  # the version that NumPy writes for such arrays; its header is at most 64 kB
        raise ValueError(f"{name} is not in the .npy format 1.0")
    shape, _, data_type = np.lib.format.read_array_header_1_0(member)
    if (
        len(shape) != (3 if is_image_array(name) else 1)
        or shape[0] > MAX_IMAGES
        or shape[1:] not in ((), (IMAGE_SIZE, IMAGE_SIZE))
        or (data_type != np.uint8 if is_image_array(name) else data_type.kind not in "iu")
    ):
        expected = "(N, 28, 28) of uint8" if is_image_array(name) else "(N,) of whole numbers"
        raise UserError(f"{path}: {name} is {shape} of {data_type}.\nExpected {expected}.")
