"""What people and logs get to see of a tool call: its name made harmless, its output without what is private.

Law: the name and the output that the model and the backend exchange are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

MAX_NAME = 64  # characters. OpenAI: a function's name has "a maximum length of 64"
PRIVATE = "[private]"  # in place of a value that the user is not shown

# OpenAI's are a-z, A-Z, 0-9, _ and -; other servers' have dots, slashes and letters of other scripts.
_UNUSUAL = re.compile(r"[^\w./:-]")


def shown_name(name: str) -> str:
    """The model made the name up as it goes: it may hold line breaks, escape sequences, or a whole sentence."""
    return _UNUSUAL.sub("?", name[:MAX_NAME])


def shown_output(output: Mapping[str, Any], private: Collection[str]) -> dict[str, Any]:
    """A copy in which every field of these names, however deep, has ``PRIVATE`` as its value."""
    return {name: PRIVATE if name in private else _shown(value, private) for name, value in output.items()}


def _shown(value: Any, private: Collection[str]) -> Any:
    match value:
        case Mapping():
            return shown_output(value, private)
        case list():
            return [_shown(item, private) for item in value]
        case _:
            return value
