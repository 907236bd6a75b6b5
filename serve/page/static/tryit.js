// Ask something: the answer streams, and once it is whole its text is coloured by how each piece of it came.

import { $, because, decimal, el, language, say, table, task, times, whole } from "./dom.js";
import { attribute, counted } from "./attribute.js";
import { ask, refusal } from "./asking.js";
import { choice } from "./decisions.js";

const SAMPLES = [
  ["English", "What is speculative decoding?"],
  ["中文", "什么是推测解码？"],
  ["Русский", "Что такое спекулятивное декодирование?"],
];
const DEEPEST = 4; // the last colour of a draft's position
let abort = null;

export function prepare() {
  for (const [tongue, text] of SAMPLES) {
    const button = el("button", { type: "button" }, `${tongue}: ${text}`);
    button.addEventListener("click", () => {
      $("prompt").value = text;
      $("try").scrollIntoView();
      run();
    });
    $("samples").append(el("li", {}, button));
  }
  $("try-form").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  $("stop").addEventListener("click", () => abort?.abort());
  $("explain").addEventListener("click", () => {
    if (!$("prompt").reportValidity()) return;
    route(JSON.stringify({ messages: [{ role: "user", content: $("prompt").value }] }), $("first").value);
  });
  $("explain-payload").addEventListener("click", () => route($("payload").value, ""));
}

// Offers the lanes; what is selected stays selected.
export function offer(lanes) {
  if ($("first").options.length) return;
  const option = (lane) => el("option", { value: lane.name }, lane.method ? lane.name : `${lane.name} (no drafter)`);
  $("first").append(el("option", { value: "" }, "Polydraft picks"), ...lanes.map(option));
  $("second").append(el("option", { value: "" }, "nothing"), ...lanes.map(option));
}

async function run() {
  const prompt = $("prompt").value;
  if (abort || !$("try-form").reportValidity()) return;
  abort = new AbortController();
  busy(true);
  const wanted = [$("first").value, ...($("second").value ? [$("second").value] : [])];
  const panes = wanted.map((lane, at) => pane(lane, at + 1));
  $("answers").replaceChildren(...panes.map((each) => each.card));
  $("legend").hidden = true;
  say($("try-said"), wanted.length > 1 ? "Answering, one after the other, so that neither slows the other down …" : "Answering …");
  try {
    const answers = [];
    for (const [at, lane] of wanted.entries()) answers.push(await one(panes[at], prompt, lane));
    say($("try-said"), compared(answers));
  } catch (error) {
    say($("try-said"), error.name === "AbortError" ? "Stopped." : "That didn’t work: ");
    if (error.name !== "AbortError") $("try-said").append(el("span", { className: "error" }, error.message));
  } finally {
    abort = null;
    busy(false);
  }
}

function busy(is) {
  $("stop").hidden = !is;
  for (const button of document.querySelectorAll("#try-form button:not(#stop), #samples button")) button.disabled = is;
}

function pane(lane, number) {
  const parts = {
    title: el("h3", {}, lane ? `Lane ${lane}` : "Polydraft picks"),
    chosen: el("p", { className: "soft" }),
    speed: el("p", { className: "speed" }),
    text: el("div", { className: "answer", dir: "auto", tabIndex: 0, role: "region" }),
    how: el("div"),
  };
  parts.text.setAttribute("aria-label", `Answer ${number}`);
  return { card: el("div", { className: "card" }, ...Object.values(parts)), ...parts };
}

async function one(parts, prompt, lane) {
  const heard = (answer, more) => {
    say(parts.title, `Lane ${answer.lane}`);
    say(parts.chosen, `${language(answer.language)}; ${because(answer.reason)}`);
    parts.text.append(more);
  };
  const answer = await ask({ prompt, lane, limit: Number($("length").value), signal: abort.signal, heard });
  heard(answer, "");
  const seconds = (answer.metrics?.generation_time_ms ?? 0) / 1000;
  answer.rate = seconds && answer.count > 1 ? (answer.count - 1) / seconds : null;
  say(parts.speed, answer.rate ? `${decimal(answer.rate)} tokens a second` : "");
  colour(parts, answer);
  return answer;
}

function colour(parts, answer) {
  const reported = answer.metrics?.speculative_decoding;
  const accepted = reported ? (reported.per_step_accepted ?? (reported.num_spec_steps ? undefined : [])) : null;
  const pieces = accepted === undefined ? null : attribute({ ...answer, accepted });
  if (!pieces) {
    parts.how.replaceChildren(el("p", { className: "soft" }, "How each piece came isn’t known exactly, so nothing is coloured."));
    return;
  }
  parts.text.replaceChildren(
    ...joined(pieces).map(({ text, kind }) => {
      const span = el("span", { className: `t ${typeof kind === "number" ? `d${Math.min(kind, DEEPEST)}` : kind}`, title: named(kind) }, text);
      span.dataset.kind = String(kind);
      return span;
    }),
  );
  const steps = accepted === null ? answer.count : accepted.length + 1;
  const counts = [...counted(pieces.map((piece) => piece.kind))].map(([kind, count]) => [named(kind), whole(count)]);
  parts.how.replaceChildren(
    el("p", {}, `${whole(answer.count)} tokens in ${whole(steps)} steps of the model.`),
    el("details", {}, el("summary", {}, "How the pieces came, as a table"), table("Pieces of the answer", ["How", "Pieces"], counts)),
  );
  legend(reported?.num_spec_tokens ?? 0);
}

// Plain pieces look the same one after the other, so they are one: a long answer without a drafter is thousands.
function joined(pieces) {
  const found = [];
  for (const { text, kind } of pieces) {
    if (kind === "plain" && found.at(-1)?.kind === "plain") found.at(-1).text += text;
    else found.push({ text, kind });
  }
  return found;
}

function named(kind) {
  if (kind === "plain") return "written by the model itself, a step for this token";
  if (kind === "bonus") return "the model’s own token, which every check of guesses brings";
  return `the drafter’s ${["first", "second", "third"][kind - 1] ?? `${kind}th`} guess of a step, and right`;
}

function legend(depth) {
  const shown = ["plain", ...(depth ? ["bonus"] : []), ...Array.from({ length: depth }, (_, at) => at + 1)];
  if (!$("legend").hidden && $("legend").children.length >= shown.length) return;
  $("legend").replaceChildren(
    ...shown.map((kind) => {
      const style = typeof kind === "number" ? `d${Math.min(kind, DEEPEST)}` : kind;
      return el("p", {}, el("span", { className: `t ${style}` }, "text"), named(kind));
    }),
  );
  $("legend").hidden = false;
}

function compared(answers) {
  const [first, second] = answers;
  if (!second) return `Done: ${whole(first.count ?? 0)} tokens on lane ${first.lane}.`;
  const same = first.text === second.text ? "The text is the same, letter for letter." : "The texts differ.";
  if (!first.rate || !second.rate) return same;
  const [fast, slow] = first.rate >= second.rate ? [first, second] : [second, first];
  return `Lane ${fast.lane} was ${times(fast.rate / slow.rate)} as fast as lane ${slow.lane}. ${same}`;
}

async function route(payload, lane) {
  const card = el("div", { className: "card" }, el("h3", {}, "Where it would go"));
  $("answers").replaceChildren(card);
  $("legend").hidden = true;
  say($("try-said"), "");
  try {
    const headers = { "content-type": "application/json", ...(lane ? { "x-polydraft-lane": lane } : {}) };
    const response = await fetch("/v1/route", { method: "POST", headers, body: payload });
    if (!response.ok) throw new Error(await refusal(response));
    const found = await response.json();
    card.append(
      el("p", {}, `To lane ${found.lane}: ${because(found.reason)}. The answer is expected in: ${language(found.language)}, ${task(found.task)}${found.thinking ? ", thinking first" : ""}. Nothing was generated.`),
      choice(found),
    );
  } catch (error) {
    card.append(el("p", { className: "error" }, error.message));
  }
}
