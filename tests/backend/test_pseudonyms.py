"""What stands for an owner in log lines and session ids: steady where something is kept, and not to be guessed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from pathlib import Path

import pytest

from couchvoice.backend.pseudonyms import KEY_FILE, Pseudonyms
from couchvoice.contract import MemoryMode
from tests.backend.ends import running_backend


def test_a_persistent_owner_keeps_the_pseudonym_and_an_incognito_one_does_not(tmp_path: Path) -> None:
    before, after, elsewhere = Pseudonyms(tmp_path), Pseudonyms(tmp_path), Pseudonyms(tmp_path / "other")
    assert before.of("ada", "persistent") == after.of("ada", "persistent") != after.of("bob", "persistent")
    assert before.of("ada", "persistent") != elsewhere.of("ada", "persistent")
    assert before.of("ada", "incognito") == before.of("ada", "incognito") != after.of("ada", "incognito")
    assert before.of("ada", "incognito") != before.of("ada", "persistent")


@pytest.mark.row("N7")
def test_the_key_is_closed_to_others_whatever_the_umask_and_incognito_makes_none(tmp_path: Path) -> None:
    state = tmp_path / "state"
    umask = os.umask(0)
    try:
        Pseudonyms(state).of("ada", "incognito")
        assert not state.exists()
        Pseudonyms(state).of("ada", "persistent")
    finally:
        os.umask(umask)
    (key,) = state.iterdir()
    assert (key.name, stat.S_IMODE(key.stat().st_mode)) == (KEY_FILE, 0o600)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"short"])
def test_where_no_key_can_be_kept_the_process_has_its_own_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    pseudonyms = Pseudonyms(tmp_path)
    assert pseudonyms.of("ada", "persistent") == pseudonyms.of("ada", "persistent")
    assert pseudonyms.of("ada", "persistent") != hashlib.sha256(b"ada").hexdigest()[:12]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.row("N2", "N7", "C7")
@pytest.mark.parametrize("mode", ["incognito", "persistent"])
async def test_neither_a_log_line_nor_a_session_id_holds_a_hash_that_anybody_can_make_of_a_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: MemoryMode
) -> None:
    caplog.set_level(logging.DEBUG, "couchvoice")
    seen = set()
    for _ in range(2):
        async with running_backend(tmp_path / "state", pseudonyms=Pseudonyms(tmp_path / "state")) as backend:
            ids = [(await backend.session(user_id="ada", memory_mode=mode)).json()["session_id"] for _ in range(2)]
            seen |= {session_id.split("_")[1] for session_id in ids}
            (sent, _), *_ = backend.provider.requests
            # The provider is told what every backend would tell it.
            assert sent["openai-safety-identifier"] == hashlib.sha256(b"ada").hexdigest()
    assert len(seen) == (1 if mode == "persistent" else 2)
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "couchvoice.backend.events"]
    assert {line["owner"] for line in lines} == seen
    assert hashlib.sha256(b"ada").hexdigest()[:12] not in caplog.text
