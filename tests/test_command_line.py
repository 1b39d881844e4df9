"""What the scripts share on the command line: messages become exit codes, tables line up, names stay on one line."""

import argparse
from pathlib import Path

import pytest

from digits import command_line
from digits.config import UserError


@pytest.mark.parametrize(
    ("raised", "code"),
    [(UserError("what happened"), 2), (KeyboardInterrupt(), 130), (OSError(28, "No space left", "x.json"), 2)],
)
def test_what_the_user_can_put_right_is_an_exit_code(raised, code, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "_abandon_stdout", lambda: None)  # it would take pytest's own output away

    @command_line.exit_codes
    def main(argv=None):
        raise raised

    assert main() == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_of_the_program_is_not_disguised():
    @command_line.exit_codes
    def main(argv=None):
        raise ValueError("a defect")

    with pytest.raises(ValueError):
        main()


def test_tables_line_up(capsys):
    command_line.print_table([("layer", "parameters"), ("conv", "1,234"), ("a longer name", "5"), ("none", "-")])
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[2].endswith("    5")


@pytest.mark.parametrize(
    ("name", "printed"),
    [("plain.png", "plain.png"), ("line\nbreak", r"line\nbreak"), (b"not\xffutf8", r"not\udcffutf8"), ("émoji😀", "émoji😀")],
)
def test_names_stay_on_one_line(name, printed):
    assert command_line.printable(name) == printed


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "²", "many"])
def test_positive_integers_are_checked(text):
    with pytest.raises(argparse.ArgumentTypeError):
        command_line.positive_integer(text)


def test_no_answer_is_shown_as_certain():
    assert command_line.confidence(0.99999) == command_line.confidence(1.0) == "99.9 %"
    assert command_line.confidence(0.5) == "50.0 %"


def test_only_what_is_whole_is_shown_as_100_percent():
    shown = [command_line.percent(share) for share in (None, 0, 0.97125, 0.999999, 1.0)]
    assert shown == ["-", "0.00 %", "97.12 %", "99.99 %", "100.00 %"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 pictures"), (1, "1 picture"), (1200, "1,200 pictures")])
def test_one_is_singular(count, text):
    assert command_line.counted(count, "picture") == text


@pytest.mark.parametrize("text", ["-1", "65536", "http", ""])
def test_ports_are_checked(text):
    assert command_line.port("65535") == 65535
    with pytest.raises(argparse.ArgumentTypeError, match="0 to 65535"):
        command_line.port(text)


def test_no_path_is_not_the_folder_one_is_in():
    assert command_line.path("x/y") == Path("x/y")
    with pytest.raises(argparse.ArgumentTypeError, match="expected a path"):
        command_line.path("")
