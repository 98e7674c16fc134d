// The sounds of the pads: drawn, varied, steered, rendered and played.
import { draw, around, steer, render, prefetch, atPitch } from "./sounds.js";
import { wake, play, setLane } from "./audio.js";
import { session, selectedPad, nextSeed, remember, emit } from "./state.js";
import { say } from "./shapes.js";

let instrumentOfKit = null;
const rendered = new Map();  // pad number -> Sound
export const soundOfPad = (index) => rendered.get(index);

/** A default kit: the usual places of drums, in the order of General MIDI's first sixteen keys where the instrument has them. */
const PLACES = [["kick", "bass"], ["snare"], ["clap"], ["rim", "stick", "clave"], ["hat", "hihat"], ["hat", "hihat"], ["tom"], ["tom"],
  ["cymbal", "crash"], ["ride", "cymbal"], ["cowbell", "bell"], ["shaker", "tambourine", "maraca"], ["kick"], ["snare"], ["perc", "conga", "bongo"], ["fx", "noise"]];
const categoryFor = (index) => {
  const names = instrumentOfKit.info.categories;
  for (const word of PLACES[index]) {
    const found = names.findIndex((name) => name.toLowerCase().includes(word));
    if (found >= 0) return found;
  }
  return names.length ? index % names.length : -1;
};

export async function initKit(instrument) {
  instrumentOfKit = instrument;
  for (let i = 0; i < session.pads.length; i++) await redraw(i, { category: categoryFor(i), quiet: true });
}

/** Puts a sound onto a pad and renders it. */
export async function putSound(index, sound) {
  const pad = session.pads[index];
  pad.sound = { z: Array.from(sound.z), category: sound.category, seed: sound.seed, samples: sound.samples ?? 0 };
  pad.plain = pad.sound.z;
  pad.amounts = {};
  await refreshPad(index);
}

/** Renders what is on a pad, and tells the lane of the sequencer. */
export async function refreshPad(index, { urgent = true } = {}) {
  const pad = session.pads[index], sound = pad.sound;
  if (sound === null) { rendered.delete(index); laneOfPad(index); emit("pad", index); return; }
  const result = await render(sound, { urgent });
  if (pad !== session.pads[index] || pad.sound !== sound) return;  // something newer came meanwhile
  rendered.set(index, result);
  laneOfPad(index);
  emit("pad", index);
}

export function laneOfPad(index) {
  const pad = session.pads[index];
  const { gain, pan, tune, reverse, decay, choke, mute, solo } = pad;
  setLane(index, { sound: rendered.get(index) ?? null, gain, pan, tune, reverse, decay, choke, mute, solo });
}

export async function redraw(index, { category = session.category, quiet = false } = {}) {
  const found = await draw({ seed: nextSeed(), category, temperature: session.temperature });
  await putSound(index, found);
  if (!quiet) { playPad(index); say("A new sound on pad " + (index + 1)); }
}

/** Draws all pads again that are not locked; each keeps its category. */
export async function redrawKit() {
  remember();
  await Promise.all(session.pads.map((pad, i) => (pad.locked ? null : redraw(i, { category: pad.sound?.category ?? categoryFor(i), quiet: true }))));
  say("A new kit around the locked pads");
}

export async function varyPad(index, amount = 0.3, { quiet = false } = {}) {
  const pad = session.pads[index];
  if (pad.sound === null) return;
  const seed = nextSeed(), z = await around({ z: pad.sound.z, amount, seed, index: 0 });
  await putSound(index, { ...pad.sound, z });
  if (!quiet) playPad(index);
}

let steering = null;  // the newest wish while an older one is still being rendered
/** Moves a pad's sound by named controls, in spreads of the corpus, from where it was without them. */
export async function steerPad(index, name, amount) {
  const pad = session.pads[index];
  if (pad.sound === null) return;
  pad.amounts[name] = amount;
  const wish = { index, pad };
  if (steering !== null) { steering = wish; return; }
  steering = wish;
  try {
    while (steering !== null) {
      const now = steering;
      await steerOnce(now);
      if (steering === now) steering = null;
    }
  } catch (error) {
    steering = null;
    say("The sound cannot be moved there: " + error.message);
  }
}

async function steerOnce({ index, pad }) {
  const amounts = Object.fromEntries(Object.entries(pad.amounts).filter(([, value]) => Math.abs(value) > 1e-3));
  const moved = Object.keys(amounts).length ? (await steer({ z: pad.plain, amounts })).z : pad.plain;
  pad.sound = { ...pad.sound, z: Array.from(moved) };
  await refreshPad(index);
  playPad(index);
}

export async function playPad(index, velocity = 1) {
  await wake();
  const pad = session.pads[index], sound = rendered.get(index);
  if (!sound || pad.mute) return;
  const { gain, pan, tune, reverse, decay, choke } = pad;
  play(sound, { gain, pan, tune, reverse, decay, choke, velocity });
  emit("hit", index);
}

/** The selected pad's sound at another pitch, for the keyboard; null where the pad is empty. */
export async function selectedNote(midi) {
  const { sound } = selectedPad();
  return sound === null ? null : { ...sound, z: await atPitch(sound.z, midi) };
}

/** Prepares variations of the selected sound, so that they sound at once. */
export function prepareNear() {
  const pad = selectedPad();
  if (pad.sound) prefetch([pad.sound]);
}
