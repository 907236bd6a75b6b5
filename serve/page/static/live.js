// The stream of what is new. A browser comes back by itself when the router restarts; where it gives up, we ask again.
//
// A page that nobody sees has none: a browser opens six connections to a router at most, for all of its tabs together.

import { $, say } from "./dom.js";
import { allowed } from "./session.js";
import { clock } from "./words.js";

const AGAIN = 2000; // milliseconds
const LATE = 5000; // milliseconds without an event after which what is shown is old
const FULL = 503;

let source = null;
let heard = null;
let reopen = null; // begins to listen; null where nobody is logged in
let awaited = 0; // how many wait for something of the stream, seen or not

function status(text, lost) {
  say($("status"), text);
  $("status").className = lost ? "lost" : "";
}

export function listen(show, logIn) {
  close();
  reopen = () => listen(show, logIn);
  if (document.hidden && !awaited) return;
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
      if (own === source) await again(own, show, logIn);
    }, AGAIN);
  };
}

// Ends the stream until somebody listens again.
export function hush() {
  close();
  reopen = null;
}

// Waits for something that the stream brings, for which it is open in a hidden page too.
export async function during(promise) {
  awaited += 1;
  attend();
  try {
    return await promise;
  } finally {
    awaited -= 1;
    attend();
  }
}

function close() {
  source?.close();
  source = heard = null;
}

function attend() {
  if (document.hidden && !awaited) return close();
  if (source || !reopen) return undefined;
  status("connecting …", false);
  return reopen();
}

// The browser has given up: says why, and goes on as soon as that can be.
async function again(own, show, logIn) {
  const may = await allowed();
  if (own !== source) return undefined; // hidden, or logged out, in the meantime
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

document.addEventListener("visibilitychange", attend);

setInterval(() => {
  const stale = source?.readyState === EventSource.OPEN && heard !== null && Date.now() - heard > LATE;
  if (stale) status(`stale since ${clock(heard / 1000)}: the router says nothing new`, true);
}, 1000);
