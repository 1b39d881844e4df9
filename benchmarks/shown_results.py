"""The results that README.md and docs/ show: those that were measured with the shipped files.

A result of a model counts if it was measured with the shipped model, by its SHA-256; a result of a training, if it was made with
the settings of today and the recipe of the shipped model.
"""

import json
from typing import Any

import sweep
from classic_networks import RECIPES
from record import RESULTS, reader_checksums, recipe_sha256

import train_model
from digits.model.card import ModelCard, load_card
from digits.model.classifier import DEFAULT_MODEL
from digits.model.store import card_path

# Results that depend on the number reader and the line reader, too.
READ_FROM_IMAGES = (
    "own_digits", "own_model", "whole_numbers", "peers", "not_digits", "certainty", "forms", "forms_final", "speed",
    "page", "scale", "sweep",
)  # fmt: skip


class Results:
    """The results that were measured with the shipped files.

    missing: what is left out, a sentence each; the methods below add to it.
    """

    def __init__(self) -> None:
        self.card: ModelCard = load_card(card_path(DEFAULT_MODEL))
        self.missing: dict[str, None] = {}  # a dict, because it has an order and holds a sentence once

    def of_model(self, name: str, part: str | None = None) -> dict[str, Any] | None:
        """Return the result of this name, or a part of it; None where it was not measured with the shipped model."""
        result = self._load(name, part)
        if result is not None and result.get("model_sha256") != (self.card.sha256 or {})[DEFAULT_MODEL.name]:
            return self._leave_out(name, part, "was measured with another model")
        if result is None or name not in READ_FROM_IMAGES:
            return result
        for key, checksum in reader_checksums().items():
            if result.get(key) != checksum:
                return self._leave_out(name, part, f"was measured with another {key.removesuffix('_sha256').replace('_', ' ')}")
        return result

    def of_recipe(self, name: str, part: str) -> dict[str, Any] | None:
        """Return a part of the result of this name; None where its networks were not trained with today's recipe."""
        result = self._load(name, part)
        if result is not None and result.get("recipe_sha256") != self.recipe:
            return self._leave_out(name, part, "was trained with another recipe")
        return result

    def of_seeds(self, preset: str) -> list[dict[str, Any]]:
        """Return the trainings of the preset with today's settings and recipe, by seed."""
        runs = self._load("seeds", preset) or {}
        current = []
        for seed, run in runs.items():
            if run["settings"] == settings_of(preset, int(seed)) and run["recipe_sha256"] == self.recipe:
                current.append(run)
            else:
                self._leave_out("seeds", f"{preset}, seed {seed}", "was trained with other settings")
        return current

    def of_ingredients(self) -> dict[str, list[dict[str, Any]]]:
        """Return {row: its trainings}, in order of their seeds; "all, the first seed" has the first of the row "all" alone.

        It is empty where their settings and recipe are not those of the default preset today.
        """
        result = self._load("ingredients")
        settings = {name: value for name, value in settings_of("default", 42).items() if name != "SEED"}
        if result is not None and result["settings"] != settings | dict(self.card.recipe or {}):
            result = self._leave_out("ingredients", None, "was trained with other settings")
        trainings = {
            row: [by_seed[seed] for seed in sorted(by_seed)] for row, by_seed in (result or {"rows": {}})["rows"].items()
        }
        return trainings | {"all, the first seed": trainings.get("all", [])[:1]}

    def of_classic(self, network: str) -> list[dict[str, Any]]:
        """Return the run of a classic network, or of ours, in each run of classic_networks.py that has it.

        Each has "relative" besides: its seconds, divided by those of Keras' example in the same run.
        """
        found = []
        for name in ("classic_networks", "classic_networks_earlier_run"):
            runs = (self._load(name) or {"runs": {}})["runs"]
            for run in runs.get(network, []):
                ours = network not in RECIPES
                settings = settings_of(run["settings"]["PRESET"], run["seed"]) if ours and "settings" in run else None
                if ours and settings is not None:
                    settings["EPOCHS"] = run["epochs"]  # a flag of this row
                expected = settings if ours else RECIPES[network]._asdict()
                if run.get("settings") != expected or (ours and run.get("recipe_sha256") != self.recipe):
                    self._leave_out(name, network, "was trained with other settings")
                else:
                    found.append({**run, "relative": run["seconds"] / runs["keras-example"][0]["seconds"]})
        return found

    def of_sweep(self) -> dict[str, Any] | None:
        """Return the result of sweep.py, of its constants those whose value is that of today."""
        result = self.of_model("sweep")
        if result is None:
            return None
        current = {}
        for constant in sweep.constants():
            entry = result["constants"].get(constant.key)
            if entry is not None and entry["value"] == constant.value:
                current[constant.key] = entry
            else:
                self._leave_out("sweep", constant.key, "was not measured with today's value")
        return result | {"constants": current}

    def exists(self, name: str) -> bool:
        """Tell whether there is a result of this name, of whatever model."""
        return (RESULTS / f"{name}.json").exists()

    @property
    def recipe(self) -> str:
        """The SHA-256 of the shipped model's recipe. A test asserts that it is also the recipe of the code."""
        return recipe_sha256(self.card.recipe or {})

    def _load(self, name: str, part: str | None = None) -> dict[str, Any] | None:
        path = RESULTS / f"{name}.json"
        if not path.exists():
            return self._leave_out(name, None, "is not there")
        result = json.loads(path.read_bytes())
        if part is not None and part not in result:
            return self._leave_out(name, part, "is not there")
        return result if part is None else result[part]

    def _leave_out(self, name: str, part: str | None, reason: str) -> None:
        self.missing[f"{name}.json{f', {part},' if part else ''} {reason}"] = None


def settings_of(preset: str, seed: int) -> dict[str, Any]:
    """Return the settings with which train_model.py trains this preset and seed today."""
    return train_model.settings_from(train_model.parse(["--preset", preset, "--seed", str(seed)])).to_json()
