// The dialog that a click opens.

import { $, el, say } from "./dom.js";

let latest = 0; // number of the click that the dialog is for
const gone = []; // what is to be done once its content has gone

export function prepare() {
  $("detail-close").addEventListener("click", () => $("detail").close());
  $("detail").addEventListener("close", clear);
}

export function whenGone(act) {
  gone.push(act);
}

function clear() {
  latest += 1; // an answer that is still to come is nobody's any more
  for (const act of gone.splice(0)) act();
}

export async function open(title, content) {
  clear();
  const own = latest;
  say($("detail-title"), title);
  $("detail-content").replaceChildren(el("p", {}, "…"));
  if (!$("detail").open) $("detail").showModal();
  let parts;
  try {
    parts = await content();
  } catch (error) {
    parts = [el("p", { className: "error" }, error.message)];
  }
  if (own === latest) $("detail-content").replaceChildren(...parts);
}
