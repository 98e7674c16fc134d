// The training sounds nearest to a pad's sound: lit on the map and listed.
import { session } from "./state.js";
import { changeSounds, playPad } from "./kit.js";
import { askServer } from "./server.js";
import { withWork } from "./work.js";
import { soundOfPoint, titleOfPoint, lightPoints, hear } from "./map.js";
import { get, make, say, colourOf } from "./shapes.js";

const COUNT = 8;

export function initFind(instrument) {
  if (!instrument.points.length) return;
  get("find-row").hidden = false;
  get("find").addEventListener("click", () => findLike(session.selected, instrument.points.length));
  get("find-clear").addEventListener("click", () => { showFound([]); get("find").focus(); });
  document.addEventListener("select-pad", showFindTarget);
  showFindTarget();
}
const showFindTarget = () => { get("find").textContent = "Find sounds like pad " + (session.selected + 1); };

async function findLike(index, known) {
  const { sound } = session.pads[index];
  if (sound === null) { say("The pad is empty"); return; }
  const answer = await withWork("Sounds like pad " + (index + 1), ({ signal }) => askServer("neighbours", { z: sound.z, count: Math.min(COUNT, known) }, { signal }));
  if (answer === undefined) return;
  const found = answer.neighbours.filter(({ point }) => Number.isInteger(point) && point >= 0 && point < known);
  showFound(found, index);
  say(found.length ? `${found.length} sounds are like pad ${index + 1}; the nearest is ${titleOfPoint(found[0].point)}` : "No sounds were found");
}

function showFound(found, index) {
  lightPoints(found.map(({ point }) => point));
  get("find-clear").hidden = found.length === 0;
  get("found").setAttribute("aria-label", index === undefined ? "Found sounds" : "Sounds like pad " + (index + 1));
  get("found").replaceChildren(...found.map(({ point, distance }) => {
    const title = titleOfPoint(point), far = Number(distance).toFixed(2);
    const play = make("button", { type: "button", title, "aria-label": `Hear ${title} ${far}`, onclick: () => hear(soundOfPoint(point)) }, make("span", { textContent: title.split("/").at(-1) }), " ", make("small", { textContent: far }));
    const put = make("button", { type: "button", textContent: "To pad", "aria-label": "To pad: " + title, onclick: () => putFound(point, title) });
    play.style.setProperty("--own", colourOf(soundOfPoint(point).category));
    return make("li", {}, play, put);
  }));
}

async function putFound(point, title) {
  const target = session.selected;
  if ((await changeSounds([target], () => [soundOfPoint(point)])).length === 0) return;
  playPad(target);
  say(`${title} on pad ${target + 1}`);
}
