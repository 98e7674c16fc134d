// MIDI keyboards, where the browser has WebMIDI: notes, sustain pedal, pitch bend, modulation wheel.
import { get, say } from "./shapes.js";

/** player: { noteOn(key, velocity 0-1), noteOff(key), pedal(down), bend(-1 to 1), wheel(0 to 1), allOff() }. */
export function initMidi(player) {
  const button = get("midi");
  if (!navigator.requestMIDIAccess) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      const access = await navigator.requestMIDIAccess();
      const listen = () => { for (const input of access.inputs.values()) input.onmidimessage = ({ data }) => midiMessage(player, data); };
      access.onstatechange = listen;
      listen();
      button.setAttribute("aria-pressed", "true");
      say(access.inputs.size ? "MIDI: " + [...access.inputs.values()].map((input) => input.name).join(", ") : "No MIDI keyboard is connected");
    } catch { say("The browser does not allow MIDI here"); }
  });
}

/** Carries out one MIDI message of up to three bytes, of any channel. */
export function midiMessage(player, [status, first = 0, second = 0]) {
  const kind = status & 0xf0;
  if (kind === 0x90 && second > 0) player.noteOn(first, second / 127);
  else if (kind === 0x80 || kind === 0x90) player.noteOff(first);
  else if (kind === 0xe0) { const place = ((second << 7) | first) - 8192; player.bend(place / (place < 0 ? 8192 : 8191)); }
  else if (kind === 0xb0) {
    if (first === 1) player.wheel(second / 127);
    if (first === 64) player.pedal(second >= 64);
    if (first === 120 || first === 123) player.allOff();
  }
}
