"""``couchvoice serve realtime --replay``: a cassette that answers clients of other processes."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest
import websockets

from couchvoice.client.endpoints import Endpoints
from couchvoice.embedded import embedded_ends
from couchvoice.scenario import media_clock
from couchvoice.scenario.recording import cassette_of
from couchvoice.scenario.talk_record import TurnEntry
from couchvoice.settings import load_settings
from tests.apps.command import ready, run, started
from tests.scenario.held import ANSWER, QUESTION, hold_talk, hold_talk_at

pytestmark = [pytest.mark.row("P6"), pytest.mark.timeout(60)]


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "greeting.cassette"
    cassette_of(media_clock.run(hold_talk(QUESTION))).save(path)
    return path


async def test_a_client_of_another_process_holds_the_talk_again_over_webrtc_and_a_websocket_is_refused(cassette):
    async with started("serve", "realtime", "--port", "0", "--replay", str(cassette)) as server:
        url = f"{await ready(server)}/v1"
        async with embedded_ends(load_settings({"realtime_url": url})) as ends:
            record = await hold_talk_at(Endpoints(**{**ends._asdict(), "realtime_url": url}), QUESTION)
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(url.replace("http", "ws", 1) + "/realtime", additional_headers={"api-key": "any"})
    assert record.outcome == "passed", record.error
    (turn,) = record.of(TurnEntry)
    assert (turn.user_text, turn.assistant_text.startswith(ANSWER)) == (QUESTION, True)
    assert caught.value.response.status_code == HTTPStatus.NOT_IMPLEMENTED
    assert b"played over WebRTC only" in caught.value.response.body


async def test_a_file_that_is_no_cassette_is_named(tmp_path: Path):
    path = tmp_path / "broken.cassette"
    path.write_bytes(b"no zip")
    ended = await run("serve", "realtime", "--port", "0", "--replay", str(path))
    assert ended.status == 2
    assert "broken.cassette: it is none, or it is damaged; record it again" in " ".join(ended.stderr.split())
