"""The sheets of a form: fields.csv, what is cut out and where it lies, what the fields together say."""

import math
import re

import numpy as np
import pytest
from answers import reading
from PIL import Image

from digits.common.config import PROJECT
from digits.common.errors import UserError
from digits.reading.form import ALL_EMPTY, Field, Form, load_fields
from digits.reading.reader import Reader
from digits.reading.results import Reading

NUMBER = PROJECT / "custom_digits" / "2026" / "notebook.png"
HEADER = "name,x,y,width,height,expect\n"
SUM = Field("sum", 0.1, 0.1, 0.5, 0.1)
YEAR = Field("year", 0.1, 0.5, 0.5, 0.1, "20##")


@pytest.fixture
def fields_file(tmp_path):
    """A function that writes fields.csv and returns its path."""

    def write(text, encoding="utf-8"):
        (tmp_path / "fields.csv").write_bytes(text.encode(encoding))
        return tmp_path / "fields.csv"

    return write


def sheet(width=600, height=800):
    """Return a blank sheet with a stroke in the field SUM and one in YEAR."""
    page = np.full((height, width), 240, np.uint8)
    for y in (0.1, 0.5):
        page[round((y + 0.03) * height) : round((y + 0.08) * height), round(0.2 * width) : round(0.21 * width)] = 30
    return page


class FakeReader:
    """Answers with these Readings, in turn; images and expects are what it was given."""

    def __init__(self, *answers):
        self.answers, self.images, self.expects = list(answers), [], []

    def read(self, image, expect=None, upright=False):
        self.images.append(image)
        self.expects.append(expect)
        return self.answers[len(self.images) - 1]


# ---- fields.csv -----------------------------------------------------------------------------------------------------


def test_fields_are_loaded(fields_file):
    path = fields_file(f"{HEADER}sum, 0.1,0.1,0.5,0.1,\n\n year ,0.1,0.5,0.5,0.1,20##\n")
    assert load_fields(path) == (SUM, YEAR)


def test_columns_may_be_in_another_order_and_expect_may_be_absent(fields_file):
    path = fields_file("x,y,name,height,width\r\n0.1,0.1,sum,0.1,0.5\r\n", "utf-8-sig")  # as spreadsheets write it
    assert load_fields(path) == (SUM,)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "its columns are missing"),
        ("name,x,y,width\na,0,0,1\n", 1, "its columns are name, x, y, width."),
        ("name;x;y;width;height\n", 1, "its columns are name;x;y;width;height."),
        (HEADER.replace("expect", "expected"), 1, "its columns are name, x, y, width, height, expected."),
        (HEADER, 1, "no field follows"),
        (HEADER + "a,0,0,1,1,\nb,0,0,1,1\n", 3, "it has 5 cells, and the first line has 6"),
        (HEADER + "a,0,0,1,1,\n\na,0,0,1,1,\n", 4, "the name 'a' stands there a second time"),
        (HEADER + ",0,0,1,1,\n", 2, "the name '' can't be used"),
        (HEADER + "a;b,0,0,1,1,\n", 2, "the name 'a;b' can't be used"),
        (HEADER + '"a\nb",0,0,1,1,\n', 2, "the name 'a\\nb' can't be used"),
        *(
            (HEADER + f"{name},0,0,1,1,\n", 2, f"the name '{name}' can't be used")
            for name in ("image", "status", "message", "unsure")
        ),
        (HEADER + "a,0.5,0,0.6,1,\n", 2, "x 0.5, y 0.0, width 0.6, height 1.0 is no part of a page"),
        (HEADER + "a,-0.1,0,0.6,1,\n", 2, "x -0.1"),
        (HEADER + "a,0,0,0,1,\n", 2, "width 0.0"),
        (HEADER + "a,0,0,1,nan,\n", 2, "height nan"),
        (HEADER + "a,0,0,1,inf,\n", 2, "height inf"),
        (HEADER + 'a,"0,1",0,1,1,\n', 2, "x '0,1'"),
        (HEADER + "a,0,0,1,1,\nb,0,0,1,1,5##\nc,0,0,1,1,x\n", 4, "'x' is no number of digits"),
        (HEADER + 'a,0,0,1,1,\n"b,0,0,1,1,\nc,0,0,1,1,\n', 3, "it is no CSV (unexpected end of data)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(fields_file, text, line, reason):
    with pytest.raises(UserError, match=re.escape(reason)) as caught:
        load_fields(fields_file(text))
    assert f"fields.csv, line {line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("name;x;y;width;height\nsum;0,1;0,1;0,5;0,1\n", "commas between the columns, points in the numbers"),
        (HEADER + "sum,620,330,520,110,\n", "not pixels"),
        (HEADER + "sum,0.9,0.1,0.2,0.1,\n", "x + width and y + height at most 1"),
    ],
    ids=["a spreadsheet's semicolons", "pixels", "beyond the page"],
)
def test_a_frequent_mistake_is_explained(fields_file, text, help):
    with pytest.raises(UserError, match=re.escape(help)):
        load_fields(fields_file(text))


def test_a_file_in_another_encoding_is_refused(fields_file):
    with pytest.raises(UserError, match="fields.csv, line 3: it is no text in UTF-8"):
        load_fields(fields_file(f"{HEADER}a,0,0,1,1,\nhöhe,0,0,1,1,\n", "latin-1"))


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="can't be read: No such file"):
        load_fields(tmp_path / "fields.csv")


# ---- a sheet --------------------------------------------------------------------------------------------------------


def test_each_field_is_read_with_its_margin_and_its_expectation():
    reader = FakeReader(reading("12"), reading("2026"))
    Form((SUM, YEAR)).read(reader, sheet())
    assert reader.expects == [None, "20##"]
    assert [image.shape for image in reader.images] == [(144, 364)] * 2  # 80 x 300, and 0.4 of 80 on each side


def test_a_large_sheet_is_read_large():
    reader = FakeReader(reading("12"))
    Form((SUM,)).read(reader, sheet(3000, 4000))  # 12 megapixels
    assert reader.images[0].shape == pytest.approx((1.8 * 0.1 * 3508, 0.5 * 2631 + 0.8 * 351), abs=2)


def test_boxes_are_in_pixels_of_the_sheet():
    reader = FakeReader(reading("1.2"))  # boxes (10, 10, 30, 40) and (40, 40, 6, 8)
    read = Form((SUM,)).read(reader, sheet(6000, 8000))
    scale = 8000 / 3508
    left, top = 600 - 0.4 * 800, 800 - 0.4 * 800  # of what is cut out
    for box, found in (((10, 10, 30, 40), read.digits[0].box), ((40, 40, 6, 8), read.marks[0].box)):
        expected = left + box[0] * scale, top + box[1] * scale, box[2] * scale, box[3] * scale
        assert found == pytest.approx(expected, abs=3)
    assert read.fields["sum"].digits == read.digits and read.width == 6000


@pytest.mark.parametrize(
    ("answers", "status", "text", "unsure", "message"),
    [
        ((reading("12"), reading("2026")), "ok", "12|2026", [], ""),
        ((reading("12", "unsure"), reading("2026")), "unsure", "12|2026", ["sum"], "sum: why"),
        ((reading("12", "unsure"), reading("", "unsure")), "unsure", "12|", ["sum", "year"], "sum: why; year: why"),
        ((Reading("", "empty"), reading("2026")), "ok", "|2026", [], ""),
        ((Reading("", "empty"), Reading("", "empty")), "unsure", "|", [], ALL_EMPTY),
    ],
)
def test_a_sheet_has_the_worst_status_of_its_fields(answers, status, text, unsure, message):
    read = Form((SUM, YEAR)).read(FakeReader(*answers), sheet())
    assert (read.status, read.text, read.unsure, read.message) == (status, text, unsure, message)
    entry = read.to_json()
    assert list(entry) == ["image", "status", "text", "message", "digits", "marks", "fields"]
    assert {name: field["text"] for name, field in entry["fields"].items()} == dict(
        zip(("sum", "year"), text.split("|"), strict=True)
    )
    assert all(list(field) == ["status", "text", "digits", "marks"] for field in entry["fields"].values())


def test_text_lines_are_numbered_through_the_sheet():
    read = Form((SUM, YEAR)).read(FakeReader(Reading("", "empty"), reading("1.5")), sheet())
    assert [digit.row for digit in read.digits] == [1, 1] and read.marks[0].row == 1


def test_an_empty_field_is_not_read():
    reader, page = FakeReader(reading("12")), sheet()
    page[400:] = 240
    read = Form((SUM, YEAR)).read(reader, page)
    assert len(reader.images) == 1 and read.fields["year"].status == "empty" and read.status == "ok"
    assert read.fields["year"].written is None and (read.fields["year"].cut == 240).all()


def test_a_field_has_what_was_cut_out_and_what_was_read():
    reader = FakeReader(reading("12"))
    field = Form((SUM,)).read(reader, sheet()).fields["sum"]
    assert field.written is reader.images[0] and field.cut.shape == field.written.shape
    assert field.cut.min() < 60 and np.median(field.cut) == 240


def test_a_sheet_that_lies_upside_down_is_unsure_because_all_its_fields_are_empty():
    page = sheet()
    read = Form((SUM, YEAR)).read(FakeReader(), page[::-1, ::-1])
    assert (read.status, read.message, read.unsure) == ("unsure", ALL_EMPTY, []) and "--align" in ALL_EMPTY
    assert [field.status for field in read.fields.values()] == ["empty", "empty"]


def test_a_blank_sheet_that_is_aligned_is_ok(composed):
    blank, fields, *_ = composed
    read = Form.with_reference(fields, blank).read(FakeReader(), blank)
    assert (read.status, read.message) == ("ok", "") and all(field.status == "empty" for field in read.fields.values())


def test_a_sheet_that_can_not_be_read_is_an_error_with_all_its_fields(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n junk")
    read = Form((SUM, YEAR)).read(FakeReader(), path)
    assert (read.image, read.status, read.unsure) == (str(path), "error", [])
    assert "it is not an image" in read.message
    assert {name: field.status for name, field in read.fields.items()} == {"sum": "error", "year": "error"}


def test_a_sheet_has_the_name_that_an_image_has(tmp_path):
    Image.new("L", (300, 200), 250).save(tmp_path / "sheet.png")
    form = Form((SUM, YEAR))
    assert form.read(FakeReader(), Image.open(tmp_path / "sheet.png")).image == str(tmp_path / "sheet.png")
    assert form.read(FakeReader(), (tmp_path / "sheet.png").read_bytes()).image == ""


def test_a_field_with_a_wrong_pattern_is_refused():
    for wrong in ({"name": "image"}, {"x": math.nan}, {"width": 0}):
        with pytest.raises(UserError, match="can't be used|is no part of a page"):
            Field(**{"name": "sum", "x": 0.1, "y": 0.1, "width": 0.2, "height": 0.1} | wrong)
    for fields in ((), (SUM, SUM)):
        with pytest.raises(UserError, match="Expected at least one field"):
            Form(fields)
    with pytest.raises(UserError, match="'abc'"):
        Field("sum", 0.1, 0.1, 0.2, 0.1, expect="abc")


# ---- composed sheets ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture
def composed(composed_sheet):
    """(a blank form, some of its fields, a sheet, the labels of the fields, the sheet photographed)."""
    sheet = composed_sheet
    return sheet.blank, sheet.fields, sheet.page, sheet.labels, sheet.photo


def test_the_fields_of_a_sheet_are_read(composed, reader):
    _, fields, page, labels, _ = composed
    read = Form(fields).read(reader, page)
    assert [field.text for field in read.fields.values()] == labels
    assert list(read.fields.values())[-1].status == "empty"


def test_a_number_in_a_field_is_not_turned(reader):
    with Image.open(NUMBER) as number:
        upside_down = np.asarray(number.convert("L").transpose(Image.Transpose.ROTATE_180))
    page = np.pad(upside_down, 200, constant_values=int(np.median(upside_down)))
    height, width = page.shape
    field = Field("number", 200 / width, 200 / height, 1 - 400 / width, 1 - 400 / height)
    as_an_image, in_the_field = reader.read(upside_down), Form((field,)).read(reader, page)
    assert as_an_image.text == NUMBER.parent.name != in_the_field.text


def test_a_photographed_sheet_is_aligned_and_read(composed, reader, tmp_path):
    blank, fields, _, labels, photo = composed
    Image.fromarray(photo).save(tmp_path / "photo.jpg")
    read = Form.with_reference(fields, blank).read(reader, tmp_path / "photo.jpg")
    assert [field.text for field in read.fields.values()] == labels
    assert read.image == str(tmp_path / "photo.jpg")
    for digit in read.digits:
        x, y, width, height = digit.box
        assert 0 <= x < x + width <= photo.shape[1] and 0 <= y < y + height <= photo.shape[0]
        assert photo[y : y + height, x : x + width].std() > 10  # there is ink in it


def test_a_sheet_that_can_not_be_aligned_is_unsure_and_not_read(composed):
    blank, fields, *_ = composed
    reader = FakeReader()
    read = Form.with_reference(fields, blank).read(reader, sheet())
    assert (read.status, read.text, reader.images) == ("unsure", "", [])
    assert read.message.startswith("it could not be aligned: ") and read.unsure == [field.name for field in fields]
    assert read.thumbnail is not None and read.width == 600


def test_a_field_outside_the_photograph_is_unsure(composed, reader):
    blank, fields, page, *_ = composed
    below = [field for field in fields if field.y > 0.7]
    read = Form.with_reference(fields, blank).read(reader, page[: round(0.7 * page.shape[0])])
    assert below and all(read.fields[field.name].message == "it is not wholly in the image" for field in below)


def test_a_reference_that_can_not_be_used_is_refused(fields_file, tmp_path):
    path = fields_file(f"{HEADER}a,0,0,1,1,\n")
    with pytest.raises(UserError, match="The reference can't be used: there is no such file"):
        Form.load(path, tmp_path / "blank.jpg")
