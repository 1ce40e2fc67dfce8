// A peer on werift: WebRTC in TypeScript. One line of audio, one data channel, no decisions.

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters } from "werift";

import { PAYLOAD_TYPE } from "./opus.mjs";

const OPUS = new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48_000, channels: 2, payloadType: PAYLOAD_TYPE });

export class Werift {
  #peer = new RTCPeerConnection({ codecs: { audio: [OPUS] }, iceServers: [], bundlePolicy: "max-bundle" });
  #track = new MediaStreamTrack({ kind: "audio" });
  #channel = null;
  #tell;

  constructor(tell) {
    this.#tell = tell;
    this.#peer.connectionStateChange.subscribe(tell.state);
    this.#peer.onDataChannel.subscribe((channel) => this.#adopt(channel));
    this.#peer.onRemoteTransceiverAdded.subscribe((transceiver) => {
      transceiver.sender.replaceTrack(this.#track);
      transceiver.setDirection("sendrecv");
      this.#listen(transceiver);
    });
  }

  async offer({ direction, label, options }) {
    this.#listen(this.#peer.addTransceiver(direction === "recvonly" ? "audio" : this.#track, { direction }));
    this.#adopt(this.#peer.createDataChannel(label, options));
    return this.#described(await this.#peer.createOffer());
  }

  accept(sdp) {
    return this.#peer.setRemoteDescription({ type: "answer", sdp });
  }

  async answer(sdp) {
    await this.#peer.setRemoteDescription({ type: "offer", sdp });
    return this.#described(await this.#peer.createAnswer());
  }

  /** A string goes as text, a Buffer as a binary message. */
  send(message) {
    this.#channel.send(message);
  }

  transmit(packet) {
    this.#track.writeRtp(packet);
  }

  close() {
    return this.#peer.close();
  }

  /** With every candidate in it: there is no trickle. */
  async #described(description) {
    const gathered = new Promise((resolve) => {
      this.#peer.iceGatheringStateChange.subscribe((state) => state === "complete" && resolve());
    });
    await this.#peer.setLocalDescription(description);
    if (this.#peer.iceGatheringState !== "complete") await gathered;
    return this.#peer.localDescription.sdp;
  }

  #listen(transceiver) {
    transceiver.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(this.#tell.packet));
  }

  #adopt(channel) {
    this.#channel = channel;
    channel.onMessage.subscribe(this.#tell.message);
    channel.stateChanged.subscribe((state) => this.#tell.channel(state));
    if (channel.readyState === "open") this.#tell.channel("open");
  }
}
