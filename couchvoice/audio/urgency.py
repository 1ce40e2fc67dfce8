"""The card's thread goes before others: a block that is 10 ms late is heard, whatever else this machine has to do.

Law: a wish, not a need. Where the system refuses (an ordinary user without a limit for it, another system than Linux),
the thread goes on as it was, and nobody is told.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

LEAST_REALTIME = 1  # sched(7): any real-time priority goes before all of SCHED_OTHER; more would not help
NICENESS = -11  # what PulseAudio and PipeWire take for themselves


def hurry() -> None:
    """Ask for the calling thread, once in its life. Never raises."""
    if sys.platform != "linux":
        return  # CoreAudio and WASAPI give their callbacks a real-time thread
    # sched(7): 0 is the calling thread; what it starts (nothing does) begins as any other.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(LEAST_REALTIME))
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
