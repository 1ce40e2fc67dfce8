"""``couchvoice memory …``, against what the state folder holds."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.memory.records import Kind
from couchvoice.settings import load_settings
from tests.apps.test_threads_commands import answer, couchvoice
from tests.backend.memory.kept import end_session, keep

ADA = ("--user", "ada")


@pytest.fixture
def kept(tmp_path: Path) -> None:
    """Two facts, a rule and a session of Ada's, and a fact of a thread without a user."""

    async def fill() -> None:
        store = SqlStore(load_settings().database)
        await keep(store, "ada", "I have a dog \x1b[2J.", "I live in Galway.")
        await keep(store, "ada", "Keep it short.", kind=Kind.RULE)
        await keep(store, "t9", "I have a zebra.")
        await end_session(store, "ada", "Of the sea.")
        await store.close()

    asyncio.run(fill())


@pytest.mark.row("G9")
@pytest.mark.usefixtures("kept")
def test_what_is_remembered_is_told_listed_forgotten_restored_and_exported(tmp_path: Path) -> None:
    status = couchvoice("memory", "status", *ADA).stdout
    assert status == "facts: 2\nsessions: 1\nrules: 1\nheld: 0\nrecall: off\n"
    listed = couchvoice("memory", "list", *ADA).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["1", "2"]
    assert "I live in Galway." in listed
    assert "\x1b" not in listed
    assert "more: --after 1\n" in couchvoice("memory", "list", "facts", *ADA, "--limit", "1").stdout
    assert [entry["index"] for entry in answer("memory", "list", *ADA, "--after", "1")["entries"]] == [2]
    assert "Of the sea." in couchvoice("memory", "list", "sessions", *ADA).stdout
    assert "I have a zebra." in couchvoice("memory", "list", "--thread", "t9").stdout

    assert couchvoice("memory", "recall", "on", *ADA).stdout == "recall: on\n"
    assert answer("memory", "status", *ADA)["recall_enabled"] is True
    assert answer("memory", "recall", "off", *ADA) == {"enabled": False}

    gone = couchvoice("memory", "forget", "facts", "2", *ADA).stdout.splitlines()
    assert gone[0] == "deleted: I live in Galway."
    id_of_it = gone[1].split()[-1]
    assert couchvoice("memory", "list", "deleted", *ADA).stdout.split()[0] == id_of_it
    assert answer("memory", "status", *ADA)["facts"] == 1
    assert couchvoice("memory", "restore", id_of_it, *ADA).stdout.startswith("restored: 2  ")
    assert couchvoice("memory", "list", "deleted", *ADA).stdout == "no deleted memories\n"

    file = tmp_path / "memory.json"
    assert couchvoice("memory", "export", str(file), *ADA).stdout == f"written: {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    exported = json.loads(file.read_text(encoding="utf-8"))
    assert exported == answer("memory", "export", *ADA)
    assert [fact["text"] for fact in exported["facts"]] == ["I have a dog \x1b[2J.", "I live in Galway."]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("status",), 2, "whose memory? name the user with --user"),
        (("forget", "facts", "3", *ADA), 2, "there is no such memory of this user"),
        (("forget", "rules", "1", "--user", "eve"), 2, "couchvoice memory list shows which there are"),
        (("forget", "facts", "0", *ADA), 2, "number"),
        (("restore", "zebra", *ADA), 2, "there is no such memory of this user"),
        (("list", "zebras", *ADA), 2, "zebras"),
        (("recall", "perhaps", *ADA), 2, "perhaps"),
        (("export", "/nowhere/at/all.json", *ADA), 2, "choose another file"),
        (("status", "--backend", "http://127.0.0.1:1"), 4, "gave no usable answer"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_status(words: tuple[str, ...], status: int, sentence: str) -> None:
    result = couchvoice("memory", *words)
    assert result.exit_code == status
    assert sentence in result.stderr.replace("\n", " ")
    assert isinstance(result.exception, SystemExit)


def test_nothing_is_made_where_nothing_is_kept() -> None:
    assert couchvoice("memory", "list", *ADA).stdout == "no facts\n"
    assert not load_settings().state_dir.exists()
