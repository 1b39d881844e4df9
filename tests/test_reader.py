"""An image of any kind goes in, its text comes out: the Python API of the package."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PROJECT, SHIPPED_MODEL
from PIL import Image, ImageDraw

import digits
from digits.common.errors import UserError
from digits.model.heat_map import CLASS_COUNT, SLASH
from digits.reading import ink_reading, reader
from digits.reading.certainty import settle
from digits.reading.detection import Detection
from digits.reading.line_reader import LineReader, LineSymbol
from digits.reading.number_reader import Detections
from digits.reading.numbers import FoundText, TextPosition
from digits.reading.reader import Reader
from digits.reading.results import Digit, Mark, text_of

FORTY_TWO = PROJECT / "custom_digits" / "42" / "phone.jpg"
AMOUNT = PROJECT / "custom_digits" / "12.50" / "price_tag.jpg"
NUMBER = PROJECT / "custom_digits" / "2026" / "notebook.png"


@pytest.fixture(scope="module")
def shipped():
    return Reader()


# ---- what goes in and what comes out --------------------------------------------------------------------------------


def test_the_package_offers_the_reader_and_its_results():
    assert digits.Reader is Reader
    reading = digits.Reader().read(str(FORTY_TWO))
    assert isinstance(reading, digits.Reading) and all(isinstance(digit, digits.Digit) for digit in reading.digits)
    assert (reading.text, reading.status, reading.sure, reading.message) == ("42", "ok", True, "")
    assert [digit.digit for digit in reading.digits] == [4, 2]
    assert all(digit.sure and 0.9 < digit.confidence <= 1 for digit in reading.digits)
    width, height = Image.open(FORTY_TWO).size
    for x, y, across, down in (digit.box for digit in reading.digits):
        assert 0 <= x < x + across <= width and 0 <= y < y + down <= height


def test_paths_files_arrays_and_pillow_images_give_the_same_answer(shipped):
    with open(NUMBER, "rb") as file, Image.open(NUMBER) as image:
        rgb = np.asarray(image.convert("RGB"))
        sources = [str(NUMBER), NUMBER, os.fsencode(NUMBER), file, rgb, image]
        readings = [shipped.read(source) for source in sources]
    assert readings[0].text == "2026" and readings[0].image == str(NUMBER)
    for reading in readings:
        assert dataclasses.replace(reading, image=str(NUMBER)) == readings[0]
    assert shipped.read(np.asarray(Image.open(NUMBER).convert("L"))).text == "2026"


def test_an_image_is_named_by_its_path_where_it_has_one(shipped):
    with open(NUMBER, "rb") as file, Image.open(NUMBER) as image:
        assert [shipped.read(source).image for source in (NUMBER, os.fsencode(NUMBER), file, image)] == [str(NUMBER)] * 4
    with open(os.open(NUMBER, os.O_RDONLY), "rb") as file:
        assert shipped.read(file).image == "", "a file that was opened by its number has no name"
    assert shipped.read(np.full((50, 50), 255, np.uint8)).image == ""
    assert shipped.read(NUMBER.read_bytes()).image == "", "the content of an image is no path"


@pytest.mark.parametrize("array", [np.zeros((28, 28)), np.zeros((28, 28, 4), np.uint8)], ids=["float64", "four channels"])
def test_an_array_of_another_dtype_or_shape_is_an_error_that_says_what_was_expected(shipped, array):
    reading = shipped.read(array)
    assert (reading.status, reading.sure, reading.text, reading.digits) == ("error", False, "", ())
    assert "expected uint8, 0 to 255, and (height, width) or (height, width, 3)" in reading.message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "it is of the type NoneType; expected one image: a path, a binary file, a Pillow image or an array"),
        (42, "it is of the type int; expected one image"),
        ([FORTY_TWO], "it is of the type list; expected one image"),
        ("", "its path is empty"),
        (PROJECT, "it is a folder"),
        ("absent\0.png", "null byte"),
        (io.StringIO("text"), 'expected open(path, "rb")'),
        (FORTY_TWO.read_bytes(), "expected the content of an image as io.BytesIO(content)"),
    ],
    ids=["None", "int", "list", "empty", "folder", "null byte", "text file", "content"],
)
def test_what_is_no_image_is_an_error_that_says_what_was_expected(shipped, source, message):
    reading = shipped.read(source)
    assert reading.status == "error" and message in reading.message


@pytest.mark.parametrize(
    ("image", "status"),
    [
        (FORTY_TWO, "ok"),
        (Image.new("L", (50, 50), 255), "empty"),
        (PROJECT / "README.md", "error"),
        (PROJECT / "absent.png", "error"),
    ],
)
def test_every_entry_has_every_key_and_is_json(shipped, image, status):
    entry = json.loads(json.dumps(shipped.read(image).to_json()))
    assert set(entry) == {"image", "status", "text", "message", "digits", "marks"}
    assert entry["status"] == status
    assert bool(entry["message"]) == (status != "ok")
    for digit in entry["digits"]:
        assert set(digit) == {"digit", "confidence", "score", "box", "top3"}
        assert digit["top3"][0] == [digit["digit"], digit["confidence"]]
        assert len(digit["top3"]) == 3 and len(digit["box"]) == 4


# ---- what is read ---------------------------------------------------------------------------------------------------


def test_a_number_is_read_from_left_to_right(shipped):
    reading = shipped.read(NUMBER)
    assert reading.text == "2026"
    lefts = [digit.box[0] for digit in reading.digits]
    assert lefts == sorted(lefts)


def test_digits_whose_ink_is_below_the_threshold_are_not_sure(shipped):
    image = PROJECT / "custom_digits" / "7" / "plain_white_on_black.png"
    strict = Reader(card=dataclasses.replace(shipped.classifier.card, threshold=99.0), number_reader=None)
    reading = strict.read(image)
    assert (reading.status, reading.sure, reading.text) == ("unsure", False, "7")
    assert [digit.sure for digit in reading.digits] == [False]
    assert reading.message == "it is not clearly a digit"


def test_a_model_without_a_card_reads_all_the_same(tmp_path):
    shutil.copy(SHIPPED_MODEL, tmp_path / "mine.tflite")
    assert Reader(tmp_path / "mine.tflite").read(FORTY_TWO).text == "42"


def test_a_row_that_lies_on_its_side_is_turned(shipped):
    row = Image.open(NUMBER).convert("L")
    on_its_side = row.transpose(Image.Transpose.ROTATE_90)
    assert shipped.read(on_its_side).text == shipped.read(row).text
    assert shipped.read(on_its_side, upright=True).text != shipped.read(row).text


@pytest.mark.parametrize(("by_ink", "text"), [("12", "12"), ("34", "12"), ("1", "12")])
def test_an_image_is_turned_only_where_the_number_reader_gives_the_digits_of_its_ink(shipped, says, monkeypatch, by_ink, text):
    as_turned = ink_reading.InkReading(tuple(digit_of(int(digit), 30 * i) for i, digit in enumerate(by_ink)), quarter_turns=1)
    monkeypatch.setattr(reader, "read_by_ink", lambda *_: as_turned)
    says([digit_of(1, 0), digit_of(2, 30)])
    reading = shipped.read(NUMBER)
    assert reading.text == text
    assert (reading.digits == as_turned.digits) is (by_ink == text)


@pytest.mark.parametrize(("as_it_lies", "text"), [("9", "88"), ("90", "88"), ("300", "300")])
def test_an_image_with_more_digits_as_it_lies_is_not_turned(shipped, says, monkeypatch, as_it_lies, text):
    as_turned = ink_reading.InkReading((digit_of(8, 0), digit_of(8, 30)), quarter_turns=1)
    monkeypatch.setattr(reader, "read_by_ink", lambda *_: as_turned)
    found = {}
    for name, text_found in (("lying", as_it_lies), ("turned", "88")):
        says([digit_of(int(digit), 30 * i) for i, digit in enumerate(text_found)])
        found[name] = reader.read_numbers(None, None, None)
    wide = np.full((100, 300), 255, np.uint8)
    monkeypatch.setattr(reader, "read_numbers", lambda image, *_: found["lying" if image.pixels.shape[1] == 300 else "turned"])
    assert shipped.read(wide).text == text


def test_dashes_are_not_ones_on_their_side(shipped):
    dashes = np.full((300, 500), 255, np.uint8)
    dashes[150:157, 50:110] = dashes[150:157, 190:250] = dashes[150:157, 330:390] = 0
    assert shipped.read(dashes).status == "unsure"


LETTERS = {
    "n": [[(60, 200), (60, 60), (120, 50), (170, 70), (175, 200)]],
    "U": [[(104, 40), (83, 180), (140, 200), (203, 180), (224, 40)]],
    "K": [[(128, 40), (80, 200)], [(248, 40), (106, 120), (200, 200)]],
}


@pytest.mark.parametrize("letter", LETTERS)
def test_the_strokes_of_a_letter_are_not_surely_a_number(shipped, letter):
    image = Image.new("L", (320, 240), 255)
    for stroke in LETTERS[letter]:
        ImageDraw.Draw(image).line(stroke, fill=0, width=14, joint="curve")
    assert shipped.read(image).status == "unsure"


# ---- the number reader ----------------------------------------------------------------------------------------------

SEVEN = PROJECT / "custom_digits" / "7" / "plain_white_on_black.png"


def digit_of(value, left, row=0, sure=True, confidence=0.91):
    probabilities = np.full(10, (1 - confidence) / 9, np.float32)
    probabilities[value] = confidence
    return Digit.from_probabilities(probabilities, 2.3, sure, (left, 10, 20, 30), row, np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize(("count", "sure"), [(1, [True]), (3, [False, False, False])])
def test_several_digits_of_which_the_number_reader_sees_none_are_not_sure(count, sure):
    by_ink = ink_reading.InkReading(tuple(digit_of(1, left=30 * i) for i in range(count)))
    assert [one.sure for one in settle(reader.choose(by_ink, FoundText()), by_ink.digits, None).digits] == sure


@pytest.mark.parametrize(
    ("digit", "marks", "text"), [(7, "-", "-7"), (7, "", "7"), (9, "-", "7")], ids=["a mark", "no mark", "another digit"]
)
def test_one_sure_digit_has_its_mark_where_the_number_reader_gives_the_same_digit(digit, marks, text):
    by_ink = ink_reading.InkReading((digit_of(7, 40),))
    found = tuple(Mark(mark, 0, 0, 0.8, (10, 25, 20, 5)) for mark in marks)
    chosen = reader.choose(by_ink, FoundText((digit_of(digit, 40),), (True,), found, min_probability=0.9))
    assert text_of(chosen.digits, chosen.marks) == text


def test_minus_seven_is_read_with_its_minus(shipped):
    image = np.full((300, 500), 255, np.uint8)
    cv2.line(image, (80, 160), (170, 158), 0, 9, cv2.LINE_AA)
    cv2.polylines(image, [np.array([(230, 70), (330, 68), (270, 240)])], False, 0, 9, cv2.LINE_AA)
    reading = shipped.read(image)
    assert (reading.text, reading.status) == ("-7", "ok")


def test_a_number_is_read_a_second_time_line_by_line_and_what_differs_is_in_the_message(shipped, monkeypatch):
    asked = []

    def read(grey, line):
        asked.append(len(line))
        return [LineSymbol(digit, 0.9) for digit in (2, 0, 2, 7)]

    monkeypatch.setattr(shipped.line_reader, "read", read)
    reading = shipped.read(NUMBER)
    assert asked == [4]
    assert (reading.text, reading.status, reading.message) == ("2026", "unsure", "it may also be 2027")


def test_where_the_included_line_reader_is_missing_this_is_logged_and_numbers_are_read_once(monkeypatch, tmp_path, caplog):
    path = tmp_path / "line_reader.tflite"
    monkeypatch.setattr(reader, "DEFAULT_LINE_READER", path)
    fresh = Reader(line_reader=path)
    assert fresh.read(NUMBER).text == "2026" and fresh.arguments.line_reader is None
    (record,) = caplog.records
    assert record.message.startswith("line_reader.tflite is missing: no number is read a second time.")


@pytest.fixture
def says(shipped, monkeypatch):
    """A function that makes the number reader find these digits and marks in every image, without a line reader."""

    def make(digits, marks=(), other_ink=(), uncertain_marks=(), min_probability=0.9):
        numbers = FoundText()
        if digits:
            detections = Detections(np.zeros((10, 10), np.uint8), [], [], [])
            numbers = FoundText(
                tuple(digits),
                (True,) * len(digits),
                tuple(marks),
                tuple(other_ink),
                tuple(uncertain_marks),
                min_probability=min_probability,
                detections=detections,
            )
        monkeypatch.setattr(reader, "read_numbers", lambda image, number_reader, classifier: numbers)
        monkeypatch.setattr(shipped, "line_reader", None)

    return make


def test_a_sure_digit_that_fills_the_image_is_read_without_the_number_reader(shipped, monkeypatch):
    asked = []
    monkeypatch.setattr(
        reader, "read_numbers", lambda image, number_reader, classifier: asked.append(number_reader) or FoundText()
    )
    assert shipped.read(SEVEN).text == "7"
    assert not asked
    shipped.read(NUMBER)
    assert asked == [shipped.number_reader]


def test_where_the_included_number_reader_is_missing_numbers_are_read_by_their_ink_after_one_warning(
    monkeypatch, tmp_path, caplog
):
    path = tmp_path / "number_reader.tflite"
    monkeypatch.setattr(reader, "DEFAULT_NUMBER_READER", path)
    fresh = Reader(number_reader=path)
    assert [fresh.read(image).text for image in (NUMBER, FORTY_TWO, NUMBER)] == ["2026", "42", "2026"]
    (record,) = caplog.records
    assert record.message.startswith("number_reader.tflite is missing: numbers are read by their ink alone.")


def test_a_number_reader_that_was_named_and_is_missing_is_an_error(tmp_path):
    with pytest.raises(UserError, match="No model at .*mine.tflite"):
        Reader(number_reader=tmp_path / "mine.tflite")
    with pytest.raises(UserError, match="No model at .: it is a folder.\nExpected a number reader"):
        Reader(number_reader="")


def test_without_a_number_reader_numbers_are_read_by_their_ink(caplog):
    by_ink = Reader(number_reader=None)
    assert (by_ink.read(NUMBER).text, by_ink.arguments.number_reader) == ("2026", None)
    assert caplog.text == ""


def test_without_a_line_reader_numbers_are_read_once(monkeypatch, caplog):
    monkeypatch.setattr(LineReader, "read", lambda *arguments: pytest.fail("it was asked"))
    once = Reader(line_reader=None)
    assert (once.read(NUMBER).text, once.arguments.line_reader) == ("2026", None)
    assert list(once.models) == ["model", "number reader"]
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["number reader", "line reader"])
def test_a_damaged_network_is_an_error_before_anything_is_read(kind, tmp_path):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"junk")
    with pytest.raises(UserError, match=f"damaged.tflite is not a {kind} that can be used"):
        Reader(**{kind.replace(" ", "_"): path})


def test_a_reader_made_with_the_arguments_of_another_one_reads_with_the_same_networks(shipped):
    other = Reader(*shipped.arguments)
    assert other.classifier.card is shipped.classifier.card
    assert other.arguments == shipped.arguments
    assert list(other.models) == ["model", "number reader", "line reader"] and other.models == shipped.models


def test_marks_stand_in_the_text_and_in_json(shipped, says):
    says([digit_of(1, 10), digit_of(2, 40), digit_of(5, 80)], [Mark(".", 0, 2, 0.8, (65, 35, 5, 5))])
    reading = shipped.read(NUMBER)
    assert (reading.text, reading.status) == ("12.5", "ok")
    entry = json.loads(json.dumps(reading.to_json()))
    assert entry["marks"] == [{"mark": ".", "row": 0, "after": 2, "confidence": 0.8, "box": [65, 35, 5, 5]}]
    assert [digit["digit"] for digit in entry["digits"]] == [1, 2, 5]


def test_other_ink_beside_a_number_is_not_sure(shipped, says):
    says([digit_of(1, 10), digit_of(2, 40, confidence=0.5), digit_of(3, 70)], other_ink=[TextPosition(0, 120.0)])
    reading = shipped.read(NUMBER)
    assert (reading.text, reading.status) == ("123", "unsure")
    expected = "1 of 3 digits is not clear; there is a sign that is not a digit after the 3rd digit"
    assert reading.message == expected


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"other_ink": [TextPosition(0, 5.0)]}, "there is a sign that is not a digit before the 1st digit of text line 1"),
        ({"other_ink": [TextPosition(1, 35.0)]}, "there is a sign that is not a digit after the 1st digit of text line 2"),
        (
            {"uncertain_marks": [Mark(".", 1, 3, 0.4, (90, 0, 9, 9))]},
            "there is what may be a mark after the 3rd digit of text line 2",
        ),
        (
            {"other_ink": [TextPosition(0, 99.0), TextPosition(1, 1.0), TextPosition(1, 99.0)]},
            "there is a sign that is not a digit after the 1st digit of text line 1, and 2 more",
        ),
    ],
)
def test_the_message_says_where_a_sign_that_is_not_a_digit_is(shipped, says, places, message):
    says([digit_of(1, 10), *(digit_of(2, left, row=1) for left in (10, 40, 70))], **places)
    assert shipped.read(NUMBER).message == message


def test_where_the_number_reader_finds_nothing_the_ink_decides(shipped, says):
    says([])
    assert shipped.read(NUMBER).text == "2026"
    assert shipped.read(np.full((50, 50), 255, np.uint8)).status == "empty"


@pytest.mark.parametrize(("min_probability", "text"), [(0.9, "12"), (0.2, "7")])
def test_a_number_takes_the_place_of_one_small_sure_digit_only_where_it_is_likely(shipped, says, min_probability, text):
    small = np.zeros((100, 400), np.uint8)
    small[20:80, 20:80] = np.asarray(Image.open(SEVEN).convert("L").resize((60, 60)))
    says([digit_of(1, 10), digit_of(2, 40)], min_probability=min_probability)
    assert shipped.read(small).text == text


# ---- what is expected -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["4", "####", "20##", "#0#6"])
def test_a_reading_that_fits_is_read_as_without_an_expectation(shipped, pattern):
    assert shipped.read(NUMBER, pattern) == shipped.read(NUMBER)


def test_where_nothing_fits_the_reading_without_an_expectation_is_not_sure(shipped):
    unconstrained, reading = shipped.read(NUMBER), shipped.read(NUMBER, "##/##/####")
    assert (reading.status, reading.text, reading.message) == ("unsure", "2026", "does not fit ##/##/####")
    assert reading.digits == unconstrained.digits


@pytest.mark.parametrize(("image", "pattern", "text"), [(NUMBER, "3", "2026"), (NUMBER, "5", "2026"), (AMOUNT, "4", "12.50")])
def test_a_number_of_another_length_and_a_mark_too_many_are_not_sure(shipped, image, pattern, text):
    reading = shipped.read(image, pattern)
    assert (reading.status, reading.sure) == ("unsure", False)
    assert reading.message in (f"fits {int(pattern) * '#'}, but {text} is far more likely", f"does not fit {int(pattern) * '#'}")


def test_one_digit_that_fills_the_image_is_not_read_as_two(shipped):
    assert shipped.read(SEVEN, "1") == shipped.read(SEVEN)
    assert (shipped.read(SEVEN, "2").status, shipped.read(SEVEN, "#.#").status) == ("unsure", "unsure")


def test_an_image_without_ink_stays_empty_whatever_is_expected(shipped):
    assert shipped.read(np.full((50, 50), 255, np.uint8), "5").status == "empty"


def test_a_wrong_pattern_is_an_error(shipped):
    with pytest.raises(UserError, match="'seven' is no number of digits"):
        shipped.read(NUMBER, "seven")


def test_a_slash_taken_for_a_one_is_read_right_where_a_slash_is_expected(shipped, monkeypatch):
    """The number reader detects 8/10 and is in doubt: the slash may be a 1."""

    def symbol(left, **probabilities):
        values = np.full(CLASS_COUNT, 0.001, np.float32)
        for name, probability in probabilities.items():
            values[{"slash": SLASH}.get(name) or int(name[1:])] = probability
        label = int(values.argmax())
        return Detection(label, float(values[label]), left, 40.0, 20.0, 60.0, values)

    digits = [symbol(20.0, d8=0.9), symbol(50.0, d1=0.6, slash=0.5), symbol(80.0, d1=0.9), symbol(110.0, d0=0.9)]
    monkeypatch.setattr(shipped.number_reader, "find", lambda grey: Detections(grey, [digits], [], []))
    monkeypatch.setattr(reader, "read_by_ink", lambda *_: ink_reading.InkReading(()))
    image = np.full((140, 160), 255, np.uint8)
    assert shipped.read(image).text == "8110"
    reading = shipped.read(image, "#/##")
    assert reading.text == "8/10" and [(mark.mark, mark.after) for mark in reading.marks] == [("/", 1)]
    assert shipped.read(image, "##/#").message == "fits ##/#, but 8110 is far more likely"


# ---- the package, from elsewhere ------------------------------------------------------------------------------------

READ_IT = """
import sys
from digits import Reader
print(Reader().read(sys.argv[1]).text)
print([name for name in ("tensorflow", "keras", "matplotlib", "sklearn", "scipy") if name in sys.modules])
"""


def test_reading_imports_neither_tensorflow_nor_matplotlib_and_works_from_any_folder(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", READ_IT, FORTY_TWO],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert (result.stdout.splitlines(), result.stderr) == (["42", "[]"], "")


@pytest.mark.slow
def test_the_installed_package_reads_from_any_folder(tmp_path):
    copy = tmp_path / "project"  # a copy, because an editable installation leaves a folder beside the package
    shutil.copytree(PROJECT / "digits", copy / "digits", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SHIPPED_MODEL.parent, copy / "models", ignore=shutil.ignore_patterns("previous", "*.lock", "*.checkpoint"))
    for path in PROJECT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    # The venv takes the packages that the project needs from this environment; the project's own files come from the copy.
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site_packages = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    Path(site_packages, "this_environment.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "-e", copy]
    installed = subprocess.run(install, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    result = subprocess.run([python, "-c", READ_IT, FORTY_TWO], capture_output=True, text=True, cwd=tmp_path)
    assert (result.stdout.splitlines(), result.stderr) == (["42", "[]"], "")
