// Engines with what they hold beside what was planned, the machine's memory, and what decides.

import { $, el, list, say } from "./dom.js";
import { LOADING, decimal, percent, whole } from "./words.js";

const cards = new Map();

export function engines(state) {
  for (const each of state.engines) {
    if (!cards.has(each.name)) cards.set(each.name, card(each));
    fill(cards.get(each.name), each);
  }
  list($("machine"), [...(state.memory ? [machine(state.memory)] : []), policy(state)]);
}

function card({ name, lanes }) {
  const bar = el("span", { className: "bar" });
  const parts = {
    state: el("p", { className: "state" }),
    doing: el("p"),
    memory: el("p"),
    meter: el("div", { className: "meter", ariaHidden: "true" }, bar), // the line above it says the same
    kv: el("p", { className: "soft" }),
  };
  const served = `${lanes.length > 1 ? "lanes" : "lane"} ${lanes.join(", ")}`;
  const head = [el("h4", {}, `Engine of ${served}`), el("small", {}, name)];
  $("engines").append(el("div", { className: "card" }, ...head, ...Object.values(parts)));
  return { ...parts, bar };
}

const STATES = {
  up: "up",
  loading: `loading: ${LOADING}`,
  down: "not up",
  "left alone": "left alone for a while, since it kept failing",
};

function fill(parts, each) {
  say(parts.state, each.vllm ? `${STATES[each.state]} · vLLM ${each.vllm}` : STATES[each.state]);
  parts.state.className = { up: "state", loading: "state loading" }[each.state] ?? "state down";
  say(parts.doing, `${whole(each.running)} running, ${whole(each.waiting)} waiting`);
  const held = most(each.holding);
  say(parts.memory, memory(each, held));
  parts.meter.hidden = held === null || each.planned === null;
  parts.bar.style.width = parts.meter.hidden ? "0" : `${Math.min(1, held / each.planned) * 100}%`;
  say(parts.kv, each.holding ? cache(each.holding) : "");
}

// GiB that an engine holds, on the fullest of its GPUs; null where it doesn't say. Where a GPU shares the machine's
// memory, the engine's processes hold some of it beside.
function most(holding) {
  const known = holding?.places.filter((place) => place.engine !== null) ?? [];
  if (!known.length) return null;
  const [beside, gpus] = [known.filter(onCpu), known.filter((place) => !onCpu(place))];
  return [beside, gpus].reduce((sum, each) => sum + Math.max(0, ...each.map((place) => place.engine)), 0);
}

const onCpu = (place) => place.name === "cpu";

function memory({ planned, holding }, held) {
  const gib = (value) => `${decimal(value, 2)} GiB`;
  const plan = planned === null ? "nothing was planned" : `${gib(planned)} planned`;
  const over = held !== null && planned !== null && held > planned ? "more than the " : "";
  const several = holding?.places.filter((place) => !onCpu(place)).length > 1 ? " on the fullest of its GPUs" : "";
  if (held !== null) return `Memory: ${gib(held)} held${several}, ${over}${plan}`;
  const card = holding?.places.toSorted((one, other) => other.used - one.used)[0];
  if (card) return `Memory: its GPU has ${gib(card.used)} of ${gib(card.total)} in use, by whatever; ${plan}`;
  return planned === null ? "" : `Memory: ${plan}; this engine doesn’t say what it holds, the machine’s is below`;
}

// The KV cache is what running answers need; an engine that has no more room lets requests wait.
function cache({ kv_used: used, kv_room: room }) {
  if (used === null) return "";
  const longest = room === null ? "" : `, room for ${whole(Math.floor(room))} requests of full length at once`;
  return `Memory for answers under way (KV cache): ${percent(used)} used${longest}`;
}

function machine({ total, used }) {
  return `Memory of this whole machine, engines and all else: ${decimal(used)} of ${decimal(total)} GiB used`;
}

function policy(state) {
  const none = state.exploration ? "" : ": nothing is tried now";
  const tries = `up to ${percent(state.exploration)} of the time goes into trying other lanes${none}`;
  const policies = {
    static: "What decides: the table of what was measured on this kind of box",
    observe: "What decides: the table; what was learned is only noted",
    apply: `What decides: what was learned here; ${tries}`,
  };
  return policies[state.policy];
}
