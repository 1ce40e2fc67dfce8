"""A question in the words of /chat/completions: messages and tools.

Law: every tool message stands behind the call that it answers, as the API demands; a call that nobody has answered,
and an answer to no call, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from couchvoice.local.protocol.reply import Question

_IDLE = "The user has said nothing for a while."

Message = dict[str, Any]


def messages_of(question: Question) -> list[Message]:
    messages: list[Message] = []
    if question.instructions:
        messages.append({"role": "system", "content": question.instructions})
    outputs = {item["call_id"]: item for item in question.items if item["type"] == "function_call_output"}
    for item in question.items:
        if item["type"] == "message" and (content := _content(item.get("content", ()))):
            messages.append({"role": item["role"], "content": content})
        elif item["type"] == "function_call" and (output := outputs.get(item["call_id"])):
            _add_call(messages, item, output)
    if question.idle:
        messages.append({"role": "system", "content": _IDLE})
    return messages


def tools_of(question: Question) -> list[dict[str, Any]]:
    """Nested under ``function``, where the Realtime API has them flat."""
    return [
        {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
        for tool in question.tools
    ]


def tool_choice_of(question: Question) -> str | dict[str, Any]:
    match question.must_call:
        case None:
            return "auto"
        case "":
            return "required"
        case name:
            return {"type": "function", "function": {"name": name}}


def _add_call(messages: list[Message], call: Mapping[str, Any], output: Mapping[str, Any]) -> None:
    """Calls that came together stand in one message; their answers follow it."""
    asked = {
        "id": call["call_id"],
        "type": "function",
        "function": {"name": call["name"], "arguments": call["arguments"]},
    }
    asking = _asking(messages)
    if asking is None:
        asking = {"role": "assistant", "content": None}
        messages.append(asking)
    asking.setdefault("tool_calls", []).append(asked)
    messages.append({"role": "tool", "tool_call_id": call["call_id"], "content": output["output"]})


def _asking(messages: Sequence[Message]) -> Message | None:
    """The assistant's message at the end that a call may join, if there is one."""
    last = next((message for message in reversed(messages) if message["role"] != "tool"), None)
    return last if last is not None and last["role"] == "assistant" else None


def _content(parts: Iterable[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """The words; with pictures, if there are any, as a list."""
    parts = list(parts)
    words = " ".join(filter(None, (part.get("text") or part.get("transcript") for part in parts)))
    pictures = [
        {"type": "image_url", "image_url": {"url": part["image_url"], "detail": part.get("detail") or "auto"}}
        for part in parts
        if part["type"] == "input_image"
    ]
    if not pictures:
        return words
    return [*([{"type": "text", "text": words}] if words else []), *pictures]
