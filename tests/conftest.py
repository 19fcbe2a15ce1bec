"""Ctrl-C works in the processes that tests start, also where the tests themselves run in the background of a shell."""

import signal

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and what is ignored is inherited by every program below.
    signal.signal(signal.SIGINT, signal.default_int_handler)
