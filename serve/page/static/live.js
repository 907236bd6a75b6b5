// The stream of what is new. A browser comes back by itself when the router restarts; where it gives up, we ask again.

import { $, say } from "./dom.js";
import { allowed } from "./session.js";
import { clock } from "./words.js";

const AGAIN = 2000; // milliseconds
const LATE = 5000; // milliseconds without an event after which what is shown is old
const FULL = 503;

let source = null;
let heard = null;

function status(text, lost) {
  say($("status"), text);
  $("status").className = lost ? "lost" : "";
}

export function listen(show, logIn) {
  source?.close();
  const own = new EventSource("/v1/live");
  source = own;
  own.onmessage = (event) => {
    heard = Date.now();
    status("live", false);
    show(JSON.parse(event.data));
  };
  own.onerror = () => {
    if (own.readyState !== EventSource.CLOSED) return status("no connection to the router, trying again …", true);
    own.onerror = null;
    return setTimeout(async () => {
      if (own === source) await again(show, logIn);
    }, AGAIN);
  };
}

// The browser has given up: says why, and goes on as soon as that can be.
async function again(show, logIn) {
  const may = await allowed();
  if (may === false) return logIn();
  if (may === null) status("no connection to the router, trying again …", true);
  else if (await full()) status("as many pages are open as may be: close one elsewhere; trying again …", true);
  return listen(show, logIn);
}

async function full() {
  try {
    return (await fetch("/v1/live", { method: "HEAD", cache: "no-store" })).status === FULL;
  } catch {
    return false;
  }
}

setInterval(() => {
  const stale = source?.readyState === EventSource.OPEN && heard !== null && Date.now() - heard > LATE;
  if (stale) status(`stale since ${clock(heard / 1000)}: the router says nothing new`, true);
}, 1000);
