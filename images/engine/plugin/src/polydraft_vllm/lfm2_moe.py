"""LFM2-MoE as an EAGLE-3 target, on every platform.

vLLM's `Lfm2MoeForCausalLM` doesn't hand out the hidden states that an EAGLE-3 drafter reads, so the start ends in
"Model does not support EAGLE3 interface", and it leaves the draft tokens out of the convolution state's size that
pages are planned by. Both are added here to vLLM's own classes by inheritance; weights, layers and results stay
theirs.
"""

from itertools import islice

import torch
from vllm.compilation.decorators import support_torch_compile
from vllm.config import VllmConfig
from vllm.distributed import get_pp_group
from vllm.model_executor.layers.mamba.mamba_utils import MambaStateShapeCalculator
from vllm.model_executor.models import lfm2_moe as stock
from vllm.model_executor.models.interfaces import EagleModelMixin, SupportsEagle3
from vllm.sequence import IntermediateTensors


@support_torch_compile
class Lfm2MoeModel(stock.Lfm2MoeModel, EagleModelMixin):  # type: ignore[misc]
    """The stock layers, whose inputs at chosen depths are collected on the way."""

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor | IntermediateTensors | tuple[torch.Tensor, list[torch.Tensor]]:
        """Hidden states [tokens, dim]; with auxiliary layers set, also theirs, each [tokens, dim]."""
        if get_pp_group().is_first_rank:
            hidden_states = inputs_embeds if inputs_embeds is not None else self.embed_input_ids(input_ids)
            residual = None
        else:
            assert intermediate_tensors is not None
            hidden_states, residual = intermediate_tensors["hidden_states"], intermediate_tensors["residual"]
        collected = self._maybe_add_hidden_state([], 0, hidden_states, residual)
        layers = islice(self.layers, self.start_layer, self.end_layer)
        for depth, layer in enumerate(layers, self.start_layer + 1):
            hidden_states, residual = layer(positions=positions, hidden_states=hidden_states, residual=residual)
            collected = self._maybe_add_hidden_state(collected, depth, hidden_states, residual)
        if not get_pp_group().is_last_rank:
            return IntermediateTensors({"hidden_states": hidden_states, "residual": residual})
        hidden_states, _ = self.embedding_norm(hidden_states, residual)
        return (hidden_states, collected) if collected else hidden_states


# The stock constructor looks its decoder up by this name.
stock.Lfm2MoeModel = Lfm2MoeModel


class Lfm2MoeForCausalLM(stock.Lfm2MoeForCausalLM, SupportsEagle3):  # type: ignore[misc]
    """The stock model, open to EAGLE-3 drafters, with room for the draft tokens in its state."""

    @classmethod
    def get_mamba_state_shape_from_config(cls, vllm_config: VllmConfig) -> tuple[tuple[int, int]]:
        """The convolution state's shape, as `ShortConv.get_state_shape` will allocate it."""
        config = vllm_config.model_config.hf_config
        shapes: tuple[tuple[int, int]] = MambaStateShapeCalculator.short_conv_state_shape(
            tp_world_size=vllm_config.parallel_config.tensor_parallel_size,
            intermediate_size=config.hidden_size,
            conv_kernel=config.conv_L_cache,
            num_spec=vllm_config.num_speculative_tokens,
        )
        return shapes
