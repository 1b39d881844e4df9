"""The layout holds: what may import what, what lies where, and how large it may be."""

import ast
import json
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT

SCRIPTS = ("train_model", "verify_all_digits", "predict_custom", "draw_digits")
# The way of the data: a sub-package imports only itself and those that stand before it.
PACKAGES = ("common", "data", "augmentation", "model", "composition", "reading", "evaluation", "training", "web", "cli")
LIBRARY = [package for package in PACKAGES if package != "cli"]  # prints nothing and ends no process
# Libraries that take long to import, or that reading does without, and the files that may import them.
HEAVY = {
    "keras": {"model/network", "training"},
    "tensorflow": {"model/keras_files"},
    "matplotlib": {"evaluation"},
    "seaborn": {"evaluation"},
    "sklearn": {"evaluation", "data"},
    "pooch": {"data"},
    "fastapi": {"web"},
    "uvicorn": {"draw_digits"},
    "pypdfium2": {"reading/pdf_process"},
    "ray": {"reading/distributed"},
    "pyarrow": {"reading/distributed", "reading/remote_files"},
}
NETWORKS = ("digit_recognition_model", "number_reader", "line_reader")
MAX_MODELS_SIZE = 8_000_000  # bytes: all three networks, as .h5, .tflite and .json
MAX_PARAMETERS, MAX_TFLITE_SIZE = 1_000_000, 3_000_000  # of the three networks together; bytes


def module_files(*packages):
    return [path for package in packages for path in sorted((PROJECT / "digits" / package).rglob("*.py"))]


def name_of(path):
    """Return a file's name without its ending, from the package digits on: "reading/ink"; a script's is its own."""
    return str(path.relative_to(PROJECT).with_suffix("")).removeprefix("digits/")


def imports_of(path):
    """Return the dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_sub_package_has_its_place_in_the_order():
    assert {path.parent.name for path in (PROJECT / "digits").glob("*/__init__.py")} == set(PACKAGES)


@pytest.mark.parametrize("path", module_files(*PACKAGES), ids=name_of)
def test_no_import_runs_back_up(path):
    package = name_of(path).partition("/")[0]
    imported = {name.split(".")[1] for name in imports_of(path) if name.startswith("digits.")}
    assert imported <= set(PACKAGES[: PACKAGES.index(package) + 1])


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_sub_package_do_not_import_each_other_in_a_circle(package):
    graph = {}
    for path in module_files(package):
        names = {name.split(".")[2] for name in imports_of(path) if name.startswith(f"digits.{package}.")}
        graph[path.stem] = names - {path.stem}
    while ready := [module for module, needed in graph.items() if not needed & set(graph)]:
        for module in ready:
            del graph[module]
    assert not graph, f"these import each other: {sorted(graph)}"


@pytest.mark.parametrize("path", [*module_files(*PACKAGES), *(PROJECT / f"{script}.py" for script in SCRIPTS)], ids=name_of)
def test_heavy_libraries_are_imported_only_where_they_belong(path):
    for library in {name.split(".")[0] for name in imports_of(path)} & set(HEAVY):
        assert any(name_of(path).startswith(place) for place in HEAVY[library]), f"{name_of(path)} imports {library}"


@pytest.mark.parametrize("path", module_files(*LIBRARY), ids=name_of)
def test_the_library_neither_prints_nor_ends_the_process(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {"print", "sys.exit", "exit", "quit", "input"} & set(called)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_import_no_script(script):
    roots = {name.split(".")[0] for name in imports_of(PROJECT / f"{script}.py")}
    assert not roots & set(SCRIPTS)


@pytest.mark.parametrize("path", module_files(*PACKAGES), ids=name_of)
def test_public_functions_are_annotated(path):
    """mypy checks what is annotated; this checks that it is."""
    for node in _public_functions(ast.parse(path.read_text(encoding="utf-8"))):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        missing = [argument.arg for argument in arguments if argument.annotation is None and argument.arg not in ("self", "cls")]
        assert not missing and node.returns is not None, f"{node.name}: {missing or 'its result'} has no type"


def _public_functions(tree):
    """Yield the definitions of a module's public functions and of its public classes' public methods."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_functions(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node


def test_the_fixed_names_stand_at_the_top_level():
    fixed = ("requirements.txt", "models", "outputs", "custom_digits", "README.md", *(f"{script}.py" for script in SCRIPTS))
    for name in fixed:
        assert (PROJECT / name).exists(), name


def committed_files():
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git checkout")
    return listed.stdout.split()


def test_no_training_data_and_no_outputs_are_committed():
    files = committed_files()
    assert [name for name in files if "ubyte" in name or name.endswith((".npz", ".pkl"))] == []
    assert [name for name in files if name.startswith("outputs/")] == ["outputs/.gitkeep"]


def test_the_committed_models_stay_small():
    sizes = [(PROJECT / name).stat().st_size for name in committed_files() if name.startswith("models/")]
    assert 0 < sum(sizes) < MAX_MODELS_SIZE


def test_the_three_networks_together_are_small_enough_for_a_phone():
    paths = [PROJECT / "models" / name for name in NETWORKS]
    cards = [json.loads(path.with_suffix(".json").read_bytes()) for path in paths]
    assert sum(card["parameters"] for card in cards) <= MAX_PARAMETERS
    assert sum(path.with_suffix(".tflite").stat().st_size for path in paths) <= MAX_TFLITE_SIZE


def test_the_readme_is_short():
    lines = Path(PROJECT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
