"""The scripts as users run them: what they print, write and refuse, and with which exit code."""

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from answers import reading
from conftest import PROJECT, SHIPPED_MODEL
from PIL import Image

import predict_custom
from digits import Reader
from train_model import FLOORS

SAMPLES = PROJECT / "custom_digits"
NUMBER_READER = SHIPPED_MODEL.with_name("number_reader.tflite")
SEVEN = SAMPLES / "7" / "barred_ballpen_photo.jpg"


def png_size(path):
    """Read a figure back and return its size; fails where it is not a whole PNG."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return image.size


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- train_model.py -------------------------------------------------------------------------------------------------


def test_training_writes_its_files_and_nothing_else(trained):
    assert trained.stderr == "", "noise on the screen"
    models, outputs = trained.folder / "models", trained.folder / "outputs"
    assert [name for name in names_in(models) if not name.endswith(".lock")] == ["m.h5", "m.json", "m.tflite"]
    assert names_in(outputs) == ["dataset_overview.png", "sample_predictions.png", "training_history.png"]
    for figure in outputs.iterdir():
        assert min(png_size(figure)) > 300


def test_training_prints_data_settings_and_layers(trained):
    output = trained.stdout
    for expected in ("x_train", "(1200, 28, 28)", "validation", "LEARNING_RATE", "conv1_pool", "probabilities", "not MNIST"):
        assert expected in output
    assert "5 / 5" in output


def test_the_card_tells_all_about_the_model(trained):
    card = json.loads(trained.model_path.with_suffix(".json").read_text())
    assert set(card) >= {
        "data", "preset", "settings", "seed", "versions", "parameters", "labels", "input", "output", "temperature",
        "temperature_applied", "threshold", "validation", "test", "history", "sha256", "recipe", "calibration", "score",
    }  # fmt: skip
    shipped = json.loads((PROJECT / "models" / "digit_recognition_model.json").read_bytes())
    assert set(shipped) == set(card), "the shipped card is not what a training writes"
    assert card["settings"]["EPOCHS"] == 5
    assert len(card["history"]) == 5
    assert card["labels"] == list(range(10))


def test_verify_counts_exactly_what_the_card_says(trained, small_data, call_script):
    model = trained.model_path.with_suffix(".tflite")
    result = call_script("verify_all_digits.py", "--data", small_data, "--model", model, "--json", "-")
    scores, card = json.loads(result.stdout), json.loads(model.with_suffix(".json").read_text())
    assert result.returncode == 0
    assert (scores["n"], scores["correct"]) == (card["test"]["n"], card["test"]["correct"])
    assert scores["parameters"] == card["parameters"]
    assert scores["loss"] == pytest.approx(card["test"]["loss"])


@pytest.mark.slow
def test_the_replaced_model_is_kept_and_both_scores_are_printed(trained_copy, small_data, call_script, tmp_path):
    models = trained_copy.parent
    before = {path.name: path.read_bytes() for path in models.glob("m.*")}
    places = ("--model", models / "m.h5", "--output-dir", tmp_path / "outputs")
    result = call_script("train_model.py", "--data", small_data, "--epochs", 1, *places)
    assert result.returncode == 0, result.stderr
    assert "model before" in result.stdout
    for name in ("m.h5", "m.tflite", "m.json"):
        assert (models / "previous" / name).read_bytes() == before[name]
        assert (models / name).read_bytes() != before[name]


@pytest.mark.slow
def test_without_mnist_the_bundled_digits_are_learned(run_script, tmp_path):
    project = copy_of_the_project(tmp_path)
    result = run_script(project / "train_model.py", "--epochs", 2, **no_network(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "could not be downloaded" in result.stderr
    assert (project / "models" / "bundled_digits_model.tflite").exists()
    for suffix in (".h5", ".tflite", ".json"):
        shipped = SHIPPED_MODEL.with_suffix(suffix)
        assert (project / "models" / shipped.name).read_bytes() == shipped.read_bytes()


@pytest.mark.slow
def test_without_mnist_verify_scores_what_is_there(run_script, tmp_path):
    project = copy_of_the_project(tmp_path)
    result = run_script(project / "verify_all_digits.py", **no_network(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "Instead" in result.stderr
    assert "scikit-learn" in result.stdout and "custom_digits" in result.stdout


def copy_of_the_project(folder):
    """Return a copy of the project in which there is no data/."""
    project = folder / "project"

    def left_out(directory, names):
        unwanted = {"outputs", "previous", "__pycache__", ".git"} | ({"data"} if Path(directory) == PROJECT else set())
        return [name for name in names if name in unwanted or name.startswith(".venv") or name.endswith(".lock")]

    shutil.copytree(PROJECT, project, ignore=left_out)
    return project


def no_network(folder):
    """Return an environment in which there is no Keras cache, and every connection is refused by a closed port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{free.getsockname()[1]}"
    return {"KERAS_HOME": str(folder / "keras"), "http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""}


# ---- verify_all_digits.py -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_verify_reports_mnist_and_draws_its_figures(mnist_folder, run_script, tmp_path):
    result = run_script("verify_all_digits.py", "--data", mnist_folder, "--output-dir", tmp_path, "--json", tmp_path / "s.json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "noise on the screen"
    scores = json.loads((tmp_path / "s.json").read_text())
    card = json.loads(SHIPPED_MODEL.with_suffix(".json").read_text())
    assert scores["dataset"] == "MNIST"
    assert scores["n"] == 10_000 == sum(map(sum, scores["confusion"]))
    assert scores["correct"] == card["test"]["correct"] == sum(scores["confusion"][i][i] for i in range(10))
    assert scores["accuracy"] >= FLOORS[card["preset"]], "the shipped model is below the floor"
    assert scores["interval95"][0] < scores["accuracy"] < scores["interval95"][1]
    assert sum(row["support"] for row in scores["per_digit"].values()) == 10_000
    figures = {
        "all_digits_predictions", "all_digits_examples", "confusion_matrix_all_digits", "confidence_all_digits",
        "most_confident_errors",
    }  # fmt: skip
    assert {path.stem for path in tmp_path.glob("*.png")} == figures
    for figure in figures:
        assert min(png_size(tmp_path / f"{figure}.png")) > 300


def test_verify_scores_a_labelled_folder(call_script, tmp_path):
    folder = tmp_path / "own"
    for name, label in (("a.jpg", "7"), ("b.jpg", "1")):  # the second is the same 7 under a wrong label
        (folder / label).mkdir(parents=True)
        shutil.copy(SEVEN, folder / label / name)
    (folder / "7" / "text.png").write_text("no image")
    shutil.copy(SEVEN, folder / "unlabelled.jpg")
    result = call_script(
        "verify_all_digits.py", "--images", folder, "--output-dir", tmp_path / "o", "--json", tmp_path / "s.json"
    )
    scores = json.loads((tmp_path / "s.json").read_text())
    assert result.returncode == 1, "an unreadable image is exit code 1"
    assert (scores["n"], scores["correct"], scores["errors"]) == (3, 1, 1)
    assert scores["loss"] is None
    assert scores["confusion"][7][7] == scores["confusion"][1][7] == 1
    assert scores["not_in_confusion"] == 1
    assert [set(image) for image in scores["pictures"]] == [{"image", "label", "text", "status", "confidence"}] * 3
    assert "1 image without a label" in result.stderr
    assert "what the network saw" in result.stdout, "advice on low accuracy"
    assert "\n  number reader " in result.stdout and "\n  line reader " in result.stdout
    assert names_in(tmp_path / "o") == ["confusion_matrix_custom.png", "custom_digits_report.png", "custom_errors.png"]


def test_the_shipped_model_reads_the_sample_images(call_script):
    result = call_script("verify_all_digits.py", "--images", SAMPLES, "--json", "-")
    scores = json.loads(result.stdout)
    assert scores["n"] >= 20
    assert scores["accuracy"] >= 0.9, "these are drawn, not written: a floor for the program, not a measure of it"


# ---- predict_custom.py ----------------------------------------------------------------------------------------------


def test_predict_reads_the_image_at_the_top_of_the_file(run_script, tmp_path):
    result = run_script("predict_custom.py", "--output-dir", tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert SEVEN.name in result.stdout and " 7 " in result.stdout
    files = [SHIPPED_MODEL.with_name(f"{name}_reader.tflite") for name in ("number", "line")]
    assert f"number reader: {files[0]}\nline reader: {files[1]}\n" in result.stdout
    assert min(png_size(tmp_path / "custom_predictions.png")) > 150


def test_json_keeps_the_order_given_and_is_alone_on_standard_output(run_script):
    given = [SAMPLES / "42" / "phone.jpg", "absent.png", SEVEN]
    result = run_script("predict_custom.py", *given, "--json", "-")
    assert result.returncode == 1, "a path that does not exist is an error entry"
    entries = json.loads(result.stdout)
    assert [entry["image"] for entry in entries] == list(map(str, given))
    assert [entry["status"] for entry in entries] == ["ok", "error", "ok"]
    assert entries[0]["text"] == "42"


def test_a_runner_up_that_would_be_shown_as_nothing_is_not_printed():
    shown, hidden = (predict_custom.answer_line(reading("7", confidences=[value]), 0) for value in (0.99, 0.995))
    assert shown.split("  ")[-1].strip() == "7 99.0 % (or 0 0.1 %)"  # the rest is spread over nine digits
    assert hidden.split("  ")[-1].strip() == "7 99.5 %"


def test_the_reason_why_an_image_is_not_sure_is_printed(call_script, tmp_path):
    result = call_script("predict_custom.py", SAMPLES / "42" / "phone.jpg", "--expect", "3", "--csv", tmp_path / "a.csv")
    assert "42 ?" in result.stdout and "  (does not fit ###)\n" in result.stdout


def test_csv_says_the_same_as_json(call_script, tmp_path):
    call_script("predict_custom.py", SAMPLES, "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv")
    entries = json.loads((tmp_path / "a.json").read_text())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert list(rows[0]) == ["image", "status", "text", "confidence", "message"]
    assert [(row["image"], row["text"]) for row in rows] == [(entry["image"], entry["text"]) for entry in entries]
    least = [min(digit["confidence"] for digit in entry["digits"]) for entry in entries]
    assert [float(row["confidence"]) for row in rows] == least
    assert len(entries) == sum(path.suffix in (".png", ".jpg") for path in SAMPLES.rglob("*"))


def test_folders_and_patterns_are_sorted_and_other_files_counted(run_script, tmp_path):
    for name in ("b.jpg", "a.jpg", "deep/c.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SEVEN, tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("")
    folder = run_script("predict_custom.py", "in", "--json", "-", cwd=tmp_path)
    assert [entry["image"] for entry in json.loads(folder.stdout)] == ["in/a.jpg", "in/b.jpg", "in/deep/c.jpg"]
    assert "1 other file " in folder.stderr
    pattern = run_script("predict_custom.py", "in/*.jpg", "--json", "-", cwd=tmp_path)
    assert [entry["image"] for entry in json.loads(pattern.stdout)] == ["in/a.jpg", "in/b.jpg"]


@pytest.mark.parametrize("name", ["scan.pdf", "scan.tif"])
def test_every_page_of_a_file_is_an_image(name, call_script, tmp_path):
    pages = [Image.open(path).convert("RGB") for path in (SAMPLES / "42" / "phone.jpg", SEVEN)]
    (tmp_path / "7").mkdir()
    scan, single = tmp_path / "7" / name, tmp_path / f"single_{name}"
    pages[0].save(scan, save_all=True, append_images=pages[1:])
    pages[1].save(single)
    result = call_script("predict_custom.py", tmp_path, "--json", "-")
    answers = {entry["image"]: (entry["status"], entry["text"]) for entry in json.loads(result.stdout)}
    assert answers == {f"{scan}#1": ("ok", "42"), f"{scan}#2": ("ok", "7"), str(single): ("ok", "7")}
    result = call_script("predict_custom.py", f"{scan}#2", f"{scan}#3", "--csv", "-")
    assert result.returncode == 1
    assert [row[:3] for row in csv.reader(io.StringIO(result.stdout))][1:] == [
        [f"{scan}#2", "ok", "7"],
        [f"{scan}#3", "error", ""],
    ]

    # Where there is a label, a file must have one page.
    for images, found in (([scan], "these are 2"), ([f"{scan}#2"], "this is a page of a file")):
        refused(call_script("predict_custom.py", *images, "--label", "7"), f"--label is for one image, and {found}.")
    scores = json.loads(call_script("verify_all_digits.py", "--images", tmp_path, "--json", "-").stdout)
    assert [(image["image"], image["status"]) for image in scores["pictures"]] == [(str(scan), "error")]


def test_saved_crops_are_what_the_network_saw(call_script, tmp_path):
    name = "日" * 82  # 246 bytes
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path / f"{name}.jpg")
    call_script("predict_custom.py", tmp_path / f"{name}.jpg", "--save-crops", tmp_path / "c", "--json", tmp_path / "a.json")
    assert sorted(path.name[:6] for path in (tmp_path / "c").iterdir()) == ["00001_", "00001_"]
    call_script("predict_custom.py", SAMPLES / "42" / "phone.jpg", "--save-crops", tmp_path, "--json", tmp_path / "a.json")
    crops = sorted(tmp_path.glob("*.png"))
    assert [path.name for path in crops] == ["00001_phone_1_is_4.png", "00001_phone_2_is_2.png"]
    digits = Reader().read(SAMPLES / "42" / "phone.jpg").digits
    for path, digit in zip(crops, digits, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), digit.crop)


@pytest.mark.parametrize("output", ["--json", "--csv"])
@pytest.mark.parametrize("read", ["scan", "fields.csv", "model.tflite", "model.json"])
def test_answers_take_the_place_of_nothing_that_is_read(output, read, call_script, tmp_path):
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path / "scan")
    (tmp_path / "fields.csv").write_text("name,x,y,width,height\na,0,0,1,1\n")
    for suffix in (".tflite", ".json"):
        shutil.copy(PROJECT / "models" / f"digit_recognition_model{suffix}", tmp_path / f"model{suffix}")
    before = (tmp_path / read).read_bytes()
    flags = ("--fields", "fields.csv", "--model", "model.tflite", output, f"./{read}")
    refused(call_script("predict_custom.py", "scan", *flags, cwd=tmp_path), f"The answers would take the place of ./{read}")
    assert (tmp_path / read).read_bytes() == before


def test_expect_is_applied_to_every_image(call_script):
    images = SAMPLES / "2026" / "notebook.png", SAMPLES / "42" / "phone.jpg", SAMPLES / "12.50" / "price_tag.jpg"

    def answers(expect):
        result = call_script("predict_custom.py", *images, "--expect", expect, "--json", "-")
        assert result.returncode == 0, result.stderr
        return [(entry["status"], entry["text"]) for entry in json.loads(result.stdout)]

    assert answers("4")[:2] == [("ok", "2026"), ("unsure", "42")]
    assert answers("4#")[1] == ("ok", "42")
    assert answers("##.##")[2] == ("ok", "12.50")
    assert [status for status, _ in answers("##.##")[:2]] == ["unsure", "unsure"]


@pytest.mark.parametrize("pattern", ["", "0", "seven", "12.50", "##|##", "-3"])
def test_a_wrong_pattern_is_exit_code_2_and_writes_nothing(call_script, tmp_path, pattern):
    refused(
        call_script("predict_custom.py", SEVEN, f"--expect={pattern}", "--json", tmp_path / "a.json"), f"{pattern!r}", "##.##"
    )
    assert list(tmp_path.iterdir()) == []


FIELDS = "name,x,y,width,height,expect\nnumber,0.05,0.05,0.9,0.9,4#\ncorner,0.02,0.02,0.1,0.1,\n"


@pytest.fixture
def form(tmp_path):
    """A folder with fields.csv, three sheets, one of them broken, and one of the sheets again as a reference."""
    (tmp_path / "fields.csv").write_text(FIELDS)
    (tmp_path / "scans").mkdir()
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path / "scans" / "b.jpg")
    (tmp_path / "scans" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    Image.new("L", (300, 200), 250).save(tmp_path / "scans" / "c.png")
    return tmp_path


def test_the_fields_of_a_form_are_columns(form, call_script):
    files = ("--csv", "a.csv", "--json", "a.json")
    result = call_script("predict_custom.py", "scans", "--fields", "fields.csv", *files, cwd=form)
    assert result.returncode == 1  # one sheet is broken
    rows = list(csv.reader((form / "a.csv").read_text().splitlines()))
    assert rows[0] == ["image", "status", "message", "unsure", "number", "corner"]
    broken, phone, blank = rows[1:]
    assert broken[:2] == [str(Path("scans", "a.png")), "error"] and broken[3:] == ["", "", ""]
    assert phone[1:] == ["ok", "", "", "42", ""]
    assert blank[1] == "unsure" and blank[2].startswith("all its fields are empty") and blank[3:] == ["", "", ""]
    entries = json.loads((form / "a.json").read_text())
    assert [list(entry["fields"]) for entry in entries] == [["number", "corner"]] * 3
    assert [entry["fields"]["number"]["status"] for entry in entries] == ["error", "ok", "empty"]
    assert entries[1]["fields"]["number"]["digits"] == entries[1]["digits"]
    assert "ok        number: 42  corner: \n" in result.stdout


def test_the_line_of_a_sheet_says_why_a_field_is_not_sure(form, call_script):
    (form / "fields.csv").write_text(FIELDS.replace("4#", "####"))
    result = call_script("predict_custom.py", "scans/b.jpg", "--fields", "fields.csv", "--csv", "a.csv", cwd=form)
    assert result.returncode == 0, result.stderr
    assert "unsure    number: 42 ?  corner:   (number: does not fit ####)\n" in result.stdout


def test_a_sheet_that_can_not_be_aligned_is_unsure_and_exit_code_0(form, call_script):
    sys.path.insert(0, str(PROJECT / "benchmarks"))
    from composed_forms import blank_form

    page = Image.fromarray(blank_form(np.random.default_rng(0)).page)
    page.save(form / "blank.png")
    (form / "scans" / "a.png").unlink()
    page.save(form / "scans" / "a.png")
    (form / "fields.csv").write_text("name,x,y,width,height\nnumber,0.1,0.2,0.2,0.03\ncorner,0.02,0.02,0.1,0.1\n")
    flags = ("--fields", "fields.csv", "--align", "blank.png", "--csv", "-")
    result = call_script("predict_custom.py", "scans/a.png", "scans/c.png", *flags, cwd=form)
    assert result.returncode == 0, result.stderr
    _, same, other = csv.reader(result.stdout.splitlines())
    assert "could not be aligned" not in same[2]
    assert other[1] == "unsure" and other[2].startswith("it could not be aligned: ") and other[3:] == ["number;corner", "", ""]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--fields", "fields.csv"), "fields.csv, line 3: the name 'status' can't be used"),
        (("--fields", "absent.csv"), "absent.csv can't be read: No such file or directory"),
        (("--fields", "good.csv", "--align", "absent.jpg"), "The reference can't be used: there is no such file"),
        (("--fields", "good.csv", "--align", "scans/c.png"), "too little is printed on it"),
    ],
)
def test_a_wrong_form_is_exit_code_2_and_writes_nothing(form, call_script, flags, reason):
    (form / "good.csv").write_text(FIELDS)
    (form / "fields.csv").write_text(FIELDS.replace("corner", "status"))
    refused(call_script("predict_custom.py", "scans", *flags, "--csv", "a.csv", cwd=form), reason)
    assert not (form / "a.csv").exists()


def test_a_labelled_image_is_kept(run_script, tmp_path):
    project = copy_of_the_project(tmp_path)
    kept = [set((project / "custom_digits" / "7").iterdir())]
    for flags in ((), ("--json", "-")):
        result = run_script(project / "predict_custom.py", SEVEN, "--label", "7", "--output-dir", tmp_path / "o", *flags)
        assert result.returncode == 0, result.stderr
        kept.append(set((project / "custom_digits" / "7").iterdir()))
        (new,) = kept[-1] - kept[-2]
        assert new.read_bytes() == SEVEN.read_bytes() and new.suffix == ".jpg"
        assert f"kept: {new}" in (result.stderr if flags else result.stdout)
    assert json.loads(result.stdout)[0]["text"] == "7", "standard output is for the JSON alone"


def test_an_image_that_can_not_be_kept_for_its_ending_is_refused_before_it_is_read(call_script, tmp_path):
    shutil.copy(SEVEN, tmp_path / "seven.jp2")
    result = call_script("predict_custom.py", tmp_path / "seven.jp2", "--label", "7", "--json", tmp_path / "a.json")
    refused(result, "'.jp2'", "Expected one of")
    assert not (tmp_path / "a.json").exists()


def test_an_image_whose_label_is_no_folder_name_is_kept_and_scored(run_script, call_script, tmp_path):
    project = copy_of_the_project(tmp_path)
    script, kept = project / "predict_custom.py", project / "custom_digits" / "kept"
    result = run_script(script, SEVEN, "--label", "12/05/2024", "--output-dir", tmp_path / "o")
    assert result.returncode == 0, result.stderr
    (path,) = kept.glob("*.jpg")
    assert path.read_bytes() == SEVEN.read_bytes() and f"kept: {path}" in result.stdout
    scores = json.loads(call_script("verify_all_digits.py", "--images", project / "custom_digits", "--json", "-").stdout)
    labels = {image["image"]: image["label"] for image in scores["pictures"]}
    assert labels[str(path)] == "12/05/2024" and len(labels) > 20, "the samples have their labels, too"


def test_an_image_that_can_not_be_kept_under_its_label_is_refused_and_nothing_written(run_script, tmp_path):
    project = copy_of_the_project(tmp_path)
    before = sorted((project / "custom_digits").rglob("*"))

    def tried(*arguments):
        return run_script(project / "predict_custom.py", *arguments, "--output-dir", tmp_path)

    refused(tried(SEVEN, "--label", "seven"), "'seven'")
    refused(tried(SEVEN, "--label", "../7"), "Expected the digits")
    refused(tried(SEVEN, "--label", "-"), "Expected the digits")
    refused(tried(SEVEN, SEVEN, "--label", "7"), "one image")
    shutil.copy(SEVEN, tmp_path / "seven.photo")
    refused(tried(tmp_path / "seven.photo", "--label", "7"), "'.photo'")
    (tmp_path / "text.png").write_text("no image")
    assert tried(tmp_path / "text.png", "--label", "7").returncode == 1
    assert sorted((project / "custom_digits").rglob("*")) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_any_file_name_is_read_and_reported(run_script, tmp_path):
    names = [
        b"two words.jpg",
        b"line\nbreak.jpg",
        b'quo"te.jpg',
        "emoji\N{GRINNING FACE}.jpg".encode(),
        b"not\xffutf8.jpg",
        b"$x$.jpg",
    ]
    for name in names:
        shutil.copy(os.fsencode(SEVEN), os.fsencode(tmp_path) + b"/" + name)
    result = subprocess.run(
        [sys.executable, PROJECT / "predict_custom.py", tmp_path, "--output-dir", tmp_path / "o", "--json", tmp_path / "a.json"],
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    entries = json.loads((tmp_path / "a.json").read_text(encoding="ascii"))
    assert {os.path.basename(os.fsencode(entry["image"])) for entry in entries} == set(names)


def test_a_quick_answer_imports_neither_tensorflow_nor_matplotlib_nor_ray():
    code = (
        "import sys, predict_custom; predict_custom.main([sys.argv[1], '--json', '-']);"
        "names = ('tensorflow', 'keras', 'matplotlib', 'sklearn', 'scipy', 'ray', 'pyarrow');"
        "print([name for name in names if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code, SEVEN], capture_output=True, text=True, cwd=PROJECT)
    assert result.stderr.strip() == "[]"


def test_a_closed_pipe_is_no_error():
    command = f'"{sys.executable}" "{PROJECT / "predict_custom.py"}" "{SAMPLES}" --output-dir "$0" | head -n 1'
    result = subprocess.run(["bash", "-c", command, os.devnull + "-x"], capture_output=True, text=True, cwd="/tmp")
    assert "Traceback" not in result.stderr


# ---- a network of the user's own ------------------------------------------------------------------------------------

TUTORIAL = "input: (28, 28), -1 to 1, black on white\noutput: logits\nestimated: input, output, temperature "


@pytest.fixture
def own_model(tutorial_network, tmp_path):
    """The path of a .tflite without a card, as a tutorial makes it."""
    from digits.model.network_format import NetworkFormat

    network_format = NetworkFormat((28, 28), "-1 to 1", inverted=True, output="logits")
    return tutorial_network.in_format(network_format).save(tmp_path / "own.tflite")


def test_predict_reads_with_a_tutorials_model_and_says_how_it_takes_its_images(own_model, call_script, tmp_path):
    result = call_script("predict_custom.py", SEVEN, "--model", own_model, "--output-dir", tmp_path / "o")
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith(f"model: {own_model}\n{TUTORIAL}")
    assert f"{SEVEN}  7 " in result.stdout
    quiet = call_script("predict_custom.py", SEVEN, "--model", own_model, "--json", "-")
    assert quiet.stderr.startswith(TUTORIAL) and json.loads(quiet.stdout)[0]["text"] == "7"


def test_verify_scores_a_tutorials_model_and_says_how_it_takes_its_images(own_model, call_script, mnist_folder, tmp_path):
    flags = ("--model", own_model, "--data", mnist_folder)
    result = call_script("verify_all_digits.py", *flags, "--json", tmp_path / "s.json")
    scores = json.loads((tmp_path / "s.json").read_text())
    assert result.returncode == 0 and scores["accuracy"] > 0.92 and scores["parameters"] is None
    assert re.search(r"\n  output +logits\n  estimated +input, output, temperature [\d.]+, threshold ", result.stdout)


def test_a_model_that_reads_no_digits_is_exit_code_2_with_what_was_tried(call_script, tmp_path):
    import keras

    untrained = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)])
    untrained.save(tmp_path / "own.h5")
    refused(call_script("predict_custom.py", "--model", tmp_path / "own.h5"), "of 359 small digits", "0 to 255 or -1 to 1")


# ---- what users get wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["train_model.py", "verify_all_digits.py", "predict_custom.py", "draw_digits.py"])
def test_help_is_the_docstring(script, run_script):
    result = run_script(script, "--help")
    assert result.returncode == 0
    assert f"python {script}" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("train_model.py", "--epochs", "0"),
        ("train_model.py", "--epochs", "many"),
        ("train_model.py", "--batch-size", "-3"),
        ("train_model.py", "--seed", "-1"),
        ("train_model.py", "--preset", "huge"),
        ("train_model.py", "--model", "model.onnx"),
        ("verify_all_digits.py", "--nonsense"),
        ("verify_all_digits.py", "--data", "a", "--images", "b"),
        ("predict_custom.py", "--json", "-", "--csv", "-"),
        ("predict_custom.py", "--json", "answers.txt", "--csv", "answers.txt"),
        ("predict_custom.py", "--json", "answers.txt", "--csv", "./answers.txt"),
        ("predict_custom.py", "--json", "photo.jpg"),
        ("predict_custom.py", "--csv", "photo.PNG"),
        ("verify_all_digits.py", "--json", "photo.jpg"),
    ],
)
def test_wrong_flags_are_exit_code_2_with_a_reason(command, call_script):
    result = call_script(*command)
    assert result.returncode == 2
    assert "error:" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("train_model.py", "--eye", "--quantize"), "away with --eye: only the digit network has an 8-bit version"),
        (("train_model.py", "--eye", "--fine-tune", "custom_digits"), "only the digit network can be fine-tuned"),
        (("train_model.py", "--eye", "--preset", "best"), "its settings stand in"),
        (("train_model.py", "--eye", "--output-dir", "o"), "it draws no figures"),
        (("train_model.py", "--quantize", "--output-dir", "o"), "it draws no figures"),
        (("train_model.py", "--resume", "--fine-tune", "custom_digits"), "leave --resume away with --fine-tune"),
        (("train_model.py", "--quantize", "--resume"), "leave --resume away with --quantize"),
        (("train_model.py", "--quantize", "--fine-tune", "custom_digits"), "give one after the other"),
        (("train_model.py", "--fine-tune", "custom_digits", "--epochs", "3"), "it takes the settings of the saved model"),
        (("train_model.py", "--quantize", "--seed", "0"), "it takes the settings of the saved model"),
        (("predict_custom.py", "--label", "7"), "no image is given: predict_custom.py me.jpg --label 7"),
        (("predict_custom.py", "--align", "blank.jpg"), "give them with --fields fields.csv"),
        (
            ("predict_custom.py", "--fields", "f.csv", "--expect", "5"),
            "a column expect in the file of --fields says it of each field",
        ),
        (("predict_custom.py", "a.png", "--fields", "f.csv", "--label", "5"), "--fields reads many numbers on each"),
        (("predict_custom.py", "a.png", "--ordered"), "--ordered is for --ray"),
        (("predict_custom.py", "a.png", "--ray", "", "--json", "a.jsonl"), "expected auto, or the address of a Ray cluster"),
        (("predict_custom.py", "a.png", "--ray", "auto"), "expected --json answers.jsonl or --json answers.parquet"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--json", "a.json"), "--json answers.parquet, not a.json"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--json", "-"), "--json answers.parquet, not -"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--csv", "a.csv"), "nothing else: leave --csv away"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--json", "a.jsonl", "--label", "7"), "leave --label away"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--json", "a.jsonl", "--save-crops", "c"), "leave --save-crops away"),
        (("predict_custom.py", "a.png", "--ray", "auto", "--json", "a.jsonl", "--output-dir", "o"), "leave --output-dir away"),
        (("predict_custom.py", "--model", ""), "expected a path, not ''"),
        (("verify_all_digits.py", "--images", ""), "expected a path, not ''"),
        (("verify_all_digits.py", "--data", ""), "expected a path, not ''"),
        (("train_model.py", "--output-dir", ""), "expected a path, not ''"),
        (("draw_digits.py", "--model", ""), "expected a path, not ''"),
    ],
)
def test_a_wrong_flag_is_refused_with_its_own_reason(command, reason, call_script):
    result = call_script(*command)
    assert result.returncode == 2
    assert reason in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("predict_custom.py", SEVEN),
        ("verify_all_digits.py",),
        ("draw_digits.py",),
        ("train_model.py", "--quantize"),
        ("train_model.py", "--fine-tune", SAMPLES),
    ],
    ids=["predict", "verify", "draw", "quantize", "fine-tune"],
)
def test_the_number_reader_is_refused_where_a_digit_network_is_expected(command, call_script):
    suffixes = [".h5"] if command[0] == "train_model.py" else [".h5", ".tflite"]
    for suffix in suffixes:
        path = NUMBER_READER.with_suffix(suffix)
        refused(
            call_script(*command, "--model", path), f"{path} is a number reader, not a digit network", "digit_recognition_model"
        )


def test_the_number_reader_is_not_replaced_by_a_digit_network(call_script, small_data, tmp_path):
    for suffix in (".h5", ".tflite", ".json"):
        shutil.copy(NUMBER_READER.with_suffix(suffix), tmp_path)
    model = tmp_path / NUMBER_READER.with_suffix(".h5").name
    before = model.read_bytes()
    refused(call_script("train_model.py", "--data", small_data, "--model", model), "is a number reader", "another name")
    assert model.read_bytes() == before


def refused(result, *words):
    """Check that a script ended with exit code 2 and a message that holds the words and no traceback."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "Expected" in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("script", ["verify_all_digits.py", "predict_custom.py"])
def test_a_missing_model_is_exit_code_2_with_the_command_that_makes_one(script, call_script, tmp_path):
    refused(call_script(script, "--model", tmp_path / "absent.tflite"), "absent.tflite", "python train_model.py")


@pytest.mark.parametrize("suffix", [".tflite", ".h5"])
def test_a_model_that_does_not_match_its_card_is_exit_code_2(suffix, call_script, model_copy):
    path = model_copy.with_suffix(suffix)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    refused(call_script("predict_custom.py", "--model", path), "does not match its card")


@pytest.mark.parametrize("name", ["junk.tflite", "junk.h5", "junk.onnx"])
def test_a_file_that_is_not_a_model_is_exit_code_2_with_its_name(name, call_script, tmp_path):
    (tmp_path / name).write_bytes(b"junk")
    refused(call_script("predict_custom.py", "--model", tmp_path / name), name)


def test_a_model_of_another_shape_is_exit_code_2_with_that_shape(call_script, tmp_path):
    import keras

    foreign = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(3)])
    foreign.save(tmp_path / "foreign.keras")
    refused(call_script("predict_custom.py", "--model", tmp_path / "foreign.keras"), "something else", "(None, 3)")


def test_a_folder_given_as_a_model_is_exit_code_2(call_script, tmp_path):
    refused(call_script("predict_custom.py", "--model", tmp_path), "it is a folder")


@pytest.mark.parametrize("data", ["absent", "empty", "text", "steering.npz"])
@pytest.mark.parametrize("script", ["train_model.py", "verify_all_digits.py"])
def test_unusable_data_is_exit_code_2_with_its_path(script, data, call_script, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no data")
    np.savez(tmp_path / "steering.npz", **{"\x1b[2J": np.zeros(1)})  # its name would clear the screen
    result = call_script(script, "--data", tmp_path / data)
    refused(result, str(tmp_path / data))
    assert "\x1b" not in result.stderr


def test_a_missing_or_empty_folder_of_images_is_exit_code_2(call_script, tmp_path):
    refused(call_script("verify_all_digits.py", "--images", tmp_path / "absent"), "absent")
    refused(call_script("verify_all_digits.py", "--images", tmp_path), "no labelled image")
    refused(call_script("predict_custom.py", tmp_path), "no image")
    refused(call_script("predict_custom.py", tmp_path / "*.png"), "no image", "nothing matches")


def test_where_no_image_can_be_read_no_figure_is_drawn(call_script, tmp_path):
    result = call_script("predict_custom.py", tmp_path / "absent.png", "--output-dir", tmp_path / "o")
    assert result.returncode == 1 and "there is no such file" in result.stdout
    assert "figure" not in result.stdout and not (tmp_path / "o").exists()


def test_bad_images_are_entries_not_crashes(call_script, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.jpg").write_bytes(SEVEN.read_bytes()[:9000])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    result = call_script("predict_custom.py", *sorted(tmp_path.iterdir()), SEVEN, "--json", "-")
    entries = json.loads(result.stdout)
    assert result.returncode == 1
    # An empty folder holds no images; everything else that was named is accounted for once.
    assert [(os.path.basename(entry["image"]), entry["status"]) for entry in entries] == [
        ("empty.png", "error"), ("half.jpg", "error"), ("text.png", "error"), (SEVEN.name, "ok"),
    ]  # fmt: skip
    assert all(entry["message"] for entry in entries[:3])


@pytest.mark.slow
def test_an_output_folder_that_can_not_be_written_is_exit_code_2(call_script, small_data, mnist_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    inside = tmp_path / "file" / "outputs"
    refused(call_script("predict_custom.py", "--output-dir", inside), "can't be written")
    refused(call_script("predict_custom.py", "--json", inside / "a.json"), "can't be written")
    refused(call_script("verify_all_digits.py", "--data", mnist_folder, "--output-dir", inside), "can't be written")
    places = ("--output-dir", inside, "--model", tmp_path / "m.h5")
    refused(call_script("train_model.py", "--data", small_data, "--epochs", 1, *places), "can't be written")
    refused(call_script("train_model.py", "--data", small_data, "--model", inside / "m.h5"), "can't be written")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a tiny disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(run_script, tiny_disk):
    (tiny_disk / "custom_predictions.png").write_bytes(b"earlier")
    (tiny_disk / "filler").write_bytes(bytes(150_000))
    refused(run_script("predict_custom.py", SAMPLES, "--output-dir", tiny_disk), "can't be written", "No space left")
    assert names_in(tiny_disk) == ["custom_predictions.png", "filler"]
    assert (tiny_disk / "custom_predictions.png").read_bytes() == b"earlier"


@pytest.mark.slow
def test_a_full_disk_for_the_figures_takes_no_score_away(call_script, small_data, tiny_disk):
    (tiny_disk / "filler").write_bytes(bytes(190_000))
    result = call_script("verify_all_digits.py", "--data", small_data, "--output-dir", tiny_disk)
    refused(result, "can't be written", "No space left")
    assert "accuracy" in result.stdout and "mean over images" in result.stdout
    assert names_in(tiny_disk) == ["filler"]


def test_an_image_that_finds_no_room_is_not_kept(tiny_disk):
    from digits.common.errors import UserError
    from digits.data.kept_images import keep_image

    (tiny_disk / "filler").write_bytes(bytes(190_000))
    with pytest.raises(UserError, match="No space left"):
        keep_image(bytes(100_000), ".png", "7", tiny_disk)
    assert not list(tiny_disk.glob("7/*")) and not list(tiny_disk.glob("7/.*"))


def test_a_disk_that_fills_while_a_model_is_saved_keeps_the_earlier_one(call_script, small_data, trained, tiny_disk, tmp_path):
    earlier = {name: (trained.folder / "models" / name).read_bytes() for name in ("m.h5", "m.tflite", "m.json")}
    (tiny_disk / "m.json").write_bytes(earlier["m.json"])
    places = ("--model", tiny_disk / "m.h5", "--output-dir", tmp_path)
    result = call_script("train_model.py", "--data", small_data, "--epochs", 1, *places)
    refused(result, "No space left")
    assert (tiny_disk / "m.json").read_bytes() == earlier["m.json"]
    assert not [name for name in names_in(tiny_disk) if name.endswith((".h5", ".tflite"))]


def test_two_trainings_do_not_write_one_model(small_data, call_script, tmp_path):
    from digits.model import store

    places = ("--model", tmp_path / "m.h5", "--output-dir", tmp_path)
    with store.lock(tmp_path / "m.h5"):
        refused(call_script("train_model.py", "--data", small_data, *places), "Another training")


@pytest.mark.parametrize("what", [("--fine-tune", SAMPLES), ("--quantize",)], ids=["fine-tune", "quantize"])
def test_what_changes_a_model_waits_for_a_training_of_it(what, call_script, model_copy):
    from digits.model import store

    with store.lock(model_copy):
        refused(call_script("train_model.py", *what, "--model", model_copy.with_suffix(".h5")), "Another training")
