"""Times `classify` on the labelled requests, against raw py3langid on each request's concatenated text.

Run by hand (`make bench-classify`). A request's time is its best of several runs, spread over several passes that take
turns with raw py3langid, so that what is measured is the code and not the machine's other work.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

from serve.routing.cell import classify
from serve.routing.language import Identify, load

PASSES, RUNS = 6, 3
CRAFTED = (
    "german french ", "in german in french, ", "how do you say in german ",
    "english日本語", "英文中文日語繁體中文", "用英文",
    "英語で日本語に", "영어로 일본어로 ", "(((([[[[", "(german[french]{", "<a<b<c ",
    "<a>x</a>", "「「«“„", "$a $ \\( \\[ ",
    "```a", "a=b; f(x) {\n", "x.y(z) ; \n", "a: b\n", '{"a":[', "a@b.c ", "http://a ", "translate to german ", "\n\n",
    "ترجم الإنجليزية ", "हिंदी में जवाब ", "sang tiếng anh ", "say this in german ", "на английском переведи ",
    "Question: ", "A aa aa aa ? ", "abCd.ef_", "ағылшынша тілінде ", "a的bのcж", "please in german only ",
)  # fmt: skip
"""What the rules look for, repeated in four messages: the dearest payloads that a client could make up."""
REQUESTS = Path(__file__).parents[2] / "data" / "requests"


def labelled(name: str) -> list[dict[str, Any]]:
    lines = (REQUESTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def microseconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        work()
        best = min(best, time.perf_counter_ns() - start)
    return best / 1_000


def concatenated(payload: dict[str, Any]) -> str:
    """Join all text of a request, as a gateway does that looks at the text and not at the request."""
    texts: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            collect(value.get("content", value.get("text")))

    collect(payload.get("messages", payload.get("prompt")))
    return "\n".join(texts)


def say(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    p50, p90, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.9, 0.99))
    sys.stdout.write(f"{name:32} p50 {p50:7.1f}  p90 {p90:7.1f}  p99 {p99:7.1f}  max {ordered[-1]:7.1f} us\n")


def main() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    identify = load()
    loaded = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sys.stdout.write(f"model loaded in {loaded:.2f} s, peak memory +{grown:.0f} MiB\n")

    raw = LanguageIdentifier.from_model_file(MODEL_FILE)
    requests = labelled("heldout") + labelled("dev")
    texts = [concatenated(r["payload"]) for r in requests]
    ours, theirs = [float("inf")] * len(requests), [float("inf")] * len(requests)
    for _ in range(PASSES):
        for i, (request, text) in enumerate(zip(requests, texts, strict=True)):
            payload, endpoint = request["payload"], request["endpoint"]
            ours[i] = min(ours[i], microseconds(lambda p=payload, e=endpoint: classify(p, e, identify)))  # type: ignore[misc]
            theirs[i] = min(theirs[i], microseconds(lambda t=text: raw.classify(t)))  # type: ignore[misc]
    say(f"classify, {len(requests)} requests", ours)
    say("raw py3langid, all text", theirs)
    sys.stdout.write(f"ratio of medians {median(ours) / median(theirs):.2f}\n")

    right = {"classify": 0, "raw py3langid": 0}
    for request, text in zip(requests, texts, strict=True):
        right["classify"] += classify(request["payload"], request["endpoint"], identify).language == request["language"]
        right["raw py3langid"] += raw.classify(text)[0] == request["language"].split("-")[0]
    sys.stdout.write(f"language right: {json.dumps(right)} of {len(requests)} (raw: zh without its script)\n")
    for name, text in {
        "100k characters, English": "The quick brown fox jumps over the lazy dog. " * 2_300,
        "100k characters, Chinese": "长城是中国古代的军事防御工程，" * 7_000,
        "100k characters, code": "def f(x):\n    return x + 1\n" * 4_000,
    }.items():
        payload = {"messages": [{"role": "user", "content": text}]}
        say(name, [microseconds(lambda p=payload: classify(p, "chat", identify))])  # type: ignore[misc]
    say(f"{len(CRAFTED)} crafted payloads", [microseconds(lambda f=f: _crafted(f, identify)) for f in CRAFTED])  # type: ignore[misc]


def _crafted(fragment: str, identify: Identify) -> None:
    text = (fragment * 3_000)[:6_000]
    roles = ("system", "user", "assistant", "user")
    classify({"messages": [{"role": role, "content": text} for role in roles]}, "chat", identify)


if __name__ == "__main__":
    main()
