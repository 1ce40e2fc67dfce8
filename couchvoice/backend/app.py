"""The backend as an ASGI application: the voice endpoints, health, one shape for every error.

Not a server: whoever calls ``create_app`` runs it, in process or behind a port. Law: when the application shuts down,
what it served is finalized, then the store and the provider are closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from couchvoice.backend.admin_routes import AdminEndpoints
from couchvoice.backend.body_limit import BodyLimit
from couchvoice.backend.crisis.watch import CrisisWatch
from couchvoice.backend.figures import Figures
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.gateway import Gateway
from couchvoice.backend.guard import HEALTH_PATH, OPENAPI_PATH, READY_PATH, Door
from couchvoice.backend.guards import Guards
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.memory.remembered import RememberedMemory
from couchvoice.backend.memory_context import MemorySource
from couchvoice.backend.memory_routes import MemoryEndpoints
from couchvoice.backend.modes.mode import Modes
from couchvoice.backend.openapi import install_openapi, operation_id
from couchvoice.backend.opener import SessionOpener
from couchvoice.backend.providers import Provider
from couchvoice.backend.pseudonyms import Pseudonyms
from couchvoice.backend.recollection import Recollections
from couchvoice.backend.refusals import error_response, install_error_bodies
from couchvoice.backend.routes import VoiceEndpoints
from couchvoice.backend.session_checks import check_session_settings
from couchvoice.backend.session_scope import SessionScope
from couchvoice.backend.sessions import LiveSessions
from couchvoice.backend.store import Store
from couchvoice.backend.thread_routes import ThreadEndpoints
from couchvoice.backend.tools import STANDARD_TOOLS, ToolRegistry
from couchvoice.backend.tools.give_session_feedback import give_session_feedback
from couchvoice.backend.voice_assist import VoiceAssistEndpoint
from couchvoice.session_settings import SessionSettings
from couchvoice.web_guards import web_guards

_METHODS = ("GET", "POST", "PATCH", "DELETE")


def create_app(
    *,
    store: Store,
    provider: Provider,
    tools: ToolRegistry | None = None,
    session: SessionSettings | None = None,
    guards: Guards | None = None,
    finalizer: Finalizer | None = None,
    finalize_at_shutdown: bool = True,
    endpoints: Mapping[str, Provider] | None = None,
    memory: MemorySource | None = None,
    crisis: CrisisWatch | None = None,
    grounded: GroundedLookup | None = None,
    modes_dir: Path | None = None,
    enabled: bool = True,
    pseudonyms: Pseudonyms | None = None,
) -> FastAPI:
    """Without ``guards`` whoever calls is believed. Raises ConfigError when ``session`` cannot be asked.

    ``endpoints``: the providers that a caller of the gateway may choose, by name; None: ``provider`` alone.
    ``crisis``: where lines are looked up, and who audits; ``grounded``: what is asked before the shipped corpus is.
    ``memory`` None: what ``store`` remembers. ``modes_dir``: a folder of modes beside the shipped ones. ``enabled``
    False: no session is opened. Without ``pseudonyms`` those in the log change with each start.
    """
    finalizer = finalizer or Finalizer(store)
    session = session or SessionSettings()
    guards = guards or Guards()
    crisis, grounded = crisis or CrisisWatch(), grounded or GroundedLookup()
    endpoints = {provider.name: provider} if endpoints is None else endpoints
    pseudonyms = pseudonyms or Pseudonyms()
    sessions, recollections = LiveSessions(pseudonyms), Recollections(store, memory or RememberedMemory(store))
    scope, figures = SessionScope(sessions, store), Figures(sessions, pseudonyms, audits=crisis.auditor.counts)
    opener = SessionOpener(
        provider=provider,
        settings=session,
        sessions=sessions,
        store=store,
        recollections=recollections,
        limits=guards.limits,
        figures=figures,
        scope=scope,
        enabled=enabled,
    )
    check_session_settings(session)
    tools = tools or ToolRegistry(STANDARD_TOOLS)
    if session.ask_feedback:
        tools = tools.plus(give_session_feedback)

    voice = VoiceEndpoints(
        store=store,
        finalizer=finalizer,
        provider=provider,
        tools=tools,
        modes=Modes.of(tools, folder=modes_dir),
        settings=session,
        scope=scope,
        recollections=recollections,
        opener=opener,
        limits=guards.limits,
        figures=figures,
        crisis=crisis,
        grounded=grounded,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with crisis.running(), finalizer.running():
                yield
            if finalize_at_shutdown:
                await finalizer.shut_down()
        finally:
            await voice.close()
            await grounded.close()
            await finalizer.close()
            await store.close()
            for open_provider in {provider, *endpoints.values()}:
                await open_provider.close()
            await guards.close()

    # FastAPI's documentation pages load scripts from elsewhere.
    app = FastAPI(
        lifespan=lifespan,
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    install_openapi(app)
    # The last one added stands outermost: nobody's body is read before it is known who sends it.
    app.add_middleware(BodyLimit)
    app.add_middleware(Door, authentication=guards.authentication, admin=guards.admin, count=figures.count)
    app.user_middleware[:0] = web_guards(
        origins=guards.origins,
        hosts=guards.hosts,
        methods=_METHODS,
        guarded={"http", "websocket"},  # with authentication off, what a form of any page posts would be done
        refuse=error_response,
    )
    install_error_bodies(app)
    app.add_api_route(HEALTH_PATH, _health, methods=["GET"])
    app.add_api_route(READY_PATH, _readiness(store), methods=["GET"])
    app.include_router(voice.router)
    operators = AdminEndpoints(
        sessions=sessions, figures=figures, store=store, crisis=crisis, is_open=guards.admin is not None
    )
    app.include_router(operators.router)
    app.include_router(VoiceAssistEndpoint(opener=opener, provider=provider).router)
    gateway = Gateway(
        provider=provider,
        endpoints=endpoints,
        settings=session,
        limits=guards.limits,
        figures=figures,
        enabled=enabled,
    )
    app.include_router(gateway.router)
    app.include_router(ThreadEndpoints(store=store, finalizer=finalizer).router)
    app.include_router(MemoryEndpoints(store=store).router)
    return app


async def _health() -> dict[str, str]:
    """The process serves. Whoever restarts it looks here."""
    return {"status": "ok"}


def _readiness(store: Store) -> Callable[[], Awaitable[dict[str, str]]]:
    async def ready() -> dict[str, str]:
        """It can do what it is there for. Whoever balances looks here."""
        await store.check()
        return {"status": "ready"}

    return ready
