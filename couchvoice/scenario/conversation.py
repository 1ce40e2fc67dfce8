"""A conversation that a test holds step by step, in plain functions: each returns when what it says has happened.

It is a stage like that of a script, performed as the test goes on. Between two calls its time stands still: on the
media clock a test may think, or stop in a debugger, and misses nothing.
Law: what does not come about is an AssertionError; what cannot be is a ConfigError.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import msgspec

from couchvoice.audio.meter import SILENCE_DB, Levels
from couchvoice.errors import ConfigError
from couchvoice.scenario.examiner import SETTLING, Examiner, StepFailed
from couchvoice.scenario.media_clock import REAL_TIME, MediaClockLoop, chosen_speed
from couchvoice.scenario.place import Place
from couchvoice.scenario.reply import Reply, is_recorded, reply_of
from couchvoice.scenario.scenario import WHOLE, Scenario, said
from couchvoice.scenario.script import PATIENCE, Command, Expect, Interrupt, Limits, Moment, Say, Script, Step, Wait
from couchvoice.scenario.script_check import check_script
from couchvoice.scenario.scripted_weather import CLEAR
from couchvoice.scenario.speech import Speech
from couchvoice.scenario.stage import Stage
from couchvoice.scenario.steps import Steps
from couchvoice.scenario.story import EMPTY, told
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.scenario.waiting import Waiting
from couchvoice.settings import Settings, load_settings

_FILES = ("replies",)  # options that name a file
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _told_where_it_was_called(method: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Whoever reads of a failure sees the line of the test, and none of ours."""

    @functools.wraps(method)
    def step(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        __tracebackhide__ = True  # pytest's
        problem: Exception
        try:
            return method(*arguments, **options)
        except StepFailed as exc:
            problem = AssertionError(str(exc))
        except ConfigError as exc:
            problem = exc
        raise problem.with_traceback(None) from None

    return step


class Conversation:
    """``options``: what a script may say at its top. Names of files are relative to that of ``file``, who holds it;
    ``folder`` is its own. It connects when it is first used, and hangs up when its context is left.

    Raises ConfigError.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        file: Path,
        settings: Settings | None = None,
        speed: float | None = None,
        tools: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        self._settings = settings or load_settings()
        self._speed = chosen_speed(self._settings, speed)
        if self._speed is not None and not self._speed >= REAL_TIME:
            raise ConfigError(f"speed {self._speed:g}: write a number from 1 (real time) on")
        self._files, self._folder = file.parent, folder
        self._scenario = Scenario(
            name=name, file=file, script=_script(options, file.parent), places={WHOLE: Place(file)}
        )
        check_script(self._scenario)
        self._tools = tools
        self._runner: asyncio.Runner | None = None
        self._stage: Stage
        self._examiner: Examiner
        self._steps: Steps
        self._began = 0.0  # the loop's time
        self._performed = 0

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            with self._runner as runner:
                runner.run(self._close())

    # What the user does

    @_told_where_it_was_called
    def say(self, what: str | Path, *, voice: str = "echo", speed: float = 1.0, gain_db: float = 0.0) -> None:
        """A WAV (its text beside it), or words for the voice of this machine. Returns with the last sample."""
        say = msgspec.structs.replace(self._said(what), voice=voice, speed=speed, gain_db=gain_db)
        self._perform(Step(say=say), say)

    @_told_where_it_was_called
    def interrupt(self, what: str | Path | None = None, *, after_ms: float = 0.0) -> None:
        """Break in on an answer, so long after it began to sound: with words, or else by a button."""
        say = self._said(what) if what is not None else None
        self._perform(Step(interrupt=Interrupt(after_ms=after_ms, say=say)), say)

    @_told_where_it_was_called
    def type(self, text: str) -> None:
        self._perform(Step(type=text))

    @_told_where_it_was_called
    def silence(self, ms: float) -> None:
        self._perform(Step(silence=ms))

    @_told_where_it_was_called
    def mute(self) -> None:
        self._perform("mute")

    @_told_where_it_was_called
    def unmute(self) -> None:
        self._perform("unmute")

    @_told_where_it_was_called
    def hang_up(self) -> None:
        """What is owed is paid first. ``connect`` begins a new talk on the same thread."""
        self._perform("hang_up")

    @_told_where_it_was_called
    def connect(self) -> None:
        """Not needed for the first talk."""
        self._perform("connect")

    # What goes wrong

    @_told_where_it_was_called
    def weather(self, weather: str | dict[str, Any]) -> None:
        """The network from now on, by name or as in a script."""
        self._perform(Step(weather=weather))

    @_told_where_it_was_called
    def faults(self, **faults: Any) -> None:
        """By the name of a tool, or session, turn, end, what goes wrong from now on, as in a script."""
        self._perform(_converted({"faults": faults}, Step))

    @_told_where_it_was_called
    def restart(self) -> None:
        """Both ends anew, after ``hang_up``. What the backend keeps is there still."""
        self._perform("restart")

    # What came of it

    @_told_where_it_was_called
    def wait(self, until: Moment | float, *, within: float = PATIENCE) -> None:
        """For a moment (transcript, tool, answer, quiet), or just so many ms."""
        wait = Wait(ms=until) if isinstance(until, int | float) else Wait(until=until, within=within)
        self._perform(Step(wait=wait))

    @_told_where_it_was_called
    def reply(self, *, within: float = PATIENCE) -> Reply:
        """What has happened since the last reply or expectation, when nobody speaks any more and nothing is owed."""
        self.wait("quiet", within=within)
        seen = self._examiner.window
        # The last turn may be on its way to the backend still.
        self._run(self._stage.observed.until(lambda: is_recorded(seen), within=SETTLING))
        reply = reply_of(seen)
        self._examiner.look_away()
        return reply

    @_told_where_it_was_called
    def expect(self, **expected: Any) -> None:
        """As in a script: ``expect(user="…", tools=[…], within={"response_ms": 1500})``."""
        self._perform(Step(expect=_converted(expected, Expect)))

    @property
    def finalized(self) -> bool | None:
        """What the backend said when the talk was ended; None before."""
        return self._stage.observed.finalized if self._runner is not None else None

    @property
    def levels(self) -> Levels:
        """How loud this moment is, in dBFS: what leaves for the provider, what is played."""
        session = self._stage.session if self._runner is not None else None
        return session.levels if session is not None else Levels(SILENCE_DB, SILENCE_DB)

    @property
    def seconds(self) -> float:
        """Since it began, on its own clock, which stands still between two calls."""
        return self._stage.tap.now if self._runner is not None else 0.0

    def story(self) -> str:
        """All that has happened, for people."""
        return told(self._stage.observed, began=self._began) if self._runner is not None else EMPTY

    # Behind

    def _said(self, what: str | Path) -> Say:
        """Raises ConfigError."""
        say = said(str(what))
        if say.wav is None:
            return say
        wav = self._files / say.wav
        if not wav.is_file():
            raise ConfigError(f"cannot play {wav}: no such file or directory")
        if not wav.with_suffix(".txt").is_file() and self._speed != REAL_TIME:
            raise ConfigError(f"no text beside {wav}: write {wav.stem}.txt, one line for each utterance")
        return Say(wav=str(wav))

    def _perform(self, step: Step | Command, say: Say | None = None) -> None:
        self._run(self._performed_step(step, say))

    async def _performed_step(self, step: Step | Command, say: Say | None) -> None:
        path = f"{WHOLE}.steps[{self._performed}]"
        self._performed += 1
        if say is not None:
            where = "interrupt.say" if isinstance(step, Step) and step.interrupt is not None else "say"
            await self._stage.learn(f"{path}.{where}", say)
        await self._steps.perform(path, step)

    def _run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._running().run(coroutine)
        coroutine.close()
        raise ConfigError("a conversation has a loop of its own: use it in a plain function, def and not async def")

    def _running(self) -> asyncio.Runner:
        if self._runner is None:
            fast = self._speed != REAL_TIME
            self._runner = asyncio.Runner(
                loop_factory=(lambda: MediaClockLoop(speed=self._speed or math.inf)) if fast else None
            )
            self._runner.run(self._open())
        return self._runner

    async def _open(self) -> None:
        self._began = asyncio.get_running_loop().time()
        clock = "real" if self._speed == REAL_TIME else "media"
        tap = TalkTap(self._scenario.name, clock=clock, speed=self._speed)
        self._stage = Stage(self._scenario, self._settings, Speech(), tap, self._folder, tools=self._tools)
        tap.begin()
        await self._stage.__aenter__()
        waiting = Waiting(self._stage)
        self._examiner = Examiner(self._stage, waiting, default_slo=Limits())
        self._steps = Steps(self._stage, waiting, self._examiner)

    async def _close(self) -> None:
        try:
            await self._stage.hang_up()
        finally:
            await self._stage.__aexit__(None, None, None)


def _script(options: dict[str, Any], files: Path) -> Script:
    """Raises ConfigError."""
    named = {name: str(files / options[name]) for name in _FILES if options.get(name) is not None}
    recordings = {"recordings": [str(files / wav) for wav in options.get("recordings", ())]}
    # A network that can change is always there; its steps come one by one.
    whole = {"weather": CLEAR, **options, **named, **recordings, "steps": ["unmute"]}
    return msgspec.structs.replace(_converted(whole, Script), steps=[])


def _converted(values: dict[str, Any], to: type[_Result]) -> _Result:
    try:
        return msgspec.convert(values, to)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"a conversation cannot have this: {exc}") from exc
