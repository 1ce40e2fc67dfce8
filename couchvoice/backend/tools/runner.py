"""The running of tools: once, in time, with arguments that fit, and with a result that fits a JSON object.

Law: nothing runs before everything about the call was found right, and no tool runs longer than its deadline.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools.arguments import ArgumentsRefused
from couchvoice.backend.tools.background import BackgroundRuns
from couchvoice.backend.tools.definition import Tool, ToolContext
from couchvoice.backend.tools.registry import ToolRegistry
from couchvoice.contract import GENERATING, MemoryMode
from couchvoice.outside import outside_work

MAX_THREADS = 32  # of tools that are no coroutines; one that hangs keeps its thread

_log = logging.getLogger("couchvoice.backend.tools")
_threads = threading.BoundedSemaphore(MAX_THREADS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ran:
    """``task_id``: the result comes later, under this name. ``private``: fields that the user is not shown."""

    output: dict[str, Any]
    private: frozenset[str]
    task_id: str | None = None


class ToolRunner:
    def __init__(self, registry: ToolRegistry) -> None:
        self._registry = registry
        self.background = BackgroundRuns()

    async def run(self, name: str, arguments: Mapping[str, Any], *, mode: MemoryMode, context: ToolContext) -> Ran:
        """Refused with 404, 403 or 422 before anything runs; whatever the tool raises comes through."""
        tool = self._registry.find(name, mode)
        try:
            keywords = tool.keywords(arguments, context)
        except ArgumentsRefused as exc:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid_arguments",
                f"the arguments of {tool.name} do not fit its schema: {', '.join(exc.names) or 'one that it has not'}",
            ) from exc
        if not tool.background:
            return Ran(output=await _run(tool, keywords), private=tool.private)
        work = functools.partial(_run, tool, keywords)
        task_id = self.background.begin(tool.name, work, private=tool.private, context=context)
        return Ran(output=_with_effects(tool, {"status": GENERATING}), private=tool.private, task_id=task_id)


async def _run(tool: Tool[..., Any], keywords: dict[str, Any]) -> dict[str, Any]:
    clock = asyncio.get_running_loop().time
    begun = clock()
    outcome = "failed"
    try:
        async with asyncio.timeout(tool.deadline):
            value = await _call(tool.function, keywords)
        output = _with_effects(tool, _object(value))
        if len(json.dumps(output)) > tool.output_limit:
            raise Refused(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "tool_output_too_large",
                f"the result of {tool.name} has more than {tool.output_limit} bytes",
            )
        outcome = "completed"
        return output
    except TimeoutError as exc:
        raise Refused(
            HTTPStatus.INTERNAL_SERVER_ERROR, "tool_timeout", f"{tool.name} did not end within {tool.deadline:g} s"
        ) from exc
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        # Names and figures only: what was asked and found is nobody's but the user's.
        # The event of a call is told by the figures, at INFO; of one in the background they see the beginning only.
        level = logging.INFO if tool.background else logging.DEBUG
        _log.log(level, "- tool %s %s in %.0f ms", tool.name, outcome, (clock() - begun) * 1000)


async def _call(function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
    if not inspect.iscoroutinefunction(function):
        value = await _in_thread(function, keywords)
        return await value if inspect.isawaitable(value) else value
    return await function(**keywords)


async def _in_thread(function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
    # Not asyncio's own threads: those are waited for at the end of the process, and one of these may hang.
    if not _threads.acquire(blocking=False):
        raise RuntimeError(f"{MAX_THREADS} tools are running in threads already")
    result: concurrent.futures.Future[Any] = concurrent.futures.Future()
    result.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result.set_result(context.run(function, **keywords))
        except BaseException as exc:  # whatever it is, it is the tool's, and goes to whoever called it
            # asyncio cannot hand on a StopIteration, such as a bare next() raises.
            result.set_exception(RuntimeError(str(exc)) if isinstance(exc, StopIteration) else exc)
        finally:
            _threads.release()

    threading.Thread(target=work, name=f"tool-{function.__name__}", daemon=True).start()
    with outside_work():
        return await asyncio.wrap_future(result)


def _object(value: Any) -> dict[str, Any]:
    """The value of a tool as a JSON object. Raises ValueError for what JSON cannot say."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"response_text": value}
    try:
        said = json.loads(to_json(value, inf_nan_mode="null"))
    except PydanticSerializationError as exc:
        raise ValueError("the result cannot be said in JSON") from exc
    return said if isinstance(said, dict) else {"result": said}


def _with_effects(tool: Tool[..., Any], output: dict[str, Any]) -> dict[str, Any]:
    return {**output, "side_effect": tool.side_effect, "retry_safe": tool.retry_safe}
