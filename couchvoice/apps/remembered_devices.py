"""The devices that were chosen last, by name: they are the ones of the next talk, until others are chosen.

Law: what cannot be read or written is as if nothing had been chosen; no talk fails for it.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from couchvoice.audio.portaudio import Kind
from couchvoice.private_files import make_private_folder, open_private_file

FILE_NAME = "devices.json"

log = logging.getLogger("couchvoice.apps")


class RememberedDevices:
    """Kept in a file of the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME

    def name(self, kind: Kind) -> str | None:
        name = self._read().get(kind)
        return name if isinstance(name, str) else None

    def remember(self, kind: Kind, name: str | None) -> None:
        """None: the system's default from now on."""
        names = self._read()
        if names.get(kind) == name:
            return
        new = {key: value for key, value in {**names, kind: name}.items() if value is not None}
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            # The backend's database will be in the same folder.
            make_private_folder(self._path.parent)
            with open(beside, "w", encoding="utf-8", opener=open_private_file) as file:
                file.write(json.dumps(new) + "\n")
            beside.replace(self._path)
        except OSError as exc:
            log.info("x the choice of devices is not remembered: %s", exc)

    def _read(self) -> dict[str, object]:
        try:
            names = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return names if isinstance(names, dict) else {}
