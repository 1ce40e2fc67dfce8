"""The player: where a cassette stands, and what a client may do otherwise. No clock, no network."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.audio.opus import OpusEncoder
from couchvoice.cassette import Cassette, Moment, Packet, Take
from couchvoice.local.replay.player import PATIENCE, Deck, Mismatch, Player, Tape

pytestmark = pytest.mark.row("P6")

FRAME = 0.02


def client(at: float, kind: str = "response.create", **rest: Any) -> Moment:
    return Moment(at, "client", {"type": kind, "event_id": "event_1", **rest})


def provider(at: float, kind: str, **rest: Any) -> Moment:
    return Moment(at, "provider", {"type": kind, **rest})


def message(text: str, item: str = "item_1") -> dict[str, Any]:
    return {"item": {"id": item, "type": "message", "content": [{"type": "input_text", "text": text}]}}


def output(call: str, value: object) -> dict[str, Any]:
    return {"item": {"type": "function_call_output", "call_id": call, "output": json.dumps(value)}}


def packets(begin: float, seconds: float) -> list[Packet]:
    encoder = OpusEncoder(bitrate=40_000, complexity=1)
    tone = (9000 * np.sin(np.arange(960) / 20)).astype(np.int16)
    count = round(seconds / FRAME)
    return [Packet(begin + FRAME * n, 5_000_000 + 960 * n, encoder.encode(tone)) for n in range(count)]


def playing(*moments: Moment, sound: list[Packet] | None = None) -> Player:
    return Player(Tape(Take(list(moments), sound or [])))


def play(player: Player, seconds: float) -> list[tuple[float, str]]:
    """What was told, and when after now."""
    told = []
    for frame in range(round(seconds / FRAME)):
        told += [(round(FRAME * (frame + 1), 2), event["type"]) for event in player.step().events]
    return told


def say(player: Player, kind: str = "response.create", **rest: Any) -> None:
    player.receive(json.dumps({"type": kind, "event_id": "event_now", **rest}))


def test_events_come_at_their_times():
    player = playing(provider(0.0, "session.created"), provider(0.5, "first"), provider(0.51, "second"))
    assert play(player, 1.0) == [(0.02, "session.created"), (0.5, "first"), (0.52, "second")]
    assert player.is_over


def test_what_answers_the_client_waits_for_the_client():
    player = playing(client(1.0), provider(1.2, "response.created"))
    assert play(player, 3.0) == []
    say(player)
    assert play(player, 1.0) == [(0.2, "response.created")]


def test_a_pause_before_what_the_client_says_sooner_is_skipped():
    player = playing(provider(0.1, "session.created"), client(9.0), provider(9.2, "response.created"))
    assert play(player, 0.5) == [(0.1, "session.created")]
    say(player)
    assert play(player, 1.0) == [(0.2, "response.created")]


def test_what_is_being_said_is_said_to_its_end_before_anything_is_skipped():
    player = playing(client(2.0), provider(2.1, "response.created"), sound=packets(0.5, 1.0))
    play(player, 0.5)
    say(player)
    loud = [bool(np.abs(player.step().sound).max() > 1000) for _ in range(50)]
    assert sum(loud) >= 48
    assert play(player, 1.0) == [(0.1, "response.created")]


def test_an_answer_with_the_time_of_its_question_waits_for_it():
    player = playing(client(1.0), provider(1.0, "conversation.item.added"))
    assert play(player, 2.0) == []
    say(player)
    assert play(player, 0.1) == [(0.02, "conversation.item.added")]


def test_what_the_client_calls_its_items_now_stands_in_what_it_is_told():
    item = provider(0.5, "conversation.item.added", item={"id": "item_1"}, previous_item_id=None)
    player = playing(client(0.4, "conversation.item.create", **message("Hi.")), item)
    say(player, "conversation.item.create", **message("Hi.", item="item_of_today"))
    events = [event for _ in range(50) for event in player.step().events]
    assert [event["item"]["id"] for event in events] == ["item_of_today"]


def test_two_tools_may_finish_in_any_order_but_keep_their_calls():
    calls = provider(0.1, "response.done", output=[{"call_id": "call_1"}, {"call_id": "call_2"}])
    create = "conversation.item.create"
    moments = [calls, client(0.5, create, **output("call_1", {})), client(0.6, create, **output("call_2", {}))]
    player = playing(*moments, provider(0.7, "conversation.item.done"))
    say(player, create, **output("call_2", {}))
    assert play(player, 2.0) == [(0.1, "response.done")]
    say(player, create, **output("call_1", {}))
    assert play(player, 1.0) == [(0.1, "conversation.item.done")]


def test_json_in_an_output_is_compared_as_json_and_what_was_taken_out_may_be_anything():
    create = "conversation.item.create"
    known = {"type": "function_call_output", "call_id": "call_1", "output": '{"a": 1, "thread": "of ⟨thread⟩!"}'}
    player = playing(provider(0.0, "response.done", call_id="call_1"), client(0.1, create, item=known))
    say(player, create, item=known | {"output": '{"thread":"of thread_77!","a":1}'})
    with pytest.raises(Mismatch, match="expects nothing more"):
        say(player, create, item=known)


def test_a_changed_request_is_shown_as_a_difference():
    create = "conversation.item.create"
    player = playing(client(0.1), client(0.2, create, **output("call_1", {"found": 1, "kept": True})))
    with pytest.raises(Mismatch) as caught:
        say(player, create, **output("call_1", {"found": 2, "kept": True}))
    assert '-      "found": 1,\n+      "found": 2,\n       "kept": true' in str(caught.value)


def test_bytes_that_are_no_json_are_unknown():
    with pytest.raises(Mismatch, match="9 bytes that are no JSON"):
        playing(client(0.1)).receive(b"\xff no json")


def test_a_client_that_never_says_it_ends_the_play():
    player = playing(client(1.0))
    play(player, 1.0 + PATIENCE - FRAME)
    with pytest.raises(Mismatch, match=r"at 1\.0 s the client sent response\.create, and this client has not for 15 s"):
        play(player, 2 * FRAME)


def test_each_caller_gets_the_next_take():
    takes = [Take([provider(0.0, name)], []) for name in ("first", "second")]
    deck = Deck(Cassette("twice", "2026-11-29T20:00:00+00:00", takes))
    assert [play(Player(deck.next()), 0.1) for _ in range(3)] == [
        [(0.02, "first")],
        [(0.02, "second")],
        [(0.02, "first")],
    ]


kinds = st.sampled_from(["a", "b", "c"])
times = st.floats(min_value=0, max_value=3)


@given(st.lists(st.tuples(times, st.booleans(), kinds), max_size=12), st.lists(st.integers(0, 60), max_size=12))
def test_whenever_the_client_says_its_part_everything_is_told_once_and_in_order(rows, waits):
    rows.sort(key=lambda row: row[0])
    moments = [client(at, kind) if mine else provider(at, kind) for at, mine, kind in rows]
    player = playing(*moments)
    told = []
    owed = [moment.event["type"] for moment in moments if moment.who == "client"]
    for kind, wait in zip(owed, waits + [0] * len(owed), strict=False):
        told += play(player, wait * FRAME)
        say(player, kind)
    told += play(player, 5.0)
    assert [kind for _, kind in told] == [moment.event["type"] for moment in moments if moment.who == "provider"]
    assert player.is_over
