"""One tool call, from the model's wish to what the model is told, at once or after the tool has run in the background.

Law: the model gets an answer whatever goes wrong, and one that fits the data channel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from couchvoice.client.backend import TOOL_TIMEOUT, Backend
from couchvoice.contract import GENERATING, ResultReply
from couchvoice.core.effects import CallTool
from couchvoice.core.tool_view import shown_name
from couchvoice.errors import BackendError, RateLimited, Unavailable

_Late = TypeVar("_Late", bound="ToolOutcome | None")  # what may be cancelled is None

log = logging.getLogger("couchvoice.client")

RESULT_TIMEOUT = 600.0  # seconds; then a tool in the background has failed, to us
RESULT_PAUSE = 1.0  # seconds, at least, from one request for its result to the next
MAX_TOOL_OUTPUT = 48 * 1024  # bytes, as JSON in a JSON string; RFC 8841 §6: a far end may take only 64 KiB


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """``error`` is the code of what went wrong; ``output`` then says so to the model.

    ``private``: fields of the output that the user is not shown.
    ``task_id``: the tool runs on, and ``await_result`` has what comes of it.
    """

    output: Mapping[str, Any]
    error: str | None = None
    private: frozenset[str] = frozenset()
    task_id: str | None = None


async def run_tool(backend: Backend, call: CallTool) -> ToolOutcome:
    """Never raises."""

    async def run() -> ToolOutcome:
        reply = await backend.call_tool(call)
        runs_on = reply.output.get("status") == GENERATING
        return ToolOutcome(
            reply.output, private=frozenset(reply.private_fields), task_id=reply.task_id if runs_on else None
        )

    return await _safely(call.name, run(), within=TOOL_TIMEOUT)


async def await_result(backend: Backend, name: str, task_id: str) -> ToolOutcome | None:
    """What came of a tool in the background. None: it was cancelled. Never raises."""

    async def wait() -> ToolOutcome | None:
        reply = await _result(backend, task_id)
        if reply.status == "cancelled":
            return None
        error = _code(reply.output) if reply.status == "failed" else None
        output = reply.output if error is None else {**reply.output, "error": error}
        return ToolOutcome(output, error, private=frozenset(reply.private_fields))

    return await _safely(name, wait(), within=RESULT_TIMEOUT)


async def _result(backend: Backend, task_id: str) -> ResultReply:
    """Ask until it is there. Raises BackendError for an answer after which asking again makes no sense."""
    loop = asyncio.get_running_loop()
    while True:
        again_at = loop.time() + RESULT_PAUSE
        try:
            reply = await backend.tool_result(task_id)
            if reply.status != GENERATING:
                return reply
        except RateLimited as exc:
            again_at = max(again_at, loop.time() + (exc.retry_after or 0.0))
        except Unavailable as exc:
            log.debug("- result of a tool: %s", exc)
        await asyncio.sleep(again_at - loop.time())


async def _safely(name: str, work: Awaitable[_Late], *, within: float) -> _Late | ToolOutcome:
    try:
        async with asyncio.timeout(within):
            result = await work
        if result is None or _size_in_event(result.output) <= MAX_TOOL_OUTPUT:
            return result
        error = "tool_output_too_large"
    except BackendError as exc:
        error = exc.code
    except TimeoutError:
        error = "tool_timeout"
    except Exception:
        # The model must get an answer, whatever went wrong here.
        log.exception("x tool %s", shown_name(name))
        error = "tool_failed"
    return ToolOutcome({"error": error}, error)


def _code(output: Mapping[str, Any]) -> str:
    code = output.get("error")
    return code if isinstance(code, str) and code else "tool_failed"


def _size_in_event(output: object) -> int:
    """Bytes of a tool's output as it stands in ``function_call_output``: JSON in a JSON string, escaped twice."""
    return len(msgspec.json.encode(msgspec.json.encode(output).decode()))
