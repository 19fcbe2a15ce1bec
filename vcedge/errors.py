"""Defines the errors that a user can cause, each with the exit code that scripts rely on (docs: exit codes).

A message has one or two lines and names the file, the key or row, the value and what was expected.
"""

from __future__ import annotations


def first_line(error: object) -> str:
    """Return the first line of an error's or a text's message, or the error's type if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]


class VcedgeError(Exception):
    """Base of all errors that end a command with one clear line instead of a traceback."""

    exit_code = 70


class GateFailed(VcedgeError):
    """A gate (verify, compare, evaluate with a bar) failed."""

    exit_code = 1


class UsageError(VcedgeError):
    """The command line is wrong."""

    exit_code = 2


class DataError(VcedgeError):
    """A recording, a message or a model file has content that cannot be used."""

    exit_code = 65


class ModelFileError(DataError):
    """A model file is malformed, of a newer format, or does not fit what it is used for."""


class InputNotFound(VcedgeError):
    """A named file does not exist or cannot be opened for reading."""

    exit_code = 66


class Unavailable(VcedgeError):
    """A broker, a service or an optional package that is needed is not available."""

    exit_code = 69


class InputOutputError(VcedgeError):
    """Reading or writing failed for a reason outside the program (disk full, permission)."""

    exit_code = 74


class ConfigError(VcedgeError):
    """A configuration file is malformed or holds an unknown key or an impossible value."""

    exit_code = 78


def error_of(exit_code: int) -> type[VcedgeError]:
    """Return the class of error with this exit code of a vcedge program; Unavailable for a code without one.

    Exit code 1 counts as a code without one, since it may be that of a shell or of ssh.
    """
    errors = (UsageError, DataError, InputNotFound, InputOutputError, ConfigError)
    return next((error for error in errors if error.exit_code == exit_code), Unavailable)
