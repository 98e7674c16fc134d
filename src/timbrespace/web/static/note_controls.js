// Two named controls of the next notes of the keyboard: by sliders, by the place on a key that is touched, the first one by the modulation wheel.
import { session, on } from "./state.js";
import { amountText, rangeOf, steerable } from "./controls.js";
import { get, make, slider, clamp } from "./shapes.js";

const FINE = 0.25;  // spreads between amounts by place and wheel, so that few different sounds are rendered
const WAYS_OF_KEY = [["up", "Up a key"], ["across", "Across a key"]];
let noteRows = {}, noteControls = [], changedNotes = () => {};

/** changed: called when the next notes sound otherwise. */
export function initNoteControls(instrument, changed) {
  noteControls = steerable(instrument);
  changedNotes = changed;
  const panel = get("keys-panel");
  if (noteControls.length === 0) { get("key-place").parentElement.hidden = true; return; }
  WAYS_OF_KEY.forEach(([way, label], k) => {
    session.keys[way] = (noteControls[k] ?? noteControls[0]).name;
    const select = make("select", { id: "key-" + way }, ...noteControls.map(({ name }) => make("option", { value: name, textContent: name.replace("_", " ") })), make("option", { value: "", textContent: "nothing" }));
    select.addEventListener("change", () => { session.keys[way] = select.value; setAmount(way, 0); changedNotes(); });
    noteRows[way] = slider({
      id: "key-amount-" + way, label, low: -3, high: 3, step: 0.05, value: 0, text: (amount) => (controlOf(way) ? amountText(controlOf(way))(amount) : "as it is"),
      oninput: (amount) => { session.keys[way + "Amount"] = amount; changedNotes(); },
    });
    noteRows[way].select = select;
    panel.append(make("div", { className: "slider" }, make("label", { for: "key-" + way, textContent: label }), select), noteRows[way]);
  });
  panel.append(get("key-place").parentElement);
  get("key-place").addEventListener("change", () => { session.keys.place = get("key-place").checked; });
  on("session", showNoteControls);
  showNoteControls();
}

const controlOf = (way) => noteControls.find(({ name }) => name === session.keys[way]);

function showNoteControls() {
  for (const [way] of WAYS_OF_KEY) {
    const [low, high] = controlOf(way) ? rangeOf(controlOf(way)) : [0, 0], input = noteRows[way].querySelector("input");
    noteRows[way].select.value = session.keys[way];
    Object.assign(input, { min: low, max: high });
    noteRows[way].hidden = !controlOf(way);
    noteRows[way].querySelector("label").textContent = session.keys[way].replace("_", " ");
    input.setAttribute("aria-label", session.keys[way].replace("_", " ") + " of the next notes");
    noteRows[way].show(session.keys[way + "Amount"]);
  }
  get("key-place").checked = session.keys.place;
}
function setAmount(way, amount) {
  session.keys[way + "Amount"] = amount;
  showNoteControls();
}

/** Amounts of the named controls, in spreads, that the next note is played with. */
export function noteAmounts() {
  const amounts = {};
  for (const [way] of WAYS_OF_KEY) if (controlOf(way) && Math.abs(session.keys[way + "Amount"]) > 0.01) amounts[session.keys[way]] = session.keys[way + "Amount"];
  return amounts;
}
/** From the least of a control at 0, over the sound as it is in the middle, to the most at 1. */
function amountAt(way, share) {
  const [low, high] = rangeOf(controlOf(way)), amount = share < 0.5 ? low * (1 - 2 * share) : high * (2 * share - 1);
  return clamp(Math.round(amount / FINE) * FINE, low, high);
}
/** Sets both by where a key was touched, if that is asked for. */
export function setByPlace(event) {
  if (!session.keys.place) return;
  const box = event.target.getBoundingClientRect(), shares = { across: (event.clientX - box.left) / box.width, up: 1 - (event.clientY - box.top) / box.height };
  for (const [way] of WAYS_OF_KEY) if (controlOf(way)) setAmount(way, amountAt(way, clamp(shares[way], 0, 1)));
}
/** Sets the first one by the modulation wheel: 0 as it is, 1 the most. */
export function setByWheel(share) { if (controlOf("up")) setAmount("up", amountAt("up", 0.5 + share / 2)); }
