"""One talk of the command between the two foreign ends, and the questions that every test asks of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.e2e.minimal_backend import Endpoint, Fault, MinimalBackend
from tests.e2e.realtime_end import RealtimeEnd
from tests.e2e.scenario import SECRET, Scenario
from tests.e2e.talk import LEAD, Talk, talk

# Speech, half a second of silence, an answer and what follows it.
AFTER = 3.0  # seconds
BARGE_IN = (LEAD, LEAD + 2.5)  # seconds: the second utterance falls into the answer to the first
TWO_TURNS = (LEAD, LEAD + 3.0)  # seconds: the answer to the first has been heard out
STORY_WIDTH = 200  # characters of each log line, when a test fails


@dataclass(frozen=True, slots=True)
class Played:
    """All three ends after the talk."""

    talk: Talk
    end: RealtimeEnd
    backend: MinimalBackend

    def ended_with(self, status: int) -> None:
        seen = "\n".join(json.dumps(line)[:STORY_WIDTH] for line in self.end.lines)
        story = f"{self.backend.order()}\n{seen}\n{self.talk.stdout}\n{self.talk.stderr}"
        assert self.talk.status == status, story
        assert self.talk.summary["exit"] == status, story

    def recorded(self, *turns: tuple[str, str, str]) -> None:
        """Exactly these turns (user, assistant, outcome) were sent and told, once each, and then the thread ended."""
        sent, told = self.backend.to("turn"), self.talk.of("turn")
        assert [_texts(turn) for turn in sent] == list(turns)
        assert [_texts(turn) for turn in told] == list(turns)
        assert [turn["index"] for turn in told] == list(range(1, len(turns) + 1))
        assert [turn["recorded"] for turn in told] == [turn["memory_mode"] == "persistent" for turn in sent]
        assert self.talk.summary["turns"] == len(turns)
        self.finalized_once()

    def finalized_once(self) -> None:
        """One ``/end``, and nothing after it."""
        order = self.backend.order()
        assert order.count("end") == 1
        assert order[-1] == "end"

    def outputs(self) -> list[dict[str, Any]]:
        """The function outputs that the Realtime end got, in order."""
        items = [event["item"] for event in self.end.received("conversation.item.create")]
        return [item for item in items if item["type"] == "function_call_output"]

    def everything_said(self) -> str:
        """All that left the process, as one text."""
        requests = [asdict(request) for request in self.backend.requests]
        return json.dumps([self.end.lines, requests]) + self.talk.stdout + self.talk.stderr


async def play(
    scenario: Scenario,
    directory: Path,
    *,
    secret: str = SECRET,
    faults: dict[Endpoint, Fault] | None = None,
    delays: dict[Endpoint, float] | None = None,
    starts: Sequence[float] = (LEAD,),
    after: float = AFTER,
    options: Sequence[str] = (),
) -> Played:
    """Run the command once between the two ends. ``secret`` is what the backend hands out."""
    with MinimalBackend(secret=secret, faults=faults or {}, delays=delays or {}) as backend:
        async with RealtimeEnd(scenario, directory) as end:
            ends = {"backend": backend.url, "realtime": end.url}
            result = await talk(**ends, directory=directory, starts=starts, after=after, options=options)
    return Played(result, end, backend)


def _texts(turn: dict[str, Any]) -> tuple[str, str, str]:
    # How the outputs of one turn are joined is a matter of taste; their words are not.
    return turn["user_text"], " ".join(turn["assistant_text"].split()), turn["outcome"]
