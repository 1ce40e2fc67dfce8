"""The steps of a script, performed one after the other.

Law: the first thing that is not as expected ends the script: what comes after it would be noise.
"""

from __future__ import annotations

import asyncio

from couchvoice.client.voice_session import VoiceSession
from couchvoice.scenario.examiner import Examiner, StepFailed, line_of
from couchvoice.scenario.scenario import WHOLE, said
from couchvoice.scenario.script import PATIENCE, Command, Interrupt, Moment, Step, Wait
from couchvoice.scenario.scripted_weather import scripted_weather
from couchvoice.scenario.stage import Stage
from couchvoice.scenario.waiting import Waiting

_NEED_A_TALK = frozenset({"say", "silence", "type", "interrupt"})


class Steps:
    def __init__(self, stage: Stage, waiting: Waiting, examiner: Examiner) -> None:
        self.at = WHOLE  # the path of the step that is being performed
        self._stage = stage
        self._waiting = waiting
        self._examiner = examiner

    async def perform_all(self) -> None:
        """Raises StepFailed, and CouchvoiceError for what cannot be."""
        for path, step in self._stage.scenario.steps():
            await self.perform(path, step)
        self.at = WHOLE
        await self._hang_up()
        await self._examiner.examine_whole()

    async def perform(self, path: str, step: Step | Command) -> None:
        """One step, which stands at ``path``. Raises as ``perform_all``."""
        self.at = path
        self._stage.tap.step(described(step), line_of(self._stage.scenario, path))
        if isinstance(step, str):
            await self._command(step)
        else:
            await self._perform(step)

    async def _perform(self, step: Step) -> None:
        if step.verbs[0] in _NEED_A_TALK:
            await self._talk()
        if step.say is not None:
            await self._say("say")
        elif step.silence is not None:
            await asyncio.sleep(step.silence / 1000)
        elif step.type is not None:
            self._waiting.speech_begins()
            (await self._talk()).send_message(step.type)
        elif step.interrupt is not None:
            await self._interrupt(step.interrupt)
        elif step.wait is not None:
            await self._wait(step.wait)
        elif step.weather is not None:
            self._stage.change_weather(scripted_weather(step.weather))
        elif step.faults is not None:
            self._stage.faults.change(step.faults)
        elif step.expect is not None:
            await self._examiner.examine(step.expect, f"{self.at}.expect")

    async def _command(self, command: Command) -> None:
        match command:
            case "connect":
                if self._stage.is_open:
                    raise StepFailed(self.at, "the talk is open already: hang_up comes first")
                await self._stage.connect()
            case "hang_up":
                await self._hang_up()
            case "restart":
                if self._stage.is_open:
                    raise StepFailed(self.at, "the talk is open: hang_up comes first")
                await self._stage.restart()
            case "mute":
                (await self._talk()).mute()
            case "unmute":
                (await self._talk()).unmute()
            case "interrupt":
                (await self._talk()).interrupt()

    async def _talk(self) -> VoiceSession:
        """The open one; the first begins by itself. Raises StepFailed."""
        if self._stage.session is None:
            await self._stage.connect()
        if not self._stage.is_open:
            self._examiner.require_whole(self.at)
            raise StepFailed(self.at, "there is no talk any more: connect comes first")
        assert self._stage.session is not None  # connect made one
        return self._stage.session

    async def _hang_up(self) -> None:
        await self._waiting.settled(within=PATIENCE)
        await self._stage.hang_up()

    async def _say(self, where: str) -> None:
        self._waiting.speech_begins()
        await self._stage.say(f"{self.at}.{where}")
        self._waiting.speech_ended()
        self._examiner.require_whole(self.at)

    async def _interrupt(self, interrupt: Interrupt) -> None:
        session = await self._talk()
        await self._until("answer", PATIENCE)
        await asyncio.sleep(interrupt.after_ms / 1000)
        if not session.is_speaking:
            raise StepFailed(self.at, f"the answer was over within {interrupt.after_ms:g} ms: nothing to interrupt")
        if interrupt.say is None:
            session.interrupt()
        else:
            await self._say("interrupt.say")

    async def _wait(self, wait: Moment | float | Wait) -> None:
        match wait:
            case Wait(until=str(moment), within=within):
                await self._until(moment, within)
            case Wait(ms=float(ms)) | float(ms):
                await asyncio.sleep(ms / 1000)
            case str(moment):
                await self._until(moment, PATIENCE)

    async def _until(self, moment: Moment, within: float) -> None:
        await self._talk()
        if not await self._waiting.until(moment, within=within):
            self._examiner.require_whole(self.at)
            raise StepFailed(self.at, f"no {moment} within {within:g} s")


def described(step: Step | Command) -> str:
    """In a few words, for whoever looks at what happened."""
    if isinstance(step, str):
        return step.replace("_", " ")
    verb = step.verbs[0]
    match verb, getattr(step, verb):
        case "say", say:
            what = said(say)
            return f"say {what.wav.rpartition('/')[2] if what.wav is not None else what.text}"
        case "interrupt", Interrupt(after_ms=ms, say=say):
            return f"interrupt after {ms:g} ms" if say is None else f"break in after {ms:g} ms"
        case "wait", Wait(until=until, ms=ms):
            return f"wait {until or f'{ms:g} ms'}"
        case "wait" | "silence", float(ms):
            return f"{verb} {ms:g} ms"
        case (("wait" | "type"), text):
            return f"{verb} {text}"
    return verb
