"""Typed lines in a talk: through a pipe, and in the view of a terminal, which is left as it was found."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from couchvoice.apps.keyboard import keys_of_terminal
from tests.apps.command import started
from tests.apps.terminal import CTRL_C, InTerminal, in_terminal
from tests.e2e.minimal_backend import Endpoint, MinimalBackend
from tests.patience import until

pytestmark = pytest.mark.timeout(60)

GREETING = "Good morning."
ANSWER = "Yes, I can hear you well. How are you today?"
HANG = 60.0  # seconds
CURSOR_OFF, CURSOR_ON = "\x1b[?25l", "\x1b[?25h"


@pytest.mark.row("E7")
@pytest.mark.parametrize("screen", ["--json", "--plain"])
async def test_a_line_through_a_pipe_is_answered_and_recorded(
    screen: str, realtime: str, secret: str, still: Path
) -> None:
    with MinimalBackend(secret=secret) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime, "--memory", "persistent")
        async with started("talk", *ends, "--input", str(still), "--output", "none", screen) as talking:
            while "listening" not in await talking.line():
                pass
            talking.type(GREETING)
            while ANSWER not in await talking.line():
                pass
            talking.send(signal.SIGINT)
            ended = await talking.ended()
    (turn,) = backend.to("turn")
    assert turn["user_text"] == GREETING
    assert turn["assistant_text"].startswith("Yes, I can hear you")
    assert backend.order() == ["session", "turn", "end"]
    if screen == "--json":
        assert [(line["user_text"], line["recorded"]) for line in ended.of("turn")] == [(GREETING, True)]
    else:
        assert f"assistant: {ANSWER}" in ended.stdout


@pytest.mark.row("E7")
async def test_a_line_that_is_no_utf_8_is_sent_all_the_same(realtime: str, secret: str, still: Path) -> None:
    with MinimalBackend(secret=secret) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        async with started("talk", *ends, "--input", str(still), "--output", "none", "--json") as talking:
            await talking.line_with(type="state", state="listening")
            talking.type(b"Gr\xfc\xdfe")
            await talking.line_with(type="state", state="assistant_speaking")
            talking.send(signal.SIGINT)
            await talking.ended()
    assert [turn["user_text"] for turn in backend.to("turn")] == ["Gr\ufffd\ufffde"]


@asynccontextmanager
async def viewing(
    realtime: str, secret: str, wav: Path, *, delays: dict[Endpoint, float] | None = None
) -> AsyncIterator[tuple[InTerminal, MinimalBackend]]:
    with MinimalBackend(secret=secret, delays=delays or {}) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        async with in_terminal("talk", *ends, "--input", str(wav), "--output", "none") as talking:
            await talking.terminal.shows("listening")
            yield talking, backend


@pytest.mark.row("E7")
async def test_what_was_typed_ahead_is_not_lost() -> None:
    own, theirs = os.openpty()
    keys: list[str] = []
    with os.fdopen(theirs, encoding="utf-8") as stream:
        os.write(own, b"ahead")
        with keys_of_terminal(stream, keys.append):
            os.write(own, b"!")
            await until(lambda: "!" in keys)
    os.close(own)
    assert "".join(keys) == "ahead!"


def left_as_found(talking: InTerminal) -> None:
    terminal = talking.terminal
    assert terminal.attributes() == terminal.before
    assert terminal.shown.rfind(CURSOR_ON) > terminal.shown.rfind(CURSOR_OFF)


@pytest.mark.row("E7")
async def test_a_line_typed_in_the_view_is_shown_sent_and_answered(realtime: str, secret: str, still: Path) -> None:
    async with viewing(realtime, secret, still) as (talking, backend):
        talking.terminal.press(b"Good morninh\x7f")
        talking.terminal.press(b"g.")
        await talking.terminal.shows(f"> {GREETING}")
        assert talking.terminal.attributes() != talking.terminal.before
        talking.terminal.press(b"\r")
        await talking.terminal.shows(f"assistant  {ANSWER}")
        talking.terminal.press(CTRL_C)
        assert await talking.ended() == 130
        left_as_found(talking)
        assert [turn["user_text"] for turn in backend.to("turn")] == [GREETING]


@pytest.mark.row("A10", "E7")
@pytest.mark.parametrize("presses", [1, 2])
async def test_the_terminal_is_left_as_found_when_the_end_of_the_talk_hangs(
    presses: int, realtime: str, secret: str, still: Path
) -> None:
    async with viewing(realtime, secret, still, delays={"end": HANG}) as (talking, backend):
        talking.terminal.press(b"half a li")
        await talking.terminal.shows("> half a li")
        for _ in range(presses):
            talking.terminal.press(CTRL_C)
            await until(lambda: "end" in backend.order())
        assert await talking.ended() == 130
        left_as_found(talking)
