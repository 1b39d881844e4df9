"""Labels: the text that should be read in an image, such as "42", "12.50" or, with two text lines, "12|34"."""

import re

from digits.common.config import MARKS

# A text line of a label: a digit, before it at most a minus and a point or comma, after it digits and marks. So what looks like
# a path is no label: "/7", "../7", "7/..".
_LINE = re.compile(rf"-?[.,]?[0-9](?!.*\.\.)[0-9{re.escape(MARKS)}]*")
# A text line that may stand in a folder's name: a number as it is written with a point or commas, or with a comma or points.
# Dates are none: people sort their images into folders such as 2024-11-25 and 25.11.2024.
_FOLDER_LINE = re.compile(r"-?[0-9]+((,[0-9]+)*(\.[0-9]+)?|(\.[0-9]{3})*(,[0-9]+)?)")


def is_label(text: str) -> bool:
    """Return whether the text is a label: digits and marks, at least one digit in each text line, lines joined by "|"."""
    return all(_LINE.fullmatch(line) for line in text.split("|"))


def is_folder_label(name: str) -> bool:
    """Return whether a folder of this name gives its images their label. Such a name is a label with the marks . and , and a
    leading minus alone; labels with other marks stand in labels.csv.
    """
    return all(_FOLDER_LINE.fullmatch(line) for line in name.split("|"))


def digits_of(text: str) -> str:
    """Return the text without its marks, text lines still joined by "|"; a line that holds no digit is left out."""
    lines = text.translate(str.maketrans("", "", MARKS)).split("|")
    return "|".join(filter(None, lines))


def matches(text: str, label: str) -> bool:
    """Return whether a text that was read equals the label. Where the label holds no mark, digits and text lines alone count."""
    has_marks = any(mark in label for mark in MARKS)
    return (text if has_marks else digits_of(text)) == label
