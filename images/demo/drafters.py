"""The drafters as trained: what each proposes for the next tokens at every position of a text, as vLLM would run it.

EAGLE-3 carries the names and the arithmetic of vLLM's LlamaForCausalLMEagle3: its first pass reads the body's hidden
states, later passes its own, and each pass attends to the first pass's keys up to its start and to its own chain after
it. The MTP assistant is transformers' Gemma4AssistantForCausalLM: every pass sits at the same position and reads the
body's keys and values. Neither ever changes the body.
"""

from dataclasses import dataclass

import bodies
import shapes
import torch
from torch import Tensor, nn
from transformers import Gemma4AssistantForCausalLM

PASSES = 3  # draft tokens that the training unrolls


@dataclass(frozen=True, slots=True)
class Reading:
    """What the body makes of a text [batch, time]: logits, hidden states for a drafter, shared keys and values."""

    logits: Tensor
    hidden: Tensor
    shared: dict[str, tuple[Tensor, Tensor]]


@torch.no_grad()
def read(name: str, body: nn.Module, ids: Tensor, *, for_mtp: bool = False) -> Reading:
    """Run the body over `ids` [batch, time] and keep what a drafter needs."""
    masks = bodies.masks(ids.shape[1], ids.device)
    if for_mtp:
        out = body.model(input_ids=ids, attention_mask=masks, use_cache=False, return_shared_kv_states=True)
        cap = body.config.final_logit_softcapping
        logits = torch.tanh(body.lm_head(out.last_hidden_state) / cap) * cap
        return Reading(logits, out.last_hidden_state, dict(out.shared_kv_states))
    out = body(input_ids=ids, attention_mask=masks, use_cache=False, output_hidden_states=True)
    return Reading(out.logits, torch.cat([out.hidden_states[i] for i in shapes.AUX_LAYERS[name]], -1), {})


class Norm(nn.Module):
    """RMS norm in float32."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight).to(x.dtype)


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Rotary embedding of `x` [batch, heads, time, dim] at `positions` [time], NeoX style, base 10000."""
    half = x.shape[-1] // 2
    angle = torch.outer(positions.float(), 10000.0 ** -(torch.arange(half, device=x.device).float() / half))
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return (x.float() * cos + turned.float() * sin).to(x.dtype)


class Attention(nn.Module):
    """Attention of one pass: causal over the first pass's keys, then over the chain of later passes."""

    def __init__(self, hidden: int, heads: int, groups: int, dim: int) -> None:
        super().__init__()
        self.heads, self.dim = heads, dim
        self.q_proj = nn.Linear(2 * hidden, heads * dim, bias=False)
        self.k_proj = nn.Linear(2 * hidden, groups * dim, bias=False)
        self.v_proj = nn.Linear(2 * hidden, groups * dim, bias=False)
        self.o_proj = nn.Linear(heads * dim, hidden, bias=False)

    def forward(self, x: Tensor, chain: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Attend from `x` [batch, time, 2 hidden]; `chain` holds the earlier passes' keys and values and grows."""
        batch, time, _ = x.shape
        positions = torch.arange(time, device=x.device) + len(chain)
        q, k, v = (
            part(x).view(batch, time, -1, self.dim).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, positions), rotate(k, positions)
        chain.append((k, v))
        first_k, first_v = (part[:, :, :time] for part in chain[0])
        later = [(key[:, :, :time], value[:, :, :time]) for key, value in chain[1:]]
        scores = q @ first_k.transpose(-1, -2)
        hidden = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
        own = [(q * key).sum(-1, keepdim=True) for key, _ in later]
        weight = (torch.cat([scores, *own], -1).float() * self.dim**-0.5).softmax(-1).to(v.dtype)
        mixed = weight[..., :time] @ first_v
        for i, (_, value) in enumerate(later):
            mixed = mixed + weight[..., time + i, None] * value
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, -1))


class Mlp(nn.Module):
    """Gated MLP."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to [..., hidden]."""
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """The one decoder layer of EAGLE-3: it reads the token's embedding beside the hidden state."""

    def __init__(self) -> None:
        super().__init__()
        size = shapes.eagle3("gemma4")
        hidden = shapes.HIDDEN
        self.hidden_norm, self.input_layernorm, self.post_attention_layernorm = Norm(hidden), Norm(hidden), Norm(hidden)
        self.self_attn = Attention(
            hidden,
            int(str(size["num_attention_heads"])),
            int(str(size["num_key_value_heads"])),
            int(str(size["head_dim"])),
        )
        self.mlp = Mlp(hidden, int(str(size["intermediate_size"])))

    def forward(self, embedded: Tensor, hidden: Tensor, chain: list[tuple[Tensor, Tensor]]) -> Tensor:
        """The hidden state after the layer, before the last norm."""
        both = torch.cat([self.input_layernorm(embedded), self.hidden_norm(hidden)], -1)
        hidden = hidden + self.self_attn(both, chain)
        return hidden + self.mlp(self.post_attention_layernorm(hidden))


class Eagle3(nn.Module):
    """EAGLE-3 drafter that shares the body's input embedding and has an output vocabulary of its own."""

    def __init__(self, embedding: Tensor, kept: Tensor) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * shapes.HIDDEN, shapes.HIDDEN, bias=False)
        self.midlayer = Layer()
        self.norm = Norm(shapes.HIDDEN)
        self.lm_head = nn.Linear(shapes.HIDDEN, len(kept), bias=False)
        self.register_buffer("kept", kept)
        self.register_buffer("embedding", embedding.detach().float())

    def forward(self, ids: Tensor, reading: Reading) -> list[tuple[Tensor, Tensor]]:
        """(draft logits, body's logits for the same token, both over `kept`) of each pass; ids [batch, time + 2]."""
        hidden = self.fc(reading.hidden[:, : ids.shape[1] - 2])
        chain: list[tuple[Tensor, Tensor]] = []
        passes = []
        for i in range(PASSES):
            time = hidden.shape[1] - (1 if i else 0)
            hidden = self.midlayer(
                nn.functional.embedding(ids[:, 1 + i : 1 + i + time], self.embedding), hidden[:, :time], chain
            )
            target = reading.logits[:, 1 + i : 1 + i + time]
            passes.append((self.lm_head(self.norm(hidden)), target[..., self.kept]))
        return passes


def mtp_passes(
    assistant: Gemma4AssistantForCausalLM, embedding: nn.Module, ids: Tensor, reading: Reading
) -> list[tuple[Tensor, Tensor]]:
    """(draft logits, body's logits for the same token) of each pass of the MTP assistant; ids [batch, time + 2]."""
    time = ids.shape[1] - 1 - PASSES
    i = torch.arange(time, device=ids.device)
    causal = i[:, None] >= i[None]
    near = causal & (i[:, None] - i[None] < shapes.WINDOW)
    masks = {"full_attention": causal[None, None], "sliding_attention": near[None, None]}
    shared = {kind: (key[:, :, :time], value[:, :, :time]) for kind, (key, value) in reading.shared.items()}
    hidden = reading.hidden[:, :time]
    passes = []
    for step in range(PASSES):
        token = embedding(ids[:, 1 + step : 1 + step + time]).to(hidden.dtype)
        out = assistant.model(
            inputs_embeds=assistant.pre_projection(torch.cat([token, hidden], -1)),
            attention_mask=masks,
            position_ids=i[None],
            shared_kv_states=dict(shared),
            use_cache=False,
        ).last_hidden_state
        hidden = assistant.post_projection(out)
        passes.append((assistant.lm_head(out), reading.logits[:, 1 + step : 1 + step + time]))
    return passes
