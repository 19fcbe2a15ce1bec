"""Defines the program `vcedge`: its commands, and the one place that turns errors into messages and exit codes.

A command `name` is the function `name_command` in `vcedge/cli/name.py`, with typer annotations and an example in its
docstring, and one line in `COMMANDS` below. (With sub-commands, `name_command` is a typer.Typer instead.) The module is
imported when its command is chosen, and imports numpy, torch and the like inside functions only, so that `--help`
prints at once on a small device. A long command delegates its work to functions beside it.
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
    "demo": "Run the whole chain on a simulated pump rig, broker included.",
    "simulate": "Write the history of a simulated pump rig, with faults.",
    "train": "Train a detector on recordings of normal operation.",
    "calibrate": "Fit a trained network to another machine of the same kind.",
    "score": "Score recordings with a model.",
    "evaluate": "Measure a model on labelled recordings.",
    "compare": "Compare the detector with others on your own recording.",
    "export": "Write a model as a graph for another interpreter.",
    "verify": "Compare exported files with their model.",
    "inspect": "Describe a model or an exported file.",
    "sign": "Sign a model, so that devices accept it as an update.",
    "deploy": "Install, update and remove the service on a device.",
    "run": "Run the service that scores MQTT streams.",
    "status": "Ask the running service for its state.",
    "feedback": "Tell the running service what an event was.",
    "bench": "Time a step beside dense peers.",
    "record": "Record MQTT streams in history files.",
    "replay": "Publish a recording over MQTT as a machine would.",
}

EXTRAS = {
    "train": ("torch", "pyarrow", "jinja2", "matplotlib", "sklearn"),
    "export": ("onnx", "flatbuffers"),
    "onnx": ("onnxruntime",),
    "tflite": ("ai_edge_litert",),
    "demo": ("amqtt",),
    "update": ("cryptography",),
}
"""The optional packages that each extra installs, by import name."""

INTERRUPTED = 130
BROKEN_PIPE = 141
BUG = 70


class LazyGroup(TyperGroup):
    """Lists all commands by name, and imports only the chosen one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the chosen command itself instead of its placeholder in the help."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else _command(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Ctrl-C and a closed stdout end with the shells' codes instead of typer's 1."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _close_stdout()
            raise typer.Exit(BROKEN_PIPE) from None


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"vcedge {__version__}")
        raise typer.Exit


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Watch sensor streams on the machine itself, with a network that updates only what it must.

    Exit codes: 0 done, 1 a gate failed, 2 usage, 65 bad data, 66 no such input, 69 unavailable, 70 a bug,
    74 input or output, 78 bad configuration. VCEDGE_DEBUG=1 adds a traceback to an error.
    """


def main() -> None:
    """Run the program, and end the process with its exit code. Errors are one or two lines on stderr."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command line, by default that of this process; return its exit code."""
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
    """Import a module of this folder and return its command."""
    target = getattr(importlib.import_module(f"vcedge.cli.{name}"), f"{name}_command")
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name, context_settings={"help_option_names": ["-h", "--help"]})(target)
        target = single
    return typer.main.get_command(target)


def _report(error: Exception) -> int:
    """Print the error on stderr and return its exit code."""
    known = _known(error)
    if os.environ.get("VCEDGE_DEBUG") == "1":
        traceback.print_exception(error)
    if known is None:
        what = f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__
        text = f"internal error: {what} (VCEDGE_DEBUG=1 shows where; please report it)"
    else:
        text = str(known)
    print(f"vcedge: error: {text}", file=sys.stderr)
    return BUG if known is None else known.exit_code


def _known(error: Exception) -> VcedgeError | None:
    """Return the error as one a user can cause; None for a bug."""
    if isinstance(error, VcedgeError):
        return error
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        if extra is None:
            return None
        return Unavailable(f"this needs the package '{package}', which is not installed: pip install 'vcedge[{extra}]'")
    if isinstance(error, OSError):
        name = "" if error.filename is None else f"{error.filename}: "
        return InputOutputError(f"{name}{error.strerror or error}")
    return None


def _close_stdout() -> None:
    """Discard what is still buffered: stdout has no reader any more, so flushing it at exit would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
