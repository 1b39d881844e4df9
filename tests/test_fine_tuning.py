"""Learning a person's handwriting: what a round learns from, the check, and that nothing is replaced by something worse."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import PROJECT, QUICK_JAX, SHIPPED_MODEL, heed_ctrl_c

from digits.common.errors import UserError
from digits.common.score import Score
from digits.data.dataset import Split

SAMPLES = PROJECT / "custom_digits"


# ---- the library ----------------------------------------------------------------------------------------------------


def test_interpolated_weights_lie_between_the_earlier_and_the_new_ones():
    from digits.model import network
    from digits.training import fine_tuning

    model = network.build(4, 4, 0, 0.0, seed=1)
    earlier = model.get_weights()
    model.set_weights([weights + 1 for weights in earlier])
    for alpha in fine_tuning.interpolate_weights(model, earlier):
        for old, now in zip(earlier, model.get_weights(), strict=True):
            assert np.allclose(now, old + alpha)
    assert alpha == 0.5


def test_a_round_has_its_fraction_of_own_images(monkeypatch):
    from test_batches import AUGMENTED

    from digits.augmentation.outliers import OUTLIER_LABEL
    from digits.training import fine_tuning

    monkeypatch.setattr(fine_tuning, "STEPS_PER_ROUND", 10)
    training = Split(np.random.default_rng(0).integers(0, 255, (500, 28, 28), np.uint8), np.full(500, 3, np.uint8))
    own = Split(np.full((7, 28, 28), 200, np.uint8), np.full(7, 8, np.uint8))

    def whole_round(number):
        chunks = fine_tuning.images_of_round(training, own, AUGMENTED, number)
        return tuple(map(np.concatenate, zip(*chunks, strict=True)))

    images, labels = whole_round(0)
    total = fine_tuning.STEPS_PER_ROUND * fine_tuning.ROUND_BATCH_SIZE
    assert images.shape == (total, 28, 28), "a batch would be smaller, or a step more"
    digits = np.sum(labels != OUTLIER_LABEL)
    assert np.mean(labels == OUTLIER_LABEL) == pytest.approx(0.1 / 1.1, abs=0.001)
    own_count = round(fine_tuning.OWN_IMAGES_FRACTION * digits)
    assert (np.sum(labels == 8), np.sum(labels == 3)) == (own_count, digits - own_count)
    again, _ = whole_round(0)
    other, _ = whole_round(1)
    assert np.array_equal(images, again) and not np.array_equal(images, other)


@pytest.mark.parametrize(
    ("held_out", "validation", "words"),
    [
        ((3, 4), (5967, 5967), []),
        ((4, 4), (5967, 5962), []),  # 5 of 5,999 are less than 0.1 %
        ((4, 3), (5967, 5990), ["held out"]),
        ((3, 4), (5967, 5961), ["forgotten"]),
        ((4, 3), (5967, 5900), ["held out", "forgotten"]),
    ],
)
def test_a_model_that_reads_fewer_images_is_objected_to(held_out, validation, words):
    from digits.training.fine_tuning import GuardScores, objections

    before, after = (
        GuardScores(Score(4, held_out[i], held_out[i] / 4), Score(5999, validation[i], validation[i] / 5999)) for i in (0, 1)
    )
    found = objections(before, after)
    assert len(found) == len(words) and all(word in sentence for word, sentence in zip(words, found, strict=True))


@pytest.mark.parametrize(("after", "objected"), [(870, False), (862, False), (861, True)])  # 5 of 1,000 are 0.5 %
def test_a_model_that_reads_fewer_rows_is_objected_to(after, objected):
    from digits.training.fine_tuning import GuardScores, objections

    same = Score(4, 4, 1.0), Score(5999, 5967, 5967 / 5999)
    found = objections(GuardScores(*same, Score(1000, 867, 0.867)), GuardScores(*same, Score(1000, after, after / 1000)))
    assert [sentence for sentence in found if "rows of digits" in sentence] == found and bool(found) is objected
    assert objections(GuardScores(*same), GuardScores(*same)) == []


# ---- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """Find the digits of ten rows alone: of 1,000 it takes 50 seconds."""
    from digits.training import row_guard

    monkeypatch.setattr(row_guard, "ROW_COUNT", 10)


@pytest.fixture
def models(trained_copy):
    """The folder of a copy of the trained model, to work on. It still misreads a few images, so few are lost by chance."""
    return trained_copy.parent


@pytest.fixture(scope="module")
def mirrored(small_data, tmp_path_factory):
    """A person's data: mirrored sevens, which no model of ours has learned."""
    with np.load(small_data) as arrays:
        sevens = arrays["x_train"][arrays["y_train"] == 7][:40, :, ::-1]
    path = tmp_path_factory.mktemp("mirrored") / "sevens.npz"
    np.savez(path, x_train=sevens, y_train=np.full(len(sevens), 7, np.uint8))
    return path


def contents(folder):
    """Return {name: content} of the model's files in a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("m.*") if path.suffix != ".lock"}


def bring_back(result):
    """Run the command that a script printed to bring the earlier model back, from another folder."""
    command = next(line for line in result.stdout.splitlines() if line.startswith(("  cp ", "  copy ")))
    subprocess.run(command, shell=True, check=True, cwd="/")


def assert_calibrated(model_path, small_data):
    """Check that a temperature was fitted and is in the weights: the answers of the .h5 need no other one."""
    from digits.data import dataset
    from digits.model import keras_files, network
    from digits.model.calibration import MIN_TEMPERATURE, fit_temperature

    card = json.loads(model_path.with_suffix(".json").read_text())
    validation = dataset.split(dataset.load(small_data), card["settings"]["VALIDATION_SPLIT"], card["seed"]).validation
    model = keras_files.load(model_path)
    assert card["temperature_applied"] is True
    if card["temperature"] > MIN_TEMPERATURE * 1.001:  # else a still lower one would be the best
        assert fit_temperature(network.predict(model, validation.images), validation.labels) == pytest.approx(1, rel=1e-6)
    network.apply_temperature(model, 1 / card["temperature"])
    refitted = fit_temperature(network.predict(model, validation.images), validation.labels)
    assert refitted == pytest.approx(card["temperature"], rel=1e-6)


@pytest.mark.slow
def test_a_fine_tuned_model_replaces_the_earlier_one_which_is_kept(models, mirrored, small_data, call_script, monkeypatch):
    from digits.training import fine_tuning

    monkeypatch.setattr(fine_tuning, "STEPS_PER_ROUND", 2)  # too few to learn much, so the check is told to allow all
    monkeypatch.setattr(fine_tuning, "MAX_ACCURACY_DROP", 1.0)
    before = contents(models)
    result = call_script("train_model.py", "--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5")
    assert (result.returncode, result.stderr) == (0, "")
    after, card, earlier = contents(models), json.loads((models / "m.json").read_text()), json.loads(before["m.json"])
    assert set(after) == set(before) and all(after[name] != before[name] for name in before)
    assert contents(models / "previous") == before
    assert card["fine_tuned_from"] == earlier["sha256"]["m.h5"]
    assert all(card[name] == earlier[name] for name in ("settings", "history", "recipe"))
    facts = card["fine_tuning"]
    assert set(facts) == {"data", "pictures", "held_out", "validation", "rows", "share", "recipe", "seconds"}
    images = facts["pictures"]
    assert images["learned"] + images["held_out"] == 40 and images["left_out"] == 0 and 4 <= images["held_out"] <= 16
    assert set(facts["held_out"]["before"]) == {"n", "correct", "accuracy", "loss"}
    assert facts["validation"]["after"]["correct"] == card["validation"]["correct"]
    assert facts["validation"]["before"]["correct"] == earlier["validation"]["correct"], "split otherwise than in its training"
    assert_calibrated(models / "m.h5", small_data)
    bring_back(result)
    assert contents(models) == before


@pytest.mark.slow
def test_a_model_of_the_version_of_november_2026_learns_more_and_is_calibrated_then(
    earlier, mirrored, small_data, call_script, tmp_path, monkeypatch
):
    from digits.training import fine_tuning

    monkeypatch.setattr(fine_tuning, "STEPS_PER_ROUND", 2)
    monkeypatch.setattr(fine_tuning, "MAX_ACCURACY_DROP", 1.0)
    folder = shutil.copytree(earlier.parent, tmp_path / "models")
    result = call_script("train_model.py", "--fine-tune", mirrored, "--data", small_data, "--model", folder / "m.h5")
    assert (result.returncode, result.stderr) == (0, "")
    card, before = (json.loads((path / "m.json").read_text()) for path in (folder, folder / "previous"))
    assert card["input"] == before["input"], "it has another form than before"
    assert_calibrated(folder / "m.h5", small_data)
    verified = call_script("verify_all_digits.py", "--data", small_data, "--model", folder / "m.tflite", "--json", "-")
    assert json.loads(verified.stdout)["correct"] == card["test"]["correct"]


@pytest.fixture
def train_with_few_rows(tmp_path):
    """train_model.py as a script that finds the digits of few_rows: a network of 5 epochs loses more than 5 rows of 1,000."""
    script = tmp_path / "train_with_few_rows.py"
    script.write_text(
        f"""import sys

sys.path.insert(0, {str(PROJECT)!r})
import train_model
from digits.training import row_guard

row_guard.ROW_COUNT, row_guard.MAX_ROW_DROP = 10, 1.0
if __name__ == "__main__":
    sys.exit(train_model.main())
"""
    )
    return script


@pytest.mark.slow
def test_a_persons_digits_are_learned(models, mirrored, small_data, run_script, train_with_few_rows):
    result = run_script(train_with_few_rows, "--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5")
    assert (result.returncode, result.stderr) == (0, "")
    held_out = json.loads((models / "m.json").read_text())["fine_tuning"]["held_out"]
    assert held_out["before"]["accuracy"] <= 0.5 and held_out["after"]["accuracy"] >= 0.8
    with np.load(mirrored) as arrays:
        from digits.model.classifier import Classifier

        probabilities = Classifier(models / "m.tflite").classify(arrays["x_train"]).probabilities
        assert np.mean(probabilities.argmax(axis=1) == 7) >= 0.8, "the .tflite is another network"


@pytest.mark.slow
def test_a_model_that_got_worse_does_not_replace_the_earlier_one(models, small_data, tmp_path, monkeypatch, call_script):
    from digits.training import fine_tuning

    # Threes with the label 8, and hardly anything else: learning them means forgetting threes.
    monkeypatch.setattr(fine_tuning, "OWN_IMAGES_FRACTION", 0.9)
    monkeypatch.setattr(fine_tuning, "ROUND_BATCH_SIZE", 32)  # enough to forget
    monkeypatch.setattr(fine_tuning, "STEPS_PER_ROUND", 15)
    with np.load(small_data) as arrays:
        threes = arrays["x_train"][arrays["y_train"] == 3]
    np.savez(tmp_path / "wrong.npz", x_train=threes, y_train=np.full(len(threes), 8, np.uint8))
    before = contents(models)
    flags = ("--fine-tune", tmp_path / "wrong.npz", "--data", small_data, "--model", models / "m.h5")
    result = call_script("train_model.py", *flags)
    assert result.returncode == 0, result.stderr
    assert "stays as it was" in result.stdout and "forgotten" in result.stdout
    assert contents(models) == before and not (models / "previous").exists()


@pytest.mark.slow
def test_images_in_folders_are_learned(models, small_data, call_script, tmp_path, monkeypatch):
    from digits.training import fine_tuning

    monkeypatch.setattr(fine_tuning, "STEPS_PER_ROUND", 2)
    for label in ("7", "42"):
        shutil.copytree(SAMPLES / label, tmp_path / "own" / label)
    (tmp_path / "own" / "7" / "text.png").write_text("not an image")
    result = call_script("train_model.py", "--fine-tune", tmp_path / "own", "--data", small_data, "--model", models / "m.h5")
    assert result.returncode == 0, result.stderr
    assert "1 image that can't be read" in result.stderr
    assert "yours, held out" in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_a_persons_digits_are_learned_on_jax(models, mirrored, small_data, run_script, train_with_few_rows):
    flags = ("--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5")
    result = run_script(train_with_few_rows, *flags, KERAS_BACKEND="jax", **QUICK_JAX)
    assert result.returncode == 0, result.stderr
    assert json.loads((models / "m.json").read_text())["fine_tuning"]["held_out"]["after"]["accuracy"] >= 0.8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_everything_as_it_was(models, mirrored, small_data):
    before = contents(models)
    flags = ["--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5"]
    command = [sys.executable, "-u", str(PROJECT / "train_model.py"), *map(str, flags)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c)
    for line in process.stdout:
        if line.startswith("step"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "as it was" in errors and "Traceback" not in errors
    assert contents(models) == before


def refused(result, *words):
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Expected" in result.stderr and "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_what_can_not_be_learned_is_refused(models, small_data, mirrored, call_script, tmp_path):
    def tried(path, model=models / "m.h5", data=small_data):
        return call_script("train_model.py", "--fine-tune", path, "--data", data, "--model", model)

    before = contents(models)
    refused(tried(tmp_path / "absent"), "no folder")
    refused(tried(mirrored, model=tmp_path / "absent.h5"), "absent.h5", "train_model.py")
    shutil.copytree(SAMPLES / "42", tmp_path / "one" / "42")
    refused(tried(tmp_path / "one"), "1 of your images", "4 or more")
    with np.load(small_data) as arrays:
        other = {name: array[:900] for name, array in arrays.items()}
    np.savez(tmp_path / "other.npz", **other)
    refused(tried(mirrored, data=tmp_path / "other.npz"), "learned from")
    assert contents(models) == before
    (models / "m.tflite").write_bytes(b"another")
    refused(tried(mirrored), "does not match its card")
    (models / "m.json").unlink()
    refused(tried(mirrored), "no card")


CARD = json.loads(SHIPPED_MODEL.with_suffix(".json").read_text())


@pytest.mark.parametrize(
    "changed",
    [{"settings": value} for value in ([1], {}, None)]
    + [{"settings": CARD["settings"] | one} for one in ({"SEED": "x"}, {"SEED": -1}, {"EPOCHS": "many"})]
    + [{"settings": CARD["settings"] | {"VALIDATION_SPLIT": float("nan")}}]
    + [{"history": "long"}, {"history": [{"seconds": "x"}]}]
    + [{"sha256": {SHIPPED_MODEL.name: CARD["sha256"][SHIPPED_MODEL.name]}}],
)  # fmt: skip
def test_a_card_that_does_not_say_how_the_model_learned_is_refused(changed, model_copy):
    from digits.training import earlier_training

    model_copy.with_suffix(".json").write_text(json.dumps(CARD | changed))
    with pytest.raises(UserError, match="no card beside it that says how it learned|can't be used"):
        earlier_training.load_training_card(model_copy.with_suffix(".h5"))


@pytest.mark.slow
def test_without_mnist_it_says_how_to_get_it(run_script, tmp_path):
    from test_scripts import copy_of_the_project, no_network

    project = copy_of_the_project(tmp_path)
    started = time.monotonic()
    result = run_script(project / "train_model.py", "--fine-tune", project / "custom_digits", **no_network(tmp_path))
    refused(result, "could not be downloaded", "--data")
    assert time.monotonic() - started < 60
