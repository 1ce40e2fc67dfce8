"use strict";
// The lanes of one talk on one time axis. Zoom is one number (pixels per second) that every element's place hangs on;
// waveforms are drawn for the window that can be seen, whatever the length of the talk.

const LEAST_PPS = 0.5, MOST_PPS = 400, ROW = 25;

class Timeline {
  constructor(talk, { choose, seek }) {
    this.talk = talk;
    this.seconds = Math.max(talk.seconds, 0.1);
    this.choose = choose;
    this.at = 0;
    this.cursor = element("div", { class: "cursor" });
    this.lanes = element("div", { class: "lanes", "--seconds": this.seconds });
    this.box = element("div", { class: "timeline", tabindex: 0, role: "region",
      "aria-label": "Timeline. Left and right arrows move the cursor, plus and minus zoom, 0 shows all, space plays." }, this.lanes);
    this.drawn = [];
    this.fill();
    this.lanes.append(this.cursor);
    this.lanes.addEventListener("click", (event) => {
      if (event.target.closest("button")) return;
      seek((event.clientX - this.lanes.getBoundingClientRect().left) / this.pps);
    });
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => (this.fitted ? this.fit() : this.draw())).observe(this.box);
  }

  fill() {
    const talk = this.talk;
    this.canvasLane("ruler", "", 26, (pen, view) => this.drawRuler(pen, view));
    this.script(this.lane("script", "script", 40));
    this.wave("user", "user", talk.peaks.said);
    this.states(this.lane("states", "state", 30));
    const heard = this.wave("assistant", "assistant", talk.peaks.heard);
    for (const cut of talk.interruptions) {
      const lasted = cut.stop_ms === null ? "" : `, silent after ${ms(cut.stop_ms)}`;
      this.mark(heard, cut.at, "cut", "✂", `spoken over${lasted}`, cut);
    }
    const shown = (tool) => `${tool.name}${tool.until === null ? "" : ` ${ms((tool.until - tool.at) * 1000)}`}`;
    if (talk.tools.length) this.spans("tools", talk.tools.map((tool) => ({ at: tool.at, until: tool.until ?? this.seconds,
      label: shown(tool), kind: tool.status === "failed" ? "tool bad" : "tool", detail: tool })));
    const waits = talk.turns.filter((turn) => turn.wait).map((turn) => ({ at: turn.wait[0],
      until: turn.wait[0] + turn.wait[1] / 1000, label: ms(turn.wait[1]), kind: "wait", detail: turn }));
    if (waits.length) this.spans("response", waits);
    if (talk.turns.length) this.spans("turns", talk.turns.map((turn) => ({ at: turn.since, until: turn.at,
      label: `${turn.index} ${turn.outcome}`, kind: turn.outcome === "completed" ? "turn" : "turn bad", detail: turn })));
    this.canvasLane("ticks", "events", 46, (pen, view) => this.drawEvents(pen, view));
    for (const check of talk.checks.filter((each) => !each.passed)) {
      this.lanes.append(element("div", { class: "fail", "--at": check.at }));
    }
  }

  lane(kind, name, height) {
    const lane = element("div", { class: `lane ${kind}`, "--height": `${height}px` }, element("span", { class: "name" }, name));
    this.lanes.append(lane);
    return lane;
  }

  canvasLane(kind, name, height, paint) {
    const lane = this.lane(kind, name, height);
    if (!name) lane.firstChild.remove();
    const canvas = element("canvas", { "aria-hidden": "true" });
    lane.append(canvas);
    this.drawn.push({ canvas, height, paint });
    return lane;
  }

  wave(kind, name, packed) {
    const peaks = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    return this.canvasLane(kind, name, 84, (pen, view) => this.drawWave(pen, view, peaks, `--${kind}`));
  }

  script(lane) {
    for (const step of this.talk.steps) this.mark(lane, step.at, "", "▾", step.what, step);
    for (const trouble of this.talk.troubles) this.mark(lane, trouble.at, "bad", "!", `${trouble.code}: ${trouble.message}`, trouble);
    for (const check of this.talk.checks) {
      this.mark(lane, check.at, check.passed ? "good" : "bad", check.passed ? "✓" : "✗", `${check.passed ? "holds" : "fails"}: ${check.what}`, check);
    }
  }

  states(lane) {
    for (const [at, until, state] of this.talk.states) {
      lane.append(element("div", { class: `span state ${/^[a-z_]+$/.test(state) ? state : ""}`, "--at": at, "--for": until - at, title: state }));
    }
  }

  spans(name, spans) {
    const free = [];
    const placed = spans.map((span) => {
      let row = free.findIndex((end) => end <= span.at);
      if (row < 0) row = free.length;
      free[row] = span.until;
      return { ...span, row };
    });
    const lane = this.lane("spans", name, 18 + ROW * free.length + 3);
    // A label may be longer than its span, up to the next one in its row.
    const room = (span) => Math.min(...placed.filter((other) => other.row === span.row && other.at > span.at).map((other) => other.at), this.seconds) - span.at;
    for (const span of placed) {
      const button = element("button", { class: `span ${span.kind}`, type: "button", title: `${name}: ${span.label}`, "--at": span.at,
        "--for": Math.max(0, span.until - span.at), "--top": `${18 + ROW * span.row}px`, "--room": room(span) }, element("span", { class: "label" }, span.label));
      this.choosable(button, span.at, span.detail);
      lane.append(button);
    }
  }

  mark(lane, at, kind, sign, label, detail) {
    const button = element("button", { class: `mark ${kind}`, type: "button", title: label, "aria-label": `${clock(at)} ${label}`, "--at": at }, sign);
    this.choosable(button, at, detail);
    lane.append(button);
  }

  choosable(button, at, detail) {
    button.addEventListener("click", () => {
      this.lanes.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
      button.classList.add("chosen");
      this.choose(at, detail);
    });
  }

  // Zoom and cursor

  get pps() { return this._pps; }

  zoom(pps, around = this.at) {
    const before = around * (this._pps || 0) - this.box.scrollLeft;
    this._pps = Math.min(MOST_PPS, Math.max(LEAST_PPS, pps));
    this.fitted = false;
    this.lanes.style.setProperty("--pps", this._pps);
    this.box.scrollLeft = around * this._pps - Math.min(Math.max(before, 0), this.box.clientWidth);
    this.place(this.at);
    this.draw();
  }

  fit() {
    this.zoom((this.box.clientWidth - 1) / this.seconds);
    this.fitted = true;
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const around = (event.clientX - this.lanes.getBoundingClientRect().left) / this.pps;
    this.zoom(this.pps * Math.exp(-event.deltaY / 300), around);
  }

  place(at, follow = false) {
    this.at = Math.min(Math.max(at, 0), this.seconds);
    const x = this.at * this.pps;
    this.cursor.style.transform = `translateX(${x}px)`;
    const left = this.box.scrollLeft, width = this.box.clientWidth;
    if (follow && (x < left || x > left + width)) this.box.scrollLeft = x - width / 5;
  }

  // Drawing

  draw() {
    if (!this.pps) return;
    const width = this.box.clientWidth, density = window.devicePixelRatio || 1;
    const view = { left: this.box.scrollLeft / this.pps, width };
    const style = getComputedStyle(document.documentElement);
    this.color = (name) => style.getPropertyValue(name).trim();
    for (const { canvas, height, paint } of this.drawn) {
      canvas.width = width * density;
      canvas.height = height * density;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      const pen = canvas.getContext("2d");
      pen.scale(density, density);
      paint(pen, { ...view, height });
    }
  }

  drawRuler(pen, { left, width, height }) {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((each) => each * this.pps >= 64) || 600;
    pen.font = "11px ui-monospace, Menlo, Consolas, monospace";
    pen.fillStyle = this.color("--muted");
    for (let tick = Math.floor(left / step); tick * step <= left + width / this.pps && tick * step <= this.seconds; tick += 1) {
      const x = (tick * step - left) * this.pps;
      pen.fillRect(x, height - 6, 1, 6);
      pen.fillText(clock(tick * step, step < 1 ? 1 : 0), x + 4, height - 8);
    }
  }

  drawWave(pen, { left, width, height }, peaks, color) {
    const rate = this.talk.peaks.rate, middle = height / 2;
    pen.fillStyle = this.color(color);
    pen.globalAlpha = 0.3;
    pen.fillRect(0, middle, Math.min(width, (this.seconds - left) * this.pps), 1);
    pen.globalAlpha = 1;
    for (let x = 0; x < width; x += 1) {
      const from = Math.floor((left + x / this.pps) * rate);
      const to = Math.max(from + 1, Math.floor((left + (x + 1) / this.pps) * rate));
      let loudest = 0;
      for (let at = from; at < to && at < peaks.length; at += 1) loudest = Math.max(loudest, peaks[at]);
      // The root lets what is quiet be seen beside what is loud.
      if (loudest > 1) {
        const half = Math.max(0.5, Math.sqrt(loudest / 255) * (middle - 4));
        pen.fillRect(x, middle - half, 1, half * 2);
      }
    }
  }

  drawEvents(pen, { left, width, height }) {
    const middle = height / 2 + 6;
    for (const [at, who] of this.talk.events) {
      const x = (at - left) * this.pps;
      if (x < -1 || x > width) continue;
      pen.fillStyle = this.color(who === "client" ? "--user" : "--assistant");
      pen.fillRect(x, who === "client" ? middle - 13 : middle + 1, 1.5, 12);
    }
    pen.fillStyle = this.color("--line");
    pen.fillRect(0, middle, width, 1);
  }
}
