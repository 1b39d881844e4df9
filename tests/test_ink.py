"""Ink is found where it was written, and nowhere else, on any paper and in any light."""

import cv2
import numpy as np
import pages
import pytest

from digits.reading.ink import find_ink


@pytest.fixture(scope="module")
def digits(mnist_folder):
    """Twenty MNIST training digits, (20, 28, 28) uint8."""
    return pages.mnist_digits(mnist_folder, 20)


def agreement(ink, coverage):
    """The F1 measure of inked pixels; one pixel beside does not matter."""
    found, truth = ((strength > 0.5).astype(np.uint8) for strength in (ink / 255, coverage))
    near = np.ones((3, 3), np.uint8)
    precision = (found & cv2.dilate(truth, near)).sum() / max(found.sum(), 1)
    recall = (truth & cv2.dilate(found, near)).sum() / max(truth.sum(), 1)
    return 2 * precision * recall / max(precision + recall, 1e-9)


LINES = {
    "ruled": (pages.ruled(), (150, 170, 210)),
    "dark ruled": (pages.ruled(), (60, 60, 80)),
    "grid": (pages.ruled(spacing=30, across=True), (150, 170, 210)),
    "dark grid": (pages.ruled(spacing=60, across=True), (90, 90, 110)),
    "cell": (pages.cell(), (40, 40, 40)),
    "aslant": (pages.aslant(pages.ruled(), 2.0), (60, 60, 80)),
}
LIGHTS = {
    "gradient": pages.gradient(),
    "vignette": pages.vignette(),
    "soft shadow": pages.phone_shadow(softness=25),
    "hard shadow": pages.phone_shadow(),
    "folds": pages.folds(),
}


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("stroke", [3, 9])
def test_light_and_shadow_are_not_ink(digits, light, stroke):
    coverage = pages.write([digits[:3], digits[3:6]], stroke=stroke)
    assert agreement(find_ink(pages.page(coverage, light=LIGHTS[light])), coverage) > 0.9


@pytest.mark.parametrize("lines", LINES)
def test_printed_lines_are_removed_and_strokes_across_them_stay_whole(digits, lines):
    coverage = pages.write([digits[:3]], stroke=7)
    printed, line_ink = LINES[lines]
    ink = find_ink(pages.page(coverage, lines=printed, line_ink=line_ink))
    assert agreement(ink, coverage) > 0.9
    broken = [cv2.connectedComponents((strokes > 0.5).astype(np.uint8))[0] for strokes in (coverage, ink / 255)]
    assert broken[1] <= broken[0] + 2, "the digits fell to pieces, or the lines did"


def test_strokes_that_run_along_a_fine_grid_stay_whole():
    coverage = np.zeros((600, 800), np.float32)
    cv2.polylines(coverage, [np.int32([(300, 205), (500, 205), (320, 390), (500, 390)])], False, 1.0, 5)  # an angular 2
    grid = pages.ruled(coverage.shape, spacing=37, across=True)
    ink = find_ink(pages.page(coverage, lines=grid))
    assert (ink[coverage > 0.5] > 80).mean() > 0.98


@pytest.mark.parametrize("lines", LINES)
def test_printed_lines_alone_are_a_blank_page(lines):
    printed, line_ink = LINES[lines]
    empty = np.zeros(pages.SIZE, np.float32)
    assert (find_ink(pages.page(empty, lines=printed, line_ink=line_ink)) > 80).mean() < 0.001


@pytest.mark.parametrize(
    "strokes",
    [
        pytest.param([(100, 50), (490, 55), (260, 370)], id="a seven over most of the page, in a thin pen"),
        pytest.param([(300, 0), (300, 419)], id="a one from border to border"),
    ],
)
def test_a_long_straight_stroke_is_no_printed_line(strokes):
    coverage = np.zeros(pages.SIZE, np.float32)
    cv2.polylines(coverage, [np.int32(strokes)], False, 1.0, 4)
    assert agreement(find_ink(pages.page(coverage)), coverage) > 0.95


def test_a_digit_cut_out_tightly_is_no_shadow():
    coverage = np.zeros((100, 60), np.float32)
    coverage[:14] = 1  # a seven whose bar meets a quarter of the border
    cv2.line(coverage, (52, 7), (25, 100), 1.0, 14)
    assert agreement(find_ink(pages.page(coverage)), coverage) > 0.9


@pytest.mark.parametrize(("height", "stroke"), [(36, 3), (110, 2), (110, 12), (330, 60)])
def test_a_stroke_of_any_width_is_filled(digits, height, stroke):
    coverage = pages.write([digits[7:8]], height=height, stroke=stroke)
    assert agreement(find_ink(pages.page(coverage)), coverage) > 0.95


@pytest.mark.parametrize("light_ink", [False, True])
@pytest.mark.parametrize("grain", [2, 12])
def test_ink_may_be_dark_or_light(digits, light_ink, grain):
    coverage = pages.write([digits[:3]])
    colours = ((35, 60, 50), (225, 225, 215)) if light_ink else ((225, 225, 215), (35, 60, 50))
    assert agreement(find_ink(pages.page(coverage, *colours, grain=grain)), coverage) > 0.95


def test_a_faint_pencil_is_seen_whole(digits):
    coverage = pages.write([digits[:3]], stroke=6)
    pixels = pages.page(pages.pencil(coverage), ink=(165, 165, 168), light=pages.gradient(darkest=0.7), grain=4)
    ink = cv2.GaussianBlur(find_ink(pixels), (0, 0), 1.5)
    assert (ink[coverage > 0.5] > 40).mean() > 0.97


@pytest.mark.parametrize(("desk", "texture"), [((95, 65, 45), 14), ((235, 225, 215), 5)], ids=["dark", "bright"])
def test_the_desk_is_not_ink(digits, desk, texture):
    sheet = pages.page(pages.write([digits[:3]], stroke=6), paper=(190, 190, 188), ink=(120, 120, 125))
    ink = find_ink(pages.on_desk(sheet, desk, texture))
    written = np.s_[120:320, 150:480]
    assert (ink[written] > 127).sum() > 1500
    ink[written] = 0
    assert (ink > 127).mean() < 0.002


def test_a_miniature_of_one_third_ink_is_read_as_ink_on_paper(digits):
    small = cv2.resize(pages.write([digits[7:8]], height=380, stroke=45, size=(400, 340)), (28, 28),
                       interpolation=cv2.INTER_AREA)  # fmt: skip
    assert small.mean() > 0.25
    assert agreement(find_ink(pages.page(small, grain=0)), small) > 0.9


@pytest.mark.parametrize("level", [0, 127, 255])
def test_blank_paper_holds_no_ink(level):
    assert not find_ink(np.full((300, 200, 3), level, np.uint8)).any()


@pytest.mark.parametrize("light", ["gradient", "vignette"])
@pytest.mark.parametrize("grain", [0, 8])
def test_light_and_grain_alone_hold_no_ink(light, grain):
    empty = np.zeros(pages.SIZE, np.float32)
    assert (find_ink(pages.page(empty, paper=(180, 180, 180), light=LIGHTS[light], grain=grain)) > 80).sum() == 0


def test_noise_alone_holds_no_ink():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    assert not find_ink(noise).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_and_thin_images_do_no_harm(size):
    pixels = np.full((*size, 3), 255, np.uint8)
    pixels[0, 0] = 0
    assert find_ink(pixels).shape == size


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_what_is_written_on_a_small_sheet_is_found_whatever_the_desk(digits, share):
    coverage = pages.write([digits[:2]], size=(int(500 * share**0.5), int(700 * share**0.5)), height=90)
    sheet = pages.page(coverage)
    desk = np.full((500, 700, 3), (90, 60, 40), np.uint8)
    top, left = (500 - len(sheet)) // 2, (700 - sheet.shape[1]) // 2
    place = np.s_[top : top + len(sheet), left : left + sheet.shape[1]]
    desk[place] = sheet
    truth = np.zeros(desk.shape[:2])
    truth[place] = coverage
    assert agreement(find_ink(desk), truth) > 0.9


@pytest.mark.parametrize("shape", ["bar", "ellipse"])
def test_a_brush_stroke_is_no_sheet(shape):
    pixels = np.full((300, 300, 3), 240, np.uint8)
    if shape == "bar":
        cv2.rectangle(pixels, (110, 40), (190, 260), (20, 20, 20), cv2.FILLED)
    else:
        cv2.ellipse(pixels, (150, 150), (70, 110), 0, 0, 360, (20, 20, 20), 50)  # a 0
    assert agreement(find_ink(pixels), pixels[..., 0] < 128) > 0.95
