"""The sweep of the constants of reading: which are changed, to what, where, and what is not computed again."""

import math
import sys

import numpy as np
import pytest
from answers import reading
from conftest import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))
import docs_tables
import shown_results
import sweep

from digits.reading import contrast, reader, text_lines

KEYS = {constant.key for constant in sweep.constants()}


def constant(value, name="SIZE"):
    return sweep.Constant("ink", name, None, value)


def test_numbers_at_the_head_of_a_module_are_changed():
    assert {"contrast.POLARITY_SIDE", "text_lines.HEIGHT_RANGE[0]", "text_lines.HEIGHT_RANGE[1]"} <= KEYS


def test_names_that_are_left_out_exist_and_are_not_changed():
    every = {name for one in sweep.all_constants() for name in (one.module, f"{one.module}.{one.name}")}
    assert set(sweep.LEFT_OUT) - every == set()
    assert {key for key in KEYS if key.split("[")[0] in sweep.LEFT_OUT or key.split(".")[0] in sweep.LEFT_OUT} == set()


@pytest.mark.parametrize(
    ("one", "less", "more"),
    [
        (constant(0.3), 0.2, 0.4),
        (constant(64), 43, 85),
        (constant(1), 0, 2),
        (constant(0.9), 0.6, 1.2),
        (constant(0.94, "MIN_CONFIDENCE"), 0.6267, 0.96),
        (constant(90, "PAPER_PERCENTILE"), 60, 93),
        (constant(1.5, "PYRAMID_STEP"), 1.333, 2.0),
    ],
)
def test_a_value_is_changed_by_a_third_within_its_bounds(one, less, more):
    assert [sweep.changed_value(one, factor) for factor in sweep.CHANGES.values()] == [less, more]


def test_every_changed_value_is_another_one_and_finite():
    for one in sweep.constants():
        for factor in sweep.CHANGES.values():
            new = sweep.changed_value(one, factor)
            assert new != one.value and math.isfinite(new) and type(new) is type(one.value), one


def test_a_constant_is_changed_where_it_is_imported_and_has_its_value_again_afterwards():
    from digits.reading import number_reader

    old = text_lines.HEIGHT_RANGE
    with pytest.raises(ZeroDivisionError), sweep.changed(sweep.Constant("text_lines", "HEIGHT_RANGE", 1, old[1]), 9.0):
        assert text_lines.HEIGHT_RANGE == number_reader.HEIGHT_RANGE == (old[0], 9.0)
        raise ZeroDivisionError
    assert text_lines.HEIGHT_RANGE == number_reader.HEIGHT_RANGE == old


def test_a_constant_of_the_same_name_in_another_module_stays_as_it_is():
    assert sweep.imports("from digits.reading.ink import A, B", "digits.reading.ink", "B")
    assert not sweep.imports("from digits.model.ink import B", "digits.reading.ink", "B")
    modules = [sys.modules[f"digits.reading.{name}"] for name in sweep.modules_behind("reader")]
    before = [{name: value for name, value in vars(module).items() if name.isupper()} for module in modules]
    for one in sweep.constants():
        with sweep.changed(one, 5):
            pass
    assert [{name: value for name, value in vars(module).items() if name.isupper()} for module in modules] == before


def test_a_default_of_a_parameter_is_changed_as_well(monkeypatch):
    source = "SIZE = 3\ndef made(a, b=1, size=SIZE): return size\n"
    assert list(sweep.defaults(source, "SIZE")) == [("made", 1)]
    module = type(sweep)("ink")
    exec(source, vars(module))
    monkeypatch.setattr(sweep, "sources", lambda: {"ink": source})
    monkeypatch.setattr(sweep, "modules_behind", lambda name: {"ink"})
    monkeypatch.setattr(sweep.importlib, "import_module", lambda name: module)
    with sweep.changed(constant(3), 4):
        assert (module.SIZE, module.made(0)) == (4, 4)
    assert (module.SIZE, module.made(0)) == (3, 3)


@pytest.fixture
def stages(monkeypatch):
    """Stages as in the program, whose functions have their old value again after the test."""
    for holder, name in sweep.STAGES:
        monkeypatch.setattr(holder, name, getattr(holder, name))


def test_only_what_a_constant_can_change_is_computed_again(stages):
    image = np.full((40, 40, 3), 255, np.uint8)
    image[10:30, 18:22] = 0
    one = sweep.Sweep(reader.Reader(), [sweep.Item(image, "1")])
    load, by_ink, numbers, find_ink, network = one.stages
    for module, computed in {
        "reader": (),
        "segmentation": (by_ink,),
        "ink": (by_ink, find_ink),
        "contrast": (numbers,),
        "preprocessing": (by_ink, numbers),
        "image": (load, by_ink, numbers, find_ink),
    }.items():
        assert {stage for stage in one.stages if module in stage.modules} == set(computed), module
    assert network.modules == set()
    assert one.effect(sweep.Constant("contrast", "POLARITY_SIDE", None, contrast.POLARITY_SIDE), 100)["correct"] == 0
    assert by_ink.seconds_saved > 0


def test_a_value_that_breaks_the_program_is_noted(stages):
    one = sweep.Sweep(reader.Reader(), [sweep.Item(np.full((40, 40, 3), 255, np.uint8), None)])
    assert "error" in one.effect(sweep.Constant("contrast", "POLARITY_SIDE", None, 200), "x")


def test_a_sweep_continues_with_what_is_missing_and_refuses_another_sample(stages, monkeypatch, tmp_path, capsys):
    two = [one for one in sweep.constants() if one.name in ("POLARITY_SIDE", "MIN_LOG_ODDS_GAIN")]
    blank = sweep.Item(np.full((40, 40), 255, np.uint8), None)
    measured = []
    effect = {"value": 1, "correct": 0, "wrong_and_ok": 0, "unsure": 0, "otherwise": 0, "time": 1.0}
    monkeypatch.setattr(sweep, "constants", lambda: two)
    monkeypatch.setattr(sweep, "sample", lambda folders, every: [blank] * every)
    monkeypatch.setattr(sweep.Sweep, "effect", lambda self, one, new: measured.append(one.name) or effect)
    command = ["folder", "--json", str(tmp_path / "sweep.json")]
    assert sweep.main([*command, "--only", "contrast"]) == 0
    assert sweep.main(command) == 0
    assert measured == ["POLARITY_SIDE"] * 2 + ["MIN_LOG_ODDS_GAIN"] * 2
    assert sweep.main([*command, "--every", "2"]) == 2
    assert "another sample" in capsys.readouterr().err
    assert sweep.main([*command, "--only", "NO_SUCH_NAME"]) == 2


def test_what_is_counted(stages, monkeypatch):
    answers = iter([reading("12"), reading("13"), reading("14", "unsure"), reading("7"), reading("8", "unsure")])
    monkeypatch.setattr(sweep, "read", lambda reader, image: next(answers))
    items = [sweep.Item("", label) for label in ("12", "12", "12", None, None)]
    one = sweep.Sweep(None, items)
    assert one.counts(one.unchanged) == {"correct": 1, "wrong_and_ok": 2, "unsure": 1}


def test_the_table_shows_the_differences_and_leaves_out_a_constant_with_another_value_today(monkeypatch):
    same = {"value": contrast.POLARITY_SIDE}
    effects = {
        "less": {"value": 1, "correct": -2, "wrong_and_ok": 0, "unsure": 3, "otherwise": 5, "time": 1.0},
        "more": {"value": 1, "error": "x"},
    }
    result = {"sample": {"n": 30, "without_a_digit": 10}, "unchanged": {"correct": 18, "wrong_and_ok": 1, "unsure": 2}}
    result["constants"] = {"contrast.POLARITY_SIDE": same | effects, "ink_reading.MIN_LOG_ODDS_GAIN": {"value": -1} | effects}
    monkeypatch.setattr(shown_results.Results, "of_model", lambda self, name: result)
    results = shown_results.Results()
    shown = docs_tables.constants(results)
    row = "| `POLARITY_SIDE` | [contrast](../digits/reading/contrast.py) | 200 | -2 | 0 | +3 | fails | fails | fails |"
    assert row in shown and "18 / 20 (90.0 %)" in shown
    assert "MIN_LOG_ODDS_GAIN" not in shown
    assert "sweep.json, ink_reading.MIN_LOG_ODDS_GAIN, was not measured with today's value" in results.missing
