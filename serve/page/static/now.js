// What happens now: figures, lanes, speed.

import { $, el, say } from "./dom.js";
import { alarms } from "./alarms.js";
import { Chart } from "./chart.js";
import { engines } from "./engines.js";
import { ago, clock, count, decimal, drafter, method, times, whole } from "./words.js";

const FEW = 8; // answers below which what was gained may still be chance
const figures = new Map();
const cards = new Map();
let chart = null;

function figure(name, value, note) {
  if (!figures.has(name)) {
    const number = el("span");
    const small = el("small");
    $("figures").append(el("div", {}, el("dt", {}, name), el("dd", {}, number, small)));
    figures.set(name, { number, small });
  }
  say(figures.get(name).number, value);
  say(figures.get(name).small, note);
}

export function now(state) {
  const running = state.lanes.reduce((sum, lane) => sum + lane.in_flight, 0);
  const waiting = state.engines.reduce((sum, engine) => sum + engine.waiting, 0);
  const written = state.lanes.reduce((sum, lane) => sum + lane.last_minute, 0);
  const { gain } = state.speedup;
  figure("Speed against no drafter", gain ? times(gain.value) : "–", gained(state.speedup));
  figure("Written in the last minute", whole(written), "tokens, of the answers that ended in it");
  const queue = waiting ? `${whole(waiting)} more wait for an engine` : "none waits";
  figure("Requests running now", whole(running), queue);
  const since = `since ${clock(state.started)}, ${ago(state.at - state.started)}`;
  figure("Requests so far", whole(state.requests - state.refused), since + beside(state.refused));
  alarms(state);
  for (const lane of state.lanes) fill(lane);
  if (!chart) {
    const names = state.lanes.map((lane) => lane.name);
    chart = new Chart($("speed"), "Tokens a second by lane", names, "tokens a second");
  }
  chart.show([0, ...state.lanes.map((_, at) => at + 1)].map((column) => state.speed.map((row) => row[column])));
  engines(state);
}

// Says what the figure of all that was gained is made of.
function gained({ gain, bare, alone }) {
  if (!gain) return alone ? "nothing without a drafter to compare with yet" : "nothing to compare yet: ask something";
  if (gain.source === "table") {
    return "only expected, by the table: no language has answers both with and without a drafter here yet";
  }
  const told = [gain.low === null ? "" : `${times(gain.low)} to ${times(gain.high)} with 90\u00a0% certainty`];
  const without = bare ? `, ${whole(bare)} of them without a drafter (1.00×)` : "";
  told.push(`${count(gain.answers, "answer")} on the lanes that Polydraft picked${without}`);
  if (alone) told.push(`${whole(alone)} more had nothing to be compared with`);
  if (gain.answers < FEW) told.push("too few answers yet to be sure");
  return told.filter(Boolean).join("; ");
}

// Requests that were refused, since nothing was ready for one, gave no answer, and aren't counted with the others.
const beside = (refused) => (refused ? `; ${whole(refused)} more refused` : "");

function fill(lane) {
  if (!cards.has(lane.name)) cards.set(lane.name, card(lane));
  const parts = cards.get(lane.name);
  say(parts.state, lane.ready ? "ready" : lane.loading ? "loading" : "not ready");
  parts.state.className = lane.ready ? "state" : `state ${lane.loading ? "loading" : "down"}`;
  say(parts.now, `${whole(lane.in_flight)} running · ${count(lane.last_minute, "token")} in the last minute`);
  const length = lane.length === null ? "" : ` · ${decimal(lane.length, 2)} tokens a step`;
  const requests = count(lane.requests - lane.refused, "request");
  say(parts.sum, `${requests}, ${count(lane.tokens, "token")}${length}${beside(lane.refused)}`);
}

function card(lane) {
  const parts = { state: el("span", { className: "state" }), now: el("p"), sum: el("p", { className: "soft" }) };
  const head = [el("h4", {}, lane.name), el("small", {}, drafter(lane))];
  if (method(lane)) head.push(el("p", { className: "soft" }, method(lane)));
  $("lanes").append(el("div", { className: "card" }, ...head, el("p", {}, parts.state), parts.now, parts.sum));
  return parts;
}
