"""The audit after a turn and the crisis log: what is found, what is kept of it, for how long; and that nobody waits."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from couchvoice.backend import SqlStore
from couchvoice.backend.companion import configured_crisis_watch
from couchvoice.backend.crisis import auditor as auditor_module
from couchvoice.backend.crisis.audit import Heard, Verdict, audit
from couchvoice.backend.crisis.auditor import Audited, Auditor
from couchvoice.backend.crisis.classifier import ModerationsClassifier
from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.crisis.log import CRISIS_TOOLS, RETENTION, CrisisEntry, CrisisKind, MemoryCrisisLog
from couchvoice.backend.crisis.watch import CrisisWatch
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.guards import Guards
from couchvoice.backend.lookup.source import LookupFailed
from couchvoice.backend.tools.catalogue import CATALOGUE, CRISIS
from couchvoice.companion_settings import CompanionSettings
from couchvoice.errors import ConfigError
from couchvoice.private import Private
from tests.backend.ends import BackendEnd, any_turn, running_backend
from tests.local.serving import served

ADMIN = "the operators' credential, of 32 characters and more"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
DANGER, CALM = "I want to die. The zebra hums.", "The zebra under the piano hums."
INVENTED = "Please call 555 0199 now, the zebra line."
TEMPLATE = {
    "tool_name": "get_crisis_support_template",
    "status": "completed",
    "output": {"risk_level": "high", "resource_lookup_status": "found"},
}


def lookup_call(phone: str = "116 123", *, status: str = "completed") -> dict[str, Any]:
    lines = [{"name": "Samaritans", "phone": phone, "url": "https://s.org", "region": "Ireland"}]
    output = {"found_resources": lines, "resource_lookup_status": "found", "inferred_location": "Ireland"}
    return {"tool_name": "lookup_crisis_resources", "status": status, "output": output}


@asynccontextmanager
async def watched(state: Path, watch: CrisisWatch | None = None) -> AsyncIterator[tuple[BackendEnd, CrisisWatch]]:
    watch = watch or CrisisWatch()
    guards = Guards(admin=Private(ADMIN))
    async with running_backend(state, guards=guards, crisis=watch) as backend:
        yield backend, watch


async def entries(backend: BackendEnd, watch: CrisisWatch) -> list[dict[str, Any]]:
    await watch.auditor.idle()
    listed: list[dict[str, Any]] = (await backend.http.get("/api/admin/crisis", headers=OPERATOR)).json()["entries"]
    return listed


def heard(user: str, assistant: str, *calls: dict[str, Any]) -> Heard:
    return Heard(user, assistant, [{"output": {}, **call} for call in calls])


@pytest.mark.row("H4", "H6")
@pytest.mark.parametrize(
    ("turn", "verdict"),
    [
        (heard(CALM, "How nice."), Verdict(False, 0)),
        (heard(CALM, "Bus 555 0199 leaves soon."), Verdict(False, 0)),
        (heard(DANGER, "I am here."), Verdict(True, 0)),
        (heard(DANGER, INVENTED), Verdict(True, 1)),
        (heard(CALM, "There is a hotline: nine one one."), Verdict(False, 1)),
        (heard(DANGER, "Call Samaritans, 116 123.", lookup_call()), Verdict(False, 0)),
        (heard(DANGER, "Call Samaritans, 116 124.", lookup_call()), Verdict(False, 1)),
        (heard(DANGER, "Call 988 or 116 123.", lookup_call()), Verdict(False, 1)),
        # A client may say what it likes of its tools: the desk has never given such a number.
        (heard(DANGER, "Call 555 0199.", lookup_call("555 0199")), Verdict(False, 1)),
        (heard(DANGER, "Call 116 123.", lookup_call(status="failed")), Verdict(False, 1)),
        (heard(CALM, "Call 116 123.", {**lookup_call(), "tool_name": "show_chart"}), Verdict(False, 0)),
        (
            heard(CALM, "Call 116 123.", {"tool_name": "get_crisis_support_template", "status": "completed"}),
            Verdict(False, 1),
        ),
        *(
            (
                heard(DANGER, "Call 116 123.", {**lookup_call(), "output": {"found_resources": rubbish}}),
                Verdict(False, 1),
            )
            for rubbish in (None, 7, "116 123", ["116 123"], [{"phone": 116123}], [None])
        ),
    ],
)
def test_the_verdict_on_a_turn(turn: Heard, verdict: Verdict) -> None:
    assert audit(turn, has_given=CrisisDesk().has_given) == verdict


@pytest.mark.row("H4", "H7")
async def test_a_persistent_talk_leaves_entries_without_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "couchvoice")
    async with watched(tmp_path / "state") as (backend, watch):
        mode = {"memory_mode": "persistent", "user_id": "ada"}
        template = {
            "tool_name": "get_crisis_support_template",
            "status": "completed",
            "output": {"risk_level": "high", "resource_lookup_status": "found"},
        }
        await backend.turn(
            user_text=DANGER, assistant_text="Call 116 123.", tool_calls=[lookup_call(), template], **mode
        )
        await backend.turn(user_text=DANGER, assistant_text=INVENTED, **mode)
        await backend.turn(user_text=CALM, assistant_text="How nice.", **mode)
        listed = await entries(backend, watch)
        assert [(entry["kind"], entry["numbers"]) for entry in listed] == [
            ("invented_number", 1),
            ("missed_crisis", 0),
            ("crisis", 0),
        ]
        crisis = listed[-1]
        assert crisis["tools"] == ["get_crisis_support_template", "lookup_crisis_resources"]
        assert (crisis["lookup_status"], crisis["risk_level"], crisis["memory_mode"]) == ("found", "high", "persistent")
        assert all(entry["judged_by"] == "rules" for entry in listed[:2])
        found = await backend.http.get("/metrics")
        assert 'couchvoice_audits_total{result="missed_crisis"} 1.0' in found.text
    told = json.dumps(listed) + caplog.text
    for word in ("zebra", "die", "555", "116", "ada"):
        assert word not in told
    events = [json.loads(record.getMessage()) for record in caplog.records if record.name.endswith("events")]
    assert [event["found"] for event in events if event["event"] == "audit"] == ["missed_crisis", "invented_number"]


@pytest.mark.row("H7", "K1", "K5")
async def test_an_incognito_talk_has_its_entries_in_memory_only(tmp_path: Path):
    async with watched(tmp_path / "state") as (backend, watch):
        await backend.turn(user_text=DANGER, assistant_text="Call 116 123.", tool_calls=[lookup_call()])
        await backend.turn(user_text=DANGER, assistant_text=INVENTED)
        listed = await entries(backend, watch)
        assert [entry["kind"] for entry in listed] == ["invented_number", "missed_crisis", "crisis"]
        assert {entry["memory_mode"] for entry in listed} == {"incognito"}
        assert not backend.data.exists()
        # The positive control: the same, persistent, is on the disk.
        await backend.turn(user_text=DANGER, memory_mode="persistent")
        assert len(await entries(backend, watch)) == 4
        assert b"missed_crisis" in backend.bytes_on_disk()
    async with watched(tmp_path / "state") as (backend, watch):
        assert [entry["memory_mode"] for entry in await entries(backend, watch)] == ["persistent"]


@pytest.mark.row("H7")
async def test_a_turn_that_is_sent_again_is_in_the_log_once(tmp_path: Path):
    async with watched(tmp_path / "state") as (backend, watch):
        turn = {"user_text": DANGER, "assistant_text": INVENTED, "client_turn_id": "1", "memory_mode": "persistent"}
        for _ in range(3):
            await backend.turn(tool_calls=[lookup_call()], **turn)
        assert [entry["kind"] for entry in await entries(backend, watch)] == ["invented_number", "crisis"]


@pytest.mark.row("H7", "I6")
async def test_without_the_transcript_the_crisis_is_logged_all_the_same(tmp_path: Path):
    async with watched(tmp_path / "state") as (backend, watch):
        fields = {"memory_mode": "persistent", "save_transcript": False, "tool_calls": [lookup_call()]}
        await backend.turn(user_text="", assistant_text="", **fields)
        (entry,) = await entries(backend, watch)
        assert (entry["kind"], entry["lookup_status"]) == ("crisis", None)


def entry(kind: CrisisKind = CrisisKind.MISSED, *, age: timedelta = timedelta(), thread: str = "t") -> CrisisEntry:
    return CrisisEntry(kind=kind, thread_id=thread, session_id=None, created_at=datetime.now(UTC) - age)


@pytest.mark.row("H7")
async def test_entries_go_after_90_days_and_with_their_thread(store: SqlStore) -> None:
    assert timedelta(days=90) == RETENTION
    assert await store.crisis.entries(limit=9) == []
    call = {"tool_name": "lookup_crisis_resources", "status": "completed", "output": {}}
    for text in ("one", "two"):
        await store.turns.record(any_turn(text, tool_calls=[call]))
    await store.turns.record(any_turn("three", thread_id="t2", owner="t2", tool_calls=[call]))
    await store.crisis.add(entry(age=RETENTION + timedelta(hours=1)), message_count=1)
    await store.crisis.add(entry(age=RETENTION - timedelta(hours=1)), message_count=2)
    await store.crisis.add(entry(), message_count=2)  # once more
    await store.crisis.add(entry(), message_count=77)  # of a turn that is not kept
    await store.crisis.add(entry(thread="t9"), message_count=1)
    kinds = [(found.kind, found.thread_id) for found in await store.crisis.entries(limit=9)]
    assert sorted(kinds) == [("crisis", "t"), ("crisis", "t"), ("crisis", "t2"), *[("missed_crisis", "t")] * 2]
    await Finalizer(store).sweep()
    assert len(await store.crisis.entries(limit=9)) == 4
    assert len(await store.crisis.entries(limit=2)) == 2
    await store.threads.delete("t", owner="t")
    assert [found.thread_id for found in await store.crisis.entries(limit=9)] == ["t2"]
    await store.threads.erase("t2")
    assert await store.crisis.entries(limit=9) == []


@pytest.mark.row("H7")
async def test_what_is_kept_in_memory_is_bounded_and_grows_old_too() -> None:
    log = MemoryCrisisLog(limit=3)
    for days in (100, 95, 80, 79):
        await log.add(entry(age=timedelta(days=days)), message_count=0)
    assert len(await log.entries(limit=9)) == 3
    assert len(await log.entries(limit=1)) == 1
    await log.add(entry(), message_count=0)  # and the one of 95 days has gone
    ages = [(datetime.now(UTC) - found.created_at).days for found in await log.entries(limit=9)]
    assert ages == [0, 79, 80]
    await log.add(entry(age=timedelta(days=-11)), message_count=0)
    assert len(await log.entries(limit=9)) == 2


class Slow:
    """A classifier that answers when it is allowed to."""

    def __init__(self, *, says: bool = True) -> None:
        self.allowed = asyncio.Event()
        self.says = says
        self.asked: list[str] = []
        self.closed = False

    async def says_crisis(self, text: str) -> bool:
        self.asked.append(text)
        await self.allowed.wait()
        return self.says

    async def close(self) -> None:
        self.closed = True


class Failing(Slow):
    async def says_crisis(self, text: str) -> bool:
        raise LookupFailed("classifier")


@pytest.mark.row("H6")
async def test_a_turn_is_answered_while_its_audit_waits(tmp_path: Path):
    slow = Slow()
    async with watched(tmp_path / "state", CrisisWatch(classifier=slow)) as (backend, watch):
        replies = [await backend.turn(f"t{number}", user_text=CALM) for number in range(20)]
        assert {reply.status_code for reply in replies} == {200}
        assert len(slow.asked) <= auditor_module.WORKERS
        slow.allowed.set()
        assert len(await entries(backend, watch)) == 20
        assert set(slow.asked) == {CALM}
    assert slow.closed


def audited(user_text: str, log: MemoryCrisisLog) -> Audited:
    return Audited(heard=heard(user_text, ""), thread_id="t", session_id=None, message_count=1, log=log)


@pytest.mark.row("H6")
async def test_more_turns_than_it_can_take_are_skipped_and_counted() -> None:
    log, slow = MemoryCrisisLog(), Slow()
    auditor = Auditor(CrisisDesk(), classifier=slow, limit=5)
    began = time.monotonic()
    for _ in range(1000):
        auditor.submit(audited(CALM, log))
    assert time.monotonic() - began < 2  # seconds
    assert auditor.counts["skipped"] == 995
    slow.allowed.set()
    async with auditor.running():
        await auditor.idle()
    assert len(await log.entries(limit=1000)) == 5


@pytest.mark.row("H6")
@pytest.mark.parametrize("classifier", [Slow, Failing])
async def test_what_the_classifier_does_not_answer_is_left_to_the_rules(classifier: type[Slow]) -> None:
    log = MemoryCrisisLog()
    auditor = Auditor(CrisisDesk(), classifier=classifier(), classifier_timeout=0.02)
    async with auditor.running():
        auditor.submit(audited(CALM, log))
        auditor.submit(audited(DANGER, log))  # the rules know: nobody else is asked
        await auditor.idle()
    assert [found.judged_by for found in await log.entries(limit=9)] == ["rules"]
    assert (auditor.counts["unclassified"], auditor.counts["missed_crisis"]) == (1, 1)


@pytest.mark.row("H6")
async def test_an_audit_that_breaks_breaks_no_other(caplog: pytest.LogCaptureFixture) -> None:
    class Full(MemoryCrisisLog):
        async def add(self, entry: CrisisEntry, *, message_count: int) -> None:
            raise OSError(DANGER)

    log = MemoryCrisisLog()
    auditor = Auditor(CrisisDesk())
    async with auditor.running():
        auditor.submit(audited(DANGER, Full()))
        auditor.submit(audited(DANGER, log))
        await auditor.idle()
    assert len(await log.entries(limit=9)) == 1
    assert auditor.counts["failed"] == 1
    assert "zebra" not in caplog.text


@pytest.mark.row("H6")
async def test_the_end_waits_for_what_is_left_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditor_module, "DRAIN_TIMEOUT", 0.05)
    log, slow = MemoryCrisisLog(), Slow()
    auditor = Auditor(CrisisDesk(), classifier=slow)
    invents = Audited(
        heard=heard(CALM, f"A hotline: {INVENTED}"), thread_id="t", session_id=None, message_count=1, log=log
    )
    async with auditor.running():
        for _ in range(auditor_module.WORKERS + 3):
            auditor.submit(invents)
    assert auditor.counts["skipped"] == 3
    # What the rules have found did not wait for the classifier.
    assert [found.kind for found in await log.entries(limit=9)] == [CrisisKind.INVENTED] * auditor_module.WORKERS


REPLIES: list[tuple[Response, bool | None]] = [
    (JSONResponse({"results": [{"categories": {"self-harm": True, "violence": False}}]}), True),
    (JSONResponse({"results": [{"categories": {"self-harm/intent": True}}]}), True),
    (JSONResponse({"results": [{"categories": {"self-harm": False, "violence": True}}]}), False),
    (JSONResponse({"error": "no"}, 401), None),
    (JSONResponse({"results": []}), None),
    (JSONResponse({"results": [{"categories": ["self-harm"]}]}), None),
    (JSONResponse({"results": [{"categories": None}]}), None),
    (Response("[" * 50_000), None),
    (Response("nonsense"), None),
]


@pytest.mark.row("H6")
@pytest.mark.parametrize(("reply", "says"), REPLIES)
async def test_a_moderations_endpoint_judges_the_words_alone(reply: Response, says: bool | None) -> None:
    asked: list[tuple[Any, str | None]] = []

    async def moderate(request: Request) -> Response:
        asked.append((await request.json(), request.headers.get("authorization")))
        return reply

    async with served(Starlette(routes=[Route("/v1/moderations", moderate, methods=["POST"])])) as host:
        classifier = ModerationsClassifier(f"http://{host}/v1/", model="mine", key=Private("mk-1"))
        if says is None:
            with pytest.raises(LookupFailed):
                await classifier.says_crisis(CALM)
        else:
            assert await classifier.says_crisis(CALM) is says
        await classifier.close()
    assert asked == [({"model": "mine", "input": CALM}, "Bearer mk-1")]


@pytest.mark.row("H6")
def test_a_classifier_is_held_to_the_rules_of_addresses() -> None:
    with pytest.raises(ConfigError):
        configured_crisis_watch(CompanionSettings(audit_url="http://judge.example.com/v1"))


@pytest.mark.row("H7")
def test_the_tools_for_crises_are_those_of_the_catalogue() -> None:
    assert set(CRISIS_TOOLS) == {name for name, tool in CATALOGUE.items() if tool.route == CRISIS}


async def test_the_log_is_for_operators(tmp_path: Path):
    async with watched(tmp_path / "state") as (backend, _):
        assert (await backend.http.get("/api/admin/crisis")).status_code == 401
