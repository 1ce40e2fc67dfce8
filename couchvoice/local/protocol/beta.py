"""The names and shapes of the beta protocol, for clients and servers that still speak it: GA ⇄ beta, event by event.

Not a second protocol: the server speaks GA, and this stands at its door. (OpenAI ended the beta on 2026-05-12.)
Law: what stands in no table passes as it is, an event of the other kind included; only copies are changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from couchvoice.local.protocol.beta_session import flattened, nested

Event = dict[str, Any]

HEADER = "OpenAI-Beta"
VERSION = "realtime=v1"
SUBPROTOCOL = "openai-beta.realtime-v1"  # a browser's WebSocket has no headers

_BETA_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
# Beta had no such events, and none in their place.
_GA_ONLY = (
    "conversation.item.done",
    "conversation.item.input_audio_transcription.segment",
    "input_audio_buffer.dtmf_event_received",
    "input_audio_buffer.timeout_triggered",
    "mcp_list_tools.",
    "response.mcp_call",
)
_BETA_CONTENT = {"output_text": "text", "output_audio": "audio"}
_GA_CONTENT = {beta: ga for ga, beta in _BETA_CONTENT.items()}
_SECRET = "client_secret"
_EXPIRY = "expires_after"


def asks_for_beta(headers: Mapping[str, str], subprotocols: Iterable[str] = ()) -> bool:
    """Whether the client of a request speaks beta. ``headers`` finds names in any case, or has them in lower case."""
    wanted = headers.get(HEADER.lower(), "").split(",")
    return VERSION in (name.strip() for name in wanted) or SUBPROTOCOL in subprotocols


# Server events


def to_beta(event: Mapping[str, Any]) -> list[Event]:
    """What beta sends where GA sends this; nothing where it sends nothing."""
    kind = event["type"]
    if kind.startswith(_GA_ONLY):
        return []
    beta = _rewritten(event, {"session": flattened, "item": _beta_item, "response": _beta_response})
    if kind == "response.function_call_arguments.done":
        beta.pop("name", None)
    return [beta | {"type": _BETA_NAMES.get(kind, kind)}]


def secret_to_beta(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to who asks for a client secret: in beta a session that holds it."""
    secret = {name: shown[name] for name in ("value", "expires_at")}
    return flattened(shown["session"]) | {_SECRET: secret}


def _beta_response(response: Mapping[str, Any]) -> dict[str, Any]:
    beta = flattened(response)
    # A session had another name for the limit, a response has the one of GA.
    if "max_response_output_tokens" in beta:
        beta["max_output_tokens"] = beta.pop("max_response_output_tokens")
    return _rewritten(beta, {"output": _each(_beta_item)})


def _beta_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return _rewritten(item, {"content": _each(_beta_part)})


def _beta_part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {**part, "type": _BETA_CONTENT.get(part["type"], part["type"])}


# Client events


def from_beta(raw: Mapping[str, Any]) -> Event:
    """A client event as GA has it. Never raises: ``raw`` may be any JSON object."""
    match raw.get("type"):
        case "session.update":
            return _rewritten(raw, {"session": _ga_session})
        case "transcription_session.update":
            return _rewritten(raw, {"session": _ga_transcription}) | {"type": "session.update"}
        case "response.create":
            return _rewritten(raw, {"response": _ga_response})
        case "conversation.item.create":
            return _rewritten(raw, {"item": _ga_item})
        case _:
            return dict(raw)


def secret_request_from_beta(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of who asks for a client secret: in beta a session that may say how long it is good."""
    request: dict[str, Any] = {"session": _ga_session(body)}
    wanted = body.get(_SECRET)
    return request | {_EXPIRY: wanted[_EXPIRY]} if isinstance(wanted, Mapping) and _EXPIRY in wanted else request


def _ga_session(session: Any) -> Any:
    return {"type": "realtime"} | nested(session) if isinstance(session, Mapping) else session


def _ga_transcription(session: Any) -> Any:
    if not isinstance(session, Mapping):
        return session
    named = {name: value for name, value in nested(session).items() if name != "output_modalities"}  # always text
    return {"type": "transcription"} | named


def _ga_response(response: Any) -> Any:
    return _rewritten(nested(response), {"input": _each(_ga_item)}) if isinstance(response, Mapping) else response


def _ga_item(item: Any) -> Any:
    # Only the contents of the assistant have new names.
    if not isinstance(item, Mapping) or item.get("role") != "assistant":
        return item
    return _rewritten(item, {"content": _each(_ga_part)})


def _ga_part(part: Any) -> Any:
    match part:
        case {"type": str(kind)} if kind in _GA_CONTENT:
            return {**part, "type": _GA_CONTENT[kind]}
        case _:
            return part


# Both ways


def _rewritten(whole: Mapping[str, Any], writers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """A copy in which these fields, where there are any, are written anew."""
    return {name: writers[name](value) if name in writers else value for name, value in whole.items()}


def _each(writer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Writes the members of a list; leaves what is none."""
    return lambda items: [writer(item) for item in items] if isinstance(items, list) else items
