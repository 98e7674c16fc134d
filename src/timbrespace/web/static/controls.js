// Sliders of the named controls, the category and temperature of new sounds, and a plane of two controls.
import { session, selectedPad, remember, nextSeed, on } from "./state.js";
import { varyPad, steerPad, changeSound, playPad } from "./kit.js";
import { draw } from "./sounds.js";
import { get, make, slider, clamp, say } from "./shapes.js";

const sliders = {};
let controls = [];

/** A value of a control in its unit, as people read it. */
function inUnit(control, place) {
  const value = control.logarithmic ? 2 ** place : place;
  if (control.unit === "Hz") return value < 999.5 ? Math.round(value) + " Hz" : (value / 1000).toFixed(1) + " kHz";
  if (control.unit === "s") return value < 0.9995 ? Math.round(value * 1000) + " ms" : value.toFixed(1) + " s";
  return (Math.abs(value) >= 10 ? value.toFixed(0) : value.toFixed(2)) + (control.unit ? " " + control.unit : "");
}
export const amountText = (control) => (amount) => {
  if (Math.abs(amount) < 0.05) return "as it is";
  const word = amount > 0 ? control.more : control.less, change = Math.abs(amount * control.spread);
  const size = control.logarithmic ? (change < 0.995 ? "× " + (2 ** (amount * control.spread)).toFixed(2) : "× " + (2 ** (amount * control.spread)).toFixed(1)) : (amount > 0 ? "+" : "−") + inUnit({ ...control, logarithmic: false }, change);
  return word + " " + size;
};

/** The controls that move a sound: of notes not the pitch, which the keys set. */
export const steerable = ({ info }) => info.controls.filter((control) => control.name !== "pitch" || !info.notes);
/** The least and the most of a control, in spreads. */
export const rangeOf = (control) => [clamp(control.low, -3, 0), clamp(control.high, 0, 3)];

export function initControls(instrument) {
  controls = steerable(instrument);
  const names = instrument.info.categories;
  const category = get("category");
  category.append(make("option", { value: -1, textContent: "Any kind" }), ...names.map((name, i) => make("option", { value: i, textContent: name })));
  category.addEventListener("change", () => { session.category = Number(category.value); document.dispatchEvent(new CustomEvent("category")); });
  const temperature = slider({ id: "temperature", label: "Temperature", low: 0, high: 2, step: 0.05, value: session.temperature, back: 1, text: (x) => (x < 0.03 ? "the middles" : x.toFixed(2)), oninput: (x) => { session.temperature = x; } });
  get("new-panel").append(temperature);
  get("surprise").addEventListener("click", surprise);
  get("different").addEventListener("click", () => { remember(); varyPad(session.selected, 0.25); say("A little different"); });
  const place = get("controls");
  for (const control of controls) {
    sliders[control.name] = slider({
      id: "control-" + control.name, label: control.name.replace("_", " "), low: clamp(control.low, -3, 0), high: clamp(control.high, 0, 3), step: 0.05, value: 0,
      text: amountText(control), onstart: () => remember(), oninput: (amount) => { steerPad(session.selected, control.name, amount); },
    });
    place.append(sliders[control.name]);
  }
  get("controls-card").hidden = controls.length === 0;
  initPlane();
  document.addEventListener("select-pad", showControls);
  on("pad", (index) => { if (index === session.selected) showControls(); });
  on("session", () => { category.value = session.category; temperature.show(session.temperature); showControls(); });
  showControls();
}

function showControls() {
  for (const control of controls) sliders[control.name].show(selectedPad().amounts[control.name] ?? 0);
  showPlane();
}

async function surprise() {
  remember();
  const index = session.selected;
  if (!await changeSound(index, () => draw({ seed: nextSeed(), category: session.category, temperature: Math.max(session.temperature, 1.2) }))) return;
  playPad(index);
  say("Surprise on pad " + (index + 1));
}

// --- a plane of two controls -----------------------------------------------------------------------------------------
let across, up;
function initPlane() {
  const plane = get("plane");
  get("plane-card").hidden = controls.length < 2;
  if (controls.length < 2) return;
  across = get("plane-x"); up = get("plane-y");
  for (const [select, first] of [[across, 0], [up, 1]]) {
    select.append(...controls.map((control, i) => make("option", { value: control.name, textContent: control.name.replace("_", " "), selected: i === first })));
    select.addEventListener("change", showPlane);
  }
  let held = false;
  const touch = (event) => {
    const box = plane.getBoundingClientRect();
    setFromPlane(clamp((event.clientX - box.left) / box.width, 0, 1), clamp(1 - (event.clientY - box.top) / box.height, 0, 1));
  };
  plane.addEventListener("pointerdown", (event) => { if (event.button !== 0) return; held = true; remember(); plane.setPointerCapture(event.pointerId); touch(event); });
  plane.addEventListener("pointermove", (event) => { if (held) touch(event); });
  for (const name of ["pointerup", "pointercancel"]) plane.addEventListener(name, () => { held = false; });
}
const named = (name) => controls.find((control) => control.name === name);
function setFromPlane(x, y) {
  for (const [select, share] of [[across, x], [up, y]]) {
    const [low, high] = rangeOf(named(select.value)), amount = low + share * (high - low);
    sliders[select.value].show(amount);
    steerPad(session.selected, select.value, amount);
  }
  showPlane();
}
function showPlane() {
  if (!across) return;
  const dot = get("plane").firstElementChild;
  const share = (name) => { const [low, high] = rangeOf(named(name)); return ((selectedPad().amounts[name] ?? 0) - low) / (high - low); };
  dot.style.left = share(across.value) * 100 + "%";
  dot.style.top = (1 - share(up.value)) * 100 + "%";
  const zero = (name) => { const [low, high] = rangeOf(named(name)); return -low / (high - low); };  // lines where the sound is as it is
  get("plane").style.setProperty("--x", zero(across.value) * 100 + "%");
  get("plane").style.setProperty("--y", (1 - zero(up.value)) * 100 + "%");
}
