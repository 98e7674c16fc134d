// The sixteen pads and what belongs to the one that is selected.
import { stopAll } from "./audio.js";
import { session, selectedPad, remember, on, undo, redo, canUndo, canRedo } from "./state.js";
import { redraw, redrawKit, varyPad, playPad, soundOfPad, laneOfPad, refreshPad } from "./kit.js";
import { get, make, slider, say, shortSeconds, colourOf } from "./shapes.js";

const KEYS = ["1", "2", "3", "4", "q", "w", "e", "r", "a", "s", "d", "f", "z", "x", "c", "v"];
const buttons = [], rows = {};
let names = [];

export function initPads(instrument) {
  names = instrument.info.categories;
  for (let i = 0; i < KEYS.length; i++) {
    const button = make("button", { className: "pad", type: "button" },
      make("span", { className: "wave", "aria-hidden": "true" }), make("span", { className: "name" }));
    if (!instrument.info.notes) { button.dataset.key = KEYS[i].toUpperCase(); button.setAttribute("aria-keyshortcuts", KEYS[i]); }  // else the keys play notes
    button.addEventListener("pointerdown", (event) => { if (event.button === 0) { selectPad(i); playPad(i, velocityAt(event)); } });
    button.addEventListener("click", (event) => { if (event.detail === 0) { selectPad(i); playPad(i); } });  // by keyboard
    button.addEventListener("focus", () => selectPad(i));
    buttons.push(button);
  }
  get("pads").append(...buttons);
  get("pads").addEventListener("keydown", moveBetweenPads);
  document.addEventListener("keydown", playByKey);
  const panel = get("pad-panel");
  for (const [name, label, low, high, step, text] of [
    ["gain", "Gain", 0, 2, 0.01, (x) => (x <= 0.005 ? "−∞ dB" : (20 * Math.log10(x)).toFixed(1) + " dB")],
    ["pan", "Pan", -1, 1, 0.05, (x) => (Math.abs(x) < 0.03 ? "middle" : Math.round(Math.abs(x) * 100) + (x < 0 ? " left" : " right"))],
    ["tune", "Tune", -24, 24, 1, (x) => (x > 0 ? "+" : "") + x + " st"],
    ["decay", "Decay", 0, 2, 0.01, (x) => (x < 0.005 ? "whole" : shortSeconds(x))],
  ]) {
    rows[name] = slider({ id: "pad-" + name, label, low, high, step, value: selectedPad()[name], text, onstart: () => remember(),
      oninput: (value) => { selectedPad()[name] = value; laneOfPad(session.selected); playPad(session.selected); } });
    panel.append(rows[name]);
  }
  const choke = make("select", { id: "pad-choke" }, ...[0, 1, 2, 3, 4].map((n) => make("option", { value: n, textContent: n ? "Group " + n : "None" })));
  choke.addEventListener("change", () => { remember(); selectedPad().choke = Number(choke.value); laneOfPad(session.selected); });
  panel.append(make("div", { className: "slider" }, make("label", { for: "pad-choke", textContent: "Choke" }), choke));
  rows.choke = { show: (value) => { choke.value = value; } };
  for (const name of ["locked", "reverse", "mute", "solo"]) {
    get("pad-" + name).addEventListener("click", () => {
      remember();
      const pad = selectedPad();
      pad[name] = !pad[name];
      laneOfPad(session.selected);
      showPads();
      if (name === "reverse") playPad(session.selected);
    });
  }
  get("pad-new").addEventListener("click", () => { remember(); redraw(session.selected, { category: selectedPad().sound?.category ?? session.category }); });
  get("pad-vary").addEventListener("click", () => { remember(); varyPad(session.selected, 0.3); say("A little different"); });
  get("kit-new").addEventListener("click", redrawKit);
  get("undo").addEventListener("click", undo);
  get("redo").addEventListener("click", redo);
  on("pad", (index) => { showPad(index); if (index === session.selected) showPanel(); });
  on("hit", flash);
  on("undo", () => { get("undo").disabled = !canUndo(); get("redo").disabled = !canRedo(); });
  on("session", () => { session.pads.forEach((_, i) => refreshPad(i, { urgent: false })); showPads(); });
  showPads();
}

const velocityAt = (event) => { const box = event.currentTarget.getBoundingClientRect(); return 0.55 + 0.45 * (1 - Math.abs((event.clientY - box.top) / box.height - 0.5)); };

export function selectPad(index) {
  if (index === session.selected) return;
  session.selected = index;
  showPads();
  document.dispatchEvent(new CustomEvent("select-pad"));
}

export const titleOfPad = (index) => {
  const sound = session.pads[index].sound;
  return sound === null ? "empty" : sound.category >= 0 ? names[sound.category] : "sound";
};

function showPad(index) {
  const pad = session.pads[index], button = buttons[index], title = titleOfPad(index), marks = [];
  if (pad.locked) marks.push("locked");
  if (pad.mute) marks.push("muted");
  if (pad.solo) marks.push("solo");
  button.style.setProperty("--own", colourOf(pad.sound?.category ?? -1));
  button.className = "pad" + (index === session.selected ? " selected" : "") + marks.map((mark) => " " + mark).join("");
  button.querySelector(".name").textContent = title;
  button.querySelector(".wave").style.clipPath = waveOf(index);
  button.tabIndex = index === session.selected ? 0 : -1;
  button.setAttribute("aria-label", ["Pad " + (index + 1), title, ...marks].join(", "));
  button.setAttribute("aria-current", String(index === session.selected));
}

/** The outline of a sound as a clip path. */
function waveOf(index) {
  const sound = soundOfPad(index);
  if (!sound) return "inset(49% 0)";
  const samples = sound.channels[0], points = 32, tops = [];
  for (let k = 0; k < points; k++) {
    let most = 0;
    const end = Math.floor(((k + 1) * samples.length) / points);
    for (let i = Math.floor((k * samples.length) / points); i < end; i += 4) most = Math.max(most, Math.abs(samples[i]));
    tops.push(most);
  }
  const at = (k, y) => ((k / (points - 1)) * 100).toFixed(1) + "% " + y.toFixed(1) + "%";
  const upper = tops.map((top, k) => at(k, 50 - 48 * Math.max(0.02, top))), lower = tops.map((top, k) => at(k, 50 + 48 * Math.max(0.02, top))).reverse();
  return "polygon(" + [...upper, ...lower].join(", ") + ")";
}

function showPanel() {
  const pad = selectedPad(), sound = soundOfPad(session.selected);
  get("pad-title").textContent = "Pad " + (session.selected + 1) + " · " + titleOfPad(session.selected);
  get("pad-length").textContent = sound ? shortSeconds(sound.seconds) : "";
  for (const name of ["gain", "pan", "tune", "decay", "choke"]) rows[name].show(pad[name]);
  for (const name of ["locked", "reverse", "mute", "solo"]) get("pad-" + name).setAttribute("aria-pressed", String(pad[name]));
}

export function showPads() { buttons.forEach((_, i) => showPad(i)); showPanel(); }

function flash(index) {
  const button = buttons[index];
  button.classList.remove("hit");
  void button.offsetWidth;  // starts the animation again
  button.classList.add("hit");
}

function moveBetweenPads(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -4, ArrowDown: 4 }[event.key];
  if (step === undefined) return;
  const next = session.selected + step;
  if (next < 0 || next >= buttons.length) return;
  event.preventDefault();
  buttons[next].focus();
}

export const typing = (event) => /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range";

function playByKey(event) {
  if (event.repeat || typing(event) || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "z" || event.key === "Z") { event.preventDefault(); event.shiftKey ? redo() : undo(); }
    if (event.key === "y") { event.preventDefault(); redo(); }
    return;
  }
  if (event.key === "Escape") { stopAll(); return; }
  const index = KEYS.indexOf(event.key.toLowerCase());
  if (index >= 0 && get("keyboard").hidden) { event.preventDefault(); selectPad(index); playPad(index, event.shiftKey ? 1 : 0.85); }
}
