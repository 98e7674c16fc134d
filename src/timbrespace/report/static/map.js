"use strict";
// What a user does with the map: point, click, lasso, search, colour, keys; and what the panels beside it say.
(() => {
  const page = window.timbrespace, { data, view, sound, all } = page;
  const get = (id) => document.getElementById(id);
  const box = get("view"), tip = box.querySelector(".tip"), search = get("search"), lasso = get("lasso"), hover = get("hover");
  const { marks, faded } = view, { selected } = marks;
  const KINDS = ["training sound", "new sound", "your sound"], SHOWN = 200, REACH = 13;
  const chosen = new Set();  // numbers of the groups that the legend brings out; empty: all
  let here = null, matches = null;

  // --- words ---------------------------------------------------------------------------------------------------------
  const note = (hz) => { const midi = Math.round(69 + 12 * Math.log2(hz / 440)); return ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"][((midi % 12) + 12) % 12] + (Math.floor(midi / 12) - 1); };
  const measure = (name, scale, place) => {
    const value = scale.logarithmic ? 2 ** place : place;
    if (name === "pitch") return note(value) + ", " + value.toFixed(0) + " Hz";
    if (scale.unit === "Hz") return value < 999.5 ? value.toFixed(0) + " Hz" : (value / 1000).toFixed(1) + " kHz";
    if (scale.unit === "s") return value < 0.9995 ? (value * 1000).toFixed(value < 0.01 ? 1 : 0) + " ms" : value.toFixed(1) + " s";
    return (Math.abs(value) >= 10 ? value.toFixed(0) : Number(value.toPrecision(2)).toString()) + (scale.unit ? " " + scale.unit : "");
  };
  const label = (name) => name.replace("_", " ");
  const kindOf = (i) => {
    const { of, names } = data.groups.category, category = names[of[i]];
    return (category === "no category" ? "" : category + " · ") + KINDS[data.kinds[i]];
  };
  const counted = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");
  const say = (text) => { get("say").textContent = text; };
  const around = (x, y) => {  // names of the two nearest sounds to a place of the map
    const order = [-1, -1], far = [Infinity, Infinity];
    for (let i = 0; i < view.count; i++) {
      const d = (view.xs[i] - x) ** 2 + (view.ys[i] - y) ** 2;
      if (d < far[0]) { far[1] = far[0]; order[1] = order[0]; far[0] = d; order[0] = i; } else if (d < far[1]) { far[1] = d; order[1] = i; }
    }
    return order.filter((i) => i >= 0).map((i) => data.names[i]);
  };

  // --- this sound ----------------------------------------------------------------------------------------------------
  const playerOf = () => (here === null ? -1 : here.place ? here.place[2] : data.players[here.point]);
  const facts = (i) => {
    const rows = Object.entries(data.scales).filter(([, scale]) => scale.values[i] !== null).map(([name, scale]) => [label(name), measure(name, scale, scale.values[i])]);
    const list = get("facts");
    list.replaceChildren(...rows.flatMap(([name, value]) => {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name; text.textContent = value;
      return [term, text];
    }));
    return rows;
  };
  const stands = (i) => {
    const player = data.players[i];
    if (player < 0) return "No sound was prepared for it.";
    if (data.own[i]) return data.kinds[i] === 1 ? "" : "You hear its latent, decoded: not the recording.";
    const other = data.players.findIndex((number, k) => number === player && data.own[k]);
    return "Plays the nearest prepared sound" + (other < 0 ? "." : ": " + data.names[other] + ".");
  };
  const open = (name, kind, plays) => {
    get("none").hidden = true; get("about").hidden = false;
    get("name").textContent = name; get("kind").textContent = kind; get("plays").textContent = plays; get("plays").hidden = !plays;
  };
  const point = (i, { quiet = false } = {}) => {
    here = { point: i };
    marks.place = null;
    open(data.names[i], kindOf(i), stands(i));
    const rows = facts(i);
    get("mark").hidden = false;
    get("mark").setAttribute("aria-pressed", selected.has(i));
    get("mark").textContent = selected.has(i) ? "Selected" : "Select";
    if (!quiet) say([data.names[i], kindOf(i), ...rows.slice(0, 3).map((row) => row.join(" ")), selected.has(i) ? "selected" : ""].filter(Boolean).join(", "));
  };
  const focus = (i, options) => { marks.focus = i; point(i, options); view.show(i); };
  const place = (spot) => {
    here = { place: spot };
    marks.place = spot; marks.focus = -1;
    const names = around(spot[0], spot[1]);
    open("between " + names.join(" and "), "a new sound, made for this place", "Mixed from the latents of the nearest sounds.");
    get("facts").replaceChildren();
    get("mark").hidden = true;
    say("A new sound between " + names.join(" and "));
    view.draw();
  };
  const playHere = () => sound.play(playerOf());
  sound.onchange((on) => {
    get("play").setAttribute("aria-pressed", on && sound.last === playerOf());
  });
  get("play").addEventListener("click", () => (get("play").getAttribute("aria-pressed") === "true" ? sound.stop() : playHere()));

  // --- pointing ------------------------------------------------------------------------------------------------------
  const hint = (x, y, name, detail) => {
    tip.textContent = name;
    const small = document.createElement("small");
    small.textContent = detail;
    tip.append(small);
    tip.hidden = false;
    tip.style.left = Math.min(Math.max(x - tip.offsetWidth / 2, 6), box.clientWidth - tip.offsetWidth - 6) + "px";
    const above = y - tip.offsetHeight - 18;
    tip.style.top = (above < 6 ? y + 20 : above) + "px";
  };
  const hovered = (i) => {
    box.classList.toggle("over", i >= 0);
    if (i === marks.hover) return;
    marks.hover = i;
    tip.hidden = i < 0;
    if (i >= 0) {
      const [x, y] = view.toScreen(view.xs[i], view.ys[i]);
      hint(x, y, data.names[i], kindOf(i));
      if (hover.checked && sound.awake()) { point(i, { quiet: true }); sound.play(data.players[i]); }
    }
    view.draw();
  };
  const where = (event) => { const frame = box.getBoundingClientRect(); return [event.clientX - frame.left, event.clientY - frame.top]; };
  const fingers = new Map();
  let drag = null;
  const spread = () => { const [a, b] = [...fingers.values()]; return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2]; };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    sound.wake(); box.querySelector(".wake").hidden = true;
    const at = where(event);
    fingers.set(event.pointerId, at);
    try { box.setPointerCapture(event.pointerId); } catch (error) { /* the pointer is gone already */ }
    if (fingers.size === 2) { drag = null; marks.lasso = null; return; }
    const draws = lasso.getAttribute("aria-pressed") === "true" || event.shiftKey;
    drag = { from: at, last: at, moved: false, draws };
    if (draws) marks.lasso = [view.toMap(...at)];
  });
  box.addEventListener("pointermove", (event) => {
    const at = where(event), before = fingers.get(event.pointerId);
    if (fingers.size === 2 && before) {
      const [far, x, y] = spread();
      fingers.set(event.pointerId, at);
      const [farther, nx, ny] = spread();
      view.zoom(farther / Math.max(far, 1), x, y); view.pan(nx - x, ny - y);
      return;
    }
    if (!drag) { if (event.pointerType !== "touch") hovered(view.nearest(...at, REACH)); return; }
    fingers.set(event.pointerId, at);
    if (!drag.moved && Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) < 5) return;
    if (!drag.moved) { drag.moved = true; tip.hidden = true; marks.hover = -1; box.classList.toggle("drag", !drag.draws); }
    if (drag.draws) { marks.lasso.push(view.toMap(...at)); view.draw(); } else view.pan(at[0] - drag.last[0], at[1] - drag.last[1]);
    drag.last = at;
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    box.classList.remove("drag");
    const ended = drag;
    drag = null;
    if (!ended || event.type === "pointercancel") { marks.lasso = null; view.draw(); return; }
    if (ended.draws && ended.moved) {
      const found = view.inside(marks.lasso);
      marks.lasso = null;
      select(found);
      say(counted(found.length, "sound") + " in the lasso, " + counted(selected.size, "sound") + " selected");
      return;
    }
    marks.lasso = null;
    if (ended.moved) return;
    const hit = view.nearest(...ended.from, event.pointerType === "touch" ? 22 : REACH);
    if (hit >= 0) focus(hit); else { const spot = view.nearestPlace(...ended.from); if (!spot) return; place(spot); }
    playHere();
  };
  box.addEventListener("pointerup", lift);
  box.addEventListener("pointercancel", lift);
  box.addEventListener("pointerleave", () => { if (!drag) hovered(-1); });
  box.addEventListener("wheel", (event) => {
    event.preventDefault();
    tip.hidden = true;
    view.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), ...where(event));
  }, { passive: false });

  // --- keys ----------------------------------------------------------------------------------------------------------
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const toggleLasso = () => { const on = lasso.getAttribute("aria-pressed") !== "true"; lasso.setAttribute("aria-pressed", on); box.classList.toggle("lasso", on); say(on ? "lasso on" : "lasso off"); };
  const toggleMark = () => { if (here === null || here.place) return; selected.has(here.point) ? selected.delete(here.point) : selected.add(here.point); showSelected(); point(here.point); };
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    let used = true;
    if (arrow && event.shiftKey) view.pan(-80 * arrow[0], -80 * arrow[1]);
    else if (arrow) {
      const from = marks.focus >= 0 ? marks.focus : -1;
      const next = from < 0 ? view.nearest(view.state.width / 2, view.state.height / 2, Infinity) : view.towards(from, ...arrow);
      if (next >= 0) { focus(next); sound.wake(); if (hover.checked) playHere(); } else say("no sound in that direction");
    } else if (event.key === "Enter" || event.key === " ") playHere();
    else if (event.key === "s" || event.key === "S") toggleMark();
    else if (event.key === "l" || event.key === "L") toggleLasso();
    else if (event.key === "+" || event.key === "=") view.zoom(1.5);
    else if (event.key === "-") view.zoom(1 / 1.5);
    else if (event.key === "0") view.fit();
    else used = false;
    if (used) { event.preventDefault(); box.querySelector(".wake").hidden = true; }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) { event.preventDefault(); search.focus(); search.select(); }
    if (event.key === "Escape") { sound.stop(); if (search.value) { search.value = ""; find(); } }
  });
  lasso.addEventListener("click", toggleLasso);
  get("mark").addEventListener("click", toggleMark);
  get("in").addEventListener("click", () => view.zoom(1.5));
  get("out").addEventListener("click", () => view.zoom(1 / 1.5));
  get("fit").addEventListener("click", view.fit);

  // --- lists ---------------------------------------------------------------------------------------------------------
  const rows = (list, numbers) => {
    const group = data.groups.category;
    list.replaceChildren(...numbers.slice(0, SHOWN).map((i) => {
      const row = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i"), name = document.createElement("bdi");
      button.type = "button"; dot.className = "dot c" + group.colours[group.of[i]]; name.textContent = data.names[i]; name.title = data.names[i];
      button.append(dot, name); button.dataset.point = i;
      row.append(button);
      return row;
    }));
    if (numbers.length > SHOWN) { const rest = document.createElement("li"); rest.textContent = "and " + counted(numbers.length - SHOWN, "more sound"); list.append(rest); }
  };
  for (const list of all(".panel ol")) list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    focus(Number(button.dataset.point)); sound.wake(); playHere();
  });
  const showSelected = () => {
    const panel = get("picked"), numbers = [...selected].sort((a, b) => a - b);
    panel.querySelector(".count").textContent = numbers.length ? numbers.length.toLocaleString("en") : "";
    panel.querySelector(".saves").hidden = !numbers.length; get("empty").hidden = numbers.length > 0;
    rows(panel.querySelector("ol"), numbers);
    view.draw();
  };
  const select = (numbers) => { for (const i of numbers) selected.add(i); showSelected(); };
  const filter = () => {
    const groups = data.groups[get("colour").value];
    for (let i = 0; i < view.count; i++) faded[i] = (matches && !matches.has(i)) || (chosen.size && groups && !chosen.has(groups.of[i])) ? 1 : 0;
    view.redraw();
  };
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const keys = data.names.map(plain);
  const find = () => {
    const words = plain(search.value).split(/\s+/).filter(Boolean), panel = get("found");
    const numbers = words.length ? keys.flatMap((key, i) => (words.every((word) => key.includes(word)) ? [i] : [])) : [];
    matches = words.length ? new Set(numbers) : null;
    panel.hidden = !words.length;
    panel.querySelector(".count").textContent = numbers.length.toLocaleString("en");
    get("take").hidden = !numbers.length;
    rows(panel.querySelector("ol"), numbers);
    if (words.length) say(counted(numbers.length, "sound") + " found");
    filter();
  };
  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !matches || !matches.size) return;
    event.preventDefault();
    box.focus(); focus([...matches][0]); sound.wake(); playHere();
  });
  get("take").addEventListener("click", () => select(matches || []));
  get("clear").addEventListener("click", () => { selected.clear(); showSelected(); say("selection cleared"); box.focus(); });

  // --- saving --------------------------------------------------------------------------------------------------------
  const table = () => [...selected].sort((a, b) => a - b).map((i) => {
    const row = { name: data.names[i], category: data.groups.category.names[data.groups.category.of[i]].replace(/^no category$/, ""), kind: KINDS[data.kinds[i]], cluster: data.groups.cluster.of[i] + 1, x: view.xs[i], y: 1 - view.ys[i] };
    for (const [name, scale] of Object.entries(data.scales)) row[name] = scale.values[i] === null ? null : Number((scale.logarithmic ? 2 ** scale.values[i] : scale.values[i]).toPrecision(4));
    return row;
  });
  // A spreadsheet must not take a name for a formula.
  const cell = (value) => { const text = value === null ? "" : typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value); return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text; };
  const written = {
    txt: (list) => list.map((row) => row.name).join("\n") + "\n",
    csv: (list) => [Object.keys(list[0]), ...list.map(Object.values)].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n",
    json: (list) => JSON.stringify(list, null, 2) + "\n",
  };
  for (const button of all("[data-save]")) button.addEventListener("click", () => {
    const kind = button.dataset.save, link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([written[kind](table())], { type: "text/plain;charset=utf-8" }));
    link.download = "selection." + kind;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("saved " + link.download);
  });
  get("copy").addEventListener("click", async () => {
    const text = written.txt(table());
    try { await navigator.clipboard.writeText(text); } catch (error) {  // pages from disk may not use the clipboard in every browser
      const area = document.createElement("textarea");
      area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
    }
    say(counted(selected.size, "name") + " copied");
  });

  // --- colours -------------------------------------------------------------------------------------------------------
  const RAMP = { light: [[240, 170, 60], [214, 78, 74], [140, 38, 120], [48, 22, 96]], dark: [[84, 70, 190], [206, 72, 140], [250, 138, 88], [255, 232, 150]] };
  const BUCKETS = 32;
  const isDark = () => { const theme = document.documentElement.dataset.theme; return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; };
  const ramp = (share) => {
    const stops = RAMP[isDark() ? "dark" : "light"], at = share * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
    return "rgb(" + stops[k].map((value, c) => Math.round(value + (stops[k + 1][c] - value) * (at - k))).join(" ") + ")";
  };
  const labelsOf = (group) => group.names.flatMap((name, number) => {
    const members = [];
    group.of.forEach((of, i) => { if (of === number) members.push(i); });
    if (members.length < 3 || name === "no category") return [];
    const middle = (values) => { const sorted = members.map((i) => values[i]).sort((a, b) => a - b); return sorted[sorted.length >> 1]; };
    const x = middle(view.xs), y = middle(view.ys);
    const at = members.reduce((best, i) => ((view.xs[i] - x) ** 2 + (view.ys[i] - y) ** 2 < (view.xs[best] - x) ** 2 + (view.ys[best] - y) ** 2 ? i : best));
    return [[name.split(": ")[0], view.xs[at], view.ys[at], members.length]];
  }).sort((a, b) => b[3] - a[3]).slice(0, 40);
  const paintGroups = (group) => {
    view.setPalette(group.colours.map((number) => view.style("--c" + number)));
    view.tint.set(group.of);
    marks.labels = labelsOf(group);
    const list = document.createElement("ul"), sizes = group.names.map(() => 0);
    for (const of of group.of) sizes[of]++;
    list.className = "chips"; list.setAttribute("aria-label", "Groups; press one to bring it out");
    list.append(...group.names.map((name, number) => {
      const item = document.createElement("li"), chip = document.createElement("button"), dot = document.createElement("i"), text = document.createElement("bdi"), size = document.createElement("small");
      chip.className = "chip"; chip.type = "button"; chip.setAttribute("aria-pressed", chosen.has(number));
      dot.className = "dot c" + group.colours[number]; text.textContent = name; size.textContent = sizes[number];
      chip.append(dot, text, size); item.append(chip);
      chip.addEventListener("click", () => { chosen.has(number) ? chosen.delete(number) : chosen.add(number); chip.setAttribute("aria-pressed", chosen.has(number)); filter(); });
      return item;
    }));
    get("legend").replaceChildren(list);
  };
  const paintScale = (name, scale) => {
    const [low, high] = scale.ends, colours = Array.from({ length: BUCKETS }, (_, k) => ramp(k / (BUCKETS - 1)));
    view.setPalette([...colours, view.style("--c12")]);
    scale.values.forEach((value, i) => { view.tint[i] = value === null ? BUCKETS : Math.round(Math.min(Math.max((value - low) / (high - low), 0), 1) * (BUCKETS - 1)); });
    marks.labels = [];
    const key = document.createElement("div"), bar = document.createElement("canvas"), meaning = document.createElement("small"), unknown = scale.values.filter((value) => value === null).length;
    key.className = "ramp"; bar.width = BUCKETS; bar.height = 1; bar.setAttribute("aria-hidden", "true");
    colours.forEach((colour, k) => { const ink = bar.getContext("2d"); ink.fillStyle = colour; ink.fillRect(k, 0, 1, 1); });
    const ends = [scale.words[0] + " ", scale.words[1] + " "].map((word, k) => { const text = document.createElement("span"), value = document.createElement("b"); value.textContent = measure(name, scale, scale.ends[k]); text.append(word, value); return text; });
    meaning.textContent = label(name) + ": " + scale.meaning + (unknown ? "; grey: not known, " + counted(unknown, "sound") : "");
    key.append(ends[0], bar, ends[1], meaning);
    get("legend").replaceChildren(key);
  };
  const colour = () => {
    const name = get("colour").value;
    if (data.groups[name]) paintGroups(data.groups[name]); else paintScale(name, data.scales[name]);
    filter();
  };
  get("colour").addEventListener("change", () => { chosen.clear(); colour(); });
  view.onrestyle = colour;
  search.value = "";
  colour(); showSelected();
  page.map = { focus, find, select, point: () => here };
})();
