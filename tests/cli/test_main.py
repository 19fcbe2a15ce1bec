"""The program as a whole: fast start, and every error as a message and an exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.support.process import ROOT, modules_after, python, vcedge
from vcedge import __version__, errors
from vcedge.cli import main as program

HEAVY = {"numpy", "torch", "paho", "pyarrow", "safetensors", "pydantic", "yaml", "rich", "amqtt"}

Fail = Callable[[BaseException | None], int]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Run a command `fail` that raises the given error; return the exit code."""

    def run(error: BaseException | None) -> int:
        def fail_command() -> None:
            if error is not None:
                raise error

        module = ModuleType("vcedge.cli.fail")
        module.__dict__["fail_command"] = fail_command
        monkeypatch.setitem(sys.modules, "vcedge.cli.fail", module)
        monkeypatch.setitem(program.COMMANDS, "fail", "Fails.")
        return program.run(["fail"])

    return run


def test_start_imports_few_packages() -> None:
    assert not HEAVY & modules_after("vcedge.cli.main")


def test_help_imports_few_packages_and_lists_every_command() -> None:
    code = "import sys; from vcedge.cli.main import run; run(['--help']); print('loaded', *sys.modules)"
    result = python("-c", code)
    text, _, loaded = result.stdout.partition("loaded")
    assert not HEAVY & {name.partition(".")[0] for name in loaded.split()}
    assert all(f"  {name} " in text for name in program.COMMANDS)
    assert "..." not in text.partition("Commands:")[2], "a line of COMMANDS is too long for 80 columns"


def test_version_is_printed() -> None:
    assert vcedge("--version").stdout == f"vcedge {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Usage: vcedge"),
        (("inspct",), "No such command 'inspct'. Did you mean 'inspect'?"),
        (("--bogus",), "--bogus"),
        (("simulate",), "Missing argument"),
    ],
)
def test_usage_errors_exit_with_2(arguments: tuple[str, ...], message: str) -> None:
    result = vcedge(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (errors.GateFailed("no"), 1, "vcedge: error: no\n"),
        (errors.UsageError("no"), 2, "vcedge: error: no\n"),
        (errors.ModelFileError("no"), 65, "vcedge: error: no\n"),
        (errors.InputNotFound("no"), 66, "vcedge: error: no\n"),
        (errors.Unavailable("no"), 69, "vcedge: error: no\n"),
        (errors.ConfigError("two\nlines"), 78, "vcedge: error: two\nlines\n"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 74, "vcedge: error: x: No space left on device\n"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 74, "vcedge: error: x: Permission denied\n"),
        (OSError("odd"), 74, "vcedge: error: odd\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch._C"),
            69,
            "vcedge: error: this needs the package 'torch', which is not installed: pip install 'vcedge[train]'\n",
        ),
        (ModuleNotFoundError("No module named 'x'", name="x"), 70, "vcedge: error: internal error: Module"),
        (KeyError("a\nb"), 70, "vcedge: error: internal error: KeyError: 'a\\nb' (VCEDGE_DEBUG=1 shows where"),
        (ValueError(), 70, "vcedge: error: internal error: ValueError (VCEDGE_DEBUG=1"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_error_is_one_line_and_an_exit_code(
    error: BaseException | None, code: int, message: str, fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fail(error) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2


def test_debug_prints_the_traceback(
    fail: Fail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VCEDGE_DEBUG", "1")
    assert fail(KeyError("x")) == 70
    assert "Traceback" in capsys.readouterr().err


CHATTER = """
import sys
from types import ModuleType
from vcedge.cli import main

def chatter_command() -> None:
    for line in range({lines}):
        print(line)

sys.modules["vcedge.cli.chatter"] = ModuleType("vcedge.cli.chatter")
sys.modules["vcedge.cli.chatter"].chatter_command = chatter_command
main.COMMANDS["chatter"] = "Prints."
sys.argv = ["vcedge", "chatter"]
main.main()
"""


@pytest.mark.parametrize("lines", [1, 100_000])
def test_closed_stdout_is_not_an_error(lines: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", CHATTER.format(lines=lines)],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, "")
