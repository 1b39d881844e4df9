"""The parts that pages are composed of: papers, photographs, letterforms, text, rules, signs, handwriting."""

import itertools

import numpy as np
import pytest

from digits.common.config import NUM_CLASSES
from digits.composition import forms, handwriting, papers, photographs, rules, signs, text
from digits.composition.page_kinds import blank_page
from digits.composition.pages import Page
from digits.composition.papers import PATTERN_HEIGHT, PATTERN_WIDTH, PaperPool
from digits.composition.strokes import INK_EDGE_LEVEL, rasterise
from digits.model.heat_map import OTHER_INK

SEEDS = range(8)
FORMS = [(digit, form) for digit, paths in forms.DIGIT_FORMS.items() for form in range(len(paths))]
MARKS = {drawing.__name__: label for label, drawing in signs.MARK_DRAWINGS.items()}
KNOWN_TOKENS = {*range(OTHER_INK + 1), signs.CENTS, signs.EQUALS, *signs.UNMISTAKABLE_LETTERS, None}
NUMBER = [3, 1, 4, 1, 5, 9, 2, 6]
CELLS = rules.Cells(edges=[100.0, 130.0, 160.0, 190.0], top=90.0, bottom=125.0, slope=0.0, height=30.0, line_width=2)
POSITION = rules.NumberPosition(left=100.0, right=190.0, base=120.0, height=30.0, slope=0.02)
LAYOUT = handwriting.LineLayout(height=30, gap=0.1, nested=False, slope=0.0, jitter=0.0, cell=1.0)


def by_name(functions):
    """Return a parametrisation, `draw`, over the functions, each once."""
    return pytest.mark.parametrize("draw", dict.fromkeys(functions), ids=lambda function: function.__name__)


def rng_of(seed):
    return np.random.default_rng(seed)


def ruler_of(seed, dotted=False):
    return rules.Ruler(200, dotted, rng_of(seed))


def digits_of(tokens):
    return [token for token in tokens if isinstance(token, int) and token < NUM_CLASSES]


def drawn(strokes):
    """Return where a drawing has ink, (120, 160) bool, with the base line at row 80; a digit beside it has 40 pixels."""
    ink, (left, top) = rasterise(strokes, 40, 4, 0.0)
    canvas, x, y = np.zeros((120, 160), bool), round(left) + 40, round(top) + 80
    canvas[y : y + ink.shape[0], x : x + ink.shape[1]] = ink > INK_EDGE_LEVEL
    return canvas


# ---- papers ----


@by_name(papers.PATTERN_KINDS)
def test_a_pattern_has_its_size_and_is_finite_and_not_constant(draw):
    for seed in SEEDS:
        pattern = draw(rng_of(seed))
        assert pattern.shape == (PATTERN_HEIGHT, PATTERN_WIDTH)
        assert np.isfinite(pattern).all() and np.abs(pattern).max() < 20
        assert pattern.std() > 0.03, "it would hardly be seen in a photograph"


@by_name(papers.PATTERN_KINDS)
def test_the_same_seed_draws_the_same_pattern_and_another_seed_another(draw):
    first = draw(rng_of(1))
    assert np.array_equal(first, draw(rng_of(1)))
    assert not np.array_equal(first, draw(rng_of(2)))


def test_windows_are_cut_from_paper_in_the_size_asked_for_around_a_mean_of_0():
    pool = PaperPool(rng_of(0), size=6)
    means = []
    for seed in range(100):
        window = pool.cut(rng_of(seed), 64, 256)
        assert window.shape == (64, 256) and window.dtype == np.float32 and np.isfinite(window).all()
        means.append(window.mean())
    assert abs(np.mean(means)) < 0.1


def test_a_pool_of_papers_renews_one_pattern_at_a_time_and_the_oldest_first():
    pool = PaperPool(rng_of(0), size=2)

    def windows():
        return [pool.cut(rng_of(seed), 64, 256).tobytes() for seed in range(12)]

    before = windows()
    pool.renew()
    after_one = windows()
    pool.renew()
    assert 0 < len(set(before) & set(after_one)) < len(before)
    assert not set(before) & set(windows())


# ---- photographs ----


@pytest.fixture(scope="module")
def photographed():
    """A page with ink spread evenly over its middle, as (h, w) bool, and photographs of it."""
    page, pool = Page.blank(64, 256), PaperPool(rng_of(0), size=6)
    for column in range(6, 256, 16):
        page.ink[8:56, column : column + 3] = 255
    images = [photographs.photograph(page, (16, 240, 4, 60), pool, rng_of(seed)) for seed in range(100)]
    return page.ink[4:60, 16:240] > 0, images


def test_a_photograph_has_the_size_asked_for_and_grey_levels(photographed):
    inked, images = photographed
    assert {(image.shape, image.dtype) for image in images} == {(inked.shape, np.dtype(np.uint8))}


def test_ink_is_darker_than_paper_in_every_photograph(photographed):
    inked, images = photographed
    beside = ~inked
    beside[:4] = beside[-4:] = False  # rows without ink, where the light may be another
    darker = [float(image[beside].mean() - image[inked].mean()) for image in images]
    assert min(darker) > 4 and np.mean(darker) > 40


def test_some_photographs_are_noisy_and_some_are_not(photographed):
    rough = [np.abs(np.diff(image[:4].astype(float), axis=1)).mean() for image in photographed[1]]
    assert min(rough) < 1 < 4 < max(rough)


def test_a_scan_is_dark_on_white_where_there_is_ink_or_a_printed_line():
    page = Page.blank(20, 30)
    page.ink[5, 7], page.printed_lines[6, 8], page.ink[0, 0] = 255, 100, 255
    image = photographs.scan(page, (5, 25, 4, 16))
    assert image.shape == (12, 20) and image.dtype == np.uint8
    assert image[1, 2] == 0 and image[2, 3] == 155 and np.count_nonzero(image < 255) == 2


@by_name(photographs.LIGHT_PROBABILITIES)
def test_light_is_uneven_and_adds_fewer_grey_levels_than_the_ink_of_a_pen(draw):
    for seed in SEEDS:
        light = draw(rng_of(seed), 64, 256)
        assert light.shape == (64, 256) and np.isfinite(light).all()
        assert 0.5 < np.ptp(light) and np.abs(light).max() < 120


# ---- letterforms ----


@pytest.mark.parametrize("digit, form", FORMS)
def test_a_letterform_is_drawn_at_about_the_height_asked_for(digit, form):
    place = (form + 0.5) / len(forms.DIGIT_FORMS[digit])
    for seed, height in enumerate((16, 24, 39)):
        ink = forms.draw_digit(digit, place, height, 0.1 * height, 0.1, 1.0, rng_of(seed))
        assert ink.dtype == np.uint8 and ink.shape[0] == pytest.approx(height, rel=0.25)
        assert 0.04 < (ink > INK_EDGE_LEVEL).sum() / height**2 < 0.6, "so much of a square of its height is ink"


def test_every_digit_has_letterforms_and_each_is_drawn_in_its_own_way():
    assert sorted(forms.DIGIT_FORMS) == list(range(NUM_CLASSES))
    for digit, paths in forms.DIGIT_FORMS.items():
        count = len(paths)
        inks = [forms.draw_digit(digit, (form + 0.5) / count, 30, 3, 0.0, 1.0, rng_of(0)).tobytes() for form in range(count)]
        assert len(set(inks)) == count, digit


def test_a_letterform_is_wider_with_a_larger_aspect_and_blacker_with_a_wider_pen():
    plain, wide, bold = (
        forms.draw_digit(0, 0.0, 36, pen, 0.0, aspect, rng_of(0)) for pen, aspect in [(3, 1.0), (3, 1.6), (7, 1.0)]
    )
    assert wide.shape[1] > 1.3 * plain.shape[1]
    assert (bold > 128).sum() > 1.5 * (plain > 128).sum()


# ---- text ----


@by_name(text.NUMBER_PROBABILITIES)
def test_a_kind_of_number_holds_digits_and_only_known_tokens(draw):
    for seed, length in enumerate((1, 2, 3, 8)):
        tokens = draw(rng_of(seed), NUMBER[:length])
        assert digits_of(tokens) and set(tokens) <= KNOWN_TOKENS


@by_name([text.plain, text.amount, text.spaced])
def test_a_number_keeps_its_digits_in_their_order(draw):
    for seed in SEEDS:
        assert digits_of(draw(rng_of(seed), NUMBER)) == NUMBER


def test_amounts_have_one_kind_of_separator_before_every_third_digit_from_the_right():
    for seed in SEEDS:
        tokens = text.amount(rng_of(seed), NUMBER)
        separators = {token for token in tokens if token >= NUM_CLASSES}
        assert len(separators) == 1 and separators <= set(text.AMOUNT_SEPARATORS)
        groups = "".join(str(token) if token < NUM_CLASSES else "." for token in tokens).split(".")
        ends = list(itertools.accumulate(len(group) for group in groups))
        assert {2, 5, 8} <= set(ends) and all(groups)


def test_dates_are_two_or_three_parts_of_one_to_three_digits_with_one_kind_of_separator():
    counts = set()
    for seed in range(30):
        tokens = text.date(rng_of(seed), NUMBER)
        (separator,) = {token for token in tokens if token >= NUM_CLASSES}
        assert separator in text.DATE_SEPARATORS
        parts = "".join(str(token) if token < NUM_CLASSES else "/" for token in tokens).split("/")
        assert all(1 <= len(part) <= 3 for part in parts)
        counts.add(len(parts))
    assert counts == {2, 3}


def test_lines_of_text_hold_a_digit_and_lines_of_words_hold_none():
    for seed in range(60):
        line, words, alone = (write(rng_of(seed)) for write in (text.random_text, text.random_words, text.random_digits))
        assert digits_of(line) and set(line) <= KNOWN_TOKENS
        assert words and not digits_of(words) and set(words) <= KNOWN_TOKENS
        assert alone == digits_of(alone) and 2 <= len(alone) <= 7


def test_no_letter_is_drawn_that_some_write_like_a_digit():
    assert not set(signs.UNMISTAKABLE_LETTERS) & set("OoIlSsZzBgqbG") and len(signs.UNMISTAKABLE_LETTERS) > 20


# ---- rules ----


@by_name(rules.CELL_PROBABILITIES)
@pytest.mark.parametrize("dotted", [False, True], ids=["solid", "dotted"])
def test_cells_are_drawn_with_a_line_at_every_edge(draw, dotted):
    reach = round(max(rules.BOX_INSET) * CELLS.height) + 3
    for seed in SEEDS:
        canvas = blank_page().ink
        draw(canvas, ruler_of(seed, dotted), CELLS, rng_of(seed))
        assert canvas.max() <= 200
        upright = (canvas[int(CELLS.top) + 4 : int(CELLS.bottom) - 3] > 60).any(axis=0)  # between the lines above and below
        assert all(upright[int(edge) - reach : int(edge) + reach].any() for edge in CELLS.edges)
        assert (canvas[int(CELLS.bottom) - 2 : int(CELLS.bottom) + 3, 110:180] > 60).any(), "no line below the digits"


@by_name([rules.boxes, rules.comb])
def test_boxes_and_combs_stay_around_their_digits(draw):
    for seed in SEEDS:
        canvas = blank_page().ink
        draw(canvas, ruler_of(seed), CELLS, rng_of(seed))
        rows, columns = np.nonzero(canvas)
        assert CELLS.top - 3 <= rows.min() and rows.max() <= CELLS.bottom + 3
        assert CELLS.edges[0] - 3 <= columns.min() and columns.max() <= CELLS.edges[-1] + 3


@by_name(rules.RULE_PROBABILITIES)
def test_a_rule_is_drawn_on_the_page_and_only_in_the_layer_it_says(draw):
    changed = set()
    for seed in range(40):
        page = blank_page()
        draw(page, ruler_of(seed), POSITION, rng_of(seed))
        changed.add((bool(page.ink.any()), bool(page.printed_lines.any())))
        line = np.maximum(page.ink, page.printed_lines)
        assert (line > 60).sum() > 20 and line.max() <= 200, "a line is there, and no blacker than its ruler"
        assert page.symbols == []
    printed, inked = (False, True), (True, False)
    assert changed == ({printed, inked} if draw is rules.underline else {printed})


def test_a_frame_surrounds_the_number_and_a_line_above_is_above_it():
    for seed in SEEDS:
        page = blank_page()
        rules.frame(page, ruler_of(seed), POSITION, rng_of(seed))
        rows, columns = np.nonzero(page.printed_lines)
        assert rows.min() < POSITION.base - POSITION.height and POSITION.base < rows.max()
        assert columns.min() < POSITION.left and POSITION.right < columns.max()
        assert not page.printed_lines[95:118, 103:187].any(), "the frame crosses the number"
        page = blank_page()
        rules.line_above(page, ruler_of(seed), POSITION, rng_of(seed))
        assert np.nonzero(page.printed_lines[:, 100:190])[0].max() < POSITION.base - 0.7 * POSITION.height


def test_cells_are_printed_and_a_line_without_cells_gets_none():
    page = blank_page()
    rules.draw_cells(page, [], LAYOUT, 120.0, rng_of(0))
    assert not page.printed_lines.any()
    rules.draw_cells(page, CELLS.edges, LAYOUT, 120.0, rng_of(0))
    assert page.printed_lines.any() and not page.ink.any() and page.symbols == []


def test_a_stray_stroke_is_drawn_in_one_layer_and_is_no_symbol():
    layers = []
    for seed in range(20):
        page = blank_page()
        rules.draw_stray_stroke(page, rng_of(seed))
        layers.append((bool(page.ink.any()), bool(page.printed_lines.any())))
        assert page.symbols == []
    assert set(layers) == {(False, True), (True, False)}


def test_a_dotted_line_has_gaps_and_a_solid_one_has_none():
    for dotted in (False, True):
        canvas = np.zeros((40, 200), np.uint8)
        ruler_of(0, dotted).draw(canvas, (0, 20), (199, 20), 1)
        drawn_part = (canvas > 0).any(axis=0).mean()
        assert drawn_part == 1 if not dotted else 0.2 < drawn_part < 0.95


# ---- signs ----


@pytest.mark.parametrize("label", MARKS.values(), ids=MARKS)
def test_a_marks_held_back_shape_covers_other_pixels_than_each_shape_that_is_learned(label):
    def overlap(shape, seed):
        held_back, learned = (drawn(signs.MARK_DRAWINGS[label](rng_of(seed), s)) for s in (signs.HELD_BACK_SHAPE, shape))
        return (held_back & learned).sum() / (held_back | learned).sum()

    for shape in set(range(signs.SHAPES_PER_MARK)) - {signs.HELD_BACK_SHAPE}:
        assert np.mean([overlap(shape, seed) for seed in SEEDS]) < 0.8


@by_name(signs.SIGN_DRAWINGS)
def test_a_sign_has_ink_about_where_a_digit_would_stand(draw):
    for seed in SEEDS:
        ink = drawn(draw(rng_of(seed)))
        assert ink.sum() > 80, "40 pixels of a pen of 4 are 160"
        rows = np.flatnonzero(ink.any(axis=1)) - 80  # from the base line
        assert rows.min() > -1.4 * 40 and rows.max() < 0.4 * 40


def test_cents_stand_above_their_stroke():
    for seed in SEEDS:
        stroke, *figures = signs.draw_cents(rng_of(seed))
        assert figures and all(figure.points[:, 1].max() < stroke.points[0, 1] for figure in figures)


@pytest.mark.parametrize("font", signs.FONTS)
def test_a_capital_is_drawn_at_about_the_height_asked_for_in_each_font(font):
    for height in (18, 36):
        ink, (_, top) = signs.draw_character("E", font, height, 0.1 * height, 0.0, rng_of(0), bend=0.0)
        assert ink.shape[0] == pytest.approx(height, rel=0.25)
        assert top == pytest.approx(-height, rel=0.25), "it does not stand on the base line"


# ---- handwriting ----


def test_a_hand_writes_with_mnists_pen_or_one_in_its_range_and_a_thick_one_with_a_marker():
    pens = [handwriting.random_handwriting(rng_of(seed)).pen for seed in range(100)]
    markers = [handwriting.random_handwriting(rng_of(seed), thick=True).pen for seed in range(100)]
    low, high = handwriting.HAND_PEN_WIDTH
    assert 0 < pens.count(0.0) < 100 and all(low <= pen <= high for pen in pens if pen)
    assert min(markers) >= min(handwriting.MARKER_WIDTH) and max(markers) <= max(handwriting.MARKER_WIDTH)


def test_layouts_have_the_height_asked_for_and_some_have_cells():
    layouts = [handwriting.random_layout(rng_of(seed), 24.0) for seed in range(100)]
    assert {layout.height for layout in layouts} == {24.0} and len({layout.nested for layout in layouts}) == 2
    low, high = handwriting.CELL_WIDTH
    widths = [layout.cell for layout in layouts if layout.cell]
    assert 0 < len(widths) < 100 and low <= min(widths) and max(widths) <= high


def test_lines_as_mnist_shows_digits_keep_its_pen_and_lie_level_without_cells():
    for seed in SEEDS:
        hand, layout = handwriting.mnist_handwriting(rng_of(seed)), handwriting.mnist_layout(rng_of(seed), 20.0)
        assert hand.pen == 0 and abs(np.log(hand.aspect)) < 0.5
        assert layout.height == 20 and (layout.slope, layout.cell, layout.nested) == (0, 0, False)


def test_a_style_says_the_pen_in_pixels_and_keeps_one_letterform_for_each_digit():
    for seed in SEEDS:
        hand = handwriting.random_handwriting(rng_of(seed), thick=True)
        style = handwriting.random_style(LAYOUT, hand, None, rng_of(seed))
        assert style.pen == pytest.approx(hand.pen * LAYOUT.height)
        assert style.forms.shape == (NUM_CLASSES,) and 0 <= style.forms.min() and style.forms.max() < 1
        assert style.letter_font in signs.FONTS and style.first_scale >= 1 >= style.zero_scale
        printed = handwriting.random_style(LAYOUT, hand, signs.PRINT_FONTS[0], rng_of(seed))
        assert printed.letter_font == printed.font == signs.PRINT_FONTS[0]
