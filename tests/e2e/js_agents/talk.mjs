// OpenAI's Agents SDK, as it is published, in a talk with the server that it is given. It decides nothing.
//
//   node talk.mjs --transport webrtc|websocket --url http://127.0.0.1:8766/v1 --key KEY
//
// Each line of its standard input is an order: {"do": "say", "wav": FILE} | {"do": "type", "text": TEXT} |
// {"do": "interrupt"} | {"do": "close"}. It prints one JSON object per line, whose "what" is connected, event (as the
// server sent it), history, tool, sound (of the received track), audio (over WebSocket), error or closed. It ends when
// its session is closed or its standard input ends: then it does not outlive the test that started it.

import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import wrtc from "@roamhq/wrtc";

import { Loudspeaker, Microphone, RATE, readWav } from "./sound.mjs";

Object.assign(globalThis, { RTCPeerConnection: wrtc.RTCPeerConnection, MediaStream: wrtc.MediaStream });
// Imported after the globals that they look for are there.
const { OpenAIRealtimeWebRTC, OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } = await import("@openai/agents-realtime");
const { z } = await import("zod");

const MODEL = "gpt-realtime";
const APPEND = RATE / 10; // samples at once over WebSocket
const PAUSE = RATE; // samples of silence after what is said: more than a turn detection waits for

const { values: options } = parseArgs({
  options: { transport: { type: "string" }, url: { type: "string" }, key: { type: "string" } },
});

function log(what, facts = {}) {
  process.stdout.write(`${JSON.stringify({ what, ...facts })}\n`);
}

const overWebRtc = () => {
  const microphone = new Microphone();
  const audioElement = new Loudspeaker((facts) => log("sound", facts));
  return {
    transport: new OpenAIRealtimeWebRTC({ baseUrl: `${options.url}/realtime/calls`, mediaStream: microphone.stream, audioElement }),
    say: (samples) => microphone.say(samples),
    stop: () => [microphone, audioElement].forEach((part) => part.stop()),
  };
};

const overWebSocket = () => {
  const transport = new OpenAIRealtimeWebSocket({ url: `${options.url.replace("http", "ws")}/realtime?model=${MODEL}` });
  transport.on("audio", ({ data }) => log("audio", { bytes: data.byteLength }));
  const append = (samples) => {
    for (let at = 0; at < samples.length; at += APPEND) transport.sendAudio(samples.slice(at, at + APPEND).buffer);
  };
  return {
    transport,
    say: (samples) => [samples, new Int16Array(PAUSE)].forEach(append),
    stop: () => {},
  };
};

async function mintedSecret() {
  const response = await fetch(`${options.url}/realtime/client_secrets`, {
    method: "POST",
    headers: { Authorization: `Bearer ${options.key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ session: { type: "realtime", model: MODEL } }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).value;
}

const memory = tool({
  name: "show_memory_status",
  description: "Whether anything is remembered.",
  parameters: z.object({}),
  execute: async (given) => {
    log("tool", { name: "show_memory_status", given });
    return JSON.stringify({ response_text: "Nothing is kept by this program." });
  },
});

const { transport, say, stop } = { webrtc: overWebRtc, websocket: overWebSocket }[options.transport]();
const agent = new RealtimeAgent({ name: "couch", instructions: "Be brief.", tools: [memory] });
const session = new RealtimeSession(agent, { transport, model: MODEL });
session.on("transport_event", (event) => log("event", { event }));
session.on("history_updated", (items) => log("history", { items }));
session.on("error", ({ error }) => log("error", { error: error instanceof Error ? error.stack : error }));
transport.on("disconnected", () => log("closed"));

await session.connect({ apiKey: await mintedSecret() });
log("connected", { call_id: transport.callId });

const orders = {
  say: ({ wav }) => say(readWav(wav)),
  type: ({ text }) => session.sendMessage(text),
  interrupt: () => session.interrupt(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.do === "close") break;
  orders[order.do](order);
}
session.close();
stop();
process.exit(0); // libwebrtc's threads would keep it alive
