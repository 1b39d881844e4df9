"""What a model card says of the machine and the libraries with which a network was trained."""

import platform
from importlib.metadata import version
from typing import Any

PACKAGES = ("keras", "tensorflow", "numpy", "opencv-python-headless")  # whose versions may change what is learned


def environment() -> dict[str, Any]:
    """Return the entries "versions" and "machine" of a ModelCard."""
    return {
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "machine": f"{platform.system()} {platform.machine()}",
    }
