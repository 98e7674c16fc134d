// The sounds of the pads: drawn, varied, steered, rendered and played.
import { draw, around, steer, render, atPitch } from "./sounds.js";
import { wake, play, setLane } from "./audio.js";
import { session, selectedPad, nextSeed, remember, emit } from "./state.js";
import { clamp, say } from "./shapes.js";

let instrumentOfKit = null;
const rendered = new Map();  // pad number -> Sound
export const soundOfPad = (index) => rendered.get(index);

/** A default kit: the usual places of drums, in the order of General MIDI's first sixteen keys where the instrument has them; for notes
 * the categories in their order. */
const PLACES = [["kick", "bass"], ["snare"], ["clap"], ["rim", "stick", "clave"], ["hat", "hihat"], ["hat", "hihat"], ["tom"], ["tom"],
  ["cymbal", "crash"], ["ride", "cymbal"], ["cowbell", "bell"], ["shaker", "tambourine", "maraca"], ["kick"], ["snare"], ["perc", "conga", "bongo"], ["fx", "noise"]];
const categoryFor = (index) => {
  const { categories: names, notes } = instrumentOfKit.info, pads = PLACES.length;
  if (notes) return names.length ? (names.length > pads ? Math.floor((index * names.length) / pads) : index % names.length) : -1;
  for (const word of PLACES[index]) {
    const found = names.findIndex((name) => name.toLowerCase().includes(word));
    if (found >= 0) return found;
  }
  return names.length ? index % names.length : -1;
};

/** resumed: the pads have their sounds already. */
export async function initKit(instrument, { resumed = false } = {}) {
  instrumentOfKit = instrument;
  if (resumed) { await Promise.all(session.pads.map((_, i) => refreshPad(i))); return; }
  await Promise.all(session.pads.map((_, i) => redraw(i, { category: categoryFor(i), quiet: true })));
}

const turns = Array(session.pads.length).fill(0);  // of each pad: counts what was put on it or is on its way
/** Puts the sound that make returns onto a pad, unless something newer came meanwhile: a sound, an undo, a session. Returns whether it did. */
export async function changeSound(index, makeSound) {
  const pad = session.pads[index], turn = (turns[index] += 1);
  const sound = await makeSound(pad);
  if (pad !== session.pads[index] || turn !== turns[index]) return false;
  await putSound(index, sound);
  return pad === session.pads[index];
}

/** Puts what ask returns onto pads, sounds[k] onto indices[k], as one step of undo. A pad keeps what came to it meanwhile, and if keepsLocked
 * also what was locked. Returns the numbers of the pads that got a sound. */
export async function changeSounds(indices, ask, { keepsLocked = false } = {}) {
  const pads = indices.map((index) => session.pads[index]), own = indices.map((index) => (turns[index] += 1)), sounds = await ask();
  const puts = indices.flatMap((index, k) => (pads[k] === session.pads[index] && own[k] === turns[index] && sounds[k] && !(keepsLocked && pads[k].locked) ? [[index, sounds[k]]] : []));
  if (puts.length === 0) return [];
  remember();
  await Promise.all(puts.map(([index, sound]) => putSound(index, sound)));
  return puts.map(([index]) => index);
}

/** Puts a sound onto a pad and renders it. */
export async function putSound(index, sound) {
  const pad = session.pads[index];
  turns[index] += 1;
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
  const pitch = instrumentOfKit.info.notes ? kitPitch() : undefined;
  const done = await changeSound(index, () => draw({ seed: nextSeed(), category, temperature: session.temperature, pitch }));
  if (done && !quiet) { playPad(index); say("A new sound on pad " + (index + 1)); }
  return done;
}
/** The pads of an instrument of notes have one pitch, so that they are compared by their timbre: middle C, or the nearest it has. */
const kitPitch = () => clamp(60, instrumentOfKit.info.lowestPitch, instrumentOfKit.info.highestPitch);

/** Draws all pads again that are not locked; each keeps its category. */
export async function redrawKit() {
  remember();
  const drawn = await Promise.all(session.pads.map((pad, i) => !pad.locked && redraw(i, { category: pad.sound?.category ?? categoryFor(i), quiet: true })));
  if (drawn.some(Boolean)) say(session.pads.some((pad) => pad.locked) ? "A new kit around the locked pads" : "A new kit");
  else if (session.pads.every((pad) => pad.locked)) say("All pads are locked");
}

export async function varyPad(index, amount = 0.3, { quiet = false } = {}) {
  const { sound } = session.pads[index];
  if (sound === null) return;
  const done = await changeSound(index, async () => ({ ...sound, z: await around({ z: sound.z, amount, seed: nextSeed(), index: 0 }) }));
  if (done && !quiet) playPad(index);
}

const steered = new Map();  // pad number -> the pad whose controls moved while another sound was rendered
let steering = false;
/** Moves a pad's sound by named controls, in spreads of the corpus, from where it was without them. */
export async function steerPad(index, name, amount) {
  const pad = session.pads[index];
  if (pad.sound === null) return;
  pad.amounts[name] = amount;
  steered.set(index, pad);
  if (steering) return;
  steering = true;
  try {
    while (steered.size > 0) {
      const [[number, moved]] = steered;
      steered.delete(number);
      await steerOnce(number, moved);
    }
  } catch (error) {
    steered.clear();
    say("The sound cannot be moved there: " + error.message);
  } finally { steering = false; }
}

async function steerOnce(index, pad) {
  const { plain } = pad, amounts = Object.fromEntries(Object.entries(pad.amounts).filter(([, value]) => Math.abs(value) > 1e-3));
  const moved = Object.keys(amounts).length ? (await steer({ z: plain, amounts })).z : plain;
  if (pad !== session.pads[index] || pad.plain !== plain) return;  // undone, or another sound
  pad.sound = { ...pad.sound, z: Array.from(moved) };
  await refreshPad(index);
  if (pad === session.pads[index]) playPad(index);
}

export async function playPad(index, velocity = 1) {
  await wake();
  const pad = session.pads[index], sound = rendered.get(index);
  if (!sound || pad.mute) return;
  const { gain, pan, tune, reverse, decay, choke } = pad;
  play(sound, { gain, pan, tune, reverse, decay, choke, velocity });
  emit("hit", index);
}

/** The selected pad's sound at another pitch, for the keyboard, moved by named controls; null where the pad is empty. */
export async function selectedNote(midi, amounts = {}) {
  const { sound } = selectedPad();
  if (sound === null) return null;
  const z = await atPitch(sound.z, midi);
  return { ...sound, z: Object.keys(amounts).length ? await atPitch((await steer({ z, amounts })).z, midi) : z };
}
