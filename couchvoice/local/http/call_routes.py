"""The paths of calls over WebRTC: an offer is answered, a call is hung up.

Law: each call is served by a task that nothing else depends on; a call that does not come about leaves nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from couchvoice.cassette import CASSETTE_MISMATCH
from couchvoice.local.engines import Engines
from couchvoice.local.http import multipart
from couchvoice.local.http.counts import Counts
from couchvoice.local.http.ending import Ending
from couchvoice.local.http.live_sessions import WEBRTC, LiveSessions
from couchvoice.local.http.reception import Reception, new_id
from couchvoice.local.http.refusals import Refused
from couchvoice.local.http.request_body import bounded_body
from couchvoice.local.http.secret_routes import MAX_CONFIG
from couchvoice.local.manners import Manners
from couchvoice.local.peer import Call
from couchvoice.local.protocol.bad_event import read_object
from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.local.replay.call import ReplayCall
from couchvoice.local.replay.player import Deck, Mismatch
from couchvoice.transports.peer import SDP_ERRORS

log = logging.getLogger("couchvoice.local.http.app")

MAX_OFFER = 256 * 1024  # bytes of SDP
MAX_CHANNEL_ID = 65_534  # RFC 8832 §6

_CALLS = "/v1/realtime/calls"


class CallRoutes:
    def __init__(
        self, parts: Engines | Deck, reception: Reception, live: LiveSessions, counts: Counts, ending: Ending
    ) -> None:
        self._parts = parts
        self._reception = reception
        self._live = live
        self._counts = counts
        self._ending = ending

    async def create(self, request: Request) -> Response:
        return await self._create(request, place=request.url.path, beta=False)

    async def create_beta(self, request: Request) -> Response:
        """Beta had no path for calls."""
        return await self._create(request, place=_CALLS, beta=True)

    async def _create(self, request: Request, *, place: str, beta: bool) -> Response:
        call_id = new_id("rtc")
        with self._counts.refusals():
            admitted = await self._reception.admit(request)
            channel_id = _asked_channel(request)
            offer, brought = await _read_offer(request, self._ending)
            self._live.take(call_id, WEBRTC)
            try:
                with self._reception.opening(new_id("sess"), admitted, request, brought) as session:
                    call = self._new_call(call_id, session, self._reception.manners(admitted, beta=beta))
                    answer = await _answer(call, offer, channel_id)
            except BaseException:
                self._live.leave(call_id)
                raise
        self._live.await_at_end(asyncio.create_task(self._serve(call), name=call_id))
        self._live.begin(call_id, call)
        headers = {"Location": f"{place}/{call_id}"}
        return Response(answer, HTTPStatus.CREATED, media_type="application/sdp", headers=headers)

    def _new_call(self, call_id: str, session: SessionObject, manners: Manners) -> Call | ReplayCall:
        """Raises Refused."""
        if isinstance(self._parts, Deck):
            try:
                return ReplayCall(call_id, self._parts.next(), manners)
            except Mismatch as exc:
                raise Refused(HTTPStatus.CONFLICT, CASSETTE_MISMATCH, str(exc)) from exc
        return Call(call_id, session, self._parts, manners)

    async def hang_up(self, request: Request) -> Response:
        self._reception.require_credential(request)
        self._live.call(request.path_params["call_id"]).hang_up()
        return Response(status_code=HTTPStatus.OK)

    async def refuse_telephony(self, request: Request) -> Response:
        self._reception.require_key(request)
        self._live.call(request.path_params["call_id"])
        message = "This call did not come by telephone: accept, refer and reject are for SIP."
        raise Refused(HTTPStatus.BAD_REQUEST, "call_not_sip", message, "call_id")

    async def _serve(self, call: Call | ReplayCall) -> None:
        # One item of a serving loop: a call that fails must not end the others.
        try:
            await call.run()
        except Exception:
            log.exception("x call %s failed", call.call_id)
        finally:
            self._live.leave(call.call_id)


async def _answer(call: Call | ReplayCall, offer: bytes, channel_id: int | None) -> str:
    """Raises Refused and BadEvent; then the call is closed."""
    try:
        return await call.answer(offer.decode("utf-8", "replace"), channel_id=channel_id)
    except BaseException as exc:
        await call.close()
        if isinstance(exc, SDP_ERRORS):
            log.debug("x an offer: %s", type(exc).__name__)
            message = "The offer is no SDP that can be answered."
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_offer", message, "sdp") from exc
        raise


def _asked_channel(request: Request) -> int | None:
    """The number of a data channel that both ends open by themselves (``?dcid=``). Raises Refused."""
    asked = request.query_params.get("dcid")
    if asked is None:
        return None
    if not asked.isdecimal() or int(asked) > MAX_CHANNEL_ID:
        message = f"'dcid' is the number of a data channel, 0 to {MAX_CHANNEL_ID}."
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_value", message, "dcid")
    return int(asked)


async def _read_offer(request: Request, ending: Ending) -> tuple[bytes, Mapping[str, Any]]:
    """The SDP, and the session that came with it. Raises Refused and BadEvent."""
    content_type = request.headers.get("content-type", "")
    match content_type.partition(";")[0].strip().lower():
        case "application/sdp":
            return await bounded_body(request, MAX_OFFER, ending), {}
        case multipart.FORM:
            parts = multipart.read_form(content_type, await bounded_body(request, MAX_OFFER + MAX_CONFIG, ending))
            if "sdp" not in parts:
                message = "Missing required parameter: 'sdp'."
                raise Refused(HTTPStatus.BAD_REQUEST, "missing_required_parameter", message, "sdp")
            return parts["sdp"], read_object(parts["session"]) if "session" in parts else {}
        case _:
            message = f"Send the offer as application/sdp, or as {multipart.FORM} with sdp and session."
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", message)
