// Tells how each piece of an answer came. Pure.
//
// An engine that drafts says of every step how many drafts it accepted. The first token comes with the prompt; each
// step then gives its accepted drafts and one token of the model's own, the bonus. The last step may be cut off.

// Gives [{text, kind}], kind being "plain", "bonus" or the position (1, 2, ...) of an accepted draft. Null where what
// the engine said doesn't add up: then nothing may be coloured.
//
// `tokens`: texts of the tokens in order; `sizes`: how many of them each chunk of the stream had; `text`: the answer;
// `count`: tokens as the engine counts them; `accepted`: accepted drafts by step, null without a drafter.
export function attribute({ tokens, sizes, text, count, accepted }) {
  if (tokens.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== count) return null;
  const kinds = accepted === null ? tokens.map(() => "plain") : kindsOf(accepted, count, sizes);
  const ends = kinds && placed(tokens, text);
  return ends && pieces(text, ends, kinds);
}

function kindsOf(accepted, count, sizes) {
  /** @type {(string | number)[]} */
  const kinds = ["plain"];
  const ends = new Set([0, 1]);
  for (const number of accepted) {
    if (kinds.length >= count) return null; // a step that gave nothing: these arrays are of something else
    for (let position = 1; position <= number; position += 1) kinds.push(position);
    kinds.push("bonus");
    ends.add(kinds.length);
  }
  if (kinds.length < count) return null;
  let reached = 0;
  for (const size of sizes) {
    reached += size;
    if (reached < count && !ends.has(reached)) return null; // a chunk ends within a step
  }
  return kinds.slice(0, count);
}

// Where each token ends in the text; a token without text, such as the one that ends the answer, adds nothing.
function placed(tokens, text) {
  const ends = [];
  let at = 0;
  for (const token of tokens) {
    if (text.startsWith(token, at)) at += token.length;
    else if (at < text.length) return null;
    ends.push(at);
  }
  return at === text.length ? ends : null;
}

// Cuts between characters as people see them: one of several tokens counts as the one's that completed it.
function pieces(text, ends, kinds) {
  const found = [];
  let token = 0;
  for (const { segment, index } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
    while (ends[token] < index + segment.length) token += 1;
    const kind = kinds[token];
    const last = found.at(-1);
    if (last && last.token === token) last.text += segment;
    else found.push({ text: segment, kind, token });
  }
  return found.map(({ text: piece, kind }) => ({ text: piece, kind }));
}

export function counted(kinds) {
  const counts = new Map();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
