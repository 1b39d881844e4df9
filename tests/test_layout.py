"""The house keeps its order: what imports what, and what lies where."""

import ast
import subprocess

import pytest

from conftest import PROJECT

SCRIPTS = ("train_model", "verify_all_digits", "predict_custom", "draw_digits")
# The data's way: a module imports only what stands before it.
MODULES = (
    "config", "quiet", "files", "settings", "command_line", "report", "mnist_form", "dataset", "keeping", "letterforms", "disturbances", "augmentation", "not_digits",
    "network", "muon", "training",
    "picture", "ink", "segmentation", "preprocessing", "reading",
    "model_files", "recognizer", "many", "own_pictures", "fine_tuning", "saving", "personalization",
    "quantization", "plots", "server",
)  # fmt: skip
HEAVY = {
    "keras": {"network", "muon", "training", "fine_tuning"},
    "tensorflow": {"network"},  # only inside a function, for 8-bit numbers
    "matplotlib": {"plots"},
    "seaborn": {"plots"},
    "fastapi": {"server"},
    "uvicorn": {"draw_digits"},
}


def imports_of(path):
    """Return the dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def digits_modules(path):
    """Return the modules of the package digits that a file imports."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("digits.")}


def test_the_list_above_is_complete():
    assert {path.stem for path in (PROJECT / "digits").glob("*.py")} == {*MODULES, "__init__"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_what_stands_before_them(module):
    allowed = set(MODULES[: MODULES.index(module)])
    if module == "recognizer":
        allowed.add("network")  # only inside a function, for an .h5
    assert digits_modules(PROJECT / "digits" / f"{module}.py") <= allowed


@pytest.mark.parametrize("module", (*MODULES, *SCRIPTS))
def test_heavy_libraries_stay_where_they_belong(module):
    path = PROJECT / (f"{module}.py" if module in SCRIPTS else f"digits/{module}.py")
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert {library for library in HEAVY if library in roots} == {library for library in HEAVY if module in HEAVY[library]}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_import_no_script(script):
    roots = {name.split(".")[0] for name in imports_of(PROJECT / f"{script}.py")}
    assert not roots & set(SCRIPTS)


def test_the_owners_names_stand_at_the_top():
    fixed = ("requirements.txt", "models", "outputs", "custom_digits", "README.md", *(f"{script}.py" for script in SCRIPTS))
    for name in fixed:
        assert (PROJECT / name).exists(), name


def test_no_training_data_and_no_outputs_are_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git checkout")
    files = listed.stdout.split()
    assert [name for name in files if "ubyte" in name or name.endswith((".npz", ".pkl"))] == []
    assert [name for name in files if name.startswith("outputs/")] == ["outputs/.gitkeep"]
    assert sum((PROJECT / name).stat().st_size for name in files if name.startswith("models/")) < 2_000_000
