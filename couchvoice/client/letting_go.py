"""Letting go of what may not want to: a device, a transport.

Law: bounded, and it never raises: what hangs or fails is said in the log, and the others are released all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("couchvoice.client")

RELEASE_TIMEOUT = 1.0  # seconds


async def let_go(closing: Coroutine[Any, Any, None], what: str) -> None:
    try:
        async with asyncio.timeout(RELEASE_TIMEOUT):
            await closing
    except TimeoutError:
        log.warning("x %s did not let go within %g s", what, RELEASE_TIMEOUT)
    except Exception:
        # One item of several: the others must be released all the same.
        log.exception("x %s did not let go", what)
