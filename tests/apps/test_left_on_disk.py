"""What a talk leaves on the disk, with both ends as processes: nothing when it is incognito, never a sound."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.pseudonyms import KEY_FILE
from tests.apps.command import PROGRAM, Command, Ended, ready, started
from tests.apps.traces import files, found, sounds, written_by

pytestmark = pytest.mark.timeout(90)

SPOKEN = "Hello, can you hear me?"
HEARD = "Yes, I can hear you well."
SECRET = "quixotic marmalade 4711"
TYPED = f"Is memory on? My password is {SECRET}"  # the question makes the model call a tool
USER, THREAD = "ada-of-the-test", "thread-of-the-test"
ADMIN_TOKEN = "a credential of the operators of 32 characters and more"
DATABASE = "backend.db"
TELLING = 8  # characters
# What a second of speech takes as Opus at a bit rate that can still be understood.
BYTES_OF_SPEECH = 6_000 // 8


@dataclass(frozen=True)
class Place:
    """All folders that a program may think of, and nothing else in them."""

    folder: Path

    def environment(self) -> dict[str, str]:
        names = {"HOME": "home", "TMPDIR": "tmp", "COUCHVOICE_STATE_DIR": "home/state", "XDG_RUNTIME_DIR": "run"}
        folders = {name: str(self.folder / folder) for name, folder in names.items()}
        return folders | {"COUCHVOICE_LOG": "debug", "COUCHVOICE_ADMIN_TOKEN": ADMIN_TOKEN}

    @property
    def cwd(self) -> Path:
        return self.folder / "cwd"

    @property
    def state(self) -> Path:
        return self.folder / "home" / "state"

    def keep(self, name: str, text: str) -> None:
        """For the scan: what the programs logged."""
        (self.folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "place")
    for name in ("home", "tmp", "cwd", "run"):
        (place.folder / name).mkdir(parents=True)
    return place


@pytest.mark.parametrize("way", ["utf-8", "utf-16-le", "base64", "base64-behind-1", "base64-behind-2"])
def test_the_scan_finds_a_phrase_in_each_encoding(way: str, tmp_path: Path) -> None:
    text = f"ab{SPOKEN}cd"
    behind = {"base64": "", "base64-behind-1": "x", "base64-behind-2": "xy"}
    contents = base64.b64encode((behind[way] + text).encode()) if way in behind else text.encode(way)
    (tmp_path / "file").write_bytes(b"\xff" + contents)
    assert found(SPOKEN, tmp_path) == [tmp_path / "file"]
    assert found(HEARD, tmp_path) == []


def test_the_scan_finds_a_sound_and_a_file_without_a_name(hello: Path) -> None:
    hello.rename(hello.with_suffix(".db"))
    assert sounds(hello.parent) == [hello.with_suffix(".db")]
    with (hello.parent / "gone").open("wb") as file:
        Path(file.name).unlink()
        assert [path.name for path in written_by(os.getpid()) if "gone" in path.name] == ["gone (deleted)"]


@pytest.mark.row("K5", "K1", "C13")
async def test_an_incognito_talk_leaves_nothing_and_a_persistent_one_its_words_but_no_sound(
    place: Place, hello: Path
) -> None:
    ends = {"environment": place.environment(), "cwd": place.cwd}
    async with started("serve", "backend", "--port", "0", **ends) as backend:
        url = await ready(backend)

        ended = await talked(place, backend, url, hello)
        first, *_ = ended.stderr.splitlines()
        assert first.startswith("incognito: the backend keeps nothing")
        assert (ended.summary["recorded"], ended.summary["finalized"]) == (0, False)
        for private in (*said(ended), SPOKEN, SECRET, USER, THREAD):
            assert found(private, place.folder) == [], private
        assert files(place.folder) == [place.folder / name for name in ("backend.log", "metrics", "talk.log")]

        # The control: the same talk, the same scan.
        ended = await talked(place, backend, url, hello, "--memory", "persistent")
        assert ended.summary["recorded"] == ended.summary["turns"] > 0
        assert ended.summary["finalized"] is True
        for private in (*said(ended), SECRET, USER, THREAD):
            assert found(private, place.folder) == [place.state / DATABASE], private
    assert sounds(place.folder) == []
    values = list(values_of(place.state / DATABASE))
    assert not any(isinstance(value, bytes) for value in values)
    assert max(len(str(value)) for value in values) < BYTES_OF_SPEECH


async def talked(place: Place, backend: Command, url: str, wav: Path, *memory: str) -> Ended:
    """A whole talk, with what it and the backend logged so far kept in the place."""
    words = ("talk", "--backend", url, "--input", str(wav), "--output", "none", "--json")
    owner = ("--user", USER, "--thread", THREAD)
    async with started(*words, *owner, *memory, environment=place.environment(), cwd=place.cwd) as talk:
        await talk.line_with(type="state", state="listening")
        talk.type(TYPED)
        await talk.line_with(type="assistant_transcript")
        to_write = written_by(talk.process.pid) | written_by(backend.process.pid)
        ended = await talk.ended()
    assert ended.status == 0, ended.stdout + ended.stderr
    assert ended.of("error") == []
    # Of the phrases it knows the local server may take another one, on a busy machine; one was heard and answered.
    assert [line for line in ended.of("user_transcript") if line["final"] and line["text"] not in (TYPED, "")]
    assert "show_memory_status" in [line["name"] for line in ended.of("tool")]
    # Nothing is written while they speak, but the database.
    assert to_write <= ({place.state / DATABASE} if memory else set())
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as http:
        place.keep("metrics", (await http.get(f"{url}/metrics")).raise_for_status().text)
    place.keep("talk.log", ended.stderr)
    place.keep("backend.log", backend.stderr())
    return ended


def said(ended: Ended) -> list[str]:
    """By both sides, as the talk itself had it; what is too short to be told from other things left out."""
    texts = [turn[side] for turn in ended.of("turn") for side in ("user_text", "assistant_text")]
    assert any(TYPED in text for text in texts)
    return [text for text in texts if len(text) >= TELLING]


def values_of(database: Path) -> Iterator[object]:
    """Every one, of every table, but for what SQLite makes of them to search in: it is packed."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute(
            "SELECT name FROM pragma_table_list WHERE type <> 'shadow' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from row


@pytest.mark.row("K1", "K5")
async def test_a_talk_with_both_ends_in_its_process_leaves_nothing_unless_it_is_told_to(place: Place) -> None:
    ended = await typed(place)
    (turn,) = ended.of("turn")
    assert (turn["user_text"], turn["recorded"], ended.summary["recorded"]) == (TYPED, False, 0)
    for private in (TYPED, SECRET, turn["assistant_text"], THREAD):
        assert found(private, place.folder) == [], private
    assert files(place.folder) == [place.folder / "talk.log"]


@pytest.mark.row("I6", "I2")
async def test_a_talk_without_its_transcript_leaves_how_it_went_to_its_owner_alone(place: Place) -> None:
    for_all = ("sh", "-c", 'umask 000 && exec "$@"', "sh", *PROGRAM)
    ended = await typed(place, "--memory", "persistent", "--no-transcript", before=for_all)
    (turn,) = ended.of("turn")
    assert (turn["user_text"], turn["recorded"], ended.summary["finalized"]) == (TYPED, True, True)
    for private in (SECRET, TYPED, turn["assistant_text"]):
        assert found(private, place.folder) == [], private
    assert found(THREAD, place.folder) == [place.state / DATABASE]

    store = SqlStore(f"sqlite+aiosqlite:///{place.state / DATABASE}")
    (kept,) = await store.turns.history(THREAD, owner=THREAD, after=0, limit=2)
    await store.close()
    assert (kept.turn.transcript_kept, kept.turn.outcome) == (False, "completed")
    assert (kept.turn.user_text, kept.turn.assistant_text, kept.turn.heard_text) == ("", "", None)
    assert [call["tool_name"] for call in kept.turn.tool_calls] == turn["tool_calls"] == ["show_memory_status"]
    assert kept.turn.diagnostics["tool_names"] == ["show_memory_status"]

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (place.state, *files(place.state))}
    assert modes == {place.state.name: 0o700, DATABASE: 0o600, KEY_FILE: 0o600}


async def typed(place: Place, *options: str, before: tuple[str, ...] = PROGRAM) -> Ended:
    """A whole talk in writing, with nobody else, and what it logged kept in the place."""
    words = ("talk", "--text", "--thread", THREAD, "--json", *options)
    async with started(*words, before=before, environment=place.environment(), cwd=place.cwd) as talk:
        talk.type(TYPED)
        assert talk.process.stdin is not None  # a pipe, as started
        talk.process.stdin.close()
        ended = await talk.ended()
    assert ended.status == 0, ended.stdout + ended.stderr
    place.keep("talk.log", ended.stderr)
    return ended
