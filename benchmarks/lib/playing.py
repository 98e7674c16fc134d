"""Playing inside a page, by its own modules: long random playing in which clicks are looked for, and a pulse whose steps are counted."""

from __future__ import annotations

from typing import Any

from timbrespace.web.join import STATIC, join

# Every jump of the mix must be explained by the sounds in it: a voice of gain g explains g |s[n] - s[n-1]|, and g |s[n-1]| over the length
# of a fade besides. What is more than that is a click. The soft limit of the mix only makes jumps smaller.
_RANDOM = """async ({ minutes, skip }) => {
  const { openInstrument, draw, render, coreBytes, Player, carryOut } = window.found, rate = 44100, fade = 0.005 * rate;
  await openInstrument();
  const sounds = await Promise.all(Array.from({ length: 24 }, (_, index) => draw({ seed: 1, index }).then((one) => render(one))));
  const player = new Player(await WebAssembly.compile(await coreBytes()), rate);
  const blocks = Math.round((minutes * 60 * rate) / 128), allowed = new Float32Array(blocks * 128 + 20 * rate);
  let state = 1, clicks = 0, worst = 0, last = 0, plays = 0;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const send = (message) => { if (!carryOut(player, message)) throw new Error("the queue is full"); };
  const held = sounds.slice(0, 8);
  held.forEach((sound, slot) => send({ verb: "sound", slot, channels: sound.channels, rate: sound.sampleRate }));
  for (let block = 0; block < blocks; block++) {
    if (random() < 0.003) {  // another sound for a slot, which may be playing
      const slot = Math.floor(8 * random());
      held[slot] = sounds[Math.floor(24 * random())];
      send({ verb: "sound", slot, channels: held[slot].channels, rate });
    }
    if (random() < 0.0003) send({ verb: "silence" });
    if (random() < 0.02) {
      const slot = Math.floor(8 * random()), velocity = (20 + Math.floor(100 * random())) / 127;
      const gain = velocity ** 1.5, s = held[slot].channels[0];
      send({ verb: "play", slot, id: ++plays, velocity, choke: Math.floor(3 * random()) });
      for (let n = 0, before = 0, at = block * 128; n <= s.length; n++, at++) {
        const now = n < s.length ? s[n] : 0;
        allowed[at] += gain * (Math.abs(now - before) + Math.abs(before) / fade);
        before = now;
      }
    }
    if (skip && block % 1000 === 999) player.process(128);  // a block that is lost, which must be found
    const out = player.process(128)[0];
    for (let i = 0; i < 128; i++) {
      const excess = Math.abs(out[i] - last) - allowed[block * 128 + i];
      if (excess > 1e-4) clicks++;
      worst = Math.max(worst, excess);
      last = out[i];
    }
  }
  return { clicks, plays, worst };
}"""
# Slow sines with soft ends, so that no sound has a jump of its own: more of them than there are slots, choked, let go, silenced, replaced.
# A voice of gain 0.1 that is cut off jumps by up to 0.1.
_LIVE = """async (seconds) => {
  const { wake, play, release, stopAll, record } = window.found, rate = 44100, gain = 0.1, most = 2 ** (7 / 12);
  if (await wake() !== "running") throw new Error("no sound output");
  await record(true);
  const begin = performance.now(), ends = [];
  let number = 0, together = 0;
  while (performance.now() - begin < 1000 * seconds) {
    const length = Math.round(rate * (0.2 + Math.random())), id = 1e6 + (number++ % 400);
    const slope = (n) => Math.min(1, n / 2000, (length - 1 - n) / 2000);
    const wave = Float32Array.from({ length }, (_, n) => slope(n) * Math.sin((2 * Math.PI * 80 * n) / rate));
    const sound = { id, channels: [wave], sampleRate: rate };
    const tune = 14 * Math.random() - 7, held = Math.random() < 0.3;
    const choke = Math.floor(3 * Math.random()), reverse = Math.random() < 0.2;
    const voice = play(sound, { gain, tune, choke, reverse, key: held ? number : null });
    if (held) setTimeout(() => release(voice), 300 * Math.random());
    if (number % 40 === 0) stopAll();
    const now = performance.now();
    ends.push(now + 100 + (2200 * length) / rate);
    together = Math.max(together, ends.filter((end) => end > now).length);
    await new Promise((done) => setTimeout(done, 20 + 150 * Math.random()));
  }
  const { channels: [left], sampleRate } = await record(false);
  let worst = 0, peak = 0;
  for (let n = 1; n < left.length; n++) {
    worst = Math.max(worst, Math.abs(left[n] - left[n - 1]));
    peak = Math.max(peak, Math.abs(left[n]));
  }
  const each = gain * most * (2 * Math.PI * 80 + 22.05) / Math.min(rate, sampleRate) + gain / (0.005 * sampleRate);
  return { plays: number, worst, allowed: together * each, peak, seconds: left.length / sampleRate };
}"""
_PULSE = """async ([seconds, tempo, live]) => {
  const { wake, record, setLane, setPattern, start, stop, renderPattern } = window.found;
  const sound = { id: 2e6, channels: [Float32Array.from({ length: 400 }, (_, n) => Math.exp(-n / 40))], sampleRate: 44100 };
  setLane(0, { sound, gain: 0.5, pan: 0, tune: 0, reverse: false, decay: 0, choke: 0, mute: false, solo: false });
  const step = { on: true, velocity: 1, probability: 1, ratchet: 1 };
  setPattern({ tempo, swing: 0.5, steps: 16, seed: 1, lanes: [{ steps: Array(16).fill(step) }] });
  let taken;
  if (live) {
    await wake();
    await record(true);
    start();
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    stop();
    taken = await record(false);
  } else taken = await renderPattern(Math.ceil((seconds * tempo) / 240));
  const { channels: [left], sampleRate } = taken, onsets = [];
  for (let n = 0, quiet = 1e9; n < left.length; n++) {
    if (Math.abs(left[n]) > 0.1) { if (quiet > 1000) onsets.push(n); quiet = 0; } else quiet++;
  }
  // Exact places are no whole samples: what is rounded differs by less than one.
  const errors = onsets.map((n, k) => n - (k * 15 * sampleRate) / tempo);
  return { spread: Math.max(...errors) - Math.min(...errors), steps: onsets.length, seconds: onsets.at(-1) / sampleRate };
}"""
_MODULES = {
    "sounds.js": ("openInstrument", "draw", "render", "coreBytes"),
    "player.js": ("Player", "carryOut"),
    "audio.js": ("wake", "play", "release", "stopAll", "record", "setLane", "setPattern", "start", "stop", "renderPattern"),
}


def load_modules(page: Any) -> None:
    """Gives the page modules of its own kind a second time, apart from those that it plays with, as `window.found`."""
    imports = "".join(f'import {{ {", ".join(names)} }} from "./{module}";\n' for module, names in _MODULES.items())
    names = ", ".join(name for group in _MODULES.values() for name in group)
    entry = f"{imports}window.found = {{ {names} }};\n"
    page.evaluate(join("entry.js", lambda name: entry if name == "entry.js" else (STATIC / name).read_text(encoding="utf-8")))


def random_playing(page: Any, minutes: float, *, skip: bool = False) -> dict[str, float]:
    """Plays sounds of the instrument at random, offline. Returns `clicks` (samples), `plays`, `worst`. skip: lose blocks, as a check."""
    return dict(page.evaluate(_RANDOM, {"minutes": minutes, "skip": skip}))


def live_playing(page: Any, seconds: float) -> dict[str, float]:
    """Plays smooth sounds at random through the audio thread. Returns `plays`, `worst` jump, `allowed` jump, `peak`, `seconds`."""
    return dict(page.evaluate(_LIVE, seconds))


def pulse(page: Any, seconds: float, *, tempo: float = 97, live: bool) -> dict[str, float]:
    """Plays a sound at every step. Returns `spread` of the steps about exact places (samples; below 1: no drift), `steps`, `seconds`."""
    return dict(page.evaluate(_PULSE, [seconds, tempo, live]))
