// The heat map: every language on every lane; a click opens the cell.

import { $, el, say } from "./dom.js";
import { show } from "./cell.js";
import { count, decimal, drafter, language, times } from "./words.js";

const MEASURES = {
  gain: ["Gain against no drafter", times],
  rate: ["Tokens a second", (value) => decimal(value)],
  length: ["Tokens a step", (value) => decimal(value, 2)],
};
const STEPS = [[2, "up3"], [1.5, "up2"], [1, "up1"], [0.85, "down1"], [0, "down2"]]; // from so much on
const TEXT =
  "Every lane in every language that was asked in, or that the table has. A number is what was measured on this " +
  "machine since the router started, with the range that it lies in with 90\u00a0% certainty (from five answers " +
  "on). In italics is what the table says where nothing was measured here: figures of another day or machine. " +
  "“About” is such a figure, scaled by how fast another lane was here in this language. Framed is the lane that " +
  "a request would get now. Click on a number for more.";
let measure = "gain";
let shape = "";
let latest = null;
const buttons = new Map();

export function prepare() {
  for (const [name, [label]] of Object.entries(MEASURES)) {
    const radio = el("input", { type: "radio", name: "measure", id: `measure-${name}`, checked: name === measure });
    radio.addEventListener("change", () => {
      measure = name;
      if (latest) languages(latest);
    });
    $("measures").append(el("span", { className: "choice" }, radio, el("label", { htmlFor: radio.id }, ` ${label}`)));
  }
  const swatch = (kind, text) => el("span", { className: `swatch ${kind}` }, text);
  $("heat-key").append(
    "Against no drafter in the same language:",
    swatch("down2", "much slower"),
    swatch("down1", "slower"),
    swatch("even", "no sure difference"),
    swatch("up1", "faster"),
    swatch("up2", "1.5×"),
    swatch("up3", "2× and more"),
  );
  say($("languages-text"), TEXT);
  const hint = () => {
    const area = $("heat").parentElement;
    $("heat-hint").hidden = area.scrollWidth <= area.clientWidth;
  };
  new ResizeObserver(hint).observe($("heat"));
  new ResizeObserver(hint).observe($("heat").parentElement);
}

export function languages(state) {
  latest = state;
  $("heat-key").hidden = measure !== "gain";
  const wanted = JSON.stringify([state.lanes.map((lane) => lane.name), state.languages.map((row) => row.language)]);
  if (wanted !== shape) build(state);
  shape = wanted;
  for (const row of state.languages) {
    for (const lane of state.lanes) fill(buttons.get(`${row.language} ${lane.name}`), row, lane);
  }
}

function build(state) {
  const focused = /** @type {HTMLElement} */ (document.activeElement)?.dataset.cell;
  // The roles stay where a narrow screen shows a row as a block, for which browsers forget what a table is.
  const row = (...cells) => el("tr", { role: "row" }, ...cells);
  const head = (...name) => el("th", { scope: "col", role: "columnheader" }, ...name);
  const lanes = state.lanes.map((lane) => head(lane.name, el("br"), el("small", {}, drafter(lane))));
  const cell = (tag, lane) => {
    const made = el("td", { role: "cell" }, button(tag, lane));
    made.dataset.head = lane.name;
    return made;
  };
  const body = state.languages.map(({ language: tag }) => {
    const name = el("th", { scope: "row", role: "rowheader" }, language(tag), el("br"), el("small", {}, tag));
    return row(name, ...state.lanes.map((lane) => cell(tag, lane)));
  });
  $("heat").replaceChildren(
    el("thead", { role: "rowgroup" }, row(head("Language"), ...lanes)),
    el("tbody", { role: "rowgroup" }, ...body),
  );
  if (focused) buttons.get(focused)?.button.focus();
}

function button(tag, lane) {
  const key = `${tag} ${lane.name}`;
  if (!buttons.has(key)) {
    const strong = el("strong");
    const [name, span, counted] = [el("span", { className: "unseen" }), el("small"), el("small")];
    const made = el("button", { type: "button" }, name, strong, span, counted);
    made.dataset.cell = key;
    made.addEventListener("click", () => show(tag, lane));
    buttons.set(key, { button: made, name, strong, span, counted });
  }
  return buttons.get(key).button;
}

function fill(parts, row, lane) {
  const cell = row.cells[lane.name];
  const span = cell[measure];
  const [label, write] = MEASURES[measure];
  const next = row.next === lane.name;
  const classes = [shade(cell, lane), span && span.source !== "measured" ? "tabled" : "", next ? "used" : ""];
  const wanted = classes.filter(Boolean).join(" ");
  if (parts.button.className !== wanted) parts.button.className = wanted;
  const alone = measure === "length" && !lane.method ? "1" : "–"; // no drafter: a token a step, always
  const about = span?.source === "scaled" ? "about " : "";
  say(parts.strong, span ? about + write(span.value) : alone);
  say(parts.span, range(cell, span, lane, write));
  say(parts.counted, counted(cell, span));
  const now = next ? ", which a request would get now" : "";
  say(parts.name, `${language(row.language)}, lane ${lane.name}${now}, ${label.toLowerCase()}: `);
}

function shade(cell, lane) {
  if (measure !== "gain" || !lane.method || !cell.gain) return "";
  const { value, low, high, source } = cell.gain;
  if (low === null ? source === "measured" : low <= 1 && high >= 1) return ""; // it may be as fast as without
  return STEPS.find(([from]) => value >= from)[1];
}

function range(cell, span, lane, write) {
  if (!span || span.source !== "measured") return "";
  if (measure === "gain" && !lane.method) return "the yardstick";
  const which = span.answers < cell.measured ? " without a drafter" : "";
  if (span.low === null) return `too few answers${which} for a range`;
  return `${write(span.low)} to ${write(span.high)}`;
}

// How many answers a number comes from, and what became of the other requests.
function counted(cell, span) {
  const table = span?.source === "scaled" ? "by the table, scaled" : "by the table";
  if (!cell.requests) return span ? table : "not used yet";
  const stopped = cell.refused + cell.aborted + cell.failed;
  const others = stopped ? `, ${count(stopped, "refused or stopped", "refused or stopped")}` : "";
  const told = `${count(cell.measured, "answer")} measured${others}`;
  return span && span.source !== "measured" ? `${table} (${told})` : told;
}
