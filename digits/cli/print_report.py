"""A Report as verify_all_digits.py prints it: what was scored, the rates by digit, the most frequent confusions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from digits.cli import command_line
from digits.cli.print_models import model_notes
from digits.common.config import NUM_CLASSES
from digits.common.formatting import count_and_rate, percent, printable
from digits.common.score import Score
from digits.evaluation.metrics import wilson_interval
from digits.evaluation.report import DISPUTED, Report
from digits.model.card import ModelCard

MAX_CONFUSIONS = 5  # lines; the figure and the JSON hold all of them


def print_report(report: Report, card: ModelCard, models: Mapping[str, Path]) -> None:
    """Print the report. card: the model's; where it states another score on the same data, that is printed, too.

    models: of the networks that read the images, as Reader.models.
    """
    print()
    command_line.print_table(summary(report, card, models))
    print()
    command_line.print_table(rates_table(report))
    confusions = frequent_confusions(report)
    if confusions:
        print("\nmost frequent confusions")
        command_line.print_table([(f"{truth} read as {answer}", f"{count:,}") for truth, answer, count in confusions])
    wrong = [image for image in report.images or () if not image.correct]
    if wrong:
        print("\nread otherwise")
        command_line.print_table([(printable(image.image), image.label, image.text or "-", image.status) for image in wrong])


def summary(report: Report, card: ModelCard, models: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Return [(name, value)] of what was scored and the scores over all images."""
    of_model = "no card" if card == ModelCard() else f"{report.parameters:,} parameters" if report.parameters else ""
    rows = []
    for kind, path in models.items():
        note = f" ({of_model})" if kind == "model" and of_model else ""
        rows.append((kind, f"{printable(path)}{note}"))
        rows += model_notes(card) if kind == "model" else []
    rows += [
        ("images", f"{report.score.n:,}, {printable(report.dataset)}"),
        ("accuracy", count_rate_and_interval(report.score)),
    ]
    if report.score.loss is not None:
        rows.append(("loss", f"{report.score.loss:.4f}"))
    if report.score.ece is not None:
        rows.append(("calibration error", percent(report.score.ece)))
    rows.append(("not sure", f"{report.score.unsure:,}"))
    if report.images is not None:
        rows.append(("unreadable", f"{report.errors:,}"))
        rows.append(("not in the table", f"{report.not_in_confusion:,} (more than one digit, or not read as one)"))
        return rows
    if card.test and card.data == report.dataset and card.test.correct != report.score.correct:
        rows.append(("the card differs", count_and_rate(card.test)))
    if report.dataset == "MNIST":
        disputed = f"{report.disputed_errors} of the errors are on the {len(DISPUTED)} labels that people dispute"
        rows.append(("disputed labels", disputed))
    return rows


def count_rate_and_interval(score: Score) -> str:
    """Return "9,963 / 10,000 (99.63 %, 95 % interval 99.49 to 99.73 %)"."""
    low, high = wilson_interval(score.correct, score.n)
    return f"{score.correct:,} / {score.n:,} ({percent(score.accuracy)}, 95 % interval {100 * low:.2f} to {percent(high)})"


def rates_table(report: Report) -> list[tuple[str, ...]]:
    """Return the table of rates: its head, a row for each digit, then the means over digits and over images."""
    rows: list[tuple[str, ...]] = [("digit", "accuracy", "precision", "recall", "F1", "support")]
    rates = [(digit.accuracy, digit.precision, digit.recall, digit.f1) for digit in report.per_digit]
    supports = [digit.support for digit in report.per_digit]
    for digit, (cells, support) in enumerate(zip(rates, supports, strict=True)):
        rows.append((str(digit), *map(percent, cells), f"{support:,}"))
    labels = [image.label for image in report.images or ()]
    # The accuracy counts all images, also those that are not in the confusion matrix.
    images = [labels.count(str(digit)) for digit in range(NUM_CLASSES)] if labels else supports
    for title, of_accuracy, of_others in (
        ("mean over digits", [1] * NUM_CLASSES, [1] * NUM_CLASSES),
        ("mean over images", images, supports),
    ):
        weights = (of_accuracy, of_others, of_others, of_others)
        means = [weighted_mean(column, weight) for column, weight in zip(zip(*rates, strict=True), weights, strict=True)]
        rows.append((title, *map(percent, means), f"{sum(supports):,}"))
    return rows


def weighted_mean(rates: Sequence[float | None], weights: Sequence[int]) -> float | None:
    """Return the weighted mean of the rates that are defined, None without any."""
    defined = [(rate, weight) for rate, weight in zip(rates, weights, strict=True) if rate is not None and weight]
    return sum(rate * weight for rate, weight in defined) / sum(weight for _, weight in defined) if defined else None


def frequent_confusions(report: Report, limit: int = MAX_CONFUSIONS) -> list[tuple[int, int, int]]:
    """Return [(truth, answer, count)] of the errors in the confusion matrix, the most frequent first, at most limit."""
    pairs = [
        (truth, answer, count)
        for truth, row in enumerate(report.confusion.tolist())
        for answer, count in enumerate(row)
        if truth != answer and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:limit]
