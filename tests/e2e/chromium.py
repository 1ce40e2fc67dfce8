"""Chromium without a window, with a WAV for a microphone if a page needs one.

Law: a fresh profile each time, Debian's browser and no download; a page that complains on its console fails the test.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.requirements import require

if TYPE_CHECKING:
    from playwright.async_api import Page

WAIT = 10.0  # seconds, for an utterance and its answer

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


@asynccontextmanager
async def chromium_page(microphone: Path | None = None, **context: Any) -> AsyncIterator[Page]:
    """An empty page in a fresh profile; the WAV is spoken once, from the moment that a page listens.

    ``context`` is for playwright, as in ``color_scheme="dark"``.
    """
    program = shutil.which("chromium")
    require(program is not None, "no Chromium: apt-get install chromium")
    require(find_spec("playwright") is not None, "no playwright: it is in the test extra")
    from playwright.async_api import async_playwright

    failures: list[str] = []
    flags = [*_FLAGS, *([f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        page = await browser.new_page(**context)
        page.set_default_timeout(WAIT * 1000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        try:
            yield page
        except Exception as exc:
            exc.add_note(f"the page said: {failures}")
            raise
        await browser.close()
    assert not failures, failures
