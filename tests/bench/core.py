"""``core``: what a server event costs before anybody acts on it: parsing, and the session's decision.

A whole talk is fed as fast as it goes, in turns with ``json.loads`` on the same texts.
Law: the talk is real to the session: all its turns are recorded, or the figure is void.
"""

from __future__ import annotations

import asyncio
import json
import time

from couchvoice.core.effects import CallTool, Effect, RecordTurn
from couchvoice.core.server_events import parse_server_event
from couchvoice.core.session import Session
from tests.bench import provider_talk
from tests.bench.rounds import Figures, ratio, take_turns

ROUNDS = 201
QUICK_ROUNDS = 41
EVENT_SECONDS = 0.05  # how the talk's clock goes on from event to event
TOOL_OUTPUT = {"response_text": "Your memory is on."}
GOAL = {"us": 20}


def measure(*, quick: bool) -> dict[str, object]:
    texts = provider_talk.messages()

    async def ours() -> Figures:
        return _hold(texts)

    async def parsing() -> Figures:
        return _parse(texts)

    async def loads() -> Figures:
        return _load(texts)

    turns = {"ours": ours, "parsing": parsing, "json.loads": loads}
    figures = asyncio.run(take_turns(turns, QUICK_ROUNDS if quick else ROUNDS))
    return {
        **figures,
        "ratio": ratio(figures["ours"], figures["json.loads"], "us"),
        "goal": GOAL,
        "events": len(texts),
        "deltas": sum('.delta"' in text for text in texts),
    }


def _hold(texts: list[str]) -> Figures:
    """µs per event of ``parse_server_event`` and ``Session.receive``, as the client calls them."""
    session, now, kept = Session("bench"), 0.0, list[Effect]()
    session.start()
    session.opened(now)
    started = time.perf_counter()
    for text in texts:
        now += EVENT_SECONDS
        effects = session.receive(parse_server_event(text), now)
        kept += effects
        for effect in effects:
            if isinstance(effect, CallTool):
                kept += session.tool_finished(effect.call_id, TOOL_OUTPUT, now)
    figures = _per_event(started, texts)
    _require_turns(session, now, kept)
    return figures


def _require_turns(session: Session, now: float, kept: list[Effect]) -> None:
    kept += session.close(now)
    while (due := session.next_timeout()) is not None:
        kept += session.handle_timeout(due)
    recorded = sum(isinstance(effect, RecordTurn) for effect in kept)
    assert recorded == provider_talk.TURNS, f"{recorded} of {provider_talk.TURNS} turns were recorded"


def _parse(texts: list[str]) -> Figures:
    started = time.perf_counter()
    for text in texts:
        parse_server_event(text)
    return _per_event(started, texts)


def _load(texts: list[str]) -> Figures:
    started = time.perf_counter()
    for text in texts:
        json.loads(text)
    return _per_event(started, texts)


def _per_event(started: float, texts: list[str]) -> Figures:
    return {"us": (time.perf_counter() - started) * 1e6 / len(texts)}
