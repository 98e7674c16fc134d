// Small helpers of the page's parts.
export const get = (id) => document.getElementById(id);
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** An element with properties, attributes (aria-…, data-…, role) and children. */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

let sayTimer = 0;
/** Tells people who read the page by ear, and shows it for a moment. */
export function say(text) {
  const place = get("say");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => place.classList.remove("shown"), 2600);
}

/** A labelled slider: value as text beside it; double click puts it back. */
export function slider({ id, label, low, high, step, value, text = String, back = value, oninput, onstart = () => {} }) {
  const output = make("output", { textContent: text(value), for: id });
  const input = make("input", { type: "range", id, min: low, max: high, step, value });
  let begun = false;
  const changed = (now) => {
    output.textContent = text(now);
    input.setAttribute("aria-valuetext", output.textContent);
    if (!begun) { begun = true; onstart(); }
    oninput(now);
  };
  input.setAttribute("aria-valuetext", text(value));
  input.addEventListener("input", () => changed(Number(input.value)));
  input.addEventListener("change", () => { begun = false; });
  input.addEventListener("dblclick", () => { input.value = back; changed(Number(back)); begun = false; });
  const row = make("div", { className: "slider" }, make("label", { for: id, textContent: label }), input, output);
  row.show = (now) => { input.value = now; output.textContent = text(now); input.setAttribute("aria-valuetext", output.textContent); };
  return row;
}

export const shortSeconds = (s) => (s < 0.995 ? Math.round(s * 1000) + " ms" : s.toFixed(1) + " s");
/** The colour of a group, as a category: neighbours in number are far apart in hue. tone, none: for a canvas, which knows no variables. */
export const colourOf = (group, { tone = "var(--tone)", none = "var(--faint)" } = {}) => (group < 0 ? none : `hsl(${(group * 137.5 + 200) % 360} 62% ${tone})`);
