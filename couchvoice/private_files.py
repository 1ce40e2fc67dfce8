"""Folders and files for their owner alone: 0700 and 0600, whatever the umask is.

Law: a folder that is there already is the user's choice, and stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600


def make_private_folder(folder: Path) -> None:
    """With those above it, which are not ours to close. Raises OSError."""
    try:
        folder.mkdir(mode=_FOLDER, parents=True)
        folder.chmod(_FOLDER)  # a umask takes bits away, also from its owner
    except FileExistsError:
        pass


def open_private_file(path: str | os.PathLike[str], flags: int) -> int:
    """As ``os.open``: an opener for ``open()``. Raises OSError."""
    return os.open(path, flags, _FILE)
