"use strict";
// The picture of the map: what is where, drawn on a canvas; zoom and pan. Units: the map is the square 0…1, screen is CSS pixels.
(() => {
  const page = window.timbrespace, { data } = page;
  const view = document.getElementById("view"), canvas = view.querySelector("canvas"), pen = canvas.getContext("2d");
  const count = data.points.length, xs = new Float32Array(count), ys = new Float32Array(count);
  data.points.forEach(([x, y], i) => { xs[i] = x / data.steps; ys[i] = y / data.steps; });
  const places = data.places.map(([x, y, sound]) => [x / data.steps, y / data.steps, sound]);
  const state = { scale: 1, left: 0, top: 0, width: 1, height: 1, ratio: 1 };
  const faded = new Uint8Array(count), tint = new Uint8Array(count);
  const marks = { hover: -1, focus: -1, selected: new Set(), place: null, lasso: null, labels: [] };
  // All dots are painted on a second canvas, larger than the view. Panning copies it; only a zoom or another colour paints it anew.
  const ground = { canvas: document.createElement("canvas"), scale: 0, left: 0, top: 0, edge: 0, stale: true };
  const SETTLE = 120;  // ms after the last step of a zoom until the dots are painted sharply again
  let palette = [], sprites = new Map(), waiting = false, fitted = true, zoomed = 0, settling = 0;

  const toScreen = (x, y) => [state.left + x * state.scale, state.top + y * state.scale];
  const toMap = (x, y) => [(x - state.left) / state.scale, (y - state.top) / state.scale];
  const least = () => 0.86 * Math.min(state.width, state.height);
  const radius = () => {
    const base = count > 5000 ? 2 : count > 2000 ? 2.6 : count > 500 ? 3.6 : 5;
    return Math.min(base * Math.max(1, state.scale / least()) ** 0.45, 10);
  };
  // A dot is drawn once and then copied: ten thousand copies take a few milliseconds.
  const sprite = (colour, size, ring) => {
    const key = colour + "/" + size + "/" + ring;
    if (!sprites.has(key)) {
      const dot = document.createElement("canvas"), edge = Math.ceil((size + 3) * state.ratio), ink = dot.getContext("2d");
      dot.width = dot.height = 2 * edge;
      ink.scale(state.ratio, state.ratio);
      const middle = edge / state.ratio;
      if (ring) { ink.fillStyle = style("--ink"); ink.beginPath(); ink.arc(middle, middle, size + 2.4, 0, 7); ink.fill(); ink.fillStyle = style("--panel"); ink.beginPath(); ink.arc(middle, middle, size + 1.2, 0, 7); ink.fill(); }
      ink.fillStyle = colour; ink.beginPath();
      if (ring === 2) ink.rect(middle - size * 0.85, middle - size * 0.85, 1.7 * size, 1.7 * size); else ink.arc(middle, middle, size, 0, 7);
      ink.fill();
      sprites.set(key, dot);
    }
    return sprites.get(key);
  };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const stamp = (i, size, ring, to = pen) => {
    const dot = sprite(palette[tint[i]], size, ring), half = dot.width / 2;
    to.drawImage(dot, Math.round((state.left + xs[i] * state.scale) * state.ratio - half), Math.round((state.top + ys[i] * state.scale) * state.ratio - half));
  };
  const circle = (x, y, size, colour, width, dash = []) => {
    const [left, top] = toScreen(x, y);
    pen.strokeStyle = colour; pen.lineWidth = width; pen.setLineDash(dash);
    pen.beginPath(); pen.arc(left, top, size, 0, 7); pen.stroke(); pen.setLineDash([]);
  };
  const paintGround = () => {
    const { width, height, ratio } = state, edge = Math.round(0.3 * Math.min(width, height)), size = dotSize();
    const across = Math.round((width + 2 * edge) * ratio), down = Math.round((height + 2 * edge) * ratio);
    if (ground.canvas.width !== across || ground.canvas.height !== down) { ground.canvas.width = across; ground.canvas.height = down; }
    Object.assign(ground, { scale: state.scale, left: state.left, top: state.top, edge, stale: false });
    const ink = ground.canvas.getContext("2d");
    ink.setTransform(1, 0, 0, 1, 0, 0);
    ink.clearRect(0, 0, across, down);
    ink.setTransform(1, 0, 0, 1, edge * ratio, edge * ratio);
    ink.fillStyle = style("--line");
    for (const [x, y] of places) { const [left, top] = toScreen(x, y); ink.fillRect((left - 1) * ratio, (top - 1) * ratio, 2 * ratio, 2 * ratio); }
    const [x0, y0] = toMap(-edge - 20, -edge - 20), [x1, y1] = toMap(width + edge + 20, height + edge + 20);
    const each = (kind, wanted, paintDot) => {
      for (let i = 0; i < count; i++) {
        if (faded[i] === wanted && (data.kinds[i] > 0) === kind && xs[i] > x0 && xs[i] < x1 && ys[i] > y0 && ys[i] < y1) paintDot(i);
      }
    };
    ink.globalAlpha = 0.1; each(false, 1, (i) => stamp(i, size, 0, ink)); each(true, 1, (i) => stamp(i, size, 0, ink));
    ink.globalAlpha = 0.85; each(false, 0, (i) => stamp(i, size, 0, ink));
    ink.globalAlpha = 1; each(true, 0, (i) => stamp(i, size + 0.5, data.kinds[i], ink));
  };
  const dotSize = () => Math.round(radius() * 2) / 2;
  const showGround = () => {
    const grown = state.scale / ground.scale;  // ground's map units to the view's
    const shift = (axis) => state[axis] - grown * ground[axis];
    const covers = shift("left") - grown * ground.edge <= 0 && shift("top") - grown * ground.edge <= 0
      && shift("left") + grown * (state.width + ground.edge) >= state.width && shift("top") + grown * (state.height + ground.edge) >= state.height;
    const zooming = grown !== 1 && performance.now() - zoomed < SETTLE && grown > 0.5 && grown < 2;
    if (ground.stale || (grown !== 1 && !zooming) || (grown === 1 && !covers)) { paintGround(); return showGround(); }
    clearTimeout(settling);
    if (grown !== 1) settling = setTimeout(draw, SETTLE + 10);
    const { ratio } = state;
    pen.drawImage(ground.canvas, Math.round((shift("left") - grown * ground.edge) * ratio), Math.round((shift("top") - grown * ground.edge) * ratio), grown * ground.canvas.width, grown * ground.canvas.height);
  };
  const paint = () => {
    waiting = false;
    const size = dotSize(), { ratio } = state;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    showGround();
    if (marks.hover >= 0) stamp(marks.hover, size * 1.7, data.kinds[marks.hover]);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    labels();
    const ink = style("--ink"), accent = style("--accent");
    for (const i of marks.selected) circle(xs[i], ys[i], size + 2.5, accent, 1.8);
    if (marks.focus >= 0) circle(xs[marks.focus], ys[marks.focus], size + 8, ink, 2.5);
    if (marks.place) {
      const [x, y] = marks.place;
      circle(x, y, 9, accent, 3); circle(x, y, 2, accent, 3);
    }
    if (marks.lasso && marks.lasso.length > 1) {
      pen.beginPath();
      marks.lasso.forEach(([x, y], k) => { const [left, top] = toScreen(x, y); k ? pen.lineTo(left, top) : pen.moveTo(left, top); });
      pen.closePath();
      pen.globalAlpha = 0.12; pen.fillStyle = accent; pen.fill(); pen.globalAlpha = 1;
      pen.strokeStyle = accent; pen.lineWidth = 1.5; pen.setLineDash([5, 4]); pen.stroke(); pen.setLineDash([]);
    }
    page.painted = (page.painted || 0) + 1;
  };
  const labels = () => {
    const taken = [];
    pen.font = "600 12px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineJoin = "round";
    pen.strokeStyle = style("--panel"); pen.fillStyle = style("--ink"); pen.lineWidth = 4;
    for (const [text, x, y] of marks.labels) {
      const [left, top] = toScreen(x, y), half = pen.measureText(text).width / 2 + 4;
      const middle = Math.min(Math.max(left, half), state.width - half);
      const box = [middle - half, top - 9, middle + half, top + 9];
      if (left < 0 || left > state.width || top < 8 || top > state.height - 8) continue;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      pen.globalAlpha = 0.85; pen.strokeText(text, middle, top); pen.globalAlpha = 1; pen.fillText(text, middle, top);
    }
  };
  const draw = () => { if (!waiting) { waiting = true; requestAnimationFrame(paint); } };
  const redraw = () => { ground.stale = true; draw(); };
  const restyle = () => { sprites = new Map(); redraw(); };

  const fit = () => {
    state.scale = least();
    state.left = (state.width - state.scale) / 2; state.top = (state.height - state.scale) / 2;
    fitted = true;
    draw();
  };
  const zoom = (factor, x = state.width / 2, y = state.height / 2) => {
    const before = state.scale;
    state.scale = Math.min(Math.max(before * factor, 0.5 * least()), 60 * least());
    state.left = x - (x - state.left) * state.scale / before; state.top = y - (y - state.top) * state.scale / before;
    fitted = false; zoomed = performance.now();
    draw();
  };
  const pan = (dx, dy) => {
    const hold = (at, size) => Math.min(Math.max(at, 60 - state.scale), size - 60);  // a part of the map stays in view
    state.left = hold(state.left + dx, state.width); state.top = hold(state.top + dy, state.height);
    fitted = false;
    draw();
  };
  const show = (i) => {  // moves a point into view
    const [x, y] = toScreen(xs[i], ys[i]), edge = 50;
    const dx = x < edge ? edge - x : x > state.width - edge ? state.width - edge - x : 0;
    const dy = y < edge ? edge - y : y > state.height - edge ? state.height - edge - y : 0;
    if (dx || dy) pan(dx, dy); else draw();
  };
  const nearest = (x, y, most) => {  // the point at a place on the screen, -1 if none is within `most` pixels
    let best = -1, least = most * most;
    for (let i = 0; i < count; i++) {
      if (faded[i]) continue;
      const far = (state.left + xs[i] * state.scale - x) ** 2 + (state.top + ys[i] * state.scale - y) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  };
  // The nearest point in a direction: distance plus twice the way across, within 45 degrees first, then within the half plane.
  const towards = (from, dx, dy) => {
    let best = -1, least = Infinity;
    for (const slope of [1, Infinity]) {
      for (let i = 0; i < count; i++) {
        if (i === from || faded[i]) continue;
        const x = xs[i] - xs[from], y = ys[i] - ys[from], along = x * dx + y * dy, across = Math.abs(x * dy) + Math.abs(y * dx);
        if (along <= 0 || across > slope * along) continue;
        const far = along + 2 * across;
        if (far < least) { least = far; best = i; }
      }
      if (best >= 0) return best;
    }
    return best;
  };
  const nearestPlace = (x, y) => {  // on the screen
    const [mx, my] = toMap(x, y);
    let best = null, least = Infinity;
    for (const place of places) {
      const far = (place[0] - mx) ** 2 + (place[1] - my) ** 2;
      if (far < least) { least = far; best = place; }
    }
    return best;
  };
  const inside = (polygon) => {
    const found = [];
    for (let i = 0; i < count; i++) {
      if (faded[i]) continue;
      let odd = false;
      for (let k = 0, j = polygon.length - 1; k < polygon.length; j = k++) {
        const [xk, yk] = polygon[k], [xj, yj] = polygon[j];
        if (yk > ys[i] !== yj > ys[i] && xs[i] < (xj - xk) * (ys[i] - yk) / (yj - yk) + xk) odd = !odd;
      }
      if (odd) found.push(i);
    }
    return found;
  };
  const resize = () => {
    const keep = fitted ? null : toMap(state.width / 2, state.height / 2);
    state.width = view.clientWidth; state.height = view.clientHeight; state.ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(state.width * state.ratio); canvas.height = Math.round(state.height * state.ratio);
    sprites = new Map(); ground.stale = true;
    if (keep) { state.left = state.width / 2 - keep[0] * state.scale; state.top = state.height / 2 - keep[1] * state.scale; draw(); } else fit();
  };
  new ResizeObserver(resize).observe(view);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.view.onrestyle());
  document.addEventListener("themechange", () => page.view.onrestyle());
  page.view = {
    count, xs, ys, places, faded, tint, marks, state, draw, redraw, fit, zoom, pan, show, nearest, towards, nearestPlace, inside, toMap, toScreen, style, restyle,
    onrestyle: restyle,
    setPalette: (colours) => { palette = colours; restyle(); },
  };
})();
