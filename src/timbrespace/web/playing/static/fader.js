// Faders and planes: every pointer moves its own, so that several fingers play at once; faders also by keys, with names for screen readers.
const faders = new Map();  // address -> fader

/** Adds a fader to a place. options: name, low, high, middle, digits, spring (goes back when let go), changed(value). Returns it. */
export function addFader(place, address, { name, low, high, middle = low <= 0 && high >= 0 ? 0 : low, digits = 2, spring = false, changed }) {
  const row = document.createElement("div"), label = document.createElement("span"), track = document.createElement("div"), text = document.createElement("span");
  row.className = "fader"; track.className = "track";
  label.textContent = name; label.setAttribute("aria-hidden", "true"); text.setAttribute("aria-hidden", "true");
  track.append(document.createElement("i"), document.createElement("b"));
  for (const [key, value] of Object.entries({ role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": low, "aria-valuemax": high, "data-address": address })) track.setAttribute(key, value);
  row.append(label, track, text);
  place.append(row);
  let value = middle, held = null, tapped = 0;
  const part = (x) => 100 * (x - low) / (high - low);
  const show = () => {
    const words = value.toFixed(digits);
    text.textContent = words;
    track.setAttribute("aria-valuenow", words);
    track.style.setProperty("--at", part(value) + "%");
    track.style.setProperty("--from", Math.min(part(value), part(middle)) + "%");
    track.style.setProperty("--wide", Math.abs(part(value) - part(middle)) + "%");
  };
  const move = (next) => {
    next = Math.min(high, Math.max(low, Number(next.toFixed(4))));
    if (next !== value) { value = next; show(); changed(value); }
  };
  const at = (event) => { const box = track.getBoundingClientRect(); return low + (high - low) * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)); };
  const end = (event) => { if (event.pointerId === held) { held = null; if (spring) move(middle); } };
  track.addEventListener("pointerdown", (event) => {
    if (held !== null || event.button > 0) return;
    held = event.pointerId;
    track.setPointerCapture(held);
    const twice = event.timeStamp - tapped < 300;
    tapped = event.timeStamp;
    if (twice) move(middle); else move(at(event));
  });
  track.addEventListener("pointermove", (event) => { if (event.pointerId === held) move(at(event)); });
  track.addEventListener("pointerup", end);
  track.addEventListener("pointercancel", end);
  track.addEventListener("keydown", (event) => {
    const step = (high - low) * (event.shiftKey ? 0.1 : 0.01), large = (high - low) * 0.1;
    const next = { ArrowRight: value + step, ArrowUp: value + step, ArrowLeft: value - step, ArrowDown: value - step, PageUp: value + large, PageDown: value - large, Home: low, End: high, Delete: middle, Backspace: middle }[event.key];
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(next);
  });
  show();
  const fader = { get value() { return value; }, get busy() { return held !== null; }, move, rest: () => move(middle), shown: (next) => { if (held === null && Number.isFinite(next)) { value = Math.min(high, Math.max(low, next)); show(); } } };
  faders.set(address, fader);
  return fader;
}
/** The fader of an address. */
export const faderOf = (address) => faders.get(address);
/** Forgets all faders, before others are made. */
export const forgetFaders = () => faders.clear();

/** Makes a plane of two faders. points: of the map, each x, y, category. Returns a function that shows their place. */
export function makePlane(place, across, up, ranges, points = [], categories = 1) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), dot = document.createElement("b");
  svg.setAttribute("viewBox", "0 0 1 1"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
  for (const [x, y, category] of points) {
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "ellipse");
    for (const [key, value] of Object.entries({ cx: x, cy: 1 - y, rx: 0.008, ry: 0.01, fill: `hsl(${Math.round(360 * Math.max(category, 0) / Math.max(categories, 1))} 60% var(--light))` })) mark.setAttribute(key, value);
    svg.append(mark);
  }
  place.replaceChildren(svg, dot);
  const [[left, right], [bottom, top]] = ranges;
  const show = () => { dot.style.setProperty("--x", 100 * (across.value - left) / (right - left) + "%"); dot.style.setProperty("--y", 100 * (top - up.value) / (top - bottom) + "%"); };
  let held = null;
  const move = (event) => {
    const box = place.getBoundingClientRect(), x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), y = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
    across.move(left + (right - left) * x);
    up.move(top - (top - bottom) * y);
    show();
  };
  place.onpointerdown = (event) => { if (held === null && event.button <= 0) { held = event.pointerId; place.setPointerCapture(held); move(event); } };
  place.onpointermove = (event) => { if (event.pointerId === held) move(event); };
  place.onpointerup = place.onpointercancel = (event) => { if (event.pointerId === held) held = null; };
  show();
  return show;
}
