"""How a tool runs: in time, on the loop or in a thread, and with a result that is a JSON object of bounded size."""

from __future__ import annotations

import contextvars
import logging
import threading
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from couchvoice.backend import ToolContext, tool
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools import ToolRegistry, ToolRunner, runner
from tests.patience import until

CONTEXT = ToolContext(thread_id="t1", owner="ada", said=["I feel like a zebra"], store=None)
EFFECTS = {"side_effect": "none", "retry_safe": True}


async def output_of(made: Any, **arguments: Any) -> dict[str, Any]:
    ran = await ToolRunner(ToolRegistry([made])).run(made.name, arguments, mode="incognito", context=CONTEXT)
    return {name: value for name, value in ran.output.items() if name not in EFFECTS}


@dataclass
class Weather:
    day: date
    rain: float


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ({"a": 1}, {"a": 1}),
        ("It rains.", {"response_text": "It rains."}),
        (None, {}),
        (3, {"result": 3}),
        ([1, 2], {"result": [1, 2]}),
        (Weather(date(2026, 11, 29), float("nan")), {"day": "2026-11-29", "rain": None}),
        ({"when": date(2026, 11, 29), "who": {"ada"}}, {"when": "2026-11-29", "who": ["ada"]}),
    ],
)
async def test_what_a_tool_returns_becomes_a_json_object(value: object, output: dict[str, Any]):
    @tool
    async def give() -> object:
        """Give."""
        return value

    assert await output_of(give) == output


async def test_what_json_cannot_say_is_a_failure():
    @tool
    async def give() -> object:
        """Give."""
        return object()

    with pytest.raises(ValueError, match="cannot be said in JSON"):
        await output_of(give)


async def test_a_plain_function_runs_beside_the_loop_and_a_coroutine_on_it():
    where = contextvars.ContextVar("where", default="nowhere")
    where.set("here")

    @tool
    def beside(context: ToolContext) -> list[str]:
        """Look."""
        return [threading.current_thread().name, where.get(), context.owner]

    @tool
    async def on() -> bool:
        """Look."""
        return threading.current_thread() is threading.main_thread()

    assert await output_of(beside) == {"result": ["tool-beside", "here", "ada"]}
    assert await output_of(on) == {"result": True}


async def test_what_a_plain_function_raises_comes_through():
    @tool
    def fail() -> None:
        """Fail."""
        raise StopIteration("even this")

    with pytest.raises(RuntimeError, match="even this"):
        await output_of(fail)


async def test_a_plain_function_that_hangs_is_left_behind_and_they_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "_threads", threading.BoundedSemaphore(1))
    go_on = threading.Event()

    @tool(deadline=0.05)
    def hang() -> None:
        """Hang."""
        go_on.wait()

    with pytest.raises(Refused) as caught:
        await output_of(hang)
    assert caught.value.code == "tool_timeout"
    with pytest.raises(RuntimeError, match="in threads already"):
        await output_of(hang)
    go_on.set()
    await until(lambda: runner._threads.acquire(blocking=False))


async def test_a_result_that_nobody_could_read_is_refused():
    @tool(output_limit=100)
    async def babble(words: int) -> str:
        """Babble."""
        return "word " * words

    assert (await output_of(babble, words=2))["response_text"] == "word word "
    with pytest.raises(Refused) as caught:
        await output_of(babble, words=50)
    assert caught.value.code == "tool_output_too_large"


@pytest.mark.row("F9")
async def test_the_log_tells_name_outcome_and_time_and_not_a_word_of_what_was_asked(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    @tool
    async def look_up(query: str) -> str:
        """Look up."""
        if query == "fail":
            raise ValueError(query)
        return f"found {query}"

    await output_of(look_up, query="how to end it all")
    with pytest.raises(ValueError, match="fail"):
        await output_of(look_up, query="fail")
    lines = [record.getMessage() for record in caplog.records if record.name == "couchvoice.backend.tools"]
    assert [line.partition(" in ")[0] for line in lines] == ["- tool look_up completed", "- tool look_up failed"]
    assert all(line.endswith(" ms") for line in lines)
    assert "end it all" not in caplog.text
