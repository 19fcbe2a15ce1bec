"""The program `vcedge`: its commands, and the one place where errors become messages and exit codes.

A command `name` is the function `name_command` in `vcedge/cli/name.py`, with typer annotations and an example in its
docstring, and one line in `COMMANDS` below. (With sub-commands, `name_command` is a typer.Typer instead.) The module is
imported when its command is chosen, and itself imports numpy, torch and the like inside the function only: `--help`
must come at once on a small device, without them.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from vcedge import __version__
from vcedge.errors import InputOutputError, Unavailable, VcedgeError, first_line

COMMANDS = {
    "demo": "The whole chain on a simulated pump rig, broker included.",
    "simulate": "Write a plausible rig's history, with faults if wanted.",
    "train": "Train a detector on recordings of normal operation.",
    "calibrate": "Fit a trained network to another machine of the same kind.",
    "score": "Score recordings with a model.",
    "evaluate": "Measure a model on recordings for which the truth is known.",
    "compare": "Compare the detector with its rivals on your own recording.",
    "export": "Write a model as a graph for another interpreter.",
    "verify": "Compare exported files with their model.",
    "inspect": "Say what a model or an exported file is.",
    "sign": "Vouch for a model, so that devices take it as an update.",
    "deploy": "Install, update and remove the service on a device.",
    "run": "Run the service that scores MQTT streams.",
    "status": "Ask the running service how it is.",
    "bench": "Time a step beside dense peers.",
    "record": "Write MQTT streams to history files.",
    "replay": "Publish a recording over MQTT as a machine would.",
}

EXTRAS = {
    "torch": "train",
    "pyarrow": "train",
    "jinja2": "train",
    "matplotlib": "train",
    "onnx": "export",
    "onnxruntime": "onnx",
    "ai_edge_litert": "tflite",
    "flatbuffers": "export",
    "sklearn": "train",
    "amqtt": "demo",
    "cryptography": "update",
}
"""Optional packages by the name that is imported, and the extra that brings each."""

INTERRUPTED = 130
BROKEN_PIPE = 141
BUG = 70


class LazyGroup(TyperGroup):
    """Knows the names of all commands and imports the one that was chosen."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The chosen command itself in the place of the name that stood for it in the help."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else _command(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command. What typer would answer with exit code 1 gets the code that shells know."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _close_stdout()
            raise typer.Exit(BROKEN_PIPE) from None


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vcedge {__version__}")
        raise typer.Exit


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Watch sensor streams on the machine itself, with a network that updates only what it must.

    Exit codes: 0 done, 1 a gate failed, 2 usage, 65 bad data, 66 no such input, 69 unavailable, 70 a bug,
    74 input or output, 78 bad configuration. VCEDGE_DEBUG=1 adds a traceback to an error.
    """


def main() -> None:
    """The entry point. Ends the process with the exit code, errors as one or two lines on stderr."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """The exit code of a command line; without `arguments` of this process's own."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a unit such as °C must not end a command in a C locale
    try:
        try:
            app(arguments, prog_name="vcedge")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        else:
            code = 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE
    except Exception as error:
        return _report(error)


def _command(name: str) -> Any:
    """The typer command of a module in this folder."""
    target = getattr(importlib.import_module(f"vcedge.cli.{name}"), f"{name}_command")
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name, context_settings={"help_option_names": ["-h", "--help"]})(target)
        target = single
    return typer.main.get_command(target)


def _report(error: Exception) -> int:
    """Say what went wrong on stderr and give its exit code."""
    known = _known(error)
    if os.environ.get("VCEDGE_DEBUG") == "1":
        traceback.print_exception(error)
    if known is None:
        what = f"{type(error).__name__}: {first_line(error)}"
        text = f"internal error: {what} (VCEDGE_DEBUG=1 shows where; please report it)"
    else:
        text = str(known)
    print(f"vcedge: error: {text}", file=sys.stderr)
    return BUG if known is None else known.exit_code


def _known(error: Exception) -> VcedgeError | None:
    """The error in the user's terms; None for a bug."""
    if isinstance(error, VcedgeError):
        return error
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            return None
        return Unavailable(
            f"this needs the package '{package}', which is not installed: pip install 'vcedge[{EXTRAS[package]}]'"
        )
    if isinstance(error, OSError):
        name = "" if error.filename is None else f"{error.filename}: "
        return InputOutputError(f"{name}{error.strerror or error}")
    return None


def _close_stdout() -> None:
    """Nobody reads any more: let what is still buffered go nowhere instead of failing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
