// What a session holds: sixteen pads, a pattern, favourites; what was done last can be undone. Plain values, so that it is saved as JSON.
import { number, whole, oneOf, words, flag, seedText, orNull, listOf, recordOf, numbersOf } from "./checked.js";

const PADS = 16, STEPS = 64, UNDO = 100;
export const FAVOURITES = 500, OWN = 200, LENGTHS = [8, 12, 16, 32, 64];  // the most of them; lengths of a pattern in steps
const listeners = new Map();
const past = [], future = [];

const emptyPad = () => ({
  sound: null,       // {z, category, seed, samples}, the seed as decimal digits; null: silent
  plain: null,       // the latent before the controls moved it
  amounts: {},       // of the controls
  locked: false, gain: 1, pan: 0, tune: 0, decay: 0, reverse: false, mute: false, solo: false, choke: 0,
});
const emptyStep = () => ({ on: false, velocity: 0.8, probability: 1, ratchet: 1 });
const emptyLane = () => ({ steps: Array.from({ length: STEPS }, emptyStep) });
const emptyKeys = () => ({ up: "", across: "", upAmount: 0, acrossAmount: 0, place: false });  // controls by where a key is touched, see note_controls.js
const emptyPattern = () => ({ tempo: 112, swing: 0.5, steps: 16, seed: 1, endless: 0, lanes: Array.from({ length: PADS }, emptyLane) });

export const session = {
  pads: Array.from({ length: PADS }, emptyPad),
  selected: 0,
  category: -1, temperature: 1,
  seed: 1,           // of the next draw; every draw takes the next one
  favourites: [],
  own: [],           // the user's sounds on the map: {name, sound, x, y, error in dB or null}
  pattern: emptyPattern(),
  keys: emptyKeys(),
};

export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}
export function emit(name, detail) { for (const listener of listeners.get(name) ?? []) listener(detail); }

export const selectedPad = () => session.pads[session.selected];
export const nextSeed = () => { session.seed = (session.seed + 1) % 2 ** 31; return session.seed; };

// --- undo ------------------------------------------------------------------------------------------------------------
const snapshot = () => JSON.stringify(session);
/** Seeds are not taken back: what is drawn after an undo is something else than what was undone. */
const restore = (text) => { const { seed } = session; Object.assign(session, JSON.parse(text), { seed }); emit("session"); emit("undo"); };
/** Remembers the session as it is, before something changes it. key: changes with the same key right after one another are one. */
let lastKey = null;
export function remember(key = null) {
  if (key !== null && key === lastKey) return;
  lastKey = key;
  past.push(snapshot());
  if (past.length > UNDO) past.shift();
  future.length = 0;
  emit("undo");
}
export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;
export function undo() { if (canUndo()) { future.push(snapshot()); lastKey = null; restore(past.pop()); } }
export function redo() { if (canRedo()) { past.push(snapshot()); lastKey = null; restore(future.pop()); } }

// --- files -----------------------------------------------------------------------------------------------------------
const VERSION = 2;  // 1 had seeds as numbers, of 53 bits at most
export const savedSession = (instrument) => JSON.stringify({ timbrespace: "session", version: VERSION, instrument, session }, null, 1);

const missing = (value) => [() => value];
/** What a session of an instrument {dims, capacity, categories, controls} holds. */
function sessionCheck({ dims, capacity, categories, controls }) {
  const latent = listOf(number(-1e3, 1e3), dims, dims), category = whole(-1, categories.length - 1);
  const sound = recordOf({ z: [latent], category: [category], seed: [seedText], samples: [whole(0, capacity), ...missing(0)] });
  const same = (fields, plain) => Object.fromEntries(Object.entries(fields).map(([name, check]) => [name, [check, ...missing(plain[name])]]));
  const own = recordOf({ name: [words(300)], sound: [sound], x: [number(0, 1)], y: [number(0, 1)], error: [orNull(number(0, 1e3)), ...missing(null)] });
  const pad = recordOf(same({
    sound: orNull(sound), plain: orNull(latent), amounts: numbersOf(controls.map(({ name }) => name), -3, 3), locked: flag, reverse: flag, mute: flag, solo: flag,
    gain: number(0, 4), pan: number(-1, 1), tune: number(-24, 24), decay: number(0, 10), choke: whole(0, 4),
  }, emptyPad()));
  const control = oneOf("", ...controls.map(({ name }) => name)), keys = recordOf(same({ up: control, across: control, upAmount: number(-3, 3), acrossAmount: number(-3, 3), place: flag }, emptyKeys()));
  const step = recordOf(same({ on: flag, velocity: number(0, 1), probability: number(0, 1), ratchet: whole(1, 8) }, emptyStep()));
  const lane = recordOf({ steps: [listOf(step, 0, STEPS), ...missing([])] });
  const pattern = recordOf(same({
    tempo: number(30, 300), swing: number(0.5, 0.75), steps: oneOf(...LENGTHS), seed: whole(0, 2 ** 31), endless: number(0, 1), lanes: listOf(lane, 0, PADS),
  }, { ...emptyPattern(), lanes: [] }));
  return recordOf(same({
    pads: listOf(pad, 0, PADS), selected: whole(0, PADS - 1), category, temperature: number(0, 4), seed: whole(0, 2 ** 31), favourites: listOf(sound, 0, FAVOURITES), own: listOf(own, 0, OWN), pattern, keys,
  }, { pads: [], selected: 0, category: -1, temperature: 1, seed: 1, favourites: [], own: [], pattern: {}, keys: {} }));
}
const filled = (list, length, empty) => Array.from({ length }, (_, i) => list[i] ?? empty());

/** Takes over a session from the text of a file, whole or not at all. Throws an Error in words for a file of something else, of another
 * instrument, or with a field that no session of this instrument has. info: of the instrument. undoable: undo brings back what was before. */
export function loadSession(text, info, { undoable = true } = {}) {
  let file;
  try { file = JSON.parse(text); } catch { throw new Error("it is not a session file"); }
  if (file?.timbrespace !== "session") throw new Error("it is not a session file");
  if (file.instrument !== info.fingerprint) throw new Error("it belongs to another instrument");
  if (!(Number.isInteger(file.version) && file.version >= 1 && file.version <= VERSION)) throw new Error("it was saved by a newer page");
  const given = sessionCheck(info)(file.session, "session");
  for (const pad of given.pads) pad.plain = pad.sound && (pad.plain ?? pad.sound.z);
  given.pads = filled(given.pads, PADS, emptyPad);
  given.pattern.lanes = filled(given.pattern.lanes, PADS, emptyLane);
  for (const one of given.pattern.lanes) one.steps = filled(one.steps, STEPS, emptyStep);
  if (undoable) remember();
  Object.assign(session, given);
  emit("session");
}
