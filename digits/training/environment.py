"""What a model card says of the machine and the libraries with which a network was trained."""

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("keras", "tensorflow", "numpy", "opencv-python-headless")  # whose versions may change what is learned


def environment() -> dict[str, Any]:
    """Return the entries "versions" and "machine" of a ModelCard."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):  # another package may provide it, such as opencv-python or tensorflow-cpu
            versions[package] = version(package)
    return {"versions": versions, "machine": f"{platform.system()} {platform.machine()}"}
