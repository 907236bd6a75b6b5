// Puts the page together: logs in where a key is needed, then listens.

import { $, say } from "./dom.js";
import * as detail from "./detail.js";
import * as heat from "./languages.js";
import * as trying from "./tryit.js";
import { decisions } from "./decisions.js";
import { listen } from "./live.js";
import { now } from "./now.js";
import { allowed, ask, leave } from "./session.js";

const SEEN = "polydraft.introduced";

let lanes = null;

function show(state) {
  const names = state.lanes.map((lane) => lane.name).join(" ");
  if (lanes !== null && lanes !== names) return location.reload(); // a router with other lanes came back
  lanes = names;
  say($("model"), state.model);
  trying.offer(state.lanes);
  now(state);
  heat.languages(state);
  decisions(state);
}

function begin() {
  $("board").hidden = false;
  listen(show, () => ask(begin));
}

function introduce() {
  $("intro").hidden = localStorage.getItem(SEEN) !== null;
  $("intro-close").addEventListener("click", () => {
    localStorage.setItem(SEEN, "yes");
    $("intro").hidden = true;
    $("prompt").focus();
  });
}

introduce();
detail.prepare();
heat.prepare();
trying.prepare();
$("leave").addEventListener("click", leave);

async function start() {
  const may = await allowed();
  if (may === null) setTimeout(start, 2000);
  else if (may) begin();
  else {
    say($("status"), "not logged in");
    ask(begin);
  }
}
start();
