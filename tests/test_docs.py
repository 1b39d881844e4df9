"""README.md and docs/: their commands and code run as written, their links work, their numbers are those that were measured."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

import predict_custom
import train_model
import verify_all_digits
from digits.cli.print_report import count_rate_and_interval
from digits.common.formatting import count_and_rate, percent
from digits.common.score import Score
from digits.model.card import ModelCard, TrainingPart, load_card

sys.path.insert(0, str(PROJECT / "benchmarks"))
import docs_tables  # noqa: E402
import shown_results  # noqa: E402
import update_docs  # noqa: E402

PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "custom_digits/README.md")]
PAGES += sorted((PROJECT / "docs").glob("*.md"))
TEXTS = {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
# These install, train, test or wait for Ctrl-C. .ci/run runs the README's two for a fresh machine.
LONG = ("git clone", "python3 -m venv", "python -m pytest", "python train_model.py", "python draw_digits.py", "ruff")
SLOW = ("python verify_all_digits.py",)  # seconds, with their figures
STARTS_RAY = "--ray"  # seconds, too
# A number with one of these units is a measurement.
MEASURED = re.compile(r"\d[\d.,]* ?(%|ms|seconds|minutes|hours|MiB|kB|GB)(?=[\s,.;:)|]|$)|\d ± \d|\d / \d")
# What looks like a measurement, and is none: a limit or a definition in the code.
DEFINED = ("less than 60 %", "at most 0.1 % fewer", "at most 0.1 % of", "95 %")


def blocks(language):
    """Return [(page, block)] of the code blocks in a language."""
    return [
        (page, block) for page, text in TEXTS.items() for block in re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    ]


COMMANDS = list(dict.fromkeys(line.split("  #")[0].strip() for _, block in blocks("bash") for line in block.splitlines()))
QUICK = [
    pytest.param(command, marks=pytest.mark.slow) if command.startswith(SLOW) or STARTS_RAY in command else command
    for command in COMMANDS
    if command and not command.startswith(LONG)
]


def test_the_readme_has_the_two_commands_for_a_fresh_machine():
    lines = [line for line in TEXTS["README.md"].splitlines() if line.startswith("python3 -m venv")]
    training = "python train_model.py && python verify_all_digits.py && python predict_custom.py"
    assert sum(line.endswith(training) for line in lines) == 1
    assert sum(line.endswith("python -m pytest -n 2 --dist worksteal") for line in lines) == 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory, mnist_folder):
    """The project as a user has it, in a folder where the commands may write."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    (folder / "data").symlink_to(mnist_folder.resolve())
    return folder


@pytest.mark.parametrize("command", QUICK)
def test_a_command_runs_as_written(command, copy):
    python = f"python() {{ '{sys.executable}' \"$@\"; }}; "
    environment = {**os.environ, "RAY_ADDRESS": "local"}  # a cluster of its own, not that of another test
    shell = ["bash", "-c", python + command]
    result = subprocess.run(shell, cwd=copy, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("block", [pytest.param(block, id=f"{page}-{i}") for i, (page, block) in enumerate(blocks("python"))])
def test_python_code_runs_as_written(block, monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    exec(block, {})


@pytest.mark.parametrize("command", [command for command in COMMANDS if re.match(r"python (train|verify|predict)", command)])
def test_the_flags_of_a_command_exist(command):
    script, _, flags = command.removeprefix("python ").partition(".py")
    importlib.import_module(script).parse(shlex.split(flags))


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file(page):
    folder = (PROJECT / page).parent
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]) + re.findall(r'src="([^"]+)"', TEXTS[page])
    local = [target.partition("#")[0] for target in targets if not target.startswith("http")]
    assert [target for target in local if not (folder / target).exists()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_table_has_the_same_number_of_cells_in_each_row(page):
    for table in re.findall(r"(?:^\|.*\|\n)+", TEXTS[page], flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_the_architecture_page_names_every_module():
    modules = {path.stem for path in (PROJECT / "digits").glob("*/**/*.py")} - {"__init__"}
    assert modules - set(re.findall(r"`(\w+)`", TEXTS["docs/architecture.md"])) == set()


def test_the_benchmarks_page_names_every_script():
    scripts = {path.name for folder in ("benchmarks", "stress") for path in (PROJECT / folder).glob("*.py")}
    assert {name for name in scripts if name not in TEXTS["benchmarks/README.md"]} == set()


def test_the_model_card_lists_the_layers_of_the_shipped_network():
    from digits.model import keras_files, network

    model = keras_files.load(PROJECT / "models" / "digit_recognition_model.h5")
    rows = [tuple(map(str, row)) for row in network.layer_table(model)]
    listed = re.findall(r"^\| (\w+) \| (\(.*\)|) *\| ([\d,]+) \|$", TEXTS["docs/model_card.md"], flags=re.MULTILINE)
    assert listed == rows


# ---- measured numbers ------------------------------------------------------------------------------------------


def test_the_measured_numbers_are_those_of_the_results(capsys):
    assert update_docs.main(["--check"]) == 0, f"{capsys.readouterr().out}\nTo update: python benchmarks/update_docs.py"


@pytest.mark.parametrize("page", [page for page in TEXTS if page == "README.md" or page.startswith("docs/")])
def test_no_measured_number_stands_outside_its_markers(page):
    text = re.sub(r"<!-- measured: \w+ -->.*?<!-- end -->|```.*?```|^    .*?$", "", TEXTS[page], flags=re.DOTALL | re.MULTILINE)
    for phrase in DEFINED:
        text = text.replace(phrase, "")
    assert [match[0] for match in MEASURED.finditer(text)] == []


def test_every_marker_is_closed_and_has_a_function():
    for page in update_docs.PAGES:
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"<!-- measured: (\w+) -->", text)
        assert [match[2] for match in update_docs.BLOCK.finditer(text)] == names, page
        assert set(names) <= set(docs_tables.BLOCKS), page


def test_the_lines_in_the_docstrings_of_training_and_verifying_are_those_of_the_shipped_model():
    model = PROJECT / "models" / "digit_recognition_model.h5"
    card = load_card(model.with_suffix(".json"))
    paths = [model.with_suffix(suffix) for suffix in (".h5", ".tflite", ".json")]
    train = re.findall(r"^      (\S+) +(\d+ kB)$|^    learned in (.*) minutes$", train_model.__doc__, flags=re.MULTILINE)
    expected = [(path.name, f"{path.stat().st_size / 1000:.0f} kB", "") for path in paths]
    assert train == [*expected, ("", "", f"{card.seconds / 60:.1f}")]
    for name, score in (("validation", card.validation), ("test", card.test)):
        assert re.search(rf"^      {name}: +{re.escape(count_and_rate(score))}$", train_model.__doc__, flags=re.MULTILINE)
    lines = dict(
        re.findall(
            r"^      (model|accuracy|loss|calibration error|not sure)  +(.*)$", verify_all_digits.__doc__, flags=re.MULTILINE
        )
    )
    assert lines["model"].endswith(f"({card.parameters:,} parameters)")
    assert lines["accuracy"] == count_rate_and_interval(card.test)
    rest = [lines[name] for name in ("loss", "calibration error", "not sure")]
    assert rest == [f"{card.test.loss:.4f}", percent(card.test.ece), str(card.test.unsure)]


def test_the_answers_in_readme_and_docstring_are_those_that_are_printed(call_script):
    lines = re.findall(r"^    (custom_digits/\S+|absent\.png)  +(\S.*)$", predict_custom.__doc__, flags=re.MULTILINE)
    lines += re.findall(r"^    (custom_digits/\S+)  +(\S.*)$", TEXTS["README.md"], flags=re.MULTILINE)
    assert len(lines) == 4
    printed = call_script("predict_custom.py", *(name for name, _ in lines), cwd=PROJECT).stdout
    answers = [" ".join(line.split()) for line in printed.splitlines()]
    for line in lines:
        assert " ".join(" ".join(line).split()) in answers


def test_the_constants_that_were_set_with_peoples_images_are_those_in_the_code():
    text = re.sub(r"\s+", " ", TEXTS["docs/results.md"])
    for path, names in re.findall(r"\(\.\./digits/(\w+/\w+)\.py\) ((?:`[A-Z_]+`,? ?)+)", text):
        module = importlib.import_module(f"digits.{path.replace('/', '.')}")
        assert [name for name in re.findall(r"`([A-Z_]+)`", names) if not hasattr(module, name)] == []
    sources = {path.stem: path.read_text(encoding="utf-8") for path in (PROJECT / "digits" / "reading").glob("*.py")}
    set_with_them = {name for name, source in sources.items() if "set by hand on own_numbers" in source.lower()}
    assert len(set_with_them) > 5
    assert {name for name in set_with_them if f"(../digits/reading/{name}.py)" not in text} == set()


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A copy of the results, and a function that changes one of them and returns the Results that are then shown."""
    folder = Path(shutil.copytree(shown_results.RESULTS, tmp_path / "results"))
    monkeypatch.setattr(shown_results, "RESULTS", folder)

    def change(name, edit):
        content = json.loads((folder / f"{name}.json").read_bytes())
        edit(content)
        (folder / f"{name}.json").write_text(json.dumps(content))
        return shown_results.Results()

    return change


def test_a_result_of_another_model_is_left_out_and_named(results):
    shown = results("robustness", lambda content: content.update(model_sha256="0" * 64))
    assert "Not measured" in docs_tables.robustness(shown)
    assert "robustness.json was measured with another model" in shown.missing


def test_a_column_without_a_value_is_left_out():
    rows = [("a", "1", "–", ""), ("b", "–", "–", "")]
    shown = docs_tables.table(("row", "one", "none", "empty"), rows, "")
    assert shown.split() == "| row | one | | --- | ---: | | a | 1 | | b | – |".split()


def test_a_sentence_whose_number_is_not_measured_is_left_out_whole(results):
    def forget(content):
        content.update(model_sha256="0" * 64)

    for name, blocks in (
        ("own_digits", ("misread",)),
        ("whole_numbers", ("claim", "summary", "line_reader_gain")),
        ("not_digits", ("ranking",)),
    ):
        shown = results(name, forget)
        assert {docs_tables.BLOCKS[block](shown) for block in blocks} == {""}
    for page in update_docs.PAGES:  # so a sentence begins and ends within its markers
        text = page.read_text(encoding="utf-8")
        for before, after in re.findall(
            r"^(.*)<!-- measured: (?:misread|claim|ranking) -->.*<!-- end -->(.*)$", text, re.MULTILINE
        ):
            assert (before, after) == ("", ""), page


@pytest.mark.parametrize("reader", ["number reader", "line reader"])
def test_a_result_of_another_reader_is_left_out_and_named(results, reader):
    checksums = {**shown_results.reader_checksums(), f"{reader.replace(' ', '_')}_sha256": "0" * 64}
    shown = results("whole_numbers", lambda content: content.update(checksums))
    assert shown.of_model("whole_numbers") is None
    assert f"whole_numbers.json was measured with another {reader}" in shown.missing


def test_the_origin_of_a_reader_of_several_parts_is_told(monkeypatch):
    first = TrainingPart(steps=900, seconds=1.0, made_by="a research version")
    card = ModelCard(steps=1900, settings={"SEED": 3}, earlier_parts=(first,), validation=Score(10, 9, 0.9))
    monkeypatch.setattr(docs_tables, "load_card", lambda path: card)
    assert docs_tables.number_reader(None) == (
        "Part 1: 900 steps, by a research version. "
        "Part 2: 1,000 steps, seed 3, by `python train_model.py --eye --resume`. "
        "Composed windows, digits: 9 / 10 (90.0 %) have the right class."
    )


def test_a_training_with_other_settings_is_left_out_and_named(results):
    before = shown_results.Results().of_seeds("best")
    shown = results("seeds", lambda content: content["best"]["42"]["settings"].update(EPOCHS=1))
    assert len(shown.of_seeds("best")) == len(before) - 1
    assert "seeds.json, best, seed 42, was trained with other settings" in shown.missing


def test_a_training_with_another_recipe_is_left_out(results):
    before = shown_results.Results().of_seeds("default")
    shown = results("seeds", lambda content: content["default"]["42"].update(recipe_sha256="0" * 64))
    assert len(shown.of_seeds("default")) == len(before) - 1


def test_a_classic_network_with_another_recipe_is_left_out(results):
    shown = results("classic_networks", lambda content: content["runs"]["keras-example"][0]["settings"].update(epochs=12))
    assert len(shown.of_classic("keras-example")) == 1  # the other run has it, too


def test_a_number_that_changes_is_found_and_written(results, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("before <!-- measured: ranking -->0.5<!-- end --> after", encoding="utf-8")
    monkeypatch.setattr(update_docs, "PAGES", (page,))
    monkeypatch.setattr(update_docs, "PROJECT_FOLDER", tmp_path)
    monkeypatch.setitem(docs_tables.BLOCKS, "ranking", lambda results: "0.9985")
    assert update_docs.main(["--check"]) == 1
    assert "0.5" in page.read_text(encoding="utf-8")
    assert update_docs.main([]) == 0
    assert page.read_text(encoding="utf-8") == "before <!-- measured: ranking -->0.9985<!-- end --> after"
    assert update_docs.main(["--check"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted((*PROJECT.glob("benchmarks/*.py"), *PROJECT.glob("stress/*.py"))), ids=lambda path: path.stem
)
def test_help_of_a_benchmark_works(path, run_script):
    if "def main(" not in path.read_text(encoding="utf-8"):
        pytest.skip("shared by the others, no command")
    result = run_script(path.relative_to(PROJECT), "--help")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"usage: {path.name}")
