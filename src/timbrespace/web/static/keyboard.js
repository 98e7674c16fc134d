// A keyboard for instruments of notes: computer keys, pointer and MIDI; the pitch is decoded, not a sample played faster. Only a bend of
// the pitch while a note sounds plays the sample at another speed.
import { render, prefetch } from "./sounds.js";
import { wake, play, release, bendVoice } from "./audio.js";
import { session, selectedPad, on } from "./state.js";
import { playPad, selectedNote } from "./kit.js";
import { typing } from "./pads.js";
import { initMidi } from "./midi.js";
import { initNoteControls, noteAmounts, setByPlace, setByWheel } from "./note_controls.js";
import { get, make, slider, clamp, say } from "./shapes.js";

const OFFSETS = { a: 0, w: 1, s: 2, e: 3, d: 4, f: 5, t: 6, g: 7, y: 8, h: 9, u: 10, j: 11, k: 12, o: 13, l: 14, p: 15 };
const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const BEND = 2, RECENT = 32;  // semitones of the wheel's ends; voices that a bend moves, those that ring on too
const held = new Map();     // midi number -> {voice, kept}; voice: null while its sound is rendered; kept: by the pedal
const sustained = new Set();  // what the pedal keeps of keys that were let go
const recent = [];          // the voices played last
const pressed = new Map();  // computer key -> midi number that it plays
let lowest = 48, highest = 72, octave = 60, keysOf = {}, pedal = false, bend = 0, bendRow = null;

export function initKeyboard(instrument) {
  const { notes } = instrument.info;
  initMidi(notes ? { noteOn, noteOff, pedal: setPedal, bend: setBend, wheel: (share) => { setByWheel(share); prepare(); }, allOff: releaseAll } : padPlayer);
  if (!notes) return;
  lowest = Math.ceil(instrument.info.lowestPitch); highest = Math.floor(instrument.info.highestPitch);
  octave = clamp(60, firstOctave(), lastOctave());
  const place = get("keyboard");
  place.hidden = false;
  get("keys-hint").textContent = "The keyboard plays the selected pad. Keys A to L play white notes, W E T Y U O P black ones; comma and full stop change the octave. Space starts and stops the beat, Escape ends what sounds.";
  get("octaves").hidden = get("keys-panel").hidden = false;
  get("sustain").addEventListener("click", () => setPedal(!pedal));
  initNoteControls(instrument, prepare);
  bendRow = slider({ id: "bend", label: "Bend", low: -1, high: 1, step: 0.01, value: 0, text: (x) => (Math.abs(x) < 0.005 ? "none" : (x > 0 ? "+" : "−") + Math.abs(BEND * x).toFixed(2) + " st"), oninput: setBend });
  bendRow.addEventListener("change", () => setBend(0));  // it springs back, as a wheel does
  get("keys-panel").append(bendRow);
  get("octave-down").addEventListener("click", () => moveOctave(-12));
  get("octave-up").addEventListener("click", () => moveOctave(12));
  for (let midi = lowest; midi <= highest; midi++) {
    const black = NAMES[midi % 12].length > 1, name = NAMES[midi % 12] + (Math.floor(midi / 12) - 1);
    const key = make("button", { type: "button", className: black ? "key black" : "key", "data-midi": midi, "aria-label": name, tabIndex: midi === octave ? 0 : -1 }, midi % 12 === 0 ? name : "");
    keysOf[midi] = key;
    place.append(key);
  }
  place.addEventListener("pointerdown", (event) => { const midi = Number(event.target.dataset.midi); if (midi) { event.target.setPointerCapture(event.pointerId); setByPlace(event); noteOn(midi, 0.85); } });
  for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, (event) => { const midi = Number(event.target.dataset.midi); if (midi) noteOff(midi); });
  place.addEventListener("keydown", (event) => {
    const midi = Number(event.target.dataset.midi), way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && keysOf[midi + way]) { event.preventDefault(); event.target.tabIndex = -1; keysOf[midi + way].tabIndex = 0; keysOf[midi + way].focus(); }
    if ((event.key === "Enter" || event.key === " ") && !event.repeat) { event.preventDefault(); noteOn(midi, 0.85); }
  });
  place.addEventListener("keyup", (event) => { if (event.key === "Enter" || event.key === " ") noteOff(Number(event.target.dataset.midi)); });
  document.addEventListener("keydown", (event) => {
    if (event.repeat || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "," || event.key === ".") moveOctave(event.key === "." ? 12 : -12);
    const key = event.key.toLowerCase(), midi = octave + OFFSETS[key];
    if (!Number.isNaN(midi) && !held.has(midi)) { pressed.set(key, midi); noteOn(midi, 0.85); }
  });
  document.addEventListener("keyup", (event) => { const key = event.key.toLowerCase(); if (pressed.has(key)) { noteOff(pressed.get(key)); pressed.delete(key); } });
  window.addEventListener("blur", releaseAll);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") releaseAll(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) releaseAll(); });
  showOctave();
  on("pad", (index) => { if (index === session.selected) prepare(); });
}

const firstOctave = () => Math.floor(lowest / 12) * 12, lastOctave = () => Math.floor(highest / 12) * 12;
function moveOctave(by) {
  octave = clamp(octave + by, firstOctave(), lastOctave());
  showOctave();
  prepare();
  say("Keys begin at " + NAMES[octave % 12] + (Math.floor(octave / 12) - 1));
}
/** The letters on the keys that they play now, and that part of the keyboard in view. */
function showOctave() {
  for (const key of Object.values(keysOf)) delete key.dataset.key;
  for (const [letter, offset] of Object.entries(OFFSETS)) if (keysOf[octave + offset]) keysOf[octave + offset].dataset.key = letter.toUpperCase();
  get("octave-down").disabled = octave <= firstOctave();
  get("octave-up").disabled = octave >= lastOctave();
  const first = keysOf[Math.max(octave, lowest)];
  if (first) get("keyboard").scrollLeft = first.offsetLeft - get("keyboard").offsetLeft;
}

async function prepare() {
  if (!selectedPad().sound) return;
  const near = Array.from({ length: 13 }, (_, i) => octave + i).filter((midi) => midi >= lowest && midi <= highest);
  prefetch((await Promise.all(near.map((midi) => selectedNote(midi, noteAmounts())))).filter(Boolean));
}

async function noteOn(midi, velocity) {
  if (midi < lowest || midi > highest || held.has(midi)) return;
  const hold = { voice: null, kept: false };
  held.set(midi, hold);
  keysOf[midi]?.classList.add("down");
  await wake();
  const note = await selectedNote(midi, noteAmounts());
  if (!note) return;
  const sound = await render(note, { urgent: true });
  if (held.get(midi) !== hold && !(hold.kept && pedal)) return;  // let go before it was there
  hold.voice = play(sound, { gain: selectedPad().gain, velocity, key: midi });
  if (hold.kept) sustained.add(hold.voice);
  recent.push(hold.voice);
  if (recent.length > RECENT) recent.shift();
  if (bend !== 0) bendVoice(hold.voice, BEND * bend);
}
function noteOff(midi) {
  const hold = held.get(midi);
  held.delete(midi);
  keysOf[midi]?.classList.remove("down");
  if (hold === undefined) return;
  hold.kept = pedal;
  if (hold.voice === null) return;
  if (pedal) sustained.add(hold.voice); else release(hold.voice);
}
function setPedal(down) {
  pedal = down;
  get("sustain").setAttribute("aria-pressed", String(down));
  if (down) return;
  for (const voice of sustained) release(voice);
  sustained.clear();
}
/** share: of the wheel's way, -1 to 1. */
function setBend(share) {
  bend = share;
  bendRow.show(share);
  for (const voice of recent) bendVoice(voice, BEND * share);
}
/** When the page no longer gets the keys, it does not learn that they are let go. */
function releaseAll() { for (const midi of [...held.keys()]) noteOff(midi); pressed.clear(); setPedal(false); }

const FIRST_PAD = 36;
/** What a MIDI keyboard does with an instrument without notes: keys from 36 up are the pads. */
const padPlayer = { noteOn: (key, velocity) => { if (session.pads[key - FIRST_PAD]) playPad(key - FIRST_PAD, velocity); }, noteOff() {}, pedal() {}, bend() {}, wheel() {}, allOff() {} };
