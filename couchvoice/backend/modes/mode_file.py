"""A mode as a file: NAME.yaml, one for each.

    prompt: |                     what this mode is for, up to MAX_PROMPT characters
      Mode interviewer: …
    persona: Dry and friendly.    who the assistant is, or {seed: 7}: made from the seed, the same every time
    tools: [show_memory_status]   by name; left out: all of them. Those for silence and danger are always there
    voice: ash                    until somebody asks for another one

Law: a mistake in the file is found when it is read, with its line; a mode can take no tool away that keeps people safe.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import yaml

from couchvoice.backend.modes.persona import persona_from
from couchvoice.contract import VOICES
from couchvoice.errors import ConfigError
from couchvoice.yaml_file import YamlFile

MAX_PROMPT = 1_500  # characters
MAX_PERSONA = 500  # characters
DEFAULT_MODE = "companion"

_SHIPPED = Path(__file__).with_name("shipped")
_SUFFIX = ".yaml"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeFile:
    """``tools`` None: all."""

    name: str
    prompt: str
    persona: str = ""
    tools: frozenset[str] | None = None
    voice: str | None = None

    @property
    def manner(self) -> str:
        return f"{self.prompt}\n{self.persona}".strip()


def read_modes(folder: Path | None, *, tools: Collection[str]) -> dict[str, ModeFile]:
    """The shipped modes, and those of the folder: of one name the folder's. ``tools``: which there are.

    Raises ConfigError.
    """
    shipped = {path.stem: _read(path, None) for path in _files(_SHIPPED)}
    if folder is None:
        return shipped
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}: modes_dir names one that holds NAME{_SUFFIX} for each mode")
    return shipped | {path.stem: _read(path, tools) for path in _files(folder)}


@functools.cache
def default_manner() -> str:
    return _read(_SHIPPED / f"{DEFAULT_MODE}{_SUFFIX}", None).manner


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX and not path.name.startswith("."))


def _read(path: Path, known: Collection[str] | None) -> ModeFile:
    """``known`` None: a backend with fewer tools than ours has the shipped modes all the same."""
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(f"{path}: a mode is called by its file, in small letters, digits, - and _")
    file = YamlFile(path)
    root = file.root()
    fields = file.fields(root, "a mode", known=("prompt", "persona", "tools", "voice"))
    if "prompt" not in fields:
        file.fail(root, "a mode needs a prompt")
    return ModeFile(
        name=path.stem,
        prompt=_text(file, fields["prompt"], MAX_PROMPT),
        persona=_persona(file, fields["persona"]) if "persona" in fields else "",
        tools=_tools(file, fields["tools"], known) if "tools" in fields else None,
        voice=_voice(file, fields["voice"]) if "voice" in fields else None,
    )


def _text(file: YamlFile, node: yaml.Node, limit: int) -> str:
    text = file.text(node)
    if not text or len(text) > limit:
        file.fail(node, f"a text of 1 to {limit} characters is wanted, not one of {len(text)}")
    return text


def _persona(file: YamlFile, node: yaml.Node) -> str:
    if not isinstance(node, yaml.MappingNode):
        return _text(file, node, MAX_PERSONA)
    fields = file.fields(node, "a persona", known=("seed",))
    if "seed" not in fields:
        file.fail(node, "a persona is a text, or {seed: …}")
    return persona_from(_text(file, fields["seed"], MAX_PERSONA))


def _tools(file: YamlFile, node: yaml.Node, known: Collection[str] | None) -> frozenset[str]:
    if isinstance(node, yaml.SequenceNode) and not node.value:
        return frozenset()
    items = {file.text(item): item for item in file.items(node)}
    for name, item in items.items():
        if known is not None and name not in known:
            file.fail(item, f"there is no tool {name!r}")
    return frozenset(items)


def _voice(file: YamlFile, node: yaml.Node) -> str:
    voice = file.text(node)
    if voice not in VOICES:
        file.fail(node, f"unknown voice {voice!r}: choose one of {', '.join(VOICES)}")
    return voice
