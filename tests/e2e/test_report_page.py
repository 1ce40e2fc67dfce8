"""The report in Chromium, from disk: it opens, shows, sounds, and lets nothing out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from couchvoice.audio.wav import read_wav
from couchvoice.scenario.report import write_report
from couchvoice.scenario.talk_record import (
    Check,
    Entry,
    Interruption,
    RawEvent,
    State,
    Step,
    TalkRecord,
    ToolSpan,
    TurnEntry,
    Words,
)
from tests.e2e.chromium import WAIT, chromium_page
from tests.patience import LOOK_AGAIN

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.timeout(60), pytest.mark.row("P7")]

FIXTURES = Path(__file__).parents[2] / "fixtures"
HOSTILE = (
    "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u2028&lt;{style}"
)
SECONDS = 12.0


def a_talk(name: str = "greeting", *, words: str = "Hello.", passed: bool = True) -> TalkRecord:
    entries: list[Entry] = [
        State(0.0, "connecting"),
        State(0.4, "listening"),
        Step(0.5, f"say {words}", "greeting.yaml:3"),
        RawEvent(0.9, "provider", '{"type":"input_audio_buffer.speech_started","item_id":"item_1"}'),
        RawEvent(3.0, "provider", '{"type":"input_audio_buffer.speech_stopped","item_id":"item_1"}'),
        RawEvent(3.1, "provider", words),
        Words(3.2, "user", words),
        ToolSpan(3.3, words, "call_1", "completed", until=3.9, arguments=words, output={"text": words}),
        RawEvent(3.9, "client", '{"type":"response.create","event_id":"event_1"}'),
        Words(5.0, "assistant", words),
        Interruption(6.0, 42.0),
        TurnEntry(7.0, 1, words, words, "completed", True, (words,), {"response_ms": 812.0}),
        Check(8.0, f"says {words}", passed, words, words, "greeting.yaml:4"),
    ]
    sound = read_wav(FIXTURES / "first-talk.wav").samples
    return TalkRecord(
        name,
        "2026-11-29T20:00:00+00:00",
        clock="media",
        speed=None,
        outcome="passed" if passed else "failed",
        entries=entries,
        figures={"response_ms": [812.0], "connect_ms": [100.0, 300.0]},
        said=sound[: int(SECONDS * 48_000)],
        heard=np.roll(sound, 48_000)[: int(SECONDS * 48_000)],
    )


class Opened:
    """Reports in one browser, with nothing asked of anybody but the files themselves."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._path = folder / "report.html"
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    async def show(self, *records: TalkRecord) -> Page:
        write_report(self._path, records)
        await self.page.goto(self._path.as_uri())
        return self.page

    def require_nothing_left(self) -> None:
        assert {url for url in self.asked if not url.startswith("data:")} == {self._path.as_uri()}


@asynccontextmanager
async def browser(tmp_path: Path) -> AsyncIterator[Opened]:
    async with chromium_page() as page:
        opened = Opened(page, tmp_path)
        yield opened
        opened.require_nothing_left()


async def painted(page: Page, lane: str) -> int:
    """How many dots of a lane's canvas are not empty."""
    script = """(lane) => {
        const canvas = document.querySelector(`.lane.${lane} canvas`);
        const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return dots.filter((value, at) => at % 4 === 3 && value > 200).length;
    }"""
    count: int = await page.evaluate(script, lane)
    return count


async def until_true(page: Page, script: str) -> None:
    """playwright's own waiting needs eval, which the page's policy refuses."""
    async with asyncio.timeout(WAIT):
        while not await page.evaluate(script):  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(LOOK_AGAIN)


async def test_both_waveforms_and_all_that_happened_stand_on_one_axis_that_can_be_spread(tmp_path):
    async with browser(tmp_path) as opened:
        page = await opened.show(a_talk(passed=False))
        assert await page.title() == "greeting"
        for lane in ("user", "assistant", "ruler", "ticks"):
            assert await painted(page, lane) > 100, lane
        places = await page.evaluate(
            "[...document.querySelectorAll('.lanes .span:not(.state), .lanes .mark')]"
            # A span begins at its time, a mark has it in its middle.
            ".map((each) => [each.className, parseFloat(getComputedStyle(each).left)"
            " + (each.matches('.mark') ? each.offsetWidth / 2 : 0)])"
        )
        pps = await page.evaluate("shown.timeline.pps")
        found = {kind: round(left / pps, 1) for kind, left in places}
        wanted = {"mark ": 0.5, "mark bad": 8.0, "mark cut": 6.0, "span tool": 3.3, "span wait": 3.0, "span turn": 0.9}
        assert found == wanted
        assert await page.locator(".failures").inner_text() == (
            "1 of 1 expectations failed\n✗ says Hello. 0:08.0 · greeting.yaml:4\nexpected\nHello.\ngot\nHello."
        )
        assert "all times are on the media clock" in await page.locator("#subtitle").inner_text()
        spread = (
            "(() => { const box = document.querySelector('.timeline'); return box.scrollWidth / box.clientWidth; })()"
        )
        assert await page.evaluate(spread) == pytest.approx(1.0, abs=0.01)
        for key in ("+", "+", "End"):
            await page.locator(".timeline").press(key)
        assert await page.evaluate(spread) == pytest.approx(4.0, abs=0.1)
        assert await page.evaluate("document.querySelector('.timeline').scrollLeft") > 0
        assert await painted(page, "user") > 100
        await page.get_by_label("Show all").click()
        assert await page.evaluate(spread) == pytest.approx(1.0, abs=0.01)


async def test_it_plays_and_the_cursor_goes_with_the_sound(tmp_path):
    async with browser(tmp_path) as opened:
        page = await opened.show(a_talk())
        await until_true(page, "shown.sound.player.readyState >= 1")
        assert await page.evaluate("shown.sound.player.duration") == pytest.approx(SECONDS, abs=0.1)
        await page.locator(".play").click()
        await until_true(page, "shown.sound.player.currentTime > 0.2")
        await page.locator(".play").click()
        await until_true(page, "!shown.sound.playing && shown.timeline.at > 0.2")
        at = await page.evaluate("shown.sound.player.currentTime")
        x = await page.evaluate("new DOMMatrix(shown.timeline.cursor.style.transform).e / shown.timeline.pps")
        assert x == pytest.approx(at, abs=0.3)
        await page.get_by_role("button", name="user", exact=True).click()
        levels = await page.evaluate("Object.values(shown.sound.gains).map((each) => each.gain.value)")
        assert levels == [0, 1]  # the user cannot be heard any more, the assistant can


async def test_what_models_say_is_shown_and_never_run(tmp_path):
    async with browser(tmp_path) as opened:
        page = await opened.show(a_talk(HOSTILE, words=HOSTILE, passed=False))
        assert await page.locator(".chat .user button").text_content() == HOSTILE
        assert await page.locator(".failures dd").first.text_content() == HOSTILE
        for row in await page.locator(".events li").all():
            await row.click()
        await page.locator(".span.tool").click()
        assert HOSTILE in str(await page.locator("#detail").text_content())
        assert await page.locator("img").count() == 0
        assert "onerror" in await page.title()  # it stands there, and has not changed it


async def test_an_event_is_chosen_with_the_keyboard_and_read(tmp_path):
    async with browser(tmp_path) as opened:
        page = await opened.show(a_talk())
        assert await page.locator(".events li").count() == 4
        await page.locator(".events").focus()
        for _ in range(4):
            await page.keyboard.press("ArrowDown")
        read = await page.locator("#detail").inner_text()
        assert read == '{\n  "type": "response.create",\n  "event_id": "event_1"\n}'
        assert await page.evaluate("shown.timeline.at") == pytest.approx(3.9)
        await page.get_by_label("Find events").fill("speech_started")
        assert await page.locator(".events li:visible").count() == 1


async def test_it_is_dark_where_the_system_is_and_where_one_asks_and_fits_the_window(tmp_path):
    background = "getComputedStyle(document.body).backgroundColor"
    async with browser(tmp_path) as opened:
        for width in (1280, 400):
            await opened.page.set_viewport_size({"width": width, "height": 900})
            seen: list[tuple[str, bytes]] = []
            for scheme in ("light", "dark"):
                await opened.page.emulate_media(color_scheme=scheme)
                page = await opened.show(a_talk(passed=False))
                assert await page.evaluate("document.documentElement.scrollWidth") == width
                seen.append((await page.evaluate(background), await page.screenshot()))
                await page.locator("#theme").click()
                seen.append((await page.evaluate(background), await page.screenshot()))
            (light, shot), (switched_dark, _), (dark, dark_shot), (switched_light, _) = seen
            assert (light, dark) == (switched_light, switched_dark)
            assert light != dark
            assert shot != dark_shot


async def test_many_runs_get_a_summary_with_percentiles_and_the_first_failure_is_shown(tmp_path):
    slow = a_talk(passed=False)
    slow.figures = {"response_ms": [2000.0, 900.0]}
    async with browser(tmp_path) as opened:
        page = await opened.show(a_talk(), a_talk("farewell"), slow)
        rows = await page.locator("table.runs").first.locator("tbody tr").all()
        assert [(await row.inner_text()).split("\t") for row in rows] == [
            ["greeting", "1 of 2", "100", "300", "900", "2,000"],
            ["farewell", "1 of 1", "100", "300", "812", "812"],
        ]
        chosen = page.locator("tr.shown")
        assert (await chosen.inner_text()).split("\t")[-2:] == ["900", "2,000"]
        assert await page.locator(".failures").count() == 1
        await page.get_by_role("button", name="farewell").click()
        assert (await chosen.inner_text()).split("\t")[-2:] == ["812", "812"]
        assert await page.locator(".failures").count() == 0
