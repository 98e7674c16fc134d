// The map of the training sounds, decoded: point to hear, click to put on the selected pad, click between them for a new sound there.
import { mix, render, prefetch, forget } from "./sounds.js";
import { wake, play } from "./audio.js";
import { session, nextSeed, remember } from "./state.js";
import { changeSound, playPad } from "./kit.js";
import { get, make, clamp, say, colourOf } from "./shapes.js";

const REACH = 14, NEAR = 5, LARGEST = 40, IN_LEGEND = 12;
const view = { x: 0, y: 0, zoom: 1, width: 0, height: 0 };
let colouring = null;  // values of the points from 0 to 1 by which they are coloured; null: by category or cluster
let clusters = [], clusterTitles = [], byCluster = false;
let points = [], trainedPoints = [], lit = [], mapNames = [], canvas, brush, hovered = -1, focused = -1, spot = null, frame = 0, shownCategory = -1;
const fingers = new Map();
let drag = null, hovering = 0;

export function initMap(instrument) {
  points = trainedPoints = instrument.points;
  mapNames = instrument.info.categories;
  initColours(instrument);
  canvas = get("map");
  brush = canvas.getContext("2d");
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
  document.addEventListener("theme", drawSoon);
  canvas.addEventListener("pointerdown", pressMap);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", (event) => { fingers.delete(event.pointerId); drag = null; });
  canvas.addEventListener("pointerleave", () => { if (!drag) hover(-1); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); const [x, y] = at(event); zoomAt(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), x, y); }, { passive: false });
  canvas.addEventListener("keydown", keys);
  get("map-in").addEventListener("click", () => zoomAt(1.5, view.width / 2, view.height / 2));
  get("map-out").addEventListener("click", () => zoomAt(1 / 1.5, view.width / 2, view.height / 2));
  get("map-fit").addEventListener("click", fit);
  document.addEventListener("category", () => { shownCategory = session.category; drawSoon(); });
  get("map-hint").textContent = points.length ? "Point to hear. Click puts a sound on the selected pad; a click between sounds makes a new one." : "This instrument has no map: it was stripped of its training sounds. New sounds come from the buttons.";
}

// --- places ----------------------------------------------------------------------------------------------------------
// The places of a map have no scale of their own: both sides of the canvas are filled.
const sides = () => [(view.width - 32) * view.zoom, (view.height - 32) * view.zoom];
const toScreen = (x, y) => { const [wide, high] = sides(); return [view.width / 2 + (x - 0.5) * wide + view.x, view.height / 2 + (y - 0.5) * high + view.y]; };
const toMap = (px, py) => { const [wide, high] = sides(); return [(px - view.x - view.width / 2) / wide + 0.5, (py - view.y - view.height / 2) / high + 0.5]; };
const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

function nearest(px, py, reach) {
  let best = -1, least = reach * reach;
  points.forEach((point, i) => {
    const [x, y] = toScreen(point.x, point.y), far = (x - px) ** 2 + (y - py) ** 2;
    if (far < least) { least = far; best = i; }
  });
  return best;
}

/** A sound for a place of the map: the latents of the nearest points, near ones counting more. */
function soundAt(x, y) {
  const order = points.map((point, i) => [(point.x - x) ** 2 + (point.y - y) ** 2, i]).sort((a, b) => a[0] - b[0]).slice(0, NEAR);
  const parts = order.map(([far, i]) => ({ z: points[i].z, weight: 1 / (1e-4 + far) }));
  return { z: mix(parts), category: points[order[0][1]].category, seed: seedOf(order[0][1]), samples: 0 };
}
const seedOf = (index) => String(index + 1);  // the same sound whenever a point is heard
export const soundOfPoint = (index) => points[index].sound ?? { z: points[index].z, category: points[index].category, seed: seedOf(index), samples: 0 };
/** The user's own sounds [{name, sound, x, y}] are points after those of the training. */
export function showOwnPoints(own) {
  points = [...trainedPoints, ...own.map(({ name, sound, x, y }) => ({ name: name + " (yours)", category: sound.category, x, y, z: sound.z, sound }))];
  hovered = focused = -1;
  drawSoon();
}
export function lightPoints(indices) { lit = indices; drawSoon(); }
export const titleOfPoint = (index) => titleOf(index);
const titleOf = (index) => points[index].name || mapNames[points[index].category] || "sound " + (index + 1);

// --- drawing ---------------------------------------------------------------------------------------------------------
function resize() {
  const ratio = devicePixelRatio || 1;
  view.width = canvas.clientWidth; view.height = canvas.clientHeight;
  canvas.width = Math.round(view.width * ratio); canvas.height = Math.round(view.height * ratio);
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawSoon();
}
export function drawSoon() { if (!frame) frame = requestAnimationFrame(() => { frame = 0; paint(); }); }

function paint() {
  const style = getComputedStyle(canvas), tone = style.getPropertyValue("--tone").trim() || "45%", ink = style.getPropertyValue("--ink").trim();
  brush.clearRect(0, 0, view.width, view.height);
  const size = clamp(3.2 * Math.sqrt(view.zoom), 2.5, 7) * (points.length > 3000 ? 0.75 : 1);
  for (let i = 0; i < points.length; i++) {
    const [x, y] = toScreen(points[i].x, points[i].y);
    if (x < -9 || y < -9 || x > view.width + 9 || y > view.height + 9) continue;
    const category = points[i].category;
    brush.globalAlpha = shownCategory >= 0 && category !== shownCategory ? 0.16 : 0.9;
    brush.fillStyle = fillOf(i, category, tone);
    brush.beginPath();
    if (points[i].sound) brush.rect(x - size - 2, y - size - 2, 2 * size + 4, 2 * size + 4); else brush.arc(x, y, size, 0, 7);
    brush.fill();
    if (points[i].sound) { brush.strokeStyle = ink; brush.lineWidth = 2; brush.stroke(); }
  }
  brush.globalAlpha = 1;
  brush.strokeStyle = brush.fillStyle = ink;
  brush.lineWidth = 2;
  for (const index of lit) { const [x, y] = toScreen(points[index].x, points[index].y); brush.beginPath(); brush.arc(x, y, size + 3, 0, 7); brush.stroke(); }
  for (const index of [hovered, focused]) if (index >= 0) { const [x, y] = toScreen(points[index].x, points[index].y); brush.beginPath(); brush.arc(x, y, size + 4, 0, 7); brush.stroke(); }
  if (spot) { const [x, y] = toScreen(...spot); brush.beginPath(); brush.moveTo(x - 7, y); brush.lineTo(x + 7, y); brush.moveTo(x, y - 7); brush.lineTo(x, y + 7); brush.stroke(); }
  if (hovered >= 0) label(hovered, ink, style.getPropertyValue("--card").trim());
}

/** From blue for the least to red for the most of what the map is coloured by; grey where it is not known. */
function fillOf(index, category, tone) {
  if (colouring !== null) return (colouring[index] ?? null) === null ? "gray" : `hsl(${240 - 240 * colouring[index]} 70% ${tone})`;
  return colourOf(byCluster ? clusters[index] ?? -1 : category, { tone, none: "gray" });
}

function initColours(instrument) {
  const { scales } = instrument, select = get("map-colour"), ways = ["category", ...(instrument.clusterTitles.length > 1 ? ["cluster"] : []), ...Object.keys(scales)];
  ({ clusters, clusterTitles } = instrument);
  select.append(...ways.map((name) => make("option", { value: name, textContent: name.replace("_", " ") })));
  select.addEventListener("change", () => { colouring = scales[select.value] ?? null; byCluster = select.value === "cluster"; showLegend(); drawSoon(); });
  select.parentElement.hidden = ways.length === 1;
  showLegend();
}

/** Under the map: the groups with the most sounds in their colours, or both ends of a descriptor. */
function showLegend() {
  const place = get("map-legend");
  if (colouring !== null) return place.replaceChildren("least", make("i", { className: "ramp" }), "most");
  const counts = new Map();
  trainedPoints.forEach((point, index) => { const group = byCluster ? clusters[index] ?? -1 : point.category; counts.set(group, (counts.get(group) ?? 0) + 1); });
  const groups = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]), titles = byCluster ? clusterTitles : mapNames;
  const entries = groups.slice(0, IN_LEGEND).map(([group, count]) => {
    const dot = make("i");
    dot.style.setProperty("--own", colourOf(group));
    return make("span", {}, dot, `${(titles[group] ?? "no category").slice(0, LARGEST)} ${count}`);
  });
  place.replaceChildren(...entries, ...(groups.length > IN_LEGEND ? [`and ${groups.length - IN_LEGEND} more`] : []));
}

function label(index, ink, paper) {
  const [x, y] = toScreen(points[index].x, points[index].y), text = titleOf(index).slice(-LARGEST) + (byCluster && clusters[index] !== undefined ? " · " + clusterTitles[clusters[index]].slice(0, LARGEST) : "");
  brush.font = "13px system-ui, sans-serif";
  const wide = brush.measureText(text).width + 16, left = clamp(x - wide / 2, 4, view.width - wide - 4), top = y < 42 ? y + 14 : y - 36;
  brush.fillStyle = paper; brush.globalAlpha = 0.95;
  brush.beginPath(); brush.roundRect(left, top, wide, 24, 6); brush.fill();
  brush.globalAlpha = 1; brush.fillStyle = ink; brush.fillText(text, left + 8, top + 16.5);
}

function zoomAt(factor, x, y) {
  const next = clamp(view.zoom * factor, 0.8, 40), by = next / view.zoom;
  view.x = (view.x + view.width / 2 - x) * by + x - view.width / 2;
  view.y = (view.y + view.height / 2 - y) * by + y - view.height / 2;
  view.zoom = next;
  drawSoon();
}
function fit() { Object.assign(view, { x: 0, y: 0, zoom: 1 }); drawSoon(); }

// --- pointing --------------------------------------------------------------------------------------------------------
function hover(index) {
  if (index === hovered) return;
  hovered = index;
  canvas.style.cursor = index >= 0 ? "pointer" : "crosshair";
  drawSoon();
  if (index < 0) return;
  const prepare = () => { if (index === hovered) prefetch(neighboursOf(index).map(soundOfPoint)); };
  if (get("map-hover").checked) hear(soundOfPoint(index), index).finally(prepare); else prepare();
}
const neighboursOf = (index) => {
  const from = points[index];
  return points.map((point, i) => [(point.x - from.x) ** 2 + (point.y - from.y) ** 2, i]).sort((a, b) => a[0] - b[0]).slice(1, 7).map(([, i]) => i);
};

export async function hear(sound, number) {
  const turn = (hovering += 1);
  const state = await wake().catch(() => "suspended");
  if (state !== "running") return;  // browsers allow sound after the first click
  if (turn !== hovering) return;
  forget();  // earlier points that the pointer has left
  const result = await render(sound, { urgent: true, spare: true }).catch((error) => { if (turn === hovering) throw error; return null; });
  if (result !== null && turn === hovering && (number === undefined || number === hovered || number === focused)) play(result, {});
}

async function take(sound, words) {
  remember();
  const index = session.selected;
  if (!await changeSound(index, async () => { await wake(); return sound; })) return;
  playPad(index);
  say(words + " on pad " + (index + 1));
}

function pressMap(event) {
  if (event.button !== 0) return;
  const place = at(event);
  fingers.set(event.pointerId, place);
  try { canvas.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
  drag = fingers.size === 1 ? { from: place, last: place, moved: false } : null;
}
function move(event) {
  const place = at(event), before = fingers.get(event.pointerId);
  if (fingers.size === 2 && before) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1], far = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    zoomAt(far(place) / Math.max(far(before), 1), (place[0] + other[0]) / 2, (place[1] + other[1]) / 2);
    fingers.set(event.pointerId, place);
    return;
  }
  if (!drag) { if (event.pointerType !== "touch") hover(nearest(...place, REACH)); return; }
  fingers.set(event.pointerId, place);
  if (!drag.moved && Math.hypot(place[0] - drag.from[0], place[1] - drag.from[1]) < 6) return;
  drag.moved = true;
  view.x += place[0] - drag.last[0]; view.y += place[1] - drag.last[1];
  drag.last = place;
  drawSoon();
}
function lift(event) {
  fingers.delete(event.pointerId);
  const ended = drag;
  drag = null;
  if (!ended || ended.moved || points.length === 0) return;
  const found = nearest(...ended.from, event.pointerType === "touch" ? 24 : REACH);
  if (found >= 0) { focused = found; spot = null; take(soundOfPoint(found), titleOf(found)); } else {
    spot = toMap(...ended.from);
    focused = -1;
    take({ ...soundAt(...spot), seed: String(nextSeed()) }, "A new sound of this place");
  }
  drawSoon();
}

// --- keys ------------------------------------------------------------------------------------------------------------
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function keys(event) {
  const way = WAYS[event.key];
  if (way && points.length) {
    event.preventDefault();
    focused = focused < 0 ? nearest(view.width / 2, view.height / 2, Infinity) : towards(focused, way);
    hovered = focused;
    const [x, y] = toScreen(points[focused].x, points[focused].y);
    view.x += x < 20 || x > view.width - 20 ? view.width / 2 - x : 0;
    view.y += y < 20 || y > view.height - 20 ? view.height / 2 - y : 0;
    say(titleOf(focused) + (byCluster && clusters[focused] !== undefined ? ", " + clusterTitles[clusters[focused]] : ""));
    hear(soundOfPoint(focused), focused);
    drawSoon();
  } else if ((event.key === "Enter" || event.key === " ") && focused >= 0) { event.preventDefault(); take(soundOfPoint(focused), titleOf(focused)); }
  else if (event.key === "+") zoomAt(1.5, view.width / 2, view.height / 2);
  else if (event.key === "-") zoomAt(1 / 1.5, view.width / 2, view.height / 2);
  else if (event.key === "0") fit();
}
function towards(from, [dx, dy]) {
  let best = from, least = Infinity;
  points.forEach((point, i) => {
    const x = point.x - points[from].x, y = point.y - points[from].y, along = x * dx + y * dy, across = Math.abs(x * dy - y * dx);
    if (along > 1e-9 && across <= along * 1.2 && along + 2 * across < least) { least = along + 2 * across; best = i; }
  });
  return best;
}
