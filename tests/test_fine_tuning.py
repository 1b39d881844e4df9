"""Learning a person's hand: what is learned, what is held out, and that nothing is replaced by something worse."""

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
from PIL import Image

from conftest import PROJECT, QUICK_JAX, SHIPPED_MODEL, heed_ctrl_c

from digits.config import UserError

SAMPLES = PROJECT / "custom_digits"


# ---- pictures and labels -> what is learned -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recognizer():
    from digits.recognizer import Recognizer

    return Recognizer(SHIPPED_MODEL)


def test_pictures_become_the_crops_that_are_read(recognizer, tmp_path):
    from digits import own_pictures

    for label, source in (("7", "7/barred_ballpen_photo.jpg"), ("42", "42/phone.jpg"), ("421", "42/phone.jpg")):
        (tmp_path / label).mkdir()
        shutil.copy(SAMPLES / source, tmp_path / label)
    shutil.copy(SAMPLES / "7" / "barred_ballpen_photo.jpg", tmp_path / "7" / "again.jpg")
    (tmp_path / "7" / "text.png").write_text("no picture")
    shutil.copy(SAMPLES / "42" / "phone.jpg", tmp_path)
    own = own_pictures.load(tmp_path, recognizer)
    assert [labels.tolist() for labels in own.labels] == [[4, 2], [7]]
    for crops, source in zip(own.crops, ("42/phone.jpg", "7/barred_ballpen_photo.jpg"), strict=True):
        assert np.array_equal(crops, recognizer.examine(SAMPLES / source).crops)
    assert own.left_out == {
        "without a label": 1, "that can't be read": 1, "with more or fewer digits than their label says": 1, "there twice": 1,
    }  # fmt: skip


def test_a_digit_that_is_read_as_two_is_learned_whole(recognizer, tmp_path):
    from digits import own_pictures

    path = SAMPLES / "42" / "phone.jpg"
    with Image.open(path) as image:
        joined = np.asarray(image.convert("L")).copy()
    joined[joined.shape[0] // 2 - 3 : joined.shape[0] // 2 + 3, joined.shape[1] // 4 : -joined.shape[1] // 4] = 0
    Image.fromarray(joined).save(tmp_path / "joined.png")
    assert len(recognizer.examine(tmp_path / "joined.png").crops) > 1, "this picture tests nothing"
    crops, reason = own_pictures.crops_of(tmp_path / "joined.png", "4", recognizer)
    assert reason is None and crops.shape == (1, 28, 28)


def test_arrays_go_in_as_they_are(small_data, recognizer):
    from digits import own_pictures

    with np.load(small_data) as arrays:
        own = own_pictures.load(small_data, recognizer)
        images, labels = own.arrays(range(len(own.labels)))
        assert np.array_equal(images, arrays["x_train"]) and np.array_equal(labels, arrays["y_train"])


def test_what_was_learned_is_never_held_out_when_more_have_come():
    from digits import own_pictures

    crops = list(np.random.default_rng(1).integers(0, 255, (200, 1, 28, 28), np.uint8))
    learned, held_out = own_pictures.split(crops)
    assert sorted(learned + held_out) == list(range(200)) and 35 <= len(held_out) <= 65
    for fewer in (150, 40, 4):
        learned_then, held_out_then = own_pictures.split(crops[:fewer])
        assert set(learned_then) <= set(learned) and held_out_then
    with pytest.raises(UserError, match="Expected 4 or more"):
        own_pictures.split(crops[:3])


def test_a_picture_with_two_labels_teaches_nothing(recognizer, tmp_path):
    from digits import own_pictures

    for label in ("1", "7"):
        (tmp_path / label).mkdir()
        shutil.copy(SAMPLES / "7" / "barred_ballpen_photo.jpg", tmp_path / label)
    own = own_pictures.load(tmp_path, recognizer)
    assert own.crops == [] and own.left_out == {"with two labels, of which one must be wrong": 2}


def test_a_label_may_leave_out_where_a_row_ends(recognizer, tmp_path):
    from digits import own_pictures

    with Image.open(SAMPLES / "7" / "barred_ballpen_photo.jpg") as image:
        seven = np.asarray(image.convert("RGB"))
    Image.fromarray(np.vstack([seven, seven])).save(tmp_path / "rows.png")
    assert recognizer.examine(tmp_path / "rows.png").entry["text"] == "7|7", "this picture tests nothing"
    for label, reason in (("77", None), ("7|7", None), ("777", "with more or fewer digits than their label says")):
        assert own_pictures.crops_of(tmp_path / "rows.png", label, recognizer)[1] == reason


def test_the_shares_of_the_way_lie_between_the_weights():
    from digits import fine_tuning, network

    model = network.build(4, 4, 0, 0.0, seed=1)
    before = model.get_weights()
    model.set_weights([weights + 1 for weights in before])
    for share in fine_tuning.shares_of_the_way(model, before):
        for old, now in zip(before, model.get_weights(), strict=True):
            assert np.allclose(now, old + share)
    assert share == 0.5


def test_a_round_has_its_share_of_ones_own():
    from digits import fine_tuning
    from digits.not_digits import NOT_A_DIGIT

    training = np.random.default_rng(0).integers(0, 255, (500, 28, 28), np.uint8), np.full(500, 3, np.uint8)
    own = np.full((7, 28, 28), 200, np.uint8), np.full(7, 8, np.uint8)
    settings = {"SEED": 1, "EPOCHS": 5, "AUGMENT": True}

    def whole_round(number):
        return tuple(map(np.concatenate, zip(*fine_tuning.pictures_of_round(training, own, settings, number))))

    images, labels = whole_round(0)
    total = fine_tuning.STEPS * fine_tuning.BATCH_SIZE
    assert images.shape == (total, 28, 28), "a batch would be smaller, or a step more"
    digits = np.sum(labels != NOT_A_DIGIT)
    assert np.mean(labels == NOT_A_DIGIT) == pytest.approx(0.1 / 1.1, abs=0.001)
    assert np.sum(labels == 8) == round(fine_tuning.OWN_SHARE * digits) and np.sum(labels == 3) == digits - round(
        fine_tuning.OWN_SHARE * digits
    )
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
def test_the_guard(held_out, validation, words):
    from digits.fine_tuning import objections

    before, after = (
        {"held_out": {"n": 4, "correct": held_out[i]}, "validation": {"n": 5999, "correct": validation[i]}} for i in (0, 1)
    )
    found = objections(before, after)
    assert len(found) == len(words) and all(word in sentence for word, sentence in zip(words, found))


# ---- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned_set(small_data, run_script, tmp_path_factory):
    """A folder with the model m.h5 that has learned most of the small data: some is left to win, so nothing is lost by chance."""
    folder = tmp_path_factory.mktemp("learned")
    places = ("--data", small_data, "--model", folder / "m.h5", "--output-dir", folder / "outputs")
    result = run_script("train_model.py", "--epochs", 5, "--batch-size", 50, *places)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def models(learned_set, tmp_path):
    """A copy of that model to work on: its folder."""
    (tmp_path / "models").mkdir()
    for path in learned_set.glob("m.*"):
        shutil.copy(path, tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def mirrored(small_data, tmp_path_factory):
    """Somebody's data: sevens as a mirror shows them, which no model of ours knows."""
    with np.load(small_data) as arrays:
        sevens = arrays["x_train"][arrays["y_train"] == 7][:40, :, ::-1]
    path = tmp_path_factory.mktemp("mirrored") / "sevens.npz"
    np.savez(path, x_train=sevens, y_train=np.full(len(sevens), 7, np.uint8))
    return path


def contents(folder):
    """Return {name: content} of the model's files in a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("m.*") if path.suffix != ".lock"}


def test_a_hand_is_learned_and_the_command_brings_the_model_back(models, mirrored, small_data, run_script):
    before = contents(models)
    result = run_script("train_model.py", "--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "noise on the screen"
    after, card, earlier = contents(models), json.loads((models / "m.json").read_text()), json.loads(before["m.json"])
    assert set(after) == set(before) and all(after[name] != before[name] for name in before)
    assert contents(models / "previous") == before
    assert card["fine_tuned_from"] == earlier["sha256"]["m.h5"]
    assert all(card[name] == earlier[name] for name in ("settings", "history", "recipe"))
    facts = card["fine_tuning"]
    pictures, held_out = facts["pictures"], facts["held_out"]
    assert pictures["learned"] + pictures["held_out"] == 40 and pictures["left_out"] == 0 and 4 <= pictures["held_out"] <= 16
    assert held_out["before"]["accuracy"] <= 0.5 and held_out["after"]["accuracy"] >= 0.8
    assert facts["validation"]["after"]["correct"] == card["validation"]["correct"]
    assert facts["validation"]["before"]["correct"] == earlier["validation"]["correct"], "split otherwise than in its training"
    with np.load(mirrored) as arrays:
        from digits.recognizer import Recognizer

        probabilities, _, _ = Recognizer(models / "m.tflite").classify(arrays["x_train"])
        assert np.mean(probabilities.argmax(axis=1) == 7) >= 0.8, "the .tflite is another network"

    command = next(line for line in result.stdout.splitlines() if line.startswith(("  cp ", "  copy ")))
    subprocess.run(command, shell=True, check=True, cwd="/")
    assert contents(models) == before


def test_what_gets_worse_is_left_as_it_was(models, small_data, tmp_path, monkeypatch, capsys):
    import train_model
    from digits import fine_tuning

    # Threes that are called eights, and hardly anything else: learning them means forgetting threes.
    monkeypatch.setattr(fine_tuning, "OWN_SHARE", 0.9)
    with np.load(small_data) as arrays:
        threes = arrays["x_train"][arrays["y_train"] == 3]
    np.savez(tmp_path / "wrong.npz", x_train=threes, y_train=np.full(len(threes), 8, np.uint8))
    before = contents(models)
    code = train_model.main(
        ["--fine-tune", str(tmp_path / "wrong.npz"), "--data", str(small_data), "--model", str(models / "m.h5")]
    )
    assert code == 0
    said = capsys.readouterr().out
    assert "stays as it was" in said and "forgotten" in said
    assert contents(models) == before and not (models / "previous").exists()


def test_pictures_in_folders_are_learned(models, small_data, run_script, tmp_path):
    for label in ("7", "42"):
        shutil.copytree(SAMPLES / label, tmp_path / "own" / label)
    (tmp_path / "own" / "7" / "text.png").write_text("no picture")
    result = run_script("train_model.py", "--fine-tune", tmp_path / "own", "--data", small_data, "--model", models / "m.h5")
    assert result.returncode == 0, result.stderr
    assert "1 picture that can't be read" in result.stderr
    assert "yours, held out" in result.stdout


needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")


@needs_jax
def test_a_hand_is_learned_on_jax(models, mirrored, small_data, run_script):
    flags = ("--fine-tune", mirrored, "--data", small_data, "--model", models / "m.h5")
    result = run_script("train_model.py", *flags, KERAS_BACKEND="jax", **QUICK_JAX)
    assert result.returncode == 0, result.stderr
    assert json.loads((models / "m.json").read_text())["fine_tuning"]["held_out"]["after"]["accuracy"] >= 0.8


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


def test_what_can_not_be_learned_is_refused(models, small_data, mirrored, run_script, tmp_path):
    def tried(path, model=models / "m.h5", data=small_data):
        return run_script("train_model.py", "--fine-tune", path, "--data", data, "--model", model)

    before = contents(models)
    refused(tried(tmp_path / "absent"), "no folder")
    refused(tried(mirrored, model=tmp_path / "absent.h5"), "absent.h5", "train_model.py")
    shutil.copytree(SAMPLES / "42", tmp_path / "one" / "42")
    refused(tried(tmp_path / "one"), "1 of your pictures", "4 or more")
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
    + [{"settings": CARD["settings"] | one} for one in ({"SEED": "x"}, {"SEED": -1}, {"VALIDATION_SPLIT": float("nan")}, {"EPOCHS": "many"})]
    + [{"history": "long"}, {"history": [{"seconds": "x"}]}, {"sha256": {SHIPPED_MODEL.name: CARD["sha256"][SHIPPED_MODEL.name]}}],
)  # fmt: skip
def test_a_card_that_does_not_say_how_it_learned_is_refused_before_anything_is_learned(changed, model_copy):
    from digits import saving

    model_copy.with_suffix(".json").write_text(json.dumps(CARD | changed))
    with pytest.raises(UserError, match="no card beside it that says how it learned"):
        saving.whole_set(model_copy.with_suffix(".h5"))


def test_without_mnist_it_says_how_to_get_it(run_script, tmp_path):
    from test_scripts import copy_of_the_project, no_network

    project = copy_of_the_project(tmp_path)
    started = time.monotonic()
    result = run_script(project / "train_model.py", "--fine-tune", project / "custom_digits", **no_network(tmp_path))
    refused(result, "could not be downloaded", "--data")
    assert time.monotonic() - started < 60


# ---- 8-bit numbers --------------------------------------------------------------------------------------------------


def test_the_8_bit_model_is_small_whole_numbered_and_read_like_any(models, small_data, run_script):
    from ai_edge_litert.interpreter import Interpreter

    before = contents(models)
    result = run_script("train_model.py", "--quantize", "--data", small_data, "--model", models / "m.h5")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "noise on the screen"
    assert contents(models) == before
    small = models / "m_int8.tflite"
    assert small.stat().st_size < 0.5 * (models / "m.tflite").stat().st_size
    interpreter = Interpreter(str(small))
    kinds = [tensor["dtype"] for tensor in interpreter.get_tensor_details() if len(tensor["shape"]) == 4]
    assert np.mean([kind == np.int8 for kind in kinds]) > 0.8, "the convolutions do not calculate with 8 bits"

    verified = run_script("verify_all_digits.py", "--data", small_data, "--model", small, "--json", "-")
    scores, card = json.loads(verified.stdout), json.loads((models / "m_int8.json").read_text())
    assert scores["correct"] == card["test"]["correct"]
    assert abs(scores["correct"] - json.loads(before["m.json"])["test"]["correct"]) <= 2
    assert card["temperature"] == json.loads(before["m.json"])["temperature"]
    read = run_script("predict_custom.py", SAMPLES / "42", "--model", small, "--json", "-")
    assert read.returncode == 0 and read.stderr == "", read.stderr

    small.write_bytes(small.read_bytes()[:-1] + b"x")
    refused(run_script("predict_custom.py", "--model", small), "does not match its card")
    again = run_script("train_model.py", "--quantize", "--data", small_data, "--model", models / "m.h5")
    assert again.returncode == 0, again.stderr
