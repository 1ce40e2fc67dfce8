"""What the local server answers: the rules, applied.

Not a language model: it knows what the file of rules knows (rulebook.py says how to write one).
Law: stateless and deterministic, so that one instance serves every session. What was asked with which tools on offer
gives the answer; the tools' outputs give what follows.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from couchvoice.local.engines.placeholders import HEARD, PLACEHOLDER, fill, names_in, told_before
from couchvoice.local.engines.required_call import completed, lacks_arguments, required_call, tool_named
from couchvoice.local.engines.rulebook import ANY_TOOL, Rule, RuleBook, Sentence, ToolTalk, normalised, read_rules
from couchvoice.local.protocol.reply import Call, Part, Question, Say, ToolResult

_SHIPPED = Path(__file__).with_name("replies.yaml")


class Rules:
    """The rules of a file; what it leaves out of ``tools``, ``otherwise`` and ``silence`` is as in the shipped one."""

    def __init__(self, book: RuleBook, shipped: RuleBook) -> None:
        self._rules = book.rules
        self._tools = {**shipped.tools, **book.tools}
        self._otherwise, self._silence = (
            (own if own is not None else other) or ""
            for own, other in ((book.otherwise, shipped.otherwise), (book.silence, shipped.silence))
        )
        self._by_phrase = {normalised(phrase): rule for rule in book.rules for phrase in rule.phrases}

    @classmethod
    def load(cls, path: Path | None = None) -> Rules:
        """None: the shipped rules. Raises ConfigError that names the file and the line."""
        shipped = read_rules(_SHIPPED)
        return cls(shipped if path is None else read_rules(path), shipped)

    @property
    def phrases(self) -> tuple[str, ...]:
        """What one may say, as the file spells it."""
        return tuple(phrase for rule in self._rules for phrase in rule.phrases)

    async def answer(self, question: Question) -> AsyncGenerator[Part, None]:
        """The replier of a server without a model. Raises EngineFailed for a required call that cannot be made."""
        for part in self.parts(question):
            yield part

    def parts(self, question: Question) -> tuple[Part, ...]:
        if question.must_call is not None:
            return self._with_a_call(question)
        if question.results:
            return self._reports(question)
        if question.idle and not question.heard:
            return _said(self._silence)
        return self._answer(question)

    def _with_a_call(self, question: Question) -> tuple[Part, ...]:
        """What the rule says and calls if it calls what is required, else the required call alone.

        After tools, too: as at OpenAI, ``required`` holds until the session or the response lifts it.
        """
        parts = self._answer(question)
        likely = [part for part in parts if isinstance(part, Call)]
        calls = [completed(call, question) for call in likely if question.must_call in ("", call.name)]
        if not calls:
            return (required_call(question),)
        return (*(part for part in parts if isinstance(part, Say)), *calls)

    def _answer(self, question: Question) -> tuple[Part, ...]:
        rule, values = self._rule(question)
        if rule is None:
            return _said(self._otherwise)
        calls = _calls(rule.calls, values, question)
        missing = [self._talk(name).missing or "" for name in rule.calls if tool_named(question, name) is None]
        preamble = _told(rule, question.instructions) if calls or not rule.calls else ""
        return (*_said(preamble, *missing), *calls)

    def _rule(self, question: Question) -> tuple[Rule | None, Mapping[str, object]]:
        """By the whole phrase; else the first rule of which a pattern, or a phrase among other words, is in it.

        With it: what its placeholders stand for.
        """
        heard = normalised(question.heard)
        by_phrase = self._by_phrase.get(heard)
        fitting = (rule for rule in self._rules if _fits(rule, heard))
        for rule in (*((by_phrase,) if by_phrase is not None else ()), *fitting):
            values = _values(rule, question)
            if values is not None:
                return rule, values
        return None, {}

    def _reports(self, question: Question) -> tuple[Part, ...]:
        """What is said of each output, then what is to be called after them."""
        texts: list[str] = []
        calls: list[Part] = []
        for result in question.results:
            sentence, text = self._report(result)
            texts.append(text)
            if sentence is not None:
                calls += _calls(sentence.calls, {**result.arguments, **result.output}, question)
        return (*_said(*texts), *calls)

    def _report(self, result: ToolResult) -> tuple[Sentence | None, str]:
        talk = self._talk(result.name)
        if not result.output.get("error"):
            for sentence in talk.then or ():
                text = _filled(sentence, result)
                if text is not None:
                    return sentence, text
        return None, talk.failed or ""

    def _talk(self, name: str) -> ToolTalk:
        own, other = self._tools.get(name, ToolTalk()), self._tools.get(ANY_TOOL, ToolTalk())
        return ToolTalk(
            other.then if own.then is None else own.then,
            other.failed if own.failed is None else own.failed,
            other.missing if own.missing is None else own.missing,
        )


def _call(name: str, arguments: dict[str, Any], question: Question) -> Call:
    """As the rule has it; where the tool needs more, what the user's words and the tool's schema give."""
    call = Call(name, copy.deepcopy(arguments))
    return completed(call, question) if lacks_arguments(call, question) else call


def _fits(rule: Rule, heard: str) -> bool:
    if any(pattern.search(heard) for pattern in rule.patterns):
        return True
    return any(f" {normalised(phrase)} " in f" {heard} " for phrase in rule.phrases)


def _values(rule: Rule, question: Question) -> Mapping[str, object] | None:
    """What the placeholders of the rule's calls stand for. None: the rule is not for this session, or this moment."""
    told = rule.told.search(question.instructions) if rule.told is not None else None
    if rule.told is not None and told is None:
        return None
    values: dict[str, object] = {HEARD: question.heard, **(told.groupdict() if told is not None else {})}
    before = told_before(question.items, names_in(rule.calls) - values.keys(), rule.known)
    return None if before is None else {**before, **values}


def _calls(calls: Mapping[str, dict[str, Any]], values: Mapping[str, object], question: Question) -> list[Call]:
    return [
        _call(name, fill(arguments, values), question)
        for name, arguments in calls.items()
        if tool_named(question, name) is not None
    ]


def _told(rule: Rule, instructions: str) -> str:
    """What the rule says, with what it found in the instructions."""
    found = rule.told.search(instructions) if rule.told is not None else None
    if found is None:
        return rule.say
    return PLACEHOLDER.sub(lambda name: found.groupdict().get(name[1]) or name[0], rule.say)


def _filled(sentence: Sentence, result: ToolResult) -> str | None:
    """None: a condition does not hold, or a field is not there."""
    fields = {**result.arguments, **result.output}
    if any(_field(fields, path) != value for path, value in sentence.when.items()):
        return None
    values = {path: _field(fields, path) for path in PLACEHOLDER.findall(sentence.say)}
    if not all(isinstance(value, str | int | float) for value in values.values()):
        return None
    return PLACEHOLDER.sub(lambda found: str(values[found[1]]), sentence.say)


def _field(value: object, path: str) -> object:
    """``found_resources.0.name``: keys and positions."""
    for step in path.split("."):
        match value:
            case Mapping():
                value = value.get(step)
            case list() if step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value


def _said(*texts: str) -> tuple[Part, ...]:
    text = " ".join(filter(None, (text.strip() for text in texts)))
    return (Say(text),) if text else ()
