"""The OpenAPI document: complete, true, and kept for whatever is sent (schemathesis judges)."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

import couchvoice.backend
from couchvoice.backend import SqlStore, create_app
from couchvoice.backend.error_codes import ERROR_CODES
from couchvoice.backend.guard import ADMIN_PREFIX, PUBLIC_PATHS
from couchvoice.backend.guards import Guards
from couchvoice.backend.openapi import EXAMPLES
from couchvoice.backend.providers import Failure
from couchvoice.contract import MEMORY_RECALL_PATH
from couchvoice.private import Private
from tests.backend.ends import BackendEnd, ProviderEnd, openai_like

ADMIN = "the operators' credential, of 32 characters and more"
EXAMPLE_COUNT = 8  # for each operation, besides those that schemathesis always tries
# What no JSON schema says: that one of two texts is needed, or a name that is not there.
ALLOWED = {
    "empty_turn",
    "invalid_request",
    "nothing_to_change",
    "owner_missing",
    "unknown_mode",
    "unsupported_modalities",
    "unsupported_voice",
}

load_all_checks()
# All but the one that knows no rules beside the schema; ALLOWED names them.
STRICT = [check for check in CHECKS.get_all() if check.__name__ != "positive_data_acceptance"]
WITHOUT_VERDICT = [check for check in STRICT if check.__name__ != "negative_data_rejection"]


def new_app(folder: Path) -> tuple[FastAPI, SqlStore]:
    store = SqlStore(f"sqlite+aiosqlite:///{folder / 'backend.db'}")
    provider = openai_like("local", transport=httpx.ASGITransport(ProviderEnd().app))
    return create_app(store=store, provider=provider, guards=Guards(admin=Private(ADMIN))), store


# To know the operations; it is never asked for anything.
CASES = [
    pytest.param(method, path, mode, id=f"{method}-{path}-{mode.value}")
    for path, operations in new_app(Path("nowhere"))[0].openapi()["paths"].items()
    for method, operation in operations.items()
    for mode in GenerationMode
    if mode.is_positive or {"requestBody", "parameters"} & operation.keys()  # else nothing of it can be wrong
]


@asynccontextmanager
async def _open_to_the_end(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    app, store = new_app(tmp_path_factory.mktemp("openapi"))
    app.router.lifespan_context = _open_to_the_end  # schemathesis runs it around every single request
    yield app
    asyncio.run(store.close())


@pytest.mark.row("M2")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_whatever_is_sent_is_answered_as_the_document_says(
    app: FastAPI, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_asgi("/openapi.json", app)[path][method.upper()]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLE_COUNT, deadline=None, suppress_health_check=list(HealthCheck))
    def judge(case: schemathesis.Case) -> None:
        response = case.call()
        # To schemathesis, 413 is no way to refuse what is wrong.
        case.validate_response(response, checks=STRICT if response.status_code != 413 else WITHOUT_VERDICT)
        if response.status_code >= 400:
            detail = response.json()["detail"]
            assert detail.keys() == {"code", "message"}
            assert detail["code"] in ERROR_CODES
            if mode.is_positive and response.status_code == 422:
                assert detail["code"] in ALLOWED

    judge()


def test_the_document_is_complete_and_loads_nothing(app: FastAPI) -> None:
    document = app.openapi()
    assert "http" not in json.dumps({key: value for key, value in document.items() if key != "components"})
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"401", "403", "404", "422", "429", "500"} <= operation["responses"].keys()
            assert ("security" in operation) == (path not in PUBLIC_PATHS)
            assert operation.get("security") == [{"operator": []}] or not path.startswith(ADMIN_PREFIX)
    for code in ERROR_CODES:
        assert f"`{code}`" in document["info"]["description"]


async def test_the_document_is_served_and_its_examples_work(backend: BackendEnd) -> None:
    assert (await backend.http.get("/openapi.json")).json()["openapi"].startswith("3.")
    operations = backend.app.openapi()["paths"]
    for path, example in EXAMPLES.items():
        (method,) = (name for name, operation in operations[path].items() if "requestBody" in operation)
        assert operations[path][method]["requestBody"]["content"]["application/json"]["example"] == example
        whose = {"user_id": "ada"} if path == MEMORY_RECALL_PATH else {}
        reply = await backend.http.request(method, path, json=example, params=whose)
        assert reply.status_code == 200, path


@pytest.mark.row("M2")
def test_every_code_that_is_answered_is_documented() -> None:
    folder = Path(couchvoice.backend.__file__).parent
    found = {failure.value for failure in Failure}
    for path in (*folder.rglob("*.py"), folder.parent / "web_guards.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            where = {"failing_as": 0, "Refused": 1, "error_response": 1, "self._refuse": 1}.get(called)
            if where is not None and where < len(call.args) and isinstance(call.args[where], ast.Constant):
                found.add(call.args[where].value)
    assert len(found) > 30
    assert found <= ERROR_CODES.keys()
