"""What a program leaves on the disk: where a text lies in a folder, what is sound, what it may still write to."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# How files of sound begin: WAV and AIFF, Ogg (Opus, Vorbis), FLAC, MP3 with tags, Matroska, AU; and Opus in any other.
_SOUNDS = (b"RIFF", b"FORM", b"OggS", b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b".snd")
_OPUS_HEADER = b"OpusHead"


def encodings(phrase: str) -> Iterator[bytes]:
    """The ways in which a text may lie in a file."""
    for codec in ("utf-8", "utf-16-le", "utf-16-be"):
        yield phrase.encode(codec)
    padded = phrase.encode()
    for before in range(3):
        # The characters that neighbours have a part in are left out.
        encoded = base64.b64encode(b"\0" * before + padded)
        yield encoded[(before * 8 + 5) // 6 : (before + len(padded)) * 8 // 6]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def found(phrase: str, folder: Path) -> list[Path]:
    """The files that hold it, and those whose names do."""
    ways = list(encodings(phrase))
    return [path for path in files(folder) if any(way in path.read_bytes() + str(path).encode() for way in ways)]


def sounds(folder: Path) -> list[Path]:
    """The files that are sound, whatever they are called."""
    return [path for path in files(folder) if _is_sound(path.read_bytes())]


def _is_sound(content: bytes) -> bool:
    return content.startswith(_SOUNDS) or _OPUS_HEADER in content


def written_by(pid: int) -> set[Path]:
    """The files that a process has open to write to, also those that have no name any more; its stderr left out."""
    open_files = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            flags = int(Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().split("flags:")[1].split()[0], 8)
            # Pipes and sockets are no files.
            if int(entry.name) > 2 and flags & os.O_ACCMODE != os.O_RDONLY and entry.readlink().is_absolute():
                open_files.add(entry.readlink())
    return open_files - {Path(os.devnull)}
