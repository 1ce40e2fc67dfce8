"""What stands between a dialogue and its client: the faulty way and the dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchvoice.local.doorway import Doorway
from couchvoice.local.faults.faults import parse_faults
from couchvoice.local.manners import Manners
from tests.patience import until

DELAY_MS = 30
EVENTS: list[dict[str, Any]] = [{"type": "error", "event_id": f"event_{number}"} for number in range(5)]


def opened(faults: str = "", *, beta: bool = False) -> tuple[Doorway, list[dict[str, Any] | str]]:
    sent: list[dict[str, Any] | str] = []
    return Doorway(Manners(faults=parse_faults(faults), beta=beta), sent.append), sent


async def test_without_faults_events_go_out_at_once() -> None:
    door, sent = opened()
    for event in EVENTS:
        door.out(event)
    assert sent == EVENTS


@pytest.mark.row("O7")
async def test_what_is_late_comes_in_order() -> None:
    door, sent = opened(f"delay_ms={DELAY_MS},jitter_ms=5")
    for event in EVENTS:
        door.out(event)
    assert sent == []
    await until(lambda: len(sent) == len(EVENTS))
    assert sent == EVENTS


async def test_what_is_on_its_way_when_the_session_ends_is_lost() -> None:
    door, sent = opened(f"delay_ms={DELAY_MS}")
    door.out(EVENTS[0])
    door.close()
    other, later = opened(f"delay_ms={DELAY_MS}")
    other.out(EVENTS[1])
    await until(lambda: bool(later))
    assert sent == []


@pytest.mark.row("O6")
async def test_who_speaks_beta_is_answered_in_beta() -> None:
    door, sent = opened(beta=True)
    door.out({"type": "response.output_text.delta", "event_id": "event_1", "delta": "Hello"})
    door.out({"type": "conversation.item.done", "event_id": "event_2", "item": {"type": "message", "content": []}})
    assert [event["type"] for event in sent if isinstance(event, dict)] == ["response.text.delta"]
    said = door.inward(json.dumps({"type": "session.update", "session": {"voice": "sage"}}))
    assert json.loads(said)["session"] == {"type": "realtime", "audio": {"output": {"voice": "sage"}}}


@pytest.mark.parametrize("message", ["", "no JSON", b"\xff", '{"type": 5}'])
async def test_what_is_no_event_is_left_to_the_dialogue(message: str | bytes) -> None:
    door, _ = opened(beta=True)
    assert door.inward(message) in (message, b'{"type":5}')
