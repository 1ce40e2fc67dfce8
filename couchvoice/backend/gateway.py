"""The gateway: a secret, or an SDP answer, for clients that bring their own policy.

Not a talk: it has no thread, no tools and no instructions, and nothing of it is kept. Law: a caller names an endpoint
of the settings or none; no address that a caller sends is ever asked for anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from couchvoice.backend.figures import Figures
from couchvoice.backend.guard import Caller, CurrentCaller
from couchvoice.backend.limits import Limits
from couchvoice.backend.opener import refusing_failures, switched_off
from couchvoice.backend.providers import Failure, Provider, ProviderFailed
from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.session_config import bare_config
from couchvoice.backend.session_id import owner_hash
from couchvoice.contract import UNAVAILABLE, ErrorDetail
from couchvoice.session_settings import SessionSettings

GATEWAY_PATH = "/realtime_session"
OFFER_PATH = "/realtime/offer"
MAX_OFFER = 48 * 1024  # characters of SDP; with JSON's escapes it stays below the body limit

_Model = Annotated[str, StringConstraints(max_length=100, pattern=r"^[!-~]+$")]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class GatewayRequest(_Request):
    """``POST /realtime_session``. ``endpoint``: a name of the settings, never an address."""

    model: _Model | None = None
    voice: str | None = None
    endpoint: str | None = None
    modalities: Annotated[list[str], Field(min_length=1, max_length=2)] | None = None


class OfferRequest(_Request):
    """``POST /realtime/offer``"""

    sdp: Annotated[str, StringConstraints(min_length=1, max_length=MAX_OFFER)]
    model: _Model | None = None


class GatewaySecret(BaseModel):
    value: str
    expires_at: float


class GatewaySession(BaseModel):
    """How a client goes on: to ``calls_url`` with an offer, or to ``ws_url``, with the secret in ``secret_header``."""

    client_secret: GatewaySecret
    model: str
    voice: str
    modalities: list[str]
    provider: str
    calls_url: str
    ws_url: str | None
    secret_header: str
    audio_codec: str


class GatewayReply(BaseModel):
    enabled: bool
    session: GatewaySession


class DisabledReply(BaseModel):
    """The shape of an error, and the word that clients of a gateway look for."""

    enabled: bool
    detail: ErrorDetail


class OfferReply(BaseModel):
    sdp: str


class Gateway:
    """``endpoints`` by name: what a caller may choose; ``provider`` when they choose none."""

    def __init__(
        self,
        *,
        provider: Provider,
        endpoints: Mapping[str, Provider],
        settings: SessionSettings,
        limits: Limits,
        figures: Figures,
        enabled: bool,
    ) -> None:
        self._provider = provider
        self._endpoints = endpoints
        self._settings = settings
        self._limits = limits
        self._figures = figures
        self._enabled = enabled
        self.router = APIRouter()
        self.router.add_api_route(
            GATEWAY_PATH,
            self.session,
            methods=["POST"],
            response_model=GatewayReply,
            responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": DisabledReply}},
        )
        self.router.add_api_route(OFFER_PATH, self.offer, methods=["POST"])

    async def session(self, request: GatewayRequest, caller: CurrentCaller) -> GatewayReply | JSONResponse:
        with failing_as("realtime_session_failed", "the session could not be created"):
            if not self._enabled:
                detail = ErrorDetail(code=UNAVAILABLE, message=switched_off().message)
                return JSONResponse(
                    DisabledReply(enabled=False, detail=detail).model_dump(), HTTPStatus.SERVICE_UNAVAILABLE
                )
            provider = self._chosen(request.endpoint)
            config = bare_config(
                self._settings,
                model=request.model or provider.place.model,
                voice=request.voice,
                modalities=request.modalities,
            )
            who = caller.subject or caller.address
            with self._figures.opening(provider.name, who, "incognito"), refusing_failures(), _refusing_without_key():
                await self._limits.spend_session(caller, who)
                secret = await provider.mint(config, safety_identifier=_identifier(caller))
            place = provider.place
            return GatewayReply(
                enabled=True,
                session=GatewaySession(
                    client_secret=GatewaySecret(value=secret.value.reveal(), expires_at=secret.expires_at),
                    model=config["model"],
                    voice=config["audio"]["output"]["voice"],
                    modalities=config["output_modalities"],
                    provider=provider.name,
                    calls_url=place.calls_url,
                    ws_url=place.ws_url,
                    secret_header=place.secret_header,
                    audio_codec=place.audio_codec,
                ),
            )

    async def offer(self, request: OfferRequest, caller: CurrentCaller) -> OfferReply:
        with failing_as("realtime_offer_failed", "the offer could not be answered"):
            if not self._enabled:
                raise switched_off()
            provider = self._provider
            config = bare_config(self._settings, model=request.model or provider.place.model)
            who = caller.subject or caller.address
            with self._figures.opening(provider.name, who, "incognito"), _refusing_as_a_proxy():
                await self._limits.spend_session(caller, who)
                answer = await provider.answer(request.sdp, config, safety_identifier=_identifier(caller))
            return OfferReply(sdp=answer)

    def _chosen(self, endpoint: str | None) -> Provider:
        """Refused with 400 unless it is one of the settings'."""
        if endpoint is None:
            return self._provider
        provider = self._endpoints.get(endpoint)
        if provider is None:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                "endpoint_not_allowed",
                f"endpoint must be one of {', '.join(sorted(self._endpoints))}, by name",
            )
        return provider


def _identifier(caller: Caller) -> str:
    """Whoever has no name is somebody else each time."""
    return owner_hash(caller.subject or f"guest_{secrets.token_hex(16)}")


@contextmanager
def _refusing_without_key() -> Iterator[None]:
    try:
        yield
    except ProviderFailed as exc:
        if exc.failure is Failure.NO_KEY:
            raise Refused(HTTPStatus.BAD_REQUEST, exc.code, "API key is not configured") from exc
        raise


@contextmanager
def _refusing_as_a_proxy() -> Iterator[None]:
    """Without a key there is nothing to be found here; all else is the gateway's."""
    try:
        yield
    except ProviderFailed as exc:
        found = exc.failure is not Failure.NO_KEY
        raise Refused(HTTPStatus.BAD_GATEWAY if found else HTTPStatus.NOT_FOUND, exc.code, str(exc)) from exc
