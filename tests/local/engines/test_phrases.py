"""The closed grammar hears its phrases by any voice, and is silent about it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from couchvoice.local.engines import pocketsphinx_process
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.heard import NOTHING
from couchvoice.local.engines.phrases import MAX_PHRASE, PhraseRecognizer
from couchvoice.local.engines.pocketsphinx_process import PocketsphinxProcess
from couchvoice.local.engines.replies import Rules
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE
from tests.local.speech import heard_at_16k, noisy
from tests.requirements import require

PHRASES = ["Hello, can you hear me?", "Is memory on for this conversation?", "Thank you very much, goodbye."]

LONG = 10  # s
TICK = 0.005  # s
LONGEST_GAP = 0.06  # s


@pytest.fixture
def recognizer() -> Iterator[PhraseRecognizer]:
    try:
        recognizer = PhraseRecognizer(PHRASES)
    except MissingPart as exc:
        require(False, str(exc))
        raise
    yield recognizer
    recognizer.close()


@pytest.mark.parametrize("voice", ["alloy", "marin", "cedar"])
def test_a_phrase_is_heard_as_it_is_written_whoever_says_it(recognizer: PhraseRecognizer, voice: str) -> None:
    for phrase in PHRASES:
        assert recognizer.hear(heard_at_16k(phrase, voice), RATE).text == phrase


def test_a_phrase_is_heard_in_noise(recognizer: PhraseRecognizer) -> None:
    assert recognizer.hear(noisy(heard_at_16k(PHRASES[1]), snr=20), RATE).text == PHRASES[1]


def test_silence_and_a_single_unknown_word_are_no_phrase(recognizer: PhraseRecognizer) -> None:
    assert recognizer.hear(np.zeros(RATE, np.int16), RATE).text is None
    assert recognizer.hear(np.zeros(0, np.int16), RATE) == NOTHING
    assert recognizer.hear(heard_at_16k("purple"), RATE).text is None


def test_a_phrase_with_a_word_that_nobody_can_pronounce_is_left_out_with_a_warning(
    recognizer: PhraseRecognizer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "couchvoice.local"),
        closing(PhraseRecognizer(["Hello, Xyzzyqua.", PHRASES[0]])) as mixed,
    ):
        mixed.warn()
        assert '"xyzzyqua"' in caplog.text
        assert mixed.hear(heard_at_16k(PHRASES[0]), RATE).text == PHRASES[0]


def test_nothing_is_printed(recognizer: PhraseRecognizer, capfd: pytest.CaptureFixture[str]) -> None:
    recognizer.hear(heard_at_16k(PHRASES[0]), RATE)
    assert capfd.readouterr() == ("", "")


def test_without_pocketsphinx_the_reason_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(MissingPart, match="pocketsphinx"):
        PhraseRecognizer(PHRASES)


@pytest.mark.usefixtures("recognizer")  # it is installed
async def test_the_event_loop_goes_on_while_a_long_sound_is_heard() -> None:
    sound = np.tile(await asyncio.to_thread(heard_at_16k, PHRASES[1]), 10)[: LONG * RATE]
    with closing(PhraseRecognizer(Rules.load().phrases)) as shipped:
        await asyncio.to_thread(shipped.warn)  # it has started
        hearing = asyncio.create_task(asyncio.to_thread(shipped.hear, sound, RATE))
        longest = 0.0
        while not hearing.done():
            before = time.monotonic()
            await asyncio.wait([hearing], timeout=TICK)
            longest = max(longest, time.monotonic() - before - TICK)
    assert longest < LONGEST_GAP


def test_what_is_too_long_is_no_phrase_and_is_not_searched(recognizer: PhraseRecognizer) -> None:
    recognizer.close()  # it would raise
    assert recognizer.hear(np.ones(int(MAX_PHRASE * RATE) + 1, np.int16), RATE) == NOTHING


def test_a_short_noise_is_not_taken_for_the_shortest_phrase() -> None:
    with closing(PhraseRecognizer(["Who are you?"])) as recognizer:
        assert recognizer.hear(heard_at_16k("Please make", "cedar"), RATE).text is None
        assert recognizer.hear(heard_at_16k("Who are you?", "verse"), RATE).text == "Who are you?"


def echoing(tmp_path: Path, *, then: str) -> list[str]:
    """A child that says its process id to the first sound."""
    script = tmp_path / "child.py"
    script.write_text(
        "import os, sys, time\nsys.stdin.buffer.readline()\nsys.stdin.buffer.read(4)\n"
        f"print(os.getpid(), flush=True)\nsys.stdin.buffer.read(4)\n{then}\n"
    )
    return [sys.executable, str(script)]


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_child_that_died_is_started_again(tmp_path: Path) -> None:
    with closing(PocketsphinxProcess([], command=echoing(tmp_path, then=""))) as process:
        first = process.ask(b"")
        with pytest.raises(EngineFailed, match="it ended"):
            process.ask(b"")
        assert not alive(first)
        assert process.ask(b"") != first


def test_a_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(PocketsphinxProcess([], command=echoing(tmp_path, then="time.sleep(60)"))) as process:
        first = process.ask(b"")
        monkeypatch.setattr(pocketsphinx_process, "TIMEOUT", 0.1)
        with pytest.raises(EngineFailed):
            process.ask(b"")
        assert not alive(first)


def test_a_closed_one_leaves_no_child_and_starts_none(tmp_path: Path) -> None:
    process = PocketsphinxProcess([], command=echoing(tmp_path, then="time.sleep(60)"))
    child = process.ask(b"")
    process.close()
    process.close()
    assert not alive(child)
    with pytest.raises(EngineFailed, match="closed"):
        process.ask(b"")


def test_the_child_ends_with_its_stdin() -> None:
    require(importlib.util.find_spec("pocketsphinx"), "pocketsphinx")
    done = subprocess.run(pocketsphinx_process.COMMAND, input=b"[]\n\0\0\0\0", capture_output=True, timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"[]\n", b"")
