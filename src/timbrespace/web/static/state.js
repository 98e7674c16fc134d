// What a session holds: sixteen pads, a pattern, favourites; what was done last can be undone. Plain values, so that it is saved as JSON.
const PADS = 16, UNDO = 100;
const listeners = new Map();
const past = [], future = [];

const emptyPad = () => ({
  sound: null,       // {z, category, seed, samples}; null: silent
  plain: null,       // the latent before the controls moved it
  amounts: {},       // of the controls
  locked: false, gain: 1, pan: 0, tune: 0, decay: 0, reverse: false, mute: false, solo: false, choke: 0,
});
const emptyStep = () => ({ on: false, velocity: 0.8, probability: 1, ratchet: 1 });
const emptyLane = () => ({ steps: Array.from({ length: 64 }, emptyStep) });

export const session = {
  pads: Array.from({ length: PADS }, emptyPad),
  selected: 0,
  category: -1, temperature: 1,
  seed: 1,           // of the next draw; every draw takes the next one
  favourites: [],
  own: [],           // the user's sounds on the map: {name, sound, x, y, error in dB or null}
  pattern: { tempo: 112, swing: 0.5, steps: 16, seed: 1, endless: 0, lanes: Array.from({ length: PADS }, emptyLane) },
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
export const savedSession = (instrument) => JSON.stringify({ timbrespace: "session", version: 1, instrument, session }, null, 1);

const isNumber = (value, low, high) => typeof value === "number" && value >= low && value <= high;
const checkedSound = (value, dims) => {
  if (value === null) return null;
  const fine = Array.isArray(value?.z) && value.z.length === dims && value.z.every((x) => isNumber(x, -1e6, 1e6))
    && isNumber(value.category, -1, 10_000) && (isNumber(value.seed, 0, 2 ** 53) || /^\d{1,20}$/.test(value.seed)) && isNumber(value.samples ?? 0, 0, 1e8);
  if (!fine) throw new Error("a sound in it is not one of this instrument");
  return { z: value.z, category: value.category, seed: value.seed, samples: value.samples ?? 0 };
};
const checkedPad = (value, dims) => {
  const pad = emptyPad();
  pad.sound = checkedSound(value.sound, dims);
  pad.plain = Array.isArray(value.plain) && value.plain.length === dims && value.plain.every((x) => isNumber(x, -1e6, 1e6)) ? value.plain : pad.sound?.z ?? null;
  for (const [name, amount] of Object.entries(value.amounts ?? {})) if (isNumber(amount, -3, 3)) pad.amounts[name] = amount;
  for (const name of ["locked", "reverse", "mute", "solo"]) pad[name] = value[name] === true;
  for (const [name, low, high] of [["gain", 0, 4], ["pan", -1, 1], ["tune", -24, 24], ["decay", 0, 10], ["choke", 0, 8]]) if (isNumber(value[name], low, high)) pad[name] = value[name];
  return pad;
};
const checkedOwn = (value, dims) => {
  const sound = checkedSound(value?.sound ?? null, dims);
  return sound && { name: String(value.name ?? "").slice(0, 100), sound, x: isNumber(value.x, 0, 1) ? value.x : 0.5, y: isNumber(value.y, 0, 1) ? value.y : 0.5, error: isNumber(value.error, 0, 1e3) ? value.error : null };
};
const checkedStep = (value) => {
  const step = emptyStep();
  step.on = value?.on === true;
  for (const [name, low, high] of [["velocity", 0, 1], ["probability", 0, 1], ["ratchet", 1, 8]]) if (isNumber(value?.[name], low, high)) step[name] = value[name];
  return step;
};
/** Takes over a session from the text of a file. undoable: undo brings back what was before. Throws an Error in words for a file of something else or of another instrument. */
export function loadSession(text, instrument, dims, { undoable = true } = {}) {
  let file;
  try { file = JSON.parse(text); } catch { throw new Error("it is not a session file"); }
  if (file?.timbrespace !== "session" || typeof file.session !== "object" || file.session === null) throw new Error("it is not a session file");
  if (file.instrument !== instrument) throw new Error("it belongs to another instrument");
  const given = file.session, pads = (given.pads ?? []).slice(0, PADS).map((pad) => checkedPad(pad, dims));
  const pattern = given.pattern ?? {}, lanes = (pattern.lanes ?? []).slice(0, PADS);
  const own = (given.own ?? []).slice(0, 200).map((one) => checkedOwn(one, dims)).filter(Boolean);
  if (undoable) remember();
  session.own = own;
  session.pads = Array.from({ length: PADS }, (_, i) => pads[i] ?? emptyPad());
  session.favourites = (given.favourites ?? []).slice(0, 500).map((one) => checkedSound(one, dims)).filter(Boolean);
  for (const [name, low, high] of [["selected", 0, PADS - 1], ["temperature", 0, 4], ["seed", 0, 2 ** 31]]) if (isNumber(given[name], low, high)) session[name] = given[name];
  for (const [name, low, high] of [["tempo", 30, 300], ["swing", 0.5, 0.75], ["steps", 8, 64], ["seed", 0, 2 ** 31], ["endless", 0, 1]]) if (isNumber(pattern[name], low, high)) session.pattern[name] = pattern[name];
  session.pattern.lanes = Array.from({ length: PADS }, (_, i) => ({ steps: Array.from({ length: 64 }, (_, k) => checkedStep(lanes[i]?.steps?.[k])) }));
  emit("session");
}
