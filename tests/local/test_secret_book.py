"""Secrets live as long as they were given, and keys are told from secrets."""

from __future__ import annotations

import pytest

from couchvoice.local.secret_book import SecretBook

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


def test_any_key_will_do_that_is_no_secret() -> None:
    book = SecretBook()
    assert [book.is_key(bearer) for bearer in ("sk-1", "x", "", "ek_1")] == [True, True, False, False]


def test_the_one_key_is_the_only_one() -> None:
    book = SecretBook("sk-ü")
    assert [book.is_key(bearer) for bearer in ("sk-ü", "sk-u", "", "ek_1")] == [True, False, False, False]
