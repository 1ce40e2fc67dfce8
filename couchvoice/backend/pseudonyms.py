"""What stands for an owner where operators look: in log lines, and in the ids of sessions.

Law: a pseudonym is a hash with a key, so that nobody who reads it finds the name by trying names. Of persistent
sessions the key is this installation's, a file (0600) that is made when the first of them is opened; of incognito
ones it is this process's own, and is written down nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from couchvoice.contract import MemoryMode
from couchvoice.private_files import make_private_folder, open_private_file

KEY_FILE = "pseudonyms.key"  # in the state folder

_DIGITS = 12  # hex digits: enough to tell owners apart in a list
_KEY_BYTES = 32

_log = logging.getLogger("couchvoice.backend")


class Pseudonyms:
    """Without ``folder`` nothing is written: then an owner has another pseudonym after each start."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._of_process = secrets.token_bytes(_KEY_BYTES)
        self._of_installation: bytes | None = None

    def of(self, owner: str, mode: MemoryMode) -> str:
        """Never raises: where no key can be kept, the process's own serves."""
        key = self._of_process if mode == "incognito" else self._kept()
        return hmac.new(key, owner.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]

    def _kept(self) -> bytes:
        if self._of_installation is None:
            self._of_installation = self._of_process
            if self._folder is not None:
                try:
                    self._of_installation = _key_in(self._folder)
                except OSError as exc:
                    _log.warning("x no key for pseudonyms can be kept: %s", type(exc).__name__)
        return self._of_installation


def _key_in(folder: Path) -> bytes:
    """The key that is there, or a new one. Raises OSError."""
    place = folder / KEY_FILE
    with suppress(FileNotFoundError):
        return _read(place)
    make_private_folder(folder)
    # Whole or not at all: another process may begin at the same moment, and reads what has got its name first.
    draft = place.with_name(f"{KEY_FILE}.{secrets.token_hex(_KEY_BYTES)}")
    with open(draft, "wb", opener=lambda path, flags: open_private_file(path, flags | os.O_EXCL)) as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    try:
        with suppress(FileExistsError):
            os.link(draft, place)
        return _read(place)
    finally:
        draft.unlink()


def _read(place: Path) -> bytes:
    key = place.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(f"{place} is no key")
    return key
