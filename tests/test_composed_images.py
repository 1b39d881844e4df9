"""The composed images of the benchmark: what stands on them is what the label says, and nothing of it was learned."""

import sys
from collections import Counter

import numpy as np
import pytest
from conftest import PROJECT

from digits.common.config import MARKS
from digits.composition import forms, signs
from digits.composition.pages import Page, Symbol
from digits.composition.rows import ROW_GAPS
from digits.data import dataset
from digits.data.dataset import Dataset, Split, bundled_digits
from digits.data.labels import digits_of, is_label
from digits.model.card import ModelCard

sys.path.insert(0, str(PROJECT / "benchmarks"))
import composed_images
from composed_images import ALPHABET, CELLS, LETTERS, MARK_FORMS, MARK_KINDS, ROW_STYLES, WORDS

COUNT = 2  # images of each kind


@pytest.fixture(scope="module")
def digits():
    data = bundled_digits()
    return Split(data.x_train[:400], data.y_train[:400])


@pytest.fixture(scope="module")
def composed(digits):
    """(the composed images, the pages that were photographed, with the part of the page that each image shows)."""
    photographed = []

    def photograph(page, box, papers, rng):
        photographed.append((page, box))
        return original(page, box, papers, rng)

    def learned(*arguments):
        raise AssertionError("drawn in a form that is learned")

    original = composed_images.photograph
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(composed_images, "photograph", photograph)
        monkeypatch.setattr(forms, "draw_digit", learned)
        monkeypatch.setattr(signs, "draw_character", learned)
        for mark, draw in signs.MARK_DRAWINGS.items():
            monkeypatch.setitem(signs.MARK_DRAWINGS, mark, lambda rng, shape, draw=draw: held_back(draw, rng, shape))
        return list(composed_images.composed_images(digits, COUNT)), photographed


def held_back(draw, rng, shape):
    assert shape == signs.HELD_BACK_SHAPE
    return draw(rng, shape)


def test_each_kind_has_its_number_of_images(composed):
    images, _ = composed
    rows = [composed_images.kind_of_rows(gap, style) for gap in ROW_GAPS for style in ROW_STYLES]
    assert Counter(image.kind for image in images) == dict.fromkeys([*rows, CELLS, *MARK_KINDS.values(), LETTERS], COUNT)
    assert len(images) == composed_images.count_of_images(COUNT)
    assert composed_images.count_of_images(500) == 5000 + 500 + 1000 + 500


def test_an_images_label_is_what_stands_on_the_page_and_lies_in_the_image(composed):
    images, photographed = composed
    pages = iter(photographed)
    for image in images:
        if image.kind.startswith("gap"):
            continue
        page, (left, right, top, bottom) = next(pages)
        while image.pixels.shape != (bottom - top, right - left):  # a photograph that was taken again
            page, (left, right, top, bottom) = next(pages)
        assert "".join("0123456789.,-/:"[symbol.label] for symbol in page.symbols) == image.label
        assert all(symbol.left >= left and symbol.right <= right for symbol in page.symbols)
        assert all(symbol.top >= top and symbol.bottom <= bottom for symbol in page.symbols)
        assert image.pixels.dtype == np.uint8 and is_label(image.label)


def test_marks_stand_where_the_kind_says_and_nowhere_else(composed):
    for image in composed[0]:
        marks = set(image.label) & set(MARKS)
        assert marks == {mark for mark, kind in MARK_KINDS.items() if kind == image.kind}


def test_the_images_are_the_same_each_time(composed, digits):
    for first, second in zip(composed[0], composed_images.composed_images(digits, COUNT), strict=True):
        assert (first.kind, first.label) == (second.kind, second.label) and np.array_equal(first.pixels, second.pixels)


def test_no_digit_was_learned_by_either_network(monkeypatch):
    n = 12_000
    indices = np.arange(n)
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = indices // 256, indices % 256  # each image says which one it is
    data = Dataset("MNIST", images, (indices % 10).astype(np.uint8), images[:0], images[:0, 0, 0])
    monkeypatch.setattr(dataset, "load", lambda parts: data)
    card = ModelCard(settings={"VALIDATION_SPLIT": 0.1, "SEED": 3})
    found = composed_images.digits_not_learned(card)
    places = found.images[:, 0, 0].astype(int) * 256 + found.images[:, 0, 1]
    learned, _ = dataset.split_validation(data.y_train, 0.1, 3)
    learned_to_find = np.random.default_rng(0).permutation(n)[:-5000]
    assert len(places) > 300 and not set(places) & (set(learned) | set(learned_to_find))
    assert np.array_equal(found.labels, data.y_train[places])


def test_the_alphabet_and_the_forms_are_complete():
    assert set("".join(WORDS)) <= set(ALPHABET)
    assert set(MARK_FORMS) == set(MARKS)
    for mark, patterns in MARK_FORMS.items():
        for pattern in patterns:
            assert is_label(pattern.replace("#", "1")) and set(pattern) == {"#", mark} and digits_of(pattern.replace("#", "1"))


@pytest.mark.parametrize(("ink", "grain", "readable"), [(100, 0, True), (190, 0, False), (100, 90, False)])
def test_an_image_is_readable_where_its_digits_are_darker_than_the_paper(ink, grain, readable):
    page = Page.blank(40, 60)
    page.ink[10:30, 20:26] = 255
    page.symbols.append(Symbol(1, 20, 10, 26, 30))
    image = np.where(page.ink > 0, ink, 200 + grain * np.random.default_rng(0).standard_normal(page.ink.shape))
    assert composed_images._is_readable(page, (0, 60, 0, 40), np.clip(image, 0, 255).astype(np.uint8)) is readable


def test_dark_rows_are_dark_ink_on_light_paper_twice_the_size():
    row = np.zeros((36, 50), np.uint8)
    row[10:20, 10:20] = 255
    dark = composed_images.dark_on_light(row)
    assert dark.shape == (72, 100) and dark[0, 0] == composed_images.PAPER and dark[30, 30] == composed_images.PEN
