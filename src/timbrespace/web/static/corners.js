// A mix of the four pads in the corners of the grid, by a point between them.
import { mix } from "./sounds.js";
import { session, remember, on } from "./state.js";
import { putSound, playPad } from "./kit.js";
import { titleOfPad } from "./pads.js";
import { get, clamp, say } from "./shapes.js";

const CORNERS = [0, 3, 12, 15], STEP = 0.05;
const point = { x: 0.5, y: 0.5 };
let four = null, wished = null;

export function initCorners() {
  const square = get("corners");
  let held = false;
  const touch = (event) => {
    const box = square.getBoundingClientRect();
    place(clamp((event.clientX - box.left) / box.width, 0, 1), clamp((event.clientY - box.top) / box.height, 0, 1));
  };
  square.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    hold();
    square.setPointerCapture(event.pointerId);
    touch(event);
  });
  square.addEventListener("pointermove", (event) => { if (held) touch(event); });
  for (const name of ["pointerup", "pointercancel"]) square.addEventListener(name, () => { held = false; four = null; });
  square.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!way) return;
    event.preventDefault();
    if (four === null) hold();
    place(clamp(point.x + way[0], 0, 1), clamp(point.y + way[1], 0, 1));
    say(weights().map((weight, k) => Math.round(100 * weight) + " % " + titleOfPad(CORNERS[k])).join(", "));
  });
  square.addEventListener("blur", () => { four = null; });
  on("pad", showCorners);
  showCorners();
}

/** The corners as they are when a move begins: the selected pad may be one of them. */
function hold() {
  remember();
  four = CORNERS.map((index) => session.pads[index].sound);
}

const weights = () => [(1 - point.x) * (1 - point.y), point.x * (1 - point.y), (1 - point.x) * point.y, point.x * point.y];

async function place(x, y) {
  Object.assign(point, { x, y });
  const dot = get("corners").querySelector("span");
  dot.style.left = x * 100 + "%";
  dot.style.top = y * 100 + "%";
  if (four === null || four.some((sound) => sound === null)) return;
  const share = weights(), nearest = four[share.indexOf(Math.max(...share))];
  const sound = { z: mix(four.map(({ z }, k) => ({ z, weight: share[k] }))), category: nearest.category, seed: four[0].seed, samples: 0 };
  if (wished !== null) { wished = sound; return; }
  wished = sound;
  try {
    while (wished !== null) {
      const now = wished, index = session.selected;
      await putSound(index, now);
      playPad(index);
      if (wished === now) wished = null;
    }
  } finally { wished = null; }
}

function showCorners() {
  get("corners").querySelectorAll("b").forEach((label, k) => { label.textContent = titleOfPad(CORNERS[k]); });
}
