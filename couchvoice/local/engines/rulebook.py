"""The file of rules by which the local server answers, read and checked.

    rules:                       the first that fits answers
      - heard:                   phrases, which the phrases recognizer knows, and /regular expressions/
          - is memory on
        say: One moment.         what to say, before the calls if there are any
        call:                    tools by name, each with its arguments; several are called in parallel
          show_memory_status: {}   an argument may hold {heard}, or a {field} of what a tool has told before
        known: {field: value}    only while a tool has told this
        told: /"(?P<name>…)"/    only in a session whose instructions it fits; its groups fill {name} in what is said
    tools:                       what to make of the tools' outputs; "*" stands for the tools that are not named
      show_memory_status:
        then: "{response_text}"  a sentence, or several as {when: {field: value}, say: …, call: …}: the first that fits
        failed: …                the output has an error, or no sentence fits
        missing: …               the session does not offer the tool
    otherwise: …                 when no rule fits
    silence: …                   when the user says nothing for as long as the session's idle timeout

rules.schema.json says the same to an editor.
Law: a mistake in the file is found when it is read, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from couchvoice.errors import ConfigError
from couchvoice.yaml_file import YamlFile

ANY_TOOL = "*"

_REGEX = re.compile(r"/(.+)/")
_NOT_WORDS = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")


@dataclass(frozen=True, slots=True)
class Rule:
    """``phrases`` as written; ``patterns`` match normalised text.

    ``told``: what the instructions must hold; ``known``: what a tool must have told.
    """

    phrases: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    say: str
    calls: Mapping[str, dict[str, Any]]
    told: re.Pattern[str] | None = None
    known: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sentence:
    """``when``: fields of the tool's output and the values that they must have. ``calls``: what is called after it."""

    when: Mapping[str, object]
    say: str
    calls: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolTalk:
    """What to say about a tool. None: as "*" has it."""

    then: tuple[Sentence, ...] | None = None
    failed: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A whole file. ``otherwise`` and ``silence`` are None when the file leaves them out."""

    rules: tuple[Rule, ...]
    tools: Mapping[str, ToolTalk]
    otherwise: str | None
    silence: str | None


def normalised(text: str) -> str:
    """For comparing: lower case, words apart by one space, no punctuation."""
    return _NOT_WORDS.sub(" ", _APOSTROPHES.sub("", text.lower())).strip()


def read_rules(path: Path) -> RuleBook:
    """Raises ConfigError that names the file and the line."""
    file = YamlFile(path)
    root = file.root()
    try:
        return _Reader(file).book(root)
    except RecursionError as exc:  # an alias of what it stands in
        raise ConfigError(f"{path}: nested too deeply") from exc


class _Reader:
    """Turns YAML nodes into rules."""

    def __init__(self, file: YamlFile) -> None:
        self._file = file
        self._taken: dict[str, int] = {}  # phrase, line

    def book(self, node: yaml.Node) -> RuleBook:
        fields = self._file.fields(node, "the file", known=("rules", "tools", "otherwise", "silence"))
        items = self._list("rules", fields.get("rules") or self._file.fail(node, "no rules"))
        tools = dict(self._file.pairs(fields["tools"])) if "tools" in fields else {}
        talks = {name: self._tool(node) for name, node in tools.items()}
        for name, talk in talks.items():
            if name in _called_after(talk, talks):
                self._file.fail(tools[name], f"{name} is called after itself: that would never end")
        return RuleBook(
            rules=tuple(self._rule(item) for item in items),
            tools=talks,
            otherwise=self._text_of(fields, "otherwise"),
            silence=self._text_of(fields, "silence"),
        )

    def _rule(self, node: yaml.Node) -> Rule:
        fields = self._file.fields(node, "a rule", known=("heard", "say", "call", "known", "told"))
        if "heard" not in fields or not fields.keys() & {"say", "call"}:
            self._file.fail(node, "a rule needs heard, and say or call")
        phrases: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for item in self._list("heard", fields["heard"]):
            text = self._file.text(item)
            if regex := _REGEX.fullmatch(text):
                patterns.append(self._pattern(item, regex[1]))
            else:
                phrases.append(self._phrase(item, text))
        told = self._told(fields["told"]) if "told" in fields else None
        known = self._object(fields["known"]) if "known" in fields else {}
        say = self._text_of(fields, "say") or ""
        return Rule(tuple(phrases), tuple(patterns), say, self._calls(fields), told, known)

    def _calls(self, fields: Mapping[str, yaml.Node]) -> dict[str, dict[str, Any]]:
        if "call" not in fields:
            return {}
        return {name: self._object(value) for name, value in self._file.pairs(fields["call"])}

    def _told(self, node: yaml.Node) -> re.Pattern[str]:
        regex = _REGEX.fullmatch(self._file.text(node))
        if regex is None:
            self._file.fail(node, "told: expected a /regular expression/")
        return self._pattern(node, regex[1])

    def _list(self, name: str, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._file.fail(node, f"{name}: expected a list")
        return self._file.items(node)

    def _tool(self, node: yaml.Node) -> ToolTalk:
        fields = self._file.fields(node, "a tool", known=("then", "failed", "missing"))
        failed, missing = self._text_of(fields, "failed"), self._text_of(fields, "missing")
        match fields.get("then"):
            case None:
                return ToolTalk(None, failed, missing)
            case yaml.SequenceNode() as several:
                return ToolTalk(tuple(self._sentence(item) for item in self._file.items(several)), failed, missing)
            case single:
                return ToolTalk((Sentence({}, self._file.text(single)),), failed, missing)

    def _sentence(self, node: yaml.Node) -> Sentence:
        fields = self._file.fields(node, "a sentence", known=("when", "say", "call"))
        if "say" not in fields:
            self._file.fail(node, "a sentence needs say")
        when = self._object(fields["when"]) if "when" in fields else {}
        return Sentence(when, self._file.text(fields["say"]), self._calls(fields))

    def _phrase(self, node: yaml.Node, text: str) -> str:
        key = normalised(text)
        if not key:
            self._file.fail(node, "a phrase without words")
        if key in self._taken:
            self._file.fail(node, f'"{text}" is heard by the rule at line {self._taken[key]} already')
        self._taken[key] = _line(node)
        return text

    def _pattern(self, node: yaml.Node, regex: str) -> re.Pattern[str]:
        try:
            return re.compile(regex)
        except re.error as exc:
            self._file.fail(node, f"not a regular expression: {exc}")

    def _object(self, node: yaml.Node) -> dict[str, Any]:
        return {name: self._file.value(value) for name, value in self._file.pairs(node)}

    def _text_of(self, fields: Mapping[str, yaml.Node], name: str) -> str | None:
        return self._file.text(fields[name]) if name in fields else None


def _called_after(talk: ToolTalk, talks: Mapping[str, ToolTalk]) -> set[str]:
    """The tools that a tool leads to, at once or through others."""
    found: set[str] = set()
    ahead = [talk]
    while ahead:
        new = {name for sentence in ahead.pop().then or () for name in sentence.calls} - found
        found |= new
        ahead += [talks[name] for name in new if name in talks]
    return found


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
