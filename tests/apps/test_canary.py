"""Nothing of a talk reaches the client's log, nor the labels of anybody's figures: neither words nor secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.apps.command import started
from tests.e2e.minimal_backend import SESSION_CONFIG, Fault, MinimalBackend

SAID = "quixotic marmalade 4711"
QUESTION = f"Is memory on? My password is {SAID}"  # it makes the model call a tool
USER, THREAD = "ada-of-the-canary", "thread-of-the-canary"
BEARER, SESSION_TOKEN = "CANARY-bearer", "CANARY-session-token"
OUTPUT = {"response_text": "the CANARY output sings", "side_effect": "none"}
SUMMARY = "the CANARY summary hums"


@pytest.mark.row("N7")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("level", ["debug", "info"])
async def test_neither_the_clients_log_nor_a_label_holds_a_word_or_a_secret(
    realtime: str, secret: str, still: Path, level: str
) -> None:
    opened = {"client_secret": secret, "session_config": SESSION_CONFIG, "session_token": SESSION_TOKEN}
    ended = {"finalized": True, "summary": SUMMARY, "detail": SUMMARY, "themes": [SUMMARY]}
    faults = {"session": Fault(200, json.dumps(opened)), "end": Fault(200, json.dumps(ended))}
    faults["tools"] = Fault(200, json.dumps({"output": OUTPUT}))
    environment = {"COUCHVOICE_LOG": level, "COUCHVOICE_TOKEN": BEARER}
    with MinimalBackend(secret=secret, faults=faults) as backend:  # type: ignore[arg-type]  # the names are endpoints
        ends = ("--backend", backend.url, "--realtime-url", realtime, "--input", str(still), "--output", "none")
        whose = ("--user", USER, "--thread", THREAD, "--memory", "persistent")
        async with started("talk", *ends, *whose, "--json", environment=environment) as talk:
            await talk.line_with(type="state", state="listening")
            talk.type(QUESTION)
            turn = await talk.line_with(type="turn")
            talk.process.terminate()
            log = (await talk.ended()).stderr
    # The control: all of it did pass through the client.
    (tool, *_), (recorded, *_) = backend.to("tools"), backend.to("turn")
    assert SAID in tool["current_user_message"]
    assert recorded["tool_calls"][0]["output"] == OUTPUT
    headers = backend.requests[-1].headers
    assert (headers["Authorization"], headers["X-Couchvoice-Session"]) == (f"Bearer {BEARER}", SESSION_TOKEN)
    assert "couchvoice.client" in log
    labels = "\n".join(re.findall(r"\{.*\}", (await _metrics(realtime))))
    assert labels
    for private in (SAID, "marmalade", turn["assistant_text"], secret, USER, THREAD, "CANARY"):
        assert private not in log, private
        assert private not in labels, private


async def _metrics(realtime: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(realtime.removesuffix("/v1") + "/metrics")).raise_for_status().text
