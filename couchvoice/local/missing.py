"""A part of the local server that is not installed.

Law: engines are imported where they are used, and the one who lacks one reads what to install, never a traceback.
"""

from __future__ import annotations

from couchvoice.errors import ConfigError


class MissingPart(ConfigError):
    """A package of the extra ``couchvoice[local]`` is not there. ``package`` is its name on PyPI."""

    code = "missing_part"

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(package, purpose)
        self.package = package
        self.purpose = purpose

    def __str__(self) -> str:
        return f'{self.purpose} needs {self.package}: pip install "couchvoice[local]"'
