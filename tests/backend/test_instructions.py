"""The instructions: their blocks, their bounds, and what they know of before. Snapshots say them whole."""

from __future__ import annotations

import itertools
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.exercises import Phase, Run
from couchvoice.backend.history import MAX_HISTORY, MAX_SAID, MAX_TURNS, history_block
from couchvoice.backend.instructions import MAX_INSTRUCTIONS, instructions, instructions_without_tools
from couchvoice.backend.memory_context import MAX_FACTS, MAX_MEMORY, MAX_RULES, Memory, memory_block
from couchvoice.backend.modes.mode_file import MAX_PERSONA, MAX_PROMPT
from couchvoice.backend.recollection import Recollection
from couchvoice.backend.store import Turn
from tests.backend.ends import BackendEnd, any_turn, running_backend

SNAPSHOTS = Path(__file__).parent / "instructions"
PHRASE = "the zebra under the piano hums"


def turn(user_text: str = "", assistant_text: str = "", heard_text: str | None = None) -> Turn:
    return any_turn(user_text, assistant_text=assistant_text, heard_text=heard_text)


def briefing(**fields: Any) -> Briefing:
    return Briefing(**{"thread_id": "t1", "user_id": None, "memory_mode": "incognito", "language": None} | fields)


REMEMBERED = Memory(
    rules=["Keep it short.", 'Call me "Captain".'], recall=True, facts=["Has a cat."], last_session="About sleep."
)
PERSISTENT = (
    briefing(user_id="ada", memory_mode="persistent", language="de"),
    Recollection(
        REMEMBERED,
        [turn("I can't sleep.", "Since when?"), turn("For weeks.", "That is long. Do you", "That is long.")],
    ),
)


@pytest.mark.row("D5", "K3")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("incognito", instructions(briefing())),
        ("persistent", instructions(*PERSISTENT)),
        ("without-tools", instructions_without_tools(briefing())),
    ],
)
def test_the_instructions_of_each_mode_are_those_of_its_snapshot(name: str, text: str) -> None:
    # A change of the wording is a change of what the product is: write the file anew, and look at the difference.
    assert text == (SNAPSHOTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.row("D5")
def test_the_blocks_stand_in_the_contracts_order() -> None:
    rest = ["Brevity", "Tools", "Silence", "Unclear audio", "Crisis", "Exercises", "Manner"]
    assert headings(instructions(briefing())) == ["Role", "Session", "Memory", *rest]
    with_language = [*rest[:1], "Language", *rest[1:]]
    assert headings(instructions(*PERSISTENT)) == [
        *["Role", "Session", "Memory", "Recall", *with_language],
        *["What you know of this person", "Earlier in this conversation"],
    ]


@pytest.mark.row("D5", "D6", "D7")
def test_the_longest_of_everything_fits() -> None:
    long = "\0" * 5_000  # six characters each, once it is quoted
    memory = Memory(rules=[long] * 9, recall=True, facts=[long] * 9, last_session=long)
    who = briefing(thread_id="\0" * 200, user_id="u", memory_mode="persistent", language="zh-Hant-TW")
    run = Run(exercise_id="grounding_5_4_3_2_1", phase=Phase.RUNNING, step=1, items=3)
    manner = "m" * (MAX_PROMPT + 1 + MAX_PERSONA)
    text = instructions(who, Recollection(memory, [turn(long, long)] * 50, run), manner=manner)
    assert len(text) <= MAX_INSTRUCTIONS


@pytest.mark.row("K3")
@pytest.mark.parametrize("made", [instructions, instructions_without_tools])
def test_an_incognito_session_is_told_nothing_of_before_even_if_somebody_had_it(made: Any) -> None:
    known = Recollection(Memory(rules=[PHRASE], recall=True, facts=[PHRASE]), [turn(PHRASE, PHRASE)])
    assert made(briefing(), known) == made(briefing())


@pytest.mark.row("D6")
def test_of_memory_only_the_rules_are_told_while_recall_is_off() -> None:
    memory = Memory(rules=["rule"], recall=False, facts=["fact"], last_session="arc")
    assert quoted(memory_block(memory)) == [{"rule": "rule"}]
    assert "Recall is off" in memory_block(memory)
    assert "Recall is on" in memory_block(REMEMBERED)
    assert quoted(memory_block(REMEMBERED))[1:] == [
        {"rule": 'Call me "Captain".'},
        {"fact": "Has a cat."},
        {"last session": "About sleep."},
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=700)


@pytest.mark.row("D6")
@given(rules=st.lists(texts, max_size=8), facts=st.lists(texts, max_size=8), last=st.none() | texts)
def test_memory_is_bounded_and_stays_data(rules: list[str], facts: list[str], last: str | None) -> None:
    block = memory_block(Memory(rules=rules, recall=True, facts=facts, last_session=last))
    assert len(block) <= MAX_MEMORY
    kinds = [kind for line in quoted(block) for kind in line]
    assert kinds.count("rule") <= MAX_RULES
    assert kinds.count("fact") <= MAX_FACTS


@pytest.mark.row("D7")
@given(said=st.lists(st.tuples(texts, texts), max_size=30))
def test_history_is_bounded_stays_data_and_keeps_the_newest(said: list[tuple[str, str]]) -> None:
    turns = [turn(user, assistant) for user, assistant in said]
    block = history_block(turns)
    assert len(block) <= MAX_HISTORY
    lines = quoted(block)
    assert len(lines) <= MAX_TURNS
    spoken = [pair for pair in said if any(text.strip() for text in pair)]
    for line, (user, assistant) in zip(reversed(lines), reversed(spoken), strict=False):
        for side, text in (("user", user), ("assistant", assistant)):
            assert line.get(side, "").removesuffix("…") == text.strip()[: len(line.get(side, "").removesuffix("…"))]
            assert len(line.get(side, "")) <= MAX_SAID


@pytest.mark.row("D7")
def test_of_an_answer_that_was_cut_off_what_was_heard_is_told() -> None:
    assert quoted(history_block([turn("Hi.", "Hello, how are you?", "Hello,"), turn("", "", "")])) == [
        {"user": "Hi.", "assistant": "Hello,"}
    ]
    assert history_block([turn()]) == ""


def headings(text: str) -> list[str]:
    return re.findall(r"^# (.+)$", text, re.M)


def quoted(block: str) -> list[dict[str, str]]:
    """The lines of JSON, one for each fact: nothing that was quoted has made a line of its own."""
    lines = itertools.dropwhile(lambda line: not line.startswith("{"), block.split("\n"))
    return [json.loads(line) for line in lines]


# In a session


class Keeper:
    """Somebody who keeps memory."""

    def __init__(self, memory: Memory) -> None:
        self.asked: list[str] = []
        self._memory = memory

    async def memory(self, owner: str) -> Memory:
        self.asked.append(owner)
        return self._memory


@pytest.mark.row("D6")
async def test_memory_reaches_the_provider_of_a_persistent_session_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keeper = Keeper(Memory(rules=[PHRASE], recall=False, facts=["fact"]))
    async with running_backend(tmp_path / "state", memory=keeper) as backend:
        await backend.session("t1", user_id="ada")
        await backend.session("t1", user_id="ada", memory_mode="persistent")
        token = (await backend.session("t2", memory_mode="persistent")).json()["session_token"]
        changed = (await backend.config("t2", mode="companion", token=token)).json()["session"]["instructions"]
        incognito, of_ada, of_guest = (body["session"]["instructions"] for _, body in backend.provider.requests)
    assert keeper.asked == ["ada", "t2", "t2"]  # and again when the mode was changed
    assert PHRASE not in incognito
    assert PHRASE in of_ada
    assert "fact" not in quoted(memory_block(await keeper.memory("")))
    assert changed == of_guest
    assert PHRASE not in caplog.text


@pytest.mark.row("D7")
async def test_a_session_that_goes_on_with_a_thread_is_told_its_last_turns(backend: BackendEnd) -> None:
    for number in range(1, MAX_TURNS + 3):
        await backend.turn(user_text=f"zebra {number}.", assistant_text="Yes.", memory_mode="persistent", user_id="ada")
    told = (await backend.session(memory_mode="persistent", user_id="ada")).json()["session_config"]["instructions"]
    history = told.partition("# Earlier in this conversation")[2]
    assert [line["user"] for line in quoted(history)] == [f"zebra {n}." for n in range(3, MAX_TURNS + 3)]
    for other in (
        {"thread_id": "t1", "memory_mode": "incognito", "user_id": "ada"},
        {"thread_id": "t2", "memory_mode": "persistent", "user_id": "ada"},
    ):
        assert "zebra" not in (await backend.session(**other)).json()["session_config"]["instructions"]


@pytest.mark.row("D7")
@pytest.mark.parametrize("user_id", ["eve", None])
async def test_nobody_is_told_the_thread_of_another(backend: BackendEnd, user_id: str | None) -> None:
    await backend.turn(user_text=PHRASE, memory_mode="persistent", user_id="ada")
    assert PHRASE not in (await backend.session(memory_mode="persistent", user_id=user_id)).text
    assert PHRASE in (await backend.session(memory_mode="persistent", user_id="ada")).text


@pytest.mark.row("D7")
async def test_what_was_deleted_is_not_told_to_a_session_that_is_running(backend: BackendEnd) -> None:
    await backend.turn(user_text=PHRASE, memory_mode="persistent")
    token = (await backend.session(memory_mode="persistent")).json()["session_token"]
    assert PHRASE in (await backend.config(mode="companion", token=token)).text
    assert (await backend.http.delete("/api/threads/t1")).is_success
    assert PHRASE not in (await backend.config(mode="companion", token=token)).text
