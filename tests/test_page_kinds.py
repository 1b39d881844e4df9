"""Each kind of composed page has on it what its entry in the table says."""

import numpy as np
import pytest

from digits.common.config import NUM_CLASSES
from digits.composition import page_kinds, windows
from digits.composition.chance import pick
from digits.composition.glyphs import GlyphPool
from digits.composition.page_kinds import CLEAN, NUMBERS, OFF_SCALE, PAGE_KINDS, SINGLE_DIGITS, WORDS
from digits.composition.pages import Sources
from digits.composition.papers import PaperPool
from digits.data.dataset import bundled_digits

COUNT = 8  # pages of each kind


@pytest.fixture(scope="module")
def sources():
    rng, data = np.random.default_rng(0), bundled_digits()
    return Sources(GlyphPool(data.x_train, data.y_train, rng, size=50), PaperPool(rng, size=2))


@pytest.fixture
def write(monkeypatch, sources):
    """A function that writes pages of one kind."""

    def write(kind):
        monkeypatch.setattr(page_kinds, "pick", lambda rng, probabilities: kind)
        rng = np.random.default_rng(1)
        return [page_kinds.write_page(sources, rng) for _ in range(COUNT)]

    return write


def labels(written):
    return [symbol.label for symbol in written.page.symbols]


def test_a_key_is_picked_with_its_probability():
    rng = np.random.default_rng(0)
    picked = [pick(rng, {"a": 0.7, "b": 0.3, "c": 0.0}) for _ in range(2000)]
    assert abs(picked.count("a") - 1400) < 80 and picked.count("c") == 0


def test_the_probabilities_of_the_kinds_of_pages_add_up_to_1():
    assert sum(kind.probability for kind in PAGE_KINDS) == pytest.approx(1)
    assert len({kind.name for kind in PAGE_KINDS}) == len(PAGE_KINDS)


def test_clean_pages_hold_digits_alone_without_printed_lines(write):
    for written in write(CLEAN):
        assert written.clean and not written.page.printed_lines.any()
        assert labels(written) and max(labels(written)) < NUM_CLASSES


def test_pages_of_words_hold_no_digit(write):
    for written in write(WORDS):
        assert labels(written) and min(labels(written)) >= NUM_CLASSES


def test_pages_of_numbers_hold_digits_and_some_have_printed_lines(write):
    pages = write(NUMBERS)
    assert all(min(labels(written)) < NUM_CLASSES for written in pages)
    assert 0 < sum(written.page.printed_lines.any() for written in pages) < COUNT


def test_digits_that_are_far_too_small_or_too_large_are_not_to_be_read(write, sources):
    for written in write(OFF_SCALE):
        assert written.height == 0 and min(labels(written)) < NUM_CLASSES
        _, visible = windows.show(written, sources, np.random.default_rng(2))
        assert all(symbol.label not in range(NUM_CLASSES) for symbol in visible)


def test_images_of_single_digits_do_not_overlap_and_hold_one_digit_each(write):
    margin = page_kinds.PAGE_MARGIN
    for written in write(SINGLE_DIGITS):
        ends = [end for left, right, _, _ in written.single_digits for end in (left, right)]
        assert ends == sorted(ends)
        for left, right, _, _ in written.single_digits:
            centres = [(symbol.left + symbol.right) / 2 - margin for symbol in written.page.symbols]
            assert sum(left <= centre <= right for centre in centres) == 1
