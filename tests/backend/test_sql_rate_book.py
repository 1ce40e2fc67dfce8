"""Several processes that share a PostgreSQL count together."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_book_whose_connections_the_server_has_closed_opens_others(database_url: str) -> None:
    book, allowance = SqlRateBook(database_url), [Allowance("user", 2)]
    assert await book.spend(allowance, now=1000.0) == 0
    other = create_async_engine(database_url)
    async with other.begin() as connection:
        everybody_else = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        await connection.execute(text(f"{everybody_else} AND datname = current_database()"))
    await other.dispose()
    assert await book.spend(allowance, now=1001.0) == 0
    assert await book.spend(allowance, now=1002.0) == WINDOW - 2
    await book.close()
