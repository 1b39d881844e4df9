"""What the server answers, as JSON: docs/json_and_http.md describes it for other programs."""

import base64

import cv2
import numpy as np
from pydantic import BaseModel

from digits.reading.form import Field, FieldReading, FormReading
from digits.reading.image import LoadedImage
from digits.reading.results import Box, Digit, Mark, Reading, Status

JPEG_QUALITY = 90  # 0 to 100, of sheets and fields that are sent; set by hand, not measured


class Message(BaseModel):
    """The answer to /keep, and to every request that is refused."""

    message: str


class DigitResponse(BaseModel):
    """One digit that was read."""

    digit: int
    confidence: float  # 0 to 1
    box: Box  # x, y, width, height, in pixels of the upright image
    probabilities: list[float]  # of 0 to 9
    crop: str  # base64 of 28 x 28 grey levels, white on black, row by row

    @classmethod
    def from_digit(cls, digit: Digit) -> "DigitResponse":
        """Return the response for a digit."""
        return cls(
            digit=digit.digit,
            confidence=digit.confidence,
            box=digit.box,
            probabilities=[round(float(probability), 4) for probability in digit.probabilities],
            crop=base64.b64encode(digit.crop.tobytes()).decode(),
        )


class MarkResponse(BaseModel):
    """One mark that was read."""

    mark: str  # . , - / or :
    row: int  # of its text line, from 0
    after: int  # the number of digits before it in that text line
    confidence: float  # 0 to 1
    box: Box  # x, y, width, height, in pixels of the upright image

    @classmethod
    def from_mark(cls, mark: Mark) -> "MarkResponse":
        """Return the response for a mark."""
        return cls(**vars(mark))


class Preview(BaseModel):
    """The image as the program saw it: a browser can't show every format, nor turns every photograph upright."""

    png: str  # base64 of a PNG file, at most 300 pixels a side
    width: int  # of the full image, in pixels: the scale of the boxes


class ReadResponse(BaseModel):
    """The answer to /read. preview is left out if it was not asked for or the image can't be read; pages where there is one."""

    status: Status
    text: str
    message: str
    digits: list[DigitResponse]
    marks: list[MarkResponse]
    pages: int | None = None
    preview: Preview | None = None

    @classmethod
    def from_reading(cls, reading: Reading, with_preview: bool, page_count: int = 1) -> "ReadResponse":
        """Return the response for a reading. page_count: of the file."""
        response = cls(
            status=reading.status,
            text=reading.text,
            message=reading.message,
            digits=[DigitResponse.from_digit(digit) for digit in reading.digits],
            marks=[MarkResponse.from_mark(mark) for mark in reading.marks],
            pages=page_count if page_count > 1 else None,
        )
        if with_preview and reading.thumbnail is not None:
            response.preview = Preview(png=base64.b64encode(encode_png(reading.thumbnail)).decode(), width=reading.width)
        return response


class SheetResponse(BaseModel):
    """The answer to /sheet: an image as the program sees it."""

    jpeg: str  # base64 of a JPEG file
    pages: int  # of the file

    @classmethod
    def from_image(cls, image: LoadedImage, page_count: int) -> "SheetResponse":
        """Return the response for an image. page_count: of its file."""
        return cls(jpeg=_jpeg_base64(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2BGR)), pages=page_count)


class FieldPlace(BaseModel):
    """Where a field is, as in fields.csv."""

    name: str
    x: float
    y: float
    width: float
    height: float
    expect: str


class FormResponse(BaseModel):
    """The answer to /forms."""

    form: str  # the id by which /read_form knows the form
    fields: list[FieldPlace]

    @classmethod
    def from_fields(cls, form_id: str, fields: tuple[Field, ...]) -> "FormResponse":
        """Return the response for a form."""
        return cls(form=form_id, fields=[FieldPlace(**{**vars(field), "expect": field.expect or ""}) for field in fields])


class FieldResponse(BaseModel):
    """What was read in one field. cut is left out where it was not looked at, written where nothing is written in it."""

    name: str
    status: Status
    text: str
    message: str
    cut: str | None = None  # base64 of a JPEG file: the field with its margin
    written: str | None = None  # base64 of a JPEG file: the same without what is printed

    @classmethod
    def from_reading(cls, name: str, reading: FieldReading) -> "FieldResponse":
        """Return the response for a field."""
        return cls(
            name=name,
            status=reading.status,
            text=reading.text,
            message=reading.message,
            cut=None if reading.cut is None else _jpeg_base64(reading.cut),
            written=None if reading.written is None else _jpeg_base64(reading.written),
        )


class ReadFormResponse(BaseModel):
    """The answer to /read_form."""

    status: Status
    message: str
    fields: list[FieldResponse]
    pages: int | None = None

    @classmethod
    def from_reading(cls, reading: FormReading, page_count: int) -> "ReadFormResponse":
        """Return the response for the reading of a sheet. page_count: of its file."""
        return cls(
            status=reading.status,
            message=reading.message,
            fields=[FieldResponse.from_reading(name, field) for name, field in reading.fields.items()],
            pages=page_count if page_count > 1 else None,
        )


def encode_png(pixels: np.ndarray) -> bytes:
    """Return pixels, (height, width, 3) uint8 RGB, as the content of a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def _jpeg_base64(pixels: np.ndarray) -> str:
    """Return pixels, uint8, (height, width) grey or (height, width, 3) BGR, as base64 of the content of a JPEG file."""
    return base64.b64encode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()).decode()
