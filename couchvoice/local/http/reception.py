"""The reception: who may come, with which session, and what is to go wrong with it on purpose.

Not where sessions are: that is live_sessions.py. Law: an API key may do everything; a client secret opens calls with
the session that it was minted with, hangs up, and does nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import HTTPConnection

from couchvoice.local.faults.fault_script import FaultScript
from couchvoice.local.faults.faults import HEADER, PARAM, REFUSALS, RETRY_AFTER, Faults, parse_faults
from couchvoice.local.http.ending import Ending
from couchvoice.local.http.refusals import Refused
from couchvoice.local.http.secret_book import BookFull, ClientSecret, SecretBook, SecretRequest
from couchvoice.local.manners import Manners
from couchvoice.local.protocol.session_object import SessionObject, merged
from couchvoice.local.server_options import ServerOptions

_ID_BYTES = 12
_TRANSCRIPTION = "transcription"
_KEY_SUBPROTOCOL = "openai-insecure-api-key."  # a browser's WebSocket has no headers
_AZURES_KEY = "api-key"  # a header
_SAFETY_IDENTIFIER = "openai-safety-identifier"
_MAX_IDENTIFIER = 64  # characters: a SHA-256 in hex

log = logging.getLogger("couchvoice.local.http.app")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may open a session. ``secret`` None: the holder of an API key."""

    secret: ClientSecret | None
    faults: Faults


class Reception:
    """``clock`` gives seconds since the epoch. Raises ConfigError."""

    def __init__(self, options: ServerOptions, ending: Ending, *, clock: Callable[[], float]) -> None:
        self._options = options
        self._ending = ending
        self._clock = clock
        self._book = SecretBook(options.api_key, single_use=options.single_use_secrets)
        self._numbers = itertools.count()
        self._script = FaultScript.load(options.faults) if options.faults else None

    def require_key(self, request: HTTPConnection) -> None:
        """Raises Refused."""
        if not self._book.is_key(_credential(request)):
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided.")

    def require_credential(self, request: HTTPConnection) -> ClientSecret | None:
        """The secret, or None for an API key. Raises Refused."""
        credential = _credential(request)
        secret = self._book.find(credential, now=self._clock())
        if secret is None and not self._book.is_key(credential):
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_api_key", "The client secret is wrong or has expired.")
        return secret

    async def admit(self, request: HTTPConnection) -> Admitted:
        """Let somebody open a session, unless the faults have it that it fails. Raises Refused and BadEvent."""
        secret = self.require_credential(request)
        faults = _named_faults(request)
        if secret is not None:
            faults = faults.over(secret.faults)
        if self._script is not None:
            faults = faults.over(self._script.next())
        async with self._ending.wait(within=None):  # the delay is its bound
            await asyncio.sleep((faults.answer_delay_ms or 0) / 1000)
        if faults.status is not None:
            status = HTTPStatus(faults.status)
            code, message = REFUSALS[status]
            retry_after = RETRY_AFTER if status is HTTPStatus.TOO_MANY_REQUESTS else None
            raise Refused(status, code, message, retry_after=retry_after)
        return Admitted(secret, faults)

    def mint(self, wanted: SecretRequest, request: HTTPConnection) -> tuple[ClientSecret, SessionObject]:
        """A secret and the session that it will open. Raises Refused and BadEvent."""
        now, lifetime = self._clock(), wanted.expires_after.seconds
        # Checked before it is bound to a secret.
        session = SessionObject(new_id("sess"), wanted.session, now + lifetime)
        try:
            secret = self._book.mint(
                wanted.session,
                now=now,
                lifetime=lifetime,
                faults=_named_faults(request),
                safety_identifier=_safety_identifier(request),
            )
        except BookFull as exc:
            message = "There are as many live client secrets as this server keeps."
            wait = math.ceil(exc.seconds)
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded", message, retry_after=wait) from exc
        return secret, session

    @contextmanager
    def opening(
        self, session_id: str, admitted: Admitted, request: HTTPConnection, brought: Mapping[str, Any] | None = None
    ) -> Iterator[SessionObject]:
        """The session, for which its secret is spent unless the block fails. Raises Refused and BadEvent.

        ``brought`` came in the body.
        """
        expires_at = self._clock() + self._lifetime(admitted.faults)
        session = SessionObject(session_id, _config(admitted, request, brought or {}), expires_at)
        if admitted.secret is not None and not self._book.spend(admitted.secret):
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_api_key", "The client secret has been used.")
        # OpenAI: the identifier that a secret was minted with holds for whatever it opens.
        identifier = admitted.secret.safety_identifier if admitted.secret is not None else _safety_identifier(request)
        # Not at INFO: a hash of a name without a key is found by trying names.
        log.debug("- %s for safety identifier %s", session_id, identifier or "(none)")
        try:
            yield session
        except BaseException:
            if admitted.secret is not None:
                self._book.give_back(admitted.secret)
            raise

    def manners(self, admitted: Admitted, *, beta: bool) -> Manners:
        faults = admitted.faults
        return Manners(
            lifetime=self._lifetime(faults),
            connect_timeout=self._options.connect_timeout,
            strict_lite=self._options.strict_lite if faults.strict_lite is None else faults.strict_lite,
            beta=beta,
            faults=faults,
            number=next(self._numbers),
        )

    def _lifetime(self, faults: Faults) -> float:
        limit = self._options.session_limit
        return limit if faults.session_limit_s is None else min(limit, faults.session_limit_s)


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(_ID_BYTES)}"


def _config(admitted: Admitted, request: HTTPConnection, brought: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a secret was minted with, no caller changes, only adds to; what the body says, no query."""
    query = request.query_params
    intent = query.get("intent")
    config: Mapping[str, Any] = ({"type": intent} if intent else {}) | dict(brought)
    if admitted.secret is not None:
        config = merged(config, admitted.secret.session)
    model = query.get("model") or query.get("deployment")  # as Azure calls it
    # The model of a transcription session is that of its transcription, which no query names.
    if model and config.get("type") != _TRANSCRIPTION:
        config = {"model": model, **config}
    return config


def _named_faults(request: HTTPConnection) -> Faults:
    """Raises BadEvent."""
    by_header = parse_faults(request.headers.get(HEADER, ""))
    return parse_faults(request.query_params.get(PARAM, "")).over(by_header)


def _safety_identifier(request: HTTPConnection) -> str | None:
    identifier = request.headers.get(_SAFETY_IDENTIFIER)
    return identifier[:_MAX_IDENTIFIER] if identifier else None


def _credential(request: HTTPConnection) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if key := request.headers.get(_AZURES_KEY):
        return key.strip()
    offered = request.scope.get("subprotocols", ())
    keys = (name.removeprefix(_KEY_SUBPROTOCOL) for name in offered if name.startswith(_KEY_SUBPROTOCOL))
    return next(keys, "")
