// Taking out: sounds, kits, patterns and sessions as files.
import { record, renderPattern } from "./audio.js";
import { session, savedSession, loadSession } from "./state.js";
import { soundOfPad } from "./kit.js";
import { titleOfPad } from "./pads.js";
import { wavFile, zipFile, sfzText, decentSamplerText, midiFile, textBytes } from "./files.js";
import { get, say } from "./shapes.js";

const KEYS_OF_PADS = [36, 38, 39, 37, 42, 46, 41, 45, 49, 51, 56, 70, 35, 40, 63, 57];  // General MIDI where there is a place
let instrumentOfFiles = null, recording = false;

export function initTakeout(instrument) {
  instrumentOfFiles = instrument;
  get("take-sound").addEventListener("click", () => takeSound(session.selected));
  get("take-kit").addEventListener("click", takeKit);
  get("take-pattern").addEventListener("click", takePattern);
  get("take-midi").addEventListener("click", takeMidi);
  get("take-session").addEventListener("click", () => hand("session.json", textBytes(savedSession(instrument.info.fingerprint)), "application/json"));
  get("record").addEventListener("click", toggleRecord);
  initDragOut();
  get("load-session").addEventListener("change", loadFile);
}

export function hand(name, bytes, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say(name);
}
const two = (number) => String(number).padStart(2, "0");
const fileName = (index) => `${two(index + 1)} ${titleOfPad(index).replace(/[^\p{L}\p{N} _-]/gu, "_")}.wav`;

/** A pad dragged to a folder or another program is its WAV: Chromium and its kin take a file from an address in the page. */
function initDragOut() {
  if (!navigator.userAgentData?.brands.some(({ brand }) => brand === "Chromium")) return;
  get("drag-hint").hidden = false;
  document.querySelectorAll(".pad").forEach((pad, index) => {
    pad.draggable = true;
    pad.addEventListener("dragstart", (event) => {
      const sound = soundOfPad(index);
      if (!sound) { event.preventDefault(); return; }
      const address = URL.createObjectURL(new Blob([wavFile(sound.channels, sound.sampleRate)], { type: "audio/wav" }));
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", `audio/wav:${fileName(index)}:${address}`);
      setTimeout(() => URL.revokeObjectURL(address), 120_000);
    });
  });
}

function takeSound(index) {
  const sound = soundOfPad(index);
  if (sound) hand(fileName(index), wavFile(sound.channels, sound.sampleRate), "audio/wav");
}

function takeKit() {
  const used = session.pads.map((_, i) => i).filter((i) => soundOfPad(i)), title = instrumentOfFiles.info.title + " kit";
  const samples = used.map((i) => ({ file: fileName(i), key: KEYS_OF_PADS[i], choke: session.pads[i].choke }));
  const files = used.map((i) => ({ name: fileName(i), bytes: wavFile(soundOfPad(i).channels, soundOfPad(i).sampleRate) }));
  files.push({ name: "kit.sfz", bytes: textBytes(sfzText(title, samples)) }, { name: "kit.dspreset", bytes: textBytes(decentSamplerText(title, samples)) });
  hand("kit.zip", zipFile(files), "application/zip");
}

async function takePattern() {
  const { channels, sampleRate } = await renderPattern(4);
  hand("pattern.wav", wavFile(channels, sampleRate), "audio/wav");
}

function takeMidi() {
  const { steps, lanes, swing, tempo } = session.pattern, notes = [];
  lanes.forEach((lane, i) => lane.steps.slice(0, steps).forEach((step, k) => {
    if (!step.on) return;
    const at = (Math.floor(k / 2) * 2 + (k % 2) * 2 * swing) / 4;
    for (let n = 0; n < step.ratchet; n++) notes.push({ beat: at + n / (4 * step.ratchet), beats: 0.2 / step.ratchet, key: KEYS_OF_PADS[i], velocity: Math.max(1, Math.round(step.velocity * 127)) });
  }));
  hand("pattern.mid", midiFile(notes, tempo), "audio/midi");
}

async function toggleRecord() {
  recording = !recording;
  get("record").setAttribute("aria-pressed", String(recording));
  get("record").textContent = recording ? "Stop recording" : "Record";
  const result = await record(recording);
  if (!recording && result?.channels[0].length) hand("recording.wav", wavFile(result.channels, result.sampleRate), "audio/wav");
}

function loadFile(event) {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) loadSessionFile(file);
}
export async function loadSessionFile(file) {
  try {
    if (file.size > 20e6) throw new Error("it is too big for a session");
    loadSession(await file.text(), instrumentOfFiles.info);
    say("Session " + file.name);
  } catch (error) { say(`${file.name} cannot be loaded: ${error.message}.`); }
}
