"""A cassette: the calls of one talk with a provider, kept so that a client can hold it again without the provider.

A zip: ``cassette.json`` with every event both ways at its time, ``packets.msgpack`` with the provider's sound as it
came off the wire, ``said.ogg`` with what was said to it. Zero is the moment at which the channel was open. Written by
scenario, read by local.
Law: what is read is checked; a file of a newer format, or a damaged one, is refused with a reason.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from couchvoice.errors import ConfigError

# The code of the error event for a client that does otherwise than its cassette knows.
CASSETTE_MISMATCH = "cassette_mismatch"
FORMAT = 1  # a reader refuses a newer one
MAX_PART = 256 * 1024 * 1024  # bytes of one part, unpacked: an hour of sound is 20 MB

_INDEX, _PACKETS, _SAID = "cassette.json", "packets.msgpack", "said.ogg"


class Moment(msgspec.Struct, frozen=True):
    """An event. ``at`` in seconds; ``who`` sent it; ``event`` is its JSON, or a text that is none."""

    at: float
    who: Literal["client", "provider"]
    event: Any


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """Opus. ``timestamp`` in samples at 48 kHz, and it never wraps."""

    at: float
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Take:
    """One call. Both are in the order of their times."""

    moments: list[Moment]
    packets: list[Packet]


@dataclass(frozen=True, slots=True)
class Cassette:
    """``takes``: none for a talk that never began."""

    name: str
    recorded: str  # ISO 8601
    takes: list[Take]
    said: bytes = b""  # Opus in Ogg

    def save(self, path: Path) -> None:
        """Raises ConfigError."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            index = _Index(FORMAT, self.name, self.recorded, [take.moments for take in self.takes])
            # For people: a cassette stands in a repository, and is read when a test fails.
            archive.writestr(_INDEX, msgspec.json.format(msgspec.json.encode(index), indent=1))
            archive.writestr(_PACKETS, msgspec.msgpack.encode([take.packets for take in self.takes]))
            archive.writestr(_SAID, self.said, zipfile.ZIP_STORED)
        try:
            path.write_bytes(content.getvalue())
        except OSError as exc:
            raise ConfigError(f"cannot write the cassette {path}: {(exc.strerror or str(exc)).lower()}") from exc


class _Format(msgspec.Struct):
    format: int


class _Index(msgspec.Struct):
    format: int
    name: str
    recorded: str
    takes: list[list[Moment]]


def load_cassette(path: Path) -> Cassette:
    """Raises ConfigError."""
    try:
        with zipfile.ZipFile(path) as archive:
            index_text, packets, said = (_part(archive, name) for name in (_INDEX, _PACKETS, _SAID))
        made_as = msgspec.json.decode(index_text, type=_Format).format
        if made_as > FORMAT:
            raise ConfigError(
                f"cannot play the cassette {path}: it is of format {made_as}, and this couchvoice knows {FORMAT}: "
                "update couchvoice, or record it again"
            )
        index = msgspec.json.decode(index_text, type=_Index)
        sounds = msgspec.msgpack.decode(packets, type=list[list[Packet]])
        takes = [Take(*parts) for parts in zip(index.takes, sounds, strict=True)]
        return Cassette(index.name, index.recorded, takes, said)
    except OSError as exc:
        raise ConfigError(f"cannot read the cassette {path}: {(exc.strerror or str(exc)).lower()}") from exc
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, RecursionError, NotImplementedError) as exc:
        raise ConfigError(f"cannot play the cassette {path}: it is none, or it is damaged; record it again") from exc


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_PART:
        raise zipfile.BadZipFile(f"{name} is too large")
    return archive.read(name)
