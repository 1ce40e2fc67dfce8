"""Several processes that share a PostgreSQL count together."""

from __future__ import annotations

import asyncio

import pytest

from couchvoice.backend.rate_book import WINDOW, Allowance
from couchvoice.backend.sql_rate_book import SqlRateBook


@pytest.mark.row("C5")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_processes_never_spend_more_than_there_is(database_url: str) -> None:
    books = [SqlRateBook(database_url) for _ in range(2)]
    both = [Allowance("user", 7), Allowance("address", 100)]
    waits = await asyncio.gather(*(book.spend(both, now=1000.0) for book in books for _ in range(10)))
    assert sorted(waits) == [0.0] * 7 + [WINDOW] * 13
    assert await books[0].spend([Allowance("another", 1)], now=1000.0) == 0
    assert await books[1].spend([Allowance("another", 1)], now=1010.0) == WINDOW - 10
    assert await books[1].spend(both, now=1000.0 + WINDOW) == 0
    for book in books:
        await book.close()
