// What the page has where it is served: words, neighbours, generation, other instruments; and a session that outlives the page of its tab.
import { session, loadSession, savedSession } from "./state.js";
import { initServer } from "./server.js";
import { initWords } from "./words.js";
import { initFind } from "./find.js";
import { initGenerate } from "./generate.js";
import { get, make } from "./shapes.js";

export function initServed(instrument) {
  const { server } = instrument;
  if (server === null) return;
  initServer(server);
  document.body.dataset.served = "true";
  get("own-files").parentElement.hidden = false;
  initInstruments(server);
  initWords(instrument);
  initFind(instrument);
  if (server.folder) initGenerate(instrument);
  addEventListener("pagehide", () => keepSession(instrument.info));
}

function initInstruments({ instruments, here }) {
  if (instruments.length < 2) return;
  const links = instruments.map(({ title, href }, i) => make("li", {}, make("a", { href, textContent: title, ...(i === here ? { "aria-current": "page" } : {}) })));
  get("instruments").hidden = false;
  get("instruments").append(make("ul", {}, ...links));
}

// --- a session from one page of the tab to the next -----------------------------------------------------------------
const keyOfSession = ({ fingerprint }) => "timbrespace session " + fingerprint;
function keepSession(info) {
  try { sessionStorage.setItem(keyOfSession(info), savedSession(info.fingerprint)); } catch { /* the tab may keep nothing */ }
}
/** Takes over the session that this tab last had with the instrument. Returns whether there was one. */
export function resumeSession({ info, server }) {
  if (server === null) return false;
  try {
    const kept = sessionStorage.getItem(keyOfSession(info));
    if (kept === null) return false;
    loadSession(kept, info, { undoable: false });
    return session.pads.some((pad) => pad.sound !== null);
  } catch { return false; }
}
