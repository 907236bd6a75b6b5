// Logging in. The key is sent once; what stays is a cookie that no script can read.

import { $, say } from "./dom.js";

const LOST = "The router stopped or can’t be reached; this page goes on as soon as it is back.";
let begin = null; // goes on once somebody is logged in
let end = null; // stops what goes on without

export function prepare(beginning, ending) {
  begin = beginning;
  end = ending;
}

// Waits for something of the network's; what browsers call a failure of it is said in words that mean something.
export async function reached(waiting) {
  try {
    return await waiting;
  } catch (error) {
    throw error instanceof TypeError ? new Error(LOST) : error;
  }
}

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

// Fetches something of the router's; raises an error with its words, and asks for the key where the session has ended.
export async function fetched(url, options = {}) {
  const answer = await reached(fetch(url, options));
  if (answer.ok) return answer;
  if (answer.status === 401) {
    ask();
    throw new Error("The session has ended. Log in again.");
  }
  throw new Error(await refusal(answer));
}

async function refusal(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `The router answered with status ${answer.status}.`;
  }
}

export function ask() {
  end();
  say($("status"), "not logged in");
  $("status").className = "";
  $("detail").close();
  $("login").hidden = false;
  $("board").hidden = true;
  $("key").focus();
  $("login-form").onsubmit = async (event) => {
    event.preventDefault();
    const key = $("key").value;
    $("key").value = "";
    say($("login-error"), "");
    try {
      const headers = { "content-type": "application/json" };
      const sent = { method: "POST", headers, body: JSON.stringify({ key }) };
      const answer = await reached(fetch("/v1/session", sent));
      if (!answer.ok) throw new Error(await refusal(answer));
      $("login").hidden = true;
      $("leave").hidden = false;
      begin();
    } catch (error) {
      say($("login-error"), error.message);
      $("key").focus();
    }
  };
}

export async function leave() {
  try {
    await reached(fetch("/v1/session", { method: "DELETE" }));
  } catch (error) {
    return say($("status"), `Still logged in. ${error.message}`);
  }
  return location.reload();
}
