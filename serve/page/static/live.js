// The stream of what is new. A browser comes back by itself when the router restarts; where it gives up, we ask again.

import { $, say } from "./dom.js";
import { allowed } from "./session.js";

const AGAIN = 2000; // milliseconds

export function listen(show, logIn) {
  const source = new EventSource("/v1/live");
  let closed = false;
  source.onmessage = (event) => {
    say($("status"), "live");
    $("status").className = "";
    show(JSON.parse(event.data));
  };
  source.onerror = async () => {
    say($("status"), "no connection to the router, trying again …");
    $("status").className = "lost";
    if (source.readyState !== EventSource.CLOSED || closed) return;
    closed = true;
    setTimeout(async () => {
      const may = await allowed();
      if (may === false) logIn();
      else listen(show, logIn);
    }, AGAIN);
  };
}
