// What the end says and what it hears, as 16-bit mono samples. No network and no events of the protocol here.

import wrtc from "@roamhq/wrtc";

const RATE = 48_000; // Hz
const CHUNK_MS = 10; // RTCAudioSource takes exactly 10 ms at a time
const CHUNK = (RATE / 1000) * CHUNK_MS; // samples
const PITCH = 180; // Hz
const SYLLABLES = 4; // per second
const LEVEL = 9_000; // of 32767
const LOUD = 300; // RMS of 32767 (-41 dBFS): Opus renders silence far below it
const ONSET_MS = 30; // shorter bursts are clicks
const PAUSE_MS = 500; // server_vad's silence_duration_ms

/** A source that never stops: silence, and while something is to be said, vowels at syllable rate. */
export class Voice {
  #source = new wrtc.nonstandard.RTCAudioSource();
  #left = 0; // samples still to be said
  #said = 0; // samples of the present utterance
  #chunks = 0;
  #begin = performance.now();
  #timer = setInterval(() => this.#catchUp(), CHUNK_MS);

  track = this.#source.createTrack();

  say(ms) {
    this.#said = 0;
    this.#left = (RATE / 1000) * ms;
  }

  hush() {
    this.#left = 0;
  }

  stop() {
    clearInterval(this.#timer);
    this.track.stop();
  }

  // A timer is late as often as not: the clock says how many chunks are due.
  #catchUp() {
    const due = Math.floor((performance.now() - this.#begin) / CHUNK_MS);
    for (; this.#chunks < due; this.#chunks += 1) {
      const samples = new Int16Array(CHUNK);
      for (let i = 0; i < CHUNK && this.#left > 0; i += 1, this.#left -= 1, this.#said += 1) samples[i] = vowel(this.#said);
      this.#source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: CHUNK });
    }
  }
}

function vowel(n) {
  const t = n / RATE;
  const tone = Math.sin(2 * Math.PI * PITCH * t) + Math.sin(4 * Math.PI * PITCH * t) / 2 + Math.sin(6 * Math.PI * PITCH * t) / 4;
  return Math.round((LEVEL * Math.abs(Math.sin(Math.PI * SYLLABLES * t)) * tone) / 1.75);
}

/** An energy detector on the received track. It counts media time, so a late thread moves nothing. */
export class Hearing {
  #sink;
  #run = 0; // ms loud, not yet speech
  #quiet = 0; // ms quiet in speech
  #speaking = false;
  utterances = 0;
  heardMs = 0; // not silent, since the beginning

  constructor(track, { onStart, onStop }) {
    this.#sink = new wrtc.nonstandard.RTCAudioSink(track);
    this.#sink.ondata = ({ samples, sampleRate, numberOfFrames }) => {
      const ms = (numberOfFrames / sampleRate) * 1000;
      const loud = rms(samples) > LOUD;
      if (loud) this.heardMs += ms;
      this.#quiet = loud ? 0 : this.#quiet + ms;
      this.#run = loud ? this.#run + ms : 0;
      if (!this.#speaking && this.#run >= ONSET_MS) {
        this.#speaking = true;
        this.utterances += 1;
        onStart(this.utterances);
      } else if (this.#speaking && this.#quiet >= PAUSE_MS) {
        this.#speaking = false;
        onStop(this.utterances);
      }
    };
  }

  stop() {
    this.#sink.stop();
  }
}

function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
