// What watches over the drafters: the guard, with what it bars now and why, and the alarms of what has changed.

import { $, list, say } from "./dom.js";
import { ago, clock, count, decimal, language, percent, task, whole } from "./words.js";

let known = null; // what is barred and has changed, as far as it was there before

export function alarms(state) {
  const guarded = state.guard ? guard(state.guard) : []; // where the table decides, there is nothing to guard
  $("watch").hidden = !guarded.length && !state.drifts.length;
  list($("alarms"), [...guarded, ...state.drifts.map((each) => drift(each, state.at))]);
  announce(state);
}

// Says aloud what is new, once: the figures in the list move with every answer.
function announce({ guard: guarded, drifts }) {
  const barring = (cell) => cell.barred.map((lane) => `Lane ${lane.lane} is barred now in ${place(cell)}.`);
  const changes = drifts.map((each) => `At ${clock(each.at)} ${changed(each)}.`);
  const now = [...(guarded?.cells ?? []).flatMap(barring), ...changes];
  const news = now.filter((line) => known && !known.includes(line));
  if (news.length) say($("alarms-said"), news.join(" "));
  known = now;
}

function guard({ allowed, guarded, asked, barring, cells }) {
  const lines = [`Guard: guesses that don’t pay may cost at most ${percent(allowed)} of the time.`];
  const [worst] = cells.toSorted((one, other) => other.lost - one.lost);
  if (worst && worst.lost > 0) {
    const most = `${percent(worst.lost)} of the last ${whole(worst.requests)} requests’ tokens`;
    lines[0] += ` Most was lost in ${place(worst)}: ${most}.`;
  } else lines[0] += " Nothing was lost in any language.";
  const where = asked < guarded ? ` in the ${whole(asked)} of ${whole(guarded)} places where most was lost` : "";
  if (!barring) lines[0] += ` No drafter is barred now${where}.`;
  const bars = cells.filter((cell) => cell.barred.length);
  const more = barring - bars.length;
  return [...lines, ...bars.map(barred), ...(more ? [`Drafters are barred now in ${whole(more)} more places.`] : [])];
}

function barred(cell) {
  const bare = cell.bare ? `, beside ${decimal(cell.bare.decode_rate)} without a drafter` : "";
  const each = cell.barred.map((lane) => {
    const range = `${decimal(lane.low)} to ${decimal(lane.high)}`;
    return `${lane.lane} (${decimal(lane.decode_rate)} tokens a second expected, ${range}${bare})`;
  });
  const lost = `drafters cost ${percent(cell.lost)} of the last ${whole(cell.requests)} requests’ tokens there`;
  return `Barred now in ${place(cell)}: ${each.join("; ")}. ${lost[0].toUpperCase()}${lost.slice(1)}.`;
}

const place = (cell) => `${language(cell.language)}, ${task(cell.task)}`;

function changed(each) {
  const guesses = each.what === "acceptance" ? `guesses ${each.change > 0 ? "better" : "worse"} than it did` : "";
  const what = guesses || `is ${each.change > 0 ? "slower" : "faster"} than it was`;
  return `lane ${each.lane} ${what}${each.language === "*" ? "" : ` in ${language(each.language)}`}`;
}

function drift(each, now) {
  const when = `${clock(each.at)}, ${ago(now - each.at)}`;
  const over = `over ${count(each.answers, "answer")} since ${clock(each.since)}`;
  const evidence = `${amount(each, each.expected)} expected, ${amount(each, each.seen)} seen, ${over}`;
  return `Alarm (${when}): ${changed(each)}: ${evidence}. What was known of it before counts for little now.`;
}

function amount({ what }, value) {
  return what === "acceptance" ? `${decimal(value, 2)} tokens a step` : `${decimal(value * 1000)} ms a step`;
}
