"""Typed lines, in the process of the test: one after the other, with a sign for each command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from couchvoice.apps import typed_lines
from couchvoice.apps.typed_lines import TypedLines
from couchvoice.core.notices import MuteChanged, Notice, Problem
from tests.client.stage import Stage, talking
from tests.patience import WAIT, until


@dataclass
class Typing:
    stage: Stage
    lines: TypedLines
    shown: list[Notice] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def said(self) -> list[str]:
        return [event["item"]["content"][0]["text"] for event in self.stage.peer.of("conversation.item.create")]


@asynccontextmanager
async def typing(*lines: str, patient: bool) -> AsyncIterator[Typing]:
    async with talking() as stage, asyncio.TaskGroup() as tasks:
        shown: list[Notice] = []
        hints: list[str] = []
        typed = TypedLines(stage.session, show=shown.append, show_hint=hints.append, audible=True, patient=patient)
        for line in lines:
            typed.put(line)
        serving = tasks.create_task(typed.serve())
        yield Typing(stage, typed, shown, hints)
        serving.cancel()


@pytest.mark.row("E7")
async def test_the_next_line_of_a_script_waits_for_the_answer_to_the_one_before():
    async with typing("One?", "Two?", patient=True) as typed:
        await typed.stage.peer.wait_for(lambda: typed.said() == ["One?"])
        typed.stage.begin_answer()
        await until(lambda: typed.stage.session.is_speaking)
        assert typed.said() == ["One?"]
        typed.stage.end_answer()
        await typed.stage.peer.wait_for(lambda: typed.said() == ["One?", "Two?"])
        assert len(typed.stage.backend.to("turn")) <= 1  # the second is a turn of its own


@pytest.mark.row("E7")
async def test_a_script_is_not_held_up_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(typed_lines, "ANSWER_TIMEOUT", 0.1)
    async with typing("One?", "Two?", patient=True) as typed:
        await typed.stage.peer.wait_for(lambda: typed.said() == ["One?", "Two?"])


@pytest.mark.row("E7")
async def test_at_a_keyboard_nobody_waits():
    async with typing("One?", "Two?", patient=False) as typed:
        await typed.stage.peer.wait_for(lambda: typed.said() == ["One?", "Two?"])


@pytest.mark.row("E8")
async def test_a_command_gives_a_sign_when_it_was_taken():
    async with typing("/text", "/voice", patient=False) as typed:
        for number, word in ((1, "written"), (2, "spoken")):
            await typed.stage.peer.wait_for(lambda n=number: len(typed.stage.peer.of("session.update")) == n)
            assert len(typed.hints) == number - 1
            typed.stage.peer.send("session.updated", session={"type": "realtime"})
            await until(lambda n=number: len(typed.hints) == n)
            assert word in typed.hints[-1]


@pytest.mark.row("B5")
async def test_the_microphone_is_muted_and_unmuted_by_commands():
    async with typing("/mute", "One?", patient=False) as typed:
        await typed.stage.peer.wait_for(lambda: typed.said() == ["One?"])  # typed words are said all the same
        assert typed.stage.session.muted
        typed.lines.put("/unmute")
        await until(lambda: not typed.stage.session.muted)
        await typed.stage.told(MuteChanged, times=2)
        assert [notice.muted for notice in typed.stage.of(MuteChanged)] == [True, False]


@pytest.mark.row("E7")
async def test_a_line_of_a_lone_nul_says_nothing():
    async with typing("\0", patient=False) as typed:
        typed.lines.end()
        await asyncio.wait_for(typed.lines.ended.wait(), WAIT)
        assert typed.stage.session.transcript == ()


@pytest.mark.row("A10")
async def test_a_command_that_the_end_of_the_talk_overtakes_is_no_problem():
    async with typing("/text", patient=False) as typed:
        await typed.stage.peer.wait_for(lambda: typed.stage.peer.of("session.update"))
        typed.lines.end()
        await typed.stage.session.disconnect()
        await asyncio.wait_for(typed.lines.ended.wait(), WAIT)
        assert typed.shown == []


@pytest.mark.row("J8")
async def test_how_the_talk_was_is_typed_and_goes_with_its_end():
    async with typing("/feedback great", "/feedback positive", patient=False) as typed:
        await until(lambda: bool(typed.hints))
        assert [problem.code for problem in typed.shown if isinstance(problem, Problem)] == ["config_error"]
        assert typed.said() == []
        await typed.stage.session.disconnect()
        (end,) = typed.stage.backend.to("end")
        assert end["feedback"] == "positive"
