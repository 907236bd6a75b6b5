// Makes elements and writes numbers. Text always goes in as text: there is no markup from strings anywhere.

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Sets text only where it is another, so that selections and screen readers aren't disturbed once a second.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const whole = (value) => plain.format(value);
export const decimal = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
export const times = (value) => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)}×`;
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

const tongues = new Intl.DisplayNames(["en"], { type: "language" });
export function language(tag) {
  if (tag === "und") return "can’t tell";
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
  default: "not measured yet: the usual order",
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
export const because = (reason) => REASONS[reason] ?? reason;

export function drafter(lane) {
  return lane.method ? `${lane.method} drafter, guesses ${lane.draft_tokens} tokens a step` : "no drafter, one token a step";
}

// The lines of a table from cells; numbers are aligned to the right.
export function table(caption, heads, rows) {
  const numeric = heads.map((_, at) => at > 0 && rows.every((row) => /^[–\d.,×%+ ]+$/.test(row[at])));
  const cell = (tag, content, at, scope) => {
    const made = el(tag, numeric[at] ? { className: "number" } : {}, content);
    if (scope) made.scope = scope;
    return made;
  };
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => cell("th", head, at, "col")))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((content, at) => cell(at ? "td" : "th", content, at, at ? "" : "row"))))),
  );
}
