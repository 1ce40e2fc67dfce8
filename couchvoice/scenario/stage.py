"""The stage of a scripted conversation: its two ends, its session, what lies between, and what was seen of it.

    resource                    acquired              released
    both ends, the forwarder    open(), restart()     restart(), close()
    session, who watches it     connect()             hang_up(), close()

Law: the ends, their state and the sound are its own; nothing of one scenario is found by the next.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from couchvoice.cassette import Cassette
from couchvoice.client.backend import Backend
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.threads import HttpThreads
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import SessionRequest
from couchvoice.errors import BackendError, CouchvoiceError, InvalidState, UpdateRefused
from couchvoice.scenario.audits import LOOKED_AT, audits
from couchvoice.scenario.forwarder import Forwarder
from couchvoice.scenario.gateway_session import gateway_session
from couchvoice.scenario.observed import Observed
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Say, Step
from couchvoice.scenario.scripted_ends import ScriptedEnds
from couchvoice.scenario.scripted_source import ScriptedSource
from couchvoice.scenario.scripted_weather import ScriptedWeather, scripted_weather
from couchvoice.scenario.speech import Speech, sound_of
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.scenario.tool_faults import FaultyBackend, ToolFaults
from couchvoice.settings import Settings
from couchvoice.transports.http import HttpClient

HANG_UP = 20.0  # seconds for the debts of a talk
MOST_TURNS = 100  # of a thread that a script looks at
LOOK_AGAIN = 0.02  # seconds between two looks at the audits


class Stage:
    """``settings`` say where the ends are; those that they do not name are embedded.

    ``tools`` are beside the backend's own; ``replay`` is played in place of the Realtime server's
    hearing and answering.
    """

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        speech: Speech,
        tap: TalkTap,
        folder: Path,
        *,
        tools: Sequence[Any] = (),
        replay: Cassette | None = None,
    ) -> None:
        self.scenario = scenario
        self.speech = speech
        self.tap = tap
        self.faults = ToolFaults(scenario.script.faults)
        self.observed = Observed(last_audible=lambda: tap.last_audible)
        self.session: VoiceSession | None = None  # the last one, also when it is over
        self._scripted_ends = ScriptedEnds(scenario, settings, speech, folder, tools=tools, replay=replay)
        self._settings = self._scripted_ends.settings
        self._source = ScriptedSource()
        self._folder = folder
        self._thread = f"thread_{secrets.token_hex(8)}"
        self._network = _network(scenario)
        self._ends = AsyncExitStack()
        self._endpoints: Endpoints | None = None
        self._watching: asyncio.Task[None] | None = None  # awaited in hang_up() or close()

    async def __aenter__(self) -> Stage:
        await self._open_ends()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.session is not None:
                self.session.abort()
                await self.session.wait_ended()
            if self._watching is not None:
                await self._watching
        finally:
            await self._ends.aclose()

    # What a script does

    @property
    def is_open(self) -> bool:
        """There is somebody to talk to."""
        return self.session is not None and self.session.can_send

    async def connect(self) -> None:
        """What goes wrong is in ``observed.error``."""
        assert self._endpoints is not None  # it was entered
        self._source = ScriptedSource()
        session = self.session = VoiceSession(
            self._endpoints,
            self._request(),
            source=self._source,
            sink=self.tap,
            tap=self.tap,
            backend_through=self._backend_through,
        )
        self._watching = asyncio.create_task(self._watch(session), name="watch-the-talk")
        try:
            await session.connect()
            if self.scenario.script.modality == "text":
                await session.set_modalities("text")
        except (InvalidState, UpdateRefused) as exc:
            self._broke(exc)
        except CouchvoiceError:
            await self._watching
            return
        self._keep_back(session)
        if session.connect_ms is not None:
            self.observed.connect_ms.append(round(session.connect_ms, 1))
            self.tap.figure("connect_ms", session.connect_ms)

    async def hang_up(self) -> None:
        """The turns that are owed, then ``/end``."""
        if self.session is None or self._watching is None:
            return
        await self.session.disconnect(within=HANG_UP)
        await self._watching
        if (reply := self.session.end_reply) is not None:
            self.observed.finalized, self.observed.end_detail = reply.finalized, reply.detail or ""

    async def restart(self) -> None:
        """Both embedded ends anew, with what the backend has kept. Raises ConfigError where they are not ours."""
        self._scripted_ends.require_embedded()
        await self._ends.aclose()
        await self._open_ends()

    async def say(self, path: str) -> None:
        """What stands at this path of the script; return when it was said."""
        await self._source.say(self.speech.sounds[path])

    async def learn(self, path: str, say: Say) -> None:
        """Something more that may be said, at this path. Raises ConfigError."""
        from couchvoice.embedded import teach

        assert self._endpoints is not None  # it was entered
        known = len(self.speech.recordings)
        file = self._folder / f"learnt-{len(self.speech.sounds)}.wav"
        self.speech.sounds[path] = await sound_of(say, file, self.speech)
        await teach(self._endpoints.realtime_app, self.speech.recordings[known:])

    def change_weather(self, weather: ScriptedWeather) -> None:
        assert self._network is not None  # a script that names weather has one
        self._network.change(weather.weather, weather.direction)

    async def look_at_history(self) -> None:
        """What the backend has of the thread, for ``observed``. Raises BackendError."""
        assert self._endpoints is not None  # as above
        ends = self._endpoints
        async with HttpClient(ends.backend_url, app=ends.backend_app) as http:
            threads = HttpThreads(
                ends.backend_url, http=http, user_id=self.scenario.script.user, token=self._settings.token
            )
            try:
                reply = await threads.history(self._thread, limit=MOST_TURNS)
                self.observed.history = [turn.model_dump(mode="json") for turn in reply.turns]
                self.observed.history_finalized = (await threads.status(self._thread)).finalization == "completed"
            except BackendError as exc:
                if exc.status != 404:
                    raise
                self.observed.history = []

    async def look_at_audits(self, turns: int, *, within: float) -> None:
        """What they have found in so many turns, for ``observed``; they end after the turns, and nobody tells when."""
        assert self._endpoints is not None  # as above
        until = time.monotonic() + within  # not the loop's: an audit runs in a thread, in real time
        while True:
            self.observed.audits = await audits(self._endpoints)
            if self.observed.audits.get(LOOKED_AT, 0) >= turns or time.monotonic() > until:
                return
            await asyncio.sleep(LOOK_AGAIN)

    # Behind

    def _keep_back(self, session: VoiceSession) -> None:
        """What a recording of this talk must not tell of whose it was."""
        token, reply = self._settings.token, session.reply
        self.tap.keep_back("thread", self._thread)
        self.tap.keep_back("user", self.scenario.script.user)
        self.tap.keep_back("token", token.reveal() if token else None)
        if reply is not None:
            self.tap.keep_back("secret", reply.client_secret)
            self.tap.keep_back("session token", reply.session_token)
            self.tap.keep_back("session", reply.session_id)

    async def _open_ends(self) -> None:
        network = await self._ends.enter_async_context(self._network) if self._network is not None else None
        ends = await self._ends.enter_async_context(self._scripted_ends.running())
        self._endpoints = replace(ends, network=network)

    def _backend_through(self, backend: Backend) -> Backend:
        script, ends = self.scenario.script, self._endpoints
        assert ends is not None  # it was entered
        through_gateway = partial(gateway_session, ends, voice=script.voice) if script.through == "gateway" else None
        return FaultyBackend(backend, self.faults, self.observed, open_session=through_gateway)

    def _request(self) -> SessionRequest:
        script = self.scenario.script
        try:
            return SessionRequest(
                thread_id=self._thread,
                user_id=script.user,
                memory_mode=script.memory,
                assistant_voice=script.voice,
                language=script.language,
            )
        except ValueError as exc:
            self.scenario.refuse("$", f"user, voice or language cannot be: {exc}")

    async def _watch(self, session: VoiceSession) -> None:
        clock = asyncio.get_running_loop()
        async for notice in session:
            self.tap.notice(notice)
            self.observed.tell(notice, clock.time())
        if session.error is not None:
            self._broke(session.error)
        self.observed.touch()

    def _broke(self, error: CouchvoiceError) -> None:
        if self.observed.error is None:
            self.observed.error, self.observed.error_text = error.code, str(error)


def _network(scenario: Scenario) -> Forwarder | None:
    first = scenario.script.weather
    if first is None and not any(isinstance(step, Step) and step.weather is not None for _, step in scenario.steps()):
        return None
    weather = scripted_weather(first or "clear")
    network = Forwarder(seed=weather.seed)
    network.change(weather.weather, weather.direction)
    return network
