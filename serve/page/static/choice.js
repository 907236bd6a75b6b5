// The numbers a choice was, or would be, made from: what /v1/live/decisions or /v1/route says.

import { el, table } from "./dom.js";
import { decimal, percent } from "./words.js";

export function choice(each) {
  const chosen = (lane) => lane.lane + (lane.lane === each.lane ? " (chosen)" : "");
  if (!each.learned && each.candidates.every((lane) => !lane.decode_rate && !lane.acceptance_length)) {
    const order = each.candidates.map(chosen).join(", ");
    return el("p", {}, `Of no lane anything is known here. The first one that is up gets it: ${order}.`);
  }
  if (!each.learned) {
    const rows = each.candidates.map((lane) => [
      chosen(lane),
      decimal(lane.decode_rate),
      decimal(lane.acceptance_length, 2),
    ]);
    const caption = "What the table says of each lane here, the preferred one first";
    return table(caption, ["Lane", "Tokens a second", "Tokens a step"], rows);
  }
  const rows = each.learned.estimates.map((lane) => [
    chosen(lane),
    decimal(lane.decode_rate),
    `${decimal(lane.low)} to ${decimal(lane.high)}`,
    decimal(lane.acceptance_length, 2),
    lane.acceptance_length === 1 ? "–" : decimal(lane.requests), // without drafts there is nothing to learn
    lane.share === undefined ? "–" : percent(lane.share),
  ]);
  const caption = each.learned.applied
    ? "What was expected of each lane, from what was learned here"
    : "What had been learned here; the table decided";
  const heads = ["Lane", "Tokens a second", "90 % range", "Tokens a step", "Answers seen", "Chance to be picked"];
  return table(caption, heads, rows);
}
