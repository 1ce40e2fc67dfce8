"""Which engines a local server is to have, as its owner says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from couchvoice.private import Private


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible server: ``url`` is its base, such as http://127.0.0.1:11434/v1."""

    url: str
    model: str
    key: Private | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """``recordings`` are WAVs with their text beside them; ``phrases``: what the rules know may be said, too.

    ``replies`` None: the shipped rules. An endpoint takes the place of the engines that work offline; a sherpa-onnx
    model takes the place of the phrases, and hears what no recording explains.
    """

    recordings: Sequence[Path] = ()
    phrases: bool = True
    replies: Path | None = None
    transcription: Endpoint | None = None
    sherpa_onnx: Path | None = None  # a folder with a model
    chat: Endpoint | None = None
    speech: Endpoint | None = None
