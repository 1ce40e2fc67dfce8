"""The file of rules by which the local server answers, read and checked.

    rules:                       the first that fits answers
      - heard:                   phrases, which the phrases recognizer knows, and /regular expressions/
          - is memory on
        say: One moment.         what to say, before the calls if there are any
        call:                    tools by name, each with its arguments; several are called in parallel
          show_memory_status: {}
    tools:                       what to make of the tools' outputs; "*" stands for the tools that are not named
      show_memory_status:
        then: "{response_text}"  a sentence, or several as {when: {field: value}, say: …}: the first that fits
        failed: …                the output has an error, or no sentence fits
        missing: …               the session does not offer the tool
    otherwise: …                 when no rule fits

Law: a mistake in the file is found when it is read, with its line.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from couchvoice.errors import ConfigError

ANY_TOOL = "*"

_REGEX = re.compile(r"/(.+)/")
_NOT_WORDS = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")


@dataclass(frozen=True, slots=True)
class Rule:
    """``phrases`` as written; ``patterns`` match normalised text."""

    phrases: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    say: str
    calls: Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """``when``: fields of the tool's output and the values that they must have."""

    when: Mapping[str, object]
    say: str


@dataclass(frozen=True, slots=True)
class ToolTalk:
    """What to say about a tool. None: as "*" has it."""

    then: tuple[Sentence, ...] | None = None
    failed: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A whole file. ``otherwise`` is None when the file leaves it out."""

    rules: tuple[Rule, ...]
    tools: Mapping[str, ToolTalk]
    otherwise: str | None


def normalised(text: str) -> str:
    """For comparing: lower case, words apart by one space, no punctuation."""
    return _NOT_WORDS.sub(" ", _APOSTROPHES.sub("", text.lower())).strip()


def read_rules(path: Path) -> RuleBook:
    """Raises ConfigError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read the rules {path}: {exc}") from exc
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise ConfigError(f"{path}: no rules")
        return _Reader(path).book(root)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ConfigError(f"{path}, line {line}: {exc.problem}") from exc
    except yaml.YAMLError as exc:  # a character that YAML does not allow
        raise ConfigError(f"{path}: {exc}") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}: nested too deeply") from exc


class _Reader:
    """Turns YAML nodes into rules. Texts are taken as written: a phrase "no" is no boolean."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: dict[str, int] = {}  # phrase, line

    def book(self, node: yaml.Node) -> RuleBook:
        fields = self._fields(node, "the file", known=("rules", "tools", "otherwise"))
        rules = tuple(self._rule(item) for item in self._items(fields.get("rules") or self._fail(node, "no rules")))
        tools = dict(self._pairs(fields["tools"])) if "tools" in fields else {}
        otherwise = self._text(fields["otherwise"]) if "otherwise" in fields else None
        return RuleBook(rules, {name: self._tool(node) for name, node in tools.items()}, otherwise)

    def _rule(self, node: yaml.Node) -> Rule:
        fields = self._fields(node, "a rule", known=("heard", "say", "call"))
        if "heard" not in fields or not fields.keys() & {"say", "call"}:
            self._fail(node, "a rule needs heard, and say or call")
        phrases: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for item in self._items(fields["heard"]):
            text = self._text(item)
            if regex := _REGEX.fullmatch(text):
                patterns.append(self._pattern(item, regex[1]))
            else:
                phrases.append(self._phrase(item, text))
        calls = {name: self._object(value) for name, value in self._pairs(fields["call"])} if "call" in fields else {}
        return Rule(tuple(phrases), tuple(patterns), self._text(fields["say"]) if "say" in fields else "", calls)

    def _tool(self, node: yaml.Node) -> ToolTalk:
        fields = self._fields(node, "a tool", known=("then", "failed", "missing"))
        failed, missing = (self._text(fields[name]) if name in fields else None for name in ("failed", "missing"))
        match fields.get("then"):
            case None:
                return ToolTalk(None, failed, missing)
            case yaml.SequenceNode() as several:
                return ToolTalk(tuple(self._sentence(item) for item in self._items(several)), failed, missing)
            case single:
                return ToolTalk((Sentence({}, self._text(single)),), failed, missing)

    def _sentence(self, node: yaml.Node) -> Sentence:
        fields = self._fields(node, "a sentence", known=("when", "say"))
        if "say" not in fields:
            self._fail(node, "a sentence needs say")
        return Sentence(self._object(fields["when"]) if "when" in fields else {}, self._text(fields["say"]))

    def _phrase(self, node: yaml.Node, text: str) -> str:
        key = normalised(text)
        if not key:
            self._fail(node, "a phrase without words")
        if key in self._taken:
            self._fail(node, f'"{text}" is heard by the rule at line {self._taken[key]} already')
        self._taken[key] = _line(node)
        return text

    def _pattern(self, node: yaml.Node, regex: str) -> re.Pattern[str]:
        try:
            return re.compile(regex)
        except re.error as exc:
            self._fail(node, f"not a regular expression: {exc}")

    def _object(self, node: yaml.Node) -> dict[str, Any]:
        return {name: self._value(value) for name, value in self._pairs(node)}

    def _value(self, node: yaml.Node) -> Any:
        """As in JSON: plain numbers, true, false and null are themselves, all other scalars are texts."""
        match node:
            case yaml.MappingNode():
                return self._object(node)
            case yaml.SequenceNode():
                return [self._value(item) for item in node.value]
            case yaml.ScalarNode(style=None):
                with contextlib.suppress(ValueError):
                    return json.loads(node.value, parse_constant=str)
        return self._text(node)

    def _fields(self, node: yaml.Node, what: str, *, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        fields = dict(self._pairs(node))
        for name, value in fields.items():
            if name not in known:
                self._fail(value, f"unknown key {name!r}: {what} has {', '.join(known)}")
        return fields

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, "expected keys and values")
        names: set[str] = set()
        for key, value in node.value:
            name = self._text(key)
            if name in names:
                self._fail(key, f"{name!r} is there twice")
            names.add(name)
            yield name, value

    def _items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(node, "expected a list")
        return list(node.value)

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, "expected a text")
        return str(node.value).strip()

    def _fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise ConfigError(f"{self._path}, line {_line(node)}: {problem}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
