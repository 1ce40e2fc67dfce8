"""Consent against an end that answers as OpenAI's ICE-lite ends are reported to; the clock of consent is shortened."""

import aioice.ice
import aioice.stun
import pytest

from tests.local import caller as callers
from tests.local.caller import Caller, minted, served
from tests.patience import until

CONSENT_INTERVAL = 0.1  # seconds instead of 5
RESPONSE_TIMEOUT = 0.05  # seconds instead of 0.5
WAIT = 15.0  # seconds


async def called(http) -> Caller:
    caller = Caller()
    response = await caller.call(http, await minted(http))
    await caller.accept(response.text)
    await caller.wait_for("session.created")
    return caller


@pytest.mark.timeout(60)
@pytest.mark.row("P1")
async def test_our_call_outlives_consent_that_a_stock_call_loses(monkeypatch):
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", CONSENT_INTERVAL)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", RESPONSE_TIMEOUT)
    async with served(strict_lite=True) as http:
        ours = await called(http)
        with monkeypatch.context() as stock_aiortc:
            stock_aiortc.setattr(callers, "prepare_to_gather", lambda peer: None)
            stock = await called(http)
        try:
            await until(stock.closed.is_set, within=WAIT)
            assert ours.peer.connectionState == "connected"
            # Sound both ways, still: what is said is heard, and answered aloud.
            ours.say(callers.known("first-talk")[0])
            await ours.wait_for("conversation.item.input_audio_transcription.completed")
            await until(lambda: ours.loud_ms > 0, within=WAIT)
        finally:
            await ours.close()
            await stock.close()
