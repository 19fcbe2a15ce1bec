"""Set up hypothesis for busy machines, SIGINT for the processes that tests start, and logging."""

import logging
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No deadline: tests assert behaviour, and a busy or emulated machine may take any time.
settings.register_profile("vcedge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vcedge")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and every process below inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a command that runs in this process sets up: its handler writes to a stream that pytest closes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
