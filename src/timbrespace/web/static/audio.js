// Sound output: messages to the audio thread, where the core's player mixes.
import { coreBytes } from "./sounds.js";
import { Player, carryOut, STEP_TICKS } from "./player.js";

const SLOTS = 256, LANES = 16, BLOCK_SAMPLES = 128;
const slots = new Map();       // id of a sound -> slot, the one used last at the end
const lanes = Array.from({ length: LANES }, () => ({ sound: null }));
const positionListeners = [];
let context = null, node = null, starting = null, pattern = null, playerState = { playing: false, tick: 0 }, voices = 1, taken = [];
const early = [];              // messages before the audio thread runs
const silenceListeners = [];
const endings = [];            // who waits for the end of a recording, in order
let silent = false;            // the audio thread did not start, or ended

function send(message, buffers = []) { if (node) node.port.postMessage(message, buffers); else if (!silent) early.push(message); }
/** listener: called with words when there is no sound output. */
export function onsilence(listener) { silenceListeners.push(listener); }
function noOutput(reason) {
  if (silent) return;
  silent = true;
  early.length = 0;
  for (const ending of endings.splice(0)) ending([]);
  for (const listener of silenceListeners) listener(`Sound output failed: ${reason}. Save the session and open the page again; sounds can still be saved as WAV files.`);
}

async function startOutput() {
  context = new AudioContext({ latencyHint: "interactive" });
  const code = "data:text/javascript;base64," + btoa(unescape(encodeURIComponent(document.getElementById("worklet").textContent)));
  const [core] = await Promise.all([coreBytes(), context.audioWorklet.addModule(code)]);
  const made = new AudioWorkletNode(context, "timbrespace", { numberOfInputs: 0, outputChannelCount: [2], processorOptions: { core } });
  made.port.onmessage = ({ data }) => {
    if (data.state) { playerState = data.state; for (const listener of positionListeners) listener(position()); }
    if (data.part) taken.push(data.part);
    if (data.recorded) endings.shift()?.(taken.splice(0));
    if (data.refused) console.warn("not played: " + data.refused);
  };
  made.onprocessorerror = () => noOutput("the audio thread ended");
  made.connect(context.destination);
  node = made;
  for (const message of early.splice(0)) node.port.postMessage(message);
}
/** Starts sound output; browsers allow it after a click or a key. Returns the state of the AudioContext; "silent" where there is none. */
export async function wake() {
  if (!navigator.userActivation || navigator.userActivation.hasBeenActive) {
    starting ??= startOutput().catch((error) => noOutput(error.message));
    await starting;
    if (silent) return "silent";
    if (context.state !== "running") await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 500))]);
  }
  return context?.state ?? "suspended";
}

/** The slot of a sound; its samples are sent once. Slots that lanes use are kept. */
function slotOf(sound) {
  const known = slots.get(sound.id);
  if (known !== undefined) { slots.delete(sound.id); slots.set(sound.id, known); return known; }
  let slot = slots.size;
  if (slot >= SLOTS) {
    const used = new Set(lanes.map((lane) => lane.sound?.id));
    const oldest = [...slots.keys()].find((id) => !used.has(id));
    slot = slots.get(oldest);
    slots.delete(oldest);
  }
  slots.set(sound.id, slot);
  send({ verb: "sound", slot, channels: sound.channels, rate: sound.sampleRate });
  return slot;
}

/** Plays a sound at once. decay: s to silence, 0: whole. key: a held note, see release. Returns the number of the voice. */
export function play(sound, { gain = 1, pan = 0, tune = 0, reverse = false, attack = 0, decay = 0, choke = 0, velocity = 1, key = null } = {}) {
  const id = voices++;
  if (node === null) return id;  // a hit before the first gesture is not played late
  send({ verb: "play", slot: slotOf(sound), id, velocity, gain, pan, tune, reverse, attack, decay, choke, held: key !== null });
  return id;
}
export function release(voice) { send({ verb: "release", id: voice }); }
/** Bends what a voice plays, by semitones from its own pitch. */
export function bendVoice(voice, semitones) { send({ verb: "bend", id: voice, semitones }); }
export function stopAll() { send({ verb: "silence" }); }

const laneMessage = (index, slot) => {
  const { sound: _, ...lane } = lanes[index];
  return { verb: "lane", index, ...lane, slot, length: pattern?.steps ?? 16, swing: pattern?.swing ?? 0.5, endless: pattern?.endless ?? 0 };
};
export function setLane(index, lane) {
  lanes[index] = lane;
  send(laneMessage(index, lane.sound ? slotOf(lane.sound) : -1));
}
const patternMessages = (given) => [
  { verb: "tempo", tempo: given.tempo }, { verb: "seed", seed: given.seed },
  ...given.lanes.map((lane, index) => ({ verb: "steps", lane: index, steps: lane.steps.slice(0, given.steps) })),
];
export function setPattern(given) {
  const changed = pattern === null || pattern.steps !== given.steps || pattern.swing !== given.swing || pattern.endless !== given.endless;
  pattern = structuredClone(given);
  if (changed) lanes.forEach((lane, index) => send(laneMessage(index, lane.sound ? slotOf(lane.sound) : -1)));
  for (const message of patternMessages(pattern)) send(message);
}
export function start() { send({ verb: "start" }); }
export function stop() { send({ verb: "stop" }); }
export function position() {
  const step = Math.floor(playerState.tick / STEP_TICKS), steps = pattern?.steps ?? 16;
  return { playing: playerState.playing, step: step % steps, bar: Math.floor(step / steps) };
}
export function onposition(listener) { positionListeners.push(listener); }

const joined = (parts, side) => {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part[side].length, 0));
  let place = 0;
  for (const part of parts) { out.set(part[side], place); place += part[side].length; }
  return out;
};
/** Begins to record what is played (true), or ends it (false) and returns {channels, sampleRate}. */
export async function record(on) {
  await wake();
  if (node === null || silent) return null;
  if (on) { send({ verb: "record", on }); return null; }
  const parts = await new Promise((resolve) => { endings.push(resolve); send({ verb: "record", on }); });
  return { channels: [joined(parts, 0), joined(parts, 1)], sampleRate: context.sampleRate };
}

/** `bars` of the pattern and what rings after them, by the same player: {channels, sampleRate}. */
export async function renderPattern(bars, tail = 2) {
  const module = await WebAssembly.compile(await coreBytes()), rate = 44100, player = new Player(module, rate);
  lanes.forEach((lane, index) => {
    if (lane.sound) carryOut(player, { verb: "sound", slot: index, channels: lane.sound.channels, rate: lane.sound.sampleRate });
    carryOut(player, laneMessage(index, lane.sound ? index : -1));
  });
  for (const message of [...patternMessages(pattern), { verb: "start" }]) { carryOut(player, message); player.process(0); }
  const length = Math.round((bars * pattern.steps * 15 * rate) / pattern.tempo), parts = [];
  for (let done = 0, stopped = false; done < length + tail * rate; done += BLOCK_SAMPLES) {
    if (!stopped && done + BLOCK_SAMPLES > length) { carryOut(player, { verb: "stop" }); stopped = true; }
    const frames = player.process(BLOCK_SAMPLES);
    parts.push(frames.map((channel) => channel.slice()));
  }
  return { channels: [joined(parts, 0), joined(parts, 1)], sampleRate: rate };
}
