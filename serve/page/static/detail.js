// The dialog that a click opens.

import { $, el, say } from "./dom.js";

export function prepare() {
  $("detail-close").addEventListener("click", () => $("detail").close());
}

export async function open(title, content) {
  say($("detail-title"), title);
  $("detail-content").replaceChildren(el("p", {}, "…"));
  if (!$("detail").open) $("detail").showModal();
  try {
    $("detail-content").replaceChildren(...(await content()));
  } catch (error) {
    $("detail-content").replaceChildren(el("p", { className: "error" }, error.message));
  }
}
