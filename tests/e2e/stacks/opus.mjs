// Opus over RTP (RFC 7587) for both stacks; libdatachannel takes whole packets, and werift has a class for them.
// Nothing is encoded or decoded here.

import { setTimeout as sleep } from "node:timers/promises";

import { RtpHeader, RtpPacket } from "werift";

export const PAYLOAD_TYPE = 111; // of our own offers; in an answer the far end's offer decides
export const SSRC = 4_242;
const PACKET_MS = 20;
const TICKS_PER_MS = 48;

/** Says Opus packets in real time. Between two utterances there is no RTP at all. */
export class Voice {
  #transmit;
  #sequence = 65_530; // wraps within the first word
  #origin = performance.now();

  constructor(transmit) {
    this.#transmit = transmit;
  }

  async say(payloads) {
    const begin = performance.now();
    let timestamp = Math.round((begin - this.#origin) * TICKS_PER_MS);
    for (const [index, payload] of payloads.entries()) {
      // A timer is late as often as not: the clock says when the next packet is due.
      await sleep(begin + index * PACKET_MS - performance.now());
      this.#transmit(this.#packet(payload, timestamp, index === 0));
      timestamp += PACKET_MS * TICKS_PER_MS;
    }
  }

  #packet(payload, timestamp, marker) {
    const sequenceNumber = this.#sequence;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return new RtpPacket(new RtpHeader({ version: 2, payloadType: PAYLOAD_TYPE, sequenceNumber, timestamp, ssrc: SSRC, marker }), payload);
  }
}
