"""Chromium: NetEQ in a headless browser, which gets the packets of several traces at once over loopback, in real time.

aiortc makes the connection and encrypts; each packet leaves when its trace has it arrive. A page takes the decoded
sound from the tracks, with the times at which it came out. Law: what the browser is sent is the trace, and how late a
packet left is told beside the figures.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from couchvoice.transports.peer import new_peer_connection, prepare_to_gather
from tests.bench.heard import AFTER, Heard
from tests.bench.speech import FRAME, RATE
from tests.bench.trace import Trace

if TYPE_CHECKING:
    from playwright.async_api import Page

Key = TypeVar("Key")

PROGRAM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
AT_ONCE = 9  # traces in one page: two cores carry them without falling behind
CONNECT_TIMEOUT = 15.0  # seconds
SOON = 0.2  # seconds from the connection to the first packet
PRIORITY = -15  # niceness
OPUS = 96  # aiortc's payload type

PAGE = """
const heard = {};
async function answer(offer) {
  globalThis.peer = new RTCPeerConnection();
  peer.ontrack = ({ transceiver, track }) => listen(transceiver.mid, track);
  await peer.setRemoteDescription({ type: 'offer', sdp: offer });
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== 'complete') await new Promise(done => setTimeout(done, 10));
  return peer.localDescription.sdp;
}
async function listen(mid, track) {
  const mine = heard[mid] = { blocks: [], times: [] };
  // A track that nobody plays is not pulled.
  const speaker = new Audio();
  speaker.srcObject = new MediaStream([track]);
  await speaker.play();
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    mine.times.push(performance.timeOrigin + performance.now());
    mine.rate = value.sampleRate;
    const block = new Float32Array(value.numberOfFrames);
    value.copyTo(block, { planeIndex: 0, format: 'f32-planar' });
    mine.blocks.push(block);
    value.close();
  }
}
async function count() {
  for (const stats of (await peer.getStats()).values())
    if (stats.type === 'inbound-rtp') heard[stats.mid].stats = stats;
}
async function told(mid) {
  const { blocks, times, rate, stats } = heard[mid];
  const bytes = new Uint8Array(await new Blob(blocks).arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return JSON.stringify({ pcm: btoa(text), sizes: blocks.map(block => block.length), times, rate, stats });
}
"""


@dataclass(frozen=True, slots=True)
class _Datagram:
    at: float
    bytes: bytes


async def receive(traces: Mapping[Key, Trace]) -> dict[Key, Heard]:
    """What a browser makes of each; AT_ONCE of them in one page at a time.

    This process and the browser go before all others from here on, where that is allowed: on a busy machine the
    packets would come late, and NetEQ would learn to wait for them.
    """
    from playwright.async_api import async_playwright

    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    heard: dict[Key, Heard] = {}
    keys = list(traces)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        for first in range(0, len(keys), AT_ONCE):
            page = await browser.new_page()
            await page.goto("about:blank")
            await page.add_script_tag(content=PAGE)
            heard |= await _call(page, {key: traces[key] for key in keys[first : first + AT_ONCE]})
            await page.close()
            print(f"Chromium has heard {len(heard)} of {len(keys)}", file=sys.stderr)
        await browser.close()
    return heard


async def _call(page: Page, traces: Mapping[Key, Trace]) -> dict[Key, Heard]:
    peer = new_peer_connection()
    try:
        for _ in traces:
            peer.addTransceiver("audio", direction="sendonly")
        await _connect(peer, page)
        began, late = await _send(peer, list(traces.values()))
        # At once: what is concealed from now on is that nobody sends.
        await page.evaluate("count()")
        await asyncio.sleep(AFTER)
        heard = {}
        for key, transceiver in zip(traces, peer.getTransceivers(), strict=True):
            told = json.loads(await page.evaluate(f"told('{transceiver.mid}')"))
            heard[key] = _heard(told, began, late)
    finally:
        await peer.close()
    return heard


async def _connect(peer: RTCPeerConnection, page: Page) -> None:
    connected = asyncio.Event()
    peer.on("connectionstatechange", lambda: connected.set() if peer.connectionState == "connected" else None)
    prepare_to_gather(peer)
    await peer.setLocalDescription(await peer.createOffer())
    answer = await page.evaluate("answer", peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(CONNECT_TIMEOUT):
        await connected.wait()


async def _send(peer: RTCPeerConnection, traces: list[Trace]) -> tuple[float, float]:
    """The time of the traces' beginning, by time.time(), and by how many seconds one packet in a hundred left late."""
    transport: Any = peer.getTransceivers()[0].sender.transport
    datagrams = [
        datagram
        for trace, transceiver in zip(traces, peer.getTransceivers(), strict=True)
        for datagram in _encrypted(trace, transceiver.sender._ssrc, transport._tx_srtp)
    ]
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    began, late = time.time() + SOON, []
    for datagram in sorted(datagrams, key=lambda each: each.at):
        if (early := began + datagram.at - time.time()) > 0:
            await asyncio.sleep(early)
        await transport.transport._send(datagram.bytes)
        late.append(time.time() - began - datagram.at)
    return began, float(np.percentile(late, 99))


def _encrypted(trace: Trace, ssrc: int, session: Any) -> list[_Datagram]:
    """In the order of sending, which is the one that SRTP knows; a copy is the same datagram again."""
    datagrams = {}
    for packet in trace.packets:
        rtp = RtpPacket(
            payload_type=OPUS,
            sequence_number=packet.sequence,
            timestamp=packet.timestamp,
            ssrc=ssrc,
            payload=packet.payload,
        )
        datagrams[packet.number] = session.protect(rtp.serialize())
    return [_Datagram(at, datagrams[packet.number]) for at, packet in trace.arrivals]


def _heard(told: dict[str, Any], began: float, late: float) -> Heard:
    assert told["rate"] == RATE, f"the track runs at {told['rate']} Hz"
    floats = np.frombuffer(base64.b64decode(told["pcm"]), np.float32)
    samples = np.clip(np.rint(floats * 32767), -32768, 32767).astype(np.int16)
    # A block is complete when its last sample has been pulled; the browser pulls several at once now and then, and
    # plays them one after the other: the median of what all of them say is when the first one was heard.
    starts = np.cumsum([0, *told["sizes"]])[:-1] / RATE
    first = float(np.median(np.array(told["times"]) / 1000 - starts)) - began
    stats = told["stats"]
    details = {
        "concealed_ms": 1000 * stats["concealedSamples"] / RATE,
        "silent_ms": 1000 * stats["silentConcealedSamples"] / RATE,
        "buffer_ms": 1000 * stats["jitterBufferDelay"] / max(1, stats["jitterBufferEmittedCount"]),
        "sent_late_ms": 1000 * late,
    }
    return Heard(samples, first, stats["concealedSamples"] / FRAME, details)
