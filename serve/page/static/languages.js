// The heat map: every language on every lane; a click opens the cell.

import { $, because, decimal, drafter, el, language, say, table, task, times, whole } from "./dom.js";
import { Chart } from "./chart.js";
import { open } from "./detail.js";

const MEASURES = {
  gain: "Gain against no drafter",
  rate: "Tokens a second",
  length: "Tokens a step",
};
let measure = "gain";
let shape = "";
let latest = null;
const buttons = new Map();

export function prepare() {
  for (const [name, label] of Object.entries(MEASURES)) {
    const radio = el("input", { type: "radio", name: "measure", id: `measure-${name}`, checked: name === measure });
    radio.addEventListener("change", () => {
      measure = name;
      if (latest) languages(latest);
    });
    $("measures").append(radio, el("label", { htmlFor: radio.id }, label));
  }
  const swatch = (kind, text) => el("span", { className: `swatch ${kind}` }, text);
  $("heat-key").append(
    "Against no drafter in the same language:",
    swatch("down2", "much slower"),
    swatch("down1", "slower"),
    swatch("up1", "faster"),
    swatch("up2", "1.5×"),
    swatch("up3", "2× and more"),
    swatch("used", "framed: the lane that requests mostly get"),
  );
}

export function languages(state) {
  latest = state;
  say(
    $("languages-text"),
    "Each row is a language, each column a lane. A number is what was measured on this machine since the router started, with the " +
      "range that it lies in with 90 % certainty; in italics is what the table says of lanes that weren’t used yet. Click one for more.",
  );
  const wanted = JSON.stringify([state.lanes.map((lane) => lane.name), state.languages.map((row) => row.language)]);
  if (wanted !== shape) build(state);
  shape = wanted;
  for (const row of state.languages) {
    const used = mostUsed(row);
    for (const lane of state.lanes) fill(buttons.get(`${row.language} ${lane.name}`), row, lane, lane.name === used);
  }
}

function build(state) {
  const focused = document.activeElement?.dataset?.cell;
  const head = (lane) => el("th", { scope: "col" }, lane.name, el("br"), el("small", {}, drafter(lane)));
  const body = state.languages.map((row) => {
    const cells = state.lanes.map((lane) => {
      const key = `${row.language} ${lane.name}`;
      if (!buttons.has(key)) {
        const parts = { name: el("span", { className: "unseen" }), strong: el("strong"), span: el("small"), count: el("small") };
        const button = el("button", { type: "button" }, parts.name, parts.strong, parts.span, parts.count);
        button.dataset.cell = key;
        button.addEventListener("click", () => show(row.language, lane));
        buttons.set(key, { button, ...parts });
      }
      return el("td", {}, buttons.get(key).button);
    });
    return el("tr", {}, el("th", { scope: "row" }, language(row.language), el("br"), el("small", {}, row.language)), ...cells);
  });
  $("heat").replaceChildren(
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Language"), ...state.lanes.map(head))),
    el("tbody", {}, ...body),
  );
  if (focused) buttons.get(focused)?.button.focus();
}

function mostUsed(row) {
  const chosen = Object.entries(row.cells).filter(([, cell]) => cell.chosen_tokens > 0);
  if (chosen.length) return chosen.reduce((most, each) => (each[1].chosen_tokens > most[1].chosen_tokens ? each : most))[0];
  const listed = Object.entries(row.cells).filter(([, cell]) => cell.table?.rate);
  return listed.length ? listed.reduce((best, each) => (each[1].table.rate > best[1].table.rate ? each : best))[0] : null;
}

function fill(parts, row, lane, used) {
  const cell = row.cells[lane.name];
  const { main, range, tabled } = figures(cell, row, lane);
  const gain = cell.gain?.value ?? tabledGain(cell, row);
  const kind = !lane.method || gain === null ? "" : gain >= 2 ? "up3" : gain >= 1.5 ? "up2" : gain >= 1 ? "up1" : gain >= 0.85 ? "down1" : "down2";
  const classes = [kind, tabled ? "tabled" : "", used ? "used" : ""].filter(Boolean).join(" ");
  if (parts.button.className !== classes) parts.button.className = classes;
  say(parts.strong, main);
  say(parts.span, range);
  say(parts.count, cell.requests ? `${whole(cell.requests)} ${cell.requests === 1 ? "request" : "requests"}` : tabled ? "by the table" : "not used yet");
  say(parts.name, `${language(row.language)}, lane ${lane.name}${used ? ", mostly used" : ""}: `);
}

function tabledGain(cell, row) {
  const bare = Object.values(row.cells).find((each) => each.table && each.table.length === null)?.table?.rate;
  return cell.table?.rate && bare ? cell.table.rate / bare : null;
}

function figures(cell, row, lane) {
  const span = measure === "length" ? null : cell[measure];
  if (measure === "length" && cell.length !== null) return { main: decimal(cell.length, 2), range: "tokens a step", tabled: false };
  if (span) {
    const write = measure === "gain" ? times : (value) => decimal(value);
    const range = span.low === null ? "too few answers for a range" : `${write(span.low)} to ${write(span.high)}`;
    return { main: write(span.value), range: lane.method || measure === "rate" ? range : "the yardstick", tabled: false };
  }
  const known = { gain: tabledGain(cell, row), rate: cell.table?.rate ?? null, length: cell.table?.length ?? null }[measure];
  if (known === null) return { main: measure === "length" && !lane.method ? "1" : "–", range: "", tabled: false };
  return { main: measure === "gain" ? times(known) : decimal(known, measure === "length" ? 2 : 1), range: "", tabled: true };
}

async function show(tag, lane) {
  await open(`${language(tag)} on lane ${lane.name}`, async () => {
    const answer = await fetch(`/v1/live/cells/${encodeURIComponent(tag)}/${encodeURIComponent(lane.name)}`);
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    return content(await answer.json(), lane);
  });
}

function content(cell, lane) {
  const parts = [el("p", {}, summary(cell, lane))];
  if (cell.per_position.length) {
    const rows = cell.per_position.map((accepted, at) => {
      const share = cell.steps ? accepted / cell.steps : 0;
      const bar = el("span", { className: "bar" });
      bar.style.width = `${share * 100}%`;
      return [String(at + 1), whole(accepted), `${decimal(share * 100)} %`, el("div", { className: "meter" }, bar)];
    });
    const caption = `How often the guess at each position was right, of ${whole(cell.steps)} steps`;
    parts.push(el("h3", {}, "Guesses by position"), table(caption, ["Position", "Right", "Share", "Share as a bar"], rows));
  }
  if (cell.cells.length) {
    const learned = cell.cells.some((each) => each.estimate);
    const rows = cell.cells.map((each) => [
      `${task(each.task)}${each.thinking ? ", thinking" : ""} (${each.endpoint})`,
      whole(each.requests),
      whole(each.here),
      ...(learned ? [decimal(each.estimate.rate), `${decimal(each.estimate.low)} to ${decimal(each.estimate.high)}`] : []),
    ]);
    const expected = learned ? "; and tokens a second that the policy expects of this lane now, on an idle engine, with 90 % certainty" : "";
    const heads = ["Task", "Requests", "On this lane", ...(learned ? ["Expected", "Range"] : [])];
    parts.push(el("h3", {}, "By task"), table(`What was asked in this language${expected}`, heads, rows));
  }
  if (cell.history.length) {
    for (const [column, name] of [[2, "tokens a second"], ...(lane.method ? [[1, "tokens a step"]] : [])]) {
      const place = el("div");
      parts.push(el("h3", {}, `The last requests: ${name}`), place);
      const columns = [0, column].map((at) => cell.history.map((row) => row[at]));
      queueMicrotask(() => new Chart(place, `The last requests: ${name}`, [name], name).show(columns));
    }
  }
  return parts;
}

function summary(cell, lane) {
  if (!cell.requests) return cell.table ? "Not used here yet; what is shown is the table’s, measured on a box of this kind." : "Not used here yet.";
  const said = [`${whole(cell.requests)} requests, ${whole(cell.tokens)} tokens.`];
  if (lane.method) said.push(`The drafter guessed ${whole(cell.drafted)} tokens, of which ${whole(cell.accepted)} were right: ${decimal(cell.length, 2)} tokens a step, the model’s own included.`);
  if (cell.rate) said.push(`${decimal(cell.rate.value)} tokens a second.`);
  if (cell.gain && lane.method) said.push(`That is ${times(cell.gain.value)} as fast as without a drafter (${cell.gain.source === "table" ? "as the table has it" : "as measured here"}).`);
  if (cell.explored) said.push(`${decimal((100 * cell.explored) / cell.requests)} % of the requests were ${because("explored")}.`);
  return said.join(" ");
}

