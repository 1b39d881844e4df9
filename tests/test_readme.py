"""The README's commands run as they are written, and its files exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line and not line.startswith("#")]
# These install packages, test or train for minutes. .ci/run runs the first two as they stand.
LONG = (
    "python3 -m venv",
    "python -m pytest",
    "python train_model.py",
    "python draw_digits.py",
    "python benchmarks/",
    "git clone",
)
QUICK = [command for command in COMMANDS if not command.startswith(LONG)]


def test_the_two_commands_that_do_everything_are_there():
    setups = [command for command in COMMANDS if command.startswith("python3 -m venv")]
    assert len(setups) == 2
    assert setups[0].endswith("python train_model.py && python verify_all_digits.py && python predict_custom.py")
    assert setups[1].endswith("python -m pytest -n 2 --dist worksteal")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project as a user has it, in a folder where the commands may write."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    shutil.copytree(PROJECT, folder, symlinks=True, ignore=shutil.ignore_patterns("data", ".git", ".venv*", "__pycache__"))
    return folder


@pytest.mark.parametrize("command", QUICK)
def test_a_command_runs_as_written(command, copy, mnist_folder):
    if not (copy / "data").exists():
        (copy / "data").symlink_to(mnist_folder.resolve())
    python = f"python() {{ '{sys.executable}' \"$@\"; }}; "
    result = subprocess.run(["bash", "-c", python + command], cwd=copy, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_python_code_runs_as_written(block, copy):
    result = subprocess.run([sys.executable, "-c", block], cwd=copy, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if "train_model.py --" in command])
def test_the_flags_of_long_commands_exist(command):
    import train_model

    train_model.parse(command.split("#")[0].split("train_model.py", 1)[1].split())


@pytest.mark.parametrize("target", sorted({link for link in re.findall(r"\]\(([^)#:]+)\)", README)}))
def test_what_is_linked_exists(target):
    assert (PROJECT / Path(target)).exists()
