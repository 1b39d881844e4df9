"""Records -> figures. Each function returns a matplotlib Figure; save() writes it."""

import textwrap
import warnings
from typing import NamedTuple

import matplotlib

matplotlib.rcParams["text.parse_math"] = False  # a $ in a file's name is a $
matplotlib.use("Agg")  # before seaborn imports pyplot: no screen is needed

import numpy as np
import seaborn
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digits import command_line
from digits.config import IMAGE_SIZE, NUM_CLASSES
from digits.files import written_beside
from digits.report import reliability

RIGHT, WRONG, NEUTRAL, UNSURE, BOX = "#2a7f3e", "#c0392b", "#34495e", "#b9770e", "#e67e22"
CELL = 1.05  # inches a picture in a sheet
HIGHEST = 0.99999  # accuracy that a logit scale shows; 1 would be infinitely far up. chosen
GAP = 8  # pixels between the pictures of the overview, even
CROPS_SHOWN = 4  # digits of a number that are shown as the network saw them
ERRORS_SHOWN = 60  # misread pictures beside what the network saw; it says how many it leaves out
SHEET_LIMIT = 600  # pictures on one sheet; it says how many it leaves out


class Record(NamedTuple):
    """One digit as a figure shows it. image: (28, 28) uint8. truth: 0 to 9. probabilities: (10,) float32."""

    image: np.ndarray
    truth: int
    probabilities: np.ndarray

    @property
    def answer(self):
        return int(self.probabilities.argmax())

    @property
    def confidence(self):
        return float(self.probabilities.max())

    @property
    def right(self):
        return self.answer == self.truth


def records(images, labels, probabilities, indices):
    """Return the Records at the indices, so that a picture and its answer can't come apart."""
    return [Record(images[i], int(labels[i]), probabilities[i]) for i in indices]


def save(figure, path):
    """Write the figure as PNG, whole or not at all."""
    with written_beside(path) as temporary, warnings.catch_warnings():
        # A file's name may hold letters that the font lacks; a box in the title is no reason to alarm anyone.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(temporary, dpi=110, format="png")


# ---- train ----------------------------------------------------------------------------------------------------


def dataset_overview(name, splits, learned):
    """Return the figure of a data set: how many of each digit, ten of each, and ten as an epoch shows them.

    splits: {"training": (images, labels), ...}; the first one is shown in pictures. learned: (images, labels) of an
    epoch, augmented; the label 10 is what is no digit.
    """
    figure = Figure(figsize=(15, 8.6), layout="constrained")
    figure.suptitle(f"{name}: what the network learns from")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.4])

    axes = top.subplots()
    for i, (split, (_, labels)) in enumerate(splits.items()):
        counts = np.bincount(labels, minlength=NUM_CLASSES)
        bars = axes.bar(np.arange(NUM_CLASSES) + 0.3 * (i - 1), counts, 0.3, label=f"{split}, {len(labels):,}")
        axes.bar_label(bars, fontsize=6)
    axes.margins(y=0.12)
    axes.set(xticks=range(NUM_CLASSES), xlabel="digit", ylabel="pictures")
    axes.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))

    for axes, (images, labels), title in zip(
        bottom.subplots(1, 2),
        (next(iter(splits.values())), learned),
        ("ten of each", "as an epoch shows them; below, what is no digit"),
        strict=True,
    ):
        # One picture of all of them: axes for each take seconds.
        sheet = np.full((NUM_CLASSES + 1, 10, IMAGE_SIZE + GAP, IMAGE_SIZE + GAP), 255, np.uint8)
        for label in range(NUM_CLASSES + 1):
            chosen = images[labels == label][:10]
            sheet[label, : len(chosen), GAP // 2 : -GAP // 2, GAP // 2 : -GAP // 2] = chosen
        axes.imshow(np.block([list(row) for row in sheet]), cmap="gray", vmin=0, vmax=255)
        axes.set(
            xticks=[], yticks=(np.arange(NUM_CLASSES) + 0.5) * (IMAGE_SIZE + GAP), yticklabels=range(NUM_CLASSES), title=title
        )
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


def training_history(history):
    """Return accuracy and loss by epoch. history: [{"accuracy", "loss", "val_accuracy", "val_loss"}]."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    # Logit and log scales: most of the course lies between 99 and 100 %.
    for axes, measure in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for key, label in ((measure, "training"), (f"val_{measure}", "validation")):
            values = [min(epoch[key], HIGHEST) if measure == "accuracy" else epoch[key] for epoch in history]
            axes.plot(epochs, values, marker="o", markersize=3, label=label)
        validation = [epoch[f"val_{measure}"] for epoch in history]
        best = int(np.argmax(validation) if measure == "accuracy" else np.argmin(validation))
        value = validation[best]
        axes.plot(
            best + 1,
            min(value, HIGHEST) if measure == "accuracy" else value,
            "*",
            markersize=14,
            color=WRONG,
            label=f"best on validation: epoch {best + 1}, {value:.4f}",
        )
        axes.set(xlabel="epoch", title=measure, yscale="logit" if measure == "accuracy" else "log")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.4g}")
        axes.yaxis.set_minor_formatter(lambda y, _: "")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(f"{len(history)} epochs; the weights of the last one are kept, when the learning rate has reached zero")
    return figure


def digits_with_bars(title, shown):
    """Return one Record a digit: each picture above its ten probabilities."""
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    figure.suptitle(title)
    for i, (part, record) in enumerate(zip(figure.subfigures(2, 5).flat, shown, strict=False)):
        above, below = part.subplots(2, 1, height_ratios=[2.2, 1])
        _picture(above, record.image)
        above.set_title(_answer(record), fontsize=9, color=RIGHT if record.right else WRONG)
        _bars(below, record.probabilities)
    return figure


# ---- verify ---------------------------------------------------------------------------------------------------


def ten_of_each(labels, right, generator):
    """Return the indices of ten pictures of each digit: up to four errors first, then right ones, drawn at random."""
    chosen = []
    for digit in range(NUM_CLASSES):
        errors = generator.permutation(np.flatnonzero((labels == digit) & ~right))[:4]
        others = generator.permutation(np.flatnonzero((labels == digit) & right))[: 10 - len(errors)]
        chosen.append([*errors, *others])
    return chosen


def examples(title, rows):
    """Return a sheet of Records, a row a digit; errors framed in red."""
    figure = Figure(figsize=(11, 12.2), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(len(rows), 10, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, record in zip(line, row, strict=False):
            axes.axis("on")
            _picture(axes, record.image, frame=None if record.right else WRONG)
            axes.set_title(_answer(record), fontsize=8, color=RIGHT if record.right else WRONG)
    return figure


def confusion(title, matrix):
    """Return counts and row percentages of a 10 x 10 confusion matrix (row: truth).

    Colour shows the errors alone: on one scale with the diagonal, every error would look like none.
    """
    counts = np.array(matrix)
    figure = Figure(figsize=(15, 6.9), layout="constrained")
    figure.suptitle(f"{title}: {counts.trace():,} right, {counts.sum() - counts.trace():,} wrong")
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(NUM_CLASSES, dtype=bool)
    for axes, values, form, name in zip(
        figure.subplots(1, 2),
        (counts, 100 * counts / totals),
        ("{:,}", "{:.2f}"),
        ("pictures", "percent of the row"),
        strict=True,
    ):
        text = np.array([[form.format(value) if value else "" for value in row] for row in values.tolist()])
        options = dict(annot=text, fmt="", ax=axes, cbar=False, square=True, linewidths=0.5, annot_kws={"fontsize": 9})
        errors = np.where(diagonal, 0, values)
        seaborn.heatmap(values, mask=~diagonal, cmap=["#dff0e0"], **options)
        seaborn.heatmap(errors, mask=diagonal, cmap="Reds", vmin=0, vmax=max(errors.max(), 1e-9) * 1.3, **options)
        axes.set(title=name, xlabel="read as", ylabel="is")
        axes.tick_params(axis="y", rotation=0)
    return figure


def confidence(title, labels, probabilities):
    """Return the confidence of each digit's answers, and how often answers of each confidence are right."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    figure.suptitle(title)
    by_digit, calibration = figure.subplots(1, 2, width_ratios=[1.5, 1])

    # Log-odds spread out what lies between 99 % and 100 %, where almost all answers are.
    odds = np.log10(sure / np.maximum(1 - sure, 1e-6))
    seaborn.boxenplot(x=labels, y=odds, ax=by_digit, color="#8db7d8", showfliers=False)
    by_digit.plot(labels[~right], odds[~right], "x", color=WRONG, label=f"{np.sum(~right):,} wrong answers")
    ticks = np.array([0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999])
    by_digit.set_yticks(np.log10(ticks / (1 - ticks)), [f"{100 * tick:g} %" for tick in ticks])
    by_digit.set(xlabel="digit", ylabel="confidence", title="confidence by digit")
    by_digit.legend(frameon=False, loc="lower right")

    points = np.array(reliability(sure, right))
    calibration.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    calibration.plot(points[:, 0], points[:, 1], color=NEUTRAL, linewidth=1)
    calibration.scatter(points[:, 0], points[:, 1], s=20 + 25 * np.log10(points[:, 2]), color=NEUTRAL)
    for mean, share, count in points:
        calibration.annotate(f"{int(count):,}", (mean, share), textcoords="offset points", xytext=(6, -10), fontsize=7)
    calibration.set(
        xlabel="confidence",
        ylabel="share right",
        title="reliability: how many answers were how sure",
        xlim=(0, 1.12),
        ylim=(0, 1.05),
    )
    return figure


def confident_errors(title, wrong):
    """Return the Records given, most confident first, each beside its probabilities."""
    figure = Figure(figsize=(12, 8.6), layout="constrained")
    figure.suptitle(title)
    if not wrong:
        figure.text(0.5, 0.5, "no errors", ha="center")
        return figure
    for part, record in zip(figure.subfigures(4, 5).flat, wrong, strict=False):
        picture, bars = part.subplots(1, 2)
        _picture(picture, record.image)
        picture.set_title(_answer(record), fontsize=9, color=WRONG)
        _bars(bars, record.probabilities)
    return figure


# ---- people's own pictures ------------------------------------------------------------------------------------


def sheet(title, labels, readings):
    """Return every picture with its answer; labels: [text]. readings: [recognizer.Reading]. Wrong ones in red."""
    columns = 10
    shown = list(zip(labels, readings, strict=True))[:SHEET_LIMIT]
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(columns * CELL + 0.4, rows * (CELL + 0.35) + 0.6), layout="constrained")
    figure.suptitle(title + _left_out(labels, shown))
    for axes, pair in zip(figure.subplots(rows, columns, squeeze=False).flat, shown + [None] * (rows * columns)):
        axes.axis("off")
        if pair is None:
            continue
        label, reading = pair
        right = reading.entry["text"] == label
        if reading.thumbnail is not None:
            axes.imshow(reading.thumbnail)
        answer = _short(reading.entry["text"]) or reading.entry["status"]
        doubt = " ?" if reading.entry["status"] == "unsure" else ""
        text = answer + doubt if right else f"{_short(label)} read as {answer}{doubt}"
        axes.set_title(text, fontsize=7, color=RIGHT if right else WRONG)
    return figure


def errors_with_crops(title, labels, readings):
    """Return the wrong ones: each picture beside what the network saw and what it made of it."""
    wrong = [(label, reading) for label, reading in zip(labels, readings, strict=True) if reading.entry["text"] != label]
    shown = wrong[:ERRORS_SHOWN]
    rows = max(1, -(-len(shown) // 2))
    figure = Figure(figsize=(13, 1.9 * rows + 0.5), layout="constrained")
    figure.suptitle(title + _left_out(wrong, shown) if wrong else f"{title}: none")
    for part, (label, reading) in zip(figure.subfigures(rows, 2, squeeze=False).flat, shown):
        _reading_row(part, reading, f"{label} read as {reading.entry['text'] or reading.entry['status']}", WRONG)
    return figure


def custom_predictions(readings, left_out=0):
    """Return each picture with its digits boxed, what the network saw, and the probabilities as bars."""
    figure = Figure(figsize=(13, 1.9 * -(-len(readings) // 2) + 0.5), layout="constrained")
    figure.suptitle("what was read" + (f"; {left_out:,} more pictures are left out" if left_out else ""))
    rows = -(-len(readings) // 2)
    for part, reading in zip(figure.subfigures(rows, 2, squeeze=False).flat, readings):
        status = reading.entry["status"]
        text = reading.entry["text"] + {"ok": "", "unsure": "  (not sure)"}.get(status, status)
        colour = {"ok": NEUTRAL, "unsure": UNSURE}.get(status, WRONG)
        _reading_row(part, reading, f"{_short(reading.entry['image'], 48)}:  {text}", colour)
    return figure


def _reading_row(part, reading, title, colour):
    """Draw one reading: the picture with its digits boxed, then up to four crops, each above its probabilities."""
    part.suptitle(title, fontsize=9, color=colour, x=0.02, ha="left")
    grid = part.add_gridspec(2, 1 + CROPS_SHOWN, width_ratios=[2] + [1] * CROPS_SHOWN, height_ratios=[1.6, 1])
    picture = part.add_subplot(grid[:, 0])
    picture.axis("off")
    if reading.thumbnail is None:
        picture.text(0, 0.5, textwrap.fill(reading.entry["message"], 60), fontsize=8, va="center")
        return
    picture.imshow(reading.thumbnail)
    scale = reading.thumbnail.shape[1] / reading.width
    for digit in reading.entry["digits"]:
        x, y, width, height = (side * scale for side in digit["box"])
        picture.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=BOX, linewidth=1.2))
    for column, (crop, probabilities) in enumerate(zip(reading.crops[:CROPS_SHOWN], reading.probabilities), start=1):
        _picture(part.add_subplot(grid[0, column]), crop)
        _bars(part.add_subplot(grid[1, column]), probabilities)
    for column in range(len(reading.crops) + 1, CROPS_SHOWN + 1):  # keeps the crops of all readings the same size
        part.add_subplot(grid[0, column]).axis("off")
    if len(reading.crops) > CROPS_SHOWN:
        part.text(0.98, 0.95, f"{len(reading.crops) - CROPS_SHOWN} more digits", fontsize=7, ha="right", va="top")


# ---- parts ----------------------------------------------------------------------------------------------------


def _picture(axes, image, frame=None):
    """Draw a (28, 28) picture without ticks, framed in a colour or not."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=frame is not None, color=frame, linewidth=3)


def _bars(axes, probabilities):
    """Draw ten probabilities as bars."""
    colours = ["#b0bec5"] * NUM_CLASSES
    colours[int(probabilities.argmax())] = NEUTRAL
    axes.bar(range(NUM_CLASSES), probabilities, color=colours)
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_xticks(range(NUM_CLASSES), [str(digit) for digit in range(NUM_CLASSES)], fontsize=6)
    axes.tick_params(length=0, pad=1)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def _answer(record):
    """Return "7, 99.8 %" or, for a 7 that was read as 1, "7→1, 63.0 %"."""
    answer = str(record.answer) if record.right else f"{record.truth}→{record.answer}"
    return f"{answer}, {command_line.confidence(record.confidence)}"


def _short(text, most=14):
    """Return the text, printable, and shortened in the middle where it is long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= most else text[: most // 2] + "…" + text[-(most // 2) :]


def _left_out(everything, shown):
    count = len(everything) - len(shown)
    return f" ({count:,} more are left out)" if count else ""
