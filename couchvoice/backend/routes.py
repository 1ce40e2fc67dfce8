"""The voice endpoints: the four of a talk, and the one that changes a running session.

Not what they stand on: sessions, tools and the store decide in their own modules. Law: incognito is the floor (a
request may lower the mode of its session, never raise it), and an incognito request never reaches the store.
"""

from __future__ import annotations

import functools
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from couchvoice.backend.activity import LiveState
from couchvoice.backend.briefing import Briefing
from couchvoice.backend.crisis.watch import CrisisWatch
from couchvoice.backend.end_reply import INCOGNITO_END, end_reply
from couchvoice.backend.exercises import MemoryExerciseBook, Place
from couchvoice.backend.figures import Figures, tell
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.guard import Caller, CurrentCaller
from couchvoice.backend.language import chosen_language
from couchvoice.backend.limits import Limits
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.modes.mode import Modes
from couchvoice.backend.modes.mode_file import DEFAULT_MODE
from couchvoice.backend.opener import Opened, SessionOpener, refusing_failures
from couchvoice.backend.pauses import PAUSE, believable
from couchvoice.backend.providers import Provider
from couchvoice.backend.recollection import Recollections
from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.session_config import supported_voice
from couchvoice.backend.session_scope import SessionScope, SessionToken
from couchvoice.backend.sessions import LiveSession
from couchvoice.backend.store import Store
from couchvoice.backend.tools import ToolContext, ToolRegistry, ToolRunner
from couchvoice.backend.turn_record import turn_to_keep
from couchvoice.contract import (
    CONFIG_PATH,
    END_PATH,
    RESULT_PATH,
    SESSION_PATH,
    TOOLS_PATH,
    TURN_PATH,
    ConfigReply,
    ConfigRequest,
    EndReply,
    EndRequest,
    Feedback,
    ResultReply,
    ResultRequest,
    SessionReply,
    SessionRequest,
    ToolReply,
    ToolRequest,
    TurnReply,
    TurnRequest,
)
from couchvoice.session_settings import SessionSettings


class VoiceEndpoints:
    def __init__(
        self,
        *,
        store: Store,
        finalizer: Finalizer,
        provider: Provider,
        tools: ToolRegistry,
        modes: Modes,
        settings: SessionSettings,
        scope: SessionScope,
        recollections: Recollections,
        opener: SessionOpener,
        limits: Limits,
        figures: Figures,
        crisis: CrisisWatch,
        grounded: GroundedLookup,
    ) -> None:
        self._store = store
        self._finalizer = finalizer
        self._provider = provider
        self._recollections = recollections
        self._opener = opener
        self._limits = limits
        self._figures = figures
        self._crisis = crisis
        self._grounded = grounded
        self._tools = ToolRunner(tools)
        self._exercises = MemoryExerciseBook()  # of incognito talks
        self._settings = settings
        self._modes = modes
        self._scope = scope
        self.router = APIRouter()
        self.router.add_api_route(SESSION_PATH, self.session, methods=["POST"])
        # What is not there is not said: the contract's reply is an output and nothing else.
        self.router.add_api_route(TOOLS_PATH, self.tools, methods=["POST"], response_model_exclude_defaults=True)
        self.router.add_api_route(RESULT_PATH, self.result, methods=["POST"])
        self.router.add_api_route(TURN_PATH, self.turn, methods=["POST"])
        self.router.add_api_route(END_PATH, self.end, methods=["POST"])
        self.router.add_api_route(CONFIG_PATH, self.config, methods=["POST"])

    async def close(self) -> None:
        await self._tools.background.close()

    async def session(self, request: SessionRequest, caller: CurrentCaller) -> SessionReply:
        with failing_as("voice_realtime_session_failed", "the session could not be created"):
            with refusing_failures():
                mode = self._modes.find(request.mode or DEFAULT_MODE)
                opened = await self._opener.open(request, caller=caller, mode=mode)
            return _session_reply(opened, self._provider)

    async def tools(self, request: ToolRequest, caller: CurrentCaller, token: SessionToken = None) -> ToolReply:
        with failing_as("voice_realtime_tool_failed", "the tool failed"):
            session = await self._scope.of(request, caller=caller, token=token)
            owner = _owner(request, caller, session)
            await self._limits.spend_tool_call(caller, owner)
            mode = self._scope.floor(request, session)
            context = ToolContext(
                thread_id=request.thread_id,
                owner=owner,
                said=[
                    request.current_user_message,
                    *(entry.content for entry in reversed(request.transcript) if entry.role == "user"),
                ],
                store=self._store if mode == "persistent" else None,
                said_item=_said_item(request),
                crisis=self._crisis.desk,
                grounded=self._grounded,
                exercises=self._store.exercises if mode == "persistent" else self._exercises,
                give_feedback=functools.partial(
                    self._give_feedback,
                    place=Place(owner, request.thread_id),
                    session_id=session.session_id if session else None,
                    kept=mode == "persistent",
                ),
            )
            with self._figures.calling(request.tool_name):
                ran = await self._tools.run(request.tool_name, request.arguments, mode=mode, context=context)
            if session is not None:
                session.activity.tool_calls += 1
            return ToolReply(output=ran.output, task_id=ran.task_id, private_fields=sorted(ran.private))

    async def result(self, request: ResultRequest, caller: CurrentCaller, token: SessionToken = None) -> ResultReply:
        with failing_as("voice_realtime_tool_failed", "the result could not be told"):
            owner = _owner(request, caller, await self._scope.of(request, caller=caller, token=token))
            await self._limits.spend_tool_result(caller, owner)
            result = await self._tools.background.result(request.task_id, thread_id=request.thread_id, owner=owner)
            return ResultReply(status=result.status, output=result.output, private_fields=sorted(result.private))

    async def turn(self, request: TurnRequest, caller: CurrentCaller, token: SessionToken = None) -> TurnReply:
        with failing_as("voice_realtime_turn_record_failed", "the turn could not be recorded"):
            session = await self._scope.of(request, caller=caller, token=token)
            turn = turn_to_keep(
                request,
                owner=_owner(request, caller, session),
                guest=(session.briefing.user_id if session else caller.user(request.user_id)) is None,
                session_id=session.session_id if session else None,
                transcript=request.save_transcript is not False
                and (session is None or session.briefing.save_transcript),
                voice_runtime={"provider": self._provider.name, "model": self._settings.model},
            )
            kept = self._scope.floor(request, session) == "persistent"
            count = await self._store.turns.record(turn) if kept else 0
            gap = believable(request.timings.get(PAUSE)) if kept and self._settings.adaptive_vad else None
            if gap is not None:
                await self._store.pauses.heard(turn.owner, gap)
            await self._crisis.turn_over(
                request,
                owner=turn.owner,
                session_id=turn.session_id,
                kept=self._store.crisis if kept else None,
                message_count=count,
            )
            self._figures.recorded(request.outcome, request.timings, kept=kept)
            if session is not None:
                session.activity.turns += 1
            return TurnReply(recorded=kept, thread_id=request.thread_id, message_count=count)

    async def end(self, request: EndRequest, caller: CurrentCaller, token: SessionToken = None) -> EndReply:
        with failing_as("voice_realtime_end_failed", "the session could not be finalized"):
            session = await self._scope.of(request, caller=caller, token=token)
            place = Place(_owner(request, caller, session), request.thread_id)
            self._tools.background.end(place.thread_id, owner=place.owner)
            self._exercises.forget(place)
            self._crisis.desk.talk_over(place.thread_id, owner=place.owner)
            if session is not None:
                session.activity.state = LiveState.ENDED
            session_id = session.session_id if session else request.session_id
            incognito = self._scope.floor(request, session) == "incognito"
            if request.feedback is not None:
                await self._give_feedback(request.feedback, place=place, session_id=session_id, kept=not incognito)
            if incognito:
                return EndReply(finalized=False, detail=INCOGNITO_END)
            arc = await self._finalizer.finalize_when_free(
                request.thread_id,
                owner=session.briefing.owner if session else caller.user(request.user_id),
                session_id=session_id,
            )
            tell("end", finalized=arc is not None)
            return end_reply(arc)

    async def config(self, request: ConfigRequest, caller: CurrentCaller, token: SessionToken = None) -> ConfigReply:
        with failing_as("voice_realtime_config_failed", "the session could not be changed"):
            session = await self._scope.of(request, caller=caller, token=token)
            change: dict[str, Any] = {}
            voice: str | None = None
            if request.mode is not None:
                mode, briefing = self._modes.find(request.mode), self._briefing(request, caller, session)
                change |= mode.config(briefing, await self._recollections.of(briefing))
                voice = mode.voice
            if request.voice is not None:
                voice = supported_voice(request.voice)
            if voice is not None:
                change["audio"] = {"output": {"voice": voice}}
            if not change:
                raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "nothing_to_change", "name a mode or a voice")
            return ConfigReply(session={"type": "realtime", **change})

    async def _give_feedback(self, feedback: Feedback, *, place: Place, session_id: str | None, kept: bool) -> None:
        self._figures.feedback[feedback] += 1
        if kept:
            await self._store.feedback.keep(
                feedback, thread_id=place.thread_id, owner=place.owner, session_id=session_id
            )

    def _briefing(self, request: ConfigRequest, caller: Caller, session: LiveSession | None) -> Briefing:
        """The session's own. Of a session that nobody proved to be theirs nothing is known: it counts as incognito."""
        if session is not None:
            return session.briefing
        return Briefing(
            thread_id=request.thread_id,
            user_id=caller.user(request.user_id),
            memory_mode="incognito",
            language=chosen_language(None, self._settings.language),
        )


def _session_reply(opened: Opened, provider: Provider) -> SessionReply:
    briefing, place = opened.live.briefing, provider.place
    return SessionReply(
        client_secret=opened.secret.value.reveal(),
        expires_at=opened.secret.expires_at,
        thread_id=briefing.thread_id,
        user_id=briefing.user_id,
        memory_mode=briefing.memory_mode,
        session_config=dict(opened.config),
        calls_url=place.calls_url,
        ws_url=place.ws_url,
        secret_header=place.secret_header,
        audio_codec=place.audio_codec,
        session_id=opened.live.session_id,
        session_token=opened.live.token.reveal(),
        provider=provider.name,
    )


def _said_item(request: ToolRequest) -> str | None:
    return next((entry.item_id for entry in reversed(request.transcript) if entry.role == "user"), None)


def _owner(
    request: ToolRequest | ResultRequest | TurnRequest | EndRequest, caller: Caller, session: LiveSession | None
) -> str:
    if session is not None:
        return session.briefing.owner
    return caller.owner(user_id=request.user_id, thread_id=request.thread_id)
