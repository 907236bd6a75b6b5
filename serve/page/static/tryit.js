// Ask something: the answer streams, and once it is whole its text is coloured by how each piece of it came.

import { $, el, say } from "./dom.js";
import { generate } from "./asking.js";
import { choice } from "./choice.js";
import { colour } from "./colours.js";
import { measured } from "./decisions.js";
import { during } from "./live.js";
import { fetched } from "./session.js";
import { LOADING, because, chosen, count, decimal, hedge, language, named, percent, task, times } from "./words.js";

const SAMPLES = [
  ["English", "en", "What is speculative decoding?"],
  ["中文", "zh-Hans", "什么是推测解码？"],
  ["Русский", "ru", "Что такое спекулятивное декодирование?"],
];
const DEMO = "This is the demo: its tiny model knows questions like these three and little else.";
const SIMULATED =
  "These engines are simulated: their speed is made of published figures, their text is filler, and they say of no " +
  "token how it came, so nothing can be coloured.";
const NARROW = matchMedia("(max-width: 40rem)");
const CUT = "Cut off here: that is the longest answer allowed.";
let abort = null;
const TYPED = "polydraft.asked";
let lanes = new Map();

export function prepare() {
  for (const [tongue, lang, text] of SAMPLES) {
    const button = el("button", { type: "button", lang, "aria-describedby": "try-wait" }, `${tongue}: ${text}`);
    button.addEventListener("click", () => {
      if (unready()) return;
      $("prompt").value = text;
      typed(text);
      $("first").value = "";
      $("second").value = body()?.name ?? "";
      $(NARROW.matches ? "try-said" : "try").scrollIntoView();
      run();
    });
    $("samples").append(el("li", {}, button));
  }
  $("try-form").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  $("prompt").value = typed();
  $("prompt").addEventListener("input", () => {
    $("prompt").setCustomValidity("");
    typed($("prompt").value);
  });
  $("stop").addEventListener("click", () => abort?.abort());
  $("explain").addEventListener("click", () => {
    if (!asked()) return;
    route(JSON.stringify({ messages: [{ role: "user", content: $("prompt").value }] }), $("first").value);
  });
  $("explain-payload").addEventListener("click", () => route($("payload").value, ""));
  wait(); // nothing would be compared before it is known which lane has no drafter
}

const body = () => [...lanes.values()].find((lane) => !lane.method);

// The question as it was typed, kept until the tab is closed; a browser may forbid that.
function typed(text) {
  try {
    if (text !== undefined) sessionStorage.setItem(TYPED, text);
    return sessionStorage.getItem(TYPED) ?? "";
  } catch {
    return "";
  }
}

// Says why nothing can be asked now, "" where it can.
function unready() {
  const all = [...lanes.values()];
  if (!all.length) return "The router is being asked for its lanes …";
  if (all.some((lane) => lane.ready)) return "";
  if (all.some((lane) => lane.loading)) return `The engines are loading: ${LOADING}. Questions can be asked then.`;
  return "No engine is up; questions can be asked as soon as one is.";
}

// Says why a lane that was asked for can't answer yet, though others can.
function loading(name) {
  const lane = lanes.get(name);
  return lane && !lane.ready && lane.loading ? `Lane ${name} is loading: ${LOADING}. Another lane is ready.` : "";
}

function wait() {
  const why = unready();
  say($("try-wait"), why);
  for (const button of document.querySelectorAll("#try-form button.main, #samples button")) {
    if (why) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
}

// Offers the lanes; what is selected stays selected.
export function offer(state) {
  lanes = new Map(state.lanes.map((lane) => [lane.name, lane]));
  const longest = Math.min(...state.engines.map((engine) => engine.max_model_len ?? Infinity));
  if (Number.isFinite(longest)) $("length").max = longest;
  const notes = [state.demo && DEMO, state.engines.some((engine) => engine.simulated) && SIMULATED];
  say($("try-note"), notes.filter(Boolean).join(" "));
  wait();
  if ($("first").options.length) return;
  const option = (lane) => el("option", { value: lane.name }, named(lane));
  $("first").append(el("option", { value: "" }, "Polydraft picks"), ...state.lanes.map(option));
  $("second").append(el("option", { value: "" }, "nothing"), ...state.lanes.map(option));
  $("second").value = body()?.name ?? "";
}

// Tells whether there is a question, and says so where there is none.
function asked() {
  $("prompt").setCustomValidity($("prompt").value.trim() ? "" : "Write a question first.");
  return $("prompt").reportValidity();
}

async function run() {
  const prompt = $("prompt").value;
  if (abort || unready() || !asked() || !$("try-form").reportValidity()) return;
  // What is compared with comes first: then what the router picks can be held against it.
  const wanted = [...($("second").value ? [$("second").value] : []), $("first").value];
  const missing = wanted.map(loading).find(Boolean);
  if (missing) return say($("try-said"), missing);
  abort = new AbortController();
  const back = busy();
  const panes = wanted.map((lane, at) => pane(lane, at + 1));
  $("answers").replaceChildren(...panes.map((each) => each.card));
  $("legend").hidden = true;
  const several = "Answering, one after the other, so that neither slows the other down …";
  say($("try-said"), wanted.length > 1 ? several : "Answering …");
  try {
    const answers = [];
    for (const [at, lane] of wanted.entries()) answers.push(await one(panes[at], prompt, lane));
    const [first, ...rest] = compared(answers);
    $("try-said").replaceChildren(el("strong", {}, first), ` ${rest.join(" ")}`);
  } catch (error) {
    for (const { card, text, how, whole } of panes) {
      if (!text.textContent) card.remove();
      else if (!whole) how.replaceChildren(el("p", { className: "soft" }, "Not complete."));
    }
    say($("try-said"), error.name === "AbortError" ? "Stopped." : "That didn’t work: ");
    if (error.name !== "AbortError") $("try-said").append(el("span", { className: "error" }, error.message));
  } finally {
    abort = null;
    back();
  }
}

// Lets nothing else be started, with the focus on Stop; gives what goes back to how it was.
function busy() {
  const before = /** @type {HTMLElement} */ (document.activeElement);
  /** @type {NodeListOf<HTMLButtonElement>} */
  const buttons = document.querySelectorAll("#try-form button:not(#stop), #samples button");
  $("stop").hidden = false;
  $("stop").focus({ preventScroll: true });
  for (const button of buttons) button.disabled = true;
  return () => {
    for (const button of buttons) button.disabled = false;
    const here = document.activeElement === $("stop");
    $("stop").hidden = true;
    if (here) (before === document.body ? $("prompt") : before)?.focus({ preventScroll: true });
  };
}

function pane(lane, number) {
  const parts = {
    title: el("h3", {}, lane ? `Lane ${lane}` : "Polydraft picks"),
    chosen: el("p", { className: "soft" }, number > 1 ? "Its turn comes next …" : ""),
    speed: el("p", { className: "speed" }),
    text: el("div", { className: "answer", dir: "auto", tabIndex: 0, role: "region" }),
    how: el("div"),
  };
  parts.text.setAttribute("aria-label", `Answer ${number}`);
  return { card: el("div", { className: "card" }, ...Object.values(parts)), whole: false, ...parts };
}

async function one(parts, prompt, lane) {
  const heard = (answer, more) => {
    say(parts.title, `Lane ${answer.lane}`);
    say(parts.chosen, chosen(answer.language, answer.reason));
    if (answer.language !== "und") parts.text.lang = answer.language; // so that screen readers speak it
    parts.text.append(more);
  };
  const answer = await generate({ prompt, lane, limit: Number($("length").value), signal: abort.signal, heard });
  heard(answer, "");
  parts.whole = true;
  colour(parts, answer, lanes.get(answer.lane));
  if (answer.cut) parts.how.prepend(el("p", { className: "soft" }, CUT));
  const line = await during(measured(answer.id)); // the router's own figures, as everywhere on this page
  const { rate = null, against = null, duration = null } = line ?? {};
  Object.assign(answer, { rate, against, duration });
  const here = line || !answer.seen ? "" : `about ${decimal(answer.seen)} tokens a second, as they came here`;
  say(parts.speed, rate ? `${decimal(rate)} tokens a second` : here);
  return answer;
}

// Says in sentences what came of it, the one that counts first.
function compared(answers) {
  const [first, second] = answers;
  if (!second) return [`Done: ${count(first.count ?? 0, "token")} on lane ${first.lane}.`, ...alone(first)];
  const same = first.text === second.text ? "The text is the same, letter for letter." : "The texts differ.";
  if (!first.rate || !second.rate) return [same];
  const ratio = second.rate / first.rate;
  const drafts = lanes.get(first.lane).method;
  if (first.lane === second.lane) {
    const which = drafts ? "Both went to the same lane" : "Both were answered without a drafter";
    return [`${which} (${first.lane}): the difference of ${percent(Math.abs(ratio - 1))} is noise.`, same];
  }
  const than = drafts ? `lane ${first.lane}` : `no drafter (lane ${first.lane})`;
  const seconds = (answer) => (answer.duration === null ? "" : `${decimal(answer.duration, 2)} s`);
  const timed = seconds(first) && seconds(second);
  if (!timed || first.count !== second.count) {
    const size = (answer) => `${seconds(answer)} for ${count(answer.count, "token")}`;
    const all = timed ? `: ${size(second)} instead of ${size(first)} in all` : "";
    return [`After the first token, lane ${second.lane} was ${times(ratio)} as fast as ${than}${all}.`, same, hedge(1)];
  }
  // What the reader waited for counts first: a first token that was late may have cost more than drafts brought.
  const fast = `Lane ${second.lane} was ${times(first.duration / second.duration)} as fast as ${than}`;
  const after = `After the first token alone it was ${times(ratio)}.`;
  return [`${fast}: ${seconds(second)} instead of ${seconds(first)}.`, after, same, hedge(1)];
}

// What an answer gained that was compared with nothing here, if there were others close to it in time.
function alone({ against, language: tag }) {
  if (!against?.times) return [];
  const others = `${count(against.answers, "answer")} without a drafter in ${language(tag)} before it`;
  return [`After the first token it came ${times(against.times)} as fast as ${others}.`, hedge(against.answers)];
}

async function route(payload, lane) {
  const card = el("div", { className: "card" }, el("h3", {}, "Where it would go"));
  $("answers").replaceChildren(card);
  $("legend").hidden = true;
  say($("try-said"), "");
  try {
    const headers = { "content-type": "application/json", ...(lane ? { "x-polydraft-lane": lane } : {}) };
    const found = await (await fetched("/v1/route", { method: "POST", headers, body: payload })).json();
    const what = `${language(found.language)}, ${task(found.task)}${found.thinking ? ", thinking first" : ""}`;
    const why = because(found.reason, found.language);
    say($("try-said"), `To lane ${found.lane}: ${why}.`);
    const told = `To lane ${found.lane}: ${why}. The answer is expected in: ${what}. Nothing was generated.`;
    card.append(el("p", {}, told), choice(found));
  } catch (error) {
    card.append(el("p", { className: "error", role: "alert" }, error.message));
  }
}
