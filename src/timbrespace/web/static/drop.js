// Sound files dropped onto the page or a pad, or chosen: the server encodes them. A page opened from disk says what it cannot do.
import { session, remember, nextSeed } from "./state.js";
import { changeSounds, playPad } from "./kit.js";
import { selectPad } from "./pads.js";
import { loadSessionFile } from "./takeout.js";
import { runJob, soundFrom } from "./server.js";
import { withWork, notice } from "./work.js";
import { addOwn, keepOriginal } from "./own.js";
import { get, say } from "./shapes.js";

const LARGEST_FILE = 20e6, MOST_FILES = 16;
const OFFLINE = "A page opened from disk cannot take in sounds: encoding needs Python. The same page can when it is served: pip install 'timbrespace[web]', then timbrespace serve with the instrument's file. A session file can be dropped here too.";
let dims = 0, encodes = false;

export function initDrop(instrument) {
  ({ dims } = instrument.info);
  encodes = instrument.server !== null;
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) showDropTarget(null); });
  document.addEventListener("drop", drop);
  get("own-files").addEventListener("change", (event) => { const files = [...event.target.files]; event.target.value = ""; takeFiles(files, session.selected); });
}

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const padUnder = (event) => [...document.querySelectorAll(".pad")].indexOf(event.target.closest?.(".pad"));
function over(event) {
  if (!holdsFiles(event)) return;
  event.preventDefault();  // else the browser leaves the page for the file
  event.dataTransfer.dropEffect = "copy";
  const pad = padUnder(event);
  showDropTarget(pad < 0 ? session.selected : pad);
}
function showDropTarget(index) {
  document.body.classList.toggle("dropping", index !== null);
  document.querySelectorAll(".pad").forEach((pad, i) => pad.classList.toggle("target", i === index && encodes));
}
function drop(event) {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  showDropTarget(null);
  const folder = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folder) { notice("A folder cannot be dropped. Open it and drop its files."); return; }
  const pad = padUnder(event);
  takeFiles([...event.dataTransfer.files], pad < 0 ? session.selected : pad);
}

/** The first file goes to the given pad, more to the unlocked ones after it; one at a time, so that the first sounds soon. */
async function takeFiles(files, first) {
  const sessions = files.filter(({ name, type }) => /\.json$/i.test(name) || type === "application/json"), sounds = files.filter((file) => !sessions.includes(file));
  if (sessions.length) await loadSessionFile(sessions[0]);
  if (!sounds.length) return;
  if (!encodes) { notice(OFFLINE); return; }
  const targets = [first, ...session.pads.map((_, i) => i).filter((i) => i > first && !session.pads[i].locked)];
  const taken = sounds.slice(0, Math.min(MOST_FILES, targets.length));
  if (taken.length < sounds.length) notice(`${taken.length} of ${sounds.length} files were taken: one for each pad from ${first + 1} on that is not locked.`);
  if (targets[0] !== session.selected) selectPad(first);
  await Promise.all(taken.map((file, k) => encodeFile(file, targets[k])));
}

let queue = Promise.resolve();
function encodeFile(file, index) {
  if (file.size === 0) { notice("the file is empty", { about: file.name }); return null; }
  if (file.size > LARGEST_FILE) { notice(`it has ${(file.size / 1e6).toFixed(0)} MB; at most ${LARGEST_FILE / 1e6} MB are encoded. Cut the sound out and drop that.`, { about: file.name }); return null; }
  const mine = queue, done = withWork("Encoding " + file.name, async ({ signal, progress }) => {
    progress(0, 0, true);
    await Promise.race([mine, new Promise((_, cancelled) => { signal.addEventListener("abort", () => cancelled(signal.reason), { once: true }); })]);
    let given = null;
    const pads = await changeSounds([index], async () => { given = await encoded(file, { signal, progress }); return [given.sound]; });
    if (!pads.length) remember();  // something newer is on the pad; the sound is kept beside it
    addOwn(given);
    file.arrayBuffer().then((bytes) => keepOriginal(given.name, bytes)).catch(() => {});
    if (pads.length) playPad(index);
    say(pads.length ? `${given.name} on pad ${index + 1}, as the instrument reconstructs it` + (given.error === null ? "" : ` (error ${given.error.toFixed(1)} dB)`) : given.name + " is on the map");
  }, { name: file.name });
  queue = done.catch(() => {});
  return done;
}

async function encoded(file, { signal, progress }) {
  const bytes = await file.arrayBuffer().catch(() => { throw new Error("the file cannot be read"); });
  const name = file.name.slice(0, 100), found = await runJob("encode", { bytes, headers: { "X-Name": encodeURIComponent(name.toWellFormed?.() ?? name) } }, { signal, progress });
  const error = Number.isFinite(found.error_db) ? found.error_db : null;
  return { name, error, neighbours: found.neighbours ?? [], sound: soundFrom({ seed: nextSeed(), ...found }, dims) };
}
