"""An engine that did not do what it was asked: a recognizer, a replier or a voice."""

from __future__ import annotations

from couchvoice.errors import CouchvoiceError


class EngineFailed(CouchvoiceError):
    """``engine`` is its program or its URL. The session that asked goes on."""

    code = "engine_failed"

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(engine, detail)
        self.engine = engine
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.engine} failed: {self.detail}"
