"""The memory API: what an owner has, deleted by the number that is displayed, had back, exported; and nobody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchvoice.backend import SqlStore
from couchvoice.backend.guards import Guards
from couchvoice.backend.memory.records import Kind
from tests.backend.ends import BackendEnd, Names, error_code, running_backend
from tests.backend.memory.kept import NOW, end_session, keep
from tests.backend.tools.test_memory_tools import ASKED, FREE, GATED

ADA = {"user_id": "ada"}
KINDS = ("facts", "sessions", "rules")


@pytest.fixture
async def ada(database_url: str) -> AsyncIterator[BackendEnd]:
    """Three facts, two sessions and a rule are hers; the guest t9 has a fact."""
    store = SqlStore(database_url)
    async with running_backend(Path("unused"), store=store) as backend:
        await keep(store, "ada", "One dog.", "Two cats.", "Three birds.")
        await keep(store, "ada", "Keep it short.", kind=Kind.RULE)
        for number in (1, 2):
            await end_session(store, "ada", f"Talk {number}.", thread_id=f"t{number}")
        await keep(store, "t9", "One zebra.")
        yield backend


async def call(backend: BackendEnd, method: str, path: str, **query: Any) -> Any:
    response = await backend.http.request(method, f"/api/memory{path}", params=query or ADA)
    assert response.status_code == 200, response.text
    return response.json()


async def listed(backend: BackendEnd, kind: str, **query: Any) -> list[tuple[int, str]]:
    return [(entry["index"], entry["text"]) for entry in (await call(backend, "GET", f"/{kind}", **query))["entries"]]


@pytest.mark.row("G9", "G2")
async def test_what_is_remembered_is_counted_listed_in_pages_and_exported(ada: BackendEnd) -> None:
    assert await call(ada, "GET", "/status") == {
        "recall_enabled": False, "facts": 3, "sessions": 2, "rules": 1, "held": 0,
    }  # fmt: skip
    assert await listed(ada, "facts") == [(1, "One dog."), (2, "Two cats."), (3, "Three birds.")]
    page = await call(ada, "GET", "/facts", **ADA, limit=2)
    assert ([entry["index"] for entry in page["entries"]], page["next"]) == ([1, 2], 2)
    rest = await call(ada, "GET", "/facts", **ADA, limit=2, after=2)
    assert ([entry["index"] for entry in rest["entries"]], rest["next"]) == ([3], None)
    assert await listed(ada, "sessions") == [(1, "Talk 1."), (2, "Talk 2.")]
    assert await listed(ada, "facts", thread_id="t9") == [(1, "One zebra.")]
    everything = await call(ada, "GET", "/export")
    assert {kind: len(everything[kind]) for kind in (*KINDS, "deleted")} == {
        "facts": 3, "sessions": 2, "rules": 1, "deleted": 0,
    }  # fmt: skip
    assert everything["facts"][0]["evidence"] == "One dog."


@pytest.mark.row("G9", "G10")
async def test_a_number_deletes_what_is_displayed_under_it_and_the_id_brings_it_back(ada: BackendEnd) -> None:
    for kind, texts in (("facts", ["One dog.", "Two cats.", "Three birds."]), ("sessions", ["Talk 1.", "Talk 2."])):
        gone = await call(ada, "DELETE", f"/{kind}/2")
        assert (gone["text"], gone["index"]) == (texts[1], None)
        assert gone["restorable_until"] > gone["deleted_at"]
        left = [text for text in texts if text != texts[1]]
        assert await listed(ada, kind) == list(enumerate(left, 1))
        (deleted,) = (await call(ada, "GET", "/deleted"))["entries"]
        assert deleted == gone
        assert (await call(ada, "POST", f"/{gone['id']}/restore"))["index"] == 2
        assert await listed(ada, kind) == list(enumerate(texts, 1))
    assert (await call(ada, "GET", "/deleted"))["entries"] == []


@pytest.mark.row("G5", "G9")
async def test_recall_is_switched_and_an_owner_is_erased_with_memory(ada: BackendEnd) -> None:
    for enabled in (True, False, True):
        reply = await ada.http.patch("/api/memory/recall", params=ADA, json={"enabled": enabled})
        assert reply.json() == {"enabled": enabled}
        assert (await call(ada, "GET", "/status"))["recall_enabled"] is enabled
    assert (await call(ada, "GET", "/status", thread_id="t9"))["recall_enabled"] is False
    await call(ada, "DELETE", "/facts/1")
    assert (await ada.http.delete("/api/threads", params=ADA)).json() == {"threads": 2, "turns": 2}
    assert await call(ada, "GET", "/export") == {
        "recall_enabled": False, "facts": [], "sessions": [], "rules": [], "deleted": [],
    }  # fmt: skip
    assert await listed(ada, "facts", thread_id="t9") == [(1, "One zebra.")]


@pytest.mark.row("G9", "M2")
async def test_what_is_not_there_or_is_anothers_is_404_and_what_is_wrong_422(ada: BackendEnd) -> None:
    (record,) = ((await call(ada, "DELETE", "/facts/1"))["id"],)
    missing: list[tuple[str, str, dict[str, str]]] = [
        ("DELETE", "/facts/3", ADA),
        ("DELETE", "/rules/1", {"user_id": "eve"}),
        ("POST", f"/{record}/restore", {"user_id": "eve"}),
        ("POST", f"/{record.replace('fact', 'rule')}/restore", ADA),
        ("POST", "/zebra/restore", ADA),
        ("POST", "/fact-99999999999999999999/restore", ADA),
        ("POST", "/fact-999999999999/restore", ADA),
        ("DELETE", f"/facts/{2**31 - 1}", ADA),
    ]
    for method, path, query in missing:
        reply = await ada.http.request(method, f"/api/memory{path}", params=query)
        assert (reply.status_code, error_code(reply)) == (404, "memory_not_found"), path
    for method, path in (
        ("DELETE", "/facts/0"),
        ("DELETE", "/zebras/1"),
        ("GET", "/zebras"),
        ("GET", "/facts?limit=201"),
    ):
        reply = await ada.http.request(method, f"/api/memory{path}", params=None if "?" in path else ADA)
        assert (reply.status_code, error_code(reply)) == (422, "invalid_request"), path
    for method, path in (("GET", "/status"), ("GET", "/facts"), ("GET", "/export"), ("DELETE", "/facts/1")):
        reply = await ada.http.request(method, f"/api/memory{path}")
        assert (reply.status_code, error_code(reply)) == (422, "owner_missing"), path
    assert (await call(ada, "GET", "/facts", user_id="nobody"))["entries"] == []


@pytest.mark.row("G9")
async def test_reading_makes_no_file_where_nothing_is_kept(backend: BackendEnd) -> None:
    for path in ("/status", "/facts", "/deleted", "/export"):
        await call(backend, "GET", path)
    for method, path in (("DELETE", "/facts/1"), ("POST", "/fact-1/restore")):
        assert (await backend.http.request(method, f"/api/memory{path}", params=ADA)).status_code == 404
    assert not backend.data.exists()


# Two owners, over every route and every tool of memory, in any order.

SECRETS = {"ada": "zebra", "bob": "walrus"}
OTHER = {"ada": "bob", "bob": "ada"}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(SECRETS)), st.integers(0, 10_000)), min_size=8, max_size=16)


async def walk(folder: Path, steps: list[tuple[str, int]]) -> None:
    store = SqlStore(f"sqlite+aiosqlite:///{folder / 'backend.db'}")
    async with running_backend(folder, store=store, guards=Guards(authentication=Names())) as backend:
        tokens = {}
        for user, secret in SECRETS.items():
            await keep(store, user, f"The {secret} one hums.", f"A {secret} is called Tom.", thread_id=f"of-{user}")
            await keep(store, user, f"Mention the {secret}.", kind=Kind.RULE, thread_id=f"of-{user}")
            await end_session(store, user, f"Of a {secret}.", thread_id=f"of-{user}")
            await store.memory.deletions.delete_at(user, Kind.FACT, 2, now=NOW)
            session = {"thread_id": f"of-{user}", "memory_mode": "persistent"}
            reply = await _send(backend, user, "POST", "/api/voice/realtime/session", session)
            tokens[user] = reply.json()["session_token"]
        routes = [
            (method.upper(), path)
            for path, operations in backend.app.openapi()["paths"].items()
            for method in operations
            if path.startswith("/api/memory")
        ]
        acts: list[Any] = [*routes, *sorted(GATED), *sorted(FREE)]
        assert len(routes) == 7
        for user, number in steps:
            victim = OTHER[user]
            before = await _kept(backend, victim)
            act = acts[number % len(acts)]
            said = await (_route if isinstance(act, tuple) else _tool)(backend, user, victim, act, number, tokens[user])
            assert SECRETS[victim] not in said, act
            assert await _kept(backend, victim) == before, act


async def _route(backend: BackendEnd, user: str, victim: str, act: tuple[str, str], number: int, token: str) -> str:
    method, path = act
    export = json.loads(await _kept(backend, victim))
    of_victim = [record["id"] for kind in (*KINDS, "deleted") for record in export[kind]] or ["fact-1"]
    url = path.replace("{kind}", KINDS[number % 3]).replace("{index}", str(1 + number % 4))
    url = url.replace("{record_id}", of_victim[number % len(of_victim)])
    body = {"enabled": bool(number % 2)} if method == "PATCH" else None
    refused = await _send(backend, user, method, f"{url}?user_id={victim}", body)
    assert refused.status_code == 403, url
    theirs = await _send(backend, user, method, f"{url}?thread_id=of-{victim}", body)
    assert theirs.status_code in (200, 404), url
    return refused.text + theirs.text


async def _tool(backend: BackendEnd, user: str, victim: str, name: str, number: int, token: str) -> str:
    arguments = {**GATED, **FREE}[name] | ({"user_quote": ASKED} if name in GATED else {})
    if "query" in arguments:
        arguments = arguments | {"query": f"{SECRETS[victim]} called Tom"}
    told = ""
    for thread, own_token in ((f"of-{user}", token), (f"of-{victim}", token), (f"of-{victim}", "")):
        body = {"thread_id": thread, "memory_mode": "persistent", "tool_name": name, "arguments": arguments}
        body |= {"current_user_message": ASKED}
        reply = await _send(backend, user, "POST", "/api/voice/realtime/tools", body, own_token)
        assert reply.status_code in ((200,) if thread == f"of-{user}" else (403, 404)), reply.text
        told += reply.text
    return told


async def _send(
    backend: BackendEnd, user: str, method: str, path: str, body: Any = None, token: str = ""
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {user}"} | ({"X-Couchvoice-Session": token} if token else {})
    return await backend.http.request(method, path, json=body, headers=headers)


async def _kept(backend: BackendEnd, user: str) -> str:
    return (await _send(backend, user, "GET", "/api/memory/export")).text


@pytest.mark.timeout(60)
@pytest.mark.row("G8", "C4")
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_neither_owner_sees_or_changes_the_memory_of_the_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    asyncio.run(walk(tmp_path_factory.mktemp("two") / "state", steps))
