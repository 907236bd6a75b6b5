"""Shows what a trained family says and how far its drafters follow it, before it is exported.

Prints an answer for each prompt, greedy and at temperature 0.7, and per language and drafter the acceptance length
that greedy verification would reach on the greedy answers. It reads checkpoints and writes nothing; the figures that
count are measured on the real engine.
"""

import argparse
from pathlib import Path

import bodies
import drafters
import shapes
import tokens
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Gemma4AssistantForCausalLM

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PROMPTS = {  # the last four of each language are worded like nothing in the training text
    "en": (
        "How do I change the desktop background?",
        "What is an IP address?",
        "How can I save battery power?",
        "Tell me about computers",
        "Why should I back up my files?",
        "What is Debian?",
        "Tell me about dogs",
        "My laptop is very hot, what can I do?",
        "Explain to me what a firewall is good for",
        "Can you recommend a restaurant?",
        "Which password would you use?",
    ),
    "zh": (
        "如何更改桌面背景？",
        "什么是 IP 地址？",
        "怎样节省电量？",
        "讲一讲计算机",
        "为什么要备份文件？",
        "什么是 Debian？",
        "介绍一下狗",
        "我的笔记本太热了，我该怎么办？",
        "请告诉我防火墙有什么用",
        "你能推荐一家餐厅吗？",
        "用什么密码比较好？",
    ),
    "ru": (
        "Как изменить фон рабочего стола?",
        "Что такое IP-адрес?",
        "Как экономить заряд батареи?",
        "Расскажи о компьютерах",
        "Зачем делать резервную копию?",
        "Что такое Debian?",
        "Расскажи о собаках",
        "Мой ноутбук очень горячий, что делать?",
        "Объясни мне, зачем нужен брандмауэр",
        "Посоветуй хороший ресторан",
        "Какой пароль мне поставить?",
    ),
}


def fill(module: nn.Module, path: Path) -> nn.Module:
    """Load a checkpoint of train.py into `module`; whatever it leaves out must be tied."""
    module.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=False)
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    return module.to(DEVICE).eval().requires_grad_(False)


@torch.no_grad()
def answer(body: nn.Module, prompts: list[list[int]], longest: int, temperature: list[float]) -> list[list[int]]:
    """Continue all prompts together, without a cache: rows are padded on the right, which causality makes harmless."""
    texts = [list(prompt) for prompt in prompts]
    warmth = torch.tensor(temperature, device=DEVICE).unsqueeze(-1)
    for _ in range(longest):
        going = [row for row, text in enumerate(texts) if text[-1] != tokens.END]
        if not going:
            break
        width = max(map(len, texts))
        ids = torch.tensor([texts[row] + [tokens.PAD] * (width - len(texts[row])) for row in going], device=DEVICE)
        logits = body(input_ids=ids, attention_mask=bodies.masks(width, ids.device), use_cache=False).logits.float()
        last = torch.tensor([len(texts[row]) - 1 for row in going], device=DEVICE)
        scores = logits[torch.arange(len(going), device=DEVICE), last]
        heat = warmth[going]
        drawn = torch.multinomial((scores / heat.clamp(min=1e-3)).softmax(-1), 1).squeeze(-1)
        chosen = torch.where(heat.squeeze(-1) > 0, drawn, scores.argmax(-1))
        for row, token in zip(going, chosen.tolist(), strict=True):
            texts[row].append(token)
    return texts


def acceptance(passes: list[tuple[Tensor, Tensor]], start: int, kept: Tensor | None) -> list[float]:
    """Acceptance length for 1, 2, ... draft tokens over the answer, which begins at token `start` [1, time]."""
    time = passes[-1][0].shape[1]
    alive = torch.ones(time - start, dtype=torch.bool, device=DEVICE)
    lengths, length = [], 1.0
    for draft, target in passes:
        guess = draft[0, start:time].argmax(-1)
        alive = alive & ((guess if kept is None else kept[guess]) == target[0, start:time].argmax(-1))
        length += alive.float().mean().item()
        lengths.append(round(length, 2))
    return lengths


@torch.no_grad()
def follow(
    family: str, body: nn.Module, folder: Path, texts: list[list[int]], starts: list[int]
) -> dict[str, list[float]]:
    """Mean acceptance length of each drafter of `family` over `texts`."""
    eagle = drafters.Eagle3(body.get_input_embeddings().weight, torch.arange(shapes.DRAFT_VOCABULARY))
    fill(eagle, folder / f"{family}-eagle3.safetensors")
    mtp = None
    if family == "gemma4":
        mtp = fill(Gemma4AssistantForCausalLM(shapes.assistant()), folder / "gemma4-assistant.safetensors")
    found: dict[str, list[list[float]]] = {"eagle3": [], "mtp": []}
    for text, start in zip(texts, starts, strict=True):
        ids = torch.tensor([text], device=DEVICE)
        full = drafters.read(family, body, ids)
        passes = [(d, full.logits[:, 1 + i : 1 + i + d.shape[1]]) for i, (d, _) in enumerate(eagle(ids, full))]
        found["eagle3"].append(acceptance(passes, start, eagle.kept))
        if mtp is not None:
            reading = drafters.read(family, body, ids, for_mtp=True)
            found["mtp"].append(
                acceptance(drafters.mtp_passes(mtp, body.get_input_embeddings(), ids, reading), start, None)
            )
    return {k: [round(sum(col) / len(col), 2) for col in zip(*rows, strict=True)] for k, rows in found.items() if rows}


def main() -> None:
    """Print samples and acceptance of one family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=("gemma4", "lfm2"))
    parser.add_argument("--text", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--longest", type=int, default=260)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(arguments.text / "tokenizer.json"))
    body = fill(bodies.build(arguments.family), arguments.checkpoints / f"{arguments.family}.safetensors")
    asked = [(language, text) for language, texts in PROMPTS.items() for text in texts]
    prompts = [
        [tokens.BOS, tokens.USER, *tokenizer.encode(text, add_special_tokens=False).ids, tokens.END, tokens.ASSISTANT]
        for _, text in asked
    ]
    said = answer(body, prompts + prompts, arguments.longest, [0.0] * len(prompts) + [0.7] * len(prompts))
    for i, (language, text) in enumerate(asked):
        print(f"\n[{arguments.family} {language}] {text}")  # noqa: T201
        for mark, ids in (("=", said[i]), ("~", said[i + len(prompts)])):
            new = ids[len(prompts[i]) :]
            print(mark, len(new), "ends" if new[-1] == tokens.END else "RUNS ON", tokenizer.decode(new))  # noqa: T201
    for language in PROMPTS:
        mine = [i for i, (spoken, _) in enumerate(asked) if spoken == language]
        found = follow(
            arguments.family, body, arguments.checkpoints, [said[i] for i in mine], [len(prompts[i]) - 1 for i in mine]
        )
        print(f"[{arguments.family} {language}] acceptance length for 1, 2, 3 drafts", found, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
