"""Memory across processes: killed between the two steps of a deletion, and between what is said once and again."""

from __future__ import annotations

import signal
from typing import Any

import httpx
import pytest

from couchvoice.contract import END_PATH, MEMORY_PATH, TOOLS_PATH, TURN_PATH
from tests.apps.command import ready, started
from tests.backend.test_processes import provider, serve

pytestmark = pytest.mark.timeout(60)

TALK = {"thread_id": "t1", "user_id": "ada", "memory_mode": "persistent"}
ASKED = "Please delete the second fact."


async def post(url: str, path: str, **body: Any) -> Any:
    async with httpx.AsyncClient() as http:
        return (await http.post(url + path, json={**TALK, **body})).raise_for_status().json()


async def tool(url: str, name: str, **arguments: Any) -> dict[str, Any]:
    reply = await post(url, TOOLS_PATH, tool_name=name, arguments=arguments, current_user_message=ASKED)
    output: dict[str, Any] = reply["output"]
    return output


async def listed(url: str, kind: str) -> list[str]:
    async with httpx.AsyncClient() as http:
        reply = await http.get(f"{url}{MEMORY_PATH}/{kind}", params={"user_id": "ada"})
        return [entry["text"] for entry in reply.raise_for_status().json()["entries"]]


@pytest.mark.row("G6", "J3")
async def test_what_was_prepared_and_what_was_held_outlive_the_process_that_was_told(database_url: str) -> None:
    async with provider() as realtime_url:
        async with started(*serve(database_url, realtime_url)) as first:
            url = await ready(first)
            for text in ("I have a dog. I live in Galway. I have a cat.", "Please keep it short."):
                await post(url, TURN_PATH, user_text=text)
            assert (await post(url, END_PATH))["finalized"] is True
            asked = {"target_kind": "fact", "target_index": 2, "user_quote": ASKED}
            assert (await tool(url, "prepare_memory_deletion_by_index", **asked))["pending"] is True
            first.process.kill()
            assert await first.process.wait() == -signal.SIGKILL
        async with started(*serve(database_url, realtime_url)) as second:
            url = await ready(second)
            assert await listed(url, "facts") == ["I have a dog.", "I live in Galway.", "I have a cat."]
            assert len((await tool(url, "confirm_memory_deletion"))["deleted"]) == 1
            assert await listed(url, "facts") == ["I have a dog.", "I have a cat."]
            assert await listed(url, "rules") == []
            await post(url, TURN_PATH, user_text="Keep it short, please.")
            await post(url, END_PATH)
            assert await listed(url, "rules") == ["Keep it short, please."]
