// What watches over the drafters: the guard, with what it bars now and why, and the alarms of what has changed.

import { $, list } from "./dom.js";
import { ago, clock, decimal, language, percent, task, whole } from "./words.js";

export function alarms(state) {
  const guarded = state.guard ? guard(state.guard) : [UNGUARDED];
  list($("alarms"), [...guarded, ...state.drifts.map((each) => drift(each, state.at))]);
}

const UNGUARDED = "Nothing is learned here and nothing tried, since the table decides: there is nothing to guard.";

function guard({ allowed, cells }) {
  const lines = [`Guard: guesses that don’t pay may cost at most ${percent(allowed)} of the time.`];
  const [worst] = cells;
  if (worst && worst.lost > 0) {
    const most = `${percent(worst.lost)} of the last ${whole(worst.requests)} requests’ tokens`;
    lines[0] += ` Most was lost in ${place(worst)}: ${most}.`;
  } else lines[0] += " Nothing was lost in any language.";
  const bars = cells.filter((cell) => cell.barred.length);
  if (!bars.length) lines[0] += " No drafter is barred now.";
  return [...lines, ...bars.map(barred)];
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

function drift(each, now) {
  const times = decimal(Math.exp(each.change), 2);
  const what =
    each.what === "acceptance"
      ? `has ${times} times the odds of a right guess that it had`
      : `takes ${times} times as long a step as it did`;
  const where = each.language === "*" ? "" : ` in ${language(each.language)}`;
  const when = `${clock(each.at)}, ${ago(now - each.at)}`;
  return `Alarm (${when}): lane ${each.lane}${where} ${what}; what was known of it now counts for little`;
}
