"""The paths where client secrets are minted, in GA's shape and in that of the beta.

Law: only the holder of an API key mints; the session is checked before a secret is bound to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.local.http.counts import Counts
from couchvoice.local.http.ending import Ending
from couchvoice.local.http.reception import Reception
from couchvoice.local.http.request_body import bounded_body
from couchvoice.local.http.secret_book import SecretRequest
from couchvoice.local.protocol.bad_event import checked, read_object
from couchvoice.local.protocol.beta import secret_request_from_beta, secret_to_beta

MAX_CONFIG = 1024 * 1024  # bytes of JSON


class SecretRoutes:
    def __init__(self, reception: Reception, counts: Counts, ending: Ending) -> None:
        self._reception = reception
        self._counts = counts
        self._ending = ending

    async def mint(self, request: Request) -> Response:
        return JSONResponse(self._minted(await self._body(request), request))

    async def mint_beta(self, request: Request) -> Response:
        """A session that holds its secret."""
        return self._mint_beta(await self._body(request), request)

    async def mint_beta_transcription(self, request: Request) -> Response:
        """A session that only listens, and holds its secret."""
        body = await self._body(request)
        body.pop("modalities", None)  # beta had it here, too: always text
        return self._mint_beta({"type": "transcription"} | body, request)

    def _mint_beta(self, body: Mapping[str, Any], request: Request) -> Response:
        return JSONResponse(secret_to_beta(self._minted(secret_request_from_beta(body), request)))

    async def _body(self, request: Request) -> dict[str, Any]:
        self._reception.require_key(request)
        body = await bounded_body(request, MAX_CONFIG, self._ending)
        return read_object(body) if body else {}

    def _minted(self, body: Mapping[str, Any], request: Request) -> dict[str, Any]:
        wanted: SecretRequest = checked(body, SecretRequest)
        secret, session = self._reception.mint(wanted, request)
        self._counts.minted += 1
        return {"value": secret.value, "expires_at": int(secret.expires_at), "session": session.as_dict()}
