"""Ctrl-C works in the processes that tests start, also where the tests themselves run in the background of a shell; and
hypothesis has patience with a machine that is emulated."""

import signal

from hypothesis import HealthCheck, settings

from tests.support.process import SLOWNESS

if SLOWNESS > 1:
    settings.register_profile("emulated", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("emulated")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and what is ignored is inherited by every program below.
    signal.signal(signal.SIGINT, signal.default_int_handler)
