"""A command's question to a backend: the one that was named, else the one of this machine's state folder.

Law: as in cli.py, whatever is heavy is imported inside; a failure leaves as one sentence and an exit status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from couchvoice.apps.command import fail, settings_from
from couchvoice.errors import BackendError, ConfigError, CouchvoiceError

if TYPE_CHECKING:
    from couchvoice.private import Private
    from couchvoice.settings import Settings
    from couchvoice.transports.http import HttpClient

_Answer = TypeVar("_Answer")


class BackendPlace(NamedTuple):
    url: str
    http: HttpClient
    token: Private | None


def ask(
    backend: str | None, question: Callable[[BackendPlace], Awaitable[_Answer]], *, told: Mapping[str, str]
) -> _Answer:
    """The answer, or the end of the command. ``told``: what to say to a user for an error's code."""
    settings = settings_from(backend_url=backend)
    with _failures_told(told):
        return asyncio.run(_answered(settings, question))


async def _answered(settings: Settings, question: Callable[[BackendPlace], Awaitable[_Answer]]) -> _Answer:
    from contextlib import AsyncExitStack

    from couchvoice import embedded
    from couchvoice.transports.http import HttpClient

    async with AsyncExitStack() as stack:
        url, app = settings.backend_url, None
        if url is None:
            url, app = embedded.BACKEND_URL, await stack.enter_async_context(embedded.embedded_backend(settings))
        http = await stack.enter_async_context(HttpClient(url, app=app))
        return await question(BackendPlace(url, http, settings.token))


@contextmanager
def _failures_told(told: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except BackendError as exc:
        if exc.code in told:
            fail(ConfigError(told[exc.code]))
        fail(exc)
    except CouchvoiceError as exc:
        fail(exc)
