"""An answer of /chat/completions, put together from what has come of it.

Law: a sentence is given as soon as it has ended, calls when the answer is complete; arguments that are no JSON object
are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from couchvoice.local.protocol.bad_event import BadEvent, read_object
from couchvoice.local.protocol.reply import Call, Say

LONGEST = 2000  # characters of a sentence: what goes on is spoken piece by piece

# What ends a sentence is known to end it when a space follows; where none is written, the mark alone does.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")  # noqa: RUF001


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    """A stream has ``delta``, a whole answer ``message``."""

    delta: _Message | None = None
    message: _Message | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class NoCompletion(Exception):
    """What came is no part of an answer."""


class ChatAnswer:
    def __init__(self) -> None:
        self._text = ""  # of the sentence that has not ended
        self._calls: dict[int, tuple[str, str | dict[str, Any]]] = {}  # name and arguments, so far
        self._began = False

    def take(self, event: Mapping[str, Any]) -> list[Say]:
        """The sentences that have ended. Raises NoCompletion."""
        try:
            completion = msgspec.convert(event, _Completion)
        except msgspec.ValidationError as exc:
            raise NoCompletion from exc
        self._began = True
        said: list[str] = []
        for choice in completion.choices[:1]:  # empty where a server tells its usage
            message = choice.delta or choice.message or _Message()
            said += self._sentences(message.content or "")
            for place, call in enumerate(message.tool_calls or ()):
                self._add(place if call.index is None else call.index, call.function or _Function())
        return _said(said)

    def end(self) -> tuple[list[Say], list[Call]]:
        """The last words, and the calls. Raises NoCompletion."""
        if not self._began:
            raise NoCompletion
        said, self._text = _said([self._text]), ""
        return said, list(self._made())

    def _sentences(self, more: str) -> list[str]:
        """Those that end in ``more``. What came before is never searched again: the text may come letter by letter."""
        ended: list[str] = []
        for start in range(0, len(more), LONGEST):
            # The last character is searched once more: a mark ends a sentence when a space follows it.
            searched = max(len(self._text) - 1, 0)
            self._text += more[start : start + LONGEST]
            begin = 0
            for end in _SENTENCE_END.finditer(self._text, searched):
                ended.append(self._text[begin : end.start()])
                begin = end.end()
            self._text = self._text[begin:]
            while len(self._text) >= LONGEST:
                ended.append(self._text[:LONGEST])
                self._text = self._text[LONGEST:]
        return ended

    def _add(self, index: int, more: _Function) -> None:
        name, arguments = self._calls.get(index, ("", ""))
        if isinstance(more.arguments, dict) or isinstance(arguments, dict):
            arguments = more.arguments or arguments
        else:
            arguments += more.arguments or ""
        self._calls[index] = (name or more.name or "", arguments)

    def _made(self) -> Iterator[Call]:
        for _, (name, arguments) in sorted(self._calls.items()):
            if name:
                yield Call(name, arguments if isinstance(arguments, dict) else _object(arguments))


def _said(sentences: list[str]) -> list[Say]:
    return [Say(text) for sentence in sentences if (text := sentence.strip())]


def _object(text: str) -> dict[str, Any]:
    try:
        return read_object(text)
    except BadEvent:
        return {}
