"use strict";
// The sound of a talk: one file with a side in each ear, which is heard from the middle; either can be switched off.

class Sound {
  constructor(source, moved) {
    this.player = source ? element("audio", { preload: "metadata", src: source }) : null;
    this.gains = null;
    this.levels = { user: 1, assistant: 1 };
    this.moved = moved;
    if (this.player) {
      for (const name of ["play", "pause", "ended", "seeked"]) this.player.addEventListener(name, () => this.follow());
    }
  }

  get playing() { return Boolean(this.player) && !this.player.paused && !this.player.ended; }

  toggle() {
    if (!this.player) return;
    if (this.playing) { this.player.pause(); return; }
    this.connect();
    this.player.play().catch(() => this.moved(this.player.currentTime, false));
  }

  seek(at) { if (this.player) this.player.currentTime = Math.min(at, this.player.duration || at); }

  hear(side, on) {
    this.levels[side] = on ? 1 : 0;
    this.connect();
    if (this.gains) this.gains[side].gain.value = this.levels[side];
  }

  stop() { if (this.player) this.player.pause(); }

  connect() {
    if (this.gains || !this.player || !window.AudioContext) return;
    const context = new AudioContext();
    const split = context.createChannelSplitter(2);
    context.createMediaElementSource(this.player).connect(split);
    this.gains = {};
    ["user", "assistant"].forEach((side, channel) => {
      const gain = context.createGain(), pan = context.createStereoPanner();
      gain.gain.value = this.levels[side];
      pan.pan.value = channel ? 0.3 : -0.3;
      split.connect(gain, channel);
      gain.connect(pan).connect(context.destination);
      this.gains[side] = gain;
    });
    this.context = context;
  }

  follow() {
    if (this.context) this.context.resume();
    const step = () => {
      this.moved(this.player.currentTime, this.playing);
      if (this.playing) requestAnimationFrame(step);
    };
    step();
  }
}
