"""Digits are found as digits are written: in strokes, in text lines, among what is no digit."""

import cv2
import numpy as np
import pytest

from digits.reading.segmentation import find_segments


def paper(height=240, width=600):
    return np.zeros((height, width), np.uint8)


def bar(ink, left, top=60, width=14, height=110):
    """Draw a stroke that stands like a 1."""
    ink[top : top + height, left : left + width] = 255


def boxes(ink):
    return [segment.box for segment in find_segments(ink)]


def test_rows_are_read_in_order_though_they_slope_bend_and_have_gaps():
    ink = paper(800, 1200)
    lefts = [40, 110, 190, 700, 800, 1100]  # two gaps within a row
    for row, top in enumerate((60, 230, 400)):
        for column, left in enumerate(lefts):
            bar(ink, left, round(top + 0.2 * left + 15 * np.sin(left / 200)), 10 + 2 * column + row)
    found = find_segments(ink)
    assert [segment.row for segment in found] == [0] * 6 + [1] * 6 + [2] * 6
    assert [segment.box[0] + 1 for segment in found] == pytest.approx(lefts * 3, abs=2)


def test_a_digit_below_two_others_is_a_row_of_its_own():
    ink = paper(400, 600)
    for left, top in ((60, 40), (240, 40), (60, 219)):
        bar(ink, left, top, height=120)
    assert [segment.row for segment in find_segments(ink)] == [0, 0, 1]


def test_large_and_small_digits_make_one_row():
    ink = paper()
    for i, height in enumerate((110, 70, 120, 65)):
        bar(ink, 60 + 80 * i, 190 - height, height=height)
    assert [segment.row for segment in find_segments(ink)] == [0] * 4


def test_separate_strokes_of_one_digit_stay_together():
    ink = paper()
    cv2.polylines(ink, [np.array([(60, 80), (55, 120), (110, 125), (120, 170), (55, 200)])], False, 255, 10)
    cv2.line(ink, (70, 52), (125, 48), 255, 10)  # the 5's bar, written last and not touching
    bar(ink, 300)
    (five, one) = boxes(ink)
    assert five[1] < 50, "the bar was lost"
    assert five[0] + five[2] < 140 and one[0] > 290


def test_a_stroke_holds_together_through_faint_ink():
    ink = paper()
    bar(ink, 100)
    ink[108:114, 100:114] = 60
    assert len(boxes(ink)) == 1
    ink[ink > 0] = 60
    assert boxes(ink) == [], "nothing is strongly inked"


def test_specks_full_stops_and_underlines_are_no_digits():
    ink = paper()
    for left in (60, 140, 220):
        bar(ink, left)
    clean = boxes(ink)
    cv2.circle(ink, (172, 166), 6, 255, -1)  # a full stop
    cv2.line(ink, (40, 200), (300, 206), 255, 6)  # an underline
    for place in ((20, 20), (500, 200), (400, 60), (182, 90)):
        cv2.circle(ink, place, 3, 255, -1)
    assert boxes(ink) == clean


def test_ink_at_the_border_is_no_digit_and_does_not_count_for_the_usual_height():
    ink = paper(480, 640)
    for left in (200, 260, 320):
        bar(ink, left, 200, 6, 40)
    clean = boxes(ink)
    ink[:, :25] = 255  # the desk
    ink[-15:, 200:420] = 255
    cv2.line(ink, (500, 479), (508, 462), 255, 6)  # cut off: lower than a digit at the border would be
    cv2.ellipse(ink, (639, 100), (20, 22), 0, 0, 360, 255, 6)  # crosses the border twice
    assert boxes(ink) == clean


def test_a_digit_that_touches_the_border_is_one():
    ink = paper(112, 112)
    bar(ink, 20, 24, 16, 64)
    cv2.ellipse(ink, (88, 56), (18, 32), 0, 0, 360, 255, 14)
    assert len(boxes(ink)) == 2
    filled = paper(100, 80)
    cv2.polylines(filled, [np.array([(0, 14), (66, 14), (30, 99)])], False, 255, 12)
    cv2.circle(filled, (10, 60), 3, 255, -1)
    assert boxes(filled)[0][3] > 90


def test_a_printed_frame_is_not_a_digit():
    ink = paper()
    bar(ink, 300)
    clean = boxes(ink)
    cv2.rectangle(ink, (12, 12), (588, 228), 255, 3)
    assert boxes(ink) == clean


@pytest.mark.parametrize("open_for", [0, 25], ids=["closed", "not quite closed"])
def test_a_circle_round_a_digit_is_not_a_digit(open_for):
    ink = paper()
    bar(ink, 100)
    bar(ink, 300)
    clean = boxes(ink)
    cv2.ellipse(ink, (307, 115), (60, 90), 0, open_for, 360, 255, 8)
    assert boxes(ink) == clean


def test_a_curve_that_does_not_run_round_is_a_stroke():
    ink = paper()
    cv2.polylines(ink, [np.array([(150, 30), (90, 110), (95, 190), (150, 215), (205, 180)])], False, 255, 12)
    cv2.circle(ink, (152, 155), 35, 255, 12)  # the loop of a 6 that does not meet its stem
    assert boxes(ink)[0][3] > 180


def test_a_neighbours_stroke_inside_a_digits_box_is_left_out():
    ink = paper()
    cv2.polylines(ink, [np.array([(80, 60), (230, 60), (140, 190)])], False, 255, 12)  # a 7 with a wide bar
    bar(ink, 95, 90, 14, 100)  # a 1 under it
    assert len(find_segments(ink)) == 2
    for segment in find_segments(ink):
        count, *_ = cv2.connectedComponents((segment.ink > 127).astype(np.uint8))
        assert count == 2, "ink of two digits; the other label is the paper"
