// Engines, memory and what decides.

import { $, list } from "./dom.js";
import { decimal, percent, whole } from "./words.js";

export function engines(state) {
  const lines = state.engines.map((each) => engine(each, state.engines));
  if (state.memory) lines.push(memory(state.memory));
  lines.push(policy(state));
  list($("engines"), lines);
}

function engine(each, all) {
  const twins = all.some((other) => other !== each && other.lanes.join() === each.lanes.join());
  const name = twins ? `${each.name} ` : "";
  const version = each.vllm ? `vLLM ${each.vllm}, ` : "";
  const left = "left alone for a while, since it kept failing";
  const doing = `${whole(each.running)} running, ${whole(each.waiting)} waiting`;
  const state = each.state === "left alone" ? left : each.state;
  return `Engine ${name}of lane ${each.lanes.join(", ")}: ${version}${state}, ${doing}`;
}

function memory({ planned, total, used }) {
  const plan = planned === null ? "" : `. The engines were planned to hold ${decimal(planned)} GiB of that`;
  return `Memory of this whole machine, engines and all else: ${decimal(used)} of ${decimal(total)} GiB used${plan}`;
}

function policy(state) {
  const tries = `up to ${percent(state.exploration)} of the time goes into trying other lanes`;
  const policies = {
    static: "What decides: the table of what was measured on this kind of box",
    observe: "What decides: the table; what was learned is only noted",
    apply: `What decides: what was learned here; ${tries}`,
  };
  return policies[state.policy];
}
