"""Composed windows: the same for the same seed, with targets where the digits are, and marks that are kept for validation."""

import itertools

import cv2
import numpy as np
import pytest

from digits.composition import signs, windows
from digits.composition.glyphs import GlyphPool, make_glyphs, thin, write
from digits.composition.handwriting import Handwriting, LineLayout
from digits.composition.lines import write_line
from digits.composition.page_kinds import PAGE_MARGIN, WrittenPage, blank_page
from digits.composition.pages import IGNORED_LABEL, Sources, Symbol
from digits.composition.papers import PaperPool
from digits.data.dataset import bundled_digits
from digits.model import heat_map
from digits.model.heat_map import CLASS_COUNT, HAS_BOX, LOSS_WEIGHT, MINUS, OUTPUT_COUNT, STRIDE, TARGET_COUNT

UPRIGHT = Handwriting(slant=0.0, aspect=1.0, pen=0.1, edge=1.0, weight=0.0, turn=0.0)
PLAIN = LineLayout(height=30, gap=0.3, nested=False, slope=0.0, jitter=0.0, cell=0.0)


def sources_of(seed):
    rng = np.random.default_rng(seed)
    data = bundled_digits()
    return Sources(GlyphPool(data.x_train, data.y_train, rng, size=50), PaperPool(rng, size=5))


def first_batch(sources):
    return next(windows.batches(sources, np.random.default_rng(2), 6))


@pytest.fixture(scope="module")
def composed():
    """Sources, and the first batch that was composed from them."""
    sources = sources_of(0)
    return sources, first_batch(sources)


@pytest.fixture(scope="module")
def sources(composed):
    return composed[0]


def test_the_same_seed_composes_the_same_windows(composed):
    assert all(np.array_equal(a, b) for a, b in zip(composed[1], first_batch(sources_of(0)), strict=True))


def test_batches_have_the_form_that_the_network_takes(sources):
    batch = itertools.islice(windows.batches(sources, np.random.default_rng(3), 5), 3)
    for inputs, targets in batch:
        assert inputs.shape == (5, 64, 256, 1) and inputs.dtype == np.float32
        assert targets.shape == (5, 16, 64, TARGET_COUNT) and targets.dtype == np.float32
        assert np.abs(inputs).max() <= heat_map.MAX_DEVIATION
        assert targets[..., :CLASS_COUNT].min() >= 0 and targets[..., :CLASS_COUNT].max() == 1


def test_targets_are_on_the_centres_of_the_digits(sources):
    page, rng = blank_page(), np.random.default_rng(4)
    base = PAGE_MARGIN + 48
    write_line(page, [3, MINUS, 8, 0], PLAIN, UPRIGHT, (PAGE_MARGIN + 20, base), sources, rng)
    window, symbols = windows.show(WrittenPage(page, 30, 48, 20, [(0, 250, 0, 64)], True), sources, rng)
    assert [symbol.label for symbol in symbols] == [3, MINUS, 8, 0]
    target = windows.target(symbols)
    for symbol in symbols:
        inked = window[int(symbol.top) : int(symbol.bottom), int(symbol.left) : int(symbol.right)]
        assert (inked < 0).any(axis=1).mean() > 0.9, "the box is higher than the ink"
        row, column = windows.centre_place(symbol, *target.shape[:2])
        assert target[row, column, symbol.label] == 1 and target[row, column, HAS_BOX] == 1
        log_w, log_h, dx, dy = target[row, column, CLASS_COUNT:OUTPUT_COUNT]
        assert (column + 0.5 + dx) * STRIDE == pytest.approx((symbol.left + symbol.right) / 2, abs=0.01)
        assert (row + 0.5 + dy) * STRIDE == pytest.approx((symbol.top + symbol.bottom) / 2, abs=0.01)
        assert heat_map.BOX_UNIT * np.exp([log_w, log_h]) == pytest.approx(
            [symbol.right - symbol.left, symbol.bottom - symbol.top], rel=1e-3
        )
    assert np.count_nonzero(target[..., :CLASS_COUNT] == 1) == 4


def test_an_ignored_symbol_has_no_weight_in_the_loss_except_at_the_centres_of_others():
    digit, cut = Symbol(5, 40, 20, 60, 44), Symbol(IGNORED_LABEL, 50, 20, 70, 44)
    weights = windows.target([digit, cut])[..., LOSS_WEIGHT]
    row, column = windows.centre_place(digit, *weights.shape)
    assert weights[row, column] == 1
    assert weights[8, 15] == 0 and weights[8, 40] == 1


@pytest.mark.parametrize("fraction, label", [(1.0, 7), (0.6, IGNORED_LABEL), (0.3, None)])
def test_a_digit_that_the_border_cuts_is_learned_only_where_enough_is_visible(fraction, label, sources):
    page, border = blank_page(), 200
    left, top = PAGE_MARGIN + border - 20 * fraction, PAGE_MARGIN + 10
    page.symbols.append(Symbol(7, left, top, left + 20, top + 30))
    written = WrittenPage(page, 30, 40, 0, [(0, border, 0, 64)], clean=True)
    _, symbols = windows.show(written, sources, np.random.default_rng(0))
    assert [symbol.label for symbol in symbols] == ([] if label is None else [label])


def test_marks_held_back_for_validation_are_never_drawn_for_learning(monkeypatch):
    monkeypatch.setitem(signs.MARK_DRAWINGS, heat_map.COMMA, lambda rng, shape: [shape])
    rng = np.random.default_rng(0)
    learned = {shape for _ in range(50) for shape in signs.draw_mark(heat_map.COMMA, rng)}
    held_back = {shape for _ in range(50) for shape in signs.draw_mark(heat_map.COMMA, rng, held_back=True)}
    assert len(learned) == signs.SHAPES_PER_MARK - 1 and held_back == {signs.HELD_BACK_SHAPE}
    assert not learned & held_back


@pytest.mark.parametrize("label", range(heat_map.POINT, heat_map.COLON + 1))
def test_a_mark_held_back_has_a_shape_of_its_own(label):
    draw = signs.MARK_DRAWINGS[label]
    shapes = [
        [np.round(points, 3).tolist() + [width] for points, width in draw(np.random.default_rng(0), shape)]
        for shape in range(signs.SHAPES_PER_MARK)
    ]
    assert all(shapes[signs.HELD_BACK_SHAPE] != other for other in shapes[: signs.HELD_BACK_SHAPE])


def test_a_skeleton_is_one_pixel_wide_and_as_long_as_the_stroke():
    shape = np.zeros((1, 20, 30), bool)
    shape[0, 8:13, 4:26] = True
    skeleton = thin(shape)[0]
    assert skeleton.sum(axis=0).max() == 1
    assert skeleton.any(axis=0).sum() >= 16
    assert not (skeleton & ~shape[0]).any()


def test_a_glyph_is_written_at_the_height_and_with_the_pen_asked_for():
    data = bundled_digits()
    (glyph,) = make_glyphs(data.x_train[data.y_train == 0][:1], np.array([0]))
    inks = []
    for pen in (0.06, 0.2):
        handwriting = Handwriting(slant=0.0, aspect=1.0, pen=pen, edge=1.0, weight=0.0, turn=0.0)
        inks.append(write(glyph, 40, handwriting, np.random.default_rng(0)))
    thin_ink, thick_ink = inks
    assert abs(thin_ink.shape[0] - 40) <= 4 and abs(thick_ink.shape[0] - 40) <= 4
    assert (thick_ink > 128).sum() > 1.8 * (thin_ink > 128).sum()


def test_a_pen_does_not_follow_the_skeleton_of_a_filled_loop():
    six = np.zeros((2, 28, 28), np.uint8)
    for image, filled in zip(six, (2, -1), strict=True):
        cv2.line(image, (16, 4), (10, 16), 255, 2)
        cv2.circle(image, (14, 18), 5, 255, filled)
    ring, disc = make_glyphs(six, np.array([6, 6]))
    assert ring.traceable and not disc.traceable
