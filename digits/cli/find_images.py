"""Which images the names on a command line mean."""

import glob
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from digits.common.errors import UserError
from digits.common.formatting import counted, printable
from digits.data.labelled_folder import images_in

Folder = tuple[Sequence[Any], int]  # (the images in it and below it, the number of the other files)


def list_local_folder(path: str) -> Folder | None:
    """Return the Folder at a path; None where there is none."""
    return images_in(path) if os.path.isdir(path) else None


def find_images(names: Iterable[str], list_folder: Callable[[str], Folder | None] = list_local_folder) -> list[str]:
    """Return the paths of the images, in the order given; folders and patterns give theirs sorted.

    names: of images, folders and patterns; "**" in a pattern stands for folders in any depth. What one pattern matches several
    times, as a file and in a folder, is given once. list_folder: as list_local_folder, perhaps for other places, too. What is
    left out is counted on standard error. Raises UserError where there is no image at all.
    """
    paths: list[str] = []
    for name in names:
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) and not os.path.lexists(name) else [name]
        if not matches:
            print(f"nothing matches {printable(name)}", file=sys.stderr)
        of_name: list[str] = []
        for match in matches:
            folder = list_folder(match)
            if folder is None:
                of_name.append(match)
                continue
            images, others = folder
            of_name += map(str, images)
            if others or not images:
                found = f"{counted(len(images), 'image')}, {counted(others, 'other file')} left out"
                print(f"{printable(match)}: {found}", file=sys.stderr)
        paths += dict.fromkeys(of_name)
    if not paths:
        raise UserError("There is no image to read.\nExpected images, folders with images or patterns that match some.")
    return paths
