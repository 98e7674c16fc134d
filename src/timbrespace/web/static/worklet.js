// The audio thread: mixes what the core's player plays.
import { Player, carryOut } from "./player.js";

const REPORT = 8;  // blocks between reports of the position

class TimbrespaceProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.player = new Player(new WebAssembly.Module(processorOptions.core), sampleRate);
    this.waiting = [];
    this.recording = null;
    this.blocks = 0;
    this.port.onmessage = ({ data }) => { if (data.verb === "record") this.record(data.on); else this.waiting.push(data); };
    this.port.postMessage({ ready: true });
  }
  record(on) {
    if (on) { this.recording = []; return; }
    const parts = this.recording ?? [];
    this.recording = null;
    this.port.postMessage({ recorded: parts });
  }
  process(_, [[left, right]]) {
    let done = 0;
    while (done < this.waiting.length && carryOut(this.player, this.waiting[done])) done++;
    this.waiting.splice(0, done);
    const [a, b] = this.player.process(left.length);
    left.set(a);
    if (right) right.set(b);
    if (this.recording) this.recording.push([a.slice(), b.slice()]);
    if (++this.blocks % REPORT === 0) this.port.postMessage({ state: this.player.read() });
    return true;
  }
}
registerProcessor("timbrespace", TimbrespaceProcessor);
