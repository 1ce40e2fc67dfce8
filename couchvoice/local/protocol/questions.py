"""The question that a response is to answer, read off the conversation that is its context.

Law: there is no question before all words that it is about are known.
"""

from __future__ import annotations

from typing import Any

from couchvoice.local.protocol.bad_event import BadEvent, read_object
from couchvoice.local.protocol.conversation import Conversation, ItemDict
from couchvoice.local.protocol.reply import Question, ToolResult
from couchvoice.local.protocol.response import Response


def question_for(response: Response) -> Question | None:
    """None: somebody's words are not recognized yet."""
    context, session = response.context, response.session
    outputs = context.unanswered_outputs()
    messages = context.unanswered_messages() if not outputs else []
    words = [context.words(message) for message in messages]
    if None in words:
        return None
    return Question(
        heard=" ".join(filter(None, words)),
        idle=response.idle,
        results=tuple(_result(context, output) for output in outputs),
        tools=session.tools_on_offer,
        must_call=session.must_call,
        instructions=session.instructions,
        items=tuple(context.as_heard()),
        max_tokens=session.max_output_tokens if isinstance(session.max_output_tokens, int) else None,
    )


def _result(context: Conversation, output: ItemDict) -> ToolResult:
    call = context.call(output["call_id"]) or {"name": "", "arguments": "{}"}
    return ToolResult(call["name"], _object(call["arguments"]), _object(output["output"]))


def _object(text: str) -> dict[str, Any]:
    try:
        return read_object(text)
    except BadEvent:
        return {"output": text}
