"""What an incognito talk leaves in memory: nothing, in no table; the same talk kept is found in each of them."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from couchvoice.backend.memory import tables as memory_tables
from couchvoice.backend.tables import metadata
from tests.backend.ends import BackendEnd
from tests.backend.tools.test_memory_tools import FREE, GATED

WORD = "quagga"
ASKED = f"Please remember the {WORD} and keep it short."
SAID = (f"I have a {WORD} called Rex.", f"Maybe I like the {WORD}.", f"Speak slowly about the {WORD}.", ASKED)
PERSISTENT = {"memory_mode": "persistent"}
TABLES = ("facts", "rules", "candidates", "pending_deletions", "recall_switches", "arcs", "memory_search")


def contents(backend: BackendEnd) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(backend.database)) as database:
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in (*TABLES, *metadata.tables)}


async def hold(backend: BackendEnd, thread_id: str, **mode: str) -> None:
    """A talk in which memory is used in each way that there is."""
    token = (await backend.session(thread_id, user_id="ada", **mode)).json()["session_token"]
    for text in SAID:
        await backend.turn(thread_id, token=token, user_id="ada", user_text=text, **mode)
    for name, arguments in {**GATED, **FREE}.items():
        quoted = arguments | ({"user_quote": ASKED} if name in GATED else {})
        if name == "save_response_preference":
            quoted |= {"preference_text": f"Mention the {WORD}."}
        if name != "confirm_memory_deletion":
            await backend.tool(
                name, thread_id, token=token, user_id="ada", current_user_message=ASKED, arguments=quoted, **PERSISTENT
            )
    await backend.end(thread_id, token=token, user_id="ada", **mode)


@pytest.mark.row("K1", "K2", "G1")
async def test_no_table_of_memory_has_a_row_of_an_incognito_talk(
    backend: BackendEnd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert {table.name for table in vars(memory_tables).values() if getattr(table, "metadata", None) is metadata} < {
        *TABLES
    }
    await hold(backend, "t1")
    assert not backend.data.exists()
    await backend.turn("t0", user_id="eve", user_text="Something else.", **PERSISTENT)
    await backend.end("t0", user_id="eve", **PERSISTENT)
    before = contents(backend)
    await hold(backend, "t1")
    assert contents(backend) == before
    assert WORD.encode() not in backend.bytes_on_disk()

    # The control: the same talk, kept, twice, so that it can prepare the deletion of what it has told.
    await hold(backend, "t2", **PERSISTENT)
    await backend.tool(
        "prepare_memory_deletion_by_index",
        "t2",
        user_id="ada",
        current_user_message=ASKED,
        arguments={"target_kind": "fact", "target_index": 1, "user_quote": ASKED},
        **PERSISTENT,
    )
    after = contents(backend)
    assert [name for name in TABLES if after[name] == before[name]] == []
    assert WORD in str(after["facts"]) + str(after["rules"])
    assert WORD not in caplog.text
