// Draws, steers and renders in a worker: one message, one answer.
import { CoreInstrument } from "./core.js";

let instrumentHere = null;
self.onmessage = ({ data: { id, verb, request } }) => {
  try {
    if (verb === "open") instrumentHere = new CoreInstrument(new WebAssembly.Module(request.core), request.file);
    const result = verb === "open" ? instrumentHere.info : instrumentHere[verb](request);
    const buffers = verb === "render" ? result.map((channel) => channel.buffer) : [];
    self.postMessage({ id, result }, buffers);
  } catch (error) { self.postMessage({ id, error: error.message }); }
};
