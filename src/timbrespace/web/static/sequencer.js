// The step sequencer: sixteen lanes, one a pad, played by the core's scheduler.
import { setPattern, start, stop, position, onposition, wake } from "./audio.js";
import { session, remember, on, nextSeed, LENGTHS } from "./state.js";
import { euclid } from "./sounds.js";
import { titleOfPad, typing } from "./pads.js";
import { wander } from "./endless.js";
import { get, make, slider, clamp, say, colourOf } from "./shapes.js";

let grid, cells = [], painting = null, playing = false, lastBar = -1, beatRows = {};

export function initSequencer() {
  grid = get("grid");
  beatRows.tempo = slider({ id: "tempo", label: "Tempo", low: 40, high: 220, step: 1, value: session.pattern.tempo, text: (x) => x + " BPM", onstart: () => remember(), oninput: (x) => { session.pattern.tempo = x; sendPattern(); } });
  beatRows.swing = slider({ id: "swing", label: "Swing", low: 0.5, high: 0.75, step: 0.01, value: session.pattern.swing, text: (x) => (x < 0.505 ? "straight" : Math.round(x * 100) + " %"), onstart: () => remember(), oninput: (x) => { session.pattern.swing = x; sendPattern(); } });
  beatRows.endless = slider({ id: "endless", label: "Endless", low: 0, high: 1, step: 0.05, value: session.pattern.endless, text: (x) => (x < 0.03 ? "off" : Math.round(x * 100) + " %"), onstart: () => remember(), oninput: (x) => { session.pattern.endless = x; sendPattern(); } });
  const steps = make("select", { id: "steps" }, ...LENGTHS.map((n) => make("option", { value: n, textContent: n + " steps" })));
  steps.addEventListener("change", () => { remember(); session.pattern.steps = Number(steps.value); build(); sendPattern(); });
  get("sequencer-panel").append(beatRows.tempo, beatRows.swing, beatRows.endless, make("div", { className: "slider" }, make("label", { for: "steps", textContent: "Length" }), steps));
  beatRows.steps = { show: (n) => { steps.value = n; } };
  get("play").addEventListener("click", toggle);
  get("beat").addEventListener("click", () => { remember(); randomBeat(); });
  get("euclid").addEventListener("click", () => { remember(); euclideanBeat(); });
  get("clear").addEventListener("click", () => { remember(); session.pattern.lanes.forEach((lane) => lane.steps.forEach((step) => { step.on = false; })); showGrid(); sendPattern(); say("The pattern is empty"); });
  grid.addEventListener("pointerdown", press);
  grid.addEventListener("pointerover", (event) => { if (painting !== null && event.buttons) paintCell(event.target, painting); });
  document.addEventListener("pointerup", () => { painting = null; });
  grid.addEventListener("keydown", moveInGrid);
  document.addEventListener("pointerdown", () => { byPointer = true; }, true);
  document.addEventListener("keydown", (event) => { if (/^(Tab|Arrow)/.test(event.key)) byPointer = false; }, true);
  document.addEventListener("keydown", spaceDown);
  document.addEventListener("keyup", (event) => { if (event.key === " " && spaceTaken) { spaceTaken = false; event.preventDefault(); } });
  onposition(follow);
  on("pad", showNames);
  on("session", () => { beatRows.tempo.show(session.pattern.tempo); beatRows.swing.show(session.pattern.swing); beatRows.endless.show(session.pattern.endless); build(); sendPattern(); });
  build();
  sendPattern();
}

let byPointer = false, spaceTaken = false;
/** Space plays the beat. On a button that was reached by keys it presses that button, as everywhere; not on one that was clicked. */
function spaceDown(event) {
  if (event.key !== " " || event.defaultPrevented || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(BUTTON|CANVAS|A|SUMMARY)$/.test(event.target.tagName) && !byPointer) return;
  event.preventDefault();
  spaceTaken = true;
  if (!event.repeat) toggle();
}

function build() {
  const { steps } = session.pattern;
  beatRows.steps.show(steps);
  grid.style.setProperty("--steps", steps);
  cells = session.pattern.lanes.map((_, lane) => Array.from({ length: steps }, (_, step) => make("button", { type: "button", className: "cell", "data-lane": lane, "data-step": step, tabIndex: lane + step === 0 ? 0 : -1 })));
  grid.replaceChildren(...cells.flatMap((row, lane) => [make("span", { className: "lane-name", id: "lane-" + lane }), ...row]));
  showNames();
  showGrid();
}
function showNames() {
  session.pads.forEach((pad, i) => {
    const place = get("lane-" + i);
    if (!place) return;
    place.textContent = titleOfPad(i);
    place.style.setProperty("--own", colourOf(pad.sound?.category ?? -1));
  });
}
function showGrid() { cells.forEach((row, lane) => row.forEach((_, step) => showCell(lane, step))); }
function showCell(lane, step) {
  const cell = cells[lane][step], value = session.pattern.lanes[lane].steps[step];
  cell.setAttribute("aria-pressed", String(value.on));
  cell.style.setProperty("--level", value.on ? value.velocity : 0);
  cell.classList.toggle("beat", step % 4 === 0);
  const mark = value.on && value.ratchet > 1 ? "×" + value.ratchet : value.on && value.probability < 1 ? Math.round(value.probability * 100) : "";
  cell.replaceChildren(...(mark ? [make("i", { textContent: mark, "aria-hidden": "true" })] : []));
  const extra = [value.on ? "velocity " + Math.round(value.velocity * 127) : "off", value.probability < 1 ? "chance " + Math.round(value.probability * 100) + " percent" : "", value.ratchet > 1 ? value.ratchet + " ratchets" : ""].filter(Boolean);
  cell.setAttribute("aria-label", titleOfPad(lane) + ", step " + (step + 1) + ", " + extra.join(", "));
}

const where = (cell) => [Number(cell.dataset.lane), Number(cell.dataset.step)];
function press(event) {
  if (!event.target.classList.contains("cell") || event.button !== 0) return;
  const [lane, step] = where(event.target), paint = get("paint").value;
  remember();
  if (paint !== "on") { turn(lane, step, paint); return; }
  painting = !session.pattern.lanes[lane].steps[step].on;
  event.target.releasePointerCapture?.(event.pointerId);
  paintCell(event.target, painting);
}
function paintCell(cell, value) {
  if (!cell.classList?.contains("cell")) return;
  const [lane, step] = where(cell);
  session.pattern.lanes[lane].steps[step].on = value;
  showCell(lane, step);
  sendPattern();
}

const TURNS = { velocity: [0.8, 1, 0.5, 0.3], probability: [1, 0.75, 0.5, 0.25], ratchet: [1, 2, 3, 4] };
/** The next of a few values of a step that is on; a step that is off is set. */
function turn(lane, step, name) {
  const value = session.pattern.lanes[lane].steps[step], values = TURNS[name];
  if (value.on) value[name] = values[(values.indexOf(value[name]) + 1) % values.length]; else value.on = true;
  showCell(lane, step);
  sendPattern();
  say(cells[lane][step].getAttribute("aria-label"));
}

/** Arrows move, Enter sets, + and - change the velocity, p the chance, x the ratchets. */
function moveInGrid(event) {
  if (!event.target.classList.contains("cell")) return;
  const [lane, step] = where(event.target), value = session.pattern.lanes[lane].steps[step];
  const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (way) {
    const next = cells[clamp(lane + way[0], 0, cells.length - 1)][clamp(step + way[1], 0, session.pattern.steps - 1)];
    event.target.tabIndex = -1; next.tabIndex = 0; next.focus();
  } else if (event.key === "Enter" || event.key === " ") { remember(); value.on = !value.on; }
  else if (event.key === "+" || event.key === "=") { remember("velocity"); value.velocity = clamp(value.velocity + 0.1, 0.1, 1); }
  else if (event.key === "-") { remember("velocity"); value.velocity = clamp(value.velocity - 0.1, 0.1, 1); }
  else if (event.key === "p") { remember("chance"); value.probability = value.probability <= 0.25 ? 1 : value.probability - 0.25; }
  else if (event.key === "x") { remember("ratchets"); value.ratchet = (value.ratchet % 4) + 1; }
  else return;
  event.preventDefault();
  event.stopPropagation();
  showCell(lane, step);
  say(cells[lane][step].getAttribute("aria-label"));
  sendPattern();
}

export function sendPattern() { setPattern(session.pattern); }

async function toggle() {
  await wake();
  if (position().playing) stop(); else { sendPattern(); start(); }
}

function follow({ playing: now, bar, step }) {
  if (now !== playing) { playing = now; get("play").setAttribute("aria-pressed", String(now)); get("play").textContent = now ? "Stop" : "Play"; }
  for (const cell of grid.querySelectorAll(".now")) cell.classList.remove("now");
  if (!now) return;
  const column = step % session.pattern.steps;
  for (const row of cells) row[column]?.classList.add("now");
  if (bar !== lastBar) { lastBar = bar; wander(bar); }
}

// --- beats -----------------------------------------------------------------------------------------------------------
const chances = (lane, step) => {
  const name = titleOfPad(lane), strong = step % 8 === 0, off = step % 8 === 4, even = step % 2 === 0;
  if (/kick|bass/.test(name)) return strong ? 0.9 : even ? 0.2 : 0.08;
  if (/snare|clap/.test(name)) return off ? 0.8 : even ? 0.05 : 0.08;
  if (/hat/.test(name)) return even ? 0.8 : 0.3;
  return even ? 0.1 : 0.05;
};
function randomBeat() {
  session.pattern.seed = nextSeed();
  session.pattern.lanes.forEach((lane, i) => lane.steps.forEach((step, k) => {
    step.on = i < 8 && Math.random() < chances(i, k);
    step.velocity = clamp((k % 4 === 0 ? 0.85 : 0.6) + 0.3 * (Math.random() - 0.5), 0.2, 1);
    step.probability = step.on && k % 2 && Math.random() < 0.4 ? 0.5 : 1;
    step.ratchet = step.on && /hat/.test(titleOfPad(i)) && Math.random() < 0.08 ? 2 : 1;
  }));
  showGrid();
  sendPattern();
  say("A random beat");
}
/** Pulses as evenly as can be over the steps, by the core; each lane begins elsewhere, the second one on the backbeat. */
async function euclideanBeat() {
  const { steps } = session.pattern, pulses = [4, 2, 7, 3, 5, 9, 11, 13];
  const shift = (i) => (i === 1 ? Math.round(steps / 4) : i), asked = pulses.map((count, i) => [Math.round((count * steps) / 16), steps, -shift(i)]);
  const beat = session.pattern, rhythms = await euclid(asked);
  if (beat !== session.pattern || steps !== beat.steps) return;  // undone, or another session
  beat.lanes.forEach((lane, i) => lane.steps.forEach((step, k) => Object.assign(step, { on: rhythms[i]?.[k % steps] ?? false, velocity: 0.75, probability: 1, ratchet: 1 })));
  showGrid();
  sendPattern();
  say("A euclidean beat");
}
