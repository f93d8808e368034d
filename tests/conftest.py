"""Settings all tests share: property tests have no deadline, since machines are shared and some are slow."""

import signal

from hypothesis import settings

settings.register_profile("edgepde", deadline=None)
settings.load_profile("edgepde")

# A run started in the background of a shell ignores SIGINT, and so would every child that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
