// Colours an answer by how each piece of it came, and says the same in words and as a list.

import { $, el, table } from "./dom.js";
import { attribute, counted } from "./attribute.js";
import { count, whole } from "./words.js";

const DEEPEST = 4; // the last look of a draft's position
const NTH = ["first", "second", "third"];

// `lane` is the one that answered: whether it drafts decides what a missing report means.
export function colour(parts, answer, lane) {
  const report = lane.method ? answer.metrics?.speculative_decoding ?? null : null;
  const pieces = known(answer, lane, report);
  if (typeof pieces === "string") {
    parts.how.replaceChildren(el("p", { className: "soft" }, pieces));
    return;
  }
  parts.text.replaceChildren(
    ...joined(pieces).map(({ text, kind }) => {
      const span = el("span", { className: look(kind), title: named(kind) }, text);
      span.dataset.kind = String(kind);
      return span;
    }),
  );
  const steps = report ? report.per_step_accepted?.length ?? 0 : answer.count - 1;
  parts.how.replaceChildren(el("p", {}, summary(answer, steps + 1, report)), ...inWords(pieces, answer));
  legend(report?.num_spec_tokens ?? 0);
}

// Gives the pieces of an answer, or why they aren't known.
function known(answer, lane, report) {
  if (lane.method && !report) {
    return "The engine didn’t report what the drafter achieved, so nothing is coloured and no steps are counted.";
  }
  if (!answer.tokens.length && answer.count) {
    return "The engine sent no texts of single tokens (logprobs; a simulated engine has none), so nothing is coloured.";
  }
  const accepted = report ? report.per_step_accepted ?? (report.num_spec_steps ? null : []) : [];
  const unclear = "How each piece came isn’t known exactly, so nothing is coloured.";
  if (accepted === null) return unclear;
  return attribute({ ...answer, accepted: report ? accepted : null }) ?? unclear;
}

function summary(answer, steps, report) {
  const came = `${count(answer.count, "token")} in ${count(steps, "step")} of the model.`;
  if (!report) return came;
  const right = whole(report.num_accepted_draft_tokens);
  const guessed = `In ${count(steps - 1, "step with guesses", "steps with guesses")} (the first step has none)`;
  const drafter = `${guessed} the drafter guessed ${count(report.num_draft_tokens, "token")}, ${right} of them right.`;
  return `${came} ${drafter} A step with guesses takes longer than one without, so the time falls less than the steps.`;
}

// Says for every piece how it came, for who doesn't see colours; written when it is opened, since answers are long.
function inWords(pieces, answer) {
  const counts = [...counted(pieces.map((piece) => piece.kind))].map(([kind, number]) => [named(kind), whole(number)]);
  const counting = table("Pieces of the answer", ["How", "Pieces"], counts);
  const every = el("details", { className: "pieces" }, el("summary", {}, "Piece by piece"));
  every.addEventListener("toggle", () => {
    if (every.open && every.children.length === 1) {
      const rows = joined(pieces).map(({ text, kind }, at) => [String(at + 1), text, named(kind)]);
      const place = el("div", { className: "scroll tall", tabIndex: 0, role: "region" });
      place.setAttribute("aria-label", "Pieces in order");
      place.append(table("Pieces in the order in which they came", ["Number", "Text", "How"], rows));
      every.append(place);
    }
  });
  const note = missing(answer, pieces.length);
  return [el("details", {}, el("summary", {}, "How the pieces came, as a table"), counting, note), every];
}

// Says why the pieces are fewer than the tokens, where they are.
function missing({ tokens, text, count: all }, shown) {
  if (all === shown) return null;
  const silent = !tokens.at(-1) || !text.endsWith(tokens.at(-1));
  const end = silent ? "the token that ends the answer has no text" : "";
  const split = all - shown > Number(silent) ? "a character of several tokens is one piece" : "";
  const why = [end, split].filter(Boolean).join(", and ");
  return el("p", { className: "soft" }, `${count(shown, "piece")} of ${count(all, "token")}: ${why}.`);
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

function look(kind) {
  return `t ${typeof kind === "number" ? `d${Math.min(kind, DEEPEST)}` : kind}`;
}

function named(kind) {
  if (kind === "plain") return "written by the model itself, a step for this token";
  if (kind === "bonus") return "the model’s own token, added after checking";
  return `the drafter’s ${NTH[kind - 1] ?? `${kind}th`} guess of a step, and right`;
}

function legend(depth) {
  const shown = ["plain", ...(depth ? ["bonus"] : []), ...Array.from({ length: depth }, (_, at) => at + 1)];
  if (!$("legend").hidden && $("legend").children.length >= shown.length) return;
  $("legend").replaceChildren(
    ...shown.map((kind) => {
      return el("li", {}, el("span", { className: look(kind), ariaHidden: "true" }, "text"), named(kind));
    }),
  );
  $("legend").hidden = false;
}
