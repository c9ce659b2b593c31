// The viewer of one image: window, polarity, zoom, pan, measuring, marks and the saliency overlay, all in the browser.
// It fetches values by the ticket that the page has given it (app/tickets.py), and keeps them for all viewers of the page.
// What the values mean (modality LUT, polarity, padding, the file's windows, spacing) comes from medclassify.dicom; nothing is
// decided here. Coordinates are pixels of the original image, origin at its top left corner, as the stored marks are.

const PADDING = 0;
const MOST_BYTES = 600e6;
const AT_ONCE = 4; // slices on their way at one time
const AGAIN = 4000; // ms until what could not be fetched is asked for again
const TOOLS = [
  ["window", "Window", "Drag: left and right for width, up and down for centre", "D"],
  ["pan", "Pan", "Drag the image (or drag with the middle button, or with Shift)", "P"],
  ["zoom", "Zoom", "Drag up and down (or with the right button, or by wheel)", "Z"],
  ["measure", "Measure", "Drag a line; a click without dragging removes all lines", "M"],
  ["box", "Box", "Drag a box around the finding; it is stored with your answer", "B"],
  ["point", "Point", "Click on the finding; it is stored with your answer", "T"],
];

const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits, useGrouping: false });

// --- values

// A message: length of its header (uint32, little-endian), the header (JSON), then the values; see app/pixels.py.
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const values = facts.kind === "map" ? new Uint8Array(buffer, 4 + length) : new Uint16Array(buffer, 4 + length);
  return { ...facts, values, bytes: values.byteLength };
}

function keep(store, image) {
  store.images.delete(image.key); // the last to arrive stands last
  store.images.set(image.key, image);
  let held = 0;
  for (const each of store.images.values()) held += each.bytes;
  for (const [key, each] of store.images) {
    if (held <= MOST_BYTES) return;
    store.images.delete(key);
    held -= each.bytes;
  }
}

async function bring(store, source, slice, { full = false, later = false } = {}) {
  const key = `${source.prefix}${slice}`;
  if (store.coming.has(key) || store.failed.has(key)) return;
  store.coming.add(key);
  try {
    const home = location.pathname.replace(/\/?$/, "/");
    const answer = await fetch(`${home}pixels/${source.ticket}/${slice}${full ? "?full" : ""}`, { priority: later ? "low" : "high" });
    if (!answer.ok) throw new Error(await answer.text());
    keep(store, unpack(await answer.arrayBuffer()));
  } catch (error) {
    const cut = error instanceof TypeError; // what fetch throws where nobody answers
    store.failed.set(key, cut ? "The server cannot be reached; the image is asked for again." : error.message);
    if (cut) setTimeout(() => store.failed.delete(key) && tell(store, key), AGAIN);
  }
  store.coming.delete(key);
  tell(store, key);
}

function tell(store, key) {
  for (const hear of [...store.arrived]) hear(key);
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.store = window.mcPixels ??= { images: new Map(), coming: new Set(), failed: new Map(), arrived: new Set() };
    this.kept = window.mcKept ??= {}; // from case to case: preset, inversion, opacity
    this.lut = new Uint32Array(65536);
    this.tool = "window";
    this.lines = [];
    this.pending = [];
    this.frames = 0;
    this.build();
    this.hear = (key) => this.arrived(key);
    this.store.arrived.add(this.hear);
    this.sizes = new ResizeObserver(() => this.ask());
    this.sizes.observe(this.stage);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  end() {
    this.store.arrived.delete(this.hear);
    this.sizes.disconnect();
    document.removeEventListener("keydown", this.onKey);
  }

  // --- what is on the page

  build() {
    const make = (tag, name, parent, properties = {}) =>
      parent.appendChild(Object.assign(document.createElement(tag), { className: name, ...properties }));
    this.frame = make("div", "frame", this.root);
    this.bar = make("div", "bar", this.frame);
    this.presets = make("select", "presets", this.bar, { title: "Window", ariaLabel: "Window" });
    this.presets.addEventListener("pointerdown", () => (this.pointed = true));
    this.presets.addEventListener("keydown", () => (this.pointed = false));
    this.presets.addEventListener("change", () => {
      this.choose(this.presets.value);
      if (this.pointed) this.presets.blur(); // the next arrow is for the next case, not for the next window
    });
    this.buttons = {};
    for (const [name, label, title, key] of TOOLS) {
      const button = make("button", "tool", this.bar, { textContent: label, title: `${title} (key ${key})`, type: "button" });
      button.addEventListener("click", () => this.take(name));
      this.buttons[name] = button;
    }
    this.undo = make("button", "", this.bar, { textContent: "Undo mark", title: "Takes back your last mark", type: "button" });
    this.undo.addEventListener("click", () => this.send("unmark", { at: Date.now() }));
    this.inverter = make("button", "", this.bar, { textContent: "Invert", title: "Dark for dense (key I)", type: "button" });
    this.inverter.addEventListener("click", () => this.invert());
    make("button", "", this.bar, { textContent: "Reset", title: "Whole image, its first window (key F)", type: "button" }).addEventListener(
      "click", () => this.reset());
    this.fuller = make("button", "", this.bar, { textContent: "Full resolution", type: "button" });
    this.fuller.addEventListener("click", () => bring(this.store, this.data.images, this.slice, { full: true }));
    this.stage = make("div", "stage", this.frame);
    this.canvas = make("canvas", "", this.stage, { role: "img", tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.note = make("div", "note", this.stage);
    this.corner = make("div", "corner", this.stage);
    this.progress = make("progress", "progress", this.stage, { max: 1, value: 0, hidden: true });
    this.weighing = make("div", "weighing", this.frame, { hidden: true });
    this.weighed = make("span", "", this.weighing);
    this.heaviest = make("span", "heaviest", this.weighing);
    this.strip = make("canvas", "strip", this.weighing, { height: 28, title: "Click to go to a slice" });
    this.strip.setAttribute("role", "img");
    this.strip.addEventListener("click", (event) => this.go(Math.floor((event.offsetX * this.data.images.count) / this.strip.clientWidth)));
    this.says = make("div", "says", this.frame);
    this.mapper = make("div", "mapper", this.frame, { hidden: true });
    const label = make("label", "", this.mapper);
    this.mapOn = make("input", "", label, { type: "checkbox" });
    this.method = make("span", "", label);
    this.mapOn.addEventListener("change", () => this.wantMap(this.mapOn.checked));
    this.opacity = make("input", "", this.mapper, { type: "range", min: 5, max: 100, step: 5, title: "Opacity", ariaLabel: "Opacity" });
    this.opacity.value = this.kept.opacity ?? 50;
    this.opacity.addEventListener("input", () => ((this.kept.opacity = this.opacity.value), this.ask()));
    this.legend = make("canvas", "legend", this.mapper, { width: 128, height: 8 });
    this.scaleText = make("span", "dim", this.mapper);
    this.sanity = make("span", "sanity", this.mapper);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.sheet = document.createElement("canvas");
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => (this.drag = null));
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  // --- what Python says

  update(data, trigger) {
    this.send = (name, value) => trigger(name, value);
    const { prefix, ticket, count, at } = data.images;
    const before = this.data?.images;
    if (before?.ticket !== ticket) this.store.failed.clear();
    const other = before?.prefix !== prefix;
    this.data = data;
    this.stack = count > 1;
    this.pending = [];
    if (other || before.at !== at) {
      this.slice = at;
      this.loading = false;
      if (other) [this.lines, this.image, this.map, this.drag] = [[], null, null, null];
      this.place = null;
    }
    this.stage.style.height = data.weights ? `calc(${data.height} - 4.2rem)` : data.height; // the whole stands on one screen
    for (const name of ["box", "point"]) this.buttons[name].hidden = !data.marking;
    this.undo.hidden = !(data.marking && data.marks.some((mark) => mark.own));
    if (!data.marking && (this.tool === "box" || this.tool === "point")) this.tool = "window";
    this.take(this.tool);
    this.weigh(data.weights);
    this.mapper.hidden = !data.overlay;
    if (data.overlay) {
      this.mapOn.checked = data.overlay.on;
      this.mapOn.disabled = !data.overlay.stored;
      this.method.textContent = data.overlay.method;
      this.sanity.textContent = data.overlay.says;
      this.sanity.dataset.tone = data.overlay.tone;
    }
    this.show();
  }

  arrived(key) {
    const image = this.store.images.get(key);
    if (image?.kind === "image") setTimeout(() => (image.levels ??= levels(image)), 50); // before it is looked at
    this.show();
  }

  keyOf(slice) {
    return `${this.data.images.prefix}${slice}`;
  }

  show() {
    if (!this.data) return;
    const { images, next, overlay } = this.data;
    const image = this.store.images.get(this.keyOf(this.slice));
    this.here = Boolean(image);
    this.fuller.hidden = !image || image.width >= image.columns;
    if (!image) {
      const failed = this.store.failed.get(this.keyOf(this.slice));
      this.note.textContent = failed ?? (this.stack ? `Slice ${this.slice + 1} is on its way …` : "The image is on its way …");
      bring(this.store, images, this.slice);
    } else {
      this.note.textContent = "";
      this.fuller.title = `Shown at ${image.width} × ${image.height} of ${image.columns} × ${image.rows} pixels`;
      if (this.image !== image) this.open(image);
      this.explain(overlay);
      if (next && !this.store.images.has(`${next.prefix}${next.at}`)) bring(this.store, next, next.at, { later: true });
    }
    if (this.loading) this.load();
    this.showProgress();
    this.ask();
  }

  open(image) {
    const before = this.image;
    this.image = image;
    image.levels ??= levels(image);
    const same = before && before.columns === image.columns && before.rows === image.rows && this.place;
    if (before && same && before.units === image.units && (this.stack || before.key === image.key)) return this.openWindows(image, true);
    this.openWindows(image, false);
    if (!same) this.fit();
  }

  openWindows(image, keep) {
    const names = image.windows.map((window) => window.name);
    const listed = [...this.presets.options].map((option) => option.value).filter((name) => name !== "by hand");
    if (names.join("\n") !== listed.join("\n")) {
      this.presets.replaceChildren(...names.map((name) => new Option(name, name)));
    }
    if (keep && this.window && (this.window.name === "by hand" || !names.includes(this.window.name))) return;
    const chosen = this.kept[`preset/${image.units}`];
    const first = image.units === "HU" ? names.find((name) => name === "the file's own") ?? names[0] : names[0];
    this.choose(names.includes(chosen) ? chosen : first, false);
  }

  explain(overlay) {
    const { image } = this;
    // A map is of one slice: over any other it would point at the wrong place.
    const map = this.slice === this.data.images.at ? overlay?.map : null;
    this.map = map ? this.store.images.get(`${map.prefix}0`) : null;
    if (map && !this.map) bring(this.store, map, 0);
    const steps = image.applied.join("; ") || "stored values as they are";
    this.says.textContent = [`${image.columns} × ${image.rows} pixels · ${steps}`, ...image.warnings.map((line) => `⚠ ${line}`)].join(" · ");
    this.says.title = this.says.textContent;
    if (!this.map) {
      this.scaleText.textContent = "";
      this.legend.hidden = true;
      return;
    }
    this.legend.hidden = false;
    const context = this.legend.getContext("2d");
    for (let x = 0; x < 128; x++) {
      const [red, green, blue] = this.map.colours.slice(4 * (2 * x + 1), 4 * (2 * x + 1) + 3);
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(x, 0, 1, 8);
    }
    this.scaleText.textContent = `0 to ${number(this.map.limit, 2)} logits and more${overlay.layer ? ` · layer ${overlay.layer}` : ""}`;
  }

  // --- windows

  choose(name, keep = true) {
    const window = this.image?.windows.find((candidate) => candidate.name === name);
    if (!window) return;
    this.window = { ...window };
    if (keep) this.kept[`preset/${this.image.units}`] = name;
    this.presets.value = name;
    this.ask();
  }

  byHand(low, high) {
    this.window = { name: "by hand", low, high, curve: null };
    if (!this.presets.querySelector("option[value='by hand']")) this.presets.add(new Option("by hand", "by hand"));
    this.presets.value = "by hand";
    this.ask();
  }

  straight() {
    const { low, high, curve } = this.window;
    if (!curve) return [low, high];
    const at = (share) => low + ((high - low) * curve.findIndex((grey) => grey >= 255 * share)) / (curve.length - 1);
    return [at(0.02), Math.max(at(0.98), at(0.02) + 1e-6)];
  }

  invert() {
    this.kept.inverted = !this.kept.inverted;
    this.ask();
  }

  table() {
    const { image, lut } = this;
    const { low, high, curve } = this.window;
    const flip = Boolean(this.kept.inverted) !== image.inverted;
    const last = curve ? curve.length - 1 : 0;
    const factor = high > low ? 1 / (high - low) : 0;
    for (let code = 1; code <= image.most; code++) {
      const value = image.offset + image.scale * code;
      let share = factor ? (value - low) * factor : value > low ? 1 : 0;
      share = share < 0 ? 0 : share > 1 ? 1 : share;
      let grey = curve ? curve[Math.round(share * last)] : (share * 255 + 0.5) | 0;
      if (flip) grey = 255 - grey;
      lut[code] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    lut[PADDING] = 0xff000000; // padding is black whatever the window and the polarity
    return lut;
  }

  // --- where the image lies on the canvas: scale in canvas pixels a pixel of the original, and what stands in the middle

  fit() {
    this.place = null;
    this.ask();
  }

  reset() {
    this.kept.inverted = false;
    this.lines = [];
    if (this.image) {
      delete this.kept[`preset/${this.image.units}`];
      this.window = null;
      this.openWindows(this.image, false);
    }
    this.fit();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) * this.canvas.width) / box.width;
    const y = ((event.clientY - box.top) * this.canvas.height) / box.height;
    return { x, y, ...this.toImage(x, y) };
  }

  toImage(x, y) {
    const { scale, middle } = this.place ?? { scale: 1, middle: [0, 0] };
    return { column: middle[0] + (x - this.canvas.width / 2) / scale, row: middle[1] + ((y - this.canvas.height / 2) / scale) / this.tall };
  }

  toCanvas(column, row) {
    const { scale, middle } = this.place;
    return [this.canvas.width / 2 + (column - middle[0]) * scale, this.canvas.height / 2 + (row - middle[1]) * scale * this.tall];
  }

  get tall() {
    const spacing = this.image?.spacing; // pixels that are not square are shown as long as they are
    return spacing ? spacing[0] / spacing[1] : 1;
  }

  zoomBy(factor, x, y) {
    if (!this.place) return;
    const before = this.toImage(x, y);
    this.place.scale = Math.min(Math.max(this.place.scale * factor, 0.02), 60);
    const after = this.toImage(x, y);
    this.place.middle[0] += before.column - after.column;
    this.place.middle[1] += before.row - after.row;
    this.ask();
  }

  // --- hands

  take(name) {
    this.tool = name;
    for (const [other, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(other === name));
    this.stage.dataset.tool = name;
  }

  down(event) {
    if (!this.image || !this.place) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const tool = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "zoom" : this.tool;
    const from = this.at(event);
    this.drag = { tool, from, last: from, moved: false, ends: this.window ? this.straight() : null };
  }

  move(event) {
    if (!this.image || !this.place) return;
    const here = this.at(event);
    this.pointer = here;
    const drag = this.drag;
    if (drag) {
      const [dx, dy] = [here.x - drag.last.x, here.y - drag.last.y];
      drag.moved ||= Math.abs(here.x - drag.from.x) + Math.abs(here.y - drag.from.y) > 3;
      if (drag.tool === "pan") {
        this.place.middle[0] -= dx / this.place.scale;
        this.place.middle[1] -= dy / this.place.scale / this.tall;
      } else if (drag.tool === "zoom") {
        this.zoomBy(Math.exp(-dy / 200), drag.from.x, drag.from.y);
      } else if (drag.tool === "window" && drag.moved) {
        const range = Math.min(this.image.scale * this.image.most, 4 * (drag.ends[1] - drag.ends[0]) + 1e-9);
        const width = Math.max(drag.ends[1] - drag.ends[0] + ((here.x - drag.from.x) * range) / this.canvas.width, range / 2000);
        const centre = (drag.ends[0] + drag.ends[1]) / 2 + ((here.y - drag.from.y) * range) / this.canvas.height;
        this.byHand(centre - width / 2, centre + width / 2);
      }
      drag.last = this.at(event);
    }
    this.ask();
  }

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag || !this.image) return;
    const to = this.at(event);
    if (drag.tool === "measure") {
      this.lines = drag.moved ? [...this.lines, [drag.from, to]] : [];
    } else if (drag.tool === "box" && drag.moved) {
      this.mark(drag.from, to);
    } else if (drag.tool === "point") {
      this.mark(to, to);
    }
    this.ask();
  }

  mark(from, to) {
    const held = (value, most) => Math.min(Math.max(value, 0), most);
    const [left, right] = [from.column, to.column].map((value) => held(value, this.image.columns)).sort((a, b) => a - b);
    const [top, bottom] = [from.row, to.row].map((value) => held(value, this.image.rows)).sort((a, b) => a - b);
    const tenth = (value) => Math.round(10 * value) / 10;
    const mark = { x: tenth(left), y: tenth(top), width: tenth(right - left), height: tenth(bottom - top), frame: this.slice };
    this.pending.push({ ...mark, own: true, label: "…" });
    this.send("mark", { ...mark, at: Date.now() });
  }

  wheel(event) {
    if (!this.image && !this.stack) return;
    event.preventDefault();
    if (this.stack && !event.ctrlKey) {
      this.turn(Math.sign(event.deltaY));
    } else {
      const here = this.at(event);
      this.zoomBy(Math.exp(-event.deltaY / 500), here.x, here.y);
    }
  }

  turn(step) {
    this.go(this.slice + step);
  }

  go(slice) {
    const next = Math.min(Math.max(slice, 0), this.data.images.count - 1);
    if (next === this.slice) return;
    this.slice = next;
    this.loading = true;
    this.show();
  }

  key(event) {
    const inside = event.composedPath()[0];
    if (!this.data?.primary || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(TEXTAREA|SELECT)$/.test(inside.tagName) || inside.isContentEditable) return;
    if (inside.tagName === "INPUT" && !/^(checkbox|radio|range)$/.test(inside.type)) return;
    const pressed = event.key.toUpperCase();
    const tool = TOOLS.find((candidate) => candidate[3] === pressed);
    if (tool && !this.buttons[tool[0]].hidden) return this.take(tool[0]);
    if (pressed === "I") return this.invert();
    if (pressed === "F") return this.reset();
    if (pressed === "G" && !this.mapper.hidden && !this.mapOn.disabled) return this.wantMap(!this.mapOn.checked);
    if (this.stack && (pressed === "ARROWUP" || pressed === "ARROWDOWN")) {
      event.preventDefault();
      this.turn(pressed === "ARROWUP" ? -1 : 1);
    }
  }

  wantMap(on) {
    this.mapOn.checked = on;
    this.data.overlay.on = on;
    this.send("overlay", { on, at: Date.now() });
    this.ask();
  }

  // --- slices on demand

  load() {
    const { images } = this.data;
    for (let away = 0; away < images.count; away++) {
      for (const slice of new Set([this.slice + away, this.slice - away])) {
        if (this.store.coming.size >= AT_ONCE) return;
        if (slice >= 0 && slice < images.count && !this.store.images.has(this.keyOf(slice))) bring(this.store, images, slice);
      }
    }
  }

  showProgress() {
    const { count } = this.data.images;
    let here = 0;
    for (let slice = 0; slice < count; slice++) here += this.store.images.has(this.keyOf(slice));
    this.loaded = here;
    this.progress.hidden = !this.stack || here === count || here <= 1;
    this.progress.value = here / count;
    this.progress.title = `${here} of ${count} slices are here`;
  }

  // --- which slices count

  weigh(weights) {
    this.weighing.hidden = !weights;
    if (!weights) return;
    const share = (slice) => `${number(100 * weights.of[slice])} %`;
    const most = weights.of.map((_, slice) => slice).sort((a, b) => weights.of[b] - weights.of[a]).slice(0, 3);
    this.weighed.textContent = `How much each slice counts for ${weights.finding}:`;
    this.heaviest.replaceChildren(
      ...most.map((slice) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: `Slice ${slice + 1} · ${share(slice)}` });
        button.addEventListener("click", () => this.go(slice));
        return button;
      }),
    );
    this.strip.setAttribute("aria-label", `Weights of slices: ${most.map((slice) => `${slice + 1}: ${share(slice)}`).join(", ")}`);
  }

  drawStrip(ratio) {
    const weights = this.data.weights;
    if (!weights) return;
    const { strip } = this;
    const [width, height] = [Math.round(strip.clientWidth * ratio), Math.round(strip.clientHeight * ratio)];
    if (!width) return;
    Object.assign(strip, { width, height }); // which clears it
    const context = strip.getContext("2d");
    const [most, step] = [Math.max(...weights.of), width / weights.of.length];
    context.fillStyle = "rgba(128, 128, 128, .3)";
    context.fillRect(this.slice * step, 0, Math.max(step, 2 * ratio), height); // where the stack stands
    for (const [slice, weight] of weights.of.entries()) {
      const tall = most > 0 ? Math.max((weight / most) * height, ratio) : ratio;
      context.fillStyle = slice === this.slice ? "#d55e00" : "#56b4e9";
      context.fillRect(slice * step, height - tall, Math.max(step - ratio, ratio), tall);
    }
  }

  // --- drawing

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  draw() {
    const { canvas, stage, context, image } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      if (this.place && this.place.fitted) this.place = null;
      Object.assign(canvas, { width, height });
    }
    this.drawStrip(ratio);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    if (!image || !this.here || !this.window) return;
    this.place ??= {
      scale: Math.min(width / image.columns, height / (image.rows * this.tall)),
      middle: [image.columns / 2, image.rows / 2],
      fitted: true,
    };
    this.drawImage(width, height);
    const whole = [...this.toCanvas(0, 0), image.columns * this.place.scale, image.rows * this.place.scale * this.tall];
    if (this.map && this.data.overlay?.on) {
      context.globalAlpha = this.opacity.value / 100;
      context.drawImage((this.map.sheet ??= coloured(this.map)), ...whole);
      context.globalAlpha = 1;
    }
    this.drawMarks(ratio);
    this.sayWhere(ratio);
    canvas.dataset.frames = ++this.frames;
    canvas.setAttribute("aria-label", this.data.label); // says whose image is painted
  }

  drawImage(width, height) {
    const { image, context, place } = this;
    const level = levelFor(image, place.scale);
    const [across, down] = [level.width / image.columns, level.height / image.rows];
    const low = this.toImage(0, 0);
    const high = this.toImage(width, height);
    const left = Math.max(0, Math.floor(low.column * across));
    const top = Math.max(0, Math.floor(low.row * down));
    const right = Math.min(level.width, Math.ceil(high.column * across));
    const bottom = Math.min(level.height, Math.ceil(high.row * down));
    const [columns, rows] = [right - left, bottom - top];
    if (columns <= 0 || rows <= 0) return;
    if (this.sheet.width !== columns || this.sheet.height !== rows || !this.inked) {
      Object.assign(this.sheet, { width: columns, height: rows });
      this.inked = this.sheet.getContext("2d", { alpha: false });
      this.ink = this.inked.createImageData(columns, rows);
      this.words = new Uint32Array(this.ink.data.buffer);
    }
    const lut = this.table();
    for (let row = 0, to = 0; row < rows; row++) {
      for (let from = (top + row) * level.width + left, end = from + columns; from < end; from++) this.words[to++] = lut[level.values[from]];
    }
    this.inked.putImageData(this.ink, 0, 0);
    const [x, y] = this.toCanvas(left / across, top / down);
    context.imageSmoothingEnabled = place.scale / across < 3; // enlarged far, a pixel is shown as the square it is
    context.drawImage(this.sheet, x, y, (columns / across) * place.scale, (rows / down) * place.scale * this.tall);
  }

  drawMarks(ratio) {
    const { context } = this;
    const text = (words, x, y, colour) => {
      context.font = `${12 * ratio}px sans-serif`;
      context.lineWidth = 3 * ratio;
      context.strokeStyle = "#000";
      context.strokeText(words, x, y);
      context.fillStyle = colour;
      context.fillText(words, x, y);
    };
    const stroke = (colour, path) => {
      for (const [style, line] of [["#000", 3], [colour, 1.5]]) {
        context.strokeStyle = style;
        context.lineWidth = line * ratio;
        context.beginPath();
        path();
        context.stroke();
      }
    };
    const drag = this.drag;
    const drawing = drag?.moved && drag.tool === "box" ? [{ own: true, label: "", frame: this.slice, ...spanned(drag.from, drag.last) }] : [];
    for (const mark of [...this.data.marks, ...this.pending, ...drawing]) {
      if (this.stack && mark.frame !== this.slice) continue;
      const [x, y] = this.toCanvas(mark.x, mark.y);
      const colour = mark.own ? "#56b4e9" : "#e69f00";
      const size = [mark.width * this.place.scale, mark.height * this.place.scale * this.tall];
      if (mark.width || mark.height) stroke(colour, () => context.rect(x, y, ...size));
      else stroke(colour, () => (context.arc(x, y, 6 * ratio, 0, 7), context.moveTo(x - 10 * ratio, y), context.lineTo(x + 10 * ratio, y)));
      text(mark.label, x + 2 * ratio, y - 6 * ratio, colour);
    }
    const lines = drag?.moved && drag.tool === "measure" ? [...this.lines, [drag.from, drag.last]] : this.lines;
    for (const [from, to] of lines) {
      const ends = [this.toCanvas(from.column, from.row), this.toCanvas(to.column, to.row)];
      stroke("#f0e442", () => (context.moveTo(...ends[0]), context.lineTo(...ends[1])));
      text(this.length(from, to), ends[1][0] + 6 * ratio, ends[1][1], "#f0e442");
    }
  }

  length(from, to) {
    const [dx, dy] = [to.column - from.column, to.row - from.row];
    const spacing = this.image.spacing;
    return spacing ? `${number(Math.hypot(dx * spacing[1], dy * spacing[0]), 1)} mm` : `${number(Math.hypot(dx, dy))} pixels`;
  }

  sayWhere(ratio) {
    const { image, pointer } = this;
    const [low, high] = this.straight();
    const lines = [`centre ${number((low + high) / 2, 1)} · width ${number(high - low, 1)}${this.kept.inverted ? " · inverted" : ""}`];
    lines[0] += ` · ${number((100 * this.place.scale) / ratio)} %`;
    const { count, at } = this.data.images;
    if (this.stack) lines.unshift(`slice ${this.slice + 1} of ${count}${this.loaded < count ? ` (${this.loaded} loaded)` : ""}`);
    if (this.data.overlay?.map && this.slice !== at) lines.push(`the map is of slice ${at + 1}`);
    if (this.tool === "measure" || this.lines.length) {
      lines.push(image.spacing ? `lengths by ${image.spacing_source}` : "no spacing in the file: lengths in pixels");
    }
    if (pointer && pointer.column >= 0 && pointer.row >= 0 && pointer.column < image.columns && pointer.row < image.rows) {
      const [x, y] = [Math.floor((pointer.column * image.width) / image.columns), Math.floor((pointer.row * image.height) / image.rows)];
      const code = image.values[y * image.width + x];
      const value = code === PADDING ? "padding" : `${number(image.offset + image.scale * code, 1)} ${image.units}`;
      lines.push(`(${number(pointer.column)}, ${number(pointer.row)}): ${value}`);
    }
    this.corner.textContent = [this.data.title, ...lines].filter(Boolean).join("\n");
  }
}

const spanned = (from, to) => ({
  x: Math.min(from.column, to.column),
  y: Math.min(from.row, to.row),
  width: Math.abs(to.column - from.column),
  height: Math.abs(to.row - from.row),
});

// Halves of an image, so that a frame costs what the screen holds and not what the image does.
function levels(image) {
  const made = [{ values: image.values, width: image.width, height: image.height }];
  for (let last = made[0]; Math.max(last.width, last.height) > 600; last = made[made.length - 1]) made.push(halved(last));
  return made;
}

function halved({ values, width, height }) {
  const [columns, rows] = [width >> 1, height >> 1];
  const half = new Uint16Array(columns * rows);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0, at = 2 * row * width; column < columns; column++, at += 2) {
      const [a, b, c, d] = [values[at], values[at + 1], values[at + width], values[at + width + 1]];
      const count = (a !== PADDING) + (b !== PADDING) + (c !== PADDING) + (d !== PADDING); // padding adds nothing to the sum
      half[to++] = count ? Math.round((a + b + c + d) / count) : PADDING;
    }
  }
  return { values: half, width: columns, height: rows };
}

function levelFor(image, scale) {
  let chosen = image.levels[0];
  for (const level of image.levels) if (level.width / image.columns >= 0.95 * scale) chosen = level;
  return chosen;
}

function coloured(map) {
  const sheet = Object.assign(document.createElement("canvas"), { width: map.width, height: map.height });
  const context = sheet.getContext("2d");
  const ink = context.createImageData(map.width, map.height);
  for (let at = 0; at < map.values.length; at++) {
    for (let part = 0; part < 4; part++) ink.data[4 * at + part] = map.colours[4 * map.values[at] + part];
  }
  context.putImageData(ink, 0, 0);
  return sheet;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  parentElement.mcViewer ??= new Viewer(parentElement);
  parentElement.mcViewer.update(data, setTriggerValue);
  return () => {
    parentElement.mcViewer?.end();
    parentElement.mcViewer?.frame.remove();
    delete parentElement.mcViewer;
  };
}
