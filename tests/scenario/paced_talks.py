"""Talks that are held at several speeds, and what must be the same at each of them.

Law: nothing here looks at a real clock but for the CPU that a talk took; every pause is the loop's.
"""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.audio.wav import WavSource
from couchvoice.backend import tool
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import MemoryMode, SessionRequest
from couchvoice.core.notices import AssistantTranscript, Interrupted, Notice, ToolResult, TurnRecorded, UserTranscript
from couchvoice.embedded import embedded_ends
from couchvoice.scenario.forwarder import Forwarder
from couchvoice.scenario.media_clock import run
from couchvoice.scenario.weather import Weather
from couchvoice.settings import load_settings

FIXTURES = Path(__file__).parents[2] / "fixtures"
SLOW_TOOL = "slow-tool"
GRACE = 2.0  # seconds for the last words of a WAV to arrive
SLOW = 20.0  # seconds that the slow tool takes
SILENT = 30.0  # seconds in which nobody says anything
RULES = """
rules:
  - {heard: [Look in the cellar.], say: I will look., call: {look_in_the_cellar: {}}}
  - {heard: [Good morning.], say: Good morning to you.}
"""

_KINDS = {"user": 0, "assistant": 0, "tool": 1, "turn": 2}


@tool(background=True)
async def look_in_the_cellar() -> str:
    """Go down and look."""
    await asyncio.sleep(SLOW)
    return "There is nothing in the cellar."


@dataclass(frozen=True, slots=True)
class PacedTalk:
    """A WAV is played, then each line is typed when all is quiet, then nobody speaks for so many seconds."""

    name: str
    wav: str | None = None
    lines: Sequence[str] = ()
    silence: float = 0.0
    memory: MemoryMode = "incognito"
    weather: Weather | None = None
    seed: int = 1
    lasts: float = 0.0  # seconds, at least


@dataclass(frozen=True, slots=True)
class Held:
    """``what`` must be the same at every speed: the words in their order, then the tools, then the turns."""

    what: tuple[tuple[str, ...], ...]
    media: float  # seconds
    cpu: float  # seconds, of this process and the children that it has waited for
    stops: tuple[float, ...]  # ms that an interrupted answer was still heard

    @property
    def users_words(self) -> list[str]:
        return [entry[1] for entry in self.what if entry[0] == "user"]


TALKS = {
    talk.name: talk
    for talk in (
        PacedTalk("first-talk", "first-talk.wav"),
        PacedTalk("two-tools", "two-tools.wav"),
        PacedTalk("barge-in", "barge-in.wav"),
        PacedTalk("remembered", lines=("Good morning.", "Is memory on for this conversation?"), memory="persistent"),
        PacedTalk("typed", lines=("Good morning.", "Is memory on, and is there a local hotline?")),
        PacedTalk(SLOW_TOOL, lines=("Look in the cellar.", "Good morning."), lasts=SLOW),
        PacedTalk("silence", silence=SILENT, lines=("Good morning.",), lasts=SILENT),
    )
}


def held_at(talk: PacedTalk, state: Path, *, speed: float | None) -> Held:
    """``state``: an empty folder for what the talk leaves."""
    return run(hold(talk, state), speed=speed)


async def hold(talk: PacedTalk, state: Path) -> Held:
    wav = FIXTURES / talk.wav if talk.wav is not None else None
    rules = state / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    recordings = [wav] if wav is not None else []
    async with (
        embedded_ends(
            replace(load_settings(), state_dir=state),
            recordings=recordings,
            phrases=False,
            replies=rules if talk.name == SLOW_TOOL else None,
            tools=[look_in_the_cellar],
        ) as ends,
        Forwarder(talk.weather, seed=talk.seed) as network,
    ):
        loop = asyncio.get_running_loop()
        began, spent = loop.time(), cpu_seconds()
        session = VoiceSession(
            Endpoints(**ends._asdict(), network=network if talk.weather else None),
            SessionRequest(thread_id=f"thread_{talk.name}", memory_mode=talk.memory),
            source=WavSource(wav) if wav else SilentSource(),
            sink=NullSink(),
        )
        notices: list[Notice] = []
        async with session, asyncio.TaskGroup() as tasks:
            tasks.create_task(_listen(session, notices))
            await _speak(session, talk)
            await session.disconnect()
        return Held(_what(notices), loop.time() - began, cpu_seconds() - spent, _stops(notices))


def cpu_seconds() -> float:
    """What this process has used so far, and the children that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


async def _listen(session: VoiceSession, notices: list[Notice]) -> None:
    notices.extend([notice async for notice in session])


async def _speak(session: VoiceSession, talk: PacedTalk) -> None:
    if talk.wav is not None:
        await session.finished_speaking()
        await asyncio.sleep(GRACE)
    await session.quiet()
    for line in talk.lines:
        session.send_message(line)
        await session.quiet()
    await asyncio.sleep(talk.silence)


def _what(notices: Sequence[Notice]) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    for notice in notices:
        match notice:
            case UserTranscript(_, text, True):
                found.append(("user", text))
            case AssistantTranscript(_, text, True, interrupted):
                found.append(("assistant", text, "interrupted" if interrupted else "whole"))
            case ToolResult(name, _, output):
                found.append(("tool", name, json.dumps(output, sort_keys=True)))
            case TurnRecorded():
                turn = notice.turn
                calls = [call.name for call in turn.tool_calls]
                found.append(("turn", turn.user_text, turn.assistant_text, turn.outcome.value, *calls))
            case _:
                pass
    # A tool may be done before or after the last words of what was said meanwhile, and so may a turn.
    return tuple(sorted(found, key=lambda entry: _KINDS[entry[0]]))


def _stops(notices: Sequence[Any]) -> tuple[float, ...]:
    return tuple(notice.stop_ms for notice in notices if isinstance(notice, Interrupted) and notice.stop_ms)
