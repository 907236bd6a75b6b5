// What OpenAI's client for Node sees of a server, as one line of JSON. Arguments: base URL, model, question.
import OpenAI from "openai";

const [baseURL, model, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const asked = { model, messages: [{ role: "user", content: question }], temperature: 0, max_tokens: 16 };

const whole = await client.chat.completions.create(asked);
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  streamed += chunk.choices[0].delta.content ?? "";
}
const responding = { model, input: question, temperature: 0, max_output_tokens: 16 };
const response = await client.responses.create(responding);
const kinds = new Set();
for await (const event of await client.responses.create({ ...responding, stream: true })) kinds.add(event.type);
const refused = await client.chat.completions.create({ ...asked, max_tokens: 100000 }).catch((error) => error.status);

console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    usage: whole.usage,
    streamed,
    responded: response.output_text,
    kinds: [...kinds],
    refused,
  }),
);
