// Endless mode: while a beat plays the kit wanders slowly, each pad around the sound that it had, never further than a variation of it.
import { around, mix } from "./sounds.js";
import { session, nextSeed } from "./state.js";
import { changeSound } from "./kit.js";

const WAY = 8;      // moves from one place to the next
const WANDER_REACH = 0.4;  // of a pad's wandering about its home at full strength, in spreads of the corpus, see around
const walks = new Map();  // pad number -> its walk

/** A walk about a latent. at: where it is. */
export const walkAbout = (home) => ({ home, at: home, from: home, to: home, step: 0 });
/** One move of a walk: smoothly to a place near its home, then to another. place: returns one, a promise. A mix of places, so no further away than these. */
export async function moveOn(walk, place) {
  if (walk.step % WAY === 0) { walk.from = walk.at; walk.to = await place(walk.home); }
  const share = ((walk.step % WAY) + 1) / WAY, smooth = share * share * (3 - 2 * share);
  walk.step += 1;
  walk.at = smooth >= 1 ? walk.to : mix([{ z: walk.from, weight: 1 - smooth }, { z: walk.to, weight: smooth }]);
  return walk.at;
}

const wanders = ({ locked, sound }, lane) => !locked && sound !== null && session.pattern.lanes[lane].steps.some(({ on }, k) => on && k < session.pattern.steps);
/** Moves the unlocked pads that the beat plays, every other one at a bar. */
export function wander(bar) {
  const { endless } = session.pattern;
  if (endless < 0.03) { walks.clear(); return; }
  session.pads.forEach((pad, index) => { if ((index + bar) % 2 === 0 && wanders(pad, index)) movePad(index, endless); });
}
async function movePad(index, endless) {
  await changeSound(index, async ({ sound }) => {
    let walk = walks.get(index);
    if (walk === undefined || walk.given !== sound.z) walk = walkAbout(sound.z);  // something else put a sound there: its home
    walks.set(index, walk);
    const z = Array.from(await moveOn(walk, (home) => around({ z: home, amount: WANDER_REACH * endless, seed: nextSeed(), index: 0 })));
    return { ...sound, z };
  }).catch(() => walks.delete(index));
  const walk = walks.get(index);
  if (walk) walk.given = session.pads[index].sound?.z;
}
