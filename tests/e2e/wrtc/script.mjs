// A scenario, played once per call: each reaction waits for what the client does and then takes its steps in order.
//
// [{"on": "open" | {"speech": N} | {"utterance": N} | {"event": TYPE, "item_type"?: TYPE, "nth"?: N},
//   "do": [{"send": EVENT} | {"raw": TEXT} | {"binary": BASE64} | {"audio_ms": N} | {"stop_audio": true} |
//          {"wait_ms": N} | {"close_channel": true} | {"close": true}]}]
//
// "speech" is the beginning of the client's Nth utterance, "utterance" its end. "audio_ms" begins to play and does not
// wait. In EVENT, "$event_id" stands for the event_id of the client event that the reaction answers.

import { setTimeout as sleep } from "node:timers/promises";

export class Script {
  #reactions;
  #call;
  #seen = new Map(); // how often each reaction's event came

  constructor(reactions, call) {
    this.#reactions = reactions;
    this.#call = call;
  }

  opened() {
    this.#fire((on) => on === "open");
  }

  speechBegan(n) {
    this.#fire((on) => on.speech === n);
  }

  speechEnded(n) {
    this.#fire((on) => on.utterance === n);
  }

  received(event) {
    this.#fire((on) => on.event === event.type && (!on.item_type || on.item_type === event.item?.type) && this.#isDue(on), event);
  }

  #isDue(on) {
    this.#seen.set(on, (this.#seen.get(on) ?? 0) + 1);
    return this.#seen.get(on) === (on.nth ?? 1);
  }

  #fire(matches, cause) {
    for (const { on, do: steps } of this.#reactions) if (matches(on)) this.#play(steps, cause);
  }

  async #play(steps, cause) {
    for (const step of steps) {
      if (this.#call.closed) return;
      if (step.wait_ms !== undefined) await sleep(step.wait_ms);
      else this.#take(step, cause);
    }
  }

  #take(step, cause) {
    const call = this.#call;
    if (step.send) call.send(JSON.parse(JSON.stringify(step.send, (_, value) => (value === "$event_id" ? cause?.event_id : value))));
    else if (step.raw !== undefined) call.sendRaw(step.raw);
    else if (step.binary !== undefined) call.sendRaw(Buffer.from(step.binary, "base64"));
    else if (step.audio_ms !== undefined) call.voice.say(step.audio_ms);
    else if (step.stop_audio) call.voice.hush();
    else if (step.close_channel) call.channel.close();
    else if (step.close) call.close("scenario");
    else throw new Error(`unknown step ${JSON.stringify(step)}`);
  }
}
