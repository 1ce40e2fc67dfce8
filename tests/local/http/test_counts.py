"""``/metrics``: what Prometheus reads of sessions, secrets and events."""

from __future__ import annotations

import sys

import httpx
import pytest
import websockets
from prometheus_client.parser import text_string_to_metric_families

from tests.local.caller import KEY, calling, minted, served
from tests.local.serving import listening
from tests.local.socket_caller import conversing

METRICS = "http://localhost/metrics"


async def figures(http: httpx.AsyncClient, url: str = METRICS) -> dict[str, float]:
    response = await http.get(url)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return {
        " ".join([sample.name.removeprefix("couchvoice_realtime_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


@pytest.mark.row("O5")
async def test_sessions_are_counted_as_they_come_and_go() -> None:
    async with served(max_sessions=1) as http:
        before = await figures(http)
        assert (before["sessions webrtc"], before["secrets_minted_total"]) == (0, 0)
        async with calling(http):
            refused = await http.post("/calls", content="v=0", headers={"Content-Type": "application/sdp"})
            assert refused.status_code == 503
            during = await figures(http)
    assert during["sessions webrtc"] == 1
    assert during["sessions_opened_total webrtc"] == 1
    assert during["sessions_refused_total session_limit_reached"] == 1
    assert during["secrets_minted_total"] == 1
    assert during["uptime_seconds"] > before["uptime_seconds"] > 0


@pytest.mark.row("O6")
async def test_events_over_websocket_are_counted_both_ways() -> None:
    async with listening() as place, httpx.AsyncClient() as http:
        async with conversing(place) as caller:
            await caller.send("session.update", session={"type": "realtime"})
            await caller.wait_for("session.updated")
            during = await figures(http, f"http://{place}/metrics")
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://{place}/v1/realtime")
        after = await figures(http, f"http://{place}/metrics")
    assert (during["sessions websocket"], during["sessions_opened_total websocket"]) == (1, 1)
    assert during["websocket_messages_total in"] == 1
    assert during["websocket_messages_total out"] == len(caller.events)
    assert after["sessions_refused_total invalid_api_key"] == 1


async def test_two_servers_in_one_process_count_apart() -> None:
    async with served() as one, served() as other:
        await minted(one)
        assert (await figures(one))["secrets_minted_total"] == 1
        assert (await figures(other))["secrets_minted_total"] == 0


async def test_no_label_is_what_a_client_sent() -> None:
    async with served() as http:
        await http.post("/calls?faults=canary", content="canary", headers={"Content-Type": "canary"})
        await http.post("/client_secrets", json={"session": {"canary": 1}})
        text = (await http.get(METRICS)).text
    assert "canary" not in text
    assert KEY not in text


async def test_without_its_package_the_metrics_say_so_and_the_rest_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    async with served() as http:
        await minted(http)
        refused = await http.get(METRICS)
    assert refused.status_code == 501
    assert refused.json()["error"]["message"] == '/metrics needs prometheus-client: pip install "couchvoice[local]"'
