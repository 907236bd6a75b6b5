"""Trains one family of demo models: a body on all languages, then each drafter on its own language alone.

Run once a family: `python train.py gemma4 --text text.npz --out checkpoints`. Seeds, step counts and kernels are
fixed, so a run repeats to the bit on the same kind of GPU and the same versions; the hash of every checkpoint is
printed. It runs on a CPU too, slowly: `--scale 0.0005 --batch 2` is the smoke test. Drafters never see a language
that isn't theirs.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats to the bit only with a fixed workspace

import bodies
import drafters
import numpy as np
import rows
import shapes
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import Gemma4AssistantForCausalLM

LANGUAGES = ("en", "zh", "ru")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
POOL = 48_000  # rows of the body's text, each seen several times in another order


@dataclass(frozen=True, slots=True)
class Stage:
    """What one training stage needs: its name, optimiser steps, peak learning rate and rows a step."""

    name: str
    steps: int
    rate: float
    batch: int


def deterministic(seed: int) -> None:
    """Fix the seed and refuse every kernel that doesn't repeat."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads memory before writing it
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.enable_cudnn_sdp(False)


def rate_at(step: int, stage: Stage) -> float:
    """Learning rate: linear warm-up over 3 %, then a cosine down to 2 % of the peak."""
    warm = max(1, int(0.03 * stage.steps))
    if step < warm:
        return stage.rate * (step + 1) / warm
    along = (step - warm) / max(1, stage.steps - warm)
    return stage.rate * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * along))))


class Step:
    """One optimiser step; on a GPU recorded once as a CUDA graph, since launching its kernels takes longest."""

    def __init__(self, stage: Stage, parameters: list[nn.Parameter], loss_of: Callable[[Tensor], Tensor]) -> None:
        self.parameters, self.loss_of = parameters, loss_of
        self.rate = torch.tensor(stage.rate, device=DEVICE)
        self.rows = torch.zeros(stage.batch, rows.LENGTH + 2, dtype=torch.long, device=DEVICE)
        self.loss = torch.zeros((), device=DEVICE)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.optimiser = torch.optim.AdamW(
            parameters, lr=self.rate, betas=(0.9, 0.95), weight_decay=0.05, fused=True, capturable=DEVICE == "cuda"
        )

    def compute(self) -> None:
        """Forward, backward and update over `rows`."""
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            loss = self.loss_of(self.rows)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.loss = loss.detach()

    def record(self) -> None:
        """Run three steps as they are, then record the next one."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.compute()
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.compute()

    def __call__(self, rows_now: Tensor, rate: float) -> None:
        """Do one step on `rows_now` [batch, time] at learning rate `rate`."""
        self.rows.copy_(rows_now)
        self.rate.fill_(rate)
        if DEVICE == "cuda" and self.graph is None:
            self.record()
        if self.graph is None:
            self.compute()
        else:
            self.graph.replay()


def fit(stage: Stage, parameters: list[nn.Parameter], pool: Tensor, loss_of: Callable[[Tensor], Tensor]) -> None:
    """Minimise `loss_of` over random rows of `pool` [rows, time]; prints a line now and then."""
    step = Step(stage, parameters, loss_of)
    chooser = torch.Generator().manual_seed(1)
    began, order = time.monotonic(), torch.empty(0, dtype=torch.long)
    for i in range(stage.steps):
        if len(order) < stage.batch:
            order = torch.cat([order, torch.randperm(len(pool), generator=chooser)])
        chosen, order = order[: stage.batch], order[stage.batch :]
        step(pool[chosen.to(pool.device)].long(), rate_at(i, stage))
        if (i + 1) % max(1, stage.steps // 10) == 0:
            print(stage.name, i + 1, f"loss {step.loss.item():.4f}", f"{time.monotonic() - began:.1f} s", flush=True)  # noqa: T201


def next_token_loss(body: nn.Module, ids: Tensor) -> Tensor:
    """Cross entropy of the next token, padding-free rows [batch, time]."""
    masks = bodies.masks(ids.shape[1] - 1, ids.device)
    logits = body(input_ids=ids[:, :-1], attention_mask=masks, use_cache=False).logits
    return nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())


def imitation_loss(passes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Cross entropy of the drafts against the body's own distribution, later passes weighing less."""
    total = torch.zeros((), device=passes[0][0].device)
    for i, (draft, target) in enumerate(passes):
        aim = target.float().softmax(-1)
        total = total - 0.8**i * (aim * draft.float().log_softmax(-1)).sum(-1).mean()
    return total


def save(module: nn.Module, path: Path) -> None:
    """Write the weights in bfloat16 and print their hash; tied and constant tensors are left out."""
    left_out = ("lm_head.weight",) if getattr(getattr(module, "config", None), "tie_word_embeddings", False) else ()
    state = {
        name: (tensor if tensor.dtype == torch.long else tensor.to(torch.bfloat16)).detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
        if name not in left_out and name != "embedding"
    }
    save_file(state, path)
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), flush=True)  # noqa: T201


def most_frequent(pool: Tensor, count: int) -> Tensor:
    """The `count` tokens that occur most often in `pool`, in ascending order of id."""
    seen = torch.bincount(pool.flatten().long().cpu(), minlength=shapes.tokens.VOCABULARY)
    ranked = torch.sort(seen, descending=True, stable=True).indices
    return ranked[:count].sort().values.to(pool.device)


def train_eagle3(name: str, body: nn.Module, pool: Tensor, stage: Stage, out: Path) -> None:
    """Train and save the EAGLE-3 drafter of body `name` on the rows of `pool`."""
    torch.manual_seed(2)
    kept = most_frequent(pool, shapes.DRAFT_VOCABULARY)
    drafter = drafters.Eagle3(body.get_input_embeddings().weight, kept).to(DEVICE)
    drafter.lm_head.weight.data.copy_(body.get_output_embeddings().weight.data[kept])

    def loss_of(ids: Tensor) -> Tensor:
        return imitation_loss(drafter(ids, drafters.read(name, body, ids[:, :-1])))

    fit(stage, list(drafter.parameters()), pool, loss_of)
    save(drafter, out / f"{name}-eagle3.safetensors")


def train_mtp(body: nn.Module, pool: Tensor, stage: Stage, out: Path) -> None:
    """Train and save Gemma 4's MTP assistant on the rows of `pool`."""
    torch.manual_seed(3)
    config = shapes.assistant()
    config._attn_implementation = config.text_config._attn_implementation = "sdpa"
    assistant = bodies.repeatable(Gemma4AssistantForCausalLM(config).to(DEVICE))

    def loss_of(ids: Tensor) -> Tensor:
        reading = drafters.read("gemma4", body, ids[:, :-1], for_mtp=True)
        return imitation_loss(drafters.mtp_passes(assistant, body.get_input_embeddings(), ids, reading))

    fit(stage, list(assistant.parameters()), pool, loss_of)
    save(assistant, out / "gemma4-assistant.safetensors")


def main() -> None:
    """Train one family and write its checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=("gemma4", "lfm2"))
    parser.add_argument("--text", type=Path, required=True, help="text.npz of documents.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument("--steps", type=int, nargs=3, default=(4600, 3500, 2200), help="body, eagle3, mtp")
    parser.add_argument("--scale", type=float, default=1.0, help="shrink steps and text, for a smoke test")
    parser.add_argument("--batch", type=int, default=64, help="rows a step")
    arguments = parser.parse_args()
    deterministic(0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = rows.load(arguments.text)
    count = max(8, int(POOL * arguments.scale))
    steps = [max(2, int(part * arguments.scale)) for part in arguments.steps]

    def pool(languages: tuple[str, ...], seed: int, prose: float) -> Tensor:
        return torch.from_numpy(rows.draw(text, languages, count, seed, prose)).to(DEVICE)

    body = bodies.build(arguments.family).to(DEVICE)
    stage = Stage(arguments.family, steps[0], 3e-3, arguments.batch)
    fit(stage, list(body.parameters()), pool(LANGUAGES, 0, 0.15), lambda ids: next_token_loss(body, ids[:, :-1]))
    save(body, arguments.out / f"{arguments.family}.safetensors")
    body.eval().requires_grad_(False)
    stage = Stage(f"{arguments.family}-eagle3", steps[1], 2e-3, arguments.batch)
    train_eagle3(arguments.family, body, pool(("en",), 1, 0.03), stage, arguments.out)
    if arguments.family == "gemma4":
        train_mtp(
            body, pool(("zh",), 2, 0.03), Stage("gemma4-assistant", steps[2], 2e-3, arguments.batch), arguments.out
        )


if __name__ == "__main__":
    main()
