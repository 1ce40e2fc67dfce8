"use strict";
// Words and elements. What was said in a talk reaches the page as text nodes only: nothing here parses markup.

const NAMES = {
  connect_ms: "Connecting", first_transcript_ms: "First transcript", stt_ms: "Speech to text",
  response_ms: "Response", stop_ms: "Barge-in to silence", tool_ms: "Tool",
};

function element(kind, attributes, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const figureName = (name) => NAMES[name] || name.replace(/_ms$/, "").replaceAll("_", " ");
const inOrder = (figures) => [...Object.keys(NAMES).filter((name) => figures[name]), ...Object.keys(figures).filter((name) => !NAMES[name])];
const ms = (value) => `${Math.round(value).toLocaleString("en")} ms`;

function clock(seconds, places = 1) {
  const at = Math.max(0, seconds);
  const minutes = Math.floor(at / 60);
  return `${minutes}:${(at - minutes * 60).toFixed(places).padStart(places ? 3 + places : 2, "0")}`;
}

function pace(talk) {
  if (talk.clock !== "media") return "real time";
  const speed = talk.speed === null ? "as fast as it could" : `at most ${talk.speed} × real time`;
  return `held ${speed}: all times are on the media clock`;
}

function badge(outcome) {
  return element("span", { class: `badge ${["passed", "failed", "broken"].includes(outcome) ? outcome : ""}` }, outcome);
}

function figureCards(figures) {
  const cards = inOrder(figures).map((name) => [name, figures[name]]).map(([name, of]) => element("div", { class: "figure" },
    element("dt", {}, figureName(name)),
    element("dd", { class: "value" }, ms(of.p50)),
    element("dd", { class: "rest" }, of.count > 1 ? `p95 ${ms(of.p95)} · worst ${ms(of.max)} · ${of.count} times` : "once")));
  return cards.length ? element("dl", { class: "figures", "aria-label": "Latencies, the middle one of each" }, ...cards) : null;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
