"""The images that the page offers as examples: which there are, and the file of one of them."""

from pathlib import Path

from digits.data.labelled_folder import IMAGE_SUFFIXES, images_in


def list_examples(folder: Path) -> list[str]:
    """Return the names of the images in a folder, relative to it, with "/", sorted. [] where there is no such folder.

    Left out is what find_example refuses, and names that are not Unicode, which no address can hold.
    """
    if not folder.is_dir():
        return []
    names = [path.relative_to(folder).as_posix() for path in images_in(folder)[0]]
    return [name for name in names if _is_unicode(name) and find_example(folder, name)]


def find_example(folder: Path, name: str) -> Path | None:
    """Return the path of the image of this name, or None where the folder holds no such image.

    The name comes from a browser, so it may be anything. The folder itself may be a link; what lies in it must not lead out.
    """
    path = Path(name)
    if path.anchor or ".." in path.parts or path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    try:
        target = (folder / path).resolve(strict=True)
        inside = target.is_relative_to(folder.resolve()) and target.is_file()
    except (OSError, RuntimeError, ValueError):  # there is no such file; links in a circle; a zero byte in the name
        return None
    return folder / path if inside else None


def _is_unicode(name: str) -> bool:
    return name == name.encode(errors="replace").decode()
