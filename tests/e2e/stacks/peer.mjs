// One end of a call, on a stack that is not ours. It decides nothing and knows no event of the protocol.
//
//   node peer.mjs werift|libdatachannel
//
// Each line of its standard input is an order: {"do": "offer", "direction": D, "label": L, "options": {…}} |
// {"do": "accept", "sdp": SDP} | {"do": "answer", "sdp": SDP} | {"do": "say", "packets": [BASE64, …]} |
// {"do": "send", "event": EVENT, "binary": BOOLEAN} | {"do": "close"}. It prints one JSON object per line, whose "what"
// is offer, answer, channel, event, packet, said, state or closed. It ends when it is told to or when its standard
// input ends: then it does not outlive the test that started it.

import { createInterface } from "node:readline";

import { LibDataChannel } from "./libdatachannel.mjs";
import { Voice } from "./opus.mjs";
import { Werift } from "./werift.mjs";

const STACKS = { werift: Werift, libdatachannel: LibDataChannel };

function log(what, facts = {}) {
  process.stdout.write(`${JSON.stringify({ what, ...facts })}\n`);
}

const peer = new STACKS[process.argv[2]]({
  state: (state) => log("state", { state }),
  channel: (state) => log("channel", { state }),
  message: (message) => log("event", { binary: typeof message !== "string", event: JSON.parse(message) }),
  packet: ({ header, payload }) => log("packet", { payload_type: header.payloadType, payload: payload.toString("base64") }),
});
const voice = new Voice((packet) => peer.transmit(packet));

const orders = {
  offer: async (line) => log("offer", { sdp: await peer.offer(line) }),
  accept: ({ sdp }) => peer.accept(sdp),
  answer: async ({ sdp }) => log("answer", { sdp: await peer.answer(sdp) }),
  say: async ({ packets }) => {
    await voice.say(packets.map((packet) => Buffer.from(packet, "base64")));
    log("said");
  },
  send: ({ event, binary }) => {
    const text = JSON.stringify(event);
    peer.send(binary ? Buffer.from(text) : text);
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.do === "close") break;
  orders[order.do](order);
}
await peer.close();
log("closed");
process.exit(0); // libdatachannel's threads would keep it alive
