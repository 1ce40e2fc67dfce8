"""How a talk is left from outside: by a signal, or because nobody reads its output any more.

Law: the first signal ends the talk properly, the second at once, and the process is gone in time, whatever hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from couchvoice.apps import exit_status
from couchvoice.client.voice_session import VoiceSession

SIGNALLED_END = 2.9  # seconds from the first signal to the end of the process
INSISTED_END = 0.4  # seconds from the second signal
LAST_THREADS = 0.3  # seconds from the end of the talk

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Leave:
    """``status`` is the process's, once something has asked for its end. Made in the task that holds the talk."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.session: VoiceSession | None = None
        self._starting = asyncio.current_task()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        caught = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            caught.remove(signal.SIGHUP)  # nohup
        try:
            for number in caught:
                loop.add_signal_handler(number, self._signalled, number)
        except NotImplementedError:  # Windows: Ctrl-C stays a KeyboardInterrupt
            caught = []
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def when_nobody_reads(self) -> Iterator[None]:
        """Round everything that writes to the screen: the end of ``| head`` ends the talk, with its debts paid."""
        try:
            yield
        except OSError:
            self.status = self.status or exit_status.BROKE
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            if self.session is not None:
                self.session.hang_up()

    def _signalled(self, number: int) -> None:
        first, self.status = self.status is None, exit_status.SIGNALLED + number
        end_process(self.status, within=SIGNALLED_END if first else INSISTED_END)
        if self.session is None:
            assert self._starting is not None  # it was made in a task
            self._starting.cancel()
        elif first:
            self.session.hang_up()
        else:
            self.session.abort()


def end_process(status: int, *, within: float) -> None:
    """The last resort: a thread that asks a dead name server can neither be cancelled nor left behind."""
    watchdog = threading.Timer(within, os._exit, [status])
    watchdog.daemon = True
    watchdog.start()


def end_at_once(status: int) -> NoReturn:
    """After the last word, with the terminal as it was. Python's own end may take seconds, and stops the watchdog."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
            stream.flush()
    os._exit(status)
