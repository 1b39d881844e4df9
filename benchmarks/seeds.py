"""Train a preset with several seeds by the user's own command, and state mean and spread.

    python benchmarks/seeds.py                        best, default and tiny with five seeds each: many hours on two cores
    python benchmarks/seeds.py tiny default           these presets
    python benchmarks/seeds.py best --seeds 42 43     these seeds

Each run writes its model to models/seeds/PRESET-SEED/ and, as it ends, a line to benchmarks/results/seeds.json; a run that is
there with the same settings and recipe is not made again, and one that was interrupted goes on. So seeds can be gathered over
days; and by several of these commands at a time, each with seeds and a core of its own (taskset -c 0 python ...), which takes
longer for each training and less for all.
A training that began on another machine, with a GPU, is finished here if its checkpoint is put into that folder. Then add
"accelerator", with the name of the GPU, to its entry by hand: its minutes are left out.
Which seed's model to use is the matter of its validation score, never of its test score: the last column says it. Each seed
keeps other images for validation, so a lead of a few images may be theirs and not the model's. docs/results.md shows the table.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from record import RESULTS, add_parts, facts, recipe_sha256  # first: it puts the project on the path

import train_model
from digits.cli import command_line
from digits.common import files
from digits.common.config import MODEL_NAME, MODELS_DIR, PROJECT
from digits.common.errors import UserError
from digits.training.recipe import training_recipe

SEEDS = [42, 43, 44, 45, 46]
PRESETS = ("best", "default", "tiny")


def settings_of(preset, seed):
    """Return the settings, as JSON holds them, with which train_model.py learns this preset and seed now."""
    return train_model.settings_from(train_model.parse(["--preset", preset, "--seed", str(seed)])).to_json()


def model_of(preset, seed, data_path):
    """Return the path of the .h5 of this preset and seed; train it, or go on with it, where it is not there yet."""
    model_path = MODELS_DIR / "seeds" / f"{preset}-{seed}" / f"{MODEL_NAME}.h5"
    card_path = model_path.with_suffix(".json")
    card = json.loads(card_path.read_bytes()) if card_path.exists() else {}
    if card.get("settings") != settings_of(preset, seed) or recipe_sha256(card["recipe"]) != recipe_sha256(training_recipe()):
        command = [sys.executable, PROJECT / "train_model.py", "--preset", preset, "--seed", str(seed)]
        command += ["--model", model_path, "--output-dir", model_path.parent, *(["--data", data_path] if data_path else [])]
        command += ["--resume"] if (model_path.parent / f"{MODEL_NAME}.checkpoint" / "state.npz").exists() else []
        code = subprocess.run(command, stdout=sys.stderr).returncode
        if code != command_line.DONE:
            raise UserError(
                f"The training of {preset}, seed {seed}, ended with exit code {code}.\nExpected 0; it says above what helps."
            )
    return model_path


def read(path):
    """Return what is noted so far: {preset: {seed: card's part}}."""
    return json.loads(path.read_bytes()) if path.exists() else {}


def table(runs):
    """Return the table's rows, the head first. runs: {preset: {seed: card's part}}."""
    rows = [("preset", "parameters", "epochs", "seeds", "test", "lowest", "validation", "minutes", "best on validation")]
    for preset, by_seed in runs.items():
        those = list(by_seed.values())
        correct = [run["test"]["correct"] for run in those]
        share = statistics.mean(run["test"]["accuracy"] for run in those)
        validation = [100 * run["validation"]["accuracy"] for run in those]
        minutes = [run["seconds"] / 60 for run in those if "accelerator" not in run]
        chosen = max(sorted(by_seed), key=lambda seed: by_seed[seed]["validation"]["correct"])  # of equals the first
        rows.append(
            (
                preset, f"{those[0]['parameters']:,}", those[0]["settings"]["EPOCHS"], len(those),
                f"{statistics.mean(correct):,.1f}{spread(correct, '{:.1f}')} ({100 * share:.2f} %)", f"{min(correct):,}",
                f"{statistics.mean(validation):.2f}{spread(validation, '{:.2f}')} %",
                f"{statistics.mean(minutes):.1f}" if minutes else "", f"seed {chosen}",
            )
        )  # fmt: skip
    return rows


def spread(values, form):
    """Return " ± 3.1", the standard deviation in this form; nothing for one value."""
    return f" ± {form.format(statistics.stdev(values))}" if len(values) > 1 else ""


def parse(argv):
    """Return the flags' values."""
    parser = command_line.parser(__doc__)
    add_parts(parser, PRESETS, "preset")
    parser.add_argument("--seeds", nargs="+", type=command_line.seed, default=SEEDS, help="(default: 42 to 46)")
    parser.add_argument("--data", type=Path, help="an .npz or a folder of IDX files (default: MNIST, see README)")
    return parser.parse_args(argv)


@command_line.exit_codes
def main(argv=None) -> int:
    """Train and note each run that is not there yet, print the table."""
    arguments = parse(argv)
    path = RESULTS / "seeds.json"
    for seed in arguments.seeds:  # the presets take turns, so that all have as many seeds whenever it is stopped
        for preset in arguments.parts:
            noted = read(path).get(preset, {}).get(str(seed), {})
            if noted.get("settings") == settings_of(preset, seed) and noted["recipe_sha256"] == recipe_sha256(training_recipe()):
                continue
            print(f"\n{preset}, seed {seed}", file=sys.stderr)
            card = json.loads(model_of(preset, seed, arguments.data).with_suffix(".json").read_bytes())
            numbers = {name: card[name] for name in ("parameters", "settings", "validation", "test", "seconds", "versions")}
            runs = read(path)  # again, for another command may have added to it
            runs.setdefault(preset, {})[str(seed)] = {
                **facts("seeds", argv),
                **numbers,
                "recipe_sha256": recipe_sha256(card["recipe"]),
            }
            files.write_json(path, runs)
    runs = read(path)
    command_line.print_table(table({preset: runs[preset] for preset in PRESETS if runs.get(preset)}))
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
