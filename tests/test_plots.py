"""A figure shows each picture with its own answer, and no figure falls over its edge cases."""

import numpy as np
import pytest
from PIL import Image

from digits import plots
from digits.recognizer import Reading


def probabilities_of(answers, confidence=0.9):
    """Return (N, 10) probabilities whose largest stand at the answers."""
    rows = np.full((len(answers), 10), (1 - confidence) / 9, np.float32)
    rows[np.arange(len(answers)), answers] = confidence
    return rows


def images_of(count):
    """Return (count, 28, 28) pictures that can be told apart by their first pixel."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images


def shown(figure):
    """Return [(first pixel, title)] of the pictures that a figure shows."""
    return [(int(axes.images[0].get_array()[0, 0]), axes.get_title()) for axes in figure.axes if axes.images]


def test_pictures_keep_their_answers():
    labels = np.arange(10)
    answers = np.array([0, 7, 2, 3, 4, 5, 6, 7, 8, 9])
    records = plots.records(images_of(10), labels, probabilities_of(answers), range(10))
    expected = [(i, f"{i}, 90.0 %") for i in range(10)]
    expected[1] = (1, "1→7, 90.0 %")
    assert shown(plots.digits_with_bars("title", records)) == expected
    assert shown(plots.examples("title", [records])) == expected
    assert shown(plots.confident_errors("title", records[1:2])) == [(1, "1→7, 90.0 %")]


def test_ten_of_each_begins_with_the_errors():
    labels = np.repeat(np.arange(10), 50)
    right = np.ones(500, bool)
    right[[3, 4, 5, 6, 7, 60]] = False  # five errors of the digit 0, one of the 1
    rows = plots.ten_of_each(labels, right, np.random.default_rng(0))
    assert [len(row) for row in rows] == [10] * 10
    assert all(labels[i] == digit for digit, row in enumerate(rows) for i in row)
    assert [right[i] for i in rows[0]] == [False] * 4 + [True] * 6
    assert rows[1][0] == 60
    assert len({i for row in rows for i in row}) == 100


def test_the_confusion_matrix_shows_every_count():
    matrix = np.diag(np.arange(900, 1000, 10))
    matrix[4, 9] = 3
    counts, _ = plots.confusion("title", matrix).axes
    texts = [text.get_text() for text in counts.texts if text.get_text()]
    assert sorted(texts) == sorted([*map(str, range(900, 1000, 10)), "3"])


def test_colour_shows_errors_not_the_diagonal():
    matrix = np.diag([1000] * 10)
    matrix[4, 9] = 3
    counts, _ = plots.confusion("title", matrix).axes
    errors = counts.collections[1]
    assert errors.get_clim()[1] < 10, "three errors would be as pale as none"


def test_the_best_epoch_is_marked():
    losses = [0.9, 0.2, 0.4]
    history = [{"accuracy": 0.9, "loss": 0.5, "val_accuracy": 0.95, "val_loss": loss} for loss in losses]
    accuracy, loss = plots.training_history(history).axes
    star = [line for line in loss.lines if line.get_marker() == "*"]
    assert star[0].get_xydata().tolist() == [[2, 0.2]]


def reading(text="7", status="ok", crops=1, image="a.png"):
    digits = [{"digit": int(letter), "confidence": 0.9, "score": 2.0, "box": [10, 10, 30, 40], "top3": []} for letter in text]
    entry = {"image": image, "status": status, "text": text, "message": "why", "digits": digits}
    picture = None if status == "error" else np.full((60, 80, 3), 255, np.uint8)
    return Reading(entry, picture, 160, images_of(crops), probabilities_of([7] * crops))


def test_boxes_are_drawn_to_the_thumbnails_scale():
    figure = plots.custom_predictions([reading()])
    (box,) = figure.axes[0].patches
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (5, 5, 15, 20)


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param(lambda: plots.custom_predictions([reading("1234567", crops=7)], left_out=3), id="a long number"),
        pytest.param(lambda: plots.custom_predictions([reading("", "error", 0), reading("", "empty", 0)]), id="nothing read"),
        pytest.param(lambda: plots.custom_predictions([reading(image="$x_{$\n\udcff\N{GRINNING FACE}")]), id="a strange name"),
        pytest.param(lambda: plots.sheet("t", ["7"] * 130, [reading()] * 130), id="more than a sheet holds"),
        pytest.param(lambda: plots.sheet("t", ["1"], [reading("", "error", 0)]), id="one unreadable"),
        pytest.param(lambda: plots.errors_with_crops("t", ["7"], [reading()]), id="no errors"),
        pytest.param(lambda: plots.errors_with_crops("t", ["1"] * 30, [reading()] * 30), id="many errors"),
        pytest.param(lambda: plots.confident_errors("t", []), id="no wrong answers"),
        pytest.param(lambda: plots.confusion("t", np.zeros((10, 10), int)), id="an empty matrix"),
        pytest.param(lambda: plots.confidence("t", np.array([3]), probabilities_of([3])), id="one answer"),
        pytest.param(lambda: plots.training_history([{"accuracy": 1.0, "loss": 0.1, "val_accuracy": 1.0, "val_loss": 0.1}]), id="one epoch"),
        pytest.param(
            lambda: plots.dataset_overview("t", {"training": (images_of(3), np.array([1, 1, 5])), "test": (images_of(1), np.array([0]))}, (images_of(2), np.array([1, 10]))),
            id="digits that are missing",
        ),
    ],
)  # fmt: skip
def test_every_figure_can_be_written(figure, tmp_path):
    plots.save(figure(), tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as image:
        image.load()
