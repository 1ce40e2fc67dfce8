// A Realtime end that is not couchvoice and not aiortc: libwebrtc, a scenario, and a log of all that it saw.
//
//   node realtime_end.mjs --port 0 --scenario FILE.json
//
// FILE: {"secret": "ek_…", "reactions": [see script.mjs], "refuse"?: {"status", "content_type", "body"}}.
// It prints "ready http://127.0.0.1:PORT", then one JSON object per line, and ends with SIGTERM or when its standard
// input ends: then it does not outlive the test that started it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

import { Call } from "./call.mjs";

const CALLS = "/v1/realtime/calls";
const MAX_OFFER = 65_536; // bytes

const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" }, scenario: { type: "string" } } });
const scenario = JSON.parse(readFileSync(options.scenario, "utf8"));
const calls = new Map();
const begin = performance.now();

function log(what, facts) {
  process.stdout.write(`${JSON.stringify({ ms: Math.round(performance.now() - begin), what, ...facts })}\n`);
}

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_OFFER) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(status, code, message) {
  const type = status === 401 ? "authentication_error" : "invalid_request_error";
  return { status, type: "application/json", body: JSON.stringify({ error: { message, type, code, param: null } }) };
}

async function createCall(request, offer) {
  if (scenario.refuse) return { status: scenario.refuse.status, type: scenario.refuse.content_type, body: scenario.refuse.body };
  const mediaType = (request.headers["content-type"] ?? "").split(";")[0].trim();
  if (mediaType !== "application/sdp") return refusal(415, "unsupported_content_type", "Send the offer as application/sdp.");
  if (!offer.startsWith("v=0")) return refusal(400, "invalid_offer", "The body is no SDP offer.");
  const call = new Call(`rtc_foreign_${calls.size + 1}`, scenario.reactions, log);
  calls.set(call.id, call);
  try {
    const answer = await call.answer(offer);
    return { status: 201, type: "application/sdp", body: answer, headers: { Location: `${CALLS}/${call.id}` } };
  } catch (error) {
    call.close("offer");
    return refusal(400, "invalid_offer", String(error.message ?? error));
  }
}

async function respond(request, body) {
  const path = new URL(request.url, "http://end").pathname;
  const [, id] = path.match(/^\/v1\/realtime\/calls\/([^/]+)\/hangup$/) ?? [];
  if (request.method !== "POST" || (path !== CALLS && !id)) return refusal(404, "not_found", `No such resource: ${request.method} ${path}`);
  if (request.headers.authorization !== `Bearer ${scenario.secret}`) return refusal(401, "invalid_api_key", "The client secret is not valid.");
  if (!id) return createCall(request, body);
  if (!calls.has(id)) return refusal(404, "call_not_found", "There is no such call.");
  calls.get(id).close("hangup");
  return { status: 200, type: "text/plain", body: "" };
}

const server = createServer(async (request, response) => {
  const body = await bodyOf(request);
  const { method, url: path, headers } = request;
  const answer = await respond(request, body);
  // Whole headers and the whole body: the test greps them for what must not be there.
  log("request", { method, path, headers, body, status: answer.status });
  response.writeHead(answer.status, { "Content-Type": answer.type, ...answer.headers }).end(answer.body);
});

function stop() {
  for (const call of calls.values()) call.close("end");
  log("end", { calls: calls.size });
  process.exit(0);
}

process.on("SIGTERM", stop);
process.stdin.on("end", stop).resume();
server.listen(Number(options.port), "127.0.0.1", () => process.stdout.write(`ready http://127.0.0.1:${server.address().port}\n`));
