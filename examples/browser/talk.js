"use strict";

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const tools = { show_memory_status: () => ({ response_text: "This page keeps nothing." }) };
let peer, channel, microphone;

page.start.onclick = () => call().catch((error) => over(error.message));
page.end.onclick = () => over("you hung up");
page.typing.onsubmit = (submitted) => {
  submitted.preventDefault();
  const content = [{ type: "input_text", text: page.text.value }];
  send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  send({ type: "response.create" });
  show("you", page.text.value);
  page.text.value = "";
};

async function call() {
  page.start.disabled = true;
  page.state.value = "connecting";
  microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const { calls, secret } = await (await fetch("token")).json();
  peer = new RTCPeerConnection();
  peer.addTrack(microphone.getAudioTracks()[0], microphone);
  peer.onconnectionstatechange = () => peer.connectionState === "failed" && over("the connection is lost");
  peer.ontrack = ({ streams }) => (page.speaker.srcObject = streams[0]);
  channel = peer.createDataChannel("oai-events");
  channel.onmessage = ({ data }) => receive(data);
  channel.onclose = () => over("the other end hung up");
  const offer = await peer.createOffer();
  await peer.setLocalDescription(offer);
  const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/sdp" };
  const response = await fetch(calls, { method: "POST", headers, body: offer.sdp });
  if (!response.ok) throw new Error((await response.json()).error.message);
  await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
}

function receive(data) {
  page.events.append(data, "\n");
  const event = JSON.parse(data);
  switch (event.type) {
    case "session.created":
      page.state.value = "connected";
      page.end.disabled = false;
      break;
    case "conversation.item.input_audio_transcription.completed":
      show("you", event.transcript);
      break;
    case "response.output_audio_transcript.done":
      show("assistant", event.transcript);
      break;
    case "response.done":
      answerCalls(event.response.output.filter((item) => item.type === "function_call"));
      break;
    case "error":
      page.state.value = event.error.message;
  }
}

// All outputs first, then one response to them.
function answerCalls(asked) {
  for (const { name, call_id, arguments: given } of asked) {
    const output = JSON.stringify(tools[name](JSON.parse(given)));
    send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output } });
  }
  if (asked.length) send({ type: "response.create" });
}

function send(event) {
  channel.send(JSON.stringify(event));
}

function show(who, text) {
  page.transcript.appendChild(document.createElement("li")).textContent = `${who}: ${text}`;
}

function over(reason) {
  if (channel) channel.onclose = null; // that this end closes it is no news
  peer?.close();
  microphone?.getTracks().forEach((track) => track.stop());
  page.state.value = reason;
  page.start.disabled = false;
  page.end.disabled = true;
}
