"""Names the language of a text by its sequences of letters: py3langid's model, in half the time that it takes itself.

The same naive Bayes over the same features, but for rounding. What is saved is conversions between Python and numpy,
which cost more than the sums, and the ranking of fifty languages where one is certain.
"""

import math
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

Scores = npt.NDArray[np.float32]
CERTAIN = 0.8  # probability; no threshold of `language` is higher
_CANDIDATES = 5
_LONGEST = 4_096  # features; a text of so many isn't handed in


def load(languages: Sequence[str]) -> Callable[[str], Sequence[tuple[str, float]]]:
    """Load the model (about a second, some 100 MB while loading), cut to these languages.

    Returns:
        A thread-safe function: prose in, at most a few hundred characters; (tag, probability) out, the likeliest first,
        and that one alone where it is certain.
    """
    full = LanguageIdentifier.from_model_file(MODEL_FILE)
    full.set_languages(languages)
    tags: list[str] = full.nb_classes
    moves, outputs = full.tk_nextmove, array("i", full.tk_output)  # as a list, each number is an object of its own
    rows = array("i", [row << 8 for row in full.tk_row])
    # A row per feature, contiguous: the slice that set_languages takes is laid out by column and three times slower.
    table: Scores = full.nb_ptc.astype("float32", order="C")
    prior: Scores = full.nb_pc
    weights = np.log1p(np.arange(_LONGEST + 1, dtype="float32"))  # of a feature that is seen so many times
    once = np.full(_LONGEST, weights[1])
    twins = [(tags.index(tag), i) for i, tag in enumerate(tags) if tags.index(tag) < i]  # scripts of one language
    twice = {i for pair in twins for i in pair}

    def visited(text: bytes) -> list[int]:
        state, found = 0, list[int]()
        append = found.append
        for letter in text:
            state = moves[rows[state] + letter]
            feature = outputs[state]
            if feature >= 0:
                append(feature)
        return found

    def scored(found: list[int]) -> Scores:
        distinct = dict.fromkeys(found)
        n = len(distinct)
        features = table.take(np.fromiter(distinct, np.intp, n), 0, mode="clip")
        if n == len(found):
            seen = once[:n]
        else:  # in the same order, that of first sight
            seen = weights.take(np.fromiter(Counter(found).values(), np.intp, n), mode="clip")
        scores: Scores = seen @ features
        scores += prior
        return scores

    def identify(text: str) -> Sequence[tuple[str, float]]:
        text = text.lower() if text.isupper() else text
        encoded = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
        found = visited(encoded)[:_LONGEST]
        if not found:
            return [(tag, 1 / len(tags)) for tag in tags[:_CANDIDATES]]
        scores = scored(found)
        best = int(scores.argmax())
        # Divided by the root of the length, the scores of short and long texts say as much.
        scores -= scores[best]
        scores *= 1 / math.sqrt(len(encoded))
        np.exp(scores, scores)
        total = float(np.add.reduce(scores))
        if best not in twice and 1 / total >= CERTAIN:
            return [(tags[best], 1 / total)]
        for one, other in twins:
            scores[one] += scores[other]
            scores[other] = 0
        ranked = [(tags[i], float(scores[i]) / total) for i in (-scores).argsort(kind="stable")[:_CANDIDATES].tolist()]
        return ranked[:1] if ranked[0][1] >= CERTAIN else ranked

    identify("Warm the caches before the first request comes.")
    return identify
