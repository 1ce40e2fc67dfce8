"""PortAudio: the only way to it, and the only thread that calls it.

It knows the devices that were there when it was initialized. To see others it must be initialized anew, and that kills
every stream of the process. So whoever keeps a stream is a Holder, which a restart has close and open it.
Law: calls come one after the other, in one thread; a restart finds no stream open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Literal, Protocol, TypeVar

from couchvoice.audio.permission import is_denial, microphone_hint
from couchvoice.errors import AudioDeviceError, DeviceUnavailable, MicrophoneDenied

NO_PORTAUDIO = (
    "no PortAudio library: install the system's package (Debian, Ubuntu: libportaudio2; "
    "Fedora, Arch, Homebrew: portaudio), or use WAV files"
)

Kind = Literal["input", "output"]
T = TypeVar("T")

# For the life of the process, as the library: on Windows a stream is opened only where the library was initialized.
_thread: Executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="couchvoice-cards")
_holders: list[Holder] = []  # touched in that thread only


class Holder(Protocol):
    """Whoever keeps a stream open. Called in PortAudio's thread; neither raises."""

    def suspend(self) -> None:
        """Close the stream, if there is one."""

    def resume(self) -> None:
        """Open what ``suspend`` closed."""


def call(work: Callable[[], T]) -> T:
    """Do it in PortAudio's thread, and wait."""
    return _thread.submit(work).result()


async def call_soon(work: Callable[[], T]) -> T:
    """As ``call``, without holding up the loop. Cancelled, work that has begun goes on."""
    return await asyncio.wrap_future(_thread.submit(work))


@contextmanager
def portaudio(kind: Kind, doing: str) -> Iterator[ModuleType]:
    """The library, with its errors mapped. Raises AudioDeviceError without it, else as the device fails."""
    try:
        import sounddevice
    except OSError as exc:
        raise AudioDeviceError(NO_PORTAUDIO) from exc
    try:
        yield sounddevice
    except sounddevice.PortAudioError as exc:
        if kind == "input" and is_denial(exc):
            raise MicrophoneDenied(str(exc), microphone_hint()) from exc
        raise DeviceUnavailable(doing, str(exc)) from exc


def hold(holder: Holder) -> None:
    """From now on a restart asks it to close and to open. In the thread."""
    if holder not in _holders:
        _holders.append(holder)


def in_use() -> bool:
    """Somebody keeps a stream. In the thread."""
    return bool(_holders)


def let_go(holder: Holder) -> None:
    """In the thread. Idempotent."""
    if holder in _holders:
        _holders.remove(holder)


def restart(kind: Kind) -> None:
    """See the devices as they are now. In the thread. Raises AudioDeviceError."""
    for holder in _holders:
        holder.suspend()
    try:
        with portaudio(kind, "look for sound devices again") as sd:
            # sounddevice has no public names for it (its issues #125 and #382 recommend these).
            if sd._initialized:
                sd._terminate()
            sd._initialize()
    finally:
        for holder in _holders:
            holder.resume()
