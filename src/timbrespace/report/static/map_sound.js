"use strict";
// Plays the sounds of the page, which are compressed and written as base64; each is decoded when it is first played.
(() => {
  const page = window.timbrespace;
  const texts = JSON.parse(document.getElementById("sounds").textContent);
  const buffers = new Map();
  let context = null, playing = null, wanted = -1, changed = () => {};
  const bytes = (text) => {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out.buffer;
  };
  // Encoders put silence before a sound; what is below -60 dB at the start is skipped.
  const onset = (buffer) => {
    const samples = buffer.getChannelData(0), most = Math.min(samples.length, 0.08 * buffer.sampleRate);
    let first = 0;
    while (first < most && Math.abs(samples[first]) < 1e-3) first++;
    return first < most ? first / buffer.sampleRate : 0;
  };
  const buffer = (number) => {
    if (!buffers.has(number)) buffers.set(number, context.decodeAudioData(bytes(texts[number])).then((decoded) => ({ decoded, from: onset(decoded) })));
    return buffers.get(number);
  };
  const stop = () => {
    wanted = -1;
    if (!playing) return;
    const { source, gain } = playing;
    gain.gain.setTargetAtTime(0, context.currentTime, 0.008);
    source.stop(context.currentTime + 0.05);
    playing = null;
    changed(false);
  };
  const play = async (number) => {
    if (number < 0 || !wake()) return;
    stop();
    wanted = number;
    try {
      const { decoded, from } = await buffer(number);
      if (wanted !== number) return;  // another one was asked for meanwhile
      const source = context.createBufferSource(), gain = context.createGain();
      source.buffer = decoded;
      source.connect(gain).connect(context.destination);
      source.start(0, from);
      playing = { source, gain };
      page.sound.last = number;
      changed(true);
      source.onended = () => { if (playing && playing.source === source) { playing = null; changed(false); } };
    } catch (error) {
      page.trouble.textContent = "This sound could not be played: the browser does not know its format";
    }
  };
  // Browsers let a page sound only after a click or a key.
  const wake = () => {
    if (!context) {
      const Context = window.AudioContext || window.webkitAudioContext;
      if (!Context) { page.trouble.textContent = "This browser cannot play sounds from a page"; return false; }
      context = new Context();
    }
    if (context.state === "suspended") context.resume();
    return true;
  };
  page.sound = { play, stop, wake, last: -1, awake: () => context !== null, onchange: (listener) => { changed = listener; } };
})();
