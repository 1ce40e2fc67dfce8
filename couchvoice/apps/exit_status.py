"""The exit status of a talk: which failure is which number.

0 ok · 1 broke after ready, or a turn or ``/end`` was not accepted, or an answer never came · 2 wrong options or
unreadable input file · 3 no audio device · 4 backend or provider unreachable, refusing or answering nonsense before
ready · 130 Ctrl-C · 143 SIGTERM.
"""

from __future__ import annotations

from couchvoice.errors import AudioDeviceError, ConfigError, CouchvoiceError

OK = 0
BROKE = 1
WRONG_INPUT = 2
NO_AUDIO = 3
NOT_CONNECTED = 4
SIGNALLED = 128  # plus the signal's number


def exit_status(error: CouchvoiceError | None, *, was_ready: bool, debts_paid: bool) -> int:
    """The status when no signal ended the talk."""
    match error:
        case ConfigError():
            return WRONG_INPUT
        case AudioDeviceError():
            return NO_AUDIO
        case None:
            return OK if debts_paid else BROKE
        case _:
            return BROKE if was_ready else NOT_CONNECTED
