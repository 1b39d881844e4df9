"""A sheet with fields, such as a meter card or an order form -> what is written in each field.

The sheet is decoded once, large; each field is cut out of it with a margin and read as an image of its own, after what is printed
in it has been removed.
"""

import csv
import dataclasses
import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digits.common.errors import UserError
from digits.reading.alignment import Reference
from digits.reading.expectation import Expectation
from digits.reading.image import WORKING_SIDE, ImageSource, LoadedImage, load_image, name_of
from digits.reading.print_removal import remove_print
from digits.reading.reader import Reader
from digits.reading.results import Box, Reading, Status

SHEET_SIDE = 3508  # pixels of the longer side, to which larger sheets are reduced: A4 at 300 dots an inch
MARGIN = 0.4  # heights of a field, on each side of it, that are read with it: for strokes that leave it
# Pixels; other fields are enlarged or reduced to them; the Reader reduces them, too.
MIN_FIELD_SIDE, MAX_FIELD_SIDE = 8, 2 * WORKING_SIDE
MAX_OUTSIDE = 0.01  # of the image's sides, by which a field may reach beyond it: a box at the border, and an inexact alignment

ROUNDING = 1e-9  # of a sum of shares such as 0.7 + 0.3: float64 is exact to 1e-16, and a pixel is 1e-4
NUMBERS = ("x", "y", "width", "height")
COLUMNS = ("name", *NUMBERS, "expect")  # of fields.csv; the last is optional
RESERVED_NAMES = ("image", "status", "message", "unsure")  # columns of the answers, before those of the fields
NAME_SEPARATOR = ";"  # between the names of the fields that are not sure
EXPECTED_COLUMNS = (
    "Expected a first line with name,x,y,width,height and, if you like, expect, and a line for each field, "
    "with commas between the columns, points in the numbers, and saved in UTF-8."
)
EXPECTED_SHARES = (
    "Expected shares of the page from its upper left, 0 to 1, such as 0.25, not pixels; width and height above 0; "
    "x + width and y + height at most 1."
)
ALL_EMPTY = (
    "all its fields are empty; if something is written on it, it does not lie as the form does: turn or move it, "
    "or align it to a sheet of the form (--align)"
)
NOT_ALIGNED = "it could not be aligned"  # how the message of a sheet begins that does not surely match the reference
EXPECTED_REFERENCE = "Expected an image of a sheet of the form, blank or filled in, as --align blank.jpg."


@dataclass(frozen=True)
class Field:
    """A part of a form that is read.

    name: as a column of the answers may be named. x, y, width, height: shares of the upright page from its upper left, 0 to 1.
    expect: as in Reader.read. UserError is raised where one of them can't be used.
    """

    name: str
    x: float
    y: float
    width: float
    height: float
    expect: str | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name in RESERVED_NAMES or NAME_SEPARATOR in self.name or not self.name.isprintable():
            raise UserError(
                f"the name {self.name!r} can't be used.\n"
                f"Expected one line of text without {NAME_SEPARATOR!r}, other than {', '.join(RESERVED_NAMES)}."
            )
        right, bottom = self.x + self.width, self.y + self.height
        if not (0 <= self.x and 0 <= self.y and 0 < self.width and 0 < self.height and max(right, bottom) <= 1 + ROUNDING):
            raise _no_part_of_a_page({column: getattr(self, column) for column in NUMBERS})
        if self.expect is not None:
            Expectation.parse(self.expect)


@dataclass(frozen=True)
class FieldReading(Reading):
    """What was read in a field, with boxes in pixels of the sheet, which has the width and the thumbnail.

    cut: (h, w) uint8, the field with its margin as it is in the sheet, straight; None where the field was not looked at.
    written: the same without what is printed: what was read; None where nothing is written.
    """

    cut: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    written: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class FormReading(Reading):
    """What was read in a sheet. fields: {name: what was read in the field}, in the form's order.

    status: the worst of the fields: "error", "unsure" or "ok"; an empty field is in order. A sheet that was not aligned is unsure
    where all its fields are empty: it may lie upside down. text, digits, marks: of all fields in turn, each field on text lines
    of its own. message: why which field is not sure.
    """

    fields: Mapping[str, FieldReading] = dataclasses.field(default_factory=dict)

    @property
    def unsure(self) -> list[str]:
        """The names of the fields that are not sure."""
        return [name for name, reading in self.fields.items() if reading.status == "unsure"]

    def to_json(self) -> dict[str, Any]:
        """Return the entry that predict_custom.py --json writes for the sheet."""
        entries = {name: reading.to_json() for name, reading in self.fields.items()}
        shown = ("status", "text", "digits", "marks")
        return super().to_json() | {"fields": {name: {key: entry[key] for key in shown} for name, entry in entries.items()}}


@dataclass(frozen=True)
class Form:
    """The fields of a form, and a sheet of it, blank or filled in, by which others are aligned; None: they need no alignment.

    UserError is raised where there is no field, or where two have one name.
    """

    fields: tuple[Field, ...]
    reference: Reference | None = None

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names or len(set(names)) < len(names):
            raise UserError(
                f"The names of the form's fields are {names}.\nExpected at least one field, and a different name for each."
            )

    @classmethod
    def load(cls, fields: str | os.PathLike, reference: str | os.PathLike | None = None) -> "Form":
        """Return the form of a fields.csv and, where the sheets are to be aligned, of an image of the reference.

        Raises UserError where one of them can't be used.
        """
        return cls(load_fields(fields)) if reference is None else cls.with_reference(load_fields(fields), reference)

    @classmethod
    def with_reference(cls, fields: tuple[Field, ...], reference: ImageSource) -> "Form":
        """Return a form whose sheets are aligned. reference: as an image in Reader.read. Raises UserError if it can't be used."""
        try:
            return cls(fields, Reference.of(load_image(reference, SHEET_SIDE)))
        except UserError as error:
            raise UserError(f"The reference can't be used: {error}\n{EXPECTED_REFERENCE}") from error

    def read(self, reader: Reader, image: ImageSource) -> FormReading:
        """Return what is written in the fields of a sheet. image: as in Reader.read.

        A sheet that can't be read has the status "error"; one that can't be aligned is "unsure", and none of its fields is read.
        """
        name = name_of(image)
        try:
            sheet = load_image(image, SHEET_SIDE)
        except UserError as error:
            return self.unread(name, "error", str(error))
        width, thumbnail = sheet.full_size[0], sheet.thumbnail()
        try:
            to_image = np.eye(3) if self.reference is None else self.reference.align(sheet)
        except UserError as error:
            return replace(self.unread(name, "unsure", f"{NOT_ALIGNED}: {error}"), width=width, thumbnail=thumbnail)
        grey = cv2.cvtColor(sheet.pixels, cv2.COLOR_RGB2GRAY)
        readings = {field.name: _read_field(reader, grey, sheet, field, to_image) for field in self.fields}
        read = _joined(FormReading(name, "ok", width=width, thumbnail=thumbnail, fields=readings))
        all_empty = all(reading.status == "empty" for reading in readings.values())
        return replace(read, status="unsure", message=ALL_EMPTY) if all_empty and self.reference is None else read

    def unread(self, image: str, status: Status, message: str) -> FormReading:
        """Return the FormReading of a sheet whose fields could not be read."""
        return FormReading(image, status, message=message, fields={field.name: FieldReading("", status) for field in self.fields})


def load_fields(path: str | os.PathLike) -> tuple[Field, ...]:
    """Return the fields of a fields.csv. Raises UserError, with the number of the line, where it can't be used."""
    name = os.fsdecode(path)
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise UserError(f"{name} can't be read: {error.strerror}.\n{EXPECTED_COLUMNS}") from error
    return parse_fields(content, name)


def parse_fields(content: bytes, name: str = "fields.csv") -> tuple[Field, ...]:
    """Return the fields of the content of a fields.csv. name: of the file, for messages. Raises UserError as load_fields does."""
    fields: dict[str, Field] = {}
    line = 1
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [column.strip() for column in next(rows, [])]
        if sorted(header) not in (sorted(COLUMNS), sorted(COLUMNS[:-1])):
            raise UserError(f"its columns are {', '.join(header) or 'missing'}.\n{EXPECTED_COLUMNS}")
        line = rows.line_num + 1  # where the next row begins: it may have line breaks between quotes
        while (row := next(rows, None)) is not None:
            if any(cell.strip() for cell in row):
                if len(row) != len(header):
                    raise UserError(f"it has {len(row)} cells, and the first line has {len(header)}.\n{EXPECTED_COLUMNS}")
                field = _field(dict(zip(header, (cell.strip() for cell in row), strict=True)))
                if field.name in fields:
                    raise UserError(f"the name {field.name!r} stands there a second time.\nExpected another name for each field.")
                fields[field.name] = field
            line = rows.line_num + 1
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: it is no text in UTF-8.\n{EXPECTED_COLUMNS}") from error
    except csv.Error as error:
        raise UserError(f"{name}, line {line}: it is no CSV ({error}).\n{EXPECTED_COLUMNS}") from error
    except UserError as error:
        raise UserError(f"{name}, line {line}: {error}") from error
    if not fields:
        raise UserError(f"{name}, line {rows.line_num}: no field follows.\n{EXPECTED_COLUMNS}")
    return tuple(fields.values())


def _field(cells: Mapping[str, str]) -> Field:
    """Return the field of a row of fields.csv. Raises UserError."""
    try:
        x, y, width, height = (float(cells[column]) for column in NUMBERS)
    except ValueError:
        raise _no_part_of_a_page({column: cells[column] for column in NUMBERS}) from None
    return Field(cells["name"], x, y, width, height, cells.get("expect") or None)


def _no_part_of_a_page(shares: Mapping[str, object]) -> UserError:
    found = ", ".join(f"{column} {share!r}" for column, share in shares.items())
    return UserError(f"{found} is no part of a page.\n{EXPECTED_SHARES}")


def _read_field(reader: Reader, grey: np.ndarray, sheet: LoadedImage, field: Field, to_image: np.ndarray) -> FieldReading:
    """Return what is written in a field, with the boxes in pixels of the full sheet.

    grey: the sheet, (height, width) uint8. to_image: (3, 3), from shares of the form's page to shares of the image.
    """
    size = np.array(grey.shape[::-1], float)
    to_pixels = np.diag([*size, 1]) @ to_image
    corners_on_page = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float) * [field.width, field.height] + [field.x, field.y]
    corners = cv2.perspectiveTransform(corners_on_page[None], to_pixels)[0]
    if (corners < -MAX_OUTSIDE * size).any() or (corners > (1 + MAX_OUTSIDE) * size).any():
        return FieldReading("", "unsure", message="it is not wholly in the image")
    cut, to_sheet, edges = _cut_out(grey, field, corners, to_pixels)
    written = remove_print(cut, edges)
    if written is None:
        return FieldReading("", "empty", cut=cut)
    reading = reader.read(written, field.expect, upright=True)
    to_full = np.diag([*sheet.scale, 1]) @ to_sheet
    return FieldReading(
        "",
        reading.status,
        reading.text,
        reading.message,
        tuple(replace(digit, box=_box_in_sheet(digit.box, to_full, sheet.full_size)) for digit in reading.digits),
        tuple(replace(mark, box=_box_in_sheet(mark.box, to_full, sheet.full_size)) for mark in reading.marks),
        cut=cut,
        written=written,
    )


def _cut_out(
    grey: np.ndarray, field: Field, corners: np.ndarray, to_pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float, float]]:
    """Return (what is cut out; the homography, (3, 3), from its pixels to those of the sheet; where the field's edges are in it).

    What is cut out: the field with its margin, (h, w) uint8, straight. The edges: left, top, right, bottom, in its pixels.
    grey: as in _read_field. corners: (4, 2), of the field in the sheet, in pixels, clockwise from the upper left. to_pixels:
    (3, 3), from shares of the form's page to pixels of the sheet.
    """
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = (top + bottom) / 2, (left + right) / 2
    scale = min(1.0, MAX_FIELD_SIDE / max(width, height))
    width, height = max(scale * width, MIN_FIELD_SIDE), max(scale * height, MIN_FIELD_SIDE)
    margin = MARGIN * height
    # From pixels of what is cut out to shares of the page.
    to_page = np.array(
        [
            [field.width / width, 0, field.x - field.width * margin / width],
            [0, field.height / height, field.y - field.height * margin / height],
            [0, 0, 1],
        ]
    )
    to_sheet = to_pixels @ to_page
    size = math.ceil(width + 2 * margin), math.ceil(height + 2 * margin)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpPerspective(grey, to_sheet, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut, to_sheet, (margin, margin, margin + width, margin + height)


def _box_in_sheet(box: Box, to_full: np.ndarray, full_size: tuple[int, int]) -> Box:
    """Return the smallest box in the full sheet, of at least one pixel, that holds a box of what was cut out."""
    x, y, width, height = box
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
    seen = cv2.perspectiveTransform(corners[None], to_full)[0]
    start = np.clip(np.floor(seen.min(axis=0)), 0, np.array(full_size) - 1)
    end = np.clip(np.ceil(seen.max(axis=0)), start + 1, full_size)
    left, top, right, bottom = (int(side) for side in (*start, *end))
    return left, top, right - left, bottom - top


def _joined(sheet: FormReading) -> FormReading:
    """Return the reading of a sheet with what its fields give together: status, text, message, digits and marks."""
    digits, marks, row = [], [], 0
    for reading in sheet.fields.values():
        digits += [replace(digit, row=digit.row + row) for digit in reading.digits]
        marks += [replace(mark, row=mark.row + row) for mark in reading.marks]
        row += reading.text.count("|") + 1
    messages = [f"{name}: {sheet.fields[name].message}" for name in sheet.unsure]
    return replace(
        sheet,
        status="unsure" if messages else "ok",
        text="|".join(reading.text for reading in sheet.fields.values()),
        message="; ".join(messages),
        digits=tuple(digits),
        marks=tuple(marks),
    )
