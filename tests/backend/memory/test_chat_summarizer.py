"""A chat endpoint as summarizer, over a real socket: what it says is used within bounds, and proves nothing itself."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from couchvoice.backend import SqlStore
from couchvoice.backend.companion import configured_summarizer
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.memory.chat_summarizer import ChatSummarizer
from couchvoice.backend.memory.records import Kind
from couchvoice.companion_settings import CompanionSettings
from couchvoice.errors import ConfigError
from couchvoice.private import Private
from tests.apps.serving import serving
from tests.backend.ends import any_turn
from tests.backend.memory.kept import texts

KEY = "sk-CANARY-summary"
SAID = "My dog Rex is ill, and I feel like a failure. Please be brief."
ANSWER = {
    "summary": "They worry about Rex, their dog.",
    "primary_themes": ["animals"],
    "mood_opened": "worried",
    "mood_closed": "calm",
    "open_loops": ["Call\x00 the\x1b vet."],
    "told": [
        {"kind": "fact", "text": "Their dog Rex is ill.", "evidence": "my dog Rex is ill"},
        {"kind": "fact", "text": "They own a zebra.", "evidence": "I own a zebra"},
        {
            "kind": "fact",
            "text": "They think they are a failure.",
            "evidence": "I feel like a failure",
            "self_belief": True,
        },
        {"kind": "rule", "text": "Be brief.", "evidence": "Please be brief"},
    ],
}


class Chat:
    """Answers whatever it is told to."""

    def __init__(self, content: Any, status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self._content, self._status = content, status
        self.app = Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.headers.append(request.headers)
        message = {"role": "assistant", "content": self._content}
        return JSONResponse({"choices": [{"message": message}]}, self._status)


async def end(store: SqlStore, url: str, owner: str = "ada") -> Any:
    summarizer = ChatSummarizer(f"{url}/v1", model="small", key=Private(KEY))
    try:
        return await Finalizer(store, summarizer=summarizer).finalize(f"of-{owner}", owner=owner, session_id=None)
    finally:
        await summarizer.close()


@pytest.mark.row("J2", "J3")
async def test_its_arc_is_kept_and_only_what_was_said_is_learnt(store: SqlStore) -> None:
    chat = Chat(json.dumps(ANSWER))
    await store.turns.record(any_turn(SAID, thread_id="of-ada", owner="ada", assistant_text="I see."))
    async with serving(chat.app) as url:
        arc = await end(store, url)
    assert (arc.summary, arc.mood_closed, arc.open_loops, arc.turn_count) == (
        "They worry about Rex, their dog.", "calm", ["Call the vet."], 1,
    )  # fmt: skip
    assert (await texts(store, "ada"), await texts(store, "ada", Kind.RULE)) == (["Their dog Rex is ill."], [])
    assert (await store.memory.records.counts("ada")).held == 3
    assert chat.headers[0]["authorization"] == f"Bearer {KEY}"
    assert (chat.asked[0]["model"], SAID in chat.asked[0]["messages"][1]["content"]) == ("small", True)


@pytest.mark.row("J2")
@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("no JSON", 200),
        (None, 200),
        ({"summary": "an object, not a text"}, 200),
        ("[]", 200),
        ("{}", 200),
        (json.dumps({"summary": "x" * 2_000}), 200),
        (json.dumps({"summary": "x", "told": [{"kind": "secret", "text": "x"}]}), 200),
        (json.dumps(ANSWER), 500),
        (json.dumps(ANSWER), 302),
    ],
)
async def test_when_it_talks_nonsense_the_rules_do_it(
    content: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "couchvoice")
    summarizer = None
    async with serving(Chat(content, status).app) as url:
        summarizer = ChatSummarizer(f"{url}/v1", model="small", key=Private(KEY))
        digest = await summarizer.digest([any_turn(SAID)])
        await summarizer.close()
    assert digest.arc.summary.startswith("A talk of one turn.")
    assert "it is made by rules" in caplog.text
    assert SAID not in caplog.text
    assert KEY not in caplog.text


async def test_nobody_is_asked_about_a_talk_without_words_and_a_dead_server_is_no_end() -> None:
    chat = Chat(json.dumps(ANSWER))
    async with serving(chat.app) as url:
        silent = ChatSummarizer(f"{url}/v1", model="small")
        assert "without its transcript" in (await silent.digest([any_turn("", transcript_kept=False)])).arc.summary
        await silent.close()
    assert chat.asked == []
    gone = ChatSummarizer("http://127.0.0.1:1/v1", model="small")
    assert (await gone.digest([any_turn(SAID)])).arc.turn_count == 1
    await gone.close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"summary_url": "http://127.0.0.1:1/v1"}, "set COUCHVOICE_SUMMARY_MODEL"),
        ({"summary_url": "http://example.com/v1", "summary_model": "small"}, "http"),
    ],
)
def test_settings_that_cannot_be_stop_the_start(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        configured_summarizer(CompanionSettings(**settings))


async def test_without_a_url_the_rules_do_it() -> None:
    digest = await configured_summarizer(CompanionSettings()).digest([any_turn("I have a dog.")])
    assert [statement.text for told in digest.told for statement in told] == ["I have a dog."]
