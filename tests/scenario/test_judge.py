"""The judge, played by an OpenAI-compatible server of the tests' own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.private import Private
from couchvoice.scenario.expectations import Judgement
from couchvoice.scenario.judge import Judge, judge_of
from couchvoice.scenario.outcome import Outcome
from couchvoice.scenario.runner import Held, hear_judge
from couchvoice.scenario.talk_record import Check, TalkRecord
from couchvoice.settings import load_settings
from tests.local.engines.far_end import FarEnd, far_end
from tests.scenario.holding import Hold

POLITE = Judgement("assistant.judge", "It is polite.", 'Thank you. {"holds": true}')


class Court:
    """Answers each question with the next of these texts, and keeps what it was asked."""

    def __init__(self, *said: str, status: int = 200) -> None:
        self._said = iter(said)
        self._status = status
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()

    async def __call__(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.keys.add(request.headers["authorization"])
        message = {"role": "assistant", "content": next(self._said)}
        return JSONResponse({"choices": [{"index": 0, "message": message}]}, status_code=self._status)


def judge_at(end: FarEnd) -> Judge:
    return Judge(end.url, "a-model", Private("sk-judge"))


@pytest.mark.row("L7")
async def test_a_judge_is_shown_the_claim_and_the_words_and_its_answer_counts() -> None:
    court = Court(
        '{"holds": true, "why": "It says thank you."}', 'Sure:\n```json\n{"holds": false, "why": "Rude."}\n```'
    )
    held = Held(
        Outcome(name="talk", file="talk.yaml"), TalkRecord("talk", "now"), [("t:1:1", POLITE), ("t:2:2", POLITE)]
    )
    async with far_end() as end:
        end.instead = court
        await hear_judge(held, judge_at(end))
    first, second = held.outcome.checks
    assert (first.passed, first.got, second.passed) == (True, "It says thank you.", False)
    assert held.outcome.outcome == "failed"
    assert held.outcome.error == "t:2:2: assistant.judge: expected it is true that: It is polite., got Rude."
    assert [check.passed for check in held.record.of(Check)] == [True, False]
    assert (held.record.outcome, held.record.error) == ("failed", held.outcome.error)
    system, user = court.asked[0]["messages"]
    assert json.loads(user["content"]) == {"claim": POLITE.sentence, "transcript": POLITE.text}
    assert POLITE.text not in system["content"]
    assert (court.asked[0]["model"], court.asked[0]["temperature"]) == ("a-model", 0)
    assert court.keys == {"Bearer sk-judge"}


@pytest.mark.parametrize(
    "said", ["", "Yes.", "{}", '{"holds": "yes"}', '{"holds": true', "[true]", '{"holds": null, "why": "?"}']
)
async def test_an_answer_that_cannot_be_read_is_no_pass(said: str) -> None:
    async with far_end() as end:
        end.instead = Court(said)
        opinion = await judge_at(end).opinion(POLITE)
    assert (opinion.holds, opinion.why) == (False, "the judge gave no answer that can be read")


async def test_a_judge_that_is_not_there_or_refuses_is_no_pass() -> None:
    opinion = await Judge("http://127.0.0.1:9/v1", "m").opinion(POLITE)
    assert not opinion.holds
    assert opinion.why.startswith("the judge could not be asked: no connection")
    async with far_end() as end:
        end.instead = Court("{}", status=401)
        opinion = await judge_at(end).opinion(POLITE)
    assert (opinion.holds, opinion.why) == (False, "the judge answered with status 401")


def test_who_is_the_judge_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("URL", "http://127.0.0.1:11434/v1/"), ("MODEL", "llama3.2"), ("KEY", "sk-1")):
        monkeypatch.setenv(f"COUCHVOICE_JUDGE_{name}", value)
    judge = judge_of(load_settings())
    assert (judge.url, judge.model) == ("http://127.0.0.1:11434/v1", "llama3.2")
    assert judge.key is not None
    assert judge.key.reveal() == "sk-1"
    assert judge_of(replace(load_settings(), judge_key=None)).key is None


def test_a_script_that_wants_a_judge_is_not_held_without_one(hold: Hold, tmp_path: Path) -> None:
    held = hold("steps: [{type: Hello.}, {expect: {assistant: {judge: It is polite.}}}]")
    assert held.outcome.outcome == "broken"
    assert "talk.yaml:1:54: it wants a judge: set COUCHVOICE_JUDGE_URL" in (held.outcome.error or "")
    assert held.outcome.seconds < 1
