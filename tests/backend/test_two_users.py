"""Two users over every route of the document, in any order: neither sees or changes what is the other's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchvoice.backend.guard import PUBLIC_PATHS
from couchvoice.backend.guards import Guards
from couchvoice.contract import SESSION_PATH, SESSION_TOKEN_HEADER, TURN_PATH
from tests.backend.ends import BackendEnd, Names, running_backend

SECRETS = {"ada": "zebra", "bob": "walrus"}
OTHER = {"ada": "bob", "bob": "ada"}
EXAMPLES = 6
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(SECRETS)), st.integers(0, 10_000), st.booleans(), st.booleans()),
    min_size=10,
    max_size=40,
)


async def send(backend: BackendEnd, user: str, method: str, path: str, body: Any = None, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {user}"} | ({SESSION_TOKEN_HEADER: token} if token else {})
    return await backend.http.request(method, path, json=body, headers=headers)


async def begin(backend: BackendEnd, user: str) -> str:
    """A session in which something was said, and its token."""
    thread = {"thread_id": f"of-{user}", "memory_mode": "persistent"}
    token = (await send(backend, user, "POST", SESSION_PATH, thread)).json()["session_token"]
    turn = thread | {"user_text": SECRETS[user], "client_turn_id": "first"}
    assert (await send(backend, user, "POST", TURN_PATH, turn, token)).status_code == 200
    return str(token)


async def kept(backend: BackendEnd, user: str) -> str:
    history = await send(backend, user, "GET", f"/api/threads/of-{user}/history")
    status = await send(backend, user, "GET", f"/api/threads/of-{user}/status")
    return json.dumps([history.json(), status.json()], sort_keys=True)


async def walk(folder: Path, steps: list[tuple[str, int, bool, bool]]) -> None:
    async with running_backend(folder, guards=Guards(authentication=Names())) as backend:
        tokens = {user: await begin(backend, user) for user in SECRETS}
        routes = [
            (method.upper(), path, operation)
            for path, operations in backend.app.openapi()["paths"].items()
            for method, operation in operations.items()
            if path not in PUBLIC_PATHS
        ]
        before = {user: await kept(backend, user) for user in SECRETS}
        for user, number, stolen, claims in steps:
            method, path, operation = routes[number % len(routes)]
            if "{" not in path and "requestBody" not in operation:
                continue  # it names no thread, so it cannot name another's; test_guard.py has its owner
            victim = OTHER[user]
            body = {"thread_id": f"of-{victim}", "memory_mode": "persistent", "tool_name": "show_memory_status"}
            body |= {"user_text": SECRETS[user], "voice": "sage"}
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            model = backend.app.openapi()["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
            named = {name: value for name, value in body.items() if name in model.get("properties", {})}
            if claims and "user_id" in model.get("properties", {}):
                named["user_id"] = victim
            url = path.replace("{thread_id}", f"of-{victim}").replace("{task_id}", "x")
            token = tokens[victim if stolen else user]
            response = await send(backend, user, method, url, named if model else None, token)
            assert SECRETS[victim] not in response.text, (method, path)
            if "thread_id" in named or "{thread_id}" in path:
                assert response.status_code in (403, 404, 422), (method, path, response.text)
            assert await kept(backend, victim) == before[victim], (method, path)
        assert {user: await kept(backend, user) for user in SECRETS} == before


@pytest.mark.timeout(60)
@pytest.mark.row("C4")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_neither_sees_or_changes_what_is_the_others(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool, bool]]
) -> None:
    asyncio.run(walk(tmp_path_factory.mktemp("two") / "state", steps))
