"use strict";
// Called with the element `root` and `data`. All text enters the page as text, never as HTML.
const SVG = "http://www.w3.org/2000/svg";
const last = data.epochs.length - 1;
const colors = data.colors;
const updates = []; // each shows its part at an epoch
let frame = 0;
let timer = 0;

function make(tag, attributes, parent, text) {
  const drawn = /^(svg|g|path|line|rect|circle|text|title|polyline|clipPath|defs)$/.test(tag);
  const node = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// Numbers as Python's side writes them; those that JSON cannot hold come as text.
function written(x) {
  if (x === null) return "–";
  if (typeof x === "string") return x;
  const size = Math.abs(x);
  if (x === 0 || (size >= 1e-3 && size < 1e6)) return x.toFixed(4);
  return x.toExponential(3).replace(/e([+-])(\d)$/, "e$10$2");
}
const signed = (x) => (x > 0 ? "+" : "") + written(x);
const finite = (x) => typeof x === "number";
function short(x) {
  const plain = x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5);
  return plain ? String(+x.toPrecision(3)) : x.toExponential(1).replace(".0e", "e");
}

function panel(kind, title, remark) {
  const box = make("div", { class: "panel " + kind, role: "group", "aria-label": title }, panels);
  const head = make("div", { class: "head" }, box, title);
  if (remark) make("span", {}, head, remark);
  return box;
}

// --- frame of the page --------------------------------------------------------------

root.textContent = "";
for (const name of ["ink", "background", "interior", "line", "muted"])
  root.style.setProperty("--" + name, colors[name]);
root.style.setProperty("--soft", colors.operation);
root.style.setProperty("--accent", colors.name === "dark" ? "#60A5FA" : "#2563EB");
root.style.colorScheme = colors.name === "dark" ? "dark" : "light";
root.tabIndex = 0; // a click anywhere inside gives it the keys
root.setAttribute("role", "region");
root.setAttribute("aria-label", "training, epoch by epoch");
root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab leaves the keys to us

make("div", { class: "title" }, root, data.title);
const bar = make("div", { class: "bar" }, root);
const ICONS = {
  back: "M3 2h2v12H3zM14 2v12L6 8z",
  play: "M3 1l11 7-11 7z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  forward: "M11 2h2v12h-2zM2 2l8 6-8 6z",
};
function button(name, label, action) {
  const node = make("button", { type: "button", class: name, title: label, "aria-label": label }, bar);
  make("path", { d: ICONS[name] }, make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, node));
  node.addEventListener("click", action);
  return node;
}
button("back", "back", () => go(frame - 1));
const playButton = button("play", "play", toggle);
button("forward", "forward", () => go(frame + 1));
const slider = make(
  "input",
  { type: "range", min: 0, max: last, step: 1, value: 0, "aria-label": "epoch" },
  bar,
);
slider.addEventListener("input", () => go(+slider.value));
const speed = make("select", { "aria-label": "speed", title: "speed" }, bar);
for (const rate of [2, 5, 10, 20, 40])
  make("option", { value: rate }, speed, rate + " steps a second");
const calm = window.matchMedia && window.matchMedia("(prefers-reduced-motion: reduce)").matches;
speed.value = calm ? "2" : "10";
speed.addEventListener("change", () => {
  if (timer) play();
});

const state = make("div", { class: "state" }, root);
function stated(name, words) {
  const span = make("span", {}, state);
  make("span", {}, span, name);
  const value = make("b", { class: "value-" + name }, span);
  updates.push((i) => (value.textContent = words(i)));
}
const final = data.epochs[last];
stated("epoch", (i) => data.epochs[i] + " of " + final + (i ? "" : " (before training)"));
stated("loss", (i) => written(data.loss[i]));
if (data.right)
  stated("right", (i) => {
    const share = (100 * data.right[i]) / data.total;
    return data.right[i] + " of " + data.total + " (" + share.toFixed(1) + " %)";
  });
const live = make("div", { class: "live", "aria-live": "polite" }, root);
const panels = make("div", { class: "panels" + (data.plane ? " flat" : "") }, root);

// --- moving --------------------------------------------------------------

function go(i) {
  stop();
  show(i);
  announce();
}
function show(i) {
  frame = Math.max(0, Math.min(last, i));
  slider.value = frame;
  slider.setAttribute("aria-valuetext", "epoch " + data.epochs[frame]);
  root.dataset.epoch = data.epochs[frame];
  for (const update of updates) update(frame);
}
function announce() {
  live.textContent = "epoch " + data.epochs[frame] + ", loss " + written(data.loss[frame]);
}
function look(name, label) {
  playButton.querySelector("path").setAttribute("d", ICONS[name]);
  playButton.setAttribute("aria-label", label);
  playButton.title = label;
}
function play() {
  clearInterval(timer);
  if (frame === last) show(0);
  timer = setInterval(() => {
    if (!root.isConnected) return stop(); // the cell was cleared or run again
    show(frame + 1);
    if (frame === last) {
      stop();
      announce();
    }
  }, 1000 / speed.value);
  look("pause", "pause");
}
function stop() {
  clearInterval(timer);
  timer = 0;
  look("play", "play");
}
function toggle() {
  if (!timer) return play();
  stop();
  announce();
}

const KEYS = {
  ArrowRight: () => go(frame + 1),
  ArrowUp: () => go(frame + 1),
  ArrowLeft: () => go(frame - 1),
  ArrowDown: () => go(frame - 1),
  PageUp: () => go(frame + 10),
  PageDown: () => go(frame - 10),
  Home: () => go(0),
  End: () => go(last),
  " ": toggle,
};
root.addEventListener("keydown", (event) => {
  // a notebook of JupyterLab takes the focus at any key that reaches it, Control alone too
  if (root.closest(".jp-Notebook")) event.stopPropagation();
  const tag = event.target.tagName;
  if (tag === "SELECT" || event.ctrlKey || event.altKey || event.metaKey) return;
  if (!KEYS[event.key] || (tag === "BUTTON" && event.key === " ")) return;
  event.preventDefault();
  event.stopPropagation();
  KEYS[event.key]();
});

// --- the plane of two inputs --------------------------------------------------------------

function rgb(hex) {
  const n = parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}
const BANDS = data.shades[0].length; // of a class, or of numbers
const band = (share) => Math.max(0, Math.min(BANDS - 1, Math.floor(share * BANDS)));

// The pixels of the plane at an epoch, from its points; see `encoded` in planes.py.
function planePainter(canvas) {
  const { side, levels, unknown } = data.plane;
  const many = data.classes ? data.classes.length : 0;
  const packed = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r; // as canvases have them
  const tables = data.shades.map((table) => table.map((shade) => packed(rgb(shade))));
  const N = (canvas.width = canvas.height = 480);
  const context = canvas.getContext("2d");
  const image = context.createImageData(N, N);
  const pixels = new Int32Array(image.data.buffer);
  const kinds = new Int16Array(N * N); // class or band of each pixel, to find where it changes
  const winner = new Int16Array(side * side);
  const lead = new Float32Array(side * side);
  const line = packed(rgb(colors.ink));
  const nothing = packed(rgb(colors.muted));
  const edge = many ? line : packed(rgb(colors.background));
  const top = Math.max(1, levels - 1);

  function decode(i) {
    const bytes = atob(data.plane.codes[i]);
    for (let c = 0; c < bytes.length; c++) {
      const code = bytes.charCodeAt(c);
      winner[c] = code === unknown ? -1 : Math.floor(code / levels);
      lead[c] = (code % levels) / top;
    }
  }
  // Between four points a class is as far ahead as the weighted leads say, the leads of others
  // counting against it: then boundaries are smooth.
  function ahead(k, a, wa, wb, wc, wd) {
    const b = a + 1, c = a + side, d = c + 1;
    return (
      (winner[a] === k ? wa : -wa) * lead[a] + (winner[b] === k ? wb : -wb) * lead[b] +
      (winner[c] === k ? wc : -wc) * lead[c] + (winner[d] === k ? wd : -wd) * lead[d]
    );
  }
  function fill() {
    for (let y = 0, p = 0; y < N; y++) {
      const row = ((N - 1 - y) / (N - 1)) * (side - 1);
      const j = Math.min(side - 2, Math.floor(row)), v = row - j;
      for (let x = 0; x < N; x++, p++) {
        const column = (x / (N - 1)) * (side - 1);
        const i = Math.min(side - 2, Math.floor(column)), u = column - i;
        const a = j * side + i, b = a + 1, c = a + side, d = c + 1;
        const wa = (1 - u) * (1 - v), wb = u * (1 - v), wc = (1 - u) * v, wd = u * v;
        let kind = winner[a], shade;
        const ka = kind, kb = winner[b], kc = winner[c], kd = winner[d];
        if (ka < 0 || kb < 0 || kc < 0 || kd < 0) kind = -1;
        else if (ka === kb && kb === kc && kc === kd)
          shade = wa * lead[a] + wb * lead[b] + wc * lead[c] + wd * lead[d];
        else {
          shade = ahead(ka, a, wa, wb, wc, wd);
          for (let n = 0; n < 3; n++) {
            const k = n === 0 ? kb : n === 1 ? kc : kd;
            const size = k === kind ? -2 : ahead(k, a, wa, wb, wc, wd);
            if (size > shade) { shade = size; kind = k; }
          }
        }
        const level = band(shade);
        kinds[p] = many || kind < 0 ? kind : level;
        pixels[p] = kind < 0 ? (((x + y) >> 3) & 1 ? nothing : line) : tables[kind][level];
      }
    }
  }
  function outline() {
    for (let y = 0; y < N - 2; y++)
      for (let x = 0, p = y * N; x < N - 2; x++, p++) {
        const k = kinds[p];
        if (k !== kinds[p + 1] || k !== kinds[p + N]) pixels[p] = edge;
        else if (many && (k !== kinds[p + 2] || k !== kinds[p + 2 * N] || k !== kinds[p + N + 1]))
          pixels[p] = edge;
      }
  }
  function signs() { // a class must be known without its colour
    const step = N / 9;
    for (let y = step / 2; y < N; y += step)
      for (let x = step / 2; x < N; x += step) {
        const kind = kinds[Math.floor(y) * N + Math.floor(x)];
        if (kind < 0) continue;
        context.save();
        context.translate(x, y);
        context.globalAlpha = 0.5;
        context.strokeStyle = context.fillStyle = data.classes[kind].color;
        context.lineWidth = 1.3;
        context.stroke(new Path2D(data.classes[kind].mark));
        context.restore();
      }
  }
  return (i) => {
    decode(i);
    fill();
    outline();
    context.putImageData(image, 0, 0);
    if (many) signs();
  };
}

function nice(low, high, count) {
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
  const first = Math.ceil(low / step);
  const ticks = []; // few, and each once, also where numbers are too large for such steps
  for (let i = 0; i <= 2 * count; i++) {
    const tick = (first + i) * step;
    if (tick <= high + step * 1e-9 && tick !== ticks[ticks.length - 1]) ticks.push(tick);
  }
  return ticks;
}

if (data.plane) {
  const regress = !data.classes;
  const box = panel("plane", regress ? "Output" : "Decision boundary");
  const map = make("div", { class: "map" }, box);
  const canvas = make("canvas", { "aria-hidden": "true" }, map);
  const [x0, y0] = data.plane.from, [x1, y1] = data.plane.to;
  const svg = make("svg", { viewBox: "0 0 400 400", role: "img" }, map);
  const about = make("title", {}, svg);
  const px = (x) => 44 + (348 * (x - x0)) / (x1 - x0);
  const py = (y) => 356 - (348 * (y - y0)) / (y1 - y0);
  for (const t of nice(x0, x1, 5)) {
    make("line", { x1: px(t), x2: px(t), y1: 356, y2: 361, stroke: colors.line }, svg);
    make("text", { x: px(t), y: 373, "text-anchor": "middle", class: "small" }, svg, short(t));
  }
  for (const t of nice(y0, y1, 5)) {
    make("line", { x1: 39, x2: 44, y1: py(t), y2: py(t), stroke: colors.line }, svg);
    make("text", { x: 36, y: py(t) + 4, "text-anchor": "end", class: "small" }, svg, short(t));
  }
  make("text", { x: 218, y: 392, "text-anchor": "middle" }, svg, data.names[0]);
  const turn = { transform: "translate(10 182) rotate(-90)", "text-anchor": "middle" };
  make("text", turn, svg, data.names[1]);
  const rings = [];
  const low = data.plane.low, high = data.plane.high;
  data.samples.X.forEach(([a, b], i) => {
    const target = data.samples.y[i];
    const group = make("g", { transform: `translate(${px(a)} ${py(b)})` }, svg);
    const fill = regress
      ? data.shades[0][band((target - low) / (high - low))]
      : data.classes[target].color;
    const mark = regress ? "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z" : data.classes[target].mark;
    make("path", { d: mark, fill, stroke: colors.background, "stroke-width": 1.1 }, group);
    if (regress) make("title", {}, group, "target " + short(target));
    else rings.push(make("circle", { r: 7.2, class: "ring hidden" }, group));
  });
  const legend = make("div", { class: "legend" }, box);
  function entry(content, words) {
    const span = make("span", {}, legend);
    content(make("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }, span));
    make("span", {}, span, words);
  }
  if (regress) {
    data.shades[0].forEach((fill, b) =>
      entry(
        (s) => make("rect", { x: -7, y: -7, width: 14, height: 14, fill }, s),
        b === 0 ? short(low) : b === BANDS - 1 ? short(high) : "",
      ),
    );
    make("span", { class: "note" }, legend, "circles: the targets on the same scale");
  } else {
    for (const one of data.classes.slice(0, 12))
      entry((s) => make("path", { d: one.mark, fill: one.color }, s), one.name);
    entry((s) => make("circle", { r: 5.8, class: "ring" }, s), "wrong");
    const what = data.kind === "signs" ? "output" : "lead over the next class";
    make("div", { class: "note" }, box, `Stronger colour: larger ${what}, up to ${short(high)} or more.`);
  }
  if (data.plane.unknown !== null)
    make("div", { class: "note" }, box, "Striped: the output is not a finite number.");
  if (data.samples.X.length < data.samples.of)
    make("div", { class: "note" }, box, `${data.samples.X.length} of ${data.samples.of} samples are drawn.`);
  const paint = planePainter(canvas);
  let wrong = [];
  updates.push((i) => {
    paint(i);
    about.textContent =
      `what the model says over ${data.names[0]} and ${data.names[1]} at epoch ${data.epochs[i]}`;
    if (regress) return;
    for (const k of wrong) rings[k].classList.add("hidden");
    wrong = data.wrong[i];
    for (const k of wrong) rings[k].classList.remove("hidden");
  });
}

// --- the loss --------------------------------------------------------------

{
  const known = data.loss.filter(finite);
  const least = Math.min(...known), most = Math.max(...known);
  const logarithmic = known.length > 0 && least > 0 && most > 2 * least;
  const box = panel("loss", "Loss", logarithmic ? "log scale" : "");
  const svg = make("svg", { viewBox: "0 0 320 190", class: "curve", role: "img" }, box);
  make("title", {}, svg, "the loss at each epoch; click or drag to go there");
  const scale = logarithmic ? Math.log10 : (x) => x;
  let low = known.length ? scale(least) : 0, high = known.length ? scale(most) : 1;
  if (high === low) [low, high] = [low - 0.5, high + 0.5];
  [low, high] = [low - 0.06 * (high - low), high + 0.16 * (high - low)]; // above: room for a text
  const px = (i) => 44 + (268 * data.epochs[i]) / (final || 1);
  const py = (loss) => 152 - (142 * (scale(loss) - low)) / (high - low);
  const ticks = logarithmic ? decades(low, high) : nice(low, high, 4);
  for (const t of ticks) {
    make("line", { x1: 44, x2: 312, y1: py(t), y2: py(t), stroke: colors.operation }, svg);
    make("text", { x: 39, y: py(t) + 4, "text-anchor": "end", class: "small" }, svg, short(t));
  }
  for (const t of nice(0, final || 1, 5)) {
    if (t % 1) continue;
    const x = 44 + (268 * t) / (final || 1);
    make("text", { x, y: 168, "text-anchor": "middle", class: "small" }, svg, String(t));
  }
  make("text", { x: 178, y: 184, "text-anchor": "middle", class: "small" }, svg, "epoch");
  make("path", { d: "M44 10V152H312", fill: "none", stroke: colors.line }, svg);
  let path = "", past = []; // the path up to each epoch
  data.loss.forEach((loss, i) => {
    const joined = i > 0 && finite(data.loss[i - 1]);
    if (finite(loss)) path += `${joined ? "L" : "M"}${px(i).toFixed(1)} ${py(loss).toFixed(1)}`;
    past.push(path);
  });
  make("path", { d: path, fill: "none", stroke: colors.line, "stroke-width": 1.5, class: "all" }, svg);
  const done = make("path", { fill: "none", stroke: colors.ink, "stroke-width": 2.4 }, svg);
  done.setAttribute("stroke-linejoin", "round");
  const cursor = make("line", { y1: 10, y2: 152, stroke: colors.current, "stroke-width": 1.2 }, svg);
  const dot = make("circle", { r: 5, fill: colors.current, stroke: colors.background }, svg);
  const tag = make("text", { class: "tag" }, svg);
  updates.push((i) => {
    const loss = data.loss[i], x = px(i);
    done.setAttribute("d", past[i]);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    dot.classList.toggle("hidden", !finite(loss));
    tag.textContent = written(loss);
    const y = finite(loss) ? py(loss) : 30;
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    const width = tag.getComputedTextLength();
    const sides = (x > 230 ? [-9 - width, 9] : [9, -9 - width]).map((shift) => x + shift);
    const places = sides.filter((from) => from > 40 && from + width < 320).flatMap((from) => clear(from, width, y));
    const [from, line] = places[0] ?? [sides[0], 18];
    tag.setAttribute("x", from);
    tag.setAttribute("y", line);
  });
  // Where a text of that width lies beside the curve, the place closest to height y first.
  function clear(start, width, y) {
    const from = start - 4, to = start + width + 4;
    const spans = [];
    for (let i = 1; i < data.loss.length; i++) {
      if (!finite(data.loss[i - 1]) || !finite(data.loss[i])) continue;
      const xa = px(i - 1), xb = px(i), ya = py(data.loss[i - 1]), yb = py(data.loss[i]);
      if (xb < from || xa > to) continue;
      const ends = [Math.max(xa, from), Math.min(xb, to)].map((x) => ya + ((yb - ya) * (x - xa)) / (xb - xa));
      spans.push([Math.min(...ends), Math.max(...ends)]);
    }
    const free = (line) => line >= 18 && line <= 148 && spans.every(([a, b]) => b < line - 13 || a > line + 5);
    const lines = [y - 8, ...spans.flatMap(([a, b]) => [a - 8, b + 16])].filter(free);
    return lines.sort((a, b) => Math.abs(a - y) - Math.abs(b - y)).map((line) => [start, line]);
  }
  function reach(event) {
    const area = svg.getBoundingClientRect();
    const epoch = ((((event.clientX - area.left) / area.width) * 320 - 44) / 268) * final;
    let nearest = 0;
    data.epochs.forEach((e, i) => {
      if (Math.abs(e - epoch) < Math.abs(data.epochs[nearest] - epoch)) nearest = i;
    });
    go(nearest);
  }
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    svg.setPointerCapture(event.pointerId);
    reach(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) reach(event);
  });
}
function decades(low, high) {
  for (const steps of [[1], [1, 3], [1, 2, 5]]) {
    const ticks = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); e++)
      for (const m of steps) {
        const place = Math.log10(m * 10 ** e);
        if (place >= low && place <= high) ticks.push(m * 10 ** e);
      }
    if (ticks.length >= 3 || steps.length === 3) {
      const every = Math.ceil(ticks.length / 6);
      return ticks.filter((_, i) => i % every === 0);
    }
  }
}

// --- the size of the gradients --------------------------------------------------------------

{
  const { names, sizes, left_out } = data.gradients;
  const box = panel("gradients", "Gradients", "root mean square, log scale");
  const all = sizes.flat().filter((x) => finite(x) && x > 0);
  const high = all.length ? Math.ceil(Math.log10(Math.max(...all)) + 1e-9) : 0;
  const low = Math.min(high - 1, Math.max(high - 12, all.length ? Math.floor(Math.log10(Math.min(...all))) : -1));
  const px = (x) => 84 + 162 * Math.max(0, Math.min(1, (Math.log10(x) - low) / (high - low)));
  const height = 30 * names.length + 22;
  const svg = make("svg", { viewBox: `0 0 320 ${height}`, role: "img" }, box);
  const about = make("title", {}, svg);
  const every = Math.ceil((high - low) / 5);
  for (let e = low; e <= high; e += every) {
    const x = px(10 ** e);
    make("line", { x1: x, x2: x, y1: 0, y2: height - 20, stroke: colors.operation }, svg);
    make("text", { x, y: height - 6, "text-anchor": "middle", class: "small" }, svg, short(10 ** e));
  }
  const rows = names.map((name, k) => {
    const y = 30 * k;
    const words = name.length > 13 ? name.slice(0, 12) + "…" : name;
    make("title", {}, make("text", { x: 0, y: y + 19 }, svg, words), name);
    const own = sizes.map((one) => one[k]).filter((x) => finite(x) && x > 0);
    if (own.length) // from the smallest to the largest of all epochs
      make("line", {
        x1: px(Math.min(...own)), x2: px(Math.max(...own)), y1: y + 25, y2: y + 25,
        stroke: colors.line, "stroke-width": 2,
      }, svg);
    return {
      bar: make("rect", { x: 84, y: y + 7, height: 14, rx: 3, fill: colors.receiving }, svg),
      value: make("text", { x: 320, y: y + 19, "text-anchor": "end", class: "gradient" }, svg),
    };
  });
  const more = left_out ? ` ${left_out} more layers are not shown.` : "";
  make("div", { class: "note" }, box,
    "Thin line: the range over the training." + more);
  updates.push((i) => {
    sizes[i].forEach((size, k) => {
      rows[k].bar.setAttribute("width", finite(size) && size > 0 ? Math.max(2, px(size) - 84) : 0);
      rows[k].value.textContent = written(size);
    });
    about.textContent = names.map((name, k) => `${name}: ${written(sizes[i][k])}`).join(", ");
  });
}

// --- the parameters --------------------------------------------------------------

// Of each unit that can be chosen (a neuron, or a group) the names and places of its numbers.
function chooser(box, units, hint, chosen) {
  const row = make("div", { class: "choice" }, box);
  const label = make("label", {}, row, "numbers of ");
  const list = make("select", {}, label);
  make("option", { value: -1 }, list, hint);
  units.forEach((unit, i) => make("option", { value: i }, list, unit.title));
  const values = make("div", { class: "values" }, box);
  let cells = [];
  function choose(i) {
    list.value = i;
    values.textContent = "";
    cells = (i < 0 ? [] : units[i].items).map(([name, place]) => {
      const span = make("span", {}, values);
      make("span", {}, span, name);
      return [make("b", {}, span), place];
    });
    if (i >= 0 && units[i].remark) make("span", { class: "note" }, values, units[i].remark);
    fill(frame);
    chosen(i);
  }
  function fill(i) {
    for (const [cell, place] of cells) cell.textContent = signed(data.numbers[i][place]);
  }
  updates.push(fill);
  list.addEventListener("change", () => choose(+list.value));
  return { choose, current: () => +list.value };
}
// The largest size over all epochs of the numbers in these places.
function largestOf(places) {
  let most = 0;
  for (const numbers of data.numbers)
    for (const place of places) if (finite(numbers[place])) most = Math.max(most, Math.abs(numbers[place]));
  return most || 1;
}

if (data.network) drawNetwork(data.network);
else drawGroups(data.groups);

function drawNetwork({ sizes, drawn, layers, outputs }) {
  const box = panel("weights", "Network", "width: size of a weight");
  const W = 560, H = 400, TOP = 12, ROOM = 330;
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" }, box);
  make("title", {}, svg, `network of ${sizes.join(", ")} units; choose one below to read its weights`);
  const room = (names, n) => 30 + 7 * Math.min(12, Math.max(0, ...names.slice(0, n).map((x) => x.length)));
  const left = room(data.names, drawn[0]);
  const right = W - room(outputs, drawn[drawn.length - 1]);
  const xs = drawn.map((_, l) => left + ((right - left) * l) / (drawn.length - 1));
  const places = drawn.map((n, l) => {
    const gap = Math.min(56, ROOM / n);
    return Array.from({ length: n }, (_, i) => [xs[l], TOP + ROOM / 2 + (i - (n - 1) / 2) * gap, gap]);
  });
  const edges = make("g", {}, svg);
  const lines = [];
  const units = [];
  const circles = [];
  let place = 0;
  layers.forEach((layer, l) => {
    const names = Array.from({ length: drawn[l] }, (_, i) => (l ? "w" + i : data.names[i]));
    for (let j = 0; j < drawn[l + 1]; j++) {
      const items = [];
      for (let i = 0; i < drawn[l]; i++, place++) {
        const [xa, ya] = places[l][i], [xb, yb] = places[l + 1][j];
        const node = make("path", { class: "edge", d: `M${xa} ${ya}L${xb} ${yb}`, fill: "none" }, edges);
        lines.push({ node, place, unit: units.length });
        items.push([names[i], place]);
      }
      if (layer.bias) items.push(["bias", place++]);
      const of = drawn[l] < sizes[l] ? `first ${drawn[l]} of ${sizes[l]} weights` : "";
      const title = `layer ${l}, neuron ${j}` + (l === layers.length - 1 ? ` (${outputs[j]})` : "");
      units.push({ title, items, remark: of });
    }
  });
  const largest = largestOf(lines.map((line) => line.place)); // a bias has no line
  const key = make("div", { class: "legend" }, box);
  sign(key, colors.positive, "", "positive");
  sign(key, colors.negative, "5 3", "negative");
  make("span", { class: "note" }, key, `thickest: ${short(largest)}`);
  const choice = chooser(box, units, "choose a neuron", (chosen) => {
    edges.classList.toggle("dim", chosen >= 0);
    for (const one of lines) one.node.classList.toggle("on", one.unit === chosen);
    circles.forEach((circle, i) => circle.classList.toggle("chosen", i === chosen));
  });
  places.forEach((column, l) =>
    column.forEach(([x, y, gap], i) => {
      const group = make("g", l ? { class: "neuron" } : {}, svg);
      const r = Math.max(3, Math.min(13, gap * 0.38));
      make("circle", { cx: x, cy: y, r, fill: colors.input, stroke: colors.line }, group);
      if (!l) {
        label(data.names[i], x - r - 6, y, "end", group);
        return;
      }
      const unit = circles.push(group) - 1;
      make("title", {}, group, units[unit].title);
      group.addEventListener("click", () => choice.choose(choice.current() === unit ? -1 : unit));
      if (l === places.length - 1) label(outputs[i], x + r + 6, y, "start", group);
    }),
  );
  function label(name, x, y, anchor, parent) {
    const words = name.length > 12 ? name.slice(0, 11) + "…" : name;
    make("text", { x, y: y + 4, "text-anchor": anchor }, parent, words);
  }
  sizes.forEach((size, l) => {
    const x = xs[l];
    const last = l === sizes.length - 1;
    const title = l ? `layer ${l - 1}` : "inputs";
    const what = l ? `${size} ${layers[l - 1].activation}` : String(size);
    make("text", { x, y: 366, "text-anchor": "middle" }, svg, title);
    make("text", { x, y: 381, "text-anchor": "middle", class: "small" }, svg, what);
    if (drawn[l] < size)
      make("text", { x, y: 395, "text-anchor": "middle", class: "small" }, svg, `${drawn[l]} drawn`);
  });
  updates.push((i) => {
    const numbers = data.numbers[i];
    for (const { node, place } of lines) {
      const w = numbers[place];
      const size = finite(w) ? Math.abs(w) / largest : 0;
      node.setAttribute("stroke", !finite(w) ? colors.muted : w < 0 ? colors.negative : colors.positive);
      node.setAttribute("stroke-width", (0.4 + 4 * size).toFixed(2));
      node.setAttribute("stroke-opacity", (0.25 + 0.7 * size).toFixed(2));
      if (w < 0) node.setAttribute("stroke-dasharray", "5 3");
      else node.removeAttribute("stroke-dasharray");
    }
  });
}
function sign(parent, color, dashes, words) {
  const span = make("span", {}, parent);
  const svg = make("svg", { viewBox: "0 0 26 14", "aria-hidden": "true", style: "width:26px" }, span);
  make("line", { x1: 0, x2: 26, y1: 7, y2: 7, stroke: color, "stroke-width": 3, "stroke-dasharray": dashes || "none" }, svg);
  make("span", {}, span, words);
}

// A model without a network to draw: bars that go up for positive numbers and down for negative.
function drawGroups(groups) {
  const box = panel("weights", "Parameters", "bars go up when positive, down when negative");
  const W = 560, ROW = 76;
  const svg = make("svg", { viewBox: `0 0 ${W} ${ROW * groups.length}`, role: "img" }, box);
  make("title", {}, svg, "the parameters as bars; choose a group below to read the numbers");
  const bars = [];
  const units = [];
  let place = 0;
  groups.forEach((group, k) => {
    const y = ROW * k, n = group.names.length, middle = y + 46;
    const cut = n < group.size ? ` (${n} of ${group.size})` : "";
    make("text", { x: 0, y: y + 12 }, svg, group.title + cut);
    make("line", { x1: 0, x2: W, y1: middle, y2: middle, stroke: colors.line }, svg);
    const step = Math.min(64, W / n);
    const items = group.names.map((name, i) => {
      const bar = make("rect", { x: i * step + 0.1 * step, width: 0.8 * step, rx: 2 }, svg);
      const value = step < 58 ? null : make("text", { x: (i + 0.5) * step, "text-anchor": "middle" }, svg);
      bars.push({ bar, value, middle, title: make("title", {}, bar), name, place });
      return [name, place++];
    });
    units.push({ title: group.title, items, remark: cut });
  });
  chooser(box, units, "choose a layer", () => {});
  const largest = largestOf(bars.map((bar) => bar.place));
  updates.push((i) => {
    for (const { bar, value, middle, title, name, place } of bars) {
      const x = data.numbers[i][place];
      const size = finite(x) ? (26 * Math.abs(x)) / largest : 0;
      bar.setAttribute("y", x < 0 ? middle : middle - size);
      bar.setAttribute("height", Math.max(0.5, size));
      bar.setAttribute("fill", x < 0 ? colors.negative : colors.positive);
      title.textContent = `${name} ${signed(x)}`;
      if (!value) continue;
      value.textContent = signed(x);
      value.setAttribute("y", x < 0 ? middle - 5 : middle + 14);
    }
  });
}

if (last + 1 < final + 1)
  make("div", { class: "note" }, root, `${last + 1} of ${final + 1} recorded epochs are on this page.`);
make("div", { class: "note keys" }, root,
  "Keys: arrows, Page up and Page down move, Home and End go to the ends, space plays.");
show(0);
if (document.body.dataset.alone === "") {  // a page of its own: keys work at once
  delete document.body.dataset.alone;
  root.focus({preventScroll: true});
}
