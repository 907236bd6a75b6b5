// The last requests, one line each, and why each got its lane.

import { $, el, table } from "./dom.js";
import { choice } from "./choice.js";
import { open } from "./detail.js";
import { fetched } from "./session.js";
import { SURE, because, clock, count, decimal, ended, hedge, language, task, times, whole } from "./words.js";

const SHOWN = 50;
const PATIENCE = 4000; // milliseconds
/** @type {[string, (each: any) => string, boolean?][]} */
const HEADS = [
  ["Time", (each) => clock(each.at)],
  ["Language", (each) => language(each.language)],
  ["Task", (each) => task(each.task)],
  ["Lane", (each) => each.lane],
  ["Because", (each) => because(each.reason, each.language)],
  ["Ended", (each) => ended(each.end)],
  ["Tokens", (each) => (each.tokens === null ? "–" : whole(each.tokens)), true],
  ["Tokens a second", (each) => decimal(each.rate), true],
  ["Tokens a step", (each) => decimal(each.length, 2), true],
  ["Against no drafter", (each) => against(each.against), true],
];
let newest = 0;
let started = null;
const drawn = []; // the lines that are there, newest first
const waiting = new Map(); // by request id, who wants to know what was measured of it
const lately = new Map(); // by request id, what was

export function decisions(state) {
  if (started !== null && started !== state.started) {
    newest = 0; // another router: its numbers begin anew
    $("rows").replaceChildren();
    drawn.length = 0;
  }
  started = state.started;
  if (!$("heads").children.length) {
    const heads = [...HEADS.map(([name]) => name), "Why?"];
    $("heads").append(...heads.map((name) => el("th", { scope: "col", role: "columnheader" }, name)));
  }
  for (const each of state.decisions) {
    if (each.number <= newest) continue;
    newest = each.number;
    drawn.unshift(row(each));
    $("rows").prepend(drawn[0]);
    tell(each);
  }
  for (const gone of drawn.splice(SHOWN)) gone.remove();
  $("no-rows").hidden = newest > 0;
}

function tell(each) {
  lately.set(each.request_id, each);
  if (lately.size > SHOWN) lately.delete(lately.keys().next().value);
  waiting.get(each.request_id)?.(each);
  waiting.delete(each.request_id);
}

// Gives the line of a request that has just ended, as soon as the router tells it; null if it doesn't.
export function measured(id) {
  if (lately.has(id)) return Promise.resolve(lately.get(id));
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    setTimeout(() => {
      waiting.delete(id);
      resolve(null);
    }, PATIENCE);
  });
}

function against({ times: gain, answers, why }) {
  if (why === "body") return "no drafter";
  if (why) return why === "none" ? "– (nothing to compare)" : "–";
  return `${answers < SURE ? "about " : ""}${times(gain)} (beside ${count(answers, "answer")})`;
}

function row(each) {
  const button = el("button", { type: "button" }, "Why?");
  button.setAttribute("aria-label", `Why lane ${each.lane} for request ${each.number}`);
  button.addEventListener("click", () => explain(each.number));
  const cell = (name, content, numeric) => {
    const made = el("td", { role: "cell", ...(numeric ? { className: "number" } : {}) }, content);
    made.dataset.head = name;
    return made;
  };
  const cells = HEADS.map(([name, write, numeric]) => cell(name, write(each), numeric));
  return el("tr", { role: "row" }, ...cells, cell("", button));
}

async function explain(number) {
  await open(`Why did request ${number} go there?`, async () => {
    return content(await (await fetched(`/v1/live/decisions/${number}`)).json());
  });
}

function content(each) {
  const how = each.thinking ? ", thinking first" : "";
  const what = `${language(each.language)}, ${task(each.task)}${how}, asked at ${each.endpoint}`;
  const why = because(each.reason, each.language);
  const told = [`The answer was expected in: ${what}. It went to lane ${each.lane}: ${why}.`];
  if (each.end !== "complete") told.push(`It was not answered to the end: ${ended(each.end)}.`);
  const facts = [
    ["How it ended", ended(each.end)],
    ["Tokens of the prompt", each.prompt_tokens === null ? "–" : whole(each.prompt_tokens)],
    ["Tokens of the answer", each.tokens === null ? "–" : whole(each.tokens)],
    ["Seconds to the first token", decimal(each.time_to_first_token, 2)],
    ["Seconds in all", decimal(each.duration, 2)],
    ["Tokens a second after the first", decimal(each.rate)],
    ["Steps with guesses (the first step has none)", each.steps === null ? "–" : whole(each.steps)],
    ["Tokens guessed, and right", each.drafted === null ? "–" : `${whole(each.drafted)}, ${whole(each.accepted)}`],
    ["Tokens a step with guesses", decimal(each.length, 2)],
    ["Engine", each.engine ?? "–"],
    ["Request id", each.request_id],
  ];
  return [
    el("p", {}, told.join(" ")),
    choice(each),
    el("h3", {}, "What came of it"),
    el("p", {}, compared(each)),
    table("What was measured", ["What", "How much"], facts),
  ];
}

function compared({ against: { times: gain, answers, seconds, why }, language: tag }) {
  if (why === "body") return "It had no drafter, and is what others are compared with.";
  if (why === "untimed") return "It was too short, or ended too early, to be compared.";
  const others = `without a drafter in ${language(tag)}`;
  if (why === "none") return `There was no answer ${others} in the ten minutes before, so it is compared with nothing.`;
  const which = `${count(answers, "answer")} ${others}`;
  const before = `the earliest ${whole(seconds)} seconds before it`;
  const fast = `After the first token it came ${times(gain)} as fast as ${which}, ${before}.`;
  return [fast, "That was found when it ended, and stays.", hedge(answers)].filter(Boolean).join(" ");
}
