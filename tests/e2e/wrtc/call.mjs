// One call: a libwebrtc peer that answers an offer, speaks, listens, and tells a script what the client does.

import wrtc from "@roamhq/wrtc";

import { Script } from "./script.mjs";
import { Hearing, Voice } from "./sound.mjs";

const GATHER_TIMEOUT = 5_000; // ms

export class Call {
  #peer = new wrtc.RTCPeerConnection({ iceServers: [] });
  #log;
  #script;
  #hearing = null;
  #created = 0; // items that the client created without an id
  voice = new Voice();
  channel = null;
  closed = false;

  constructor(id, reactions, log) {
    this.id = id;
    this.#log = (what, facts) => log(what, { call: id, ...facts });
    this.#script = new Script(reactions, this);
    this.#peer.onconnectionstatechange = () => {
      this.#log("connection", { state: this.#peer.connectionState });
      if (["failed", "closed"].includes(this.#peer.connectionState)) this.close("connection");
    };
    this.#peer.ontrack = ({ track }) => {
      this.#log("track", { kind: track.kind });
      this.#listen(track);
    };
    this.#peer.ondatachannel = ({ channel }) => this.#adopt(channel);
  }

  /** The answer to an offer, with every candidate in it: there is no trickle. */
  async answer(offer) {
    await this.#peer.setRemoteDescription({ type: "offer", sdp: offer });
    this.#peer.addTrack(this.voice.track);
    await this.#peer.setLocalDescription(await this.#peer.createAnswer());
    await this.#gathered();
    return this.#peer.localDescription.sdp;
  }

  send(event) {
    const text = JSON.stringify(event);
    if (this.#transmit(text)) this.#log("sent", { event });
  }

  /** What no server should send. */
  sendRaw(payload) {
    if (this.#transmit(payload)) this.#log("sent_raw", { bytes: payload.length });
  }

  close(reason) {
    if (this.closed) return;
    this.closed = true;
    this.#hearing?.stop();
    this.voice.stop();
    this.#peer.close();
    this.#log("closed", { reason, heard_ms: this.heardMs, utterances: this.#hearing?.utterances ?? 0 });
  }

  get heardMs() {
    return Math.round(this.#hearing?.heardMs ?? 0);
  }

  #transmit(payload) {
    if (this.channel?.readyState !== "open") return false;
    this.channel.send(payload);
    return true;
  }

  #listen(track) {
    this.#hearing = new Hearing(track, {
      onStart: (n) => {
        this.#log("speech", { state: "started", utterance: n });
        this.#script.speechBegan(n);
      },
      onStop: (n) => {
        this.#log("speech", { state: "stopped", utterance: n, heard_ms: this.heardMs });
        this.#script.speechEnded(n);
      },
    });
  }

  #adopt(channel) {
    this.channel = channel;
    const opened = () => {
      this.#log("channel", { state: "open", label: channel.label, ordered: channel.ordered, protocol: channel.protocol });
      this.#script.opened();
    };
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.onclose = () => this.#log("channel", { state: "closed" });
    if (channel.readyState === "open") opened();
    else channel.onopen = opened;
  }

  #receive(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      this.#log("not_json", { text: String(data) });
      return;
    }
    this.#log("received", { event });
    if (event.type === "conversation.item.create") this.#confirm(event.item);
    this.#script.received(event);
  }

  // Every GA server echoes a created item before it does anything with it.
  #confirm(item) {
    const echo = { object: "realtime.item", status: "completed", ...item, id: item.id ?? `item_client_${(this.#created += 1)}` };
    for (const type of ["conversation.item.added", "conversation.item.done"])
      this.send({ type, event_id: `event_${type.split(".").at(-1)}_${echo.id}`, previous_item_id: null, item: echo });
  }

  async #gathered() {
    if (this.#peer.iceGatheringState === "complete") return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("candidates were not gathered in time")), GATHER_TIMEOUT);
      this.#peer.onicegatheringstatechange = () => {
        if (this.#peer.iceGatheringState !== "complete") return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
