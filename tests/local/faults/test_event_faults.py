"""Server events go wrong as they were told to, and in no other way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.core.server_events import Malformed, parse_server_event
from couchvoice.local.faults.event_faults import SWAP_MS, EventFaults
from couchvoice.local.faults.faults import Faults
from couchvoice.local.protocol.client_event import OutputClear
from tests.local.staged import MEMORY, STORY, Stage
from tests.local.wire import Event, validate

Sent = list[tuple[int, Event | str]]

HEARD = "conversation.item.input_audio_transcription"
KINDS = [
    "session.created",
    "error",
    "response.created",
    "response.output_text.delta",
    "response.output_audio.delta",
    "response.done",
    "rate_limits.updated",
    f"{HEARD}.delta",
]
GAPS = st.sampled_from([0, 0, 1, 20, SWAP_MS, 5000])  # ms between two events
STREAMS = st.lists(st.tuples(st.sampled_from(KINDS), GAPS), max_size=30)
MANY = 2000
TOLERANCE = 0.05  # of a share of MANY events: more than four standard deviations


@cache
def talk() -> list[Event]:
    """Words, sound, a tool, an interruption, something unheard, a mistake: over WebSocket, which has most events."""
    stage = Stage(foreign=OutputClear)
    item = stage.say(MEMORY)[0]["item_id"]
    stage.answer()
    stage.send("conversation.item.retrieve", item_id=item)
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.say(None)
    stage.send("response.cancel")
    stage.send("nonsense")
    return stage.events


def passed(faults: Faults, stream: Iterable[tuple[Event, int]], key: str = "1") -> Sent:
    """What the client gets, in order: the events of a stream, each with the time when it is made."""
    wrong = EventFaults(faults, key=key)
    out = [sent for event, now in stream for sent in wrong.pass_on(event, now)]
    return sorted(out, key=lambda sent: sent[0])


def events(out: Sent) -> list[Event]:
    return [event for _, event in out if isinstance(event, dict)]


def types(out: Sent) -> list[str]:
    return [event["type"] for event in events(out)]


def timed(stream: Iterable[tuple[str, int]]) -> list[tuple[Event, int]]:
    now, made = 1000, []
    for number, (kind, gap) in enumerate(stream):
        now += gap
        made.append(({"type": kind, "event_id": f"event_{number}"}, now))
    return made


def of_the_talk(faults: Faults) -> list[Event]:
    """What is left of the talk, of which one event is made each second."""
    return events(passed(faults, ((event, number * 1000) for number, event in enumerate(talk()))))


def of(kind: str, out: Iterable[Event]) -> list[Event]:
    return [event for event in out if event["type"] == kind]


# Nothing that was not asked for


@given(STREAMS)
def test_without_faults_each_event_goes_at_once_as_it_is(stream: list[tuple[str, int]]) -> None:
    made = timed(stream)
    assert passed(Faults(), made) == [(now, event) for event, now in made]


RATES = st.none() | st.floats(0, 1)
ANY = st.builds(
    Faults,
    delay_ms=st.none() | st.integers(0, 300),
    jitter_ms=st.none() | st.integers(0, 300),
    drop=st.none() | st.just(("response.*",)),
    drop_rate=RATES,
    duplicate=st.none() | st.just(("rate_limits.updated",)),
    duplicate_rate=RATES,
    reorder_rate=RATES,
    malformed_rate=RATES,
    no_deltas=st.none() | st.booleans(),
    transcription_delay_ms=st.none() | st.integers(0, 300),
    seed=st.none() | st.integers(0, 9),
)


@given(STREAMS, ANY)
def test_nothing_is_invented_and_nothing_comes_before_its_time(stream: list[tuple[str, int]], faults: Faults) -> None:
    made = timed(stream)
    times = {event["event_id"]: now for event, now in made}
    out = passed(faults, made)
    for due, event in out:
        if isinstance(event, dict):
            assert (event, times[event["event_id"]]) in made
            assert due >= times[event["event_id"]] + (faults.delay_ms or 0)
    ids = [event["event_id"] for event in events(out)]
    assert all(ids.count(event_id) <= 2 for event_id in ids)


@given(STREAMS, ANY)
def test_the_same_seed_is_the_same_luck(stream: list[tuple[str, int]], faults: Faults) -> None:
    assert passed(faults, timed(stream)) == passed(faults, timed(stream))


def test_calls_and_seeds_and_types_differ_in_their_luck() -> None:
    def kept(kind: str = "response.done", *, key: str = "1", seed: int | None = None) -> tuple[str, ...]:
        out = passed(Faults(drop_rate=0.5, seed=seed), timed([(kind, 1)] * 100), key)
        return tuple(event["event_id"] for event in events(out))

    assert len({kept(), kept(key="2"), kept(seed=2), kept("response.created")}) == 4
    assert kept() == kept(seed=1)


def test_what_comes_in_between_does_not_change_the_luck_of_others() -> None:
    alone = [("response.done", 1)] * 50
    mixed = [pair for each in alone for pair in (each, ("rate_limits.updated", 0))]
    lost = Faults(drop_rate=0.5)

    def kept(stream: list[tuple[str, int]], step: int) -> list[int]:
        out = of("response.done", events(passed(lost, timed(stream))))
        return [int(event["event_id"].removeprefix("event_")) // step for event in out]

    assert kept(alone, 1) == kept(mixed, 2)


# Late


@given(STREAMS, st.integers(0, 500), st.integers(0, 500))
def test_delay_and_jitter_keep_the_order(stream: list[tuple[str, int]], delay: int, jitter: int) -> None:
    made = timed(stream)
    out = passed(Faults(delay_ms=delay, jitter_ms=jitter), made)
    assert events(out) == [event for event, _ in made]
    latest = 0
    for (due, _), (_, now) in zip(out, made, strict=True):
        assert now + delay <= due <= max(latest, now + delay + jitter)
        latest = max(latest, due)


@pytest.mark.row("O7")
def test_a_late_transcription_holds_nobody_up() -> None:
    made = timed([(f"{HEARD}.delta", 0), (f"{HEARD}.completed", 0), ("response.created", 0), ("response.done", 10)])
    out = passed(Faults(transcription_delay_ms=800), made)
    assert types(out) == ["response.created", "response.done", f"{HEARD}.delta", f"{HEARD}.completed"]
    assert [due - 1000 for due, _ in out] == [0, 10, 800, 800]


# Lost


@pytest.mark.row("O7")
def test_events_that_are_named_never_come() -> None:
    out = of_the_talk(Faults(drop=("response.done", "*.speech_*")))
    assert out == [e for e in talk() if e["type"] != "response.done" and ".speech_" not in e["type"]]


def test_the_beginning_and_errors_are_lost_only_by_name() -> None:
    assert {event["type"] for event in of_the_talk(Faults(drop=("*",)))} == {"session.created", "error"}
    assert {event["type"] for event in of_the_talk(Faults(drop_rate=1))} == {"session.created", "error"}
    assert of_the_talk(Faults(drop=("error", "session.created", "*"))) == []


def test_a_share_of_the_events_that_are_named_is_lost() -> None:
    made = timed([("response.done", 1), ("rate_limits.updated", 1)] * MANY)
    out = types(passed(Faults(drop=("rate_limits.*",), drop_rate=0.3), made))
    assert out.count("response.done") == MANY
    assert out.count("rate_limits.updated") / MANY == pytest.approx(0.7, abs=TOLERANCE)


@pytest.mark.row("O7")
def test_without_deltas_the_words_come_whole_and_the_sound_still_comes() -> None:
    out = of_the_talk(Faults(no_deltas=True))
    assert out == [e for e in talk() if not e["type"].endswith(".delta") or e["type"] == "response.output_audio.delta"]
    assert of("response.output_audio.delta", out)


# Twice, swapped, garbled


@pytest.mark.row("O7")
def test_an_event_that_comes_twice_is_the_same_event() -> None:
    out = of_the_talk(Faults(duplicate=("response.output_item.done",)))
    twice = [e for e in talk() for _ in range(2 if e["type"] == "response.output_item.done" else 1)]
    assert out == twice


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_a_share_of_the_events_comes_twice(rate: float) -> None:
    out = passed(Faults(duplicate_rate=rate), timed([("response.done", 1)] * MANY))
    assert len(out) / MANY == pytest.approx(1 + rate, abs=TOLERANCE)


@pytest.mark.row("O7")
def test_an_event_changes_places_with_the_next_one_and_no_other() -> None:
    made = timed([("response.done", 0)] * 6)
    ids = [event["event_id"] for event in events(passed(Faults(reorder_rate=1), made))]
    assert ids == ["event_1", "event_0", "event_3", "event_2", "event_5", "event_4"]


def test_an_event_that_nothing_follows_is_not_held_for_ever() -> None:
    assert [due for due, _ in passed(Faults(reorder_rate=1), timed([("response.done", 0)]))] == [1000 + SWAP_MS]


@given(STREAMS, st.floats(0, 1))
def test_no_event_leaves_its_place_by_more_than_one(stream: list[tuple[str, int]], rate: float) -> None:
    made = timed(stream)
    out = events(passed(Faults(reorder_rate=rate), made))
    assert sorted(event["event_id"] for event in out) == sorted(event["event_id"] for event, _ in made)
    for place, event in enumerate(out):
        assert abs(place - int(event["event_id"].removeprefix("event_"))) <= 1


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_share_of_the_events_that_are_free_to_do_so_changes_places(rate: float) -> None:
    out = events(passed(Faults(reorder_rate=rate), timed([("response.done", 1)] * MANY)))
    numbers = [int(event["event_id"].removeprefix("event_")) for event in out]
    late = sum(1 for place, number in enumerate(numbers) if number < place)
    assert late / (MANY - late) == pytest.approx(rate, abs=TOLERANCE)


@pytest.mark.row("O7")
def test_texts_that_are_no_events_come_between_the_events() -> None:
    made = timed([("response.done", 1)] * MANY)
    out = passed(Faults(malformed_rate=0.2), made)
    texts = [text for _, text in out if isinstance(text, str)]
    assert events(out) == [event for event, _ in made]
    assert len(texts) / MANY == pytest.approx(0.2, abs=TOLERANCE)
    assert all(isinstance(parse_server_event(text), Malformed) for text in texts)


# What was heard


def as_told(faults: Faults) -> list[Event]:
    return [event for event in of_the_talk(faults) if event["type"].startswith(HEARD)]


def shown_transcript(out: list[Event]) -> Any:
    (retrieved,) = of("conversation.item.retrieved", out)
    return retrieved["item"]["content"][0]["transcript"]


@pytest.mark.row("O7")
def test_a_transcription_fails_though_the_words_were_heard() -> None:
    out = of_the_talk(Faults(transcription="failed"))
    assert {event["type"] for event in out if event["type"].startswith(HEARD)} == {f"{HEARD}.failed"}
    assert len(of(f"{HEARD}.failed", out)) == 3
    assert shown_transcript(out) is None


@pytest.mark.row("O7")
def test_a_transcription_is_empty_though_the_words_were_heard() -> None:
    out = of_the_talk(Faults(transcription="empty"))
    assert [event["transcript"] for event in of(f"{HEARD}.completed", out)] == ["", ""]
    assert of(f"{HEARD}.delta", out) == []
    assert shown_transcript(out) == ""


@pytest.mark.row("O7")
def test_a_transcription_never_comes_though_the_words_were_heard() -> None:
    assert as_told(Faults(transcription="none")) == []


@pytest.mark.parametrize("fault", ["failed", "empty", "none"])
def test_what_is_told_of_the_words_is_still_an_event_and_the_rest_is_as_it_was(fault: Any) -> None:
    before = json.dumps(talk())
    out = of_the_talk(Faults(transcription=fault))
    for event in out:
        validate(event)
    assert json.dumps(talk()) == before
    others = [e for e in talk() if not e["type"].startswith(HEARD) and e["type"] != "conversation.item.retrieved"]
    assert [e for e in out if e in others] == others
