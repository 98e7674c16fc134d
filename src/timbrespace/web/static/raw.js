// The latent of the selected pad, number by number, behind a fold.
import { session, selectedPad, remember, on } from "./state.js";
import { putSound, playPad } from "./kit.js";
import { get, slider, say } from "./shapes.js";

const RAW_REACH = 4;  // on either side of 0, in which nearly all latents are
let rawRows = [], rawMove = null;

export function initRaw({ info }) {
  const fold = get("raw-card");
  fold.addEventListener("toggle", () => {
    if (!fold.open) return;
    if (rawRows.length === 0) fillRaw(info.dims);
    showRaw();
  });
  document.addEventListener("select-pad", showRaw);
  on("pad", (index) => { if (index === session.selected && rawMove === null) showRaw(); });
  on("session", showRaw);
}

function fillRaw(dims) {
  rawRows = Array.from({ length: dims }, (_, k) => slider({
    id: "raw-" + (k + 1), label: "z" + (k + 1), low: -RAW_REACH, high: RAW_REACH, step: 0.01, value: 0, text: (x) => x.toFixed(2),
    onstart: () => remember(), oninput: (value) => { changeRaw(k, value); },
  }));
  get("raw").append(...rawRows);
}

/** Changes one number of the latent; while a sound is rendered, the last change waits. */
async function changeRaw(k, value) {
  const { sound } = selectedPad();
  if (sound === null || (rawMove !== null && rawMove.index !== session.selected)) return;
  const next = rawMove ?? { index: session.selected, z: Array.from(sound.z) };
  next.z[k] = value;
  if (rawMove !== null) { next.waits = true; return; }
  rawMove = next;
  try {
    do {
      rawMove.waits = false;
      const { index, z } = rawMove, { category, seed, samples } = session.pads[index].sound;
      await putSound(index, { z, category, seed, samples });
      playPad(index);
    } while (rawMove.waits && rawMove.index === session.selected);
  } catch (error) {
    say("The sound cannot be rawMove there: " + error.message);
  } finally {
    rawMove = null;
    showRaw();
  }
}

function showRaw() {
  if (!get("raw-card").open || rawRows.length === 0) return;
  const z = selectedPad().sound?.z;
  rawRows.forEach((row, k) => row.show(z ? z[k] : 0));
}
