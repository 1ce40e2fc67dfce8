"""A YAML file that a person wrote, node by node, so that a mistake can be named with its line.

Not what the file is about: that is its reader's. Law: texts are taken as written (``no`` is no boolean), and whatever
is wrong is a ConfigError with the file and, where there is one, the line.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from couchvoice.errors import ConfigError


def by_line(line: int, column: int) -> str:
    return f", line {line}"


class YamlFile:
    """``place`` words where something is, of a line and a column that count from 1."""

    def __init__(self, path: Path, *, place: Callable[[int, int], str] = by_line) -> None:
        self._path = path
        self._place = place

    def root(self) -> yaml.Node:
        """The whole of it. Raises ConfigError, also when there is nothing in it."""
        try:
            root = yaml.compose(self._path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"cannot read {self._path}: {exc}") from exc
        except yaml.MarkedYAMLError as exc:
            raise ConfigError(f"{self._path}{self._at(exc.problem_mark)}: {exc.problem}") from exc
        except yaml.YAMLError as exc:  # a character that YAML does not allow
            raise ConfigError(f"{self._path}: {exc}") from exc
        except RecursionError as exc:
            raise ConfigError(f"{self._path}: nested too deeply") from exc
        if root is None:
            raise ConfigError(f"{self._path}: there is nothing in it")
        return root

    def fields(self, node: yaml.Node, what: str, *, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        fields = dict(self.pairs(node))
        for name, value in fields.items():
            if name not in known:
                self.fail(value, f"unknown key {name!r}: {what} has {', '.join(known)}")
        return fields

    def pairs(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, "expected keys and values")
        names: set[str] = set()
        for key, value in node.value:
            name = self.text(key)
            if name in names:
                self.fail(key, f"{name!r} is there twice")
            names.add(name)
            yield name, value

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fail(node, "expected a list")
        return list(node.value)

    def text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.fail(node, "expected a text")
        return str(node.value).strip()

    def value(self, node: yaml.Node) -> Any:
        """As in JSON: plain numbers, true, false and null are themselves, all other scalars are texts."""
        match node:
            case yaml.MappingNode():
                return {name: self.value(value) for name, value in self.pairs(node)}
            case yaml.SequenceNode():
                return [self.value(item) for item in node.value]
            case yaml.ScalarNode(style=None):
                return plain(self.text(node))
        return self.text(node)

    def fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise ConfigError(f"{self._path}{self._at(node.start_mark)}: {problem}")

    def _at(self, mark: yaml.Mark | None) -> str:
        return self._place(mark.line + 1, mark.column + 1) if mark else self._place(1, 1)


def plain(text: str) -> Any:
    """What an unquoted scalar means."""
    with contextlib.suppress(ValueError):
        return json.loads(text, parse_constant=str)
    return text
