"""The child process in which pocketsphinx runs, from its start to its end.

Not what the answers mean: that is phrases.py.
Law: an answer is bounded in time; a child that is late is ended, one that has ended is started again when it is needed,
and none outlives ``close``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from couchvoice.local.engines.engine_failed import EngineFailed

TIMEOUT = 10.0  # s for an answer: 15 s of sound take one, the start of the child 0.2

_END_TIMEOUT = 2.0  # s until a killed child is gone
_LENGTH = struct.Struct("<I")  # as in the child
# -P: else the script's directory shadows modules of the standard library (secrets).
COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("pocketsphinx_child.py")))
_NAME = "pocketsphinx"

_log = logging.getLogger("couchvoice.local")


class PocketsphinxProcess:
    """Knows these phrases, each a list of words. Returns before the child is ready. Whoever makes it closes it.

    Raises EngineFailed.
    """

    def __init__(self, phrases: Sequence[Sequence[str]], *, command: Sequence[str] = COMMAND) -> None:
        self._grammar = json.dumps(phrases).encode() + b"\n"
        self._command = command
        self._asking = threading.Lock()  # one sound at a time
        self._living = threading.Lock()  # start and end of the child; ``close`` must not wait for an answer
        self._closed = False
        self._child = self._started()

    def ask(self, sound: bytes) -> Any:
        """Blocking. The child's answer, as in its docstring. Raises EngineFailed."""
        with self._asking:
            child = self._running()
            assert child.stdin is not None  # they are pipes, both
            assert child.stdout is not None
            limit = threading.Timer(TIMEOUT, child.kill)
            limit.start()
            line = b""
            try:
                child.stdin.write(_LENGTH.pack(len(sound)) + sound)
                child.stdin.flush()
                line = child.stdout.readline()
                return json.loads(line)
            except (OSError, ValueError) as exc:  # ValueError: an end before the line's, or a closed pipe
                with self._living:
                    _end(child)
                raise EngineFailed(_NAME, f"it ended, or gave no answer within {TIMEOUT:g} s") from exc
            finally:
                limit.cancel()
                limit.join()

    def close(self) -> None:
        """Whoever waits for an answer gets EngineFailed."""
        with self._living:
            self._closed = True
            _end(self._child)

    def _running(self) -> subprocess.Popen[bytes]:
        with self._living:
            if self._closed:
                raise EngineFailed(_NAME, "it is closed")
            if self._child.poll() is not None:
                _log.warning("x %s ended with status %s and is started again", _NAME, self._child.returncode)
                _end(self._child)
                self._child = self._started()
            return self._child

    def _started(self) -> subprocess.Popen[bytes]:
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            child = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=nowhere)
        except OSError as exc:
            raise EngineFailed(_NAME, str(exc)) from exc
        assert child.stdin is not None  # it is a pipe
        with contextlib.suppress(OSError):  # it ended at once: ``ask`` will see
            child.stdin.write(self._grammar)
            child.stdin.flush()
        return child


def _end(child: subprocess.Popen[bytes]) -> None:
    """May be called twice."""
    child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_END_TIMEOUT)
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):  # what was not written yet has no reader
            if pipe is not None:
                pipe.close()
