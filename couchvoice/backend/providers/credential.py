"""Where a provider's API key comes from: a value, a file that only its owner reads, or a command that prints it.

    a value      from the environment
    a file       read anew each time, so that a key can be changed under a running backend
    a command    such as ``pass show openai`` or ``az account get-access-token``: asked again when what it printed is
                 about to expire, or was refused

Law: a key is Private from the moment it is read; why there is none is said without it, and without what the command
printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import re
import signal
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from couchvoice.errors import ConfigError
from couchvoice.private import Private

COMMAND_TIMEOUT = 5.0  # seconds for a command to print the key
COMMAND_LIFETIME = 300.0  # seconds for which a key is kept whose command does not say how long it holds
EARLY = 60.0  # seconds before it expires, a key counts as expired
PATIENCE = 5.0  # seconds after a failed command until it is run again
MAX_KEY = 64 * 1024  # bytes

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")

# How programs name them that print JSON: az, gcloud, and OAuth's own.
_TOKENS = ("accessToken", "access_token", "token", "api_key")
_EXPIRIES = ("expires_on", "expires_at")  # Unix time
_LIFETIME = "expires_in"  # seconds

_log = logging.getLogger("couchvoice.backend.providers")


class KeyUnreadable(Exception):
    """The text says why, with neither the key nor what a command printed."""


class Credential(Protocol):
    @property
    def from_command(self) -> bool:
        """What it gives is a token that somebody keeps fresh."""

    async def key(self) -> Private:
        """The key; empty when there is none. Raises KeyUnreadable."""

    def refused(self) -> bool:
        """The provider did not take it. True: another try may bring another key."""


class KeyValue:
    """Raises ConfigError for what no header can hold."""

    from_command = False

    def __init__(self, key: Private) -> None:
        # An HTTP library names the header that it cannot send, with its value.
        if key and not _HEADER_SAFE.fullmatch(key.reveal()):
            raise ConfigError("the API key holds a space, a line break or a letter that no key has")
        self._key = key

    async def key(self) -> Private:
        return self._key

    def refused(self) -> bool:
        return False


class KeyFile:
    """Holds nothing but the key, and is closed to everybody but its owner."""

    from_command = False

    def __init__(self, path: Path) -> None:
        self._path = path

    async def key(self) -> Private:
        try:
            return _checked(_read_closed(self._path).decode("utf-8", "replace"))
        except OSError as exc:
            raise KeyUnreadable(f"the key file {self._path} cannot be read: {exc.strerror}") from exc

    def refused(self) -> bool:
        return False


class KeyCommand:
    """``words`` is the program and its arguments, run without a shell. ``clock`` gives Unix time."""

    from_command = True

    def __init__(self, words: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._words = words
        self._clock = clock
        self._running = asyncio.Lock()
        self._printed = _Printed(Private(""), 0.0)
        self._failure: KeyUnreadable | None = None
        self._failed_at = -math.inf

    async def key(self) -> Private:
        async with self._running:  # one command at a time: it may ask somebody to touch a token
            if self._clock() >= self._printed.expires_at - EARLY:
                await self._refresh()
            return self._printed.key

    def refused(self) -> bool:
        known = bool(self._printed.key)
        self._printed = _Printed(Private(""), 0.0)
        return known

    async def _refresh(self) -> None:
        if self._failure is not None and self._clock() < self._failed_at + PATIENCE:
            raise KeyUnreadable(str(self._failure))
        try:
            self._printed = _printed(await self._output(), self._clock())
            self._failure = None
        except KeyUnreadable as exc:
            self._failure, self._failed_at = exc, self._clock()
            if self._clock() >= self._printed.expires_at:
                raise
            _log.warning("x %s: the key of before is used until it expires", exc)

    async def _output(self) -> str:
        program = Path(self._words[0]).name
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:  # ValueError: a NUL in a word
            raise KeyUnreadable(f"the key command {program} cannot be run: {type(exc).__name__}") from exc
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                assert process.stdout is not None  # it was asked for
                output = b""
                while len(output) <= MAX_KEY and (chunk := await process.stdout.read(MAX_KEY)):
                    output += chunk
                if len(output) > MAX_KEY:
                    raise KeyUnreadable(f"the key command {program} prints more than {MAX_KEY // 1024} KiB")
                status = await process.wait()
        except TimeoutError as exc:
            raise KeyUnreadable(f"the key command {program} took longer than {COMMAND_TIMEOUT:g} s") from exc
        finally:
            await _end(process)
        if status != 0:
            raise KeyUnreadable(f"the key command {program} ended with status {status}: run it by hand to see why")
        return output.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Printed:
    key: Private
    expires_at: float  # Unix time


def _printed(text: str, now: float) -> _Printed:
    """What a command printed: the key alone, or JSON with it and its expiry. Raises KeyUnreadable."""
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return _Printed(_checked(text), now + COMMAND_LIFETIME + EARLY)
    token = next((fields[name] for name in _TOKENS if isinstance(fields.get(name), str)), "")
    return _Printed(_checked(token), _expiry(fields, now))


def _expiry(fields: dict[str, Any], now: float) -> float:
    for name, start in (*((name, 0.0) for name in _EXPIRIES), (_LIFETIME, now)):
        with contextlib.suppress(TypeError, ValueError, OverflowError):  # a date, or not there
            if math.isfinite(at := start + float(fields[name]) if name in fields else math.nan):
                return at
    return now + COMMAND_LIFETIME + EARLY


def _checked(text: str) -> Private:
    key = text.strip()
    if not key:
        raise KeyUnreadable("the place of the API key holds none")
    if not _HEADER_SAFE.fullmatch(key):
        raise KeyUnreadable("the API key holds a space, a line break or a letter that no key has")
    return Private(key)


def _read_closed(path: Path) -> bytes:
    """Raises OSError, and KeyUnreadable when others may read the file."""
    # Else a named pipe in its place would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyUnreadable(f"the key file {path} is no file")
        if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnreadable(f"the key file {path} is open to others: chmod 600 it")
        return file.read(MAX_KEY)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The command and whatever it has started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
