"""What a local server counts, and how Prometheus reads it.

Not a registry: nothing here is global, and counting needs no package. Law: a label is a word of our own, never one
that a client sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from couchvoice.local.http.refusals import Refused
from couchvoice.local.missing import MissingPart
from couchvoice.local.protocol.bad_event import BadEvent

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"

_PREFIX = "couchvoice_realtime_"


class Counts:
    """Since the server started."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()  # sessions, by transport
        self.refused: Counter[str] = Counter()  # sessions that did not come about, by the code of the error
        self.messages: Counter[str] = Counter()  # over WebSocket, in and out
        self.minted = 0

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Around whatever opens a session."""
        try:
            yield
        except (Refused, BadEvent) as exc:
            self.refused[exc.code] += 1
            raise


class MessageCounter:
    """ASGI middleware: counts the messages of all WebSockets."""

    def __init__(self, app: ASGIApp, *, counts: Counts) -> None:
        self._app = app
        self._messages = counts.messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return

        async def counted_receive() -> Message:
            message = await receive()
            self._messages["in"] += message["type"] == "websocket.receive"
            return message

        async def counted_send(message: Message) -> None:
            self._messages["out"] += message["type"] == "websocket.send"
            await send(message)

        await self._app(scope, counted_receive, counted_send)


def exposition(counts: Counts, *, live: Mapping[str, int], uptime: float) -> bytes:
    """All figures as text for Prometheus. ``uptime`` in seconds. Raises MissingPart."""
    try:
        from prometheus_client.exposition import generate_latest
        from prometheus_client.registry import CollectorRegistry
    except ImportError as exc:
        raise MissingPart("prometheus-client", "/metrics") from exc

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(counts, live, uptime))
    return generate_latest(registry)


class _Figures:
    """A collector, as the registry asks for one."""

    def __init__(self, counts: Counts, live: Mapping[str, int], uptime: float) -> None:
        self._counts = counts
        self._live = live
        self._uptime = uptime

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        live = GaugeMetricFamily(f"{_PREFIX}sessions", "Sessions that are open.", labels=["transport"])
        for transport, number in self._live.items():
            live.add_metric([transport], number)
        yield live
        for name, text, label, numbers in (
            ("sessions_opened", "Sessions that came about.", "transport", self._counts.opened),
            ("sessions_refused", "Sessions that were refused, by error code.", "reason", self._counts.refused),
            ("websocket_messages", "Events over WebSocket.", "direction", self._counts.messages),
        ):
            family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
            for value, number in sorted(numbers.items()):
                family.add_metric([value], number)
            yield family
        yield CounterMetricFamily(f"{_PREFIX}secrets_minted", "Client secrets that were made.", self._counts.minted)
        yield GaugeMetricFamily(f"{_PREFIX}uptime_seconds", "Since the server started.", self._uptime)
