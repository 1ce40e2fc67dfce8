"""``couchvoice threads …`` and ``couchvoice end``, against what the state folder holds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click.testing
import pytest
import typer.testing

from couchvoice.apps.cli import app
from couchvoice.backend import SqlStore
from couchvoice.backend.finalizer import Finalizer
from couchvoice.settings import load_settings
from tests.backend.ends import any_turn
from tests.backend.test_finalizer import Summary


def couchvoice(*words: str) -> click.testing.Result:
    return typer.testing.CliRunner().invoke(app, words)


def answer(*words: str) -> Any:
    result = couchvoice(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def kept(tmp_path: Path) -> None:
    """Two threads of Ada's, the second of which could not be finalized, and one of nobody's."""

    async def keep() -> None:
        store = SqlStore(load_settings().database)
        call = {"tool_name": "lookup", "status": "completed", "output": {}, "error": None}
        await store.turns.record(any_turn("hello \x1b[2J", thread_id="t1", owner="ada", assistant_text="Hi."))
        await store.turns.record(any_turn("more", thread_id="t1", owner="ada", tool_calls=[call]))
        await store.turns.record(any_turn("boom", thread_id="t2", owner="ada"))
        await store.turns.record(any_turn("", thread_id="t3", owner="t3", guest=True, transcript_kept=False))
        with pytest.raises(LookupError):
            await Finalizer(store, summarizer=Summary()).finalize("t2", owner="ada", session_id=None)
        await store.close()

    asyncio.run(keep())


@pytest.mark.row("P24", "J6", "I2")
@pytest.mark.usefixtures("kept")
def test_what_is_kept_is_listed_read_finalized_and_deleted() -> None:
    ada = ("--user", "ada")
    listed = couchvoice("threads", "list", *ada).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["t2", "t1"]
    assert "failed, 1 turn open" in listed[0]
    assert "idle, 2 turns open" in listed[1]
    page = answer("threads", "list", *ada, "--limit", "1")
    assert [thread["thread_id"] for thread in page["threads"]] == ["t2"]
    rest = answer("threads", "list", *ada, "--before", page["next"])
    assert [thread["thread_id"] for thread in rest["threads"]] == ["t1"]
    assert [thread["thread_id"] for thread in answer("threads", "list")["threads"]] == ["t3"]

    history = couchvoice("threads", "history", "t1", *ada)
    assert "   you: hello" in history.stdout
    assert "\x1b" not in history.stdout
    assert "   assistant: Hi.\n" in history.stdout
    assert "   tool: lookup completed\n" in history.stdout
    assert "more: --after 1\n" in couchvoice("threads", "history", "t1", *ada, "--limit", "1").stdout
    assert [turn["number"] for turn in answer("threads", "history", "t1", *ada, "--after", "1")["turns"]] == [2]
    assert "(kept without its transcript)" in couchvoice("threads", "history", "t3").stdout

    assert "couchvoice end t2 tries again" in couchvoice("threads", "status", "t2", *ada).stdout
    assert "“boom”" in couchvoice("end", "t2", *ada).stdout
    assert answer("threads", "status", "t2", *ada)["finalization"] == "completed"
    assert answer("end", "t1", *ada, "--feedback", "positive")["turn_count"] == 2
    assert answer("threads", "status", "t1", *ada)["feedback"] == "positive"

    assert couchvoice("threads", "delete", "t2", *ada).stdout == "deleted, with 1 turn\n"
    assert couchvoice("threads", "erase", *ada, "--yes").stdout == "erased: 1 thread, 2 turns\n"
    assert couchvoice("threads", "list", *ada).stdout == "no threads\n"
    assert answer("threads", "status", "t3")["turn_count"] == 1


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("threads", "status", "t1", "--user", "eve"), 2, "there is no such thread of this user"),
        (("threads", "history", "nowhere"), 2, "couchvoice threads list shows which there are"),
        (("end", "t1"), 2, "there is no such thread of this user"),
        (("threads", "erase", "--user", "ada"), 2, "add --yes"),
        (("threads", "erase", "--yes"), 2, "name the user with --user"),
        (("threads", "list", "--before", "nonsense"), 4, "before: not the next of a page"),
        (("threads", "list", "--backend", "http://127.0.0.1:1"), 4, "gave no usable answer"),
        (("threads", "list", "--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_status(words: tuple[str, ...], status: int, sentence: str) -> None:
    result = couchvoice(*words)
    assert result.exit_code == status
    assert sentence in result.stderr.replace("\n", " ")
    assert isinstance(result.exception, SystemExit)


def test_nothing_is_made_where_nothing_is_kept() -> None:
    assert couchvoice("threads", "list").stdout == "no threads\n"
    assert not load_settings().state_dir.exists()


def test_silence_of_no_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUCHVOICE_FINALIZE_AFTER", "0")
    result = couchvoice("threads", "list")
    assert (result.exit_code, result.stderr.startswith("error: finalize_after is 0")) == (2, True)
