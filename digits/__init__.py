"""Reads handwritten digits and numbers in images: Reader().read("me.jpg").text."""

from digits.reading.reader import Reader
from digits.reading.results import Digit, Mark, Reading

__all__ = ["Digit", "Mark", "Reader", "Reading"]
