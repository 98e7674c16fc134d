"use strict";
// Downloads: the files of a sound, or a ZIP of several. A page from disk may not read the files beside it, but it may load scripts:
// each sound has a pack, a script that holds its files.
(() => {
  const page = window.timbrespace;
  const waiting = new Map();  // number of a pack -> resolve
  window.timbrespacePack = (number, files) => { const resolve = waiting.get(number); waiting.delete(number); if (resolve) resolve(files); };

  const fromPack = (number, src) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    waiting.set(number, (files) => {
      script.remove();
      resolve(files.map(({ name, data }) => ({ name, bytes: Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)) })));
    });
    script.onerror = () => { waiting.delete(number); script.remove(); reject(new Error("no pack")); };
    script.src = src;
    document.head.append(script);
  });
  const fromServer = (url) => fetch(url).then((answer) => {
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.arrayBuffer().then((buffer) => ({ name: decodeURIComponent(url.slice(2)), bytes: new Uint8Array(buffer) }));
  });
  const queues = new Map();  // a pack is loaded once at a time
  // The files of a tile: [{name, bytes}], names relative to the page. Rejects where the browser may not read them.
  page.filesOf = (tile) => {
    const { index, file, recipe, pack } = tile.dataset;
    const load = () => {
      const packed = () => (pack ? fromPack(Number(index), pack) : Promise.reject(new Error("no pack")));
      if (location.protocol === "file:") return packed();
      return Promise.all([file, recipe].filter(Boolean).map(fromServer)).catch(packed);
    };
    const turn = (queues.get(index) || Promise.resolve()).catch(() => null).then(load);
    queues.set(index, turn);
    return turn.finally(() => { if (queues.get(index) === turn) queues.delete(index); });
  };

  page.save = (name, parts, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  // --- ZIP: stored, not compressed; names in UTF-8 (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16) ----------------
  const table = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1; return n; });
  const crc32 = (bytes) => { let crc = 0xffffffff; for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8); return (crc ^ 0xffffffff) >>> 0; };
  // Fields as [size in bytes, value] -> little-endian bytes.
  const record = (fields) => {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
    let at = 0;
    for (const [size, value] of fields) { if (size === 4) view.setUint32(at, value, true); else view.setUint16(at, value, true); at += size; }
    return new Uint8Array(view.buffer);
  };
  // files: [{name, bytes}] -> parts of a ZIP file. Throws where it would need more than the classic format holds.
  page.zip = (files, now = new Date()) => {
    const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
    const date = (Math.max(now.getFullYear() - 1980, 0) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
    const parts = [], directory = [];
    let offset = 0;
    for (const { name, bytes } of files) {
      const path = new TextEncoder().encode(name);
      const common = [[2, 20], [2, 0x800], [2, 0], [2, time], [2, date], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, path.length], [2, 0]];
      const head = record([[4, 0x04034b50], ...common]);
      parts.push(head, path, bytes);
      directory.push(record([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), path);
      offset += head.length + path.length + bytes.length;
    }
    const size = directory.reduce((sum, part) => sum + part.length, 0);
    if (files.length > 65_534 || offset + size > 0xfffffffe) throw new RangeError("more than 4 GB or 65,534 files");
    const end = record([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]]);
    return [...parts, ...directory, end];
  };
})();
