"""A replier that asks an OpenAI-compatible server: POST /chat/completions, streamed.

Where a call is required and the server makes none, one is made for it, as the rules make it (required_call.py).
Law: what the server says goes on sentence by sentence; a server that fails on the way fails the response.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from couchvoice.local.engine_options import Endpoint
from couchvoice.local.engines.chat_answer import ChatAnswer, NoCompletion
from couchvoice.local.engines.chat_messages import messages_of, tool_choice_of, tools_of
from couchvoice.local.engines.endpoint_client import EndpointClient
from couchvoice.local.engines.required_call import completed, required_call
from couchvoice.local.protocol.reply import Call, Part, Question

_QUIET = 29.0  # seconds; less than a session waits for a part of the answer, so that the log names the server


class ChatEndpoint:
    """Whoever makes it closes it. Raises ConfigError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._model = endpoint.model
        self._client = EndpointClient(endpoint, quiet=_QUIET)

    async def answer(self, question: Question) -> AsyncGenerator[Part, None]:
        answer = ChatAnswer()
        try:
            async with aclosing(self._client.stream("chat/completions", self._asked(question))) as events:
                async for event in events:
                    for sentence in answer.take(event):
                        yield sentence
            sentences, calls = answer.end()
        except NoCompletion as exc:
            raise self._client.failed("its answer is no chat completion") from exc
        for sentence in sentences:
            yield sentence
        for call in _with_the_required(calls, question):
            yield call

    async def close(self) -> None:
        await self._client.close()

    def _asked(self, question: Question) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self._model, "stream": True, "messages": messages_of(question)}
        if tools := tools_of(question):
            asked |= {"tools": tools, "tool_choice": tool_choice_of(question)}
        if question.max_tokens is not None:
            asked["max_tokens"] = question.max_tokens
        return asked


def _with_the_required(calls: Sequence[Call], question: Question) -> list[Call]:
    """Raises EngineFailed."""
    if question.must_call is None:
        return list(calls)
    fitting = [call for call in calls if question.must_call in ("", call.name)]
    return [completed(call, question) for call in fitting] or [required_call(question)]
