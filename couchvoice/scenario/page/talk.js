"use strict";
// One talk: its figures, its failures, the timeline with its sound, what was said, and every event.

class TalkPage {
  constructor(talk, place) {
    this.talk = talk;
    this.detail = element("pre", { id: "detail", tabindex: 0, "aria-live": "polite" }, "Choose anything on the timeline or in the lists.");
    this.time = element("span", { class: "clock", "aria-label": "Position" });
    this.play = element("button", { class: "play", type: "button", onclick: () => this.sound.toggle() }, "▶ Play");
    this.sound = new Sound(talk.audio, (at, playing) => this.move(at, playing));
    this.play.disabled = !talk.audio;
    this.timeline = new Timeline(talk, { choose: (at, detail) => this.choose(at, detail), seek: (at) => this.seek(at) });
    place.replaceChildren(...[figureCards(talk.figures), this.failures(), this.stage(), this.below()].filter(Boolean));
    this.timeline.fit();
    this.move(0, false);
    this.timeline.box.addEventListener("keydown", (event) => this.key(event));
  }

  stage() {
    const side = (name) => element("button", { class: name, type: "button", "aria-pressed": "true", title: `hear the ${name}`, onclick: (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(on));
      this.sound.hear(name, on);
    } }, name);
    const zoom = (sign, label, factor) => element("button", { type: "button", "aria-label": label, title: label, onclick: () => this.zoom(factor) }, sign);
    return element("div", { class: "panel" },
      element("div", { class: "bar" }, this.play, this.time, side("user"), side("assistant"), element("span", { class: "space" }),
        zoom("−", "Zoom out", 0.5), zoom("+", "Zoom in", 2), zoom("Fit", "Show all", null)),
      this.timeline.box);
  }

  failures() {
    const failed = this.talk.checks.filter((check) => !check.passed);
    if (!failed.length && !this.talk.error) return null;
    return element("div", { class: "panel failures", role: "alert" },
      element("h2", {}, failed.length ? `${failed.length} of ${this.talk.checks.length} expectations failed` : "The talk broke"),
      this.talk.error ? element("p", { class: "note" }, this.talk.error) : null,
      element("ol", {}, ...failed.map((check) => element("li", {},
        element("button", { class: "jump", type: "button", onclick: () => this.choose(check.at, check) },
          `✗ ${check.what} `, element("span", { class: "time" }, `${clock(check.at)}${check.line ? ` · ${check.line}` : ""}`)),
        element("dl", {}, element("dt", {}, "expected"), element("dd", {}, check.expected), element("dt", {}, "got"), element("dd", {}, check.got))))));
  }

  below() {
    return element("div", { class: "below" },
      element("div", { class: "panel chatter" }, element("h2", {}, "What was said"), element("div", { class: "scroll" }, this.chat())),
      element("div", { class: "panel" }, element("h2", {}, `Events (${this.talk.events.length})`), ...this.events()),
      element("div", { class: "panel" }, element("h2", {}, "Detail"), element("div", { class: "scroll" }, this.detail)));
  }

  chat() {
    const lines = [
      ...this.talk.words.map((words) => ({ at: words.at, kind: words.who, text: words.text + (words.interrupted ? " —" : ""), detail: words })),
      ...this.talk.steps.map((step) => ({ at: step.at, kind: "step", text: step.what, detail: step })),
      ...this.talk.troubles.map((trouble) => ({ at: trouble.at, kind: "trouble", text: trouble.message, detail: trouble })),
    ].sort((one, other) => one.at - other.at);
    if (!lines.length) return element("p", { class: "note" }, "Nothing was said.");
    return element("ol", { class: "chat" }, ...lines.map((line) => element("li", { class: line.kind },
      element("button", { type: "button", onclick: () => this.choose(line.at, line.detail) }, line.text || "(no words)"),
      element("span", { class: "time" }, clock(line.at)))));
  }

  events() {
    const list = element("ol", { class: "events", role: "listbox", tabindex: 0, "aria-label": "Events, up and down arrows" });
    const rows = this.talk.events.map(([at, who, type, text], number) => element("li", { role: "option", id: `event-${number}`, class: who === "client" ? "client" : "provider",
      onclick: () => this.pick(list, rows, number) },
      element("span", { class: "time" }, clock(at, 2)), element("span", { class: "way", title: who }, who === "client" ? "→" : "←"), element("span", { class: "type" }, type)));
    list.append(...rows);
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      const shown = rows.filter((row) => !row.hidden), now = shown.findIndex((row) => row.getAttribute("aria-selected") === "true");
      const next = shown[Math.min(shown.length - 1, Math.max(0, now + step))];
      if (next) this.pick(list, rows, rows.indexOf(next));
    });
    const search = element("input", { class: "search", type: "search", placeholder: "part of a type or of its text", "aria-label": "Find events", oninput: () => {
      const wanted = search.value.toLowerCase();
      rows.forEach((row, number) => { row.hidden = Boolean(wanted) && !this.talk.events[number][3].toLowerCase().includes(wanted); });
    } });
    return [search, element("div", { class: "scroll" }, list)];
  }

  pick(list, rows, number) {
    list.querySelectorAll("[aria-selected]").forEach((row) => row.removeAttribute("aria-selected"));
    rows[number].setAttribute("aria-selected", "true");
    rows[number].scrollIntoView({ block: "nearest" });
    list.setAttribute("aria-activedescendant", `event-${number}`);
    const [at, , , text] = this.talk.events[number];
    this.seek(at);
    this.detail.textContent = pretty(text);
  }

  choose(at, detail) {
    this.seek(at);
    this.detail.textContent = Object.entries(detail).filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value, null, 2) : pretty(String(value))}`).join("\n");
  }

  seek(at) {
    this.sound.seek(at);
    this.timeline.place(at, true);
    this.tell(at);
  }

  move(at, playing) {
    this.timeline.place(at, playing);
    this.tell(at);
    this.play.textContent = playing ? "❚❚ Pause" : "▶ Play";
  }

  tell(at) { this.time.textContent = `${clock(at)} / ${clock(this.talk.seconds)}`; }

  zoom(factor) { if (factor) this.timeline.zoom(this.timeline.pps * factor); else this.timeline.fit(); }

  key(event) {
    const far = event.shiftKey ? 5 : 1;
    const act = { ArrowLeft: () => this.seek(this.timeline.at - far), ArrowRight: () => this.seek(this.timeline.at + far),
      Home: () => this.seek(0), End: () => this.seek(this.talk.seconds), "+": () => this.zoom(2), "=": () => this.zoom(2),
      "-": () => this.zoom(0.5), 0: () => this.zoom(null), " ": () => this.sound.toggle() }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || (event.target !== event.currentTarget && event.key === " ")) return;
    event.preventDefault();
    act();
  }

  leave() { this.sound.stop(); }
}
