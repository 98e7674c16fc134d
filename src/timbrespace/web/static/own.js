// The user's own sounds: encoded by the server, they are places on the map and can be put on pads. They are part of the session.
import { render } from "./sounds.js";
import { wake, play } from "./audio.js";
import { session, remember, on, OWN } from "./state.js";
import { changeSounds, playPad } from "./kit.js";
import { showOwnPoints } from "./map.js";
import { get, make, colourOf, say } from "./shapes.js";

const NEAREST = 5;
const originals = new Map();  // name of a dropped file -> the sound in it; not part of the session
let trained = [], ownRate = 44100;

export function initOwn(instrument) {
  trained = instrument.points;
  ownRate = instrument.info.sampleRate;
  on("session", showOwn);
  showOwn();
}

/** Where a sound is on the map: between the places of its neighbours in the latent space, near ones counting more. */
function placeOf(neighbours) {
  const near = neighbours.filter(({ point }) => trained[point]).slice(0, NEAREST);
  if (!near.length) return { x: 0.5, y: 0.5 };
  const weights = near.map(({ distance }) => 1 / (1e-3 + Math.max(0, distance) ** 2)), sum = weights.reduce((a, b) => a + b);
  const mean = (axis) => near.reduce((total, { point }, k) => total + (trained[point][axis] * weights[k]) / sum, 0);
  return { x: mean("x"), y: mean("y") };
}

/** Adds a sound to the user's own, after remember(). error: of its reconstruction in dB, null where it is not known. */
export function addOwn({ name, sound, neighbours, error }) {
  session.own.push({ name, sound, error, ...placeOf(neighbours) });
  if (session.own.length > OWN) session.own.shift();
  showOwn();
}

/** Keeps the sound in a file, with a peak of 1, beside its reconstruction to compare them, where the browser reads the file. */
export async function keepOriginal(name, bytes) {
  try {
    const audio = await new OfflineAudioContext(1, 1, ownRate).decodeAudioData(bytes);
    const channels = Array.from({ length: audio.numberOfChannels }, (_, i) => audio.getChannelData(i)).slice(0, 2);
    const most = channels.reduce((peak, channel) => channel.reduce((a, x) => Math.max(a, Math.abs(x)), peak), 1e-6);
    for (const channel of channels) channel.forEach((x, i) => { channel[i] = x / most; });
    originals.set(name, { id: "original " + (originalNumber += 1), channels, sampleRate: ownRate, seconds: audio.duration });
    showOwn();
  } catch { originals.delete(name); }  // a format of the server's, not of the browser's
}
let originalNumber = 0;

function showOwn() {
  showOwnPoints(session.own);
  get("own-card").hidden = session.own.length === 0;
  get("own").replaceChildren(...session.own.map((one, index) => {
    const { name, sound, error } = one, from = error === null ? "" : error.toFixed(1) + " dB";
    const hearIt = make("button", { type: "button", title: name, "aria-label": `Hear ${name} ${from}`, onclick: async () => { await wake(); play(await render(sound, { urgent: true })); } }, make("span", { textContent: name }), " ", make("small", { textContent: from }));
    const compare = make("button", { type: "button", textContent: "Original", "aria-label": "Original of " + name, hidden: !originals.has(name), onclick: () => playOriginal(one) });
    const put = make("button", { type: "button", textContent: "To pad", "aria-label": "To pad: your sound " + name, onclick: () => putOwn(one) });
    const away = make("button", { type: "button", textContent: "×", "aria-label": "Take away your sound " + name, onclick: () => { remember(); session.own.splice(index, 1); showOwn(); } });
    hearIt.style.setProperty("--own", colourOf(sound.category));
    return make("li", {}, hearIt, compare, put, away);
  }));
}

/** As loud as the reconstruction, so that only the sound differs. */
async function playOriginal({ name, sound }) {
  await wake();
  play(originals.get(name), { gain: (await render(sound, { urgent: true })).peak });
}

async function putOwn({ name, sound }) {
  const target = session.selected;
  if ((await changeSounds([target], () => [sound])).length === 0) return;
  playPad(target);
  say(`${name} on pad ${target + 1}`);
}
