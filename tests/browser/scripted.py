"""What the engine doubles of these tests answer: tokens in steps, a step a chunk, as a speculating vLLM streams."""

from typing import Any

from tests.serve.double import METRICS, Behaviour, Exchange

Steps = list[list[str]]
"""Texts of tokens; the first step is the prompt's one token, each other has accepted drafts and the bonus token."""

ENGLISH: Steps = [["A"], [" program", " is"], [" a"], [" list", " of", " steps"], ["."]]
CHINESE: Steps = [["程"], ["序", "是", "一"], ["", "步"], ["骤"]]
"""Its fourth step begins with a token that ends within a character, so that it has no text of its own."""


def answering(steps: Steps, *, drafts: int) -> Behaviour:
    """Stream these steps; `drafts` is the engine's num_speculative_tokens, 0 for one that doesn't draft."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start_stream()
        for step in steps:
            await exchange.event(chunk("".join(step), step))
        accepted = [len(step) - 1 for step in steps[1:]]
        await exchange.event(usage(sum(len(step) for step in steps), accepted, drafts))
        await exchange.end_stream()

    return answer


async def echo(exchange: Exchange) -> None:
    """Answer with what was asked, a character a token."""
    text = exchange.payload["messages"][-1]["content"]
    await exchange.start_stream()
    for first in range(0, len(text), 4096):
        part = text[first : first + 4096]
        await exchange.event(chunk(part, list(part)))
    await exchange.event(usage(len(text), None, 0))
    await exchange.end_stream()


def chunk(text: str, tokens: list[str]) -> dict[str, Any]:
    logprobs: dict[str, Any] = {
        "content": [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []} for token in tokens]
    }
    choice = {"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": None}
    return {"id": "x", "object": "chat.completion.chunk", "model": "demo", "choices": [choice]}


def usage(tokens: int, accepted: list[int] | None, drafts: int) -> dict[str, Any]:
    metrics: dict[str, Any] = {**METRICS}
    if accepted is not None and drafts:
        metrics["speculative_decoding"] = {
            "acceptance_histogram": [accepted.count(number) for number in range(drafts + 1)],
            "num_spec_steps": len(accepted),
            "num_accepted_draft_tokens": sum(accepted),
            "num_draft_tokens": drafts * len(accepted),
            "num_spec_tokens": drafts,
            "per_step_accepted": accepted,
            "per_step_drafted": [drafts] * len(accepted),
        }
    counts = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
    return {"id": "x", "object": "chat.completion.chunk", "model": "demo", "choices": [], "usage": counts} | {
        "metrics": metrics
    }
