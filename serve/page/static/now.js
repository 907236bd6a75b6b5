// What happens now: figures, lanes, speed, engines, memory, alarms.

import { $, clock, decimal, drafter, el, language, say, task, times, whole } from "./dom.js";
import { Chart } from "./chart.js";

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
  const speed = state.lanes.reduce((sum, lane) => sum + lane.speed, 0);
  const gain = state.speedup;
  figure(
    "Speed against no drafter",
    gain ? times(gain.value) : "–",
    gain
      ? `Polydraft’s picks so far, beside what no drafter ${gain.source === "table" ? "brings by the table" : "brought here"}`
      : "nothing to compare yet: ask something",
  );
  figure("Written in the last minute", whole(speed * 60), "tokens, of all answers together");
  figure("Running now", whole(running), waiting ? `${whole(waiting)} more wait for an engine` : "requests; none waits");
  figure("Requests", whole(state.requests), `since ${clock(state.started)}`);
  lanes(state.lanes);
  if (!chart) chart = new Chart($("speed"), "Tokens a second by lane", state.lanes.map((lane) => lane.name), "tokens a second");
  chart.show([0, ...state.lanes.map((_, at) => at + 1)].map((column) => state.speed.map((row) => row[column])));
  engines(state);
}

function lanes(all) {
  for (const lane of all) {
    if (!cards.has(lane.name)) {
      const parts = { state: el("span", { className: "state" }), now: el("p"), sum: el("p", { className: "soft" }) };
      $("lanes").append(
        el("div", { className: "card" }, el("h4", {}, lane.name), el("small", {}, drafter(lane)), el("p", {}, parts.state), parts.now, parts.sum),
      );
      cards.set(lane.name, parts);
    }
    const parts = cards.get(lane.name);
    say(parts.state, lane.ready ? "ready" : "not ready");
    parts.state.className = lane.ready ? "state" : "state down";
    say(parts.now, `${whole(lane.in_flight)} running · ${whole(lane.speed * 60)} tokens in the last minute`);
    const length = lane.length === null ? "" : ` · ${decimal(lane.length, 2)} tokens a step`;
    say(parts.sum, `${whole(lane.requests)} requests, ${whole(lane.tokens)} tokens${length}`);
  }
}

function engines(state) {
  const lines = state.engines.map((engine) => {
    const version = engine.vllm ? `vLLM ${engine.vllm}, ` : "";
    const twins = state.engines.some((other) => other !== engine && other.lanes.join() === engine.lanes.join());
    return `Engine ${twins ? `${engine.name} ` : ""}of lane ${engine.lanes.join(", ")}: ${version}${engine.state === "left alone" ? "left alone for a while, since it kept failing" : engine.state}, ${whole(engine.running)} running, ${whole(engine.waiting)} waiting`;
  });
  if (state.memory) {
    const { planned, total, used } = state.memory;
    const plan = planned === null ? "" : `; the engines were planned to hold ${decimal(planned)} GiB`;
    lines.push(`Memory of this machine: ${decimal(used)} of ${decimal(total)} GiB used${plan}`);
  }
  const policies = {
    static: "Policy: the table of what was measured on this kind of box decides",
    observe: "Policy: the table decides; what was learned is only noted",
    apply: `Policy: what was learned here decides; up to ${decimal(state.exploration * 100)} % of the time goes into trying other lanes`,
  };
  lines.push(policies[state.policy]);
  if (state.guard) {
    const allowed = `${decimal(state.guard.allowed * 100)} % of the time may be lost to guesses that don’t pay`;
    const [worst] = state.guard.cells;
    const lost = worst && worst.lost > 0 ? `most was lost in ${language(worst.language)}, ${task(worst.task)}: ${decimal(worst.lost * 100)} % of the last ${whole(worst.requests)} requests’ tokens` : "nothing was lost in any language";
    lines.push(`Guard: at most ${allowed}; ${lost}`);
  }
  for (const drift of state.drifts) {
    const what = drift.what === "acceptance" ? `guesses ${decimal(drift.change, 2)} times as well as it did` : `takes ${decimal(Math.exp(drift.change), 2)} times as long a step as it did`;
    const where = drift.language === "*" ? "" : ` in ${language(drift.language)}`;
    lines.push(`${clock(drift.at)}, alarm: lane ${drift.lane}${where} ${what}; what was known of it now counts for little`);
  }
  const list = $("engines");
  lines.forEach((line, at) => {
    if (!list.children[at]) list.append(el("li"));
    say(list.children[at], line);
  });
  while (list.children.length > lines.length) list.lastChild.remove();
}
