"""Digits are found as digits are written: in strokes, in rows, touching, among what is no digit."""

import cv2
import numpy as np
import pytest

from digits.reading.segmentation import _without_scraps, find_segments


def paper(height=240, width=600):
    return np.zeros((height, width), np.uint8)


def bar(ink, left, top=60, width=14, height=110):
    """Draw a stroke that stands like a 1."""
    ink[top : top + height, left : left + width] = 255


def whole(ink):
    """The digits as they stand, without parts of them and without two of them as one."""
    segments = [segment for segment in find_segments(ink) if not segment.cut]
    return [c for c in segments if not any(d is not c and c.start <= d.start and d.end <= c.end for d in segments)]


def boxes(ink):
    return [segment.box for segment in whole(ink)]


def test_every_path_leads_from_the_first_node_to_the_last():
    ink = paper()
    cv2.circle(ink, (150, 120), 45, 255, 12)
    cv2.circle(ink, (235, 120), 45, 255, 12)
    bar(ink, 400)
    segments = find_segments(ink)
    reached = {0}
    for segment in sorted(segments, key=lambda segment: segment.start):
        assert segment.start in reached and segment.start < segment.end
        reached.add(segment.end)
    assert reached == set(range(max(reached) + 1))
    assert any(segment.box[0] >= 390 and segment.end == max(reached) for segment in segments)


def test_touching_digits_are_offered_apart_each_with_its_own_ink():
    ink, alone = paper(), paper()
    for drawn in (ink, alone):
        cv2.circle(drawn, (235, 120), 45, 255, 12)
    cv2.circle(ink, (143, 120), 45, 255, 12)  # touches it
    assert len(whole(ink)) == 1
    parts = [segment for segment in find_segments(ink) if segment.cut]
    shares = []
    for part in parts:
        placed = paper()
        placed[part.box[1] : part.box[1] + part.box[3], part.box[0] : part.box[0] + part.box[2]] = part.ink
        common = np.sum((placed > 127) & (alone > 127))
        shares.append(common / np.sum((placed > 127) | (alone > 127)))
    assert max(shares) > 0.9


def test_scraps_that_a_cut_takes_off_a_stroke_go_back_to_it():
    inked = np.zeros((60, 80), np.uint8)
    inked[10:50, 10:16] = inked[28:32, 10:45] = 1  # its arm reaches across the cut
    inked[10:50, 60:66] = 1
    left = np.broadcast_to(np.arange(80) < 38, inked.shape)
    given_back = _without_scraps(inked, left, 15)
    assert given_back[inked == 1].sum() == 40 * 6 + 4 * 29, "not the whole arm, or more than it"


def test_narrow_ink_is_not_cut():
    ink = paper()
    bar(ink, 100)
    assert len(find_segments(ink)) == 1


@pytest.mark.parametrize(("teeth", "is_cut"), [(12, True), (150, False)])
def test_ink_too_wide_for_a_number_is_not_cut(teeth, is_cut):
    # A texture such as a comb could be cut at a hundred places, and the parts between any two of them are thousands.
    ink = np.zeros((80, 20 * teeth + 40), np.uint8)
    ink[60:66, 10 : 20 * teeth + 10] = 255
    for tooth in range(teeth):
        cv2.line(ink, (15 + 20 * tooth, 12), (15 + 20 * tooth, 62), 255, 5)
    assert (len(find_segments(ink)) > 1) == is_cut


def test_rows_are_read_in_order_though_they_slope_bend_and_have_gaps():
    ink = paper(800, 1200)
    lefts = [40, 110, 190, 700, 800, 1100]  # two gaps within a row
    for row, top in enumerate((60, 230, 400)):
        for column, left in enumerate(lefts):
            bar(ink, left, round(top + 0.2 * left + 15 * np.sin(left / 200)), 10 + 2 * column + row)
    found = whole(ink)
    assert [segment.row for segment in found] == [0] * 6 + [1] * 6 + [2] * 6
    assert [segment.box[0] + 1 for segment in found] == pytest.approx(lefts * 3, abs=2)


def test_a_digit_below_two_others_is_a_row_of_its_own():
    ink = paper(400, 600)
    for left, top in ((60, 40), (240, 40), (60, 219)):
        bar(ink, left, top, height=120)
    assert [segment.row for segment in whole(ink)] == [0, 0, 1]


def test_large_and_small_digits_make_one_row():
    ink = paper()
    for i, height in enumerate((110, 70, 120, 65)):
        bar(ink, 60 + 80 * i, 190 - height, height=height)
    assert [segment.row for segment in whole(ink)] == [0] * 4


def test_separate_strokes_of_one_digit_stay_together():
    ink = paper()
    cv2.polylines(ink, [np.array([(60, 80), (55, 120), (110, 125), (120, 170), (55, 200)])], False, 255, 10)
    cv2.line(ink, (70, 52), (125, 48), 255, 10)  # the 5's bar, written last and not touching
    bar(ink, 300)
    (five, one) = boxes(ink)
    assert five[1] < 50, "the bar was lost"
    assert five[0] + five[2] < 140 and one[0] > 290


def test_two_strokes_close_together_are_offered_as_one_digit_too():
    ink = paper()
    cv2.polylines(ink, [np.array([(60, 60), (50, 130), (92, 130)])], False, 255, 8)  # an open 4
    bar(ink, 100, 70, 9, 120)
    segments = find_segments(ink)
    assert any(segment.box[0] < 60 and segment.box[2] > 58 and not segment.cut for segment in segments)
    assert len(boxes(ink)) == 2
    apart = paper()
    bar(apart, 60)
    bar(apart, 110)  # 1s beside each other
    assert len(find_segments(apart)) == 2


def test_a_digit_broken_into_low_pieces_is_one_digit():
    ink = paper()
    for left in (60, 140, 300):
        bar(ink, left)
    for top in (60, 100, 140):
        cv2.line(ink, (212, top), (236, top + 28), 255, 8)  # broken three times
    assert len(boxes(ink)) == 4
    assert boxes(ink)[2][3] > 100


def test_a_stroke_holds_together_through_faint_ink():
    ink = paper()
    bar(ink, 100)
    ink[108:114, 100:114] = 60
    assert len(boxes(ink)) == 1
    ink[ink > 0] = 60
    assert boxes(ink) == [], "nothing is strongly inked"


def test_specks_commas_full_stops_and_underlines_are_no_digits():
    ink = paper()
    for left in (60, 140, 220):
        bar(ink, left)
    clean = boxes(ink)
    cv2.line(ink, (250, 165), (246, 185), 255, 8)  # a comma
    cv2.circle(ink, (164, 166), 6, 255, -1)  # a full stop
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
    assert len(whole(ink)) == 2
    for segment in whole(ink):
        count, *_ = cv2.connectedComponents((segment.ink > 127).astype(np.uint8))
        assert count == 2, "ink of two digits; the other label is the paper"


def test_without_cutting_all_ink_stays_whole():
    ink = paper()
    cv2.circle(ink, (150, 120), 45, 255, 12)
    cv2.circle(ink, (235, 120), 45, 255, 12)
    (entire,) = find_segments(ink, cutting=False)
    assert not entire.cut and entire.box[2] > 1.8 * entire.box[3]
    assert len(find_segments(ink)) > 1


@pytest.mark.parametrize(("height", "is_cut"), [(9, False), (30, True)])
def test_ink_too_small_to_be_read_is_not_cut(height, is_cut):
    ink = paper()
    cv2.polylines(ink, [np.array([(100 + 8 * i, 100 + height * (i % 2)) for i in range(20)])], False, 255, 1)
    assert (len(find_segments(ink)) > 1) == is_cut
