// What goes on at the server and what went wrong there: a row with progress and Cancel for each, at the foot of the window.
import { get, make } from "./shapes.js";

function row(...children) {
  const place = make("li", {}, ...children);
  get("work").append(place);
  return place;
}
function removeRow(place) {
  const focused = place.contains(document.activeElement);
  place.remove();
  if (focused) (get("work").querySelector("button") ?? document.querySelector(".pad.selected"))?.focus({ preventScroll: true });
}

/** Words that stay until they are closed. The same words are shown once. */
export function notice(words, { about = "" } = {}) {
  const text = (about ? about + ": " : "") + words;
  for (const one of get("work").children) if (one.dataset.text === text) removeRow(one);
  const place = row(make("p", { role: "alert", textContent: text }), make("button", { type: "button", textContent: "×", "aria-label": "Close: " + text.slice(0, 60), onclick: () => removeRow(place) }));
  place.dataset.text = text;
}

/** Shows a row while run({ signal, progress }) goes on. Returns its result; undefined when it was cancelled or failed, which the row then
 * says. name: of what is worked on; a message that begins with it says what it is about. */
export async function withWork(label, run, { name = label } = {}) {
  const control = new AbortController(), bar = make("progress", { "aria-label": label }), state = make("span", { className: "soft", "aria-live": "off" });
  const cancel = make("button", { type: "button", textContent: "Cancel", "aria-label": "Cancel: " + label, onclick: () => control.abort() });
  const place = row(make("p", {}, label + " ", state), bar, cancel);
  const progress = (done, of, waiting) => {
    state.textContent = waiting ? "waiting" : of > 1 ? `${done} of ${of}` : "";
    if (of > 0 && !waiting) { bar.max = of; bar.value = done; }
  };
  try { return await run({ signal: control.signal, progress }); } catch (error) {
    if (error.name !== "AbortError") notice(error.message, { about: error.message.startsWith(name) ? "" : label });
    return undefined;
  } finally { removeRow(place); }
}
