"""The three screens: exact lines for programs, plain lines for people, a view for terminals; none can be steered."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata

import pytest
from rich.console import Console

from couchvoice.apps.json_screen import JsonScreen
from couchvoice.apps.live_screen import LiveScreen
from couchvoice.apps.plain_screen import PlainScreen
from couchvoice.apps.screen import Screen, clean
from couchvoice.apps.screens import screen_for
from couchvoice.apps.tally import Tally
from couchvoice.audio.meter import SILENCE_DB, Levels
from couchvoice.core.notices import (
    AssistantTranscript,
    DeviceChanged,
    MuteChanged,
    Notice,
    Problem,
    StateChanged,
    ToolActivity,
    ToolResult,
    UsageChanged,
    UserTranscript,
)
from couchvoice.core.state import SessionState
from couchvoice.core.usage import Usage
from couchvoice.errors import ConfigError, ConnectionLost
from tests.apps.examples import ALL, ESCAPE, FORGERY, MARKUP, notices, summary

# What rich itself writes to draw: colours and the cursor.
_DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDTH, HEIGHT = 80, 24


def show_all(screen: Screen, shown: list[Notice]) -> None:
    for notice in shown:
        screen.show(notice)


def printed_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_lines_have_exactly_the_fields_that_programs_rely_on(capsys: pytest.CaptureFixture[str]):
    screen = JsonScreen()
    show_all(screen, ALL)
    screen.show_error(ConnectionLost("the peer is gone"))
    screen.show_summary(summary())
    turn = {
        "type": "turn",
        "index": 1,
        "user_text": "Hello.",
        "assistant_text": "Hi.",
        "heard_text": None,
        "outcome": "completed",
        "recorded": True,
        "tool_calls": ["lookup"],
    }
    assert printed_lines(capsys) == [
        *({"type": "state", "state": state.value} for state in SessionState),
        {"type": "user_transcript", "item_id": "item_1", "text": "Hel", "final": False},
        {"type": "user_transcript", "item_id": "item_1", "text": "Hello.", "final": True},
        {"type": "assistant_transcript", "response_id": "resp_1", "text": "H", "final": False},
        {"type": "assistant_transcript", "response_id": "resp_1", "text": "Hi.", "final": True},
        {"type": "tool", "name": "lookup", "call_id": "call_1", "status": "started", "ms": None},
        {"type": "tool", "name": "lookup", "call_id": "call_1", "status": "completed", "ms": 12.5},
        {
            "type": "tool_result",
            "name": "lookup",
            "call_id": "call_1",
            "output": {"tea": "grün", "key": "[private]"},
        },
        {"type": "interrupted", "stop_ms": 3.5},
        {"type": "mute", "muted": True},
        {"type": "mute", "muted": False},
        {"type": "error", "code": "invalid_value", "message": "what was that?"},
        turn,
        turn | {"recorded": False},
        {
            "type": "error",
            "code": "connection_lost",
            "message": "the connection to the provider was lost: the peer is gone",
        },
        summary().as_line(),
    ]


def test_json_lines_are_ascii_and_keep_every_character(capsys: pytest.CaptureFixture[str]):
    screen = JsonScreen()
    show_all(screen, notices(ESCAPE + FORGERY + "\ud800 café"))
    out = capsys.readouterr().out
    assert out.isascii()
    assert len(out.splitlines()) == len(notices(""))
    assert not _is_dangerous(out)
    assert json.loads(out.splitlines()[0])["text"] == ESCAPE + FORGERY + "\ud800 café"


def test_hints_go_to_stderr(capsys: pytest.CaptureFixture[str]):
    for screen in (JsonScreen(), PlainScreen()):
        screen.show_hint("incognito: nothing is kept" + ESCAPE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("incognito: nothing is kept") == 2
    assert not _is_dangerous(captured.err)


def test_plain_lines_are_what_was_said_and_what_matters(capsys: pytest.CaptureFixture[str]):
    screen = PlainScreen()
    show_all(screen, ALL)
    screen.show_error(ConnectionLost("the peer is gone"))
    screen.show_summary(summary())
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "connecting",
        "listening",
        "ending the talk",
        "you: Hello.",
        "assistant: Hi.",
        "tool: lookup completed (12 ms)",
        'result: lookup: {"tea": "grün", "key": "[private]"}',
        "interrupted",
        "muted",
        "not muted any more",
        "turn 1 was not accepted by the backend",
        "0 turns, 0 recorded, finalized, connected in 45 ms",
    ]
    assert captured.err.splitlines() == [
        "problem: what was that? (invalid_value)",
        "error: the connection to the provider was lost: the peer is gone",
    ]


def test_a_code_that_the_message_ends_with_is_not_repeated(capsys: pytest.CaptureFixture[str]):
    view, written = new_live_screen()
    for screen in (PlainScreen(), view):
        screen.show(Problem("fault", "the backend answered 422: no (fault)"))
        screen.show(Problem("other", "the backend answered 500"))
    shown = capsys.readouterr().err + _DRAWING.sub("", written.getvalue())
    assert shown.count("no (fault)\n") == shown.count("500 (other)\n") == 2


def test_the_floor_is_named_once_however_often_it_changes_hands(capsys: pytest.CaptureFixture[str]):
    screen = PlainScreen()
    show_all(screen, [StateChanged(SessionState.LISTENING), StateChanged(SessionState.THINKING)] * 3)
    assert capsys.readouterr().out == "listening\n"


@pytest.mark.parametrize("text", [ESCAPE, FORGERY, "\ud800"], ids=["escape", "forgery", "surrogate"])
def test_a_plain_screen_cannot_be_steered_by_what_was_said(text: str, capsys: pytest.CaptureFixture[str]):
    screen = PlainScreen()
    show_all(screen, notices(text))
    screen.show_error(ConnectionLost(text))
    captured = capsys.readouterr()
    assert not _is_dangerous(captured.out + captured.err)
    assert not any(line.startswith("you: delete") for line in captured.out.splitlines())
    assert len(captured.out.splitlines()) == 5
    assert len(captured.err.splitlines()) == 2


def new_live_screen(*, width: int = WIDTH, height: int = HEIGHT) -> tuple[LiveScreen, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, height=height, highlight=False)
    return LiveScreen(console), written


@pytest.mark.parametrize("text", [ESCAPE, FORGERY, MARKUP, "\ud800"], ids=["escape", "forgery", "markup", "surrogate"])
def test_a_view_cannot_be_steered_by_what_was_said(text: str):
    screen, written = new_live_screen(width=400)
    with screen:
        show_all(screen, notices(text))
        screen.typed = text
        screen.show_hint(text)
        screen.show_error(ConnectionLost(text))
    shown = _DRAWING.sub("", written.getvalue())
    assert not _is_dangerous(shown)
    if text is MARKUP:
        assert shown.count(MARKUP) >= 6
        assert "link=https" in shown


def _is_dangerous(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\r" for c in text)


def words_of(shown: str) -> str:
    """Line by line; how they are indented is a matter of taste."""
    return "\n".join(" ".join(line.split()) for line in shown.splitlines())


def drawn(screen: LiveScreen) -> str:
    """The moving part, as a terminal of the usual size shows it."""
    console = Console(file=io.StringIO(), width=WIDTH, height=HEIGHT, record=True)
    console.print(screen._draw())
    return words_of(console.export_text())


@pytest.mark.row("E7")
def test_the_view_shows_who_has_the_floor_what_is_being_said_and_what_is_typed():
    screen, _ = new_live_screen()
    screen.show(StateChanged(SessionState.LISTENING))
    assert "listening: speak, or type and press Enter" in drawn(screen)
    screen.show(UserTranscript("item_1", "Hel", final=False))
    screen.show(StateChanged(SessionState.USER_SPEAKING))
    screen.typed = "and so"
    assert drawn(screen).splitlines() == ["you Hel", "● you are speaking", "> and so"]
    screen.show(UserTranscript("item_1", "Hello.", final=True))
    screen.show(AssistantTranscript("resp_1", "H", final=False))
    screen.typed = ""
    screen.show(StateChanged(SessionState.ASSISTANT_SPEAKING))
    assert drawn(screen).splitlines() == ["assistant H", "◉ the assistant is speaking"]


@pytest.mark.row("F9")
def test_the_view_shows_the_tools_that_run_until_they_have_ended_or_the_talk_has():
    screen, written = new_live_screen()
    screen.show(StateChanged(SessionState.THINKING))
    screen.show(ToolActivity("lookup", "call_1", "started"))
    screen.show(ToolActivity("lookup", "call_2", "started"))
    assert drawn(screen).splitlines() == ["… thinking", "⚙ lookup, lookup …"]
    screen.show(ToolActivity("lookup", "call_1", "failed", 7.0))
    assert "lookup failed in 7 ms" in written.getvalue()
    assert drawn(screen).splitlines() == ["… thinking", "⚙ lookup …"]
    screen.show(StateChanged(SessionState.FINALIZING))
    assert "lookup" not in drawn(screen)


@pytest.mark.row("F6")
def test_of_a_long_result_people_see_the_beginning_and_programs_all(capsys: pytest.CaptureFixture[str]):
    long = ToolResult("lookup", "call_1", {"text": "x" * 10_000})
    PlainScreen().show(long)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('result: lookup: {"text": "xxx')
    assert line.endswith("xxx …")
    assert len(line) < 110
    JsonScreen().show(long)
    assert json.loads(capsys.readouterr().out)["output"] == long.output


@pytest.mark.row("B5")
def test_the_view_says_that_nobody_is_heard_and_how_to_be_heard_again():
    screen, _ = new_live_screen()
    screen.show(MuteChanged(muted=True))
    for state, floor in ((SessionState.LISTENING, "listening"), (SessionState.ASSISTANT_SPEAKING, "speaking")):
        screen.show(StateChanged(state))
        assert drawn(screen).endswith(f"{floor} (the microphone is muted: /unmute)")
    screen.show(MuteChanged(muted=False))
    assert "mute" not in drawn(screen)


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (1, 1)], ids=str)
def test_a_view_of_any_size_keeps_to_its_width_and_leaves_the_terminal_as_it_was(size: tuple[int, int]):
    screen, written = new_live_screen(width=size[0], height=size[1])
    with screen:
        show_all(screen, ALL)
        show_all(screen, [AssistantTranscript("resp_2", "word " * 500, final=False)])
        screen._live.refresh()
        screen.typed = "x" * 500
        screen._live.refresh()
    text = written.getvalue()
    assert max(len(line) for line in re.split(r"[\r\n]", _DRAWING.sub("", text))) <= size[0]
    # The cursor that was hidden is shown again.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_view_of_a_whole_talk_keeps_the_words_and_not_the_drafts():
    screen, written = new_live_screen()
    with screen:
        show_all(screen, [*ALL, Problem("x", "y")])
        screen.show_summary(summary())
    text = words_of(_DRAWING.sub("", written.getvalue()))
    for part in (
        "you Hello.",
        "assistant Hi.",
        "lookup completed in 12 ms",
        'lookup: {"tea": "grün"',
        "interrupted",
        "was not accepted",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain café 日本語 🙂", "plain café 日本語 🙂"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\nb\tc\r\nd", "a b c d"),
        ("\u202eright to left\u202c", "right to left"),
        ("\x00\x7f\x9b", ""),
        ("  many   spaces ", "many spaces"),
    ],
)
def test_clean_text_is_one_line_without_anything_invisible(text: str, cleaned: str):
    assert clean(text) == cleaned


def test_the_screen_is_what_was_asked_for_else_what_the_output_can_show(monkeypatch: pytest.MonkeyPatch):
    with screen_for(plain=False, json=True) as screen:
        assert isinstance(screen, JsonScreen)
    with screen_for(plain=False, json=False) as screen:
        assert isinstance(screen, PlainScreen)  # the output is no terminal here
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with screen_for(plain=True, json=False) as screen:
        assert isinstance(screen, PlainScreen)
    with screen_for(plain=False, json=False) as screen:
        assert isinstance(screen, LiveScreen)
    with pytest.raises(ConfigError, match="contradict"), screen_for(plain=True, json=True):
        pass


def test_an_output_that_knows_ascii_only_shows_question_marks(monkeypatch: pytest.MonkeyPatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    with screen_for(plain=True, json=False) as screen:
        screen.show(AssistantTranscript("resp_1", "café …", final=True))
    assert written.getvalue() == b"assistant: caf? ?\n"


@pytest.mark.row("O9")
@pytest.mark.parametrize("screen", [JsonScreen, PlainScreen, LiveScreen])
def test_what_was_used_is_said_in_the_summary_and_not_on_the_way(
    screen: type[Screen], capsys: pytest.CaptureFixture[str]
):
    used = UsageChanged(Usage(responses=2, input_tokens=310, output_tokens=122))
    tally = Tally()
    tally.add(used)
    shown = screen()
    shown.show(used)
    assert capsys.readouterr().out == ""
    shown.show_summary(summary(tally))
    words = " ".join(capsys.readouterr().out.split())
    if screen is JsonScreen:
        assert json.loads(words)["usage"]["output_tokens"] == 122
    else:
        assert words.endswith(", 310 tokens in, 122 out")


@pytest.mark.row("O9")
def test_where_nothing_was_answered_no_tokens_are_counted(capsys: pytest.CaptureFixture[str]):
    tally = Tally()
    tally.add(UsageChanged(Usage()))
    PlainScreen().show_summary(summary(tally))
    assert "tokens" not in capsys.readouterr().out


@pytest.mark.row("E8")
@pytest.mark.parametrize("hears", [True, False])
def test_the_view_asks_to_speak_only_where_somebody_hears(hears: bool):
    screen, written = new_live_screen()
    screen.hears = hears
    with screen:
        screen.show(StateChanged(SessionState.LISTENING))
    assert ("speak" in written.getvalue()) is hears
    assert "type and press Enter" in written.getvalue()


@pytest.mark.row("B10")
def test_a_meter_is_drawn_from_the_levels_of_the_moment_and_only_if_it_is_wanted():
    screen, _ = new_live_screen()
    assert "out" not in drawn(screen)
    screen.levels = lambda: Levels(input=-30.0, output=SILENCE_DB)
    assert f"in {'▮' * 6}{'▯' * 6} out {'▯' * 12}" in drawn(screen)
    screen.levels = lambda: Levels(input=0.0, output=-1.0)
    assert f"in {'▮' * 12} out {'▮' * 12}" in drawn(screen)


@pytest.mark.row("B8", "M6")
def test_every_screen_tells_of_a_device_that_goes(capsys: pytest.CaptureFixture[str]):
    gone = DeviceChanged("output", "lost", "Jabra")
    view, written = new_live_screen()
    with view:
        view.show(gone)
    assert 'the loudspeaker "Jabra" is gone' in _DRAWING.sub("", written.getvalue())
    PlainScreen().show(gone)
    assert 'the loudspeaker "Jabra" is gone' in capsys.readouterr().err
    JsonScreen().show(gone)
    assert json.loads(capsys.readouterr().out) == {
        "type": "device",
        "kind": "output",
        "status": "lost",
        "name": "Jabra",
    }
