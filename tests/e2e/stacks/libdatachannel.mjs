// A peer on libdatachannel: WebRTC in C++, on libjuice and usrsctp. One line of audio, one data channel, no decisions.

import { Audio, PeerConnection } from "node-datachannel";
import { RtpPacket } from "werift";

import { PAYLOAD_TYPE, SSRC } from "./opus.mjs";

const DIRECTIONS = { sendrecv: "SendRecv", recvonly: "RecvOnly" };
const isRtcp = (datagram) => datagram[1] >= 192 && datagram[1] <= 223; // RFC 5761 §4

export class LibDataChannel {
  #peer = new PeerConnection("peer", { iceServers: [], disableAutoNegotiation: true });
  #payloadType = PAYLOAD_TYPE;
  #track = null;
  #channel = null;
  #tell;

  constructor(tell) {
    this.#tell = tell;
    this.#peer.onStateChange(tell.state);
    this.#peer.onDataChannel((channel) => this.#adopt(channel));
  }

  offer({ direction, label, options }) {
    this.#addLine("audio", DIRECTIONS[direction]);
    this.#adopt(this.#peer.createDataChannel(label, options));
    return this.#described("offer");
  }

  accept(sdp) {
    this.#peer.setRemoteDescription(sdp, "answer");
  }

  answer(sdp) {
    this.#payloadType = Number(sdp.match(/a=rtpmap:(\d+) opus/i)[1]);
    this.#addLine(sdp.match(/m=audio[^]*?a=mid:(\S+)/)[1], DIRECTIONS.sendrecv);
    this.#peer.setRemoteDescription(sdp, "offer");
    return this.#described("answer");
  }

  /** A string goes as text, a Buffer as a binary message. */
  send(message) {
    if (typeof message === "string") this.#channel.sendMessage(message);
    else this.#channel.sendMessageBinary(message);
  }

  transmit(packet) {
    packet.header.payloadType = this.#payloadType;
    this.#track.sendMessageBinary(packet.serialize());
  }

  close() {
    this.#peer.close();
  }

  /** With every candidate in it: there is no trickle. */
  async #described(type) {
    const gathered = new Promise((resolve) => {
      this.#peer.onGatheringStateChange((state) => state === "complete" && resolve());
    });
    this.#peer.setLocalDescription(type);
    await gathered;
    return this.#peer.localDescription().sdp;
  }

  #addLine(mid, direction) {
    const audio = new Audio(mid, direction);
    audio.addOpusCodec(this.#payloadType);
    audio.addSSRC(SSRC, "peer", "stream", "track");
    this.#track = this.#peer.addTrack(audio);
    this.#track.onMessage((datagram) => isRtcp(datagram) || this.#tell.packet(RtpPacket.deSerialize(datagram)));
  }

  #adopt(channel) {
    this.#channel = channel;
    channel.onMessage(this.#tell.message);
    channel.onClosed(() => this.#tell.channel("closed"));
    if (channel.isOpen()) this.#tell.channel("open");
    else channel.onOpen(() => this.#tell.channel("open"));
  }
}
