// The microphone and the loudspeaker of a call, as 16-bit mono samples. No network and no events of the protocol here.

import { readFileSync } from "node:fs";

import wrtc from "@roamhq/wrtc";

export const RATE = 24_000; // Hz: what audio/pcm has, and what a WAV must have
const CHUNK_MS = 10; // RTCAudioSource takes exactly 10 ms at a time
const CHUNK = (RATE / 1000) * CHUNK_MS; // samples
const WAV_HEAD = 44; // bytes, of a file without further chunks
const LOUD = 300; // RMS of 32767: Opus renders silence far below it
const QUIET_MS = 400; // longer than any pause between two words

/** The samples of a mono 16-bit WAV. */
export function readWav(path) {
  const bytes = readFileSync(path);
  if (bytes.readUInt32LE(24) !== RATE) throw new Error(`${path} has not ${RATE} Hz`);
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset + WAV_HEAD, bytes.byteOffset + bytes.length));
}

/** Silence in real time, and in it what it is told to say. */
export class Microphone {
  #source = new wrtc.nonstandard.RTCAudioSource();
  #unsaid = new Int16Array(0);
  #chunks = 0;
  #begin = performance.now();
  #timer = setInterval(() => this.#catchUp(), CHUNK_MS);

  stream = new wrtc.MediaStream([this.#source.createTrack()]);

  say(samples) {
    this.#unsaid = samples;
  }

  stop() {
    clearInterval(this.#timer);
    for (const track of this.stream.getTracks()) track.stop();
  }

  // A timer is late as often as not: the clock says how many chunks are due.
  #catchUp() {
    const due = Math.floor((performance.now() - this.#begin) / CHUNK_MS);
    for (; this.#chunks < due; this.#chunks += 1) {
      const samples = new Int16Array(CHUNK);
      samples.set(this.#unsaid.subarray(0, CHUNK));
      this.#unsaid = this.#unsaid.subarray(CHUNK);
      this.#source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: CHUNK });
    }
  }
}

/** In the place of an audio element: tells when the stream that it is given begins to sound, and when it is quiet. */
export class Loudspeaker {
  #sink = null;
  #tell;
  #quiet = QUIET_MS; // ms since the last sound
  #loud = 0; // ms of sound since the last silence

  constructor(tell) {
    this.#tell = tell;
  }

  set srcObject(stream) {
    this.#sink = new wrtc.nonstandard.RTCAudioSink(stream.getAudioTracks()[0]);
    this.#sink.ondata = ({ samples, sampleRate, numberOfFrames }) =>
      this.#hear(samples, (numberOfFrames / sampleRate) * 1000);
  }

  stop() {
    this.#sink?.stop();
  }

  #hear(samples, ms) {
    const was = this.#quiet;
    const isLoud = rms(samples) > LOUD;
    this.#quiet = isLoud ? 0 : was + ms;
    if (isLoud) this.#loud += ms;
    if (isLoud && was >= QUIET_MS) this.#tell({ sounds: true });
    else if (was < QUIET_MS && this.#quiet >= QUIET_MS) {
      this.#tell({ sounds: false, loud_ms: Math.round(this.#loud) });
      this.#loud = 0;
    }
  }
}

function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
