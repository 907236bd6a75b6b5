// What a click on the heat map opens: one language on one lane.

import { el, linked, table } from "./dom.js";
import { Chart } from "./chart.js";
import { open, whenGone } from "./detail.js";
import { fetched } from "./session.js";
import { because, count, decimal, language, percent, task, times, whole } from "./words.js";

export async function show(tag, lane) {
  await open(`${language(tag)} on lane ${lane.name}`, async () => {
    const place = `${encodeURIComponent(tag)}/${encodeURIComponent(lane.name)}`;
    return content(await (await fetched(`/v1/live/cells/${place}`)).json(), lane);
  });
}

function content(cell, lane) {
  return [
    el("p", {}, summary(cell, lane)),
    ...positions(cell),
    ...tasks(cell),
    ...listed(cell),
    ...history(cell, lane),
  ];
}

function summary(cell, lane) {
  if (!cell.requests) return "Not used here yet.";
  const ends = [["refused", cell.refused], ["stopped by its client", cell.aborted], ["failed", cell.failed]];
  const others = ends.filter(([, number]) => number).map(([what, number]) => `${whole(number)} ${what}`);
  const measured = `${count(cell.measured, "answer")} measured${others.length ? `, ${others.join(", ")}` : ""}`;
  const said = [`${count(cell.requests, "request")}, ${count(cell.tokens, "token")}; ${measured}.`];
  if (lane.method && cell.steps) {
    const length = spread(cell.length, (value) => decimal(value, 2));
    const guessed = `The drafter guessed ${count(cell.drafted, "token")}, ${whole(cell.accepted)} of them right`;
    said.push(`${guessed}: ${length} tokens a step, the model’s own included.`);
  }
  if (cell.rate?.source === "measured") said.push(`${spread(cell.rate, (value) => decimal(value))} tokens a second.`);
  if (cell.gain?.source === "measured" && lane.method) {
    said.push(`That is ${spread(cell.gain, times)} as fast as without a drafter, as measured here.`);
  }
  if (cell.explored) {
    said.push(`${percent(cell.explored / cell.requests)} of the requests were ${because("explored")}.`);
  }
  return said.join(" ");
}

function spread(span, write) {
  return span.low === null ? write(span.value) : `${write(span.value)} (${write(span.low)} to ${write(span.high)})`;
}

function positions(cell) {
  if (!cell.per_position.length) return [];
  const rows = cell.per_position.map((accepted, at) => {
    const share = cell.steps ? accepted / cell.steps : 0;
    const bar = el("span", { className: "bar" });
    bar.style.width = `${share * 100}%`;
    return [String(at + 1), whole(accepted), percent(share), el("div", { className: "meter" }, bar)];
  });
  const caption = `How often the guess at each position was right, of ${count(cell.steps, "step")}`;
  const heads = ["Position", "Right", "Share", "Share as a bar"];
  return [el("h3", {}, "Guesses by position"), table(caption, heads, rows)];
}

function tasks(cell) {
  if (!cell.cells.length) return [];
  const learned = cell.cells.some((each) => each.estimate);
  const expected = ({ decode_rate: rate, low, high }) => [decimal(rate), `${decimal(low)} to ${decimal(high)}`];
  const rows = cell.cells.map((each) => [
    `${task(each.task)}${each.thinking ? ", thinking" : ""} (${each.endpoint})`,
    whole(each.requests),
    whole(each.here),
    ...(learned ? expected(each.estimate) : []),
  ]);
  const more = "; and tokens a second that the policy expects of this lane now, on an idle engine, 90\u00a0% certain";
  const heads = ["Task", "Requests", "On this lane", ...(learned ? ["Expected", "Range"] : [])];
  const caption = `What was asked in this language${learned ? more : ""}`;
  return [el("h3", {}, "By task"), table(caption, heads, rows)];
}

// The table's own figures, with its own yardstick: they are of another day or machine, and not to be mixed with ours.
function listed(cell) {
  if (!cell.table.length) return [];
  const rows = cell.table.map((each) => [
    each.lane + (each.lane === cell.lane ? " (this lane)" : ""),
    decimal(each.decode_rate),
    decimal(each.acceptance_length, 2),
  ]);
  const caption = "Figures of a box of this kind, of another day: compare them with each other only";
  const heads = ["Lane", "Tokens a second", "Tokens a step"];
  const parts = [el("h3", {}, "What the table says"), table(caption, heads, rows)];
  const source = () => el("p", { className: "soft" }, "Where these are from: ", ...linked(cell.source));
  return cell.source ? [...parts, source()] : parts;
}

function history(cell, lane) {
  if (!cell.history.length) return [];
  const columns = [[2, "tokens a second"], ...(lane.method ? [[1, "tokens a step"]] : [])];
  return columns.flatMap(([column, name]) => {
    const place = el("div");
    const shown = [0, column].map((at) => cell.history.map((row) => row[at]));
    queueMicrotask(() => {
      const chart = new Chart(place, `The last requests: ${name}`, [name], name);
      whenGone(() => chart.close());
      chart.show(shown);
    });
    return [el("h3", {}, `The last requests: ${name}`), place];
  });
}
