// The page: makes its parts for the instrument that plays, and shows what others change.
import { askAgain, send, set, startLink } from "./link.js";
import { addFader, faderOf, forgetFaders, makePlane } from "./fader.js";
import { letGoAll, showKeys, showPads } from "./keys.js";

const facts = JSON.parse(document.getElementById("facts").textContent), get = (id) => document.getElementById(id);
const PLANE = 3, LATENT = 3, MAP = "/map", NARROW = 700;
const SETTLED = 1500;  // ms in which an older answer may still have the instrument before
const TEXTS = {  // of each kind of instrument
  drums: { pads: "Higher on a pad is louder.", map: "The next hits come from that place.", faders: "They change the next hits." },
  notes: { pads: "A pad chooses a sound, and plays it. Higher on a pad is louder.", map: "The next notes come from that place.", faders: "They change the next notes." },
  held: { pads: "A pad chooses the sound that the keys play.", map: "The notes that sound move there, and the next ones start there.", faders: "They change the notes that sound, and the next ones." },
};
let program = -1, chosen = 0, octave = 4, planes = [], rests = [];

function build(number) {
  program = number;
  const own = facts.instruments[number];
  letGoAll();
  forgetFaders();
  planes = []; rests = [];
  for (const id of ["map-faders", "axes-faders", "faders", "walk-faders", "latents"]) get(id).replaceChildren();
  get("program").value = String(number);
  showPads(get("pads"), own.pads, { held: own.kind === "held", struck: own.kind === "drums" ? undefined : leaveMap });
  for (const [part, words] of Object.entries(TEXTS[own.kind])) get(part + "-hint").textContent = words;
  get("keys-card").hidden = own.kind === "drums";
  const value = (place, address, options) => { const fader = addFader(get(place), address, { changed: (next) => { set(address, next); planes.forEach((show) => show()); }, ...options }); rests.push(fader); return fader; };
  get("map-card").hidden = !own.mapped;
  if (own.mapped) {
    get("map").classList.add("unset");
    const moved = () => { get("map").classList.remove("unset"); set(MAP, across.value, up.value); planes.forEach((show) => show()); }, options = { low: 0, high: 1, middle: 0.5, changed: moved };
    const across = addFader(get("map-faders"), MAP + " x", { name: "map, across", ...options }), up = addFader(get("map-faders"), MAP + " y", { name: "map, up", ...options });
    planes.push(makePlane(get("map"), across, up, [[0, 1], [0, 1]], own.points, own.categories));
  }
  get("axes-card").hidden = own.axes < 2;
  const axes = Array.from({ length: own.axes }, (_, index) => value(index < 2 ? "axes-faders" : "faders", `/axis/${index + 1}`, { name: `axis ${index + 1}`, low: -PLANE, high: PLANE }));
  if (axes.length > 1) planes.push(makePlane(get("axes"), axes[0], axes[1], [[-PLANE, PLANE], [-PLANE, PLANE]]));
  for (const [name, [low, high]] of Object.entries(own.controls)) value("faders", "/control/" + name.replaceAll(" ", "/"), { name: name.replaceAll("_", " "), low, high });
  addFader(get("faders"), "/gain", { name: "gain", low: 0, high: 2, middle: 1, changed: (next) => set("/gain", next) });
  if (own.kind !== "drums") addFader(get("faders"), "/pbend", { name: "bend", low: -1, high: 1, spring: true, changed: (next) => set("/pbend", 0, next) });
  for (const [name, [low, high]] of Object.entries(facts.walk?.settings ?? {})) addFader(get("walk-faders"), "/walk/" + name, { name: "walk " + name, low, high, middle: name === "tempo" ? 110 : 1, digits: name === "tempo" ? 0 : 2, changed: (next) => set("/walk/" + name, next) });
  get("latents-card").hidden = !own.latents;
  for (let index = 1; index <= own.latents; index += 1) value("latents", `/latent/${index}`, { name: `latent ${index}`, low: -LATENT, high: LATENT });
  keyboard();
  askAgain();
}
function keyboard() {
  letGoAll();
  get("octave").textContent = `C${octave}`;
  showKeys(get("keys"), 12 * (octave + 1), innerWidth < NARROW ? 13 : 25);
}
const leaveMap = () => get("map").classList.add("unset");
function changed([address, ...values]) {
  if (address === MAP && !values.length) leaveMap();
  else if (address === MAP) { get("map").classList.remove("unset"); faderOf(MAP + " x")?.shown(values[0]); faderOf(MAP + " y")?.shown(values[1]); }
  else if (address === "/latent") values.forEach((one, index) => faderOf(`/latent/${index + 1}`)?.shown(one));
  else if (address === "/walk/playing") get("walk-playing").textContent = values[0] ? "plays" : "stopped";
  else {
    if (address === "/walk/tempo" && facts.walk && !facts.walk.settings.tempo) get("walk-tempo").textContent = `${facts.walk.clocked ? "MIDI clock: " : ""}${values[0].toFixed(1)} beats a minute`;
    faderOf(address)?.shown(values[0]);
  }
}
function answered({ changed: news, errors, level, voices, late, program: playing }) {
  if (playing !== program && performance.now() - chosen > SETTLED && facts.instruments[playing]) { build(playing); }
  news.forEach(changed);
  planes.forEach((show) => show());
  const decibels = Math.max(-60, 20 * Math.log10(Math.max(level, 1e-6)));
  get("meter").style.setProperty("--level", (100 + decibels / 0.6) + "%");
  get("meter").setAttribute("aria-valuenow", String(Math.round(decibels)));
  get("figures").textContent = `${voices} ${voices === 1 ? "voice" : "voices"}`;
  if (errors.length) say(errors[errors.length - 1]);
  document.body.dataset.answered = "true";
}
let quiet = 0;
function say(text) { get("status").textContent = text; clearTimeout(quiet); quiet = text ? setTimeout(() => say(""), 6000) : 0; }
let gone = false;
function lost(words) { if (words) { get("status").textContent = words; gone = true; } else if (gone) { gone = false; say(""); } }

get("program-label").hidden = facts.instruments.length < 2;
get("program").append(...facts.instruments.map((one, index) => Object.assign(document.createElement("option"), { value: String(index), textContent: one.title })));
get("program").onchange = (event) => { chosen = performance.now(); send("/program", Number(event.target.value)); build(Number(event.target.value)); };
get("sustain").onclick = () => { const on = get("sustain").getAttribute("aria-pressed") !== "true"; get("sustain").setAttribute("aria-pressed", String(on)); send("/sustain", Number(on)); };
get("notes-off").onclick = () => { letGoAll(); get("sustain").setAttribute("aria-pressed", "false"); send("/allnotesoff"); };
get("sound-off").onclick = () => { letGoAll(); get("sustain").setAttribute("aria-pressed", "false"); send("/allsoundoff"); };
get("walk-card").hidden = !facts.walk;
get("walk-title").textContent = facts.walk?.title ?? "";
if (facts.walk?.clocked) {
  get("walk-tempo").textContent = "MIDI clock: no pulses yet";
  get("walk-when").textContent = ", with the next pulse of the clock";
}
for (const order of ["start", "stop", "continue"]) get("walk-" + order).onclick = () => send("/walk/" + order);
get("leave").onclick = () => { set(MAP); leaveMap(); };
get("reset").onclick = () => rests.forEach((one) => one.rest());
get("lower").onclick = () => { octave = Math.max(-1, octave - 1); keyboard(); };
get("higher").onclick = () => { octave = Math.min(8, octave + 1); keyboard(); };
let narrow = innerWidth < NARROW;
addEventListener("resize", () => { if ((innerWidth < NARROW) !== narrow) { narrow = !narrow; keyboard(); } });
build(0);
startLink(answered, lost);
document.body.dataset.ready = "true";
