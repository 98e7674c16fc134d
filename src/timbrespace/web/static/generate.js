// New sounds written into the server's folder, with recipes; shown only where the server has a folder.
import { session, nextSeed } from "./state.js";
import { runJob, followJob } from "./server.js";
import { withWork } from "./work.js";
import { wordsAsked } from "./words.js";
import { get, clamp, say } from "./shapes.js";

const MOST_GENERATED = 1000;

export function initGenerate(instrument) {
  get("folder-card").hidden = false;
  get("folder-form").addEventListener("submit", (event) => { event.preventDefault(); generateFiles(instrument.info.categories); });
  get("words").addEventListener("input", showWordsChoice);
  showWordsChoice();
  const running = runningJob();
  if (running) generated(running.label, (options) => followJob(running.job, options).catch((error) => { if (error.status !== 404) throw error; }));
}
const showWordsChoice = () => { get("folder-words").disabled = wordsAsked() === ""; };

async function generateFiles(kinds) {
  const count = clamp(Math.round(get("folder-count").valueAsNumber) || 1, 1, MOST_GENERATED), asWords = get("folder-words").checked && wordsAsked() !== "";
  get("folder-count").value = count;
  const json = { id: newId(), count, seed: String(nextSeed()), temperature: session.temperature, kit: get("folder-kit").checked };
  if (asWords) json.prompt = wordsAsked(); else if (session.category >= 0) json.category = session.category;
  const kind = asWords ? " as the words say" : session.category >= 0 ? ` (${kinds[session.category]})` : "", many = count === 1 ? "1 sound" : count + " sounds";
  const label = `Generating ${many}${kind}`;
  await generated(label, (options) => runJob("generate", { json }, { ...options, started: (job) => rememberJob({ job, label }) }));
}

async function generated(label, run) {
  get("folder-start").disabled = true;
  const result = await withWork(label, run);
  get("folder-start").disabled = false;
  rememberJob(null);
  if (result === undefined) return;
  const sounds = result.files.filter((name) => /\.wav$/i.test(name)).length;
  get("folder-result").textContent = `${sounds === 1 ? "1 sound is" : sounds + " sounds are"} in the folder “${result.folder}”.`;
  say("Generated: " + result.folder);
}

// The server goes on when the tab shows another instrument or is loaded again; the next page of the tab follows the work.
const JOB_KEY = "timbrespace generating";
function rememberJob(running) {
  try { if (running === null) sessionStorage.removeItem(JOB_KEY); else sessionStorage.setItem(JOB_KEY, JSON.stringify(running)); } catch { /* the tab may keep nothing */ }
}
function runningJob() {
  try { const running = JSON.parse(sessionStorage.getItem(JOB_KEY)); return typeof running?.job === "string" ? running : null; } catch { return null; }
}

/** A random UUID. crypto.randomUUID is missing where the page comes from another computer without encryption. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  return [...bytes].map((byte, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + byte.toString(16).padStart(2, "0")).join("");
}
