"""The ways of one talk to its two ends: HTTP to the backend, and the transport to the provider.

Law: whatever is opened here is closed by ``close``.
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCIceServer

from couchvoice.client.backend import HttpBackend
from couchvoice.client.client import Client
from couchvoice.client.endpoints import Endpoints
from couchvoice.contract import SessionReply, SessionRequest
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient
from couchvoice.transports.tap import Tap, TappedTransport, tapped_frames, tapped_packets, tapped_read
from couchvoice.transports.transport import Transport
from couchvoice.transports.webrtc import AUTHORIZATION, OPUS, WebRTCTransport


class Connections:
    """``tap`` is shown everything that passes between the client and the provider."""

    def __init__(self, endpoints: Endpoints, tap: Tap | None = None) -> None:
        self._endpoints = endpoints
        self._tap = tap
        self._http: list[HttpClient] = []

    def backend(self, request: SessionRequest) -> HttpBackend:
        """Raises ConfigError for a URL that is not safe."""
        ends = self._endpoints
        http = self._open_http(ends.backend_url, ends.backend_app)
        return HttpBackend(ends.backend_url, request, http=http, token=ends.token)

    def transport(self, reply: SessionReply, client: Client) -> Transport:
        """Raises ConfigError when nobody said where the provider is."""
        calls_url = self._endpoints.calls_url(reply)
        tap, playback = self._tap, client.playback
        transport = WebRTCTransport(
            calls_url,
            Private(reply.client_secret),
            http=self._open_http(calls_url, self._endpoints.realtime_app),
            # Without a tap nothing is called in between: these are called 50 times a second.
            read=client.read_frame if tap is None else tapped_read(client.read_frame, tap),
            on_packet=playback.receive if tap is None else tapped_packets(playback.receive, tap),
            on_frame=playback.hear if tap is None else tapped_frames(playback.hear, tap),
            on_gap=client.playback.conceal,
            ice_servers=[RTCIceServer(**server.model_dump()) for server in reply.ice_servers],
            secret_header=reply.secret_header or AUTHORIZATION,
            codec=reply.audio_codec or OPUS,
            network=self._endpoints.network,
        )
        return transport if tap is None else TappedTransport(transport, tap)

    async def close(self) -> None:
        for http in self._http:
            await http.close()

    def _open_http(self, url: str, app: Any) -> HttpClient:
        http = HttpClient(url, app=app)
        self._http.append(http)
        return http
