"use strict";
// The gallery: sorts, filters, marks favourites, downloads, and is played by keys.
(() => {
  const page = window.timbrespace, grid = document.querySelector("[data-gallery]");
  if (!grid) return;
  const { all, data } = page, find = (selector) => document.querySelector(selector);
  const tiles = all(".sound", grid), spots = new Map(all("[data-spot]").map((spot) => [spot.dataset.spot, spot]));
  const mainOf = (tile) => tile.querySelector(".play.main"), starOf = (tile) => tile.querySelector(".star");
  const say = (text) => { page.trouble.textContent = text; };

  // --- favourites: kept under the identity of the batch, by file -------------------------------------------------------
  const key = "timbrespace favourites " + data.identity;
  let stored = [], mayStore = true;
  const read = () => { try { stored = JSON.parse(localStorage.getItem(key) || "[]"); } catch (error) { stored = []; mayStore = false; } return new Set(Array.isArray(stored) ? stored : []); };
  let favourites = read();
  const keep = () => {
    try { localStorage.setItem(key, JSON.stringify([...favourites])); } catch (error) {
      if (mayStore) say("This browser keeps no data for this page: favourites last until it is closed.");
      mayStore = false;
    }
  };
  const isMarked = (tile) => favourites.has(tile.dataset.file);
  const showMarks = () => {
    for (const tile of tiles) {
      const marked = isMarked(tile);
      starOf(tile).setAttribute("aria-pressed", marked);
      tile.classList.toggle("marked", marked);
      const spot = spots.get(tile.dataset.index);
      if (spot) spot.classList.toggle("marked", marked);
    }
    const count = tiles.filter(isMarked).length;
    find("[data-favourite-count]").textContent = count;
    find("[data-download]").disabled = find("[data-clear]").disabled = count === 0;
  };
  const mark = (tile) => {
    isMarked(tile) ? favourites.delete(tile.dataset.file) : favourites.add(tile.dataset.file);
    keep(); showMarks();
    if (onlyFavourites()) show();
  };
  window.addEventListener("storage", (event) => { if (event.key === key || event.key === null) { favourites = read(); showMarks(); show(); } });

  // --- sort and filter -------------------------------------------------------------------------------------------------
  const select = find("[data-sort]"), direction = find("[data-direction]"), search = find("[data-search]"), only = find("[data-favourites]");
  const filters = all("[data-filter], [data-filter-all]");
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const onlyFavourites = () => isPressed(only);
  const kind = () => { const chip = filters.find(isPressed); return chip ? chip.dataset.filter : undefined; };
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map(tiles.map((tile) => [tile, plain(tile.dataset.name + "\n" + tile.dataset.near + "\n" + tile.dataset.kind)]));
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const sort = () => {
    const by = select.value, sign = isPressed(direction) ? -1 : 1, isText = by === "name" || by === "kind";
    const order = (a, b) => {
      const x = a.dataset[by], y = b.dataset[by];
      if (!x !== !y) return x ? -1 : 1;  // without a value: last, in both directions
      const first = isText ? collator.compare(x || "", y || "") : Number(x || 0) - Number(y || 0);
      return first * sign || (a.dataset.index - b.dataset.index) * (by === "index" ? sign : 1);
    };
    grid.append(...[...tiles].sort(order));
  };
  const shown = () => all(".sound", grid).filter((tile) => !tile.hidden);
  const show = () => {
    const words = plain(search.value).split(/\s+/).filter(Boolean), chosen = kind();
    for (const tile of tiles) {
      tile.hidden = (chosen !== undefined && tile.dataset.kind !== chosen) || (onlyFavourites() && !isMarked(tile)) || !words.every((word) => texts.get(tile).includes(word));
    }
    const count = tiles.filter((tile) => !tile.hidden).length;
    find("[data-count]").textContent = count + " of " + tiles.length + (tiles.length === 1 ? " sound" : " sounds");
    find("[data-empty]").hidden = count > 0;
    find("[data-play-shown]").disabled = count === 0;
  };
  select.addEventListener("change", sort);
  direction.addEventListener("click", () => { direction.setAttribute("aria-pressed", !isPressed(direction)); sort(); });
  search.addEventListener("input", show);
  only.addEventListener("click", () => { only.setAttribute("aria-pressed", !onlyFavourites()); show(); });
  for (const chip of filters) chip.addEventListener("click", () => {
    for (const other of filters) other.setAttribute("aria-pressed", other === chip);
    show();
  });
  find("[data-reset]").addEventListener("click", () => {
    search.value = ""; only.setAttribute("aria-pressed", false);
    for (const chip of filters) chip.setAttribute("aria-pressed", chip.dataset.filterAll !== undefined);
    show();
  });
  const playShown = find("[data-play-shown]");
  playShown.addEventListener("click", () => {
    const again = page.isRow(playShown);
    page.stop();
    if (!again) page.playAll(shown().map((tile) => mainOf(tile).dataset.src), playShown);
  });

  // --- downloads -------------------------------------------------------------------------------------------------------
  const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);
  const save = async (tile) => {
    try {
      const [sound] = await page.filesOf(tile);
      page.save(baseName(sound.name), [sound.bytes], "audio/wav");
    } catch (error) {
      say("The browser may not read this file; it is beside the page: " + decodeURIComponent(tile.dataset.file.slice(2)));
    }
  };
  const title = () => (data.title.replace(/[<>:"/\\|?*\s]+/g, " ").trim().slice(0, 80) || "sounds") + " favourites";
  find("[data-download]").addEventListener("click", async (event) => {
    const button = event.currentTarget, marked = all(".sound", grid).filter(isMarked);
    button.disabled = true;
    try {
      const files = [];
      for (const tile of marked) files.push(...await page.filesOf(tile));
      page.save(title() + ".zip", page.zip(files), "application/zip");
    } catch (error) {
      const list = marked.map((tile) => decodeURIComponent(tile.dataset.file.slice(2))).join("\n") + "\n";
      page.save(title() + ".txt", [list], "text/plain");
      say("The browser may not read so many files; a list of the favourites was saved instead. They are beside the page.");
    }
    button.disabled = false;
  });
  find("[data-clear]").addEventListener("click", () => {
    if (!confirm("Unmark all favourites of this page?")) return;
    favourites = new Set(); keep(); showMarks(); show();
  });
  grid.addEventListener("click", (event) => {
    const tile = event.target.closest(".sound");
    if (!tile) return;
    if (event.target.closest(".star")) mark(tile);
    if (event.target.closest(".save")) save(tile);
    active = tile;
  });

  // --- keys ------------------------------------------------------------------------------------------------------------
  let active = null;
  grid.addEventListener("focusin", (event) => { active = event.target.closest(".sound") || active; });
  const current = () => (active && !active.hidden ? active : shown()[0]);
  const move = (tile, step) => {
    const list = shown(), at = list.indexOf(tile);
    if (step === "first") return list[0];
    if (step === "last") return list[list.length - 1];
    if (Math.abs(step) === 1) return list[at + step];
    const middle = (one) => one.offsetLeft + one.offsetWidth / 2;
    const row = step > 0 ? list.slice(at).find((one) => one.offsetTop > tile.offsetTop) : list.slice(0, at).reverse().find((one) => one.offsetTop < tile.offsetTop);
    if (!row) return undefined;
    const beside = list.filter((one) => one.offsetTop === row.offsetTop);
    return beside.reduce((best, one) => (Math.abs(middle(one) - middle(tile)) < Math.abs(middle(best) - middle(tile)) ? one : best));
  };
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 2, ArrowUp: -2, Home: "first", End: "last" };
  document.addEventListener("keydown", (event) => {
    const target = event.target, inGrid = target.closest && target.closest(".sound"), free = target === document.body || target === document.documentElement;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest && target.closest("input:not([type=checkbox]), select, textarea")) return;
    const spot = target.dataset && target.dataset.spot, tile = spot !== undefined ? tiles[Number(spot)] : inGrid || current();
    if (event.key === "/") { event.preventDefault(); search.focus(); return; }
    if (!tile) return;
    if (event.key === "f" || event.key === "F") { event.preventDefault(); if (!event.repeat) mark(tile); return; }
    if (event.key === "d" || event.key === "D") { event.preventDefault(); if (!event.repeat) save(tile); return; }
    if (event.key === " " && free) { event.preventDefault(); if (!event.repeat) { mainOf(tile).focus(); mainOf(tile).click(); } return; }
    const step = steps[event.key];
    if (step === undefined || !(inGrid || (free && active))) return;
    const next = move(tile, step);
    if (!next) return;
    event.preventDefault();
    mainOf(next).focus();
    if (find("[data-auto]").checked && page.playing() !== mainOf(next).dataset.src) mainOf(next).click();
  });

  showMarks();
  show();
})();
