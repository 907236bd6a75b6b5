// Puts the page together: logs in where a key is needed, then listens.

import { $, say } from "./dom.js";
import * as detail from "./detail.js";
import * as heat from "./languages.js";
import * as trying from "./tryit.js";
import { decisions } from "./decisions.js";
import { hush, listen } from "./live.js";
import { now } from "./now.js";
import * as session from "./session.js";

const SEEN = "polydraft.introduced";

let made = null; // what the page was put together for

function show(state) {
  const lanes = state.lanes.map(({ name, method, draft_tokens }) => [name, method, draft_tokens]);
  const these = JSON.stringify([state.version, lanes]);
  if (made !== null && made !== these) return location.reload(); // a router of another version or with other lanes
  made = these;
  say($("model"), `${state.model} · Polydraft ${state.version}`);
  trying.offer(state);
  now(state);
  heat.languages(state);
  decisions(state);
}

function begin() {
  $("board").hidden = false;
  listen(show, session.ask);
}

// Whether the introduction was read; a browser may forbid to know, and then it is shown every time.
function remembered(value) {
  try {
    if (value) localStorage.setItem(SEEN, value);
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false;
  }
}

function introduce() {
  $("intro").hidden = remembered();
  $("intro-close").addEventListener("click", () => {
    remembered("yes");
    $("intro").hidden = true;
    $("prompt").focus();
  });
  $("help").addEventListener("click", () => {
    $("intro").hidden = false;
    $("intro-title").focus();
  });
}

introduce();
detail.prepare();
heat.prepare();
trying.prepare();
session.prepare(begin, hush);
$("leave").addEventListener("click", session.leave);

async function start() {
  const may = await session.allowed();
  if (may === null) setTimeout(start, 2000);
  else if (may) begin();
  else session.ask();
}
start();
