"""One tool call, from the model's wish to what the model is told.

Law: the model gets an answer whatever goes wrong, and one that fits the data channel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from couchvoice.client.backend import TOOL_TIMEOUT, Backend
from couchvoice.core.effects import CallTool
from couchvoice.core.tool_view import shown_name
from couchvoice.errors import BackendError

log = logging.getLogger("couchvoice.client")

MAX_TOOL_OUTPUT = 48 * 1024  # bytes, as JSON in a JSON string; RFC 8841 §6: a far end may take only 64 KiB


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """``error`` is the code of what went wrong; ``output`` then says so to the model.

    ``private``: fields of the output that the user is not shown.
    """

    output: Mapping[str, Any]
    error: str | None = None
    private: frozenset[str] = frozenset()


async def run_tool(backend: Backend, call: CallTool) -> ToolOutcome:
    """Never raises."""
    try:
        async with asyncio.timeout(TOOL_TIMEOUT):
            reply = await backend.call_tool(call)
        if _size_in_event(reply.output) <= MAX_TOOL_OUTPUT:
            return ToolOutcome(reply.output, private=frozenset(reply.private_fields))
        error = "tool_output_too_large"
    except BackendError as exc:
        error = exc.code
    except TimeoutError:
        error = "tool_timeout"
    except Exception:
        # The model must get an answer, whatever went wrong here.
        log.exception("x tool %s", shown_name(call.name))
        error = "tool_failed"
    return ToolOutcome({"error": error}, error)


def _size_in_event(output: object) -> int:
    """Bytes of a tool's output as it stands in ``function_call_output``: JSON in a JSON string, escaped twice."""
    return len(msgspec.json.encode(msgspec.json.encode(output).decode()))
