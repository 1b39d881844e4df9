"""Errors of the user become messages and exit codes, flags check their values, tables are aligned."""

import argparse
from pathlib import Path

import pytest

from digits.cli import command_line
from digits.common.errors import UserError


@pytest.mark.parametrize(
    ("raised", "code"),
    [(UserError("what happened"), 2), (KeyboardInterrupt(), 130), (OSError(28, "No space left", "x.json"), 2)],
)
def test_an_error_that_the_user_can_put_right_gives_an_exit_code_and_no_traceback(raised, code, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "_discard_stdout", lambda: None)  # it would close pytest's own standard output

    @command_line.exit_codes
    def main(argv=None):
        raise raised

    assert main() == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_of_the_program_is_raised():
    @command_line.exit_codes
    def main(argv=None):
        raise ValueError("a defect")

    with pytest.raises(ValueError):
        main()


def test_table_columns_are_aligned(capsys):
    command_line.print_table([("layer", "parameters"), ("conv", "1,234"), ("a longer name", "5"), ("none", "-")])
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[2].endswith("    5")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "²", "many"])
def test_a_flag_that_is_no_positive_integer_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        command_line.positive_integer(text)


@pytest.mark.parametrize("text", ["-1", "65536", "http", ""])
def test_a_flag_that_is_no_port_is_refused(text):
    assert command_line.port("65535") == 65535
    with pytest.raises(argparse.ArgumentTypeError, match="0 to 65535"):
        command_line.port(text)


def test_an_empty_path_is_refused_and_not_taken_for_the_current_folder():
    assert command_line.path("x/y") == Path("x/y")
    with pytest.raises(argparse.ArgumentTypeError, match="expected a path"):
        command_line.path("")
