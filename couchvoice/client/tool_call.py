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
from couchvoice.errors import BackendError

log = logging.getLogger("couchvoice.client")

MAX_TOOL_OUTPUT = 48 * 1024  # bytes, as JSON in a JSON string; RFC 8841 §6: a far end may take only 64 KiB


@dataclass(frozen=True, slots=True)
class ToolResult:
    """``error`` is the code of what went wrong; ``output`` then says so to the model."""

    output: Mapping[str, Any]
    error: str | None = None


async def run_tool(backend: Backend, call: CallTool) -> ToolResult:
    """Never raises."""
    try:
        async with asyncio.timeout(TOOL_TIMEOUT):
            output = await backend.call_tool(call)
        if _size_in_event(output) <= MAX_TOOL_OUTPUT:
            return ToolResult(output)
        error = "tool_output_too_large"
    except BackendError as exc:
        error = exc.code
    except TimeoutError:
        error = "tool_timeout"
    except Exception:
        # The model must get an answer, whatever went wrong here.
        log.exception("x tool %s", call.name)
        error = "tool_failed"
    return ToolResult({"error": error}, error)


def _size_in_event(output: object) -> int:
    """Bytes of a tool's output as it stands in ``function_call_output``: JSON in a JSON string, escaped twice."""
    return len(msgspec.json.encode(msgspec.json.encode(output).decode()))
