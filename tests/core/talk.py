"""A talk in short words: sessions that are ready, events as the provider sends them, effects by kind.

Not a test. Law: what a server sends in one go stands in one function, in the order of its documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from couchvoice.core import server_events as server
from couchvoice.core.client_events import FunctionCallOutput, ItemCreate, ResponseCreate
from couchvoice.core.effects import CallTool, Effect, RecordTurn, SendEvent
from couchvoice.core.notices import StateChanged
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import FinishedTurn

START = 100.0  # seconds; where the clock of a talk begins

Kind = TypeVar("Kind")


def feed(session: Session, *events: server.ServerEvent, at: float = START) -> list[Effect]:
    """All effects of the events, in order."""
    return [effect for event in events for effect in session.receive(event, at)]


def wait(session: Session, until: float) -> list[Effect]:
    """Let time pass as the owner does: ``handle_timeout`` whenever the session asks for it, up to ``until``."""
    effects: list[Effect] = []
    while (due := session.next_timeout()) is not None and due <= until:
        effects += session.handle_timeout(due)
        upcoming = session.next_timeout()
        assert upcoming is None or upcoming > due, "the owner would spin"
    return effects


# Events


def said(item_id: str, text: str | None = None) -> list[server.ServerEvent]:
    """An utterance, as server VAD reports it; with its transcript at once, or later."""
    events: list[server.ServerEvent] = [
        server.SpeechStarted(item_id=item_id),
        server.SpeechStopped(item_id=item_id),
        server.InputCommitted(item_id=item_id),
        server.ItemAdded(item=server.Item(id=item_id, type="message", role="user")),
    ]
    return events if text is None else [*events, transcript(item_id, text)]


def transcript(item_id: str, text: str) -> server.InputTranscriptCompleted:
    return server.InputTranscriptCompleted(item_id=item_id, transcript=text)


def draft(item_id: str, delta: str) -> server.InputTranscriptDelta:
    return server.InputTranscriptDelta(item_id=item_id, delta=delta)


def created(response_id: str) -> server.ResponseCreated:
    return server.ResponseCreated(response=server.Response(id=response_id, status="in_progress"))


def done(response_id: str, status: str = "completed", output: list[server.Item] | None = None) -> server.ResponseDone:
    return server.ResponseDone(response=server.Response(id=response_id, status=status, output=output))


def spoken(response_id: str, delta: str, output_index: int = 0) -> server.AudioTranscriptDelta:
    return server.AudioTranscriptDelta(response_id=response_id, delta=delta, output_index=output_index)


def buffer_started(response_id: str) -> server.OutputBufferStarted:
    return server.OutputBufferStarted(response_id=response_id)


def buffer_stopped(response_id: str) -> server.OutputBufferStopped:
    return server.OutputBufferStopped(response_id=response_id)


def buffer_cleared(response_id: str) -> server.OutputBufferCleared:
    return server.OutputBufferCleared(response_id=response_id)


def speaking(response_id: str, text: str, after: str | None = None) -> list[server.ServerEvent]:
    """A response that has begun to sound. ``after``: the item that it answers."""
    item = server.Item(id=f"item_of_{response_id}", type="message", role="assistant")
    return [
        created(response_id),
        server.OutputItemAdded(response_id=response_id, item=item),
        server.ItemAdded(item=item, previous_item_id=after),
        buffer_started(response_id),
        spoken(response_id, text),
    ]


def answered(response_id: str, text: str, after: str | None = None) -> list[server.ServerEvent]:
    """A response from its beginning until it was heard out, as WebRTC has it."""
    return [*speaking(response_id, text, after), done(response_id), buffer_stopped(response_id)]


def call_item(call_id: str, name: str = "lookup", status: str | None = "completed", **arguments: object) -> server.Item:
    text = json.dumps(arguments)
    return server.Item(
        id=f"item_{call_id}", type="function_call", status=status, name=name, call_id=call_id, arguments=text
    )


def call_done(response_id: str, item: server.Item, output_index: int = 0) -> server.OutputItemDone:
    return server.OutputItemDone(response_id=response_id, item=item, output_index=output_index)


def called(response_id: str, *items: server.Item) -> list[server.ServerEvent]:
    """A response that only calls tools."""
    calls = [call_done(response_id, item, index) for index, item in enumerate(items)]
    return [created(response_id), *calls, done(response_id, output=list(items))]


def error(code: str, event_id: str | None = None, message: str = "no") -> server.ErrorReported:
    return server.ErrorReported(error=server.ErrorDetail(code=code, event_id=event_id, message=message))


# Effects


def of(kind: type[Kind], effects: Iterable[Effect]) -> list[Kind]:
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(effects: Iterable[Effect]) -> list[str]:
    """What goes to the provider, in short: the output's call id, or the type."""
    names = []
    for effect in of(SendEvent, effects):
        item = effect.event.item if isinstance(effect.event, ItemCreate) else None
        names.append(item.call_id if isinstance(item, FunctionCallOutput) else _type_of(effect))
    return names


def outputs(effects: Iterable[Effect]) -> dict[str, Any]:
    """What the model is told, by call id."""
    items = [effect.event.item for effect in of(SendEvent, effects) if isinstance(effect.event, ItemCreate)]
    return {item.call_id: json.loads(item.output) for item in items if isinstance(item, FunctionCallOutput)}


def ran(effects: Iterable[Effect]) -> list[str]:
    return [effect.call_id for effect in of(CallTool, effects)]


def turns(effects: Iterable[Effect]) -> list[FinishedTurn]:
    return [effect.turn for effect in of(RecordTurn, effects)]


def texts(effects: Iterable[Effect]) -> list[tuple[str, str]]:
    """What was said in the recorded turns: user, assistant."""
    return [(turn.user_text, turn.assistant_text) for turn in turns(effects)]


def states(effects: Iterable[Effect]) -> list[SessionState]:
    return [effect.state for effect in of(StateChanged, effects)]


def asked(effects: Iterable[Effect]) -> str:
    """The event id of the one ``response.create`` among the effects."""
    (event_id,) = [e.event.event_id for e in of(SendEvent, effects) if isinstance(e.event, ResponseCreate)]
    return event_id


def _type_of(effect: SendEvent) -> str:
    return str(effect.event.__struct_config__.tag)


CREATE = "response.create"
CANCEL = "response.cancel"
CLEAR = "output_audio_buffer.clear"
ITEM = "conversation.item.create"
