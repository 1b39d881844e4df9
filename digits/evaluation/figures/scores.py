"""Figures about the scores of a network on images of single digits."""

from collections.abc import Iterable, Sequence

import numpy as np
import seaborn
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from digits.common import formatting
from digits.common.config import NUM_CLASSES
from digits.evaluation.figures.style import (
    BLACK,
    BLUE,
    GREY,
    LIGHT_GREY,
    SKY,
    SMALL_SIZE,
    TINY_SIZE,
    VERMILLION,
    WRONG,
    Canvas,
    Prediction,
    draw_crop,
    draw_probabilities,
)
from digits.evaluation.metrics import calibration_error, reliability, wilson_interval

MAX_EXAMPLE_ERRORS, EXAMPLES = 4, 10  # of each digit in example_indices
ERROR_COLUMNS, ERROR_ROWS = 5, 4
MAX_CONFIDENT_ERRORS = ERROR_COLUMNS * ERROR_ROWS  # in confident_errors
MAX_CONFIDENCE = 1 - 1e-6  # the largest that the scale of log-odds shows, on which 1 lies infinitely far up
CONFIDENCE_TICKS = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
ERROR_COLOURS = LinearSegmentedColormap.from_list("errors", ["#FBE3D0", VERMILLION])
BARS = "Bars: the probability of each digit, from 0 to 1; blue is the true digit, orange a wrong answer."


def predictions_at(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, indices: Iterable[int]) -> list[Prediction]:
    """Return the Predictions at the indices. images: (N, 28, 28) uint8. labels: (N,). probabilities: (N, 10) float32."""
    return [Prediction(images[i], int(labels[i]), probabilities[i]) for i in indices]


def example_indices(labels: np.ndarray, correct: np.ndarray, generator: np.random.Generator) -> list[list[int]]:
    """Return the indices of ten images of each digit, drawn at random: up to four errors first, then correct ones.

    labels: (N,) integers, 0 to 9. correct: (N,) bool.
    """
    indices = []
    for digit in range(NUM_CLASSES):
        errors = generator.permutation(np.flatnonzero((labels == digit) & ~correct))[:MAX_EXAMPLE_ERRORS]
        others = generator.permutation(np.flatnonzero((labels == digit) & correct))[: EXAMPLES - len(errors)]
        indices.append([*errors.tolist(), *others.tolist()])
    return indices


def one_of_each_digit(title: str, predictions: Sequence[Prediction]) -> Figure:
    """Return the figure of one Prediction of each digit: its crop above its ten probabilities."""
    columns, width, height = 5, 1.9, 2.7  # inches of a cell
    canvas = Canvas(title, BARS, columns * width - 0.3, 2 * height - 0.2)
    for i, prediction in enumerate(predictions[: 2 * columns]):
        left, top = i % columns * width, i // columns * height
        crop = canvas.axes(left, top + 0.25, width - 0.3, width - 0.3)
        draw_crop(crop, prediction.crop)
        crop.set_title(str(prediction), color=prediction.colour)
        draw_probabilities(canvas.axes(left, top + 1.9, width - 0.3, 0.45), prediction.probabilities, prediction.label)
    return canvas.figure


def examples(title: str, rows: Sequence[Sequence[Prediction]]) -> Figure:
    """Return the figure of some Predictions of each digit, a row for each; errors are framed."""
    cell, height = 0.95, 1.15  # inches
    subtitle = "Above each image: the answer and its confidence; of an error, framed, the true digit first: 4→9."
    canvas = Canvas(title, subtitle, EXAMPLES * cell - 0.1, len(rows) * height - 0.1)
    for i, row in enumerate(rows):
        for j, prediction in enumerate(row[:EXAMPLES]):
            axes = canvas.axes(j * cell, i * height + 0.2, cell - 0.1, cell - 0.1)
            draw_crop(axes, prediction.crop, frame=None if prediction.correct else WRONG)
            axes.set_title(str(prediction), fontsize=SMALL_SIZE, fontweight="normal", color=prediction.colour, pad=3)
    return canvas.figure


def confusion(title: str, matrix: np.ndarray) -> Figure:
    """Return the figure of a confusion matrix, (10, 10) counts with the truth in rows: its counts and its percentages.

    Colour shows the errors alone: on one scale with the diagonal, every error would look like none.
    """
    errors = matrix.sum() - matrix.trace()
    title = f"{title}: confusion matrix, {matrix.sum():,} images, {formatting.counted(int(errors), 'error')}"
    subtitle = "Grey: correct answers. Orange: errors, the darker the more frequent. Empty: none."
    canvas = Canvas(title, subtitle, 10.6, 5.2)
    percentages = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(NUM_CLASSES, dtype=bool)
    for left, values, pattern, name in (
        (0.35, matrix, "{:,}", "Images"),
        (5.85, percentages, "{:.2f}", "Percent of the true digit's images"),
    ):
        axes = canvas.axes(left, 0.2, 4.75, 4.6)
        text = np.array([[pattern.format(value) if value else "" for value in row] for row in values.tolist()])
        options = {"annot": text, "fmt": "", "ax": axes, "cbar": False, "square": True, "linewidths": 0.75}
        options |= {"linecolor": LIGHT_GREY, "annot_kws": {"fontsize": SMALL_SIZE, "color": BLACK}}
        seaborn.heatmap(values, mask=~diagonal | (values == 0), cmap=["#E6E6E6"], vmin=0, vmax=1, **options)
        off_diagonal = np.where(diagonal, 0, values)
        highest = max(off_diagonal.max(), 1e-9)
        seaborn.heatmap(off_diagonal, mask=off_diagonal == 0, cmap=ERROR_COLOURS, vmin=0, vmax=highest, **options)
        axes.set(title=name, xlabel="predicted digit", ylabel="true digit")
        axes.tick_params(axis="both", length=0, rotation=0)
    return canvas.figure


def confidence(title: str, labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return the figure of the confidence of each digit's answers, and of how often answers of each confidence are correct.

    labels: (N,) integers, 0 to 9. probabilities: (N, 10) float32.
    """
    highest = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    canvas = Canvas(
        title,
        "Left: the widest box holds half of a digit's answers, each narrower one half of the rest. Right: 15 equal bins.",
        10.4,
        4.2,
    )

    # Log-odds spread out what lies between 99 % and 100 %, where almost all answers are.
    by_digit = canvas.axes(0.7, 0.2, 5.2, 3.5)
    log_odds = np.log10(highest / (1 - np.minimum(highest, MAX_CONFIDENCE)))
    seaborn.boxenplot(x=labels, y=log_odds, ax=by_digit, color=SKY, line_kws={"color": BLACK}, showfliers=False)
    by_digit.plot(
        labels[~correct], log_odds[~correct], "x", color=WRONG, label=formatting.counted(int(np.sum(~correct)), "error")
    )
    ticks = np.array(CONFIDENCE_TICKS)
    by_digit.set_yticks(np.log10(ticks / (1 - ticks)), [f"{100 * tick:g} %" for tick in ticks])
    by_digit.set(title="Confidence by digit", xlabel="true digit", ylabel="confidence (log-odds scale)")
    by_digit.grid(axis="y")
    by_digit.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)

    diagram = canvas.axes(6.9, 0.2, 3.5, 3.5)
    bins = reliability(highest, correct)
    diagram.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle="--", label="perfect calibration")
    for mean, accuracy, count in bins:
        low, high = wilson_interval(round(accuracy * count), count)
        diagram.plot([100 * mean] * 2, [100 * low, 100 * high], color=LIGHT_GREY, linewidth=1.5)
        diagram.annotate(f"{count:,}", (100 * mean, 100 * accuracy), (6, -2), textcoords="offset points", fontsize=TINY_SIZE)
    means, accuracies, _ = 100 * np.array(bins).T
    diagram.plot(means, accuracies, "o", color=BLUE, markersize=4, label="bin, with its number of images")
    diagram.plot([], [], color=LIGHT_GREY, linewidth=1.5, label="95 % interval")
    diagram.set(xlabel="mean confidence (%)", ylabel="accuracy (%)", xlim=(0, 112), ylim=(-3, 105))
    diagram.set(xticks=range(0, 101, 20))
    error = calibration_error(highest, correct)
    diagram.set_title(f"Reliability: calibration error {formatting.percent(error)}")
    diagram.grid()
    diagram.legend(loc="lower right")
    return canvas.figure


def confident_errors(title: str, errors: Sequence[Prediction]) -> Figure:
    """Return the figure of up to 20 errors in the order given, each beside its probabilities."""
    width, height = 2.1, 1.3  # inches of a cell
    rows = max(1, -(-min(len(errors), MAX_CONFIDENT_ERRORS) // ERROR_COLUMNS))
    canvas = Canvas(title, BARS, ERROR_COLUMNS * width - 0.2, rows * height - 0.1)
    if not errors:
        canvas.text(0, 0.2, "There is no error.")
    for i, prediction in enumerate(errors[:MAX_CONFIDENT_ERRORS]):
        left, top = i % ERROR_COLUMNS * width, i // ERROR_COLUMNS * height
        crop = canvas.axes(left, top + 0.25, 0.9, 0.9)
        draw_crop(crop, prediction.crop)
        crop.set_title(str(prediction), color=prediction.colour)
        draw_probabilities(canvas.axes(left + 0.97, top + 0.25, 0.9, 0.9), prediction.probabilities, prediction.label)
    return canvas.figure
