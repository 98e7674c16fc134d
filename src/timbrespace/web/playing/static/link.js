// Messages to the player, in order: one request at a time, so that what waits meanwhile goes together, and values that are set again are merged.
const IDLE = 250, LOST = 1000, MOST = 400;
const WORDS = "The player does not answer. Is timbrespace play still running?";
const page = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
let waiting = [], busy = false, since = 0, timer = 0, onAnswer = () => {}, onTrouble = () => {};

/** answered: called with each answer. failed: called with words, "" when it answers again. */
export function startLink(answered, failed) { onAnswer = answered; onTrouble = failed; flush(); }

/** Asks for all values again, for faders that were made anew. */
export function askAgain() { since = 0; }

/** Sends an event: address and numbers. */
export function send(address, ...values) { waiting.push({ address, values, event: true }); flush(); }

/** Sets a value: of two with no event between them only the later one is sent. */
export function set(address, ...values) {
  for (let i = waiting.length - 1; i >= 0 && !waiting[i].event; i -= 1) if (waiting[i].address === address) { waiting.splice(i, 1); break; }
  waiting.push({ address, values, event: false });
  flush();
}

async function flush() {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  let pause = IDLE;
  try {
    do {
      const asked = since, messages = waiting.splice(0, MOST).map(({ address, values }) => [address, ...values]);
      const answer = await fetch("/api/play", { method: "POST", cache: "no-store", redirect: "error", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ page, since: asked, messages }) });
      const value = await answer.json();
      if (!answer.ok) throw new Error(answer.status === 401 ? "Open the address with the token that timbrespace play printed." : value.error);
      if (since === asked) since = value.number;
      onTrouble("");
      onAnswer(value);
    } while (waiting.length);
  } catch (error) {
    waiting = [];  // what was meant for a moment that is over
    since = 0;
    onTrouble(error instanceof TypeError || error instanceof SyntaxError ? WORDS : error.message);
    pause = LOST;
  }
  busy = false;
  timer = setTimeout(flush, document.hidden ? Math.max(pause, LOST) : pause);
}
