// The instrument of this page: opened in workers, which draw, steer and render; what was rendered is kept.
const KEPT = 400, WORKERS = 3;
const workers = [], tasks = [], cache = new Map();
let nextTask = 1, opened = null;

const element = (id) => document.getElementById(id).textContent;
function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text.trim());
  const raw = atob(text.trim()), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
async function unpacked(id) {
  try {
    const stream = new Blob([fromBase64(element(id))]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch { throw new Error("This page is damaged. Copy or export it again."); }
}
export const coreBytes = () => unpacked("core");

const MISSING = [["WebAssembly", "WebAssembly"], ["DecompressionStream", "decompression"], ["Worker", "workers"], ["AudioWorkletNode", "audio worklets"]];
function checkBrowser() {
  const missing = MISSING.filter(([name]) => !(name in globalThis)).map(([, words]) => words);
  // In a page from a server without encryption browsers have no audio thread.
  if (!missing.length && !("audioWorklet" in AudioContext.prototype)) throw new Error(isSecureContext ? "This browser has no audio worklets, which this page needs. Any browser of 2023 or later has them." : "Browsers play no page that came over http without encryption. Save it and open it from disk, or serve it over https.");
  if (missing.length) throw new Error(`This browser has no ${missing.join(", no ")}, which this page needs. Any browser of 2023 or later has them.`);
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  if (!WebAssembly.validate(Uint8Array.from(simd))) throw new Error("This browser runs WebAssembly without SIMD, which this page needs. Any browser of 2023 or later has it.");
}

/** Reads the data inside the page. progress: called with words. Returns the instrument of the page's contract. */
export async function openInstrument(progress = () => {}) {
  checkBrowser();
  progress("Unpacking the instrument …");
  const facts = JSON.parse(element("facts")), [file, core] = await Promise.all([unpacked("instrument"), coreBytes()]);
  progress("Starting the engine …");
  const source = URL.createObjectURL(new Blob([element("worker")], { type: "text/javascript" }));
  const info = await addWorker(source, { core, file });
  const more = Math.min(WORKERS, Math.max(2, (navigator.hardwareConcurrency || 2) - 1)) - 1;
  for (let i = 0; i < more; i++) addWorker(source, { core, file }).catch((error) => console.warn("one worker less: " + error.message));
  const latents = new Float32Array(fromBase64(facts.latents).buffer), { dims } = info;
  const points = facts.x.map((x, i) => ({ name: facts.names?.[i] ?? "", category: facts.categories[i], x, y: facts.y[i], z: latents.subarray(i * dims, (i + 1) * dims) }));
  opened = { info: { ...info, title: facts.title, fingerprint: facts.fingerprint }, points, scales: facts.scales ?? {}, clusters: facts.clusters ?? [], clusterTitles: facts.clusterTitles ?? [], server: facts.server ?? null };
  return opened;
}

// --- workers ---------------------------------------------------------------------------------------------------------
function addWorker(source, request) {
  const worker = { thread: new Worker(source), task: null, open: false };
  worker.thread.onmessage = ({ data }) => answered(worker, data);
  worker.thread.onerror = (event) => answered(worker, { error: event.message || "the engine does not start" });
  return new Promise((resolve, reject) => {
    worker.task = { resolve: (info) => { worker.open = true; workers.push(worker); resolve(info); }, reject };
    worker.thread.postMessage({ id: 0, verb: "open", request });
  });
}
function answered(worker, { result, error }) {
  const { task } = worker;
  worker.task = null;
  if (error === undefined) task?.resolve(result); else task?.reject(new Error(error));
  work();
}
/** Urgent tasks go first. The first worker takes nothing else, so that it is free for them; other tasks begin where no urgent one runs, for
 * a render takes a whole core. */
function work() {
  for (const worker of workers) {
    if (worker.task !== null) continue;
    const urgent = tasks.findIndex((task) => task.urgent), rests = workers.length > 1 && worker === workers[0];
    if (urgent < 0 && (rests || workers.some(({ task }) => task?.urgent))) continue;
    const [task] = tasks.splice(Math.max(urgent, 0), 1);
    if (task === undefined) return;
    worker.task = task;
    worker.thread.postMessage({ id: task.id, verb: task.verb, request: task.request });
  }
}
/** A task for the workers; urgent ones go first. */
function ask(verb, request, { urgent = true, key = null, spare = false } = {}) {
  return new Promise((resolve, reject) => { tasks.push({ id: nextTask++, verb, request, urgent, key, spare, resolve, reject }); work(); });
}

// --- what a page asks ------------------------------------------------------------------------------------------------
export const draw = (request) => ask("draw", request);
export const around = (request) => ask("around", request);
export const steer = (request) => ask("steer", request);
export const euclid = (lanes) => ask("euclid", { lanes });
export const atPitch = (z, midi) => ask("pitched", { z, midi });

/** The weighted mean of latents [{z, weight}]. */
export function mix(parts) {
  const sum = parts.reduce((total, { weight }) => total + weight, 0), z = new Float32Array(parts[0].z.length);
  for (const { z: own, weight } of parts) for (let i = 0; i < z.length; i++) z[i] += (own[i] * weight) / sum;
  return z;
}

const keyOf = ({ z, category, seed, samples = 0 }) => [category, seed, samples, ...z].join(" ");
let soundNumber = 1;

/** The sound of a recipe {z, category, seed, samples}; the same recipe gives the same Sound. spare: nothing waits for it, see forget. */
export function render(recipe, { urgent = false, spare = false } = {}) {
  const key = keyOf(recipe), known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);  // used last
    for (const task of tasks) if (task.key === key) { task.urgent ||= urgent; task.spare &&= spare; }
    return known.sound;
  }
  const { z, category, seed, samples = 0 } = recipe;
  const sound = ask("render", { z: Float32Array.from(z), category, seed, samples }, { urgent, key, spare }).then((channels) => {
    let peak = 0;
    for (const channel of channels) for (const sample of channel) peak = Math.max(peak, Math.abs(sample));
    return { id: soundNumber++, channels, sampleRate: opened.info.sampleRate, seconds: channels[0].length / opened.info.sampleRate, peak };
  });
  sound.catch(() => { if (cache.get(key)?.sound === sound) cache.delete(key); });  // it may have been asked for anew since
  cache.set(key, { sound });
  while (cache.size > KEPT) cache.delete(cache.keys().next().value);
  return sound;
}

/** Renders recipes that may be wanted soon; those of an earlier call that have not begun are dropped. */
export function prefetch(recipes) {
  forget({ urgent: false });
  for (const recipe of recipes) render(recipe, { spare: true }).catch(() => {});
}
/** Drops what was to be prepared and has not begun; what something waits for stays. urgent: also what was wanted at once. */
export function forget({ urgent = true } = {}) {
  for (let i = tasks.length - 1; i >= 0; i--) {
    const task = tasks[i];
    if (!task.spare || (task.urgent && !urgent)) continue;
    tasks.splice(i, 1);
    cache.delete(task.key);
    task.reject(new Error("no longer wanted"));
  }
}
