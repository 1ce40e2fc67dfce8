"""The silence of the next session is learnt from how somebody really paused in this one."""

from __future__ import annotations

import json

import pytest

from couchvoice.backend.pauses import silence_for
from couchvoice.scenario.talk_record import RawEvent, TalkRecord, TurnEntry
from tests.scenario.holding import Hold

pytestmark = pytest.mark.timeout(60)

ASKED = 300  # ms of silence, in the first session

TALK = """
slo: {connect_ms: 20000, response_ms: 20000}
memory: MODE
user: ada
session: {adaptive_vad: true, silence_duration_ms: ASKED}
steps:
  - say: "I am worried about my work."
  - wait: {ms: 150}
  - say: "I had an argument with my brother."
  - wait: {until: quiet}
  - hang_up
  - connect
  - type: Good morning.
"""


def silences(record: TalkRecord) -> list[int]:
    """What each session was told by its provider when it began."""
    told = [json.loads(event.text) for event in record.of(RawEvent) if '"session.created"' in event.text]
    return [event["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] for event in told]


@pytest.mark.row("D12")
@pytest.mark.parametrize("mode", ["persistent", "incognito"])
def test_who_went_on_after_a_pause_is_waited_for_in_the_next_session(hold: Hold, mode: str) -> None:
    held = hold(TALK.replace("MODE", mode).replace("ASKED", str(ASKED)))
    assert held.outcome.error is None
    assert held.record is not None
    (gap,) = [turn.timings["user_pause_ms"] for turn in held.record.of(TurnEntry) if "user_pause_ms" in turn.timings]
    learnt = silence_for(gap + ASKED) if mode == "persistent" else ASKED
    assert silences(held.record) == [ASKED, learnt]
    assert silence_for(gap + ASKED) != ASKED
