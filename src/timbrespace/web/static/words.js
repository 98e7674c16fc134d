// Sounds asked for in words; the server reads them, the page makes the sounds.
import { session, selectedPad, nextSeed } from "./state.js";
import { changeSounds, playPad } from "./kit.js";
import { askServer, soundFrom } from "./server.js";
import { withWork } from "./work.js";
import { get, say } from "./shapes.js";

export const wordsAsked = () => get("words").value.trim();

export function initWords(instrument) {
  const { dims } = instrument.info;
  get("words-card").hidden = false;
  get("words-form").addEventListener("submit", (event) => { event.preventDefault(); askWords([session.selected], dims, { keepsLocked: false }); });
  get("words-all").addEventListener("click", () => {
    const free = session.pads.map((_, i) => i).filter((i) => !session.pads[i].locked);
    if (free.length) askWords(free, dims, { keepsLocked: true }); else say("All pads are locked");
  });
  document.addEventListener("select-pad", showTarget);
  showTarget();
}
function showTarget() {
  get("words-pad").textContent = "On pad " + (session.selected + 1);
  get("words-like-pad").textContent = "Compared with pad " + (session.selected + 1);
}

let lastAsked = 0;
async function askWords(pads, dims, { keepsLocked }) {
  const text = wordsAsked(), turn = (lastAsked += 1);
  if (!text) { get("words").focus(); say("Write what the sound should be like"); return; }
  const answer = await withWork("“" + shortened(text) + "”", async ({ signal }) => {
    let given = null;
    const done = await changeSounds(pads, async () => {
      const { sound } = selectedPad(), like = get("words-like").checked && sound ? { like: sound.z } : {};
      given = await askServer("prompt", { text, count: pads.length, seed: String(nextSeed()), temperature: session.temperature, ...like }, { signal });
      return given.sounds.map((sound) => soundFrom(sound, dims));
    }, { keepsLocked });
    return { given, done };
  });
  if (turn !== lastAsked) return;  // newer words are on their way
  if (answer === undefined) { showReading(); return; }
  showReading(answer.given);
  if (answer.done.length === 1) playPad(answer.done[0]);
  const failed = answer.given.sounds.length === 0 ? "No sound fits these words" : "Something newer came to the pad meanwhile";
  say(answer.done.length > 1 ? answer.done.length + " pads have new sounds" : answer.done.length ? "A new sound on pad " + (answer.done[0] + 1) : failed);
}
const shortened = (text) => (text.length > 40 ? text.slice(0, 39) + "…" : text);

/** How the words were understood, and which were not. */
function showReading({ understood = "", unknown = [] } = {}) {
  const lines = [].concat(understood).join("\n").split("\n").map((line) => line.trim()).filter(Boolean);
  get("words-understood").textContent = lines.length ? "Understood: " + lines.join(" · ") : "";
  get("words-unknown").textContent = unknown.length ? "Not understood: " + unknown.join(", ") : "";
}
