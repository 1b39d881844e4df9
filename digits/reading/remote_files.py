"""Files that are named by an address, such as s3://bucket/scans/7.png or gs://bucket/7.png, through PyArrow's file systems.

Credentials, region and a server other than Amazon's come from where these file systems look for them: AWS_ACCESS_KEY_ID,
AWS_REGION, AWS_ENDPOINT_URL and so on in the environment, or the files of the cloud's own tools.
"""

import functools
import io
import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from pyarrow import fs

from digits.common.errors import UserError
from digits.data.labelled_folder import IMAGE_SUFFIXES, images_in
from digits.reading.decoding import MAX_PIXELS
from digits.reading.page_images import open_ordinary_file, split_name
from digits.reading.parallel import FetchedImage

ADDRESS = re.compile("([a-z][a-z0-9+.-]+://[^/]*)/*(.*)", re.DOTALL)  # the file system with its bucket, and the path there
MAX_FILE_SIZE = 3 * MAX_PIXELS  # bytes: of the largest image that is read, not compressed


def is_remote(name: str) -> bool:
    """Tell whether a name is an address, not a local path."""
    return ADDRESS.fullmatch(name) is not None


def list_folder(name: str) -> tuple[Sequence[Any], int] | None:
    """Return (names of the images in a folder and its sub-folders, sorted; number of the other files); None where there is none.

    name: a path or an address. Raises UserError where an address can't be reached.
    """
    if not is_remote(name):
        return images_in(name) if os.path.isdir(name) else None
    file_system, path = locate(name)
    try:
        if file_system.get_file_info(path).type != fs.FileType.Directory:
            return None
        found = file_system.get_file_info(fs.FileSelector(path, recursive=True))
    except OSError as error:
        raise unreachable(name, error) from error
    root = name[: name.index("://") + 3]
    files = sorted(info.path for info in found if info.is_file)
    images = [root + path for path in files if PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES]
    return images, len(files) - len(images)


def fetch(name: str) -> FetchedImage:
    """Return a remote image, or the page of one, with its file's content. A file with the very name of a page has precedence.

    Raises UserError, which says why it can't be fetched.
    """
    try:
        try:
            return FetchedImage(name, open_file(name).read(), None)
        except FileNotFoundError:
            path, number = split_name(name)
            if number is None:
                raise
            return FetchedImage(name, open_file(str(path)).read(), number)
    except FileNotFoundError:
        raise UserError("there is no such file") from None
    except OSError as error:
        raise UserError(f"it can't be fetched ({_first_line(error)})") from error


def open_file(name: str) -> BinaryIO:
    """Return an open binary file; of an address it holds the content. Raises OSError, or UserError where it is too large."""
    if not is_remote(name):
        return open_ordinary_file(name)
    file_system, path = locate(name)
    with file_system.open_input_file(path) as file:
        if file.size() > MAX_FILE_SIZE:
            raise UserError(f"it has {file.size() // 10**6:,} MB; at most {MAX_FILE_SIZE // 10**6:,} are read")
        return io.BytesIO(file.read())


def locate(name: str) -> tuple[Any, str]:
    """Return (the file system, the path in it) of an address. Raises UserError where it can't be used, ValueError for a path."""
    match = ADDRESS.fullmatch(name)
    if match is None:
        raise ValueError(f"{name} is no address: is_remote tells")
    file_system, base = _file_system(match[1])
    return file_system, f"{base}/{match[2]}".rstrip("/")


def unreachable(name: str, error: Exception) -> UserError:
    """Return the UserError that says that an address can't be used, and why."""
    return UserError(
        f"{name} can't be reached: {_first_line(error)}.\n"
        "Expected an address such as s3://bucket/folder, and its credentials and region in the environment."
    )


@functools.cache
def _file_system(root: str) -> tuple[Any, str]:
    """Return (the file system, the path of its bucket) of the first part of an address. Asking for the region takes a request."""
    try:
        return fs.FileSystem.from_uri(root)
    except (OSError, ValueError) as error:  # PyArrow's own ArrowInvalid is a ValueError
        raise unreachable(root, error) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
