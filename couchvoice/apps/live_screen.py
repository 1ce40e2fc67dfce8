"""The view in a terminal: the talk scrolls by, the last lines show who has the floor and what is being typed.

Not a full-screen program: what was said stays in the terminal. Law: the live part is drawn from what the notices
told, ten times a second; no key and no notice is waited for here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from couchvoice.apps.device_words import sentence_of_device
from couchvoice.apps.plain_screen import sentence_of
from couchvoice.apps.screen import clean, sentence_of_problem, sentence_of_result
from couchvoice.apps.tally import Summary
from couchvoice.audio.meter import Levels
from couchvoice.core.notices import (
    AssistantTranscript,
    DeviceChanged,
    Interrupted,
    MuteChanged,
    Notice,
    Problem,
    StateChanged,
    ToolActivity,
    ToolResult,
    TurnRecorded,
    UserTranscript,
)
from couchvoice.core.state import OVER, SessionState
from couchvoice.errors import CouchvoiceError

FRAMES_PER_SECOND = 10

_BAR_CELLS = 12
_BAR_FLOOR_DB = -60.0  # dBFS; a quiet room

_NAME_WIDTH = len("assistant")

_STATES = {
    SessionState.IDLE: ("·", "", "dim"),
    SessionState.CONNECTING: ("◌", "connecting", "yellow"),
    SessionState.WARMING: ("◌", "almost there", "yellow"),
    SessionState.LISTENING: ("○", "listening", "green"),
    SessionState.USER_SPEAKING: ("●", "you are speaking", "green"),
    SessionState.THINKING: ("…", "thinking", "cyan"),
    SessionState.ASSISTANT_SPEAKING: ("◉", "the assistant is speaking", "blue"),
    SessionState.FINALIZING: ("◌", "ending the talk", "yellow"),
    SessionState.ENDED: ("·", "ended", "dim"),
}

_INVITATIONS = {True: "speak, or type and press Enter", False: "type and press Enter"}
_MUTED = "the microphone is muted: /unmute"


class LiveScreen:
    """A context manager: the terminal is as before when it is left."""

    def __init__(self, console: Console | None = None) -> None:
        self.typed = ""  # what stands in the input line
        self.hears = True  # there is a microphone
        self.levels: Callable[[], Levels] | None = None  # asked for each drawing; None: no meter
        self._console = console or Console(highlight=False)
        self._state = SessionState.IDLE
        self._muted = False
        self._drafts: dict[str, Table] = {}  # by item or response id, until they are final
        self._running: dict[str, str] = {}  # names of tools, by call id
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, notice: Notice) -> None:
        match notice:
            case StateChanged(state):
                self._state = state
                if state in OVER:
                    self._running.clear()  # tools die with the talk
            case UserTranscript(item_id, text, final):
                self._show_words(item_id, _line("you", text, "bold green"), final=final)
            case AssistantTranscript(response_id, text, final, interrupted):
                words = _line("assistant", text + (" …" if interrupted else ""), "bold blue")
                self._show_words(response_id, words, final=final)
            case ToolActivity(name, call_id, "started"):
                self._running[call_id] = clean(name)
            case ToolActivity(name, call_id, status, ms):
                self._running.pop(call_id, None)
                self._console.print(Text(f"  ⚙ {clean(name)} {status} in {ms:.0f} ms", style="dim"))
            case ToolResult():
                result = f"    {clean(sentence_of_result(notice))}"
                self._console.print(Text(result, style="dim", no_wrap=True, overflow="ellipsis"))
            case Interrupted():
                self._console.print(Text("  ✋ interrupted", style="dim"))
            case MuteChanged(muted):
                self._muted = muted
            case DeviceChanged():
                self._console.print(Text(f"  ! {clean(sentence_of_device(notice))}", style="yellow"))
            case Problem():
                self._console.print(Text(f"  ! {clean(sentence_of_problem(notice))}", style="yellow"))
            case TurnRecorded(turn, _, False):
                self._console.print(Text(f"  ! turn {turn.index} was not accepted by the backend", style="red"))
            case _:
                pass  # turns that were recorded, what has been used so far

    def show_hint(self, text: str) -> None:
        self._console.print(Text(clean(text), style="dim"))

    def show_error(self, error: CouchvoiceError) -> None:
        self._console.print(Text(f"error: {clean(str(error))}", style="bold red"))

    def show_summary(self, summary: Summary) -> None:
        self._console.print(Text(sentence_of(summary), style="dim"))

    def _show_words(self, key: str, words: Table, *, final: bool) -> None:
        if final:
            self._drafts.pop(key, None)
            self._console.print(words)
        else:
            self._drafts[key] = words

    def _draw(self) -> Group:
        sign, said, style = _STATES[self._state]
        if self._muted:
            said += f" ({_MUTED})"
        elif self._state is SessionState.LISTENING:
            said += f": {_INVITATIONS[self.hears]}"
        lines: list[RenderableType] = [*self._drafts.values(), Text(f"{sign} {said}", style=style)]
        if self._running:
            tools = f"  ⚙ {', '.join(self._running.values())} …"
            lines.append(Text(tools, style="dim", no_wrap=True, overflow="ellipsis"))
        if self.levels is not None:
            levels = self.levels()
            meter = f"  in {_bar(levels.input)}  out {_bar(levels.output)}"
            lines.append(Text(meter, style="dim", no_wrap=True))
        if self.typed:
            lines.append(Text(f"> {clean(self.typed)}"))
        return Group(*lines)


def _bar(level: float) -> str:
    filled = round(_BAR_CELLS * min(1.0, max(0.0, 1 - level / _BAR_FLOOR_DB)))
    return "▮" * filled + "▯" * (_BAR_CELLS - filled)


def _line(who: str, words: str, style: str) -> Table:
    """Who, and beside it the words: a second line of them begins under the first."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(justify="right", min_width=_NAME_WIDTH)
    line.add_column()
    line.add_row(Text(who, style=style), Text(clean(words)))
    return line
