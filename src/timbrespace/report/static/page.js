"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = (window.timbrespace = { data, all });  // what the other scripts of the page use
  const audio = new Audio();
  const trouble = document.querySelector(".trouble");
  let current = "";      // data-src of what plays
  let queue = [];        // what follows, when a whole row plays
  let rowButton = null;

  // --- playing: every element with the same data-src is the same sound -------------------------------------------
  const show = () => {
    const on = current !== "" && !audio.paused;
    for (const player of all(".play")) {
      const mine = on && player.dataset.src === current;
      player.classList.toggle("playing", mine);
      player.setAttribute("aria-pressed", mine);
      const box = player.closest("[data-reel]");
      if (box) box.classList.toggle("playing", mine);
    }
    for (const button of all("[data-row], [data-play-shown]")) button.setAttribute("aria-pressed", on && button === rowButton);
  };
  const start = (src, from = 0) => {
    if (src !== current) { audio.src = src; current = src; }
    audio.currentTime = from;
    trouble.textContent = "";
    audio.play().then(show, (error) => {
      if (error.name !== "AbortError") { trouble.textContent = "This sound could not be played: " + (src.startsWith("data:") ? "it is in a format that this browser does not know" : decodeURIComponent(src.slice(2))); stop(); }
    });
    requestAnimationFrame(follow);
  };
  const stop = () => { queue = []; rowButton = null; audio.pause(); show(); };
  // Plays sounds one after another; button shows that they play.
  const playAll = (sources, button) => { queue = sources; rowButton = button; if (queue.length) start(queue.shift()); };
  const follow = () => {
    const at = audio.currentTime;
    for (const player of all(".play.playing")) {
      const head = player.querySelector(".head");
      if (head) head.style.left = Math.min(at / player.dataset.span, 1) * 100 + "%";
    }
    if (reel && current === reelSource()) showReel(at);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("ended", () => { queue.length ? start(queue.shift()) : stop(); });
  audio.addEventListener("playing", show);

  document.addEventListener("click", (event) => {
    const player = event.target.closest(".play");
    if (player) {
      const again = player.dataset.src === current && !audio.paused;
      const resume = player.closest("[data-reel]") && player.dataset.src === current && !audio.ended ? audio.currentTime : 0;
      stop();
      if (!again) start(player.dataset.src, resume);
    }
    const row = event.target.closest("[data-row]");
    if (row) {
      const again = rowButton === row;
      stop();
      if (!again) {
        playAll(all(".play", row.closest("[data-sequence]")).map((step) => step.dataset.src), row);
      }
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const group = event.target.closest && event.target.closest("[data-keys]");
    if (!step || !group || event.ctrlKey || event.metaKey || event.altKey) return;
    const stops = all("button.play", group).filter((button) => button.offsetParent !== null);
    const next = stops[stops.indexOf(event.target) + step];
    if (next) { event.preventDefault(); next.focus(); }
  });

  // --- the reel --------------------------------------------------------------------------------------------------
  const reel = document.querySelector("[data-reel]");
  const reelSource = () => reel.querySelector(".play").dataset.src;
  const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
  const showReel = (at) => {
    const seconds = Number(reel.querySelector(".play").dataset.seconds);
    reel.querySelector("input").value = at;
    reel.querySelector(".head").style.left = (at / seconds) * 100 + "%";
    reel.querySelector(".time").textContent = clock(at) + " / " + clock(seconds);
    const mark = data.marks.filter(([from]) => from <= at + 0.02).pop();
    if (mark) reel.querySelector("[data-now]").textContent = mark[1];
  };
  if (reel) {
    const slider = reel.querySelector("input");
    const seek = (at) => {
      if (current === reelSource()) audio.currentTime = at; else { stop(); audio.src = current = reelSource(); audio.currentTime = at; }
      showReel(at);
    };
    slider.addEventListener("input", () => seek(Number(slider.value)));
    reel.querySelector(".pic").addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * Number(slider.max);
      stop();
      start(reelSource(), at);
    });
  }

  // --- the map ---------------------------------------------------------------------------------------------------
  const map = document.querySelector("[data-map]");
  if (map) {
    const canvas = map.querySelector("canvas"), tip = map.querySelector(".tip"), pen = canvas.getContext("2d");
    const dots = data.dots, byName = new Map(dots.map((dot) => [dot[2], dot]));
    let chosen = null, pointed = null, line = null;
    const draw = () => {
      const width = map.clientWidth, height = map.clientHeight, ratio = window.devicePixelRatio || 1;
      canvas.width = width * ratio; canvas.height = height * ratio;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      const style = getComputedStyle(document.documentElement);
      const colours = Array.from({ length: data.colours }, (_, i) => style.getPropertyValue("--c" + i));
      const radius = dots.length > 2000 ? 2.2 : dots.length > 600 ? 3 : 3.8;
      if (line) {
        pen.strokeStyle = style.getPropertyValue("--ink"); pen.lineWidth = 1.5; pen.setLineDash([4, 4]);
        pen.beginPath(); pen.moveTo(line[0] * width, line[1] * height); pen.lineTo(line[2] * width, line[3] * height); pen.stroke(); pen.setLineDash([]);
      }
      for (const dot of dots) {
        pen.globalAlpha = chosen === null ? 0.62 : dot[3] === chosen ? 0.95 : 0.08;
        pen.fillStyle = colours[dot[4]];
        pen.beginPath(); pen.arc(dot[0] * width, dot[1] * height, dot === pointed ? radius * 1.9 : radius, 0, 7); pen.fill();
      }
      pen.globalAlpha = 1;
    };
    const say = (x, y, name, detail) => {
      tip.textContent = name;
      if (detail) { const small = document.createElement("small"); small.textContent = detail; tip.append(small); }
      tip.hidden = false;
      const left = Math.min(Math.max(x * map.clientWidth - tip.offsetWidth / 2, 6), map.clientWidth - tip.offsetWidth - 6);
      const above = y * map.clientHeight - tip.offsetHeight - 16;
      tip.style.left = left + "px"; tip.style.top = (above < 6 ? y * map.clientHeight + 18 : above) + "px";
    };
    const quiet = () => { tip.hidden = true; pointed = line = null; draw(); };
    map.addEventListener("mousemove", (event) => {
      if (event.target.closest(".spot")) return;
      const box = map.getBoundingClientRect();
      let best = null, least = 14 * 14;
      for (const dot of dots) {
        if (chosen !== null && dot[3] !== chosen) continue;
        const far = (dot[0] * box.width - event.clientX + box.left) ** 2 + (dot[1] * box.height - event.clientY + box.top) ** 2;
        if (far < least) { least = far; best = dot; }
      }
      if (best === pointed && !line) return;
      line = null; pointed = best;
      if (best) { say(best[0], best[1], best[2], (best[3] ? best[3] + " · " : "") + "training clip"); draw(); } else quiet();
    });
    map.addEventListener("mouseleave", quiet);
    for (const spot of all(".spot", map)) {
      const x = parseFloat(spot.style.left) / 100, y = parseFloat(spot.style.top) / 100;
      const open = () => {
        const near = byName.get(spot.dataset.nearest);
        pointed = near || null;
        line = near ? [x, y, near[0], near[1]] : null;
        say(x, y, spot.dataset.name, (spot.dataset.category ? spot.dataset.category + " · " : "") + "new" + (spot.dataset.nearest ? ", nearest " + spot.dataset.nearest : ""));
        draw();
      };
      spot.addEventListener("mouseenter", open);
      spot.addEventListener("focus", open);
      spot.addEventListener("mouseleave", quiet);
      spot.addEventListener("blur", quiet);
    }
    for (const chip of all("[data-legend]")) chip.addEventListener("click", () => {
      chosen = chosen === chip.dataset.legend ? null : chip.dataset.legend;
      for (const other of all("[data-legend]")) other.setAttribute("aria-pressed", chosen === other.dataset.legend);
      for (const spot of all(".spot", map)) spot.classList.toggle("faded", chosen !== null && spot.dataset.category !== chosen);
      draw();
    });
    new ResizeObserver(draw).observe(map);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    document.addEventListener("themechange", draw);
  }

  // --- light and dark --------------------------------------------------------------------------------------------
  document.querySelector(".theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (error) { /* storage is off: the choice lasts for this visit */ }
    document.dispatchEvent(new Event("themechange"));
  });
  Object.assign(page, {
    start, stop, playAll, trouble,
    playing: () => (audio.paused ? "" : current),
    isRow: (button) => rowButton === button && !audio.paused,
  });
  show();
})();
