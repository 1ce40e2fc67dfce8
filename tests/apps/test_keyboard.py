"""The keyboard: lines from a pipe, keys from a terminal, and the terminal as it was."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from couchvoice.apps.keyboard import LineEditor, is_readable, keys_of_terminal, read_lines
from tests.patience import until


@contextmanager
def pipe() -> Iterator[tuple[TextIO, int]]:
    """What a program reads, and where the test writes."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as stream:
        try:
            yield stream, writing
        finally:
            os.close(writing)


@contextmanager
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A terminal's two sides."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r", encoding="utf-8") as stream:
        try:
            yield stream, ours
        finally:
            os.close(ours)


@pytest.mark.row("E7")
async def test_each_line_that_is_not_blank_arrives_on_the_loop():
    lines: list[str] = []
    with pipe() as (stream, writing):
        read_lines(stream, lines.append)
        os.write(writing, "hello\n\n   \n  café  \r\nno end".encode())
        await until(lambda: len(lines) == 2)
        assert lines == ["hello", "café"]
        os.write(writing, b" yet\n")
        await until(lambda: len(lines) == 3)
    assert lines[2] == "no end yet"


async def test_a_byte_that_is_no_utf8_ends_no_typing():
    lines: list[str] = []
    with pipe() as (stream, writing):
        read_lines(stream, lines.append)
        os.write(writing, b"caf\xe9\nstill here\n")
        await until(lambda: len(lines) == 2)
    assert lines == ["caf\ufffd", "still here"]


def keys(editor: LineEditor, text: str) -> list[str]:
    return [line for key in text if (line := editor.key(key)) is not None]


@pytest.mark.parametrize(
    ("typed", "lines", "rest"),
    [
        ("hello\r", ["hello"], ""),
        ("helo\x7flo\n", ["hello"], ""),
        ("\x7f\x7f\x08", [], ""),
        ("  \r", [], ""),
        (" a b \rc", ["a b"], "c"),
        ("caf\u00e9", [], "café"),
        ("a\tb\x00\x1b\x07c", [], "abc"),
    ],
)
def test_the_line_editor_knows_enter_and_backspace_and_keeps_what_can_be_printed(
    typed: str, lines: list[str], rest: str
):
    editor = LineEditor()
    assert keys(editor, typed) == lines
    assert editor.text == rest


@pytest.mark.row("E7")
async def test_keys_arrive_one_by_one_without_enter_and_are_not_echoed():
    pressed: list[str] = []
    with terminal() as (stream, ours):
        before = termios.tcgetattr(stream.fileno())
        with keys_of_terminal(stream, pressed.append):
            os.write(ours, "hé".encode())
            await until(lambda: pressed == ["h", "é"])
            mode = termios.tcgetattr(stream.fileno())
            assert not mode[3] & termios.ECHO
            assert mode[3] & termios.ISIG, "Ctrl-C stays a signal"
        assert termios.tcgetattr(stream.fileno()) == before


async def test_a_character_that_comes_in_two_pieces_is_one_key():
    pressed: list[str] = []
    with terminal() as (stream, ours), keys_of_terminal(stream, pressed.append):
        first, second = "é".encode()[:1], "é".encode()[1:]
        os.write(ours, b"a" + first)
        await until(lambda: pressed == ["a"])
        os.write(ours, second)
        await until(lambda: pressed == ["a", "é"])


async def test_arrow_and_function_keys_leave_nothing_in_the_line():
    pressed: list[str] = []
    with terminal() as (stream, ours), keys_of_terminal(stream, pressed.append):
        os.write(ours, b"\x1b[Aa\x1b[1;5C\x1bOPb\x1b[15~c")
        await until(lambda: len(pressed) >= 3)
    assert pressed == ["a", "b", "c"]


async def test_the_terminal_is_as_before_after_an_error_too():
    with terminal() as (stream, _):
        before = termios.tcgetattr(stream.fileno())
        with pytest.raises(ZeroDivisionError), keys_of_terminal(stream, lambda key: None):
            raise ZeroDivisionError
        assert termios.tcgetattr(stream.fileno()) == before


async def test_a_terminal_that_goes_away_does_not_keep_the_loop_busy():
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r", encoding="utf-8") as stream, keys_of_terminal(stream, lambda key: None):
        os.close(ours)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, asyncio.SelectorEventLoop)
        await until(lambda: stream.fileno() not in loop._selector.get_map())


def test_typed_lines_come_from_a_pipe_a_file_and_a_terminal_of_ours_and_not_from_nothing():
    assert not is_readable(None)
    with pipe() as (stream, _):
        assert is_readable(stream)
    assert not is_readable(stream)  # closed
    assert is_readable(io.StringIO("a file"))
    with terminal() as (stream, _):
        assert not is_readable(stream), "the terminal of somebody else would stop us"
