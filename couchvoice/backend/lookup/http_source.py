"""A source at a URL that the settings name: it is posted ``{"query"}`` and answers ``{"results": […]}``.

Law: what leaves is the query alone, to an address that the settings name; a row that does not have what its kind must
have is left out, and an answer that is no answer is a failure, never an empty result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from couchvoice.addresses import require_safe_url
from couchvoice.backend.lookup.source import LookupFailed
from couchvoice.backend.providers.provider import ProviderFailed
from couchvoice.backend.providers.upstream import Upstream
from couchvoice.private import Private

MAX_ROWS = 5  # nobody listens to more

Row = TypeVar("Row")

_log = logging.getLogger("couchvoice.backend.lookup")


class HttpSource(Generic[Row]):
    """Implements Source. Raises ConfigError for a URL that may not be asked."""

    def __init__(
        self, name: str, url: str, row: type[Row], *, key: Private | None = None, upstream: Upstream | None = None
    ) -> None:
        self.name = name
        self._url = require_safe_url(url)
        self._rows: TypeAdapter[Row] = TypeAdapter(row)
        self._headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
        self._upstream = upstream or Upstream(name)

    async def find(self, query: str) -> Sequence[Row]:
        try:
            reply = await self._upstream.post(self._url, headers=self._headers, json={"query": query})
        except ProviderFailed as exc:
            raise LookupFailed(self.name) from exc
        if reply.status != HTTPStatus.OK:
            _log.warning("x %s answered %d", self.name, reply.status)
            raise LookupFailed(self.name)
        return self._read(reply.body)

    async def close(self) -> None:
        await self._upstream.close()

    def _read(self, body: bytes) -> list[Row]:
        try:
            results = json.loads(body)["results"]
            if not isinstance(results, list):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            _log.warning("x %s gave no results in JSON", self.name)
            raise LookupFailed(self.name) from exc
        rows = [row for result in results if (row := self._row(result)) is not None]
        if len(rows) < len(results):
            _log.warning("x %s: %d of its %d results lack something", self.name, len(results) - len(rows), len(results))
        return rows[:MAX_ROWS]

    def _row(self, result: Any) -> Row | None:
        try:
            return self._rows.validate_python(result)
        except ValidationError:
            return None
