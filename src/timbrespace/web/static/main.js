// Starts the page: opens the instrument, then its parts.
import { openInstrument } from "./sounds.js";
import { wake, onsilence } from "./audio.js";
import { initKit } from "./kit.js";
import { initPads } from "./pads.js";
import { initMap } from "./map.js";
import { initControls } from "./controls.js";
import { initSequencer } from "./sequencer.js";
import { initKeyboard } from "./keyboard.js";
import { initTakeout } from "./takeout.js";
import { initFavourites } from "./favourites.js";
import { initCorners } from "./corners.js";
import { initRaw } from "./raw.js";
import { initOwn } from "./own.js";
import { initDrop } from "./drop.js";
import { initServed, resumeSession } from "./served.js";
import { get } from "./shapes.js";

function initTheme() {
  const button = get("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const show = (theme) => { document.documentElement.dataset.theme = theme; button.setAttribute("aria-pressed", String(theme === "dark")); document.dispatchEvent(new CustomEvent("theme")); };
  show(dark.matches ? "dark" : "light");
  button.addEventListener("click", () => show(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
}

async function begin() {
  initTheme();
  const status = get("status");
  try {
    const instrument = await openInstrument((text) => { status.textContent = text; });
    onsilence((words) => { status.textContent = words; status.classList.add("error"); });
    document.addEventListener("pointerdown", () => { wake(); }, { once: true });
    initPads(instrument);
    initMap(instrument);
    initControls(instrument);
    initSequencer();
    initKeyboard(instrument);
    initTakeout(instrument);
    initFavourites(instrument);
    initCorners();
    initRaw(instrument);
    initOwn(instrument);
    initDrop(instrument);
    initServed(instrument);
    await initKit(instrument, { resumed: resumeSession(instrument) });
    if (!status.classList.contains("error")) status.textContent = "";
    document.body.dataset.ready = "true";
  } catch (error) {
    status.textContent = error.message;
    status.classList.add("error");
    throw error;
  }
}
begin();
