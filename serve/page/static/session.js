// Logging in. The key is sent once; what stays is a cookie that no script can read.

import { $, say } from "./dom.js";

// Says whether the page may go on; null where the router doesn't answer.
export async function allowed() {
  try {
    const answer = await fetch("/v1/session", { cache: "no-store" });
    if (!answer.ok) return null;
    const { needed, holder } = await answer.json();
    $("leave").hidden = !(needed && holder);
    return !needed || holder !== null;
  } catch {
    return null;
  }
}

export function ask(proceed) {
  $("login").hidden = false;
  $("board").hidden = true;
  $("key").focus();
  $("login-form").onsubmit = async (event) => {
    event.preventDefault();
    const key = $("key").value;
    $("key").value = "";
    say($("login-error"), "");
    try {
      const answer = await fetch("/v1/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ key }),
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      $("login").hidden = true;
      $("leave").hidden = false;
      proceed();
    } catch (error) {
      say($("login-error"), error.message);
      $("key").focus();
    }
  };
}

export async function leave() {
  await fetch("/v1/session", { method: "DELETE" });
  location.reload();
}
