"""Ctrl-C at each phase of a talk: how soon it is over, and what is still paid."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps.command import Command, noise, started
from tests.apps.serving import serving
from tests.e2e.minimal_backend import Endpoint, MinimalBackend
from tests.patience import until
from tests.transports.answering_peer import answering_peer

pytestmark = pytest.mark.timeout(60)

HANG = 60.0  # seconds
FIRST = 3.0  # seconds from the first signal to the end
SECOND = 0.5  # seconds from the second
STORY = "Please tell me a long story."
QUESTION = "Is memory on?"


@dataclass
class Stage:
    """A talk and its backend."""

    command: Command
    backend: MinimalBackend

    async def asked(self, endpoint: Endpoint) -> None:
        await until(lambda: endpoint in self.backend.order())


@asynccontextmanager
async def talking(
    realtime: str, secret: str, wav: Path, *, delays: dict[Endpoint, float] | None = None
) -> AsyncIterator[Stage]:
    with MinimalBackend(secret=secret, delays=delays or {}) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        sound = ("--input", str(wav), "--output", "none")
        async with started("talk", *ends, *sound, "--json", "--memory", "persistent") as command:
            yield Stage(command, backend)


async def in_a_story(stage: Stage) -> None:
    await stage.command.line_with(type="state", state="listening")
    stage.command.type(STORY)
    await stage.command.line_with(type="state", state="assistant_speaking")


async def while_it_connects(stage: Stage) -> None:
    await stage.asked("session")


async def in_a_tool(stage: Stage) -> None:
    await stage.command.line_with(type="state", state="listening")
    stage.command.type(QUESTION)
    await stage.asked("tools")


Reach = Callable[[Stage], Awaitable[None]]
PHASES: list[object] = [
    pytest.param(while_it_connects, {"session": HANG}, id="session-hangs"),
    pytest.param(in_a_story, {}, id="in-an-answer"),
    pytest.param(in_a_story, {"turn": HANG}, id="turn-hangs"),
    pytest.param(in_a_story, {"end": HANG}, id="end-hangs"),
    pytest.param(in_a_tool, {"tools": HANG}, id="tool-hangs"),
]


@pytest.mark.row("A10")
@pytest.mark.parametrize(("reach", "delays"), PHASES)
async def test_ctrl_c_ends_the_talk_within_three_seconds(
    reach: Reach, delays: dict[Endpoint, float], realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still, delays=delays) as stage:
        await reach(stage)
        stage.command.send(signal.SIGINT)
        ended = await stage.command.ended()
    assert ended.status == 130
    assert ended.seconds < FIRST + noise()


@pytest.mark.row("A10")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
async def test_other_signals_end_the_talk_as_well(
    number: signal.Signals, realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still) as stage:
        await in_a_story(stage)
        stage.command.send(number)
        ended = await stage.command.ended()
    assert ended.status == ended.summary["exit"] == 128 + number
    assert ended.seconds < FIRST + noise()
    assert stage.backend.order() == ["session", "turn", "end"]


@pytest.mark.row("A10")
async def test_sigterm_while_it_connects(realtime: str, secret: str, still: Path) -> None:
    async with talking(realtime, secret, still, delays={"session": HANG}) as stage:
        await while_it_connects(stage)
        stage.command.send(signal.SIGTERM)
        ended = await stage.command.ended()
    assert ended.status == ended.summary["exit"] == 143
    assert ended.of("error") == []  # who sent it knows


@pytest.mark.row("A10")
@pytest.mark.parametrize(("reach", "delays"), PHASES)
async def test_a_second_ctrl_c_ends_it_at_once(
    reach: Reach, delays: dict[Endpoint, float], realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still, delays=delays) as stage:
        await reach(stage)
        stage.command.send(signal.SIGINT)
        if waits_at := set(delays) & {"turn", "end"}:
            await stage.asked(waits_at.pop())
        stage.command.send(signal.SIGINT)
        ended = await stage.command.ended()
    assert ended.status == 130
    assert ended.seconds < SECOND + noise()


@pytest.mark.row("A10")
@pytest.mark.parametrize("signals", [1, 2])
async def test_ctrl_c_in_an_sdp_exchange_that_hangs(signals: int, still: Path) -> None:
    async with answering_peer() as peer, serving(peer.app) as url:
        peer.hangs = True
        async with talking(f"{url}/v1", "ek_any", still) as stage:
            await until(peer.asked.is_set)
            for _ in range(signals):
                stage.command.send(signal.SIGINT)
            ended = await stage.command.ended()
        assert ended.status == 130
        assert ended.seconds < SECOND + noise()
        assert stage.backend.order() == ["session"]  # the talk was never open: it owes no /end


@pytest.mark.row("A10")
async def test_the_answer_that_was_cut_is_recorded_before_the_thread_ends(
    realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still) as stage:
        await in_a_story(stage)
        stage.command.send(signal.SIGINT)
        ended = await stage.command.ended()
    assert stage.backend.order() == ["session", "turn", "end"]
    (turn,) = stage.backend.to("turn")
    assert (turn["user_text"], turn["outcome"]) == (STORY, "interrupted")
    assert [(line["index"], line["outcome"], line["recorded"]) for line in ended.of("turn")] == [
        (1, "interrupted", True)
    ]
    assert (ended.summary["recorded"], ended.summary["finalized"], ended.summary["exit"]) == (1, True, 130)


@pytest.mark.row("A10")
async def test_a_question_whose_tool_hangs_is_recorded_when_the_talk_is_cut(
    realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still, delays={"tools": HANG}) as stage:
        await in_a_tool(stage)
        stage.command.send(signal.SIGINT)
        ended = await stage.command.ended()
    assert stage.backend.order() == ["session", "tools", "turn", "end"]
    (turn,) = ended.of("turn")
    assert (turn["user_text"], turn["outcome"]) == (QUESTION, "interrupted")


@pytest.mark.row("A10")
async def test_ctrl_c_while_nobody_speaks_ends_the_thread(realtime: str, secret: str, still: Path) -> None:
    async with talking(realtime, secret, still) as stage:
        await stage.command.line_with(type="state", state="listening")
        stage.command.send(signal.SIGINT)
        ended = await stage.command.ended()
    assert stage.backend.order() == ["session", "end"]
    assert [line["state"] for line in ended.of("state")][-2:] == ["finalizing", "ended"]
    assert ended.summary["exit"] == ended.status == 130
    assert ended.of("error") == []


async def test_when_nobody_reads_the_output_any_more_the_talk_is_ended_properly(
    realtime: str, secret: str, still: Path
) -> None:
    async with talking(realtime, secret, still) as stage:
        await stage.command.line_with(type="state", state="listening")
        stage.command.stop_reading()
        stage.command.type("Good morning.")
        ended = await stage.command.ended()
    assert stage.backend.order() == ["session", "turn", "end"]
    assert ended.status == 1
