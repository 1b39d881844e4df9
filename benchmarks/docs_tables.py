"""The tables and sentences of measured numbers in README.md and docs/, which update_docs.py writes: BLOCKS names their functions.

A table shows the rows that were measured with the shipped files. A sentence is empty where one of its numbers was not.
"""

import itertools
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shown_results import Results

from digits.common.config import TRAIN_LINE_READER_COMMAND, TRAIN_NUMBER_READER_COMMAND
from digits.common.formatting import percent
from digits.model.card import ModelCard, TrainingPart, load_card
from digits.model.classifier import DEFAULT_MODEL
from digits.model.store import card_path
from digits.reading.line_reader import DEFAULT_LINE_READER
from digits.reading.number_reader import DEFAULT_NUMBER_READER

NOT_MEASURED = "–"
OURS_AND_CLASSIC = ("ours", "cnn-225k")  # keys of robustness.json
ERRORS = {"unsure": '"not sure"', "wrong_and_ok": 'misread, but "ok"'}  # counts of whole_numbers.py
NUMBERS = ("numbers", "people", "table_rows", "cheques")  # kinds of whole_numbers.py
OTHER_SCRIPTS = ("Greek", "Cyrillic", "Hebrew", "Arabic", "Devanagari", "Thai", "Hangul", "kana", "Chinese")
CLASSIC_NETWORKS = {
    "keras-example": "Keras' own MNIST example",
    "cnn-225k": "the classic CNN: Conv32, Conv64, Dense128",
    "cnn-122k": "a smaller one: Conv32, Conv64, Dense64",
    "dense-118k": "two dense layers of 128 units",
}
KINDS = {  # of people's images in whole_numbers.py
    "single": "single digits, used in development",
    "numbers": "numbers, used in development",
    "more": "single digits, about 20 more writers",
    "people": "numbers: ledgers, boxed postcodes, score cards, mark lists",
    "table_rows": "rows of nine table cells",
    "cheques": "amounts on bank cheques",
    "all single digits": "**all single digits**",
    "all numbers": "**all numbers**",
    "all numbers, without the line reader": "- the same, read without the line reader",
}
PEERS = {
    "ours": "this project",
    "ppocr line": "PP-OCRv6 small, told that it is one line",
    "ppocr page": "PP-OCRv6 small, with its own detection, on a white border",
    "tesseract": "Tesseract, told how many lines",
    "tutorial": "the usual tutorial with the classic CNN",
}
PEOPLE_NOTE = (
    "All of people's images were looked at while the program was developed, so expect less for yours. "
    "**They are not public**, so you can't repeat their rows; all the others you can."
)
PEERS_NOTE = (
    "The classic CNN gets people's images as tutorials prepare them: resized to 28x28, inverted where they are bright. PP-OCRv6 "
    "(the small model) is told that each image is one text line. On cheques alone PP-OCRv6 reads a little more than this "
    "project, on the other whole numbers less. Tesseract reads fewer numbers than both."
)
SCALE_WAYS = {
    "one process": "one process of ours",
    "pool": "our own pool of two processes, without Ray",
    "ray 1": "Ray, one reader",
    "ray 2": "Ray, two readers",
}
CORE_HOUR_DOLLARS, REQUESTS_DOLLARS = 0.05, 0.4  # US dollars; of a core's hour, and of a million requests: docs/many_images.md
OWN_MODEL_WAYS = {  # keys of own_model.json
    "resized": "resized as in tutorials",
    "prepared": "prepared by this project",
    "complete": "with the number reader and the line reader",
}
INGREDIENTS = {
    "all": "the default preset",
    "all, the first seed": "the same, the first seed alone",
    "no drawn digits": "no drawn digits",
    "no outlines": "no outlined digits",
    "no squeeze and excitation": "no squeeze and excitation",
    "no letterforms": "no changed letterforms, such as a bar through a 7",
    "no stroke width": "strokes made neither thicker nor thinner",
    "no elastic bending": "no elastic deformation",
    "no strong maps": "no strong affine maps",
    "no pencil, no backgrounds": "no pencil, no backgrounds, no bands or stripes",
    "no noise, no blur": "no noise, no blur, no low resolution",
    "no stray ink": "no stray lines, no neighbours, no blots",
    "no corruptions": "none of the corruptions",
    "no outliers": "no outliers",
    "no augmentation": "no augmentation, no drawn digits and no outliers",
    "last epoch plain": "the last epoch without augmentation",
    "no second phase": "no second phase: one cosine schedule, augmentation equally strong to the end",
    "averaged weights": "weights averaged over about one epoch",
    "Adam": "Adam instead of Muon",
    "two at full size": "two 3x3 convolutions before the first pooling instead of one 5x5",
}


# ---- forms -----------------------------------------------------------------------------------------------------


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], command: str) -> str:
    """Return a Markdown table, numbers to the right; where it has no rows, a sentence that names the command.

    A row may be shorter than the header. A column without any value is left out.
    """
    if not rows:
        return f"\n\n*Not measured with the shipped model yet. The command: `{command}`*\n\n"
    rows = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    kept = [any(row[column] not in ("", NOT_MEASURED) for row in rows) for column in range(len(header))]
    header, *rows = (list(itertools.compress(row, kept)) for row in (header, *rows))
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n\n" + "".join(f"| {' | '.join(map(str, row))} |\n" for row in (header, ruler, *rows)) + "\n"


def count(score: Mapping[str, Any], decimals: int = 2) -> str:
    """Return a score as "9,968 / 10,000 (99.68 %)"."""
    return f"{score['correct']:,} / {score['n']:,} ({percent(score['correct'] / score['n'], decimals)})"


def right(score: Mapping[str, Any], decimals: int = 2) -> str:
    """Return a score as "9,968 (99.68 %)"."""
    return f"{score['correct']:,} ({percent(score['correct'] / score['n'], decimals)})"


def spread(values: Sequence[float], decimals: int, unit: str = "") -> str:
    """Return mean and standard deviation as "99.66 ± 0.02 %"; of one value, the value."""
    deviation = f" ± {statistics.stdev(values):,.{decimals}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):,.{decimals}f}{deviation}{unit}"


def fractions(values: Sequence[float], decimals: int) -> str:
    """Return mean and standard deviation of fractions, 0 to 1, in percent."""
    return spread([100 * value for value in values], decimals, " %")


# ---- README ----------------------------------------------------------------------------------------------------


def claim(results: Results) -> str:
    """What the README says first."""
    kinds = (results.of_model("whole_numbers") or {}).get("kinds", {})
    single, others, numbers = (_total(kinds, which) for which in (("single",), ("more",), NUMBERS))
    if not (single and others and numbers):
        return ""
    every = kinds["all numbers"]
    return (
        f"People wrote and photographed {single['n'] + others['n']:,} single digits, of which the program reads "
        f"{single['correct'] + others['correct']:,}, and {numbers['n']:,} whole numbers, of which it reads "
        f"{numbers['correct']:,}. "
        f'It calls {every["unsure"]:,} of the numbers "not sure", most of them although they are right; '
        f"{every['wrong_and_ok']:,} are wrong without a word. No network learned from these images, but all of them were "
        "looked at while the program was developed."
    )


def summary(results: Results) -> str:
    """The README's introduction in numbers."""
    kinds = (results.of_model("whole_numbers") or {}).get("kinds", {})
    if not {"all single digits", "all numbers"} <= set(kinds):
        return ""
    test, single, numbers = results.card.to_json()["test"], kinds["all single digits"], kinds["all numbers"]
    return (
        f"The program reads exactly {test['correct']:,} of MNIST's {test['n']:,} test images and, of images that people "
        f"made (all seen in development), {single['correct']:,} of {single['n']:,} single digits and {numbers['correct']:,} of "
        f"{numbers['n']:,} whole numbers."
    )


def line_reader_gain(results: Results) -> str:
    """What the line reader changes in how sure people's whole numbers are."""
    kinds = (results.of_model("whole_numbers") or {}).get("kinds", {})
    if not {"all numbers", "all numbers, without the line reader"} <= set(kinds):
        return ""
    with_it, without = kinds["all numbers"], kinds["all numbers, without the line reader"]
    return (
        f"With the line reader, {with_it['unsure']:,} instead of {without['unsure']:,} of people's {with_it['n']:,} whole "
        f'numbers are "not sure", and {with_it["wrong_and_ok"]:,} instead of {without["wrong_and_ok"]:,} are misread, but "ok".'
    )


def comparison(results: Results) -> str:
    """This project, the classic network and an OCR engine on MNIST and on people's own images."""
    card = results.card.to_json()
    classic = [right(run) for run in results.of_classic("cnn-225k")[:1]]
    rows: list[Sequence[str]] = [("MNIST's test images", f"{card['test']['n']:,}", right(card["test"]), *classic)]
    if runs := results.of_seeds("best"):
        tests = [run["test"] for run in runs]
        rows.append((f"- the same, mean of {len(runs)} seeds", f"{tests[0]['n']:,}", _mean_right(tests)))
    if robust := results.of_model("robustness"):
        means = [percent(robust["mean"][network], 1) for network in OURS_AND_CLASSIC]
        rows.append(("- under 17 corruptions, mean", f"{robust['correct']['none']['n']:,}", *means))
        digits = robust["correct"]["scikit-learn"]
        rows.append(("the digits inside scikit-learn", f"{digits['n']:,}", *_rates(digits)))
    people = (results.of_model("whole_numbers") or {}).get("kinds", {})
    others = (results.of_model("peers") or {}).get("peers", {})
    for name, kinds in {
        "people's single digits, seen in development": ("single",),
        "- more writers, seen as well": ("more",),
        "people's whole numbers, cheques included, seen as well": NUMBERS,
    }.items():
        if score := _total(people, kinds):
            peers = [_total(others[peer]["kinds"], kinds) if peer in others else None for peer in ("tutorial", "ppocr line")]
            rows.append((name, f"{score['n']:,}", *(right(found, 1) if found else NOT_MEASURED for found in (score, *peers))))
    if refused := results.of_model("not_digits"):
        every = refused["kinds"]["all"]
        rows.append(("images without a digit, refused", f"{every['n']:,}", percent(every["refused"], 1)))
    header = ("read exactly", "n", "this project", "classic CNN", "PP-OCRv6")
    rows = [(*row, *[NOT_MEASURED] * (len(header) - len(row))) for row in rows]
    notes = [f"{NOT_MEASURED} means not measured."] if any(NOT_MEASURED in row for row in rows) else []
    if _total(people, ("single",)):
        notes.append(PEOPLE_NOTE)
    if others:
        notes.append(PEERS_NOTE)
    return table(header, rows, "").rstrip("\n") + "\n\n" + (f"{' '.join(notes)}\n\n" if notes else "")


def _total(scores: Mapping[str, Mapping[str, int]], kinds: Sequence[str]) -> dict[str, int] | None:
    """Return {"n", "correct"} of these kinds together; None where one of them is absent."""
    if not set(kinds) <= set(scores):
        return None
    return {name: sum(scores[kind][name] for kind in kinds) for name in ("n", "correct")}


def _mean_right(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return mean and standard deviation as "9,966 ± 2 (99.66 ± 0.02 %)"."""
    counts, shares = zip(*((score["correct"], score["correct"] / score["n"]) for score in scores), strict=True)
    return f"{spread(counts, 0)} ({fractions(shares, 2)})"


# ---- docs/results.md -------------------------------------------------------------------------------------------


def networks(results: Results) -> str:
    """All networks on MNIST."""
    card = results.card
    rows: list[Sequence[Any]]
    rows = [(f"as shipped: `best`, seed {card.seed}", f"{card.parameters:,}", 1, right(card.to_json()["test"]))]
    for preset in ("best", "default", "tiny"):
        if runs := results.of_seeds(preset):
            test, validation = _mean_right([run["test"] for run in runs]), [run["validation"]["accuracy"] for run in runs]
            minutes = spread([run["seconds"] / 60 for run in runs if "accelerator" not in run], 0)
            name, parameters = f"preset `{preset}`", f"{runs[0]['parameters']:,}"
            rows.append((name, parameters, len(runs), test, fractions(validation, 2), minutes))
    for network, name in {**CLASSIC_NETWORKS, "ours, one epoch": "preset `default`, one epoch"}.items():
        for run in results.of_classic(network)[:1]:
            rows.append((name, f"{run['parameters']:,}", 1, right(run)))
    header = ("network", "parameters", "seeds", "MNIST test images read", "MNIST validation", "minutes of training")
    return table(header, rows, "python benchmarks/seeds.py")


def training_time(results: Results) -> str:
    """The time of a training, compared with Keras' example in the same run."""
    names = {**CLASSIC_NETWORKS, "ours": "preset `default`", "ours, one epoch": "preset `default`, one epoch"}
    rows = [
        (name, run["epochs"], f"{run['seconds']:.0f}", f"{run['relative']:.2f}")
        for network, name in names.items()
        for run in results.of_classic(network)
        if network != "keras-example"
    ]
    header = ("network", "epochs", "seconds", "relative to Keras' example in the same run")
    return table(header, rows, "python benchmarks/classic_networks.py")


def own_images(results: Results) -> str:
    """The shipped model on people's own images."""
    result, rows = results.of_model("own_digits"), []
    if result:
        groups = {
            "single digits": ("part", "single"),
            "- photographs of them": ("style of single digits", "photo"),
            "- sevens with a bar": ("note on single digits", "barred7"),
            "numbers of several digits, every text line and digit": ("part", "numbers"),
            "all": ("part", "all"),
        }
        for name, (title, group) in groups.items():
            present = result[title]["present"][group]
            left_out = result[title].get("left_out", {}).get(group)  # with --present there is none
            rows.append(
                (name, count(present, 1), count(left_out, 1) if left_out else NOT_MEASURED, percent(present["unsure"], 1))
            )
    header = ("read exactly", "this model", "writers left out", '"not sure"')
    return table(header, rows, "python benchmarks/own_digits.py FOLDER")


def misread(results: Results) -> str:
    """A sentence: the images used in development that are misread."""
    result = results.of_model("own_digits")
    if result is None:
        return ""
    answers = [f"{failure['label']} as {failure['read']} ({failure['status']})" for failure in result["failures"]]
    return f"Misread, label and answer: {', '.join(answers) or 'none'}."


def whole_numbers(results: Results) -> str:
    """The shipped model on people's single digits and whole numbers, by kind."""
    kinds = (results.of_model("whole_numbers") or {}).get("kinds", {})
    rows = [(name, *_read_and_errors(kinds[kind])) for kind, name in KINDS.items() if kind in kinds]
    header = ("images", "read exactly", *ERRORS.values())
    return table(header, rows, "python benchmarks/whole_numbers.py FOLDER")


def writers_left_out(results: Results) -> str:
    """What is sure where the limit of certainty is set without the writer's images."""
    found = (results.of_model("certainty") or {}).get("left_out")
    if not found:
        return ""
    return (
        "If `MIN_NUMBER_CONFIDENCE` is set for each writer from the other writers' images alone (for the cheques, whose writers "
        f'are unknown, in five parts), {found["unsure"]} of the {found["n"]} numbers are "not sure" and {found["wrong_and_ok"]} '
        'are misread, but "ok".'
    )


def lengths(results: Results) -> str:
    """The same by the number of digits."""
    found = (results.of_model("whole_numbers") or {}).get("lengths", {})
    rows = [(name, *_read_and_errors(score)) for name, score in found.items()]
    header = ("digits in the image", "read exactly", *ERRORS.values())
    return table(header, rows, "python benchmarks/whole_numbers.py FOLDER")


def composed(results: Results) -> str:
    """Images that are composed of MNIST's digits."""
    rows: list[Sequence[str]] = []
    for name, digits in (("whole_numbers", "validation"), ("whole_numbers_final", "test")):
        if results.exists(name) and (result := results.of_model(name)):
            rows += [
                (
                    f"{digits} digits, {kind}",
                    *_read_and_errors(score),
                    f"{score['other_form_and_ok']:,}" if "other_form_and_ok" in score else "",
                )
                for kind, score in result["composed"].items()
            ]
    header = ("rows of MNIST's digits", "read exactly", *ERRORS.values(), "of these in another form")
    return table(header, rows, "python benchmarks/whole_numbers.py")


def _read_and_errors(score: Mapping[str, Any]) -> list[str]:
    """Return the cells of a score of whole_numbers.py: how many images are read exactly, and those of ERRORS."""
    return [count(score, 1), *(f"{score[error]:,}" for error in ERRORS)]


def form_fields(results: Results) -> str:
    """The fields of composed forms."""
    rows: list[Sequence[str]] = []
    for name, digits in (("forms", "validation"), ("forms_final", "test")):
        if results.exists(name) and (result := results.of_model(name)):
            rows += [
                (f"{way}, {digits} digits, {kind}", *_read_and_errors(score))
                for way in ("as printed", "photographed")
                for kind, score in result[way].items()
            ]
    return table(("fields", "read exactly", *ERRORS.values()), rows, "python benchmarks/forms.py")


def peers(results: Results) -> str:
    """Other programs on people's images."""
    found = (results.of_model("peers") or {}).get("peers", {})
    found = {name: found[name] for name in PEERS if name in found}
    rows: list[Sequence[str]] = []
    for kind, name in KINDS.items():
        scores = [peer["kinds"].get(kind) for peer in found.values()]
        if sizes := {score["n"] for score in scores if score}:
            cells = [percent(score["correct"] / score["n"], 1) if score else NOT_MEASURED for score in scores]
            rows.append((name, f"{max(sizes):,}", *cells))
    if rows:
        rows.append(("processor time for an image", "", *(f"{1000 * peer['seconds']:.0f} ms" for peer in found.values())))
        versions = [", ".join(f"{program} {number}" for program, number in peer["versions"].items()) for peer in found.values()]
        rows.append(("version", "", *versions))
    header = ("read exactly", "n", *(PEERS[name] for name in found))
    return table(header, rows, "python benchmarks/peers.py FOLDER")


def own_model(results: Results) -> str:
    """Networks from tutorials on people's single digits, by how the images are prepared."""
    rows: list[Sequence[str]] = []
    sizes = ""
    for name, found in ((results.of_model("own_model") or {}).get("networks", {})).items():
        ways = [found["ways"][way]["all"] for way in OWN_MODEL_WAYS]
        sizes = f", of {ways[0]['n']}"
        rows.append((name, percent(found["mnist"]["correct"] / found["mnist"]["n"]), *(right(way, 1) for way in ways)))
    header = ("read exactly", "MNIST's test images", *(f"{way}{sizes}" for way in OWN_MODEL_WAYS.values()))
    text = table(header, rows, "python benchmarks/own_model.py FOLDER")
    return f"{text}{PEOPLE_NOTE}\n\n" if rows else text


def outliers(results: Results) -> str:
    """How many images without a digit are refused."""
    kinds = (results.of_model("not_digits") or {}).get("kinds", {})
    rows = []
    for kind, counts in sorted(kinds.items(), key=lambda item: item[0] == "all"):  # the sum last
        name = f"characters of another script: {kind}" if kind in OTHER_SCRIPTS else kind
        rows.append((name, *(f"{counts[part]:,}" for part in ("n", "unsure", "empty")), percent(counts["refused"], 1)))
    header = ("images without a digit", "n", '"not sure"', '"empty"', "refused: either of them")
    return table(header, rows, "python benchmarks/not_digits.py")


def ranking(results: Results) -> str:
    """A sentence: how well the log-odds rank digits above letters."""
    result = results.of_model("not_digits")
    if result is None:
        return ""
    prepared, straight = (result["auroc"][name] for name in ("prepared", "straight"))
    return (
        f"How well the log-odds rank MNIST's test digits above letters (AUROC): {prepared['auroc']:.4f} for "
        f"{prepared['letters']} letters that are prepared from images, {straight['auroc']:.4f} for {straight['letters']} "
        "that are drawn directly in MNIST's form."
    )


def robustness(results: Results) -> str:
    """MNIST under corruptions, and scikit-learn's digits."""
    result, rows = results.of_model("robustness"), []
    if result:
        for name, score in result["correct"].items():
            names = {"none": "no corruption", "scikit-learn": "the digits inside scikit-learn, 8x8 enlarged"}
            rows.append((names.get(name, name), f"{score['n']:,}", *_rates(score)))
        means = [percent(result["mean"][network], 1) for network in OURS_AND_CLASSIC]
        rows.insert(-1, (f"**mean of the {len(rows) - 2} corruptions**", "", *(f"**{mean}**" for mean in means)))
    header = ("corruption of MNIST's test images", "n", "this model", "the classic CNN, trained once")
    return table(header, rows, "python benchmarks/robustness.py")


def _rates(correct: Mapping[str, int]) -> list[str]:
    """Return the rates of ours and of the classic network. correct: {network: count, "n": of how many}."""
    return [percent(correct[network] / correct["n"], 1) for network in OURS_AND_CLASSIC]


def ingredients(results: Results) -> str:
    """What each part of the training gives."""
    rows = []
    trainings = results.of_ingredients()
    for row, name in INGREDIENTS.items():
        if runs := trainings.get(row):
            validation = fractions([run["validation"] for run in runs], 2)
            parts = "validation_unsure", "corrupted", "bundled", "own_digits_unsure"
            refused, corrupted, bundled, unsure = (fractions([run[part] for run in runs], 1) for part in parts)
            rows.append((name, len(runs), validation, refused, corrupted, bundled, _own_digits(runs), unsure, _numbers(runs)))
    tests = (
        "MNIST, validation",
        '"not sure"',
        "corruptions of it",
        "scikit-learn's digits",
        "people's images",
        '"not sure"',
        "people's numbers",
    )
    header = ("trained with", "seeds", *tests)
    return table(header, rows, "python benchmarks/ingredients.py")


def _own_digits(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return "399.3 ± 2.1 / 403": people's images that several trainings read."""
    totals = [[sum(counts) for counts in zip(*run["own_digits"].values(), strict=True)] for run in runs]
    return f"{spread([right for right, _ in totals], 1)} / {totals[0][1]:,}"


def _numbers(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return "237.0 ± 2.1 / 261": people's numbers that several trainings read."""
    return f"{spread([run['numbers'][0] for run in runs], 1)} / {runs[0]['numbers'][1]:,}"


def speed(results: Results) -> str:
    """How fast the program is."""
    rows = []
    if start := results.of_model("speed", "start"):
        ours, keras = ((f"{start[f'{of}seconds']:.2f} s, {start[f'{of}MiB']:.0f} MiB") for of in ("", "keras_"))
        rows.append(("one image from a cold start; baseline: load the .h5 with Keras and predict", ours, keras))
    if photos := results.of_model("speed", "photos"):
        ours, decode = (f"{photos[name]:.0f} ms" for name in ("milliseconds", "decode_milliseconds"))
        rows.append(("a photograph of 12 megapixels; baseline: Pillow's full decode alone", ours, decode))
    if folder := results.of_model("speed", "folder"):
        images = f"{folder['pictures']:,} images of 28x28 pixels, all cores"
        rows.append((images, f"{folder['a_second']:.0f} a second, {folder['MiB']:.0f} MiB"))
    if verify := results.of_model("speed", "verify"):
        rows.append(("scoring MNIST's test images, figures included", f"{verify['seconds']:.0f} s"))
    if page := results.of_model("page"):
        rows.append(("the page: from pen down to the first answer", f"{page['first_answer_milliseconds']:.0f} ms"))
        rows.append(("the page: readings a second while an eight is drawn", f"{page['readings_a_second']:.0f}"))
    return table(("on two x86 cores without a GPU", "this project", "baseline"), rows, "python benchmarks/speed.py")


def scale(results: Results) -> str:
    """Images a second through Ray beside our own, and the core hours of a million images."""
    result = results.of_model("scale")
    rows = [(SCALE_WAYS[way], f"{numbers['a_second']:.1f}") for way, numbers in (result or {"ways": {}})["ways"].items()]
    text = table(("on one machine, two x86 cores", "images a second"), rows, "python benchmarks/scale.py")
    if result is None:
        return text
    hours = 1e6 / result["ways"]["ray 1"]["a_second"] / 3600
    one, two = (result["ratios"][way] for way in ("ray 1", "ray 2"))
    return (
        f"{text}One reader through Ray reads {one:.2f} times as fast as one process of ours, two read {two:.2f} times as fast as "
        f"our own pool. At this rate a million images take {hours:.0f} hours of one core, or {hours / 64:.1f} hours of 64 cores, "
        f"and cost about {hours * CORE_HOUR_DOLLARS + REQUESTS_DOLLARS:.1f} US dollars."
    )


def faults(results: Results) -> str:
    """What the stress tests found."""
    rows = []
    if bad := results.of_model("hostile_pictures"):
        failed = [claim for claim, holds in bad["claims"].items() if not holds]
        found = f"failed: {', '.join(failed)}" if failed else "no traceback, none missing in the output, none over its time limit"
        rows.append((f"{bad['pictures']:,} bad images", f"{found}; at most {bad['process_MiB']:,} MiB in a process"))
    if fuzz := results.of_model("fuzz"):
        files = f"{fuzz['runs']:,} files made by a fuzzer in {fuzz['minutes']:.0f} minutes"
        rows.append((files, f"findings: {', '.join(fuzz['findings']) or 'none'}"))
    kills = [
        kill
        for part in ("training", "fine-tuning", "saving")
        if (found := results.of_recipe("kill", part))
        for kill in found["kills"]
    ]
    if kills := [kill for kill in kills if kill["killed"]]:
        survived = sum(kill["found"] in ("as before", "as after") for kill in kills)
        rows.append(
            (f"{len(kills)} times `kill -9` in training, fine-tuning and saving", f"{survived} times a complete model is left")
        )
    if people := results.of_model("ten_people"):
        found = f"{people['answers']:,} answers; {people['lost']} lost, {people['wrong']} wrong"
        rows.append((f"{people['people']} people at the page for {people['seconds']} seconds", found))
    return table(("test", "result"), rows, "python stress/hostile_images.py").replace("---:", "---")


# ---- docs/constants.md -----------------------------------------------------------------------------------------


def constants(results: Results) -> str:
    """What a third less and a third more of each constant of digits/reading change."""
    result, rows = results.of_sweep(), []
    for key, entry in result["constants"].items() if result else ():
        module, name = key.split(".")
        cells = [cell for change in ("less", "more") for cell in _difference(entry[change])]
        rows.append((f"`{name}`", f"[{module}](../digits/reading/{module}.py)", f"{entry['value']:,.4g}", *cells))
    counted = ("read exactly", "sure and wrong", "not sure")
    header = ("constant", "module", "value", *(f"a third {change}: {what}" for change in ("less", "more") for what in counted))
    counts = ""
    if result:
        n, without, found = result["sample"]["n"], result["sample"]["without_a_digit"], result["unchanged"]
        counts = (
            f"\n\nUnchanged, the program reads {count({'correct': found['correct'], 'n': n - without}, 1)} exactly, calls "
            f"{found['unsure']:,} of them not sure, and is sure and wrong about {found['wrong_and_ok']:,} images, those without "
            f"a digit, {without:,} more, included."
        )
    return counts + table(header, rows, "python benchmarks/sweep.py FOLDER")


def _difference(effect: Mapping[str, Any]) -> list[str]:
    """Return the cells of a change of a constant: 0 or a number with its sign."""
    if "error" in effect:
        return ["fails"] * 3
    return [f"{effect[name]:+d}" if effect[name] else "0" for name in ("correct", "wrong_and_ok", "unsure")]


# ---- docs/fine_tuning.md, docs/model_card.md -------------------------------------------------------------------


def fine_tuning(results: Results) -> str:
    """What fine-tuning gives."""
    result, rows = results.of_model("fine_tuning"), []
    for name, runs in (result["runs"] if result else {}).items():
        read = {when: f"{sum(run[when] for run in runs)} / {sum(run['n'] for run in runs)}" for when in ("before", "after")}
        changes = [
            f"{statistics.mean(run[part]['after'] - run[part]['before'] for run in runs):+.1f}" for part in ("validation", "test")
        ]
        name = f"writer {name}" if re.fullmatch(r"p\d+", name) else name
        rows.append((name, len(runs), runs[0]["learned"], read["before"], read["after"], *changes))
    counts = ("runs", "images learned", "read before", "read after", "MNIST validation, images", "MNIST test, images")
    return table(("handwriting", *counts), rows, "python benchmarks/fine_tuning.py FOLDER")


def scores(results: Results) -> str:
    """The scores in the shipped model's card."""
    card = results.card.to_json()
    test, validation = card["test"], card["validation"]
    low, high = test["interval95"]
    files = {name: (DEFAULT_MODEL.parent / name).stat().st_size / 1000 for name in card["sha256"]}
    rows = [
        ("parameters", f"{card['parameters']:,}"),
        *((f"size of `{name}`", f"{size:,.0f} kB") for name, size in files.items()),
        ("MNIST validation images read", count(validation)),
        ("MNIST test images read", count(test)),
        ("95 % interval of that (Wilson)", f"{percent(low)} to {percent(high)}"),
        ("mean cross-entropy on the test images", f"{test['loss']:.4f}"),
        ("expected calibration error, 15 bins", percent(test["ece"])),
        ('test images called "not sure"', f"{test['unsure']:,}"),
        ("temperature", f"{card['temperature']:.3f}"),
        ("threshold of the log-odds", f"{card['threshold']:.3f}"),
    ]
    return table(("the shipped model", ""), rows, "")


def number_reader(results: Results) -> str:
    """Where the shipped number reader comes from and what its card says, a sentence for each part of its training."""
    card = load_card(card_path(DEFAULT_NUMBER_READER))
    sentences = _parts(card, TRAIN_NUMBER_READER_COMMAND)
    for what, found in (("digits", card.validation), ("marks", card.validation_marks)):
        if found:
            sentences.append(f"Composed windows, {what}: {count(found.to_json(), 1)} have the right class.")
    return " ".join(sentences)


def line_reader(results: Results) -> str:
    """What the shipped line reader's card says: its size, a sentence for each part of its training, and its score."""
    card = load_card(card_path(DEFAULT_LINE_READER))
    sentences = [f"{card.parameters:,} parameters.", *_parts(card, TRAIN_LINE_READER_COMMAND)]
    if card.validation:
        sentences.append(f"Composed rows: {count(card.validation.to_json(), 1)} are read without an error.")
    return " ".join(sentences)


def _parts(card: ModelCard, command: str) -> list[str]:
    """Return a sentence for each part of a training. command: what makes a part where the card does not say it."""
    last = TrainingPart(
        steps=(card.steps or 0) - sum(part.steps for part in card.earlier_parts or ()),
        seconds=0.0,
        settings=card.settings,
        made_by=card.made_by,
    )
    sentences = []
    for number, part in enumerate((*(card.earlier_parts or ()), last), start=1):
        seed = f", seed {part.settings['SEED']}" if part.settings and "SEED" in part.settings else ""
        made_by = part.made_by or f"`{command}{' --resume' if number > 1 else ''}`"
        sentences.append(f"Part {number}: {part.steps:,} steps{seed}, by {made_by.rstrip('.')}.")
    return sentences


BLOCKS: dict[str, Callable[[Results], str]] = {
    function.__name__: function
    for function in (
        summary, line_reader_gain, claim, comparison, networks, training_time, own_images, misread, whole_numbers,
        writers_left_out, lengths, composed, form_fields, peers, own_model, outliers, ranking, robustness, ingredients,
        speed, scale, faults, constants, fine_tuning, scores, number_reader, line_reader,
    )
}  # fmt: skip
