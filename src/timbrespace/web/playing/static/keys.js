// Pads and keys: each finger holds its own; fingers slide from key to key. One stop of the tab key each, arrows move within.
import { send } from "./link.js";

const SOFT = 45, LOUD = 127, PLAIN = 100, LETTERS = "awsedftgyhujkolp";
const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const down = new Map();  // pointer or key of the computer -> what ends it

const velocity = (event, element) => { const box = element.getBoundingClientRect(); return Math.round(LOUD - (LOUD - SOFT) * Math.min(1, Math.max(0, (event.clientY - box.top) / box.height))); };
const end = (name) => { down.get(name)?.(); down.delete(name); };
/** Lets go all that this page holds. */
export const letGoAll = () => { for (const name of [...down.keys()]) end(name); };

function roving(place, selector) {
  place.onfocusin = (event) => { const own = event.target.closest(selector); if (own) for (const one of place.querySelectorAll(selector)) one.tabIndex = one === own ? 0 : -1; };
  place.querySelectorAll(selector).forEach((one, index) => { one.tabIndex = index ? -1 : 0; });
}
function step(place, selector, from, by) {
  const all = [...place.querySelectorAll(selector)], to = all[all.indexOf(from) + by];
  to?.focus();
}

/** Shows the pads of an instrument. held: whether a pad only chooses a sound. struck: called after each. */
export function showPads(place, names, { held, struck }) {
  place.replaceChildren(...names.map((name, index) => {
    const pad = document.createElement("button");
    pad.className = "pad"; pad.textContent = name; pad.type = "button";
    if (held) pad.setAttribute("aria-pressed", "false");
    const hit = (strength) => {
      send(`/pad/${index + 1}`, strength);
      if (held) for (const one of place.children) one.setAttribute("aria-pressed", String(one === pad));
      pad.classList.add("down");
      struck?.();
    };
    pad.addEventListener("pointerdown", (event) => { if (event.button <= 0) { hit(velocity(event, pad)); down.set(event.pointerId, () => pad.classList.remove("down")); } });
    pad.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 4, ArrowUp: -4 }[event.key];
      if (by) { event.preventDefault(); step(place, ".pad", pad, by); }
      if ((event.key === "Enter" || event.key === " ") && !event.repeat) { event.preventDefault(); hit(PLAIN); down.set(event.code, () => pad.classList.remove("down")); }
    });
    pad.addEventListener("click", (event) => { if (event.detail === 0 && !pad.classList.contains("down")) { hit(PLAIN); pad.classList.remove("down"); } });  // of a screen reader
    return pad;
  }));
  roving(place, ".pad");
}

/** Shows keys from a note on. */
export function showKeys(place, first, count) {
  const keys = new Map();
  const press = (name, note, strength) => {
    if (!keys.has(note)) return;
    end(name);
    send("/mnote", note, strength);
    keys.get(note).classList.add("down");
    down.set(name, () => { send("/mnote", note, 0); keys.get(note)?.classList.remove("down"); });
  };
  const under = (event) => { const key = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".key"); return key && place.contains(key) ? key : null; };
  const notes = new Map();  // pointer -> note
  for (let note = first; note < first + count && note <= 127; note += 1) {
    const key = document.createElement("button"), name = NAMES[note % 12], octave = Math.floor(note / 12) - 1;
    key.type = "button"; key.className = name.length > 1 ? "key black" : "key"; key.dataset.note = note;
    key.textContent = name === "C" ? `C${octave}` : ""; key.setAttribute("aria-label", `${name}${octave}`);
    key.addEventListener("click", (event) => { if (event.detail === 0 && !key.classList.contains("down")) { press("click", note, PLAIN); setTimeout(() => end("click"), 400); } });
    keys.set(note, key);
  }
  place.replaceChildren(...keys.values());
  place.onpointerdown = (event) => {
    const key = under(event);
    if (!key || event.button > 0) return;
    key.releasePointerCapture?.(event.pointerId);
    notes.set(event.pointerId, Number(key.dataset.note));
    press(event.pointerId, Number(key.dataset.note), velocity(event, key));
  };
  place.onpointermove = (event) => {
    const key = notes.has(event.pointerId) ? under(event) : null, note = Number(key?.dataset.note);
    if (key && note !== notes.get(event.pointerId)) { notes.set(event.pointerId, note); press(event.pointerId, note, velocity(event, key)); }
  };
  place.onkeydown = (event) => {
    const own = event.target.closest(".key"), by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], letter = LETTERS.indexOf(event.key);
    if (event.ctrlKey || event.altKey || event.metaKey || !own) return;
    if (by) { event.preventDefault(); step(place, ".key", own, by); }
    if (event.repeat) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(event.code, Number(own.dataset.note), PLAIN); }
    else if (letter >= 0 && event.key.length === 1) press(event.code, first + letter, PLAIN);
  };
  roving(place, ".key");
}
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => end(event.pointerId));
addEventListener("keyup", (event) => end(event.code));
addEventListener("blur", letGoAll);
addEventListener("pagehide", letGoAll);
document.addEventListener("visibilitychange", () => { if (document.hidden) letGoAll(); });
document.addEventListener("contextmenu", (event) => { if (event.target.closest(".pad, .key, .plane, .track")) event.preventDefault(); });
