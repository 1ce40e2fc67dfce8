"""What a sound device tells whoever uses it while the sound goes on: data for notices, sentences are made elsewhere.

Law: a report asks for nothing: whoever reports has already done what can be done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from couchvoice.audio.portaudio import Kind

# missing: could not be opened in the first place, and is looked for.  lost: was open.  replaced: another one (the
# default) takes its place.  restored: as it should be.  silent: nothing but zeros come, which no real microphone gives.
Status = Literal["missing", "lost", "replaced", "restored", "silent"]


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """``name`` is the device's that is meant; with ``replaced`` the one that takes its place. ``detail``: why."""

    kind: Kind
    status: Status
    name: str | None
    detail: str = ""


@runtime_checkable
class Reporting(Protocol):
    """A source or a sink that can tell. A file cannot: it need not have this."""

    def report_to(self, tell: Callable[[DeviceReport], None]) -> None:
        """Call ``tell`` on the event loop from ``open`` on."""
