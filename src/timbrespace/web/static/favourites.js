// Sounds that are kept: heard again, put back on a pad, taken out together.
import { render } from "./sounds.js";
import { wake, play } from "./audio.js";
import { session, selectedPad, remember, on, FAVOURITES } from "./state.js";
import { putSound, playPad } from "./kit.js";
import { hand } from "./takeout.js";
import { wavFile, zipFile } from "./files.js";
import { get, make, say, colourOf } from "./shapes.js";

let kinds = [];

export function initFavourites(instrument) {
  kinds = instrument.info.categories;
  get("pad-keep").addEventListener("click", keep);
  get("take-favourites").addEventListener("click", takeFavourites);
  on("session", showFavourites);
  showFavourites();
}

const titleOfFavourite = (sound, index) => `${index + 1} ${sound.category >= 0 ? kinds[sound.category] : "sound"}`;

function keep() {
  const { sound } = selectedPad();
  if (!sound) return;
  if (session.favourites.length >= FAVOURITES) { say(`There are ${FAVOURITES} favourites; take one away first`); return; }
  remember();
  session.favourites.push(sound);
  showFavourites();
  say("Kept as favourite " + session.favourites.length);
}

function showFavourites() {
  get("favourites-card").hidden = session.favourites.length === 0;
  get("favourites").replaceChildren(...session.favourites.map((sound, index) => {
    const title = titleOfFavourite(sound, index);
    const hear = make("button", { type: "button", textContent: title, "aria-label": "Hear favourite " + title, onclick: async () => { await wake(); play(await render(sound, { urgent: true })); } });
    const put = make("button", { type: "button", textContent: "To pad", "aria-label": `To pad: favourite ${title}`, onclick: async () => { remember(); await putSound(session.selected, sound); playPad(session.selected); } });
    const away = make("button", { type: "button", textContent: "×", "aria-label": "Take away favourite " + title, onclick: () => { remember(); session.favourites.splice(index, 1); showFavourites(); } });
    hear.style.setProperty("--own", colourOf(sound.category));
    return make("li", {}, hear, put, away);
  }));
}

async function takeFavourites() {
  const files = await Promise.all(session.favourites.map(async (recipe, index) => {
    const sound = await render(recipe);
    return { name: titleOfFavourite(recipe, index).replace(/[^\p{L}\p{N} _-]/gu, "_") + ".wav", bytes: wavFile(sound.channels, sound.sampleRate) };
  }));
  hand("favourites.zip", zipFile(files), "application/zip");
}
