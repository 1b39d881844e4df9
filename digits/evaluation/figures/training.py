"""Figures about a training: the data set, and the accuracy and loss by epoch."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from digits.augmentation.outliers import OUTLIER_LABEL
from digits.common.config import IMAGE_SIZE, NUM_CLASSES
from digits.common.formatting import counted, percent
from digits.data.dataset import Split, Splits
from digits.evaluation.figures.style import BLUE, GREY, ORANGE, SKY, TINY_SIZE, VERMILLION, Canvas
from digits.model.card import EpochRecord

SHOWN = 10  # images of each digit
GAP = 6  # pixels between two images, even
MAX_LOGIT = 0.99999  # the largest accuracy on a logit scale, on which 1 lies infinitely far up
ACCURACY_TICKS = (0.1, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999)


def dataset_overview(name: str, splits: Splits, epoch: Split) -> Figure:
    """Return the figure of a data set: how many images each digit has, and ten of each, as they are and as an epoch shows them.

    epoch: some images that an epoch shows. With augmentation there are outliers among them.
    """
    canvas = Canvas(f"Data set: {name}", "Images in each split, and examples of what the network learns from", 10, 7.2)
    counts = canvas.axes(0.55, 0.1, 9.45, 1.55)
    for i, ((split, (_, labels)), colour) in enumerate(zip(splits._asdict().items(), (BLUE, ORANGE, SKY), strict=True)):
        heights = np.bincount(labels, minlength=NUM_CLASSES)
        bars = counts.bar(np.arange(NUM_CLASSES) + 0.3 * (i - 1), heights, 0.28, color=colour, label=f"{split}: {len(labels):,}")
        counts.bar_label(bars, fmt="{:,.0f}", fontsize=TINY_SIZE, padding=1)
    counts.set(xticks=range(NUM_CLASSES), xlabel="digit", ylabel="images", xlim=(-0.6, NUM_CLASSES - 0.4))
    counts.margins(y=0.1)
    counts.yaxis.set_major_formatter("{x:,.0f}")
    counts.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.02), borderaxespad=0)

    names = [str(digit) for digit in range(NUM_CLASSES)]
    _draw_examples(canvas, 0.25, "Training images", splits.training, names)
    title = "As one epoch shows them"
    if np.any(epoch.labels == OUTLIER_LABEL):
        title, names = f"{title}: augmented, with outliers", [*names, "outliers"]
    _draw_examples(canvas, 5.65, title, epoch, names)
    return canvas.figure


def _draw_examples(canvas: Canvas, left: float, title: str, split: Split, names: Sequence[str]) -> None:
    """Draw a row of images for each label, named after names."""
    side = IMAGE_SIZE + GAP
    # One image of all of them, because axes for each would take seconds.
    sheet = np.full((len(names), SHOWN, side, side), 255, np.uint8)
    for label in range(len(names)):
        of_label = split.images[split.labels == label][:SHOWN]
        sheet[label, : len(of_label), GAP // 2 : -GAP // 2, GAP // 2 : -GAP // 2] = of_label
    width = 4.35  # inches
    axes = canvas.axes(left, 2.4, width, width * len(names) / SHOWN)
    axes.imshow(np.block([list(row) for row in sheet]), cmap="gray", vmin=0, vmax=255)
    axes.set(title=title, xticks=[], yticks=(np.arange(len(names)) + 0.5) * side, yticklabels=names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def training_history(history: Sequence[EpochRecord], augmented: bool, first_phase: int) -> Figure:
    """Return the figure of accuracy and loss by epoch.

    augmented: whether the training images were augmented. first_phase: epochs before the learning rate's warm restart.
    """
    subtitle = f"{counted(len(history), 'epoch')}. The weights of the last one are kept."
    if augmented:
        subtitle += " The training images are augmented, which makes them harder to read than the validation images."
    canvas = Canvas("Training history", subtitle, 10, 3.6)
    accuracy, loss = canvas.axes(0.6, 0.2, 4.3, 2.9), canvas.axes(5.6, 0.2, 4.4, 2.9)
    name = "training, augmented" if augmented else "training"

    values = [epoch.val_accuracy for epoch in history]
    best = int(np.argmax(values))
    label = f"best on validation: epoch {best + 1}, {percent(values[best])}"
    courses = np.clip([[epoch.accuracy for epoch in history], values], 1 - MAX_LOGIT, MAX_LOGIT)
    _draw_courses(accuracy, name, courses, best, label, first_phase)
    accuracy.set(title="Accuracy", yscale="logit")
    accuracy.yaxis.set_major_locator(FixedLocator(ACCURACY_TICKS))
    accuracy.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
    accuracy.yaxis.set_minor_locator(NullLocator())
    accuracy.legend()

    values = [epoch.val_loss for epoch in history]
    best = int(np.argmin(values))
    label = f"best on validation: epoch {best + 1}, {values[best]:.4f}"
    _draw_courses(loss, name, np.array([[epoch.loss for epoch in history], values]), best, label, first_phase)
    loss.set(title="Loss (cross-entropy, nats)", yscale="log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    loss.yaxis.set_minor_locator(NullLocator())
    loss.legend()
    return canvas.figure


def _draw_courses(axes: Axes, name: str, courses: np.ndarray, best: int, label: str, first_phase: int) -> None:
    """Draw a measure by epoch. courses: (2, epochs), of training and validation. best: index of the epoch that gets a star."""
    epochs = np.arange(1, courses.shape[1] + 1)
    if first_phase < len(epochs):
        axes.axvline(first_phase + 0.5, color=GREY, linewidth=0.8, linestyle="--", label="warm restart, milder augmentation")
    axes.plot(epochs, courses[0], "o-", color=BLUE, markersize=2.5, linewidth=1.2, label=name)
    axes.plot(epochs, courses[1], "s-", color=ORANGE, markersize=2.5, linewidth=1.2, label="validation")
    axes.plot(epochs[best], courses[1, best], "*", color=VERMILLION, markersize=11, label=label)
    axes.set(xlabel="epoch", xlim=(0, len(epochs) + 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
