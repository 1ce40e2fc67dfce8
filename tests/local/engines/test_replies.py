"""The rules answer what is heard and report what the tools gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.voice import choose_voice
from couchvoice.local.protocol.reply import Call, Part, Question, Say, ToolResult

OFFERED = ("wait_for_user", "show_memory_status", "lookup_crisis_resources")
MEMORY, CRISIS, WAIT = Call("show_memory_status", {}), Call("lookup_crisis_resources", {}), Call("wait_for_user", {})
LONG = 20.0  # s

OWN = """
rules:
- heard: [what is on my list]
  call: {shopping: {action: list}}
- heard:
  - put milk on my list
  - /\\bbuy (some )?milk\\b/
  say: Just a second.
  call: {shopping: {action: add, item: milk}}
- heard: [thank you]
  say: You are welcome.
tools:
  shopping:
    then:
    - {when: {action: add}, say: "{item} is on your list, {count} things in all."}
    - {when: {count: 0}, say: Your list is empty.}
    - say: "Your list begins with {items.0.name}."
"""


def asked(rules: Rules, heard: str, *tools: dict[str, Any], **more: Any) -> tuple[Part, ...]:
    return rules.parts(Question(heard=heard, tools=tools, **more))


def answer(rules: Rules, heard: str, *, tools: Sequence[str]) -> tuple[Part, ...]:
    return rules.parts(Question(heard=heard, tools=[{"name": name} for name in tools]))


def after_tools(rules: Rules, results: Sequence[ToolResult]) -> tuple[Part, ...]:
    return rules.parts(Question(heard="", results=results))


@pytest.fixture
def shipped() -> Rules:
    return Rules.load()


@pytest.fixture
def own(tmp_path: Path) -> Rules:
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return Rules.load(path)


@pytest.mark.parametrize(
    ("heard", "calls"),
    [
        ("Hello, can you hear me?", ()),
        ("hello can you hear me", ()),
        ("Is memory on for this conversation?", (MEMORY,)),
        ("is memory on", (MEMORY,)),
        ("Hello, tell me, is memory on today?", (MEMORY,)),
        ("I need a local hotline.", (CRISIS,)),
        ("I am in Ireland.", (CRISIS,)),
        ("Is memory on, and is there a local hotline?", (MEMORY, CRISIS)),
        ("This is only the television.", (WAIT,)),
        ("Thank you very much, goodbye.", ()),
    ],
)
def test_the_shipped_rules_call_the_tools_that_the_question_needs(
    shipped: Rules, heard: str, calls: tuple[Call, ...]
) -> None:
    reply = answer(shipped, heard, tools=OFFERED)
    assert tuple(part for part in reply if isinstance(part, Call)) == calls


def test_a_preamble_comes_before_its_call(shipped: Rules) -> None:
    assert [type(part) for part in answer(shipped, "Is memory on?", tools=OFFERED)] == [Say, Call]


def test_goodbye_is_not_answered_like_thanks(shipped: Rules) -> None:
    assert answer(shipped, "Thank you very much, goodbye.", tools=()) == (Say("Goodbye. Take care."),)


@pytest.mark.parametrize("heard", ["", "the quick brown fox"])
def test_what_no_rule_knows_is_asked_about(shipped: Rules, heard: str) -> None:
    (part,) = answer(shipped, heard, tools=OFFERED)
    assert isinstance(part, Say)
    assert part.text.endswith("?")


@pytest.mark.parametrize("heard", ["Is memory on?", "I need a local hotline.", "This is only the television."])
def test_a_tool_that_is_not_offered_is_not_called_but_spoken_about(shipped: Rules, heard: str) -> None:
    (part,) = answer(shipped, heard, tools=())
    assert isinstance(part, Say)


def test_of_two_tools_the_offered_one_is_called(shipped: Rules) -> None:
    reply = answer(shipped, "Is memory on, and is there a local hotline?", tools=["show_memory_status"])
    assert reply[1:] == (MEMORY,)
    assert isinstance(reply[0], Say)
    assert "hotlines" in reply[0].text


def test_every_shipped_phrase_leads_to_its_own_rule(shipped: Rules) -> None:
    unknown = answer(shipped, "the quick brown fox", tools=OFFERED)
    assert len(shipped.phrases) > 40
    assert all(answer(shipped, phrase, tools=OFFERED) != unknown for phrase in shipped.phrases)


async def test_the_story_is_long_enough_to_interrupt_and_all_else_is_short(shipped: Rules) -> None:
    voice = choose_voice()
    story = answer(shipped, "Please tell me a long story.", tools=OFFERED)
    (said,) = story
    assert isinstance(said, Say)
    assert (await voice.speak(said.text, voice="alloy")).samples.size / SAMPLE_RATE >= LONG
    others = [part for phrase in shipped.phrases for part in answer(shipped, phrase, tools=()) if part != said]
    assert max(len(part.text.split()) for part in others if isinstance(part, Say)) < 30


def result(name: str, **output: Any) -> ToolResult:
    return ToolResult(name, {}, output)


@pytest.mark.parametrize(
    ("results", "text"),
    [
        ([result("show_memory_status", response_text="Memory is on.", side_effect="none")], "Memory is on."),
        (
            [
                result("show_memory_status", response_text="On."),
                result("lookup_crisis_resources", response_text="Call."),
            ],
            "On. Call.",
        ),
        ([result("show_memory_status", error="boom")], "I am sorry, I could not find out whether memory is on."),
        ([result("anything", response_text="Ten degrees.")], "Ten degrees."),
        ([result("anything", degrees=10)], "That is done."),
        ([result("anything", error={"message": "boom"})], "I am sorry, that did not work just now."),
    ],
)
def test_after_tools_their_outputs_are_spoken(shipped: Rules, results: list[ToolResult], text: str) -> None:
    assert after_tools(shipped, results) == (Say(text),)


def test_after_waiting_for_the_user_there_is_nothing_to_say(shipped: Rules) -> None:
    assert after_tools(shipped, [result("wait_for_user", response_text="", should_respond=False)]) == ()


def test_a_failed_tool_is_not_quoted(shipped: Rules) -> None:
    reply = after_tools(shipped, [result("lookup_crisis_resources", error="Traceback: boom")])
    assert "boom" not in repr(reply)


@pytest.mark.parametrize(
    ("arguments", "output", "text"),
    [
        ({"action": "add", "item": "milk"}, {"count": 3}, "milk is on your list, 3 things in all."),
        ({"action": "list"}, {"count": 0, "items": []}, "Your list is empty."),
        ({"action": "list"}, {"count": 1, "items": [{"name": "tea"}]}, "Your list begins with tea."),
        ({"action": "list"}, {"count": 1, "items": [{}]}, "I am sorry, that did not work just now."),
    ],
)
def test_own_sentences_choose_by_fields(
    own: Rules, arguments: dict[str, Any], output: dict[str, Any], text: str
) -> None:
    assert after_tools(own, [ToolResult("shopping", arguments, output)]) == (Say(text),)


def test_own_rules_replace_the_shipped_ones_and_keep_their_last_words(own: Rules, shipped: Rules) -> None:
    assert own.phrases == ("what is on my list", "put milk on my list", "thank you")
    assert answer(own, "Is memory on?", tools=OFFERED) == answer(shipped, "the quick brown fox", tools=OFFERED)


def test_a_pattern_is_found_among_other_words(own: Rules) -> None:
    reply = answer(own, "Oh, and please BUY milk!", tools=["shopping"])
    assert reply == ((Say("Just a second."), Call("shopping", {"action": "add", "item": "milk"})))


def test_changing_a_reply_does_not_change_the_rules(own: Rules) -> None:
    (call,) = answer(own, "what is on my list", tools=["shopping"])
    assert isinstance(call, Call)
    call.arguments["action"] = "burn"
    assert answer(own, "what is on my list", tools=["shopping"]) == (Call("shopping", {"action": "list"}),)


# Silence


def test_a_silent_user_is_asked_whether_anybody_is_there(shipped: Rules) -> None:
    (part,) = asked(shipped, "", idle=True)
    assert isinstance(part, Say)
    assert part.text.startswith("Are you still there?")
    assert asked(shipped, "") != (part,)


def test_own_rules_may_keep_quiet_in_silence_and_say_nothing_when_no_rule_fits(tmp_path: Path) -> None:
    path = tmp_path / "quiet.yaml"
    path.write_text('rules: [{heard: [hello], say: Hello.}]\notherwise: ""\nsilence: ""\n', encoding="utf-8")
    rules = Rules.load(path)
    assert asked(rules, "", idle=True) == asked(rules, "the quick brown fox") == ()


# Required calls

SEARCH = {
    "name": "search",
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}, "most": {"type": "integer", "minimum": 1}},
        "required": ["query", "most"],
        "additionalProperties": False,
    },
}
PLAIN = {"name": "plain"}
STATUS = {"name": "show_memory_status", "parameters": {"type": "object", "properties": {}}}
SEARCHING = "rules:\n- heard: [look it up]\n  say: One moment.\n  call: {search: {most: 5}}\n"


@pytest.mark.parametrize("must_call", ["", "search"])
@pytest.mark.parametrize("heard", ["where is Cork", "hello"])
def test_a_required_call_is_made_although_no_rule_makes_it(shipped: Rules, must_call: str, heard: str) -> None:
    assert asked(shipped, heard, SEARCH, PLAIN, must_call=must_call) == (Call("search", {"query": heard, "most": 1}),)


def test_the_named_tool_is_called_and_no_other(shipped: Rules) -> None:
    assert asked(shipped, "Is memory on?", STATUS, PLAIN, must_call="plain") == (Call("plain", {}),)


def test_of_several_the_tool_is_called_that_the_rule_calls(shipped: Rules) -> None:
    parts = asked(shipped, "Is memory on?", PLAIN, STATUS, must_call="")
    assert parts == (Say("One moment."), MEMORY)


def test_a_call_is_required_after_tools_too(shipped: Rules) -> None:
    parts = asked(shipped, "", PLAIN, results=[ToolResult("plain", {}, {})], must_call="")
    assert parts == (Call("plain", {}),)


def test_the_call_of_a_rule_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "searching.yaml"
    path.write_text(SEARCHING, encoding="utf-8")
    rules = Rules.load(path)
    completed = (Say("One moment."), Call("search", {"query": "look it up", "most": 5}))
    assert asked(rules, "look it up", SEARCH) == asked(rules, "look it up", SEARCH, must_call="") == completed
    assert asked(rules, "look it up", {"name": "search"}) == (Say("One moment."), Call("search", {"most": 5}))


IMPOSSIBLE = {
    "name": "impossible",
    "parameters": {"required": ["code"], "properties": {"code": {"pattern": "^[A-Z]$"}}},
}


@pytest.mark.parametrize(
    ("tools", "must_call", "reason"),
    [
        ([], "", "no tool is on offer"),
        ([PLAIN], "search", "the tool that must be called is not on offer"),
        ([IMPOSSIBLE], "", "no arguments were found that satisfy"),
    ],
)
async def test_a_required_call_that_cannot_be_made_fails_the_response(
    shipped: Rules, tools: list[dict[str, Any]], must_call: str, reason: str
) -> None:
    with pytest.raises(EngineFailed, match=reason):
        await anext(shipped.answer(Question(heard="hello", tools=tools, must_call=must_call)))


@pytest.mark.row("D7")
def test_what_a_session_was_told_of_before_can_be_said(shipped: Rules) -> None:
    history = 'Earlier:\n{"user": "I lost my key.", "assistant": "Oh."}\n{"user": "My zebra is ill."}'
    for heard in ("What did we talk about last time?", "So, where were we?"):
        (said,) = asked(shipped, heard, instructions=history)
        assert said == Say("Before, you told me this: My zebra is ill. Let us go on from there.")
        (said,) = asked(shipped, heard, instructions="Be kind.")
        assert said == Say("I know of nothing from before. What is on your mind?")


def test_a_rule_for_other_sessions_leaves_its_phrase_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "rules:\n"
        "- {heard: [who am i], told: '/user (?P<name>\\w+)( of (?P<place>\\w+))?/', say: '{name} {place} {x}'}\n"
        "- {heard: [/am i/], say: Nobody.}\n",
        encoding="utf-8",
    )
    rules = Rules.load(path)
    assert asked(rules, "Who am I?", instructions="user Ada of Rome") == (Say("Ada Rome {x}"),)
    assert asked(rules, "Who am I?", instructions="user Ada") == (Say("Ada {place} {x}"),)
    assert asked(rules, "Who am I?") == (Say("Nobody."),)
