"""answer_grounded_lookup: before the corpus a source at a URL, over real sockets; nothing found, and failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from couchvoice.backend.companion import configured_lookup
from couchvoice.backend.lookup import grounded as grounded_module
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.lookup.http_source import MAX_ROWS
from couchvoice.backend.providers import upstream
from couchvoice.companion_settings import CompanionSettings
from couchvoice.errors import ConfigError
from couchvoice.private import Private
from tests.backend.ends import BackendEnd, error_code, running_backend
from tests.local.serving import served
from tests.transports.http_ends import raw_end

QUERY = "zebra husbandry"
GOOD = {"title": "Zebras", "text": "They are striped.", "url": "https://zoo.org/z", "publisher": "the zoo"}
KEY = "lk-CANARY-0123"


@dataclass
class SourceEnd:
    """Somebody's source."""

    reply: Response = field(default_factory=lambda: JSONResponse({"results": [GOOD]}))
    asked: list[tuple[Any, str | None]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked.append((await request.json(), request.headers.get("authorization")))
        return self.reply


@asynccontextmanager
async def asking(end: SourceEnd, tmp_path: Any) -> AsyncIterator[BackendEnd]:
    async with served(end.app) as host:
        lookup = configured_lookup(CompanionSettings(lookup_url=f"http://{host}/find", lookup_key=Private(KEY)))
        async with running_backend(tmp_path / "state", grounded=lookup) as backend:
            yield backend


async def ask(backend: BackendEnd, query: str = QUERY) -> Any:
    return (await backend.tool("answer_grounded_lookup", arguments={"query": query})).json()["output"]


@pytest.mark.row("H1")
async def test_the_shipped_corpus_answers_with_its_citation(backend: BackendEnd) -> None:
    output = await ask(backend, "how much sleep do adults need")
    assert output["response_text"].startswith("Most adults need seven hours")
    assert "Centers for Disease Control" in output["response_text"]
    found = output["grounded_lookup"]
    assert (found["status"], found["source"]) == ("found", "corpus")
    assert found["query"] == "how much sleep do adults need"
    best = found["citations"][0]
    assert best["url"].startswith("https://www.cdc.gov/")
    assert best["dated"] == "2026-11-29"


@pytest.mark.row("H1")
async def test_what_nobody_knows_is_said_and_not_made_up(backend: BackendEnd) -> None:
    output = await ask(backend)
    assert output["grounded_lookup"] == {
        "query": QUERY,
        "status": "no_verified_results",
        "source": None,
        "citations": [],
    }
    assert "nothing verified" in output["response_text"]


@pytest.mark.row("H1")
async def test_a_source_of_the_settings_is_asked_for_the_query_alone_and_before_the_corpus(tmp_path: Any) -> None:
    end = SourceEnd()
    async with asking(end, tmp_path) as backend:
        output = await ask(backend, "how much sleep do adults need")
        assert output["response_text"] == "They are striped. That is from the zoo."
        assert output["grounded_lookup"]["source"] == "lookup"
        assert end.asked == [({"query": "how much sleep do adults need"}, f"Bearer {KEY}")]
        end.reply = JSONResponse({"results": []})
        assert (await ask(backend, "how much sleep do adults need"))["grounded_lookup"]["source"] == "corpus"
        assert (await ask(backend))["grounded_lookup"]["status"] == "no_verified_results"


@pytest.mark.row("H1")
async def test_a_row_without_a_page_that_can_be_looked_at_is_no_result(tmp_path: Any) -> None:
    bad = [
        {**GOOD, "url": "http://zoo.org"},
        {**GOOD, "url": "javascript:alert(1)"},
        {**GOOD, "url": "https://"},
        {**GOOD, "text": ""},
        {"title": "A"},
        "text",
        None,
        7,
    ]
    end = SourceEnd(JSONResponse({"results": [*bad, *[GOOD] * 9]}))
    async with asking(end, tmp_path) as backend:
        citations = (await ask(backend))["grounded_lookup"]["citations"]
        assert citations == [GOOD] * MAX_ROWS
        end.reply = JSONResponse({"results": bad})
        assert (await ask(backend))["grounded_lookup"]["status"] == "no_verified_results"


@pytest.mark.row("H1")
@pytest.mark.parametrize(
    "reply",
    [
        JSONResponse({"error": "SPOKEN secret"}, 500),
        JSONResponse({"results": "none"}),
        JSONResponse({"results": None}),
        JSONResponse([]),
        Response("<html>"),
        Response(b"\xff\xfe"),
        Response('{"results": ' + "[" * 100_000, media_type="application/json"),
        Response(b"x" * (upstream.MAX_ANSWER + 1)),
        RedirectResponse("http://127.0.0.1:1/metadata"),
        RedirectResponse("https://10.0.0.1/internal"),
        Response(status_code=204),
    ],
    ids=lambda reply: f"{reply.status_code}-{len(reply.body)}",
)
async def test_a_source_that_fails_fails_the_tool_and_the_corpus_does_not_stand_in(
    tmp_path: Any, reply: Response, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "couchvoice")
    end = SourceEnd(reply)
    async with asking(end, tmp_path) as backend:
        answer = await backend.tool("answer_grounded_lookup", arguments={"query": "how much sleep do adults need"})
    assert (answer.status_code, error_code(answer)) == (502, "lookup_failed")
    assert len(end.asked) == 1
    assert "secret" not in answer.text + caplog.text
    assert "sleep" not in caplog.text + answer.text
    assert KEY not in caplog.text


@pytest.mark.row("H1")
async def test_a_source_that_never_answers_or_is_not_there_is_given_up(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "UPSTREAM_TIMEOUT", 0.05)

    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_end(silence) as end:
        mute = configured_lookup(CompanionSettings(lookup_url=end.url))
        async with running_backend(tmp_path / "state", grounded=mute) as backend:
            assert (await backend.tool("answer_grounded_lookup", arguments={"query": QUERY})).status_code == 502
        assert len(end.requests) == 1
    gone = configured_lookup(CompanionSettings(lookup_url="http://127.0.0.1:1/find"))
    async with running_backend(tmp_path / "more", grounded=gone) as backend:
        assert (await backend.tool("answer_grounded_lookup", arguments={"query": QUERY})).status_code == 502


@pytest.mark.row("H1")
@pytest.mark.parametrize(
    "url", ["http://example.com/find", "ftp://x.org", "https://me:secret@x.org", "find", "http://[::"]
)
def test_an_address_to_which_nothing_may_be_sent_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigError):
        configured_lookup(CompanionSettings(lookup_url=url))


@pytest.mark.row("H1")
async def test_a_corpus_that_cannot_be_read_is_a_failure_too(
    backend: BackendEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> None:
        raise ValueError

    monkeypatch.setattr(grounded_module, "shipped_corpus", unreadable)
    reply = await backend.tool("answer_grounded_lookup", arguments={"query": QUERY})
    assert (reply.status_code, error_code(reply)) == (502, "lookup_failed")


@pytest.mark.parametrize("arguments", [{}, {"query": ""}, {"query": "  "}, {"query": "x" * 401}, {"query": 7}])
async def test_a_question_that_asks_nothing_is_refused(backend: BackendEnd, arguments: dict[str, Any]) -> None:
    reply = await backend.tool("answer_grounded_lookup", arguments=arguments)
    assert (reply.status_code, error_code(reply)) == (422, "invalid_arguments")


@pytest.mark.row("H1", "H2")
async def test_a_turn_keeps_what_its_answer_rests_on(backend: BackendEnd) -> None:
    output = await ask(backend, "how much sleep do adults need")
    call = {"tool_name": "answer_grounded_lookup", "status": "completed", "output": output}
    await backend.turn(user_text="How much sleep?", memory_mode="persistent", tool_calls=[call])
    history = await backend.http.get("/api/threads/t1/history")
    (turn,) = history.json()["turns"]
    assert turn["route"] == "grounded_lookup"
    assert turn["grounded_lookup"]["citations"][0]["url"].startswith("https://")


async def test_a_lookup_that_nobody_configured_asks_nobody() -> None:
    assert configured_lookup(CompanionSettings())._sources == ()
    await GroundedLookup().close()
