"""Who judges besides the rules whether somebody may come to harm: a server with OpenAI's ``/moderations``.

Law: it is asked about the user's words of one turn, without a name, after the turn; what it does not answer in time
is left to the rules.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Protocol

from couchvoice.addresses import require_safe_url
from couchvoice.backend.lookup.source import LookupFailed
from couchvoice.backend.providers.provider import ProviderFailed
from couchvoice.backend.providers.upstream import Upstream
from couchvoice.private import Private

NAME = "classifier"

# OpenAI: "self-harm", "self-harm/intent", "self-harm/instructions", in "categories".
_CATEGORY = "self-harm"


class Classifier(Protocol):
    async def says_crisis(self, text: str) -> bool:
        """Raises LookupFailed."""

    async def close(self) -> None: ...


class ModerationsClassifier:
    """Implements Classifier. ``url``: such as https://api.openai.com/v1. Raises ConfigError."""

    def __init__(
        self, url: str, *, model: str | None = None, key: Private | None = None, upstream: Upstream | None = None
    ) -> None:
        self._url = f"{require_safe_url(url)}/moderations"
        self._about: dict[str, Any] = {} if model is None else {"model": model}
        self._headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
        self._upstream = upstream or Upstream(NAME)

    async def says_crisis(self, text: str) -> bool:
        try:
            reply = await self._upstream.post(self._url, headers=self._headers, json={**self._about, "input": text})
            if reply.status != HTTPStatus.OK:
                raise LookupFailed(NAME)
            (result,) = json.loads(reply.body)["results"]
            return any(
                value is True and str(name).startswith(_CATEGORY) for name, value in result["categories"].items()
            )
        except (ProviderFailed, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise LookupFailed(NAME) from exc

    async def close(self) -> None:
        await self._upstream.close()
