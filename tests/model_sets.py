"""Sets of a model's three files for tests: any text takes the place of the networks."""

import hashlib
import json
import os
import shutil

from digits.model import store
from digits.model.card import ModelCard

NAME = "digits_model"
FILES = [NAME + suffix for suffix in (".h5", ".tflite", ".json")]


def stage(model, version):
    """Put a complete set of this version ("old", "new") into the staging folder of the model, and return the folder."""
    staging = store.new_staging_folder(model)
    for suffix in store.NETWORK_SUFFIXES:
        (staging / (NAME + suffix)).write_text(f"{version} network as {suffix}")
    store.complete_staging(model, ModelCard(other={"version": version}))
    return staging


def install(model, version):
    """Install a complete set of this version."""
    stage(model, version)
    store.install(model)


def half_install(model, moved):
    """Leave an old set in place, its copy in previous/, and a new one of which this many files were moved. Return its folder."""
    install(model, "old")
    shutil.copytree(model.parent, store.previous_folder(model), ignore=shutil.ignore_patterns(".*"))
    staging = stage(model, "new")
    for name in FILES[:moved]:
        os.replace(staging / name, model.parent / name)
    return staging


def version_in(folder):
    """Return the version of the complete set in the folder, checked file by file against its card; None for no set."""
    if not any((folder / name).exists() for name in FILES):
        return None
    card = json.loads((folder / f"{NAME}.json").read_text())
    for suffix in store.NETWORK_SUFFIXES:
        content = (folder / (NAME + suffix)).read_bytes()
        assert content.decode() == f"{card['version']} network as {suffix}", f"{NAME + suffix} is of another set"
        assert card["sha256"][NAME + suffix] == hashlib.sha256(content).hexdigest()
    return card["version"]


def version_of(card):
    """Return the version that a loaded card names."""
    return card.other["version"]
