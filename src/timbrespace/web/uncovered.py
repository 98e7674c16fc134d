"""The page of an instrument that the native core does not play: why, what to do, and new sounds written to the folder."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence

_STYLE = (
    ":root{color-scheme:light dark}body{font:1.05rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2.5rem auto;padding:0 1rem}"
    "label{display:block;margin:.6rem 0}input[type=text]{width:100%;box-sizing:border-box}input,button{font:inherit;padding:.3rem .6rem}"
)
_FORM = """<form id="form"><h2>New sounds into the folder</h2>
<label>Number <input id="count" type="number" min="1" max="1000" value="16" required></label>
<label>In words, if you like <input id="words" type="text" maxlength="1000" placeholder="short and bright"></label>
<label><input id="kit" type="checkbox"> Also as kits for samplers</label>
<button id="start">Make them</button> <button id="stop" type="button" hidden>Cancel</button></form>
<p id="say" role="status"></p><ul id="files"></ul>"""
_SCRIPT = """"use strict";
const get = (id) => document.getElementById(id), base = document.body.dataset.base;
let job = null;
const ask = async (address, options) => {
  const answer = await fetch(address, { cache: "no-store", redirect: "error", ...options });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
};
const newId = () => {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64; b[8] = (b[8] & 63) | 128;
  return [...b].map((x, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + x.toString(16).padStart(2, "0")).join("");
};
const show = (busy) => { get("start").disabled = busy; get("stop").hidden = !busy; };
get("stop").onclick = () => { if (job) ask("/api/jobs/" + job, { method: "DELETE" }).catch(() => {}); };
get("form").onsubmit = async (event) => {
  event.preventDefault();
  show(true);
  get("files").replaceChildren();
  try {
    const seed = String(crypto.getRandomValues(new Uint32Array(1))[0]), words = get("words").value.trim();
    const asked = { id: newId(), count: get("count").valueAsNumber, kit: get("kit").checked, seed, ...(words ? { prompt: words } : {}) };
    const headers = { "Content-Type": "application/json" };
    job = (await ask(base + "/generate", { method: "POST", headers, body: JSON.stringify(asked) })).job;
    for (;;) {
      await new Promise((go) => setTimeout(go, 500));
      const { state, done, of, result, error } = await ask("/api/jobs/" + job);
      if (state === "done") {
        get("say").textContent = `In the folder \u201c${result.folder}\u201d:`;
        get("files").append(...result.files.map((name) => Object.assign(document.createElement("li"), { textContent: name })));
      } else if (state === "failed") throw new Error(error);
      else if (state === "cancelled") get("say").textContent = "Cancelled; nothing was written.";
      else { get("say").textContent = state === "waiting" ? "Waiting \u2026" : `${done} of ${of || "?"} steps \u2026`; continue; }
      break;
    }
  } catch (error) { get("say").textContent = error.message; }
  show(false);
};
"""


def uncovered_page(title: str, reason: str, *, base: str, instruments: Sequence[dict[str, str]], folder: bool) -> tuple[str, str]:
    """Returns the page as HTML, and its Content-Security-Policy.

    reason: why the core does not play it. base: where its interface begins. instruments: titles and addresses of all that are served.
    folder: whether new sounds can be written.
    """
    title, links = html.escape(title), ""
    if len(instruments) > 1:
        rows = (f'<li><a href="{html.escape(one["href"])}">{html.escape(one["title"])}</a></li>' for one in instruments)
        links = f"<nav><h2>Instruments</h2><ul>{''.join(rows)}</ul></nav>"
    script = f"<script>{_SCRIPT}</script>" if folder else ""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · timbrespace</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
        f"<body data-base={json.dumps(base)}><h1>{title}</h1>"
        f"<p>This instrument cannot be played in a page: {html.escape(reason)}. Train one with <code>--preset oneshot</code>, the "
        f"default, to play it here.</p>{_FORM if folder else _NO_FOLDER}{links}{script}</body></html>"
    )
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    scripts = f"script-src 'sha256-{digest}'; connect-src 'self'; " if folder else ""
    return text, f"default-src 'none'; {scripts}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


_NO_FOLDER = "<p>Started with <code>--folder OUT</code>, the server makes new sounds of it into that folder.</p>"
