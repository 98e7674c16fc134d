// Files made in the page: WAV, zip (stored), MIDI, texts of samplers. Plain arithmetic on bytes, no library.
const text = (words) => new TextEncoder().encode(words);

export function joinBytes(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) { out.set(part, place); place += part.length; }
  return out;
}

/** A WAV file of 24 bits: channels [Float32Array], samples beyond full scale are cut. */
export function wavFile(channels, sampleRate) {
  const count = channels[0].length, block = 3 * channels.length, size = count * block;
  const bytes = new Uint8Array(44 + size + (size % 2)), view = new DataView(bytes.buffer);
  bytes.set(text("RIFF"), 0); view.setUint32(4, 36 + size + (size % 2), true); bytes.set(text("WAVEfmt "), 8);
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, channels.length, true); view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * block, true); view.setUint16(32, block, true); view.setUint16(34, 24, true);
  bytes.set(text("data"), 36); view.setUint32(40, size, true);
  let place = 44;
  for (let i = 0; i < count; i++) {
    for (const channel of channels) {
      const value = Math.round(Math.min(1, Math.max(-1, channel[i])) * 8388607);
      bytes[place++] = value & 255; bytes[place++] = (value >> 8) & 255; bytes[place++] = (value >> 16) & 255;
    }
  }
  return bytes;
}

let crcTable = null;
function crc32(bytes) {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A zip of files [{name, bytes}], not compressed. Names are UTF-8. */
export function zipFile(files) {
  const parts = [], entries = [];
  let offset = 0;
  const header = (size, fields) => { const bytes = new Uint8Array(size), view = new DataView(bytes.buffer); for (const [place, width, value] of fields) width === 4 ? view.setUint32(place, value, true) : view.setUint16(place, value, true); return bytes; };
  for (const { name, bytes } of files) {
    const title = text(name), crc = crc32(bytes), same = [[8, 2, 0], [10, 2, 0], [12, 2, 0x2821]];  // stored, 1 January 2000
    const local = header(30, [[0, 4, 0x04034b50], [4, 2, 20], [6, 2, 0x800], ...same, [14, 4, crc], [18, 4, bytes.length], [22, 4, bytes.length], [26, 2, title.length]]);
    entries.push(header(46, [[0, 4, 0x02014b50], [4, 2, 20], [6, 2, 20], [8, 2, 0x800], [10, 2, 0], [12, 2, 0], [14, 2, 0x2821], [16, 4, crc], [20, 4, bytes.length], [24, 4, bytes.length], [28, 2, title.length], [42, 4, offset]]), title);
    parts.push(local, title, bytes);
    offset += 30 + title.length + bytes.length;
  }
  const central = joinBytes(entries);
  const end = header(22, [[0, 4, 0x06054b50], [8, 2, files.length], [10, 2, files.length], [12, 4, central.length], [16, 4, offset]]);
  return joinBytes([...parts, central, end]);
}

/** SFZ text for samples [{file, key, choke}]: one sound a key. */
export const sfzText = (title, samples) => [`// ${title}`, "<global> loop_mode=one_shot ampeg_release=0.05", ...samples.map(({ file, key, choke }) => `<region> sample=${file} key=${key}${choke ? ` group=${choke} off_by=${choke}` : ""}`), ""].join("\n");

const escaped = (words) => words.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
/** A Decent Sampler preset for the same samples. */
export function decentSamplerText(title, samples) {
  const groups = samples.map(({ file, key, choke }) => {
    const tags = choke ? ` tags="choke${choke}" silencedByTags="choke${choke}" silencingMode="fast"` : "";
    return `    <group release="0.05"${tags}>\n      <sample path="${escaped(file)}" rootNote="${key}" loNote="${key}" hiNote="${key}" loopEnabled="false"/>\n    </group>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<DecentSampler>\n  <groups>\n${groups.join("\n")}\n  </groups>\n</DecentSampler>\n`;
}

const MIDI_TICKS = 480;
const variable = (value) => { const bytes = [value & 127]; for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 127) | 128); return bytes; };
/** A MIDI file of notes [{beat, beats, key, velocity 1-127}] on channel 10, with the tempo in beats a minute. */
export function midiFile(notes, tempo) {
  const events = notes.flatMap(({ beat, beats, key, velocity }) => [[Math.round(beat * MIDI_TICKS), 0x99, key, velocity], [Math.round((beat + beats) * MIDI_TICKS), 0x89, key, 0]]);
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const micro = Math.round(6e7 / tempo), track = [0, 0xff, 0x51, 3, (micro >> 16) & 255, (micro >> 8) & 255, micro & 255];
  let now = 0;
  for (const [tick, ...message] of events) { track.push(...variable(tick - now), ...message); now = tick; }
  track.push(0, 0xff, 0x2f, 0);
  const head = new Uint8Array(14), view = new DataView(head.buffer), chunk = new Uint8Array(8);
  head.set(text("MThd")); view.setUint32(4, 6); view.setUint16(8, 0); view.setUint16(10, 1); view.setUint16(12, MIDI_TICKS);
  chunk.set(text("MTrk")); new DataView(chunk.buffer).setUint32(4, track.length);
  return joinBytes([head, chunk, Uint8Array.from(track)]);
}

export const textBytes = text;
