"""Rows that the line reader learns from: which text lines of a page are cut out, which symbols they have, how they fill a row."""

import itertools

import numpy as np
import pytest

from digits.composition.glyphs import GlyphPool
from digits.composition.pages import IGNORED_LABEL, Sources, Symbol
from digits.composition.papers import PaperPool
from digits.data.dataset import bundled_digits
from digits.model.heat_map import CLASS_COUNT, OTHER_INK
from digits.model.line_image import COLUMN_STRIDE, LINE_HEIGHT, PADDING
from digits.training import line_rows
from digits.training.line_rows import MAX_SYMBOLS, ROW_WIDTH, lines_in

SEEDS = range(60)  # what is cut out is random, so each is tried with several
TOP, HEIGHT = 100, 40  # pixels, of the symbols on the page


def symbols_of(labels, left=100, width=24, gap=8, top=TOP):
    """Return symbols of these classes beside each other, from left to right."""
    lefts = itertools.count(left, width + gap)
    return [Symbol(label, x, top, x + width, top + HEIGHT) for label, x in zip(labels, lefts, strict=False)]


def cut_out(visible):
    """Return the lines that are cut out of a blank page with these symbols, with any seed."""
    page = np.full((260, 900), 230, np.uint8)
    return [line for seed in SEEDS for line in lines_in(page, visible, np.random.default_rng(seed))]


def columns_needed(labels):
    """Return the columns without which no answer of the network gives these symbols: one for each, and one between equal ones."""
    return len(labels) + sum(before == label for before, label in itertools.pairwise(labels))


@pytest.fixture
def places(monkeypatch):
    """The TextLines that are cut out, as soon as they are."""
    found = []
    line_image = line_rows.line_image
    monkeypatch.setattr(line_rows, "line_image", lambda grey, line: found.append(line) or line_image(grey, line))
    return found


# ---- lines --------------------------------------------------------------------------------------------------------------


def test_the_symbols_of_a_line_are_named_from_left_to_right():
    lines = cut_out(symbols_of([1, 3, 5, 7, 9])[::-1])
    assert len(lines) == len(SEEDS)
    assert all(labels == sorted(labels) for _, labels in lines)
    assert sum(labels == [1, 3, 5, 7, 9] for _, labels in lines) > len(SEEDS) / 2


def test_each_text_line_has_its_own_symbols():
    lines = cut_out([*symbols_of([1, 2, 3], top=60), *symbols_of([4, 5, 6], top=160)])
    assert len(lines) == 2 * len(SEEDS)
    assert all(set(labels) <= {1, 2, 3} or set(labels) <= {4, 5, 6} for _, labels in lines)


def test_no_line_holds_a_symbol_for_which_every_answer_is_right():
    lines = cut_out(symbols_of([1, 2, IGNORED_LABEL, 3, 4]))
    assert len(lines) < len(SEEDS) / 2, "most lines hold it and are left out; in others it is at an end, for digits were missed"
    assert all(labels in ([1], [2], [1, 2], [3], [4], [3, 4]) for _, labels in lines)


def test_a_line_ends_before_a_symbol_for_which_every_answer_is_right():
    lines = cut_out(symbols_of([IGNORED_LABEL, 1, 2, 3, IGNORED_LABEL]))
    assert len(lines) == len(SEEDS)
    assert sum(labels == [1, 2, 3] for _, labels in lines) > len(SEEDS) / 2


def test_the_ends_of_a_line_cut_no_symbol(places):
    visible = symbols_of([OTHER_INK, 1, 2, 3, OTHER_INK], gap=20)
    lines = cut_out(visible)
    assert len(places) == len(lines) == len(SEEDS)
    for place, (_, labels) in zip(places, lines, strict=True):
        assert not any(symbol.left < end < symbol.right for symbol in visible for end in (place.left, place.right))
        assert labels == [symbol.label for symbol in visible if place.left < symbol.left and symbol.right < place.right]
    assert {tuple(labels) for _, labels in lines} >= {(1, 2, 3), (OTHER_INK, 1, 2, 3), (1, 2, 3, OTHER_INK)}


def test_a_line_that_is_wider_than_a_row_is_left_out():
    assert cut_out(symbols_of([1, 2] * 12)) == []


def test_every_line_has_the_columns_that_its_symbols_need():
    lines = cut_out(symbols_of([1] * 12, width=2, gap=1))
    assert 0 < len(lines) < len(SEEDS), "some have too few, and are left out"
    assert all(columns_needed(labels) * COLUMN_STRIDE <= image.shape[1] for image, labels in lines)


# ---- rows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 9], ids=["one symbol in a line", "nine"])
def test_lines_stand_beside_each_other_in_a_row_and_never_overlap(count):
    """Each line has a grey level of its own, and its symbols are as many of that number."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        widths = rng.integers(1, ROW_WIDTH // COLUMN_STRIDE // 2, 60) * COLUMN_STRIDE
        lines = [(np.full((LINE_HEIGHT, width), level, np.float32), [level] * count) for level, width in enumerate(widths, 1)]
        row, symbols = line_rows._row(iter(lines), rng)
        shown = symbols[symbols != PADDING][::count]
        assert list(shown) == list(range(1, len(shown) + 1)) and 0 < len(shown) * count <= MAX_SYMBOLS
        assert sorted(set(row.flat) - {0}) == list(shown)
        for level in shown:
            columns = np.flatnonzero((row == level).all(axis=0))
            assert len(columns) == np.ptp(columns) + 1 == widths[level - 1] and columns[0] % COLUMN_STRIDE == 0


def test_a_line_with_more_symbols_than_a_row_holds_is_passed_over():
    lines = [(np.ones((LINE_HEIGHT, 20), np.float32), labels) for labels in ([7] * (MAX_SYMBOLS + 1), [1], [2] * MAX_SYMBOLS)]
    row, symbols = line_rows._row(iter(lines), np.random.default_rng(0))
    assert symbols[symbols != PADDING].tolist() == [1] and row.sum() == lines[1][0].size


# ---- batches ------------------------------------------------------------------------------------------------------------


def first_batches(count, batch_size):
    """Return the first batches of the digits inside scikit-learn."""
    rng, data = np.random.default_rng(0), bundled_digits()
    sources = Sources(GlyphPool(data.x_train, data.y_train, rng, size=50), PaperPool(rng, size=5))
    return list(itertools.islice(line_rows.batches(sources, rng, batch_size), count))


def test_batches_have_the_form_that_the_network_takes_and_are_the_same_for_the_same_seed():
    first = first_batches(count=1, batch_size=4)
    for rows, symbols in first:
        assert rows.shape == (4, LINE_HEIGHT, ROW_WIDTH, 1) and rows.dtype == np.float32
        assert symbols.shape == (4, MAX_SYMBOLS) and symbols.dtype == np.int32
        for row in symbols:
            count = np.count_nonzero(row != PADDING)
            assert count > 0 and set(row[count:]) <= {PADDING}, "padding stands behind the last symbol"
            assert set(row[:count]) <= set(range(CLASS_COUNT))
            assert columns_needed(row[:count]) * COLUMN_STRIDE <= ROW_WIDTH
    again = first_batches(count=1, batch_size=4)
    assert all(np.array_equal(a, b) for a, b in zip(itertools.chain(*first), itertools.chain(*again), strict=True))
