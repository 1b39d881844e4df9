"""A figure shows each image with its own answer, and every figure can be drawn of unusual data, too."""

import numpy as np
import pytest
from answers import reading
from PIL import Image

from digits.data.dataset import Split, Splits
from digits.evaluation.figures import readings, scores, training
from digits.evaluation.figures.style import save
from digits.model.card import EpochRecord


def probabilities_of(answers, confidence=0.9):
    """Return (N, 10) probabilities whose largest stand at the answers."""
    rows = np.full((len(answers), 10), (1 - confidence) / 9, np.float32)
    rows[np.arange(len(answers)), answers] = confidence
    return rows


def images_of(count):
    """Return (count, 28, 28) images that differ in their first pixel."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images


def shown(figure):
    """Return [(first pixel, title)] of the images in a figure."""
    return [(int(axes.images[0].get_array()[0, 0]), axes.get_title("left")) for axes in figure.axes if axes.images]


def texts_of(figure):
    """Return all that is written in a figure outside of its axes."""
    return [text.get_text() for text in figure.texts]


# ---- scores ---------------------------------------------------------------------------------------------------------


def test_figures_show_each_image_with_its_own_answer():
    labels = np.arange(10)
    answers = np.array([0, 7, 2, 3, 4, 5, 6, 7, 8, 9])
    predictions = scores.predictions_at(images_of(10), labels, probabilities_of(answers), range(10))
    expected = [(i, f"{i}, 90.0 %") for i in range(10)]
    expected[1] = (1, "1→7, 90.0 %")
    assert shown(scores.one_of_each_digit("title", predictions)) == expected
    assert shown(scores.examples("title", [predictions])) == expected
    assert shown(scores.confident_errors("title", predictions[1:2])) == [(1, "1→7, 90.0 %")]


def test_examples_begin_with_up_to_four_errors_of_each_digit():
    labels = np.repeat(np.arange(10), 50)
    correct = np.ones(500, bool)
    correct[[3, 4, 5, 6, 7, 60]] = False  # five errors of the digit 0, one of the 1
    rows = scores.example_indices(labels, correct, np.random.default_rng(0))
    assert [len(row) for row in rows] == [10] * 10
    assert all(labels[i] == digit for digit, row in enumerate(rows) for i in row)
    assert [correct[i] for i in rows[0]] == [False] * 4 + [True] * 6
    assert rows[1][0] == 60
    assert len({i for row in rows for i in row}) == 100


def test_the_confusion_matrix_shows_every_count_and_names_its_axes():
    matrix = np.diag(np.arange(900, 1000, 10))
    matrix[4, 9] = 3
    counts, percentages = scores.confusion("title", matrix).axes
    texts = [text.get_text() for text in counts.texts if text.get_text()]
    assert sorted(texts) == sorted([*map(str, range(900, 1000, 10)), "3"])
    for axes in (counts, percentages):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted digit", "true digit")


def test_colour_shows_errors_not_the_diagonal_and_no_zeros():
    matrix = np.diag([1000] * 10)
    matrix[4, 9] = 3
    counts, _ = scores.confusion("title", matrix).axes
    diagonal, errors = counts.collections
    assert errors.get_clim()[1] < 10, "three errors would be as pale as none"
    assert diagonal.get_array().count() == 10
    assert errors.get_array().count() == 1, "a cell without an image is coloured"


# ---- training -------------------------------------------------------------------------------------------------------


def test_the_best_epoch_is_marked():
    history = [EpochRecord(0.9, 0.5, 0.95, loss, 1.0) for loss in (0.9, 0.2, 0.4)]
    _, loss = training.training_history(history, augmented=True, first_phase=2).axes
    star = [line for line in loss.lines if line.get_marker() == "*"]
    assert star[0].get_xydata().tolist() == [[2, 0.2]]


@pytest.mark.parametrize("augmented", [True, False])
def test_the_training_curve_says_whether_its_images_are_augmented(augmented):
    history = [EpochRecord(0.9, 0.5, 0.95, 0.2, 1.0)] * 3
    for axes in training.training_history(history, augmented, first_phase=2).axes:
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        assert ("training, augmented" in names) == augmented
        assert ("training" in names) == (not augmented)


def splits_of(training_labels):
    part = Split(images_of(len(training_labels)), np.array(training_labels))
    return Splits(part, part, part)


def test_outliers_have_a_row_of_their_own():
    with_outliers = training.dataset_overview("t", splits_of([1, 2]), Split(images_of(2), np.array([1, 10])))
    without = training.dataset_overview("t", splits_of([1, 2]), Split(images_of(2), np.array([1, 2])))
    rows = [[label.get_text() for label in figure.axes[-1].get_yticklabels()] for figure in (with_outliers, without)]
    assert rows == [[*"0123456789", "outliers"], list("0123456789")]


# ---- people's own images --------------------------------------------------------------------------------------------


def test_boxes_are_drawn_to_the_scale_of_the_thumbnail():
    figure = readings.custom_predictions([reading()])
    (box,) = figure.axes[0].patches
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (5, 5, 15, 20)


def test_marks_are_boxed_and_have_no_crop():
    figure = readings.custom_predictions([reading("7.5")])
    assert "7.5" in texts_of(figure)
    boxes = [(*box.get_xy(), box.get_width(), box.get_height()) for box in figure.axes[0].patches]
    assert boxes == [(5, 5, 15, 20), (5, 5, 15, 20), (20, 20, 3, 4)]
    assert len(figure.axes) == 1 + 2 * 2


def test_each_reading_stands_below_its_text_and_name():
    several = [reading(), reading("12", "unsure", image="b.png"), reading("", "empty"), reading("", "error")]
    written = texts_of(readings.custom_predictions(several, left_out=3))
    assert written[0] == "What was read in the first 4 of 7 images"
    assert written[2:] == ["7", "a.png", "12 (not sure)", "b.png", "empty", "a.png", "error", "a.png", "why"]


def test_a_long_number_says_that_not_all_its_crops_are_shown():
    figure = readings.custom_predictions([reading("1234567")])
    assert "1234567 (first 4 digits shown)" in texts_of(figure)
    assert len(figure.axes[0].patches) == 7, "every digit is boxed"
    assert len(figure.axes) == 1 + 2 * 4


def test_only_errors_are_drawn_with_their_labels():
    figure = readings.errors_with_crops("t", ["7", "1", "8"], [reading(), reading(), reading("", "empty")])
    assert [text for text in texts_of(figure) if text[0] in "178"] == ["1 read as 7", "8: empty"]


def test_marks_are_no_error_where_the_label_has_none():
    labels, several = ["75", "7.5", "7.5"], [reading("7.5"), reading("7.5"), reading("75")]
    figure = readings.errors_with_crops("t", labels, several)
    assert [text for text in texts_of(figure) if text[0] in "7"] == ["7.5 read as 75"]
    titles = [axes.get_title("left") for axes in readings.labelled_sheet("t", labels, several).axes]
    assert titles == ["7.5", "7.5", "7.5→75"]


def test_tiles_stay_within_the_page_and_do_not_overlap():
    figure = readings.custom_predictions([reading("1234"), *[reading()] * 5, reading("12"), reading("123")])
    boxes = [axes.get_position() for axes in figure.axes]
    assert min(box.x0 for box in boxes) > 0 and min(box.y0 for box in boxes) > 0
    assert max(box.x1 for box in boxes) < 1 and max(box.y1 for box in boxes) < 1
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param(lambda: readings.custom_predictions([reading("1234567")], left_out=3), id="a long number"),
        pytest.param(lambda: readings.custom_predictions([reading("", "error"), reading("", "empty")]), id="nothing read"),
        pytest.param(lambda: readings.custom_predictions([reading(image="$x_{$\n\udcff\N{GRINNING FACE}")]), id="a strange name"),
        pytest.param(lambda: readings.labelled_sheet("t", ["7"] * 13, [reading()] * 13), id="a large folder"),
        pytest.param(lambda: readings.labelled_sheet("t", ["1"], [reading("", "error")]), id="one unreadable"),
        pytest.param(lambda: readings.errors_with_crops("t", ["7"], [reading()]), id="no errors"),
        pytest.param(lambda: readings.errors_with_crops("t", ["1"] * 6, [reading()] * 6), id="many errors"),
        pytest.param(lambda: scores.confident_errors("t", []), id="no wrong answers"),
        pytest.param(lambda: scores.confusion("t", np.zeros((10, 10), int)), id="an empty matrix"),
        pytest.param(lambda: scores.confidence("t", np.array([3]), probabilities_of([3])), id="one answer"),
        pytest.param(lambda: training.training_history([EpochRecord(1.0, 0.1, 1.0, 0.1, 1.0)], False, 1), id="one epoch"),
        pytest.param(
            lambda: training.dataset_overview("t", splits_of([1, 1, 5]), Split(images_of(2), np.array([1, 10]))),
            id="missing digits",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_every_figure_can_be_written(figure, tmp_path):
    save(figure(), tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as image:
        image.load()


def test_of_more_images_than_a_sheet_holds_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(readings, "MAX_SHEET", 2)
    figure = readings.labelled_sheet("t", ["7"] * 5, [reading()] * 5)
    assert texts_of(figure)[0] == "t, 3 more are left out"
    assert len(figure.axes) == 2
