"""A screen that keeps what it is shown, for a talk in the test's own process."""

from __future__ import annotations

from couchvoice.apps.tally import Summary
from couchvoice.core.notices import Notice
from couchvoice.errors import CouchvoiceError


class KeptScreen:
    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.hints: list[str] = []
        self.errors: list[CouchvoiceError] = []
        self.summaries: list[Summary] = []

    def show(self, notice: Notice) -> None:
        self.notices.append(notice)

    def show_hint(self, text: str) -> None:
        self.hints.append(text)

    def show_error(self, error: CouchvoiceError) -> None:
        self.errors.append(error)

    def show_summary(self, summary: Summary) -> None:
        self.summaries.append(summary)
