"""Hypothesis strategies: server events in any order, and exchanges as a sensible server sends them.

Law: a user item's final text is always the same and names the item; a call id begins with its response's id.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from couchvoice.core import server_events as server
from tests.core import talk

USAGE = {"input_tokens": 2, "output_tokens": 3, "input_token_details": {"text_tokens": 10**400}}
numbers = st.integers(1, 8)
users = numbers.map("u{}".format)
responses = numbers.map("r{}".format)
statuses = st.sampled_from(["completed", "completed", "cancelled", "failed", "incomplete"])
names = st.sampled_from(["lookup", "lookup", "wait_for_user"])
quotes = st.sampled_from([None, None, "words", "never said"])


@st.composite
def calls(draw: st.DrawFn, response_id: str) -> server.Item:
    arguments = {} if (quote := draw(quotes)) is None else {"user_quote": quote}
    status = draw(st.sampled_from(["completed", "completed", None, "incomplete"]))
    return talk.call_item(f"{response_id}-c{draw(st.integers(1, 3))}", draw(names), status, **arguments)


@st.composite
def output_items(draw: st.DrawFn, response_id: str) -> server.Item:
    message = server.Item(id=f"{response_id}-a{draw(numbers)}", type="message", role="assistant", status="completed")
    return draw(calls(response_id) | st.just(message))


@st.composite
def user_events(draw: st.DrawFn) -> list[server.ServerEvent]:
    item_id = draw(users)
    user = server.Item(id=item_id, type="message", role="user")
    events: list[server.ServerEvent] = [
        server.SpeechStarted(item_id=item_id),
        server.SpeechStopped(item_id=item_id),
        server.InputCommitted(item_id=item_id),
        server.ItemAdded(item=user),
        talk.draft(item_id, "draft "),
        talk.transcript(item_id, words_of(item_id)),
        talk.transcript(item_id, words_of(item_id)),
        server.InputTranscriptFailed(item_id=item_id),
    ]
    return [draw(st.sampled_from(events))]


@st.composite
def session_events(draw: st.DrawFn) -> list[server.ServerEvent]:
    """What the server says of the session config, whether or not somebody asked."""
    detection = draw(st.sampled_from([None, {"type": "server_vad"}, {"type": "semantic_vad"}]))
    told: dict[str, Any] = {"audio": {"input": {"turn_detection": detection}}}
    return [server.SessionUpdated(session=draw(st.sampled_from([{}, told])))]


@st.composite
def response_events(draw: st.DrawFn) -> list[server.ServerEvent]:
    response_id = draw(responses)
    item = draw(output_items(response_id))
    events: list[server.ServerEvent] = [
        talk.created(response_id),
        talk.created(response_id),
        talk.done(response_id, draw(statuses), draw(st.none() | st.just([item]))),
        talk.done(response_id, draw(statuses)),
        server.ResponseDone(response=server.Response(id=response_id, status="completed", usage=USAGE)),
        server.TextDelta(response_id=response_id, delta="wrote "),
        server.TextDone(response_id=response_id, text="wrote"),
        server.OutputItemAdded(response_id=response_id, item=item),
        talk.call_done(response_id, item, draw(numbers)),
        server.ItemAdded(item=item, previous_item_id=draw(users)),
        talk.spoken(response_id, "said "),
        server.AudioTranscriptDone(response_id=response_id, transcript="said"),
        talk.buffer_started(response_id),
        talk.buffer_stopped(response_id),
        talk.buffer_cleared(response_id),
    ]
    return [draw(st.sampled_from(events))]


@st.composite
def exchanges(draw: st.DrawFn) -> list[server.ServerEvent]:
    """Events as a sensible server sends them; some are lost or come twice."""
    item_id, response_id = draw(users), draw(responses)
    item = draw(calls(response_id))
    events = [
        *talk.said(item_id),
        *draw(
            st.sampled_from(
                [
                    talk.answered(response_id, "said", after=item_id),
                    talk.called(response_id, item),
                    [*talk.speaking(response_id, "said"), talk.call_done(response_id, item), talk.done(response_id)],
                ]
            )
        ),
        talk.transcript(item_id, words_of(item_id)),
    ]
    times = draw(st.lists(st.sampled_from([1, 1, 1, 1, 1, 0, 2]), min_size=len(events), max_size=len(events)))
    return [event for event, count in zip(events, times, strict=True) for _ in range(count)]


def words_of(item_id: str) -> str:
    return f"words-of-{item_id}."
