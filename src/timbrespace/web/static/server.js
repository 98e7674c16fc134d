// What the page asks of the server that it came from. A page opened from disk has none; each request fails with words for people.
const POLL = { first: 120, growth: 1.3, longest: 1000, tries: 4 }, LONGEST_PROMPT = 90_000;
const GONE = "The server does not answer. Start it again with timbrespace serve; what the page makes itself goes on.";
const TOKEN = "The server does not know this tab. Open the address with the token that timbrespace serve printed.";
let serving = null;

/** given: what the page knows of its server; null in a page opened from disk. */
export function initServer(given) { serving = given; }

/** Sends a request and returns the JSON of the answer. Throws an Error in words; one named AbortError when the signal ends it. */
async function requested(address, { method = "GET", json, bytes, headers = {}, signal } = {}) {
  if (method === "POST" && serving.key) headers = { ...headers, "X-Instrument": serving.key };  // the server may have another in its place by now
  const type = json !== undefined ? "application/json" : "application/octet-stream";
  let answer, value;
  try {
    answer = await fetch(address, {
      method, signal, redirect: "error", cache: "no-store", body: json !== undefined ? JSON.stringify(json) : bytes,
      headers: json === undefined && bytes === undefined ? headers : { ...headers, "Content-Type": type },
    });
    const text = await answer.text();
    try { value = JSON.parse(text); } catch { value = null; }
  } catch (error) {
    if (error.name === "AbortError" && signal?.aborted) throw error;  // else the browser ended it: the page is left, or the server went away
    throw Object.assign(new Error(error.name === "TimeoutError" ? "The server took too long and was not waited for." : GONE), { gone: true });
  }
  if (answer.ok && value !== null) return value;
  throw Object.assign(new Error(refusal(answer.status, value?.error)), { status: answer.status });
}
function refusal(status, words) {
  if (status === 401) return TOKEN;
  if (typeof words === "string" && words) return words.slice(0, 400);
  if (status === 429) return "The server has enough to do. Try again in a moment.";
  if (status === 413) return "That is more than the server takes.";
  return `The server answered in a way that the page does not know (HTTP ${status}).`;
}

/** A question that is answered at once: verb of the instrument's address, e.g. "prompt". */
export const askServer = (verb, json, { signal } = {}) => requested(`${serving.base}/${verb}`, { method: "POST", json, signal: AbortSignal.any ? AbortSignal.any([...(signal ? [signal] : []), AbortSignal.timeout(LONGEST_PROMPT)]) : signal });

/** Long work: starts it, follows it and returns its result. started: called with the server's number of the job. */
export async function runJob(verb, request, { signal, progress, started = () => {} } = {}) {
  const start = () => requested(`${serving.base}/${verb}`, { method: "POST", ...request, signal });
  const repeatable = request.json?.id !== undefined;  // the server knows it again by its number
  const { job } = await start().catch((error) => { if (error.gone && repeatable) return start(); throw error; });
  started(job);
  return followJob(job, { signal, progress });
}
/** Follows a job and returns its result. progress: called with (done, of, waiting). The signal cancels it on the server too. */
export async function followJob(job, { signal, progress = () => {} } = {}) {
  const address = "/api/jobs/" + encodeURIComponent(job);
  const stop = () => { requested(address, { method: "DELETE" }).catch(() => {}); };
  signal?.addEventListener("abort", stop, { once: true });
  try { return await followed(address, { signal, progress }); } finally { signal?.removeEventListener("abort", stop); }
}
async function followed(address, { signal, progress }) {
  let failures = 0;
  for (let wait = POLL.first; ; wait = Math.min(wait * POLL.growth, POLL.longest)) {
    await pause(wait, signal);
    let state;
    try { state = await requested(address, { signal }); failures = 0; } catch (error) {
      if (error.status === 404) throw Object.assign(new Error("The server no longer knows this work: it was started again meanwhile."), { status: 404 });
      if (!error.gone || (failures += 1) >= POLL.tries) throw error;
      continue;
    }
    if (state.state === "done") return state.result;
    if (state.state === "failed") throw new Error(state.error || "The server could not do it.");
    if (state.state === "cancelled") throw new DOMException("cancelled", "AbortError");
    progress(Number(state.done) || 0, Number(state.of) || 0, state.state === "waiting");
  }
}
const pause = (milliseconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("cancelled", "AbortError")); }, { once: true });
});

/** A sound of the server's answer as the page holds sounds, its seed as decimal digits. Throws an Error for what is none. */
export function soundFrom({ z, category, seed, samples = 0 }, dims) {
  const fine = Array.isArray(z) && z.length === dims && z.every(Number.isFinite) && Number.isInteger(category ?? -1) && /^\d{1,20}$/.test(String(seed)) && Number.isInteger(samples);
  if (!fine) throw new Error("The server's answer is no sound of this instrument. Open its page again.");
  return { z, category: category ?? -1, seed: String(seed), samples };
}
