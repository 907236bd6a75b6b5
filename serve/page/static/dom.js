// Makes elements. Text always goes in as text: there is no markup from strings anywhere.

/** @returns {any} */
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

const MARKED = /(https?:\/\/[^\s<>"']*[^\s<>"'.,;:)\]]|`[^`]+`)/;

// Gives a text with its addresses as links, of which only those of the web are any, and its `commands` as such.
export function linked(text) {
  const link = (href) => el("a", { href, target: "_blank", rel: "noreferrer noopener" }, href);
  const marked = (part) => (part.startsWith("`") ? el("code", {}, part.slice(1, -1)) : link(part));
  return text.split(MARKED).map((part, at) => (at % 2 ? marked(part) : part));
}

// Says lines in a list, each in an element of its own.
export function list(place, lines) {
  lines.forEach((line, at) => {
    if (!place.children[at]) place.append(el("li"));
    say(place.children[at], line);
  });
  while (place.children.length > lines.length) place.lastChild.remove();
}

// The lines of a table from cells; numbers are aligned to the right.
export function table(caption, heads, rows) {
  const numeric = heads.map((_, at) => at > 0 && rows.every((row) => /^[–\d.,×%+\s]+$/.test(row[at])));
  const cell = (tag, content, at, scope) => {
    const made = el(tag, numeric[at] ? { className: "number" } : {}, content);
    if (scope) made.scope = scope;
    return made;
  };
  const line = (row) => row.map((content, at) => cell(at ? "td" : "th", content, at, at ? "" : "row"));
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => cell("th", head, at, "col")))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...line(row)))),
  );
}
