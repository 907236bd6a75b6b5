// The last requests, one line each, and why each got its lane.

import { $, because, clock, decimal, el, language, say, table, task, times, whole } from "./dom.js";
import { open } from "./detail.js";

const SHOWN = 50;
let newest = 0;
let started = null;
let known = null; // the latest state
const drawn = []; // the rows that are there, newest first

export function decisions(state) {
  if (started !== null && started !== state.started) {
    newest = 0; // another router: its numbers begin anew
    $("rows").replaceChildren();
    drawn.length = 0;
  }
  started = state.started;
  known = state;
  for (const each of state.decisions) {
    if (each.number <= newest) continue;
    newest = each.number;
    drawn.unshift(row(each));
    $("rows").prepend(drawn[0].line);
  }
  for (const gone of drawn.splice(SHOWN)) gone.line.remove();
  for (const { each, gain } of drawn) say(gain, against(each));
  $("no-rows").hidden = newest > 0;
}

// How fast it was against what comes without a drafter in its language: as measured so far, else as the table has it.
function against(each) {
  const body = known.lanes.find((lane) => !lane.method);
  const cell = known.languages.find((row) => row.language === each.language)?.cells[body?.name];
  const bare = cell?.rate?.value ?? cell?.table?.rate ?? null;
  if (each.lane === body?.name) return "no drafter";
  return each.rate && bare ? times(each.rate / bare) : "–";
}

function row(each) {
  const button = el("button", { type: "button" }, "Why?");
  button.setAttribute("aria-label", `Why lane ${each.lane} for request ${each.number}`);
  button.addEventListener("click", () => explain(each.number));
  const ended = each.end === "complete" ? "" : ` (${each.end})`;
  const cells = [
    clock(each.at),
    language(each.language),
    task(each.task),
    each.lane,
    because(each.reason) + ended,
    each.tokens === null ? "–" : whole(each.tokens),
    decimal(each.rate),
    decimal(each.length, 2),
  ];
  const gain = el("td", { className: "number" });
  const shown = cells.map((text, at) => el("td", at > 4 ? { className: "number" } : {}, text));
  return { each, gain, line: el("tr", {}, ...shown, gain, el("td", {}, button)) };
}

async function explain(number) {
  await open(`Why did request ${number} go there?`, async () => {
    const answer = await fetch(`/v1/live/decisions/${number}`);
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    return content(await answer.json());
  });
}

function content(each) {
  const what = `${language(each.language)}, ${task(each.task)}${each.thinking ? ", thinking first" : ""}, asked at ${each.endpoint}`;
  const parts = [el("p", {}, `The answer was expected in: ${what}. It went to lane ${each.lane}: ${because(each.reason)}.`)];
  parts.push(choice(each));
  const facts = [
    ["Tokens of the prompt", each.prompt_tokens === null ? "–" : whole(each.prompt_tokens)],
    ["Tokens of the answer", each.tokens === null ? "–" : whole(each.tokens)],
    ["Seconds to the first token", decimal(each.time_to_first_token, 2)],
    ["Tokens a second after it", decimal(each.rate)],
    ["Steps of the model", each.steps === null ? "–" : whole(each.steps)],
    ["Tokens guessed, and right", each.drafted === null ? "–" : `${whole(each.drafted)}, ${whole(each.accepted)}`],
    ["Tokens a step", decimal(each.length, 2)],
    ["Engine", each.engine ?? "–"],
    ["Request id", each.request_id],
  ];
  parts.push(el("h3", {}, "What came of it"), table("What the engine reported", ["What", "How much"], facts));
  return parts;
}

// The numbers a choice was, or would be, made from; `each` is what /v1/live/decisions or /v1/route says.
export function choice(each) {
  if (each.learned) {
    const rows = each.learned.estimates.map((lane) => [
      lane.lane + (lane.lane === each.lane ? " (chosen)" : ""),
      decimal(lane.rate ?? lane.decode_rate),
      `${decimal(lane.low)} to ${decimal(lane.high)}`,
      decimal(lane.length ?? lane.acceptance_length, 2),
      (lane.length ?? lane.acceptance_length) === 1 ? "–" : decimal(lane.requests), // without drafts there is nothing to learn
      lane.share === undefined ? "–" : `${decimal(lane.share * 100)} %`,
    ]);
    const caption = each.learned.applied ? "What was expected of each lane, from what was learned here" : "What had been learned here; the table decided";
    return table(caption, ["Lane", "Tokens a second", "90 % range", "Tokens a step", "Answers seen", "Chance to be picked"], rows);
  }
  const rows = each.candidates.map((lane) => [
    lane.lane + (lane.lane === each.lane ? " (chosen)" : ""),
    decimal(lane.rate ?? lane.decode_rate),
    decimal(lane.length ?? lane.acceptance_length, 2),
  ]);
  return table("What the table says of each lane here, the preferred one first", ["Lane", "Tokens a second", "Tokens a step"], rows);
}
