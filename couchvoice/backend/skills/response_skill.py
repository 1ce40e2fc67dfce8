"""A response skill: the text of a style, and over it that of a therapeutic approach.

Law: every text is a file of the package, in our own words; a style and an approach go together whichever they are.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Literal

from couchvoice.backend.approaches import Approach

ResponseStyle = Literal["supportive", "reflective", "clarifying", "psychoeducation", "closing", "technique"]


def skill_context(style: ResponseStyle, approach: Approach | None = None) -> str:
    return "\n\n".join((_text("styles", style), *((_text("approaches", approach),) if approach else ())))


@functools.cache
def _text(folder: str, name: str) -> str:
    return resources.files(__package__).joinpath(folder, f"{name}.md").read_text(encoding="utf-8").strip()
