// The native core as WebAssembly: native/include/timbrespace.h, whose structs have fixed places in its memory.
const PAGE = 65536, MESSAGE = 256;

/** The memory and functions of one WebAssembly instance. Memory is only taken, never given back. What `view`, `bytes` and `floats` return is
 * good until the next `take`, which may move the memory. */
export class CoreMemory {
  constructor(module) {
    this.instance = new WebAssembly.Instance(module, {});
    this.functions = this.instance.exports;
    this.memory = this.functions.memory;
    this.top = Number(this.functions.__heap_base.value);
  }
  get bytes() { return new Uint8Array(this.memory.buffer); }
  get view() { return new DataView(this.memory.buffer); }
  /** The place of `size` new bytes. Throws a RangeError where there is no memory left. */
  take(size) {
    const place = (this.top + 63) & ~63, missing = place + size - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    this.top = place + size;
    return place;
  }
  /** A ts_memory of `size` bytes. */
  takeWork(size) {
    const work = this.take(12 + MESSAGE), base = this.take(size);
    this.view.setUint32(work, base, true);
    this.view.setUint32(work + 4, size, true);
    return work;
  }
  text(place, most = MESSAGE) {
    const bytes = this.bytes.subarray(place, place + most), end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.slice(0, end < 0 ? most : end));
  }
  floats(place, count) { return new Float32Array(this.memory.buffer, place, count); }
  check(status, work) { if (status !== 0) throw new Error(this.text(work + 12) || "the core gave status " + status); }
}

/** An opened instrument. bytes: of its file. Throws an Error with the core's words. */
export class CoreInstrument {
  constructor(module, bytes) {
    const core = (this.core = new CoreMemory(module)), { functions } = core;
    const file = core.take(bytes.length);
    core.bytes.set(bytes, file);
    const size = functions.ts_open_size(file, bytes.length);
    if (size === 0) throw new Error("the instrument in this page is damaged");
    const memory = core.takeWork(size), out = core.take(4);
    core.check(functions.ts_open(file, bytes.length, memory, out), memory);
    this.instrument = core.view.getUint32(out, true);
    this.info = this.readInfo();
    this.work = core.takeWork(functions.ts_work_size(this.instrument, 0));
    const { dims, capacity, channels, controls } = this.info;
    this.z = core.take(4 * dims); this.other = core.take(4 * dims);
    this.request = core.take(64); this.answer = core.take(16);
    this.amounts = core.take(4 * Math.max(1, controls.length)); this.changes = core.take(4 * Math.max(1, controls.length));
    this.audio = core.take(4 * capacity * channels);
  }
  readInfo() {
    const { core } = this, { functions } = core, place = core.take(128);
    functions.ts_info_of(this.instrument, place);
    const whole = (k) => core.view.getInt32(place + 4 * k, true), real = (k) => core.view.getFloat32(place + 4 * k, true), name = core.take(256);
    const categories = Array.from({ length: whole(5) }, (_, i) => { functions.ts_category(this.instrument, i, name, 256); return core.text(name); });
    const controls = Array.from({ length: whole(6) }, (_, i) => this.readControl(i));
    return {
      dims: whole(0), sampleRate: whole(1), channels: whole(2), samples: whole(3), capacity: whole(4), categories, controls, notes: whole(7) === 1,
      velocities: whole(8) === 1, lowestPitch: real(13), highestPitch: real(14), learnedLow: real(15), learnedHigh: real(16),
    };
  }
  readControl(index) {
    const { core } = this, place = core.take(96);
    core.functions.ts_control_of(this.instrument, index, place);
    const view = core.view, real = (offset) => view.getFloat32(place + offset, true);
    return {
      name: core.text(place, 16), unit: core.text(place + 16, 4), more: core.text(place + 20, 16), less: core.text(place + 36, 16),
      logarithmic: view.getInt32(place + 52, true) === 1, low: real(56), high: real(60), lowest: real(64), highest: real(68), spread: real(72),
    };
  }
  put(z) {
    if (z.length !== this.info.dims) throw new Error(`a latent has ${this.info.dims} numbers, not ${z.length}`);
    this.core.floats(this.z, z.length).set(z);
  }
  read(place) { return this.core.floats(place, this.info.dims).slice(); }

  draw({ seed, index = 0, category = -1, temperature = 1, pitch = NaN, velocity = NaN }) {
    const { core } = this, { functions } = core;
    functions.ts_draw_defaults(this.request);
    const view = core.view, at = this.request;
    view.setBigUint64(at, BigInt(seed), true);
    view.setInt32(at + 8, index, true); view.setInt32(at + 12, category, true);
    view.setFloat32(at + 16, temperature, true); view.setFloat32(at + 20, pitch, true); view.setFloat32(at + 24, velocity, true);
    core.check(functions.ts_draw(this.instrument, at, 0, 0, this.z, this.answer, this.work), this.work);
    return { z: this.read(this.z), category: core.view.getInt32(this.answer, true), seed: String(BigInt.asUintN(64, functions.ts_seed(BigInt(seed), BigInt(index)))) };
  }
  around({ z, amount, seed, index = 0 }) {
    this.put(z);
    this.core.check(this.core.functions.ts_around(this.instrument, this.z, amount, BigInt(seed), index, this.other, this.work), this.work);
    return this.read(this.other);
  }
  /** amounts: control name -> spreads; others stay as far as they can. */
  steer({ z, amounts }) {
    this.put(z);
    const count = this.info.controls.length;
    this.core.floats(this.amounts, count).set(this.info.controls.map(({ name }) => amounts[name] ?? NaN));
    this.core.check(this.core.functions.ts_steer(this.instrument, this.z, this.amounts, this.other, this.changes, this.work), this.work);
    return { z: this.read(this.other), changes: this.core.floats(this.changes, count).slice() };
  }
  pitched({ z, midi }) {
    this.put(z);
    this.core.check(this.core.functions.ts_set_pitch(this.instrument, this.z, midi), this.work);
    return this.read(this.z);
  }
  /** For each [pulses, steps, rotation] a list of steps, true where a pulse is. */
  euclid({ lanes }) {
    return lanes.map(([pulses, steps, rotation]) => {
      const bits = this.core.functions.ts_euclid(pulses, steps, rotation);
      return Array.from({ length: steps }, (_, step) => ((bits >> BigInt(step)) & 1n) === 1n);
    });
  }
  /** Channels of samples. seed: a number or decimal digits, below 2^64. */
  render({ z, category = -1, seed, samples = 0 }) {
    const { core } = this, { functions } = core, { capacity, channels } = this.info;
    this.put(z);
    functions.ts_render_defaults(this.request);
    core.view.setBigUint64(this.request, BigInt(seed), true);
    core.view.setInt32(this.request + 8, category, true);
    core.view.setInt32(this.request + 12, samples, true);
    core.check(functions.ts_render(this.instrument, this.z, this.request, this.audio, capacity, this.answer, this.work), this.work);
    const length = core.view.getInt32(this.answer, true);
    return Array.from({ length: channels }, (_, c) => core.floats(this.audio + 4 * c * capacity, length).slice());
  }
}
