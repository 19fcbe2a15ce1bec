"""Set up hypothesis for busy machines, and SIGINT for the processes that tests start."""

import signal

from hypothesis import HealthCheck, settings

# No deadline: tests assert behaviour, and a busy or emulated machine may take any time.
settings.register_profile("vcedge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vcedge")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and every process below inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
