"""Where something stands in a file that a person wrote.

Law: worded as compilers do, FILE:LINE:COLUMN, so that an editor jumps there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """``line`` and ``column`` count from 1."""

    file: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}{by_column(self.line, self.column)}"


def by_column(line: int, column: int) -> str:
    """For YamlFile."""
    return f":{line}:{column}"
