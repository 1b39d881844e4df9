"""The recipe in a card: its names outlive the names in the code."""

import json

from conftest import SHIPPED_MODEL


def test_the_recipe_is_that_of_the_shipped_card():
    from digits.training.recipe import training_recipe

    shipped = json.loads(SHIPPED_MODEL.with_suffix(".json").read_text())["recipe"]
    recipe = json.loads(json.dumps(training_recipe()))
    assert len(recipe) == 61
    assert recipe == shipped


def test_the_recipe_tells_what_the_constants_are_now(monkeypatch):
    from digits.augmentation import augment, corruptions
    from digits.training.recipe import training_recipe

    monkeypatch.setattr(augment, "MAX_ROTATION", 1.0)
    monkeypatch.setattr(corruptions, "CORRUPTION_PROBABILITIES", {corruptions.blur: 0.5})
    recipe = training_recipe()
    assert recipe["augmentation.ROTATION"] == 1.0
    assert recipe["disturbances.DISTURBANCES"] == {"blur": 0.5}


def test_every_corruption_and_every_kind_of_outlier_is_in_the_recipe():
    from digits.augmentation import corruptions, outliers
    from digits.training.recipe import training_recipe

    recipe = training_recipe()
    assert list(recipe["disturbances.DISTURBANCES"].values()) == list(corruptions.CORRUPTION_PROBABILITIES.values())
    assert sorted(recipe["not_digits.KINDS"].values()) == sorted(outliers.OUTLIER_PROBABILITIES.values())


def test_the_recipe_of_a_fine_tuning_keeps_its_names():
    from digits.training.recipe import fine_tuning_recipe

    names = ("NOT_DIGITS", "ROUNDS", "STEPS", "BATCH_SIZE", "OWN_SHARE", "LEARNING_RATE", "WARM_UP", "SHARES")
    assert list(fine_tuning_recipe()) == [f"fine_tuning.{name}" for name in names]
