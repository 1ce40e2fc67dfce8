"""Secrets live as long as they were given, and keys are told from secrets."""

from __future__ import annotations

import pytest

from couchvoice.errors import ConfigError
from couchvoice.local.faults.faults import Faults
from couchvoice.local.http.secret_book import MAX_LIVE, BookFull, SecretBook

NOW = 1_000_000.0


@pytest.mark.row("C3")
def test_a_secret_opens_many_sessions_until_it_expires() -> None:
    book = SecretBook()
    secret = book.mint({"model": "m"}, now=NOW, lifetime=60)
    assert secret.value.startswith("ek_")
    for seconds in (0, 30, 59.9):
        assert book.find(secret.value, now=NOW + seconds) == secret
    assert book.find(secret.value, now=NOW + 60) is None
    assert book.find(secret.value, now=NOW) is None


@pytest.mark.row("C3")
def test_no_two_secrets_are_the_same() -> None:
    book = SecretBook()
    assert len({book.mint({}, now=NOW).value for _ in range(100)}) == 100


@pytest.mark.row("C3")
def test_a_secret_for_one_session_is_known_until_it_expires_but_opens_no_other() -> None:
    book = SecretBook(single_use=True)
    secret = book.mint({}, now=NOW, lifetime=60)
    assert [book.spend(secret) for _ in range(3)] == [True, False, False]
    assert book.find(secret.value, now=NOW + 59) == secret
    assert book.find(secret.value, now=NOW + 60) is None
    many = SecretBook()
    assert [many.spend(many.mint({}, now=NOW)) for _ in range(3)] == [True] * 3


@pytest.mark.row("O7")
def test_a_secret_keeps_the_faults_that_it_was_minted_with() -> None:
    book = SecretBook()
    faults = Faults(no_deltas=True)
    value = book.mint({}, now=NOW, faults=faults).value
    found = book.find(value, now=NOW)
    assert found is not None
    assert found.faults == faults


def test_a_full_book_says_how_long_it_stays_full() -> None:
    book = SecretBook()
    book.mint({}, now=NOW, lifetime=30)
    for _ in range(MAX_LIVE - 1):
        book.mint({}, now=NOW)
    with pytest.raises(BookFull) as full:
        book.mint({}, now=NOW + 10)
    assert full.value.seconds == 20
    book.mint({}, now=NOW + 30)


def test_any_key_will_do_that_is_no_secret() -> None:
    book = SecretBook()
    assert [book.is_key(bearer) for bearer in ("sk-1", "x", "", "ek_1")] == [True, True, False, False]


def test_the_one_key_is_the_only_one() -> None:
    book = SecretBook("sk-ü")
    assert [book.is_key(bearer) for bearer in ("sk-ü", "sk-u", "", "ek_1")] == [True, False, False, False]


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_an_empty_key_is_a_mistake_and_never_lets_anybody_in(key: str) -> None:
    with pytest.raises(ConfigError, match="the API key is empty"):
        SecretBook(key)


@pytest.mark.row("C3")
def test_a_secret_that_was_given_back_opens_one_session() -> None:
    book = SecretBook(single_use=True)
    secret = book.mint({}, now=NOW)
    assert book.spend(secret)
    book.give_back(secret)
    assert [book.spend(secret) for _ in range(2)] == [True, False]
