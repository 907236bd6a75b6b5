// Writes numbers, times and names as people read them.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tongues = new Intl.DisplayNames(["en"], { type: "language" });
const since = new Intl.RelativeTimeFormat("en");

export const whole = (value) => plain.format(value);
export const decimal = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
export const times = (value) => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)}×`;
export const percent = (share) => `${decimal(share * 100)}\u00a0%`;
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
export const count = (number, one, many = `${one}s`) => `${whole(number)} ${number === 1 ? one : many}`;

export const SURE = 3; // answers below which what they are compared with is only about right
const FEW = "so that may be chance; “Now” has what all of them gained, and how sure that is.";

// How sure a comparison of one answer with so many others is; nothing where these are enough.
export function hedge(answers) {
  if (answers >= SURE) return "";
  return answers === 1 ? `It is one answer each, ${FEW}` : `It is one answer beside ${whole(answers)}, ${FEW}`;
}

export const LOADING =
  "an engine takes one to three minutes to load on a machine without a GPU, up to fifteen on a box";

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60]];

// A span of time that ended now: "9 minutes ago".
export function ago(seconds) {
  for (const [unit, size] of SPANS) {
    if (seconds >= size) return since.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

export function language(tag) {
  if (tag === "und") return "an unclear language";
  try {
    return tongues.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

const TASKS = { prose: "prose", code: "code", json: "JSON", translation: "translation", edit: "editing a text" };
export const task = (name) => TASKS[name] ?? name;

const REASONS = {
  measured: "fastest for this language in the measured table",
  sampling: "a setting of the request only works without a drafter",
  forced: "this lane was asked for",
  fallback: "the preferred lane wasn’t available",
  held: "its engine holds the stored response",
  any: "nothing to generate",
  learned: "fastest by what this box has learned",
  explored: "tried out, to learn whether it is faster",
  kept: "its engine has this conversation in memory",
  guarded: "drafters lost too much time here lately",
};

// Why a lane was chosen for a request in a language.
export function because(reason, tag) {
  if (reason !== "default") return REASONS[reason] ?? reason;
  if (tag === "und") return "language unclear, so it gets the lane set for that";
  return `${language(tag)} was not measured here yet, so it gets the lane that is set for such languages`;
}

// The same, with the language before it where that says more.
export function chosen(tag, reason) {
  const why = because(reason, tag);
  return reason === "default" ? why : `${language(tag)}; ${why}`;
}

const ENDS = {
  complete: "answered",
  aborted: "stopped by the client",
  failed: "engine failed",
  refused: "refused by the engine",
  rejected: "refused by the router",
};
export const ended = (end) => ENDS[end] ?? end;

const METHODS = {
  mtp: "multi-token prediction: a small part that was trained along with the model guesses ahead",
  eagle3: "EAGLE-3: a small network that was trained later reads the model’s inner state and guesses ahead",
};

// What a lane does, to stand beside its name, which often is the method's.
export function drafter(lane) {
  if (!lane.method) return "no drafter, one token a step";
  const guesses = `guesses ${count(lane.draft_tokens, "token")} a step`;
  return lane.name === lane.method ? guesses : `${lane.method} drafter, ${guesses}`;
}
export const method = (lane) => METHODS[lane.method] ?? "";
export const named = (lane) => (lane.method ? lane.name : `no drafter (${lane.name})`);
