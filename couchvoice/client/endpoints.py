"""Where the two ends are: the backend and the provider.

Law: an address that the user gave wins over one that the backend gave; a key in the environment selects nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couchvoice.addresses import require_safe_url
from couchvoice.contract import SessionReply
from couchvoice.errors import ConfigError
from couchvoice.private import Private
from couchvoice.settings import REALTIME_BASE_URLS

if TYPE_CHECKING:
    from couchvoice.transports.network import Network

CALLS_PATH = "/realtime/calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """``realtime_url`` is the base of the provider, as in ``https://api.openai.com/v1``.

    ``backend_app`` and ``realtime_app`` are ASGI applications that answer in this process, in place of a port.
    ``network`` lies between this peer and the provider's, such as a ``couchvoice.scenario.forwarder.Forwarder``.
    """

    backend_url: str
    realtime_url: str | None = None
    provider: str | None = None
    token: Private | None = None
    backend_app: Any = None
    realtime_app: Any = None
    network: Network | None = None

    def calls_url(self, reply: SessionReply) -> str:
        """Where the offer goes. Raises ConfigError when nobody said."""
        if self.realtime_url:
            return require_safe_url(self.realtime_url) + CALLS_PATH
        if reply.calls_url:
            return require_safe_url(reply.calls_url)
        base = REALTIME_BASE_URLS.get(self.provider or reply.provider or "")
        if base is None:
            raise ConfigError("the backend did not say where the provider is: give --realtime-url or --provider")
        return base + CALLS_PATH
