"""Reading gives the same answers through every file, and every entry has every key."""

import json
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from conftest import PROJECT, SHIPPED_MODEL
from digits import dataset, recognizer
from digits.config import UserError
from digits.recognizer import Recognizer


@pytest.fixture(scope="module")
def shipped():
    return Recognizer(SHIPPED_MODEL)


def some_pictures(count):
    """Real digits: the bundled ones, repeated up to the count."""
    images = dataset.bundled_digits().x_train
    return np.resize(images, (count, 28, 28))


def test_h5_and_tflite_give_the_same_probabilities(shipped):
    pictures = some_pictures(1000)
    through_keras = Recognizer(SHIPPED_MODEL.with_suffix(".h5")).classify(pictures)
    through_litert = shipped.classify(pictures)
    assert np.abs(through_keras[0] - through_litert[0]).max() < 1e-5
    assert np.array_equal(through_keras[2], through_litert[2])


def test_classify_keeps_its_contract(shipped):
    for count in (0, 1, 300):  # none, one, and more than one batch
        probabilities, score, sure = shipped.classify(some_pictures(count))
        assert (probabilities.shape, probabilities.dtype) == ((count, 10), np.float32)
        assert (score.shape, score.dtype) == ((count,), np.float32)
        assert (sure.shape, sure.dtype) == ((count,), bool)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_batches_do_not_mix_pictures_up(shipped):
    pictures = some_pictures(recognizer.BATCH_SIZE + 3)
    together = shipped.classify(pictures)[0]
    alone = np.concatenate([shipped.classify(picture[None])[0] for picture in pictures])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize(
    ("picture", "status"),
    [
        (PROJECT / "custom_digits" / "42" / "phone.jpg", "ok"),
        (Image.new("L", (50, 50), 255), "empty"),
        (PROJECT / "README.md", "error"),
        (PROJECT / "absent.png", "error"),
    ],
)
def test_every_entry_has_every_key_and_is_json(shipped, picture, status):
    entry = json.loads(json.dumps(shipped.read(picture)))
    assert set(entry) == {"image", "status", "text", "message", "digits"}
    assert entry["status"] == status
    assert bool(entry["message"]) == (status != "ok")
    for digit in entry["digits"]:
        assert set(digit) == {"digit", "confidence", "score", "box", "top3"}
        assert digit["top3"][0] == [digit["digit"], digit["confidence"]]
        assert len(digit["top3"]) == 3 and len(digit["box"]) == 4


def test_a_number_is_read_from_left_to_right(shipped):
    entry = shipped.read(PROJECT / "custom_digits" / "2026" / "notebook.png")
    assert entry["text"] == "2026"
    lefts = [digit["box"][0] for digit in entry["digits"]]
    assert lefts == sorted(lefts)


def test_below_the_threshold_it_is_not_sure():
    picture = PROJECT / "custom_digits" / "7" / "plain_white_on_black.png"
    card = Recognizer(SHIPPED_MODEL).card
    strict = Recognizer(SHIPPED_MODEL, card={**card, "threshold": 99.0})
    entry = strict.read(picture)
    assert entry["status"] == "unsure"
    assert entry["text"] == "7"


def test_temperature_one_changes_nothing_and_a_high_one_doubts_more():
    probabilities = np.array([[0.7, 0.2] + [0.0125] * 8], np.float32)
    assert np.allclose(recognizer.calibrate(probabilities, 1.0), probabilities, atol=1e-6)
    assert recognizer.calibrate(probabilities, 2.0).max() < 0.7
    assert recognizer.calibrate(probabilities, 2.0).argmax() == 0


def test_the_fitted_temperature_is_the_one_that_spoilt_them():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (20_000, 10))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([generator.choice(10, p=row) for row in honest])
    assert recognizer.fit_temperature(recognizer.calibrate(honest, 0.5), labels) == pytest.approx(2.0, rel=0.05)


def test_the_fitted_threshold_lets_the_stated_share_of_no_digits_pass():
    generator = np.random.default_rng(0)
    of_none = recognizer.calibrate(generator.dirichlet(np.ones(10), 2000).astype(np.float32), 1.0)
    threshold = recognizer.fit_threshold(of_none, 0.03)
    assert (recognizer.log_odds(of_none) >= threshold).mean() == pytest.approx(0.03, abs=0.001)


def test_log_odds_keep_counting_near_certainty():
    rows = np.array([[1.0, 1e-9] + [0.0] * 8, [1.0, 1e-12] + [0.0] * 8], np.float32)
    first, second = recognizer.log_odds(rows)
    assert second > first + 5


@pytest.mark.parametrize("name", ["m.tflite", "m.h5", "m.keras"])
def test_junk_is_refused_with_what_helps(tmp_path, name):
    (tmp_path / name).write_bytes(b"TFL3" * 10)
    with pytest.raises(UserError, match="Expected"):
        Recognizer(tmp_path / name)


def test_a_truncated_tflite_is_refused(tmp_path):
    (tmp_path / "m.tflite").write_bytes(SHIPPED_MODEL.read_bytes()[:5000])
    with pytest.raises(UserError, match="m.tflite"):
        Recognizer(tmp_path / "m.tflite")


def damaged_copies(folder, count):
    """Yield the paths of copies of the shipped .tflite, without a card, with damage that a seed gives.

    By turns: a bit of what describes the network, which stands at the file's two ends; a word of it; 200 bits anywhere.
    """
    whole = SHIPPED_MODEL.read_bytes()
    for seed in range(count):
        damaged, generator = bytearray(whole), random.Random(seed)
        at_an_end = generator.choice([generator.randrange(3000), generator.randrange(len(whole) - 8000, len(whole) - 4)])
        if seed % 3 == 0:
            damaged[at_an_end] ^= 1 << generator.randrange(8)
        elif seed % 3 == 1:
            damaged[at_an_end : at_an_end + 4] = generator.choice([0, 1, 28, 2**16, 2**31, 2**32 - 1]).to_bytes(4, "little")
        else:
            for _ in range(200):
                damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        path = folder / f"{seed}.tflite"
        path.write_bytes(damaged)
        yield path


READ_ALL = """
import sys
import numpy as np
from digits.config import UserError
from digits.recognizer import Recognizer
crops = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
for path in sys.argv[1:]:
    try:
        probabilities, scores, _ = Recognizer(path).classify(crops)
        print("read" if np.isfinite(probabilities).all() and np.isfinite(scores).all() else f"{path}: no numbers")
    except UserError as error:
        print("refused" if "Expected" in str(error) else str(error))
"""


def test_a_damaged_tflite_without_a_card_is_refused_or_read_and_crashes_nothing(tmp_path):
    # In a process of its own, because a crash of LiteRT would be one of this whole test run.
    paths = list(damaged_copies(tmp_path, 200))
    result = subprocess.run([sys.executable, "-c", READ_ALL, *paths], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    answers = result.stdout.splitlines()
    assert set(answers) == {"refused", "read"} and len(answers) == 200


@pytest.mark.parametrize(
    "changed",
    [{"temperature": value} for value in (float("nan"), 0, 1e-300, 10**400, "warm", [1], None)]
    + [{"threshold": value} for value in (float("nan"), 10**400, "high", {}, None)],
)
def test_a_temperature_or_threshold_that_can_not_be_used_is_refused(changed, shipped):
    with pytest.raises(UserError, match="temperature or threshold can't be used"):
        Recognizer(SHIPPED_MODEL, card=shipped.card | changed)


def test_weights_that_are_no_numbers_are_refused(tmp_path, shipped):
    shutil.copy(SHIPPED_MODEL, tmp_path / "mine.tflite")
    mine = Recognizer(tmp_path / "mine.tflite")
    for answers in (np.full((1, 10), np.nan, np.float32), np.zeros((1, 9), np.float32)):
        mine.network = lambda crops, answers=answers: answers
        with pytest.raises(UserError, match="damaged.\nExpected 10 numbers"):
            mine.classify(np.zeros((1, 28, 28), np.uint8))


def test_a_model_without_a_card_reads_all_the_same(tmp_path):
    shutil.copy(SHIPPED_MODEL, tmp_path / "mine.tflite")
    assert Recognizer(tmp_path / "mine.tflite").read(PROJECT / "custom_digits" / "42" / "phone.jpg")["text"] == "42"


def test_a_row_that_lies_on_its_side_is_turned(shipped):
    row = Image.open(PROJECT / "custom_digits" / "2026" / "notebook.png").convert("L")
    assert shipped.read(row.transpose(Image.Transpose.ROTATE_90))["text"] == shipped.read(row)["text"]


def test_dashes_are_not_ones_on_their_side(shipped):
    dashes = np.full((300, 500), 255, np.uint8)
    dashes[150:157, 50:110] = dashes[150:157, 190:250] = dashes[150:157, 330:390] = 0
    assert shipped.read(Image.fromarray(dashes))["status"] == "unsure"


LETTERS = {
    "n": [[(60, 200), (60, 60), (120, 50), (170, 70), (175, 200)]],
    "U": [[(104, 40), (83, 180), (140, 200), (203, 180), (224, 40)]],
    "K": [[(128, 40), (80, 200)], [(248, 40), (106, 120), (200, 200)]],
}


@pytest.mark.parametrize("letter", LETTERS)
def test_the_strokes_of_a_letter_are_no_number(shipped, letter):
    image = Image.new("L", (320, 240), 255)
    for stroke in LETTERS[letter]:
        ImageDraw.Draw(image).line(stroke, fill=0, width=14, joint="curve")
    assert shipped.read(image)["status"] == "unsure"
