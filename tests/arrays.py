"""Arrays and data files that several tests make."""

import gzip
import struct

import numpy as np

from digits.data.array_files import IDX_FILES


def small_arrays(train=6, test=4):
    """Return valid arrays that are not MNIST: {"x_train": ..., "y_train": ..., "x_test": ..., "y_test": ...}."""
    generator = np.random.default_rng(0)
    counts = {"train": train, "test": test}
    images = {f"x_{part}": generator.integers(0, 256, (n, 28, 28)).astype(np.uint8) for part, n in counts.items()}
    return images | {f"y_{part}": (np.arange(n) % 10).astype(np.uint8) for part, n in counts.items()}


def images_and_blank():
    """Return 20 images of noise on black, white on black as MNIST's are, and a blank one: (21, 28, 28) uint8."""
    images = np.zeros((21, 28, 28), np.uint8)
    images[:20, 4:24, 4:24] = np.random.default_rng(1).integers(0, 256, (20, 20, 20))
    return images


def idx_bytes(array):
    """Return an array of uint8 as the content of an IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(folder, arrays, gzipped=False):
    """Write the arrays as MNIST's IDX files and return the folder."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        path = folder / IDX_FILES[name]
        if gzipped:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx_bytes(array), compresslevel=1))
        else:
            path.write_bytes(idx_bytes(array))
    return folder


def read_mnist(folder):
    """Return MNIST's arrays from the folder with its four files, read without the code under test."""
    arrays = {}
    for name, stem in IDX_FILES.items():
        content = gzip.decompress((folder / f"{stem}.gz").read_bytes())
        shape = (-1, 28, 28) if name[0] == "x" else (-1,)
        arrays[name] = np.frombuffer(content, np.uint8, offset=16 if name[0] == "x" else 8).reshape(shape)
    return arrays
