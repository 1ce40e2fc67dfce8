"""Background tools: acknowledged at once, asked for later, one of a kind at a time, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from couchvoice.backend import ToolContext, tool
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools import ToolRegistry, background
from couchvoice.contract import RESULT_PATH
from tests.backend.ends import BackendEnd, error_code, running_backend
from tests.leftovers import nothing_left
from tests.patience import until

SHORT = 0.05  # seconds


class Studio:
    """A slow tool whose end the test decides."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.cancelled: list[str] = []

        @tool(background=True, side_effect="picture", private={"prompt"})
        async def paint(what: str) -> dict[str, str]:
            """Paint it."""
            self.begun.append(what)
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(what)
                raise
            if what == "trouble":
                raise RuntimeError("a spilt pot")
            return {"response_text": f"Here is {what}.", "prompt": what}

        @tool(background=True, deadline=SHORT)
        async def dawdle() -> None:
            """Never come back."""
            await asyncio.Event().wait()

        self.registry = ToolRegistry([paint, dawdle])


class Gallery:
    def __init__(self, backend: BackendEnd, studio: Studio) -> None:
        self.backend = backend
        self.studio = studio

    async def begin(self, what: str, thread_id: str = "t1", **fields: Any) -> str:
        reply = await self.backend.tool("paint", thread_id, arguments={"what": what}, **fields)
        body = reply.json()
        assert body["output"] == {"status": "generating", "side_effect": "picture", "retry_safe": False}
        await until(lambda: what in self.studio.begun)
        return str(body["task_id"])

    async def ask(self, task_id: str, thread_id: str = "t1", **fields: Any) -> httpx.Response:
        return await self.backend.post(RESULT_PATH, {"thread_id": thread_id, "task_id": task_id, **fields})


@asynccontextmanager
async def gallery(tmp_path: Path) -> AsyncIterator[Gallery]:
    studio = Studio()
    async with nothing_left(), running_backend(tmp_path / "state", tools=studio.registry) as backend:
        yield Gallery(backend, studio)


@pytest.mark.row("F7")
async def test_a_slow_tool_is_acknowledged_at_once_and_its_result_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(background, "RESULT_WAIT", SHORT)
    async with gallery(tmp_path) as here:
        task_id = await here.begin("a lighthouse")
        assert (await here.ask(task_id)).json()["status"] == "generating"
        here.studio.go.set()
        for _ in range(2):  # a reply that was lost may be asked for again
            assert (await here.ask(task_id)).json() == {
                "status": "completed",
                "output": {
                    "response_text": "Here is a lighthouse.",
                    "prompt": "a lighthouse",
                    "side_effect": "picture",
                    "retry_safe": False,
                },
                "private_fields": ["prompt"],
            }


@pytest.mark.row("F7")
async def test_a_request_for_a_result_is_answered_the_moment_it_is_there(tmp_path: Path):
    async with gallery(tmp_path) as here:
        task_id = await here.begin("a lighthouse")
        asking = asyncio.create_task(here.ask(task_id))
        here.studio.go.set()
        assert (await asyncio.wait_for(asking, background.RESULT_WAIT / 2)).json()["status"] == "completed"


@pytest.mark.row("F7")
async def test_a_newer_call_of_the_same_tool_cancels_the_older_one_of_its_thread_only(tmp_path: Path):
    async with gallery(tmp_path) as here:
        older, elsewhere = await here.begin("a cat"), await here.begin("a tree", "t2")
        newer = await here.begin("a dog")
        assert (await here.ask(older)).json()["status"] == "cancelled"
        assert here.studio.cancelled == ["a cat"]
        here.studio.go.set()
        assert (await here.ask(newer)).json()["output"]["prompt"] == "a dog"
        assert (await here.ask(elsewhere, "t2")).json()["output"]["prompt"] == "a tree"


@pytest.mark.row("F7")
async def test_a_slow_tool_that_fails_or_takes_too_long_says_so_by_its_code(tmp_path: Path):
    async with gallery(tmp_path) as here:
        here.studio.go.set()
        failed = await here.ask(await here.begin("trouble"))
        late = await here.ask((await here.backend.tool("dawdle")).json()["task_id"])
    assert failed.json() == {
        "status": "failed",
        "output": {"error": "voice_realtime_tool_failed"},
        "private_fields": [],
    }
    assert late.json()["output"] == {"error": "tool_timeout"}


@pytest.mark.row("F7")
async def test_a_result_is_nobodys_but_its_threads_and_its_owners(tmp_path: Path):
    async with gallery(tmp_path) as here:
        mine = await here.begin("a diary", user_id="ada")
        here.studio.go.set()
        for thread_id, task_id, fields in (
            ("t1", mine, {"user_id": "eve"}),
            ("t1", mine, {}),
            ("t2", mine, {"user_id": "ada"}),
            ("t1", "task_made_up", {"user_id": "ada"}),
        ):
            reply = await here.ask(task_id, thread_id, **fields)
            assert (reply.status_code, error_code(reply)) == (404, "unknown_task")
        assert (await here.ask(mine, user_id="ada")).json()["status"] == "completed"


async def test_the_end_of_the_talk_ends_its_tools_and_that_of_the_backend_all(tmp_path: Path):
    async with gallery(tmp_path) as here:
        ended, other = await here.begin("a sunset"), await here.begin("a sunrise", "t2")
        await here.backend.end()
        assert (await here.ask(ended)).status_code == 404
        await until(lambda: here.studio.cancelled == ["a sunset"])
        assert other != ended
    assert here.studio.cancelled == ["a sunset", "a sunrise"]


async def test_what_is_kept_is_bounded_and_the_oldest_goes_first():
    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    runs = background.BackgroundRuns(limit=2)
    contexts = [ToolContext(thread_id=f"t{number}", owner="ada", said=[], store=None) for number in range(3)]
    ids = [runs.begin("paint", never, private=frozenset(), context=context) for context in contexts]
    with pytest.raises(Refused, match="no such task"):
        await runs.result(ids[0], thread_id="t0", owner="ada")
    await runs.close()
