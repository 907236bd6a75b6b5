// Sends a prompt, reads the stream. Gives everything that is known of the answer in the end.

import { fetched, reached } from "./session.js";

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reached(reader.read());
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data: "));
      const data = lines.map((line) => line.slice(6)).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// `lane` is "" where the router is to choose. `heard` is called with the answer so far, and what is new of its text.
export async function generate({ prompt, lane, limit, signal, heard }) {
  const payload = {
    messages: [{ role: "user", content: prompt }],
    max_tokens: limit,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    logprobs: true, // the text of each token
  };
  const headers = { "content-type": "application/json", ...(lane ? { "x-polydraft-lane": lane } : {}) };
  const sent = { method: "POST", headers, body: JSON.stringify(payload), signal };
  const response = await fetched("/v1/chat/completions", sent);
  const answer = {
    id: response.headers.get("x-request-id"),
    lane: response.headers.get("x-polydraft-lane"),
    language: response.headers.get("x-polydraft-language"),
    reason: response.headers.get("x-polydraft-reason"),
    text: "",
    tokens: [],
    sizes: [],
    count: null,
    metrics: null,
    cut: false,
    seen: null, // tokens a second after the first as they came here, network included
  };
  const times = [];
  for await (const event of events(response)) {
    if (event.error) throw new Error(event.error.message ?? "The engine failed.");
    if (event.usage) answer.count = event.usage.completion_tokens;
    if (event.metrics) answer.metrics = event.metrics;
    const choice = event.choices?.[0];
    if (!choice) continue;
    answer.cut ||= choice.finish_reason === "length";
    const tokens = choice.logprobs?.content?.map((each) => each.token) ?? [];
    if (tokens.length) answer.sizes.push(tokens.length);
    answer.tokens.push(...tokens);
    if (choice.delta?.content) {
      times.push(performance.now());
      answer.text += choice.delta.content;
      heard(answer, choice.delta.content);
    }
  }
  const seconds = (times.at(-1) - times[0]) / 1000;
  if (answer.count > 1 && seconds > 0) answer.seen = (answer.count - 1) / seconds;
  return answer;
}
