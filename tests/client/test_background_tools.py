"""Tools that take long, in a talk: acknowledged, asked for, told when nobody speaks, and gone with the talk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.backend import tool
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.tool_call import MAX_TOOL_OUTPUT, RESULT_TIMEOUT, ToolOutcome, await_result
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import ResultReply
from couchvoice.core.notices import StateChanged, ToolActivity, TurnRecorded
from couchvoice.core.state import SessionState
from couchvoice.core.turn import FinishedTurn
from couchvoice.embedded import embedded_ends
from couchvoice.errors import BackendError, RateLimited, Unavailable
from couchvoice.scenario.media_clock import run as run_skipping
from couchvoice.settings import load_settings
from tests.client.stage import Stage, talking
from tests.e2e import minimal_backend
from tests.leftovers import nothing_left
from tests.patience import until

RULES = """
rules:
  - {heard: [Paint me a cat.], call: {paint: {what: a cat}}}
  - {heard: [Paint me a dog.], call: {paint: {what: a dog}}}
  - {heard: [Good morning.], say: Good morning.}
"""
ACK = "That takes a while. I will tell you when it is done."


class Studio:
    """A slow tool whose end the test decides."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled: list[str] = []

    def tool(self) -> Any:
        @tool(background=True)
        async def paint(what: str) -> str:
            """Paint it."""
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(what)
                raise
            return f"Here is {what}."

        return paint


class Watched:
    """A session, and what it told so far."""

    def __init__(self, session: VoiceSession) -> None:
        self.session = session
        self.notices: list[object] = []

    async def watch(self) -> None:
        async for notice in self.session:
            self.notices.append(notice)

    @property
    def turns(self) -> list[FinishedTurn]:
        return [notice.turn for notice in self.notices if isinstance(notice, TurnRecorded)]

    async def says(self, text: str) -> FinishedTurn:
        """The turn of a typed line, once it is recorded."""
        before = len(self.turns)
        self.session.send_message(text)
        await until(lambda: len(self.turns) > before)
        assert self.turns[-1].user_text == text
        return self.turns[-1]

    async def speaks(self) -> None:
        before = len(self.notices)
        await until(lambda: StateChanged(SessionState.ASSISTANT_SPEAKING) in self.notices[before:])

    def statuses(self) -> list[str]:
        return [notice.status for notice in self.notices if isinstance(notice, ToolActivity)]


def calls_of(turn: FinishedTurn) -> list[tuple[str, str]]:
    return [(call.name, call.status) for call in turn.tool_calls]


@pytest.mark.row("F7")
@pytest.mark.timeout(60)
async def test_the_talk_goes_on_while_a_tool_runs_and_its_result_is_spoken_when_nobody_speaks(tmp_path: Path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    studio = Studio()
    async with nothing_left(), embedded_ends(load_settings(), replies=rules, tools=[studio.tool()]) as ends:
        session = VoiceSession(Endpoints(**ends._asdict()), source=SilentSource(), sink=NullSink())
        here = Watched(session)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(here.watch())
            async with session:
                cat = await here.says("Paint me a cat.")
                assert (cat.assistant_text, calls_of(cat)) == (ACK, [("paint", "started")])
                assert session.state is SessionState.LISTENING
                dog = await here.says("Paint me a dog.")
                assert calls_of(dog) == [("paint", "started")]
                assert studio.cancelled == ["a cat"]

                session.send_message("Good morning.")
                await here.speaks()
                studio.go.set()
                await until(lambda: "completed" in here.statuses())
                assert session.is_speaking  # the result is here, and waits
                await session.quiet()
                morning, result = here.turns[2:]
                assert (morning.assistant_text, calls_of(morning)) == ("Good morning.", [])
                assert (result.user_text, result.assistant_text) == ("", "Here is a dog.")
                assert calls_of(result) == [("paint", "completed")]
                assert here.statuses() == ["started", "generating", "started", "cancelled", "generating", "completed"]

                studio.go.clear()
                again = await here.says("Paint me a cat.")
                assert calls_of(again) == [("paint", "started")]
            assert session.end_reply is not None
            assert not session.end_failed
        await until(lambda: studio.cancelled == ["a cat", "a cat"])  # with the talk, not with the backend


async def acknowledged(stage: Stage, monkeypatch: pytest.MonkeyPatch, **output: Any) -> None:
    """A tool of the four-endpoint backend's says that it takes long."""
    outputs = {"slow": {"status": "generating", **output}}
    monkeypatch.setattr(minimal_backend, "TOOL_OUTPUTS", outputs)
    stage.ask()
    stage.call_tools("slow")
    await stage.peer.wait_for(lambda: stage.peer.of("response.create"))
    stage.begin_answer()
    stage.end_answer()
    await stage.told(TurnRecorded)


@pytest.mark.row("F7")
async def test_a_backend_with_four_endpoints_is_never_asked_for_a_result(monkeypatch: pytest.MonkeyPatch):
    async with talking() as stage:
        await acknowledged(stage, monkeypatch)
        await stage.session.quiet()
        await stage.session.disconnect()
        assert set(stage.backend.order()) == {"session", "tools", "turn", "end"}
        assert stage.backend.to("turn")[0]["tool_calls"][0]["status"] == "completed"


# How the client asks


class Slow:
    """A backend whose answers to ``tool_result`` come as they are told, each after so many seconds."""

    def __init__(self, *answers: ResultReply | Exception, after: float = 0.0) -> None:
        self.asked_at: list[float] = []
        self._answers = list(answers)
        self._after = after

    async def tool_result(self, task_id: str) -> ResultReply:
        assert task_id == "task_1"
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._after)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def result(self) -> ToolOutcome | None:
        ask: Callable[..., Awaitable[ToolOutcome | None]] = await_result

        async def main() -> ToolOutcome | None:
            return await ask(self, "paint", "task_1")

        return run_skipping(main())


GENERATING = ResultReply(status="generating", output={"status": "generating"})
COMPLETED = ResultReply(status="completed", output={"response_text": "Here."})
DOWN = Unavailable("/result", 503, "down", "try later")


def limited(seconds: float) -> RateLimited:
    error = RateLimited("/result", 429, "too_many", "slowly")
    error.retry_after = seconds
    return error


def test_a_result_is_asked_for_until_it_is_there_and_not_more_than_once_a_second():
    backend = Slow(DOWN, limited(30.0), limited(0.2), GENERATING, COMPLETED)
    assert backend.result() == ToolOutcome({"response_text": "Here."})
    assert backend.asked_at == pytest.approx([0.0, 1.0, 31.0, 32.0, 33.0])


def test_a_request_that_was_held_open_is_followed_by_the_next_at_once():
    backend = Slow(GENERATING, COMPLETED, after=10.0)
    backend.result()
    assert backend.asked_at == pytest.approx([0.0, 10.0])


@pytest.mark.parametrize("answer", [GENERATING, DOWN], ids=["generating", "down"])
def test_a_result_that_never_comes_is_given_up(answer: ResultReply | Exception):
    backend = Slow(answer)
    assert backend.result() == ToolOutcome({"error": "tool_timeout"}, "tool_timeout")
    assert len(backend.asked_at) == pytest.approx(RESULT_TIMEOUT, abs=1)


ENDS = {
    "cancelled": (ResultReply(status="cancelled", output={"status": "cancelled"}), None),
    "failed": (ResultReply(status="failed", output={"error": "no_paint"}), "no_paint"),
    "failed-in-silence": (ResultReply(status="failed"), "tool_failed"),
    "forgotten": (BackendError("/result", 404, "unknown_task", "there is none"), "unknown_task"),
    "too-large": (ResultReply(status="completed", output={"a": "x" * MAX_TOOL_OUTPUT}), "tool_output_too_large"),
}


@pytest.mark.parametrize(("answer", "code"), ENDS.values(), ids=ENDS.keys())
def test_a_result_that_is_none_is_told_by_its_code_or_not_at_all(answer: ResultReply | Exception, code: str | None):
    backend = Slow(answer)
    assert backend.result() == (code and ToolOutcome({"error": code}, code))
    assert len(backend.asked_at) == 1
