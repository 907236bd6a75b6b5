"""A drafter's KV beside the body's, without taking the body's KV to pieces.

vLLM puts as many layers into each KV cache group as its rarest kind of layer has. A drafter's one layer is a kind of
its own, so beside it every layer of the body becomes a group: Gemma 4 26B-A4B's 6 groups turn into 31, each with a
block table and attention metadata that are made anew at every step, whoever drafts. Here the drafter's layers join the
group of the body's full attention, and the other groups stay what they were. Their pages then differ in size, which
needs a layout that has all layers of a block side by side.

Bodies with other state than attention's keep vLLM's groups: kernels cut their blocks up, which needs pages apart.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from vllm.platforms import current_platform
from vllm.v1.kv_cache_interface import AttentionSpec, FullAttentionSpec, KVCacheGroupSpec, UniformTypeKVCacheSpecs
from vllm.v1.kv_cache_layout import KVCacheLayout

from polydraft_vllm.lanes import config

Group = Any
Spec = Any
Grouping = Callable[[Any, dict[str, Spec]], list[Group]]
"""vLLM's own grouping: an engine's config and its layers' specs by name to groups."""

_BUILDER = f"{__package__}.kv_builder.LaneKVCacheConfigBuilder"


def install() -> None:
    """Have engines with lanes group their KV by `grouped`, where vLLM has a seam for it: from 0.33 on."""
    platform = type(current_platform)
    stock = getattr(platform, "get_kv_cache_config_builder_cls", None)
    if stock is None or getattr(stock, "hooked_by", None) == __name__:
        return
    from vllm.v1.engine import core

    def builder(cls: Any, vllm_config: Any) -> str:
        chosen: str = stock(vllm_config)
        return _BUILDER if config.read(vllm_config.additional_config) is not None else chosen

    builder.hooked_by = __name__  # type: ignore[attr-defined]
    platform.get_kv_cache_config_builder_cls = classmethod(builder)
    core.resolve_kv_cache_layout = _preferring(core.resolve_kv_cache_layout)


def grouped(stock: Grouping, vllm_config: Any, specs: Mapping[str, Spec]) -> list[Group]:
    """Give the body's own KV cache groups, one of them with the drafter's layers besides; vLLM's if those are fewer."""
    usual = stock(vllm_config, dict(specs))
    rare = _beside_others(specs.values())
    apart = {name: spec for name, spec in specs.items() if spec in rare}
    if not apart or not vllm_config.cache_config.get_resolved_kv_cache_layout().is_block_outermost:
        return usual
    groups = stock(_layer_outermost(vllm_config), {name: spec for name, spec in specs.items() if name not in apart})
    for number, group in enumerate(groups):
        if isinstance(group.kv_cache_spec, FullAttentionSpec):
            size = group.kv_cache_spec.block_size
            layers = dict.fromkeys(group.layer_names, group.kv_cache_spec)
            layers |= {name: replace(spec, block_size=size) for name, spec in apart.items()}
            joined = UniformTypeKVCacheSpecs.from_specs(layers)
            if joined is not None:
                groups[number] = KVCacheGroupSpec(list(layers), joined)
                return groups if len(groups) < len(usual) else usual
    return usual


def with_shared(kv_cache_config: Any, shared: Mapping[str, str]) -> Any:
    """Give layers that read another layer's KV a spec where their group has one for each layer.

    vLLM adds them to the group by name alone, and then misses their specs. `shared`: layer -> whose KV it reads.
    """
    done = copy.copy(kv_cache_config)
    done.kv_cache_groups = [_with_shared(group, shared) for group in kv_cache_config.kv_cache_groups]
    return done


def _with_shared(group: Group, shared: Mapping[str, str]) -> Group:
    spec = group.kv_cache_spec
    if not isinstance(spec, UniformTypeKVCacheSpecs):
        return group
    known = spec.kv_cache_specs
    more = {name: known[target] for name, target in shared.items() if target in known}
    return replace(group, kv_cache_spec=replace(spec, kv_cache_specs={**known, **more}))


def _beside_others(specs: Iterable[Spec]) -> set[Spec]:
    """The kinds of full attention but for the commonest, the drafter's among them; none in a body of one kind."""
    known = list(specs)
    if not all(isinstance(spec, AttentionSpec) for spec in known):
        return set()
    kinds = Counter(spec for spec in known if isinstance(spec, FullAttentionSpec))
    if len(known) == kinds.total():
        return set()
    return set(kinds) - {kind for kind, _ in kinds.most_common(1)}


def _layer_outermost(vllm_config: Any) -> Any:
    """The config with the layout in which vLLM groups a body's layers by kind alone."""
    other = copy.copy(vllm_config)
    other.cache_config = copy.copy(vllm_config.cache_config)
    other.cache_config.kv_cache_layout = KVCacheLayout.LBHNC.name
    return other


def _layers_apart(name: str) -> bool:
    return not KVCacheLayout[name].is_block_outermost


def _preferring(stock: Any) -> Any:
    """Prefer a layout with all layers of a block side by side, where a drafter's layer stands beside a hybrid body."""

    @wraps(stock)
    def resolve(vllm_config: Any, supported: list[list[str]], specs: Iterable[Spec] | None = None) -> Any:
        known = list(specs or ())
        if config.read(vllm_config.additional_config) is not None and _beside_others(known):
            supported = [sorted(names, key=_layers_apart) for names in supported]
        return stock(vllm_config, supported, known)

    return resolve
