// The audio thread: mixes what the core's player plays.
import { Player, carryOut } from "./player.js";

const REPORT = 8;      // blocks between reports of the position
const PART = 16384;    // samples of a recording that leave at a time, so that its end is no long message

class TimbrespaceProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.player = new Player(new WebAssembly.Module(processorOptions.core), sampleRate);
    this.waiting = [];
    this.recording = null;  // two channels of PART samples, and how many are filled
    this.blocks = 0;
    this.port.onmessage = ({ data }) => { if (data.verb === "record") this.record(data.on); else this.waiting.push(data); };
    this.port.postMessage({ ready: true });
  }
  record(on) {
    if (on) { this.recording ??= this.emptyPart(); return; }
    if (this.recording) this.sendPart();
    this.recording = null;
    this.port.postMessage({ recorded: true });
  }
  emptyPart() { return { channels: [new Float32Array(PART), new Float32Array(PART)], filled: 0 }; }
  sendPart() {
    const { channels, filled } = this.recording, part = channels.map((channel) => (filled < PART ? channel.slice(0, filled) : channel));
    this.port.postMessage({ part }, part.map((channel) => channel.buffer));
  }
  keep(a, b) {
    if (this.recording.filled + a.length > PART) { this.sendPart(); this.recording = this.emptyPart(); }
    const { channels, filled } = this.recording;
    channels[0].set(a, filled);
    channels[1].set(b, filled);
    this.recording.filled += a.length;
  }
  /** Whether a message was carried out; one that cannot be is dropped, and the sound goes on. */
  carried(message) {
    try { return carryOut(this.player, message); } catch (error) { this.port.postMessage({ refused: error.message }); return true; }
  }
  process(_, [[left, right]]) {
    let done = 0;
    while (done < this.waiting.length && this.carried(this.waiting[done])) done++;
    this.waiting.splice(0, done);
    const [a, b] = this.player.process(left.length);
    left.set(a);
    if (right) right.set(b);
    if (this.recording) this.keep(a, b);
    if (++this.blocks % REPORT === 0) this.port.postMessage({ state: this.player.read() });
    return true;
  }
}
registerProcessor("timbrespace", TimbrespaceProcessor);
