// The core's player: voices and patterns, exact to the sample. Used in the audio thread, and to render a beat to a file.
import { CoreMemory } from "./core.js";

const TICKS = 40320, PLAYER_BLOCK = 128, PLAYER_SLOTS = 256;
const WALKS = [18, 0.25, 0.3], WALK_STEPS = 48;  // of endless mode at full strength: velocity, pan, tune in semitones; steps from one value to the next
export const STEP_TICKS = TICKS / 4;

export class Player {
  constructor(module, sampleRate) {
    const core = (this.core = new CoreMemory(module)), { functions } = core, options = core.take(32);
    functions.ts_player_defaults(options);
    core.view.setInt32(options, sampleRate, true);
    core.view.setInt32(options + 8, PLAYER_SLOTS, true);
    const memory = core.takeWork(functions.ts_player_size(options)), out = core.take(4);
    core.check(functions.ts_player_open(options, memory, out), memory);
    this.player = core.view.getUint32(out, true);
    this.left = core.take(4 * PLAYER_BLOCK); this.right = core.take(4 * PLAYER_BLOCK);
    this.voice = core.take(64); this.lane = core.take(128); this.steps = core.take(20 * 64); this.state = core.take(64);
    this.slots = new Map();     // slot -> its buffer
    this.free = new Map();      // size -> buffers that nothing plays from
    this.leaving = [];          // buffers that may still be read
  }
  /** Calls that the queue has no room for are tried again after the next block. */
  call(name, ...values) { return this.core.functions["ts_player_" + name](this.player, ...values); }

  sound(slot, channels, rate) {
    const length = channels[0].length, size = 2 ** Math.ceil(Math.log2(Math.max(1024, 4 * length * channels.length)));
    this.collect();
    const place = this.free.get(size)?.pop() ?? this.core.take(size);
    channels.forEach((channel, c) => this.core.floats(place + 4 * c * length, length).set(channel));
    const status = this.call("sound", slot, place, channels.length, BigInt(length), rate), buffer = { place, size };
    if (status !== 0) { this.give(buffer); return status; }
    if (this.slots.has(slot)) this.leaving.push(this.slots.get(slot));
    this.slots.set(slot, buffer);
    return status;
  }
  collect() {
    this.leaving = this.leaving.filter((buffer) => {
      if (this.call("uses", buffer.place)) return true;
      this.give(buffer);
      return false;
    });
  }
  give({ place, size }) {
    if (!this.free.has(size)) this.free.set(size, []);
    this.free.get(size).push(place);
  }
  writeVoice(place, { slot, choke = 0, reverse = false, held = false, gain = 1, pan = 0, tune = 0, attack = 0, decay = 0 }) {
    const view = this.core.view;
    this.core.functions.ts_voice_defaults(place);
    [slot, choke, Number(reverse), Number(held)].forEach((value, k) => view.setInt32(place + 4 * k, value, true));
    [gain, pan, tune, 0, attack, 0, decay].forEach((value, k) => view.setFloat32(place + 16 + 4 * k, value, true));
  }
  play({ id, velocity, ...voice }) {
    this.writeVoice(this.voice, voice);
    return this.call("play", 0n, -1, id, Math.min(127, Math.max(1, 127 * velocity)), this.voice);
  }
  setLane(index, { mute = false, solo = false, length = 16, swing = 0.5, endless = 0, ...voice }) {
    const { functions, view } = this.core;
    functions.ts_lane_defaults(this.lane);
    this.writeVoice(this.lane, voice);
    [length, 4, Number(mute), Number(solo)].forEach((value, k) => view.setInt32(this.lane + 48 + 4 * k, value, true));
    view.setFloat32(this.lane + 68, swing, true);
    WALKS.forEach((depth, k) => { view.setFloat32(this.lane + 72 + 8 * k, endless * depth, true); view.setInt32(this.lane + 76 + 8 * k, WALK_STEPS, true); });
    return this.call("lane", 0n, index, this.lane);
  }
  setSteps(lane, steps) {
    steps.forEach(({ on, velocity, probability, ratchet }, k) => {
      const place = this.steps + 20 * k, { view } = this.core;
      [on ? Math.max(1, 127 * velocity) : 0, probability, 0, 1].forEach((value, n) => view.setFloat32(place + 4 * n, value, true));
      view.setInt32(place + 16, ratchet, true);
    });
    return this.call("steps", 0n, lane, 0, steps.length, this.steps);
  }
  /** The next samples, at most 128: two channels that last until the next call. */
  process(frames) {
    this.call("process", this.left, this.right, frames);
    return [this.core.floats(this.left, frames), this.core.floats(this.right, frames)];
  }
  read() {
    this.call("read", this.state);
    const { view } = this.core, at = this.state;
    return { time: Number(view.getBigInt64(at, true)), tick: Number(view.getBigInt64(at + 8, true)), playing: view.getInt32(at + 16, true) === 1, voices: view.getInt32(at + 20, true), waiting: view.getInt32(at + 24, true), peak: view.getFloat32(at + 28, true) };
  }
}

/** Carries out one message of audio.js. Returns false where the queue is full. */
export function carryOut(player, { verb, ...message }) {
  const status = {
    sound: () => player.sound(message.slot, message.channels, message.rate),
    play: () => player.play(message),
    release: () => player.call("release", 0n, message.id),
    bend: () => player.call("bend", 0n, message.id, message.semitones),
    silence: () => player.call("silence", 0n, -1),
    lane: () => player.setLane(message.index, message),
    steps: () => player.setSteps(message.lane, message.steps),
    tempo: () => player.call("tempo", 0n, message.tempo),
    seed: () => player.call("seed", 0n, BigInt(Math.floor(message.seed))),
    start: () => player.call("start", 0n, 0n),
    stop: () => player.call("stop", 0n),
  }[verb]();
  return status !== 5;
}
