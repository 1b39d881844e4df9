"""What the NumberReader detects becomes digits and marks in text lines, each digit judged a second time by the classifier."""

import numpy as np
import pytest

from digits.model.classifier import Classification
from digits.model.heat_map import CLASS_COUNT, COLON, MINUS, OTHER_INK, POINT, SLASH
from digits.reading.detection import Detection
from digits.reading.image import LoadedImage
from digits.reading.number_reader import Detections
from digits.reading.numbers import candidates_in, read_numbers
from digits.reading.results import text_of

HEIGHT, WIDTH, STEP = 30, 18, 26


def detection(label, left, top, width=WIDTH, height=HEIGHT, probability=0.9):
    probabilities = np.full(CLASS_COUNT, 0.001, np.float32)
    probabilities[label] = probability
    return Detection(label, probability, float(left), float(top), float(width), float(height), probabilities)


def line_of(text, top=40, **fields):
    return [detection(int(character), 20 + STEP * i, top, **fields) for i, character in enumerate(text)]


class FakeFinder:
    """Finds the same in every image."""

    def __init__(self, lines, others=()):
        self.lines, self.others = list(lines), list(others)

    def find(self, grey):
        assert grey.dtype == np.uint8 and grey.ndim == 2
        return Detections(grey, self.lines, self.others, [])


class FakeClassifier:
    """Gives each crop, in order, this digit."""

    def __init__(self, text, probability=0.95):
        self.digits, self.probability = [int(character) for character in text], probability

    def classify(self, crops):
        assert crops.shape == (len(self.digits), 28, 28) and crops.dtype == np.uint8
        probabilities = np.full((len(crops), 10), (1 - self.probability) / 9, np.float32)
        probabilities[range(len(crops)), self.digits] = self.probability
        return Classification(probabilities, np.zeros(len(crops), np.float32), np.ones(len(crops), bool))


def numbers_of(lines, others=(), judged=None, size=(200, 300), full_size=None):
    """The numbers in a white image. judged: what the classifier says, else the same as the number reader."""
    image = LoadedImage(np.full((*size, 3), 255, np.uint8), full_size or size[::-1])
    said = judged or "".join(str(digit.label) for line in lines for digit in line)
    return read_numbers(image, FakeFinder(lines, others), FakeClassifier(said))


def text(numbers):
    return text_of(numbers.digits, numbers.marks)


def test_without_digits_there_is_nothing_and_no_mark():
    numbers = numbers_of([], [detection(POINT, 40, 40, 5, 5)])
    assert (numbers.digits, numbers.marks, numbers.other_ink, numbers.min_probability) == ((), (), (), None)


def test_digits_keep_their_order_row_and_box():
    numbers = numbers_of([line_of("42"), line_of("7", top=100)])
    assert text(numbers) == "42|7"
    assert [(digit.row, digit.box) for digit in numbers.digits] == [
        (0, (20, 40, 18, 30)),
        (0, (46, 40, 18, 30)),
        (1, (20, 100, 18, 30)),
    ]
    assert all(digit.crop.shape == (28, 28) for digit in numbers.digits)


def test_boxes_are_in_pixels_of_the_full_image():
    numbers = numbers_of([line_of("4")], full_size=(1200, 800))
    assert numbers.digits[0].box == (80, 160, 72, 120)


def test_a_box_ends_at_the_border_of_the_image():
    cut_off = [detection(1, -5, -8), detection(2, 290, 180), detection(3, 400, 400)]
    boxes = [digit.box for digit in numbers_of([cut_off]).digits]
    assert boxes == [(0, 0, 13, 22), (290, 180, 10, 20), (299, 199, 1, 1)]
    assert all(type(value) is int for box in boxes for value in box)


@pytest.mark.parametrize("paper", [230, 30])
def test_the_finder_gets_dark_ink_on_light_paper(paper):
    class Observer(FakeFinder):
        def find(self, grey):
            self.grey = grey
            return super().find(grey)

    pixels = np.full((200, 300, 3), paper, np.uint8)
    pixels[40:70, 20:30] = 255 - paper
    number_reader = Observer([line_of("4")])
    read_numbers(LoadedImage(pixels, (300, 200)), number_reader, FakeClassifier("4"))
    assert number_reader.grey[0, 0] > 200 and number_reader.grey[50, 25] < 50


# ---- two opinions ---------------------------------------------------------------------------------------------------


def test_a_digit_of_which_the_two_networks_say_different_things_is_less_confident():
    numbers = numbers_of([line_of("42")], judged="47")
    agreed, contradicted = (digit.confidence for digit in numbers.digits)
    assert text(numbers) == "42" and contradicted < agreed


def test_a_digit_that_the_finder_takes_for_another_one_almost_as_likely_is_less_confident():
    hesitant = detection(2, 46, 40, probability=0.4)
    hesitant.probabilities[7] = 0.3
    numbers = numbers_of([[*line_of("4"), hesitant]])
    assert text(numbers) == "42" and numbers.digits[1].confidence < numbers.digits[0].confidence
    assert numbers.min_probability == pytest.approx(0.4)


@pytest.mark.parametrize(("probability", "agreed"), [(0.95, True), (0.19, False)])
def test_the_classifier_agrees_with_a_digit_or_not_and_it_is_not_sure_yet(probability, agreed):
    image = LoadedImage(np.full((200, 300, 3), 255, np.uint8), (300, 200))
    numbers = read_numbers(image, FakeFinder([line_of("4")]), FakeClassifier("4", probability))
    assert numbers.agreed == (agreed,)
    assert not any(digit.sure for digit in numbers.digits)


@pytest.mark.parametrize(("slash", "count"), [(0.1, 0), (0.5, 1)])
def test_a_1_that_may_be_a_slash_is_an_ambiguous_digit(slash, count):
    one = detection(1, 46, 40, probability=0.8)
    one.probabilities[SLASH] = slash
    numbers = numbers_of([[*line_of("4"), one]])
    assert text(numbers) == "41" and len(numbers.ambiguous_digits) == count


def test_a_finder_that_hesitates_follows_the_classifier():
    hesitant = detection(1, 20, 40, probability=0.4)
    hesitant.probabilities[7] = 0.39
    (digit,) = numbers_of([[hesitant]], judged="7").digits
    assert digit.digit == 7 and digit.confidence < 0.9


def test_probabilities_have_the_sum_1():
    for digit in numbers_of([line_of("0123456789"[:8])], judged="01234599").digits:
        assert digit.probabilities.shape == (10,) and digit.probabilities.dtype == np.float32
        assert digit.probabilities.sum() == pytest.approx(1, abs=1e-5)


# ---- marks ----------------------------------------------------------------------------------------------------------


def between(i):
    """The x between the digits i - 1 and i of a line."""
    return 20 + STEP * i - 6


@pytest.mark.parametrize(
    ("mark", "after", "top", "height", "expected"),
    [
        pytest.param(POINT, 2, 66, 4, "12.50", id="a point on the line"),
        pytest.param(POINT, 4, 66, 4, "1250.", id="a point at the end"),
        pytest.param(MINUS, 0, 55, 4, "-1250", id="a minus before"),
        pytest.param(COLON, 2, 45, 20, "12:50", id="a colon"),
        pytest.param(POINT, 1, 76, 4, "1.250", id="a point a little below the line"),
    ],
)
def test_a_mark_stands_after_the_digits_before_it(mark, after, top, height, expected):
    numbers = numbers_of([line_of("1250")], [detection(mark, between(after), top, 5, height)])
    assert text(numbers) == expected
    (found,) = numbers.marks
    assert (found.row, found.after, found.confidence) == (0, after, 0.9)
    assert found.box == (between(after), top, 5, height)


def test_a_mark_belongs_to_the_nearest_line():
    lines = [line_of("12"), line_of("34", top=90)]
    numbers = numbers_of(lines, [detection(POINT, between(1), 116, 5, 4), detection(POINT, between(1), 66, 5, 4)])
    assert text(numbers) == "1.2|3.4"
    assert [mark.row for mark in numbers.marks] == [0, 1]


def test_a_mark_far_from_every_line_is_left_out():
    numbers = numbers_of([line_of("12")], [detection(POINT, between(1), 150, 5, 4), detection(OTHER_INK, 200, 160, 20, 20)])
    assert (text(numbers), numbers.marks, numbers.other_ink) == ("12", (), ())


def test_a_sloping_line_keeps_its_mark():
    line = [detection(i, 20 + STEP * i, 40 + 8 * i) for i in range(8)]
    numbers = numbers_of([line], [detection(POINT, 20 + STEP * 7 - 6, 40 + 56 + 26, 5, 4)])
    assert text(numbers) == "0123456.7"


def test_an_uncertain_mark_is_left_out():
    numbers = numbers_of([line_of("12")], [detection(POINT, between(1), 66, 5, 4, probability=0.4)])
    (uncertain,) = numbers.uncertain_marks
    assert (text(numbers), numbers.marks) == ("12", ())
    assert (uncertain.mark, uncertain.after) == (".", 1)


def test_other_ink_is_no_mark_and_has_a_place():
    numbers = numbers_of([line_of("12")], [detection(OTHER_INK, 90, 40)])
    assert (text(numbers), numbers.marks, numbers.other_ink) == ("12", (), ((0, 99.0),))


def test_several_marks_come_in_reading_order():
    others = [
        detection(POINT, between(3), 66, 5, 4),
        detection(MINUS, between(0), 55, 5, 4),
        detection(POINT, between(1), 66, 5, 4),
    ]
    numbers = numbers_of([line_of("1234")], others)
    assert [(mark.mark, mark.after) for mark in numbers.marks] == [("-", 0), (".", 1), (".", 3)]
    assert text(numbers) == "-1.23.4"


def test_a_faint_mark_that_is_read_is_surely_there_for_an_expectation():
    mark = detection(POINT, between(1), 66, 5, 4, probability=0.4)
    numbers = numbers_of([line_of("12")], [mark])
    image = LoadedImage(np.full((200, 300, 3), 255, np.uint8), (300, 200))
    for read, presence in (((), 0.4), (numbers.uncertain_marks, 1.0)):
        ((_, candidate, _),) = candidates_in(numbers.detections, image, FakeClassifier("112"), read)
        assert candidate.presence == pytest.approx(presence)
