"""How much one may ask for within a minute, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.backend.guard import Caller
from couchvoice.backend.guards import Guards
from couchvoice.backend.limits import USERS_AT_AN_ADDRESS, Limits
from couchvoice.backend.rate_book import WINDOW, Allowance, MemoryRateBook, turn_page
from couchvoice.backend.refusals import Refused
from couchvoice.contract import RESULT_PATH
from tests.backend.ends import BackendEnd, error_code, running_backend

SESSIONS = 10
TOOL_CALLS = 60


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def limited(tmp_path: Path, clock: Clock) -> AsyncIterator[BackendEnd]:
    limits = Limits(sessions=SESSIONS, tool_calls=TOOL_CALLS, clock=clock)
    async with running_backend(tmp_path / "state", guards=Guards(limits=limits)) as end:
        yield end


@pytest.mark.row("C5")
async def test_a_user_opens_ten_sessions_a_minute_and_is_told_when_the_next_one_may_come(
    limited: BackendEnd, clock: Clock
) -> None:
    for _ in range(SESSIONS):
        assert (await limited.session(user_id="ada")).status_code == 200
        clock.now += 1
    refused = await limited.session("another thread", user_id="ada")
    assert (refused.status_code, error_code(refused)) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "50"
    assert len(limited.provider.requests) == SESSIONS
    assert (await limited.session(user_id="bob")).status_code == 200
    clock.now += 49.5
    assert (await limited.session(user_id="ada")).headers["Retry-After"] == "1"
    clock.now += 0.5
    assert (await limited.session(user_id="ada")).status_code == 200
    assert (await limited.session(user_id="ada")).status_code == 429


@pytest.mark.row("C5")
async def test_a_user_calls_sixty_tools_a_minute(limited: BackendEnd, clock: Clock) -> None:
    for _ in range(TOOL_CALLS):
        assert (await limited.tool("wait_for_user", user_id="ada")).status_code == 200
    refused = await limited.tool("wait_for_user", "another thread", user_id="ada")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert (await limited.session(user_id="ada")).status_code == 200
    clock.now += WINDOW
    assert (await limited.tool("wait_for_user", user_id="ada")).status_code == 200


@pytest.mark.row("C5")
async def test_a_user_asks_for_sixty_results_a_minute_besides(limited: BackendEnd, clock: Clock) -> None:
    async def ask() -> httpx.Response:
        return await limited.post(RESULT_PATH, {"thread_id": "t1", "user_id": "ada", "task_id": "task_none"})

    assert [(await ask()).status_code for _ in range(TOOL_CALLS)] == [404] * TOOL_CALLS
    refused = await ask()
    assert (refused.status_code, error_code(refused), refused.headers["Retry-After"]) == (429, "rate_limited", "60")
    assert (await limited.tool("wait_for_user", user_id="ada")).status_code == 200
    clock.now += WINDOW
    assert (await ask()).status_code == 404


async def test_a_talk_without_a_user_is_counted_by_its_thread(limited: BackendEnd) -> None:
    assert [(await limited.session("t1")).status_code for _ in range(SESSIONS + 1)] == [200] * SESSIONS + [429]
    assert (await limited.session("t2")).status_code == 200


async def outcomes(limits: Limits, address: str, users: list[str]) -> list[bool]:
    """Which of these sessions, one for each user, were refused."""
    refused = []
    for user in users:
        try:
            await limits.spend_session(Caller(user, address), user)
            refused.append(False)
        except Refused:
            refused.append(True)
    return refused


@pytest.mark.row("C5")
async def test_an_address_has_the_numbers_of_some_users_and_no_more(clock: Clock) -> None:
    limits = Limits(sessions=1, clock=clock)
    crowd = [f"user {number}" for number in range(USERS_AT_AN_ADDRESS + 1)]
    assert await outcomes(limits, "203.0.113.5", crowd) == [False] * USERS_AT_AN_ADDRESS + [True]
    assert await outcomes(limits, "203.0.113.6", ["somebody"]) == [False]
    # Who was refused for the address has not spent anything, and can go on from elsewhere.
    assert await outcomes(limits, "203.0.113.6", crowd[-1:]) == [False]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "unknown"])
async def test_a_proxy_on_this_machine_is_no_crowd(clock: Clock, address: str) -> None:
    limits = Limits(sessions=1, clock=clock)
    crowd = [f"user {number}" for number in range(USERS_AT_AN_ADDRESS * 2)]
    assert await outcomes(limits, address, crowd) == [False] * len(crowd)


async def test_the_book_forgets_whoever_was_here_longest_ago() -> None:
    book = MemoryRateBook(limit=2)
    for key in ("a", "b", "a", "c"):
        assert await book.spend([Allowance(key, 2)], now=0) == 0
    assert await book.spend([Allowance("a", 2)], now=0) == WINDOW
    assert await book.spend([Allowance("b", 1)], now=0) == 0


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 5))
def test_no_minute_ever_holds_more_than_the_number(steps: list[float], number: int) -> None:
    now, page, taken = 0.0, [], []
    for step in steps:
        now += step
        wait, pages = turn_page([Allowance("k", number)], {"k": page}, now=now)
        page = pages["k"]
        if wait == 0:
            taken.append(now)
        else:
            assert turn_page([Allowance("k", number)], {"k": page}, now=now + wait + 1e-6)[0] == 0
    for end in taken:
        assert sum(0 <= end - at < WINDOW for at in taken) <= number


def test_a_clock_that_was_set_back_shuts_nobody_out_for_long() -> None:
    wait, _ = turn_page([Allowance("k", 1)], {"k": [5000.0]}, now=1000.0)
    assert wait == WINDOW
