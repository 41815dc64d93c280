"use strict";
const frames = data.frames, phases = ["forward", "start of backward", "backward"];
const picture = root.querySelector("img");
const make = (tag, parent, properties) => {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
};
const bytes = Uint8Array.from(atob(picture.src.split(",")[1]), (c) => c.charCodeAt(0));
const svg = document.importNode(
  new DOMParser().parseFromString(new TextDecoder().decode(bytes), "image/svg+xml").documentElement, true);
root.textContent = "";
root.tabIndex = 0;
root.setAttribute("role", "group");
root.setAttribute("aria-label", data.title);
root.setAttribute("data-lm-suppress-shortcuts", "true");  // JupyterLab leaves the keys to us
if (data.theme === "dark") root.classList.add("dark");
root.style.setProperty("--give", data.colors[0]);
root.style.setProperty("--take", data.colors[1]);
const lengths = frames.map((f) => f[6].length).sort((a, b) => a - b);
root.style.setProperty("--lines", Math.min(10, lengths[Math.floor(0.9 * lengths.length)]));  // most fit

// --- controls
make("div", root, {className: "title", textContent: data.title});
const bar = make("div", root, {className: "bar"});
const button = (text, label, act) => {
  const element = make("button", bar, {type: "button", textContent: text, title: label, onclick: act});
  element.setAttribute("aria-label", label);
  return element;
};
button("|◀\uFE0E", "first step (Home)", () => go(0));
button("◀\uFE0E", "step back (left arrow)", () => go(at - 1));
const play = button("", "", toggle);
play.className = "play";
button("▶\uFE0E", "step forward (right arrow)", () => go(at + 1));
button("▶\uFE0E|", "last step (End)", () => go(frames.length));
const slider = make("input", bar, {type: "range", min: 0, max: frames.length, step: 1});
slider.setAttribute("aria-label", "step");
slider.oninput = () => go(Number(slider.value));
const speed = make("select", bar, {title: "speed"});
speed.setAttribute("aria-label", "speed");
for (const factor of [0.5, 1, 2, 4, 8]) make("option", speed, {value: factor, textContent: `${factor}×`});
speed.value = 1;
button("−", "zoom out (-)", () => zoom(1 / 1.25));
button("+", "zoom in (+)", () => zoom(1.25));
button("fit", "fit the picture (0)", () => { fit(true); frame(); });
const where = make("span", bar, {className: "where"});

const say = make("div", root, {className: "say"});
const headline = make("p", say, {className: "headline"});
const table = make("table", say, {});
const live = make("div", root, {className: "live"});
live.setAttribute("aria-live", "polite");
root.append(picture);  // unseen: for a print, and for a copy that the browser saves
const view = make("div", root, {className: "view"});
const sheet = make("div", view, {className: "sheet"});
sheet.append(svg);
const hover = make("p", root, {className: "hover"});
const legend = make("p", root, {className: "legend"});
make("span", legend, {className: "give", textContent: "solid: gives"});
legend.append(" ");
make("span", legend, {className: "take", textContent: "dashed: receives"});
legend.append(" · keys: ← → Home End space + − 0 · drag, or Shift and arrows, to move · Ctrl and wheel to zoom · " +
  `point at a card, or N and Shift N, for details${data.note ? " · " + data.note : ""}`);
const all = make("details", root, {});
make("summary", all, {textContent: "All steps as text"});
const rows = (frame) => frame[6].map((row) => "    " + row.join("  |  "));
const lines = frames.flatMap((f, i) => [`${i + 1}. ${phases[f[0]]}: ${f[5]}`, ...rows(f)]);
make("pre", root, {textContent: lines.join("\n"), tabIndex: 0});  // seen when `all` is open, and in print

// --- state: what each text says from which step on
const cards = [], links = [];
for (const element of svg.querySelectorAll("[data-c]")) cards[element.dataset.c] = element;
for (const element of svg.querySelectorAll("[data-e]")) links[element.dataset.e] = element;
const texts = data.texts.map(([card, row, changes]) =>
  ({element: cards[card].querySelector(`[data-r="${row}"]`), row, changes}));
const description = svg.querySelector("desc");
svg.setAttribute("role", "group");  // what is inside an image is hidden from those who do not see
let at = -1, timer = 0, marked = [], labels = [];

const mark = (element, name) => { element.classList.add(name); marked.push([element, name]); };
const label = ([x, y, text]) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "text");
  for (const [name, value] of [["class", "a"], ["x", x], ["y", y]]) element.setAttribute(name, value);
  element.textContent = text;
  svg.querySelector("g").append(element);
  labels.push(element);
};

function show(step) {
  step = Math.max(0, Math.min(frames.length, step));
  at = step;
  for (const [element, name] of marked) element.classList.remove(name);
  for (const element of labels) element.remove();
  marked = [];
  labels = [];
  for (const {element, changes, row} of texts) {
    let text = changes[0][1];
    for (const [from, later] of changes) { if (from > step) break; text = later; }
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("pos", row > 0 && text.startsWith("+"));
    element.classList.toggle("neg", row > 0 && text.startsWith("-"));
  }
  table.textContent = "";
  say.scrollTop = 0;
  const current = step ? frames[step - 1] : null;
  if (current) {
    const [phase, giving, receiving, active, arithmetic, , lines] = current;
    for (const card of receiving) mark(cards[card], "take");
    for (const card of giving) if (!receiving.includes(card)) mark(cards[card], "give");
    for (const link of active) {
      mark(links[link], "on");
      if (phase === 2) mark(links[link], "back");  // gradients run against the arrows
    }
    arithmetic.forEach(label);
    lines.forEach((line, i) => {
      const row = make("tr", table, {});
      for (const cell of line) make(i ? "td" : "th", row, {textContent: cell});
    });
  }
  headline.textContent = current ? current[5] : "The inputs and parameters are given; step forward.";
  where.textContent = `step ${step} of ${frames.length}${current ? " · " + phases[current[0]] : ""}`;
  slider.value = step;
  slider.setAttribute("aria-valuetext", `step ${step}`);
  description.textContent = `Computation graph at ${where.textContent}.`;
  root.dataset.step = step;
  if (current) follow(current[1], current[2]);
}
function go(step) {
  stop();
  show(step);
  announce();
}
function announce() { live.textContent = `${where.textContent}: ${headline.textContent}`; }

// --- playing
function look(text, name) {
  play.textContent = text;
  play.title = `${name} (space)`;
  play.setAttribute("aria-label", play.title);
}
function stop() {
  clearTimeout(timer);
  timer = 0;
  look("▶\uFE0E play", "play");
}
function start() {
  if (at === frames.length) show(0);
  look("❚❚ pause", "pause");
  const wait = () => { timer = setTimeout(next, 1200 / Number(speed.value)); };
  const next = () => {
    if (!root.isConnected) return stop();
    if (at + 1 === frames.length) return go(at + 1);
    show(at + 1);
    wait();
  };
  wait();
}
function toggle() {
  if (!timer) return start();
  stop();
  announce();
}

// --- pan and zoom, by the part of the picture that is in view
const [, , naturalWidth, naturalHeight] = svg.getAttribute("viewBox").split(" ").map(Number);
let scale = 1, drawn = 0, left = 0, top = 0;
function fit(whole) {
  const width = view.clientWidth || 900, height = 0.75 * window.innerHeight;
  scale = Math.min(1.25, width / naturalWidth);
  if (whole) scale = Math.min(scale, height / naturalHeight);
  else if (scale < 1 / 1.5) scale = 1;  // too small to read: move along instead
  left = top = 0;
}
function frame() {
  const width = view.clientWidth || 900;
  const height = Math.max(120, Math.min(naturalHeight * scale, 0.75 * window.innerHeight));
  const w = width / scale, h = height / scale;
  left = w > naturalWidth ? (naturalWidth - w) / 2 : Math.max(0, Math.min(left, naturalWidth - w));
  top = h > naturalHeight ? (naturalHeight - h) / 2 : Math.max(0, Math.min(top, naturalHeight - h));
  // a new size, or moving the SVG itself, means a new layout of every text; moving a sheet does not
  if (scale !== drawn) {
    svg.setAttribute("width", naturalWidth * scale);
    svg.setAttribute("height", naturalHeight * scale);
    drawn = scale;
  }
  sheet.style.transform = `translate(${Math.round(-left * scale)}px, ${Math.round(-top * scale)}px)`;
  view.style.height = `${height}px`;
}
function zoom(factor, x = 0.5, y = 0.5) {  // about a point, as shares of width and height
  const w = view.clientWidth / scale, h = view.clientHeight / scale;
  const next = Math.max(0.1, Math.min(4, scale * factor));
  left += (w - (w * scale) / next) * x;
  top += (h - (h * scale) / next) * y;
  scale = next;
  frame();
}
const place = svg.querySelector("g").transform.baseVal.consolidate().matrix;
function around(indices) {  // left, right, top and bottom of cards, with the texts over and under them
  const boxes = indices.map((card) => cards[card].querySelector("rect")).map((box) =>
    ["x", "y", "width", "height"].map((name) => Number(box.getAttribute(name))));
  return [
    Math.min(...boxes.map((b) => b[0])) + place.e - 6, Math.max(...boxes.map((b) => b[0] + b[2])) + place.e + 6,
    Math.min(...boxes.map((b) => b[1])) + place.f - 18, Math.max(...boxes.map((b) => b[1] + b[3])) + place.f + 18,
  ];
}
function follow(giving, receiving) {  // into view, when some of it is outside
  const w = view.clientWidth / scale, h = view.clientHeight / scale;
  const fits = ([x0, x1, y0, y1]) => x1 - x0 <= w && y1 - y0 <= h;
  const all = [...giving, ...receiving];
  const box = [all, receiving, receiving.slice(0, 1)].filter((some) => some.length).map(around)
    .find(fits) || around(all);
  const [x0, x1, y0, y1] = box;
  if (x0 < left || x1 > left + w) left = (x0 + x1 - w) / 2;
  if (y0 < top || y1 > top + h) top = (y0 + y1 - h) / 2;
  frame();
}
function pan(x, y) {
  left += (60 * x) / scale;
  top += (60 * y) / scale;
  frame();
}

// --- cards, by pointer and by keys: one of them is among the stops of the Tab key
const stops = cards.map((card, i) => i).filter((i) => cards[i].querySelector("[data-r]"));
let turn = -1, pointed = "", drag = null;
const detail = (card) => card ? card.querySelector("title").textContent : "";
const told = () => { hover.textContent = pointed || detail(svg.querySelector("[data-c]:focus")); };
for (const i of stops) {
  cards[i].setAttribute("role", "img");
  cards[i].setAttribute("aria-label", detail(cards[i]));
  cards[i].setAttribute("tabindex", i === stops[0] ? 0 : -1);
}
view.addEventListener("focusin", (event) => {  // with a listener of its own the SVG would take part
  cards[stops[Math.max(0, turn)]].setAttribute("tabindex", -1);
  turn = stops.indexOf(Number(event.target.dataset.c));
  event.target.setAttribute("tabindex", 0);
  if (!event.target.matches(":focus-visible")) return;  // by the pointer it is there, perhaps to be dragged
  pointed = "";
  told();
  follow([stops[turn]], []);
  event.target.scrollIntoView({block: "nearest", inline: "nearest"});
});
view.addEventListener("focusout", told);
function visit(step) {
  const next = turn < 0 && step < 0 ? stops.length - 1 : turn + step;
  cards[stops[(next + stops.length) % stops.length]].focus({preventScroll: true});  // it will have moved
}
view.onpointerdown = (event) => {
  if (event.button === 0) drag = [event.clientX, event.clientY, left, top];
};
view.onpointermove = (event) => {
  pointed = detail(event.target.closest("[data-c]"));
  told();
  if (!drag || !(event.buttons & 1)) { drag = null; return; }
  left = drag[2] - (event.clientX - drag[0]) / scale;
  top = drag[3] - (event.clientY - drag[1]) / scale;
  frame();
};
view.onpointerup = () => { drag = null; };
view.onpointerleave = () => {
  drag = null;
  pointed = "";
  told();
};
view.addEventListener("wheel", (event) => {  // with Ctrl, as pinching is; else the page scrolls
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const box = view.getBoundingClientRect();
  zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1,
    (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}, {passive: false});
root.addEventListener("keydown", (event) => {
  // a notebook of JupyterLab takes the focus at any key that reaches it, Control alone too
  if (root.closest(".jp-Notebook")) event.stopPropagation();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select,pre,summary")) return;
  const onButton = event.target.closest("button");
  const act = (event.shiftKey && {
    ArrowRight: () => pan(1, 0), ArrowLeft: () => pan(-1, 0),
    ArrowDown: () => pan(0, 1), ArrowUp: () => pan(0, -1), n: () => visit(-1), N: () => visit(-1),
  }[event.key]) || {
    ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1),
    Home: () => go(0), End: () => go(frames.length), " ": onButton ? null : toggle,
    n: () => visit(1), N: () => visit(1), "+": () => zoom(1.25), "-": () => zoom(1 / 1.25),
    "0": () => { fit(true); frame(); },
  }[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
});
if (window.ResizeObserver) {
  let last = 0;
  new ResizeObserver(() => {  // a scrollbar that comes and goes must not start a race
    if (Math.abs(view.clientWidth - last) > 20) { last = view.clientWidth; fit(); show(at); }
    frame();
  }).observe(view);
}
fit();
frame();
stop();
show(0);
if (document.body.dataset.alone === "") {  // a page of its own: keys work at once
  delete document.body.dataset.alone;
  root.focus({preventScroll: true});
}
