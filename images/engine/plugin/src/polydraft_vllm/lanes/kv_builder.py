"""The KV cache config builder of an engine with lanes, at the seam that vLLM has for it from 0.33 on."""

from typing import Any

from vllm.v1.core.kv_cache_planning import DefaultKVCacheConfigBuilder

from polydraft_vllm.lanes import kv_groups


class LaneKVCacheConfigBuilder(DefaultKVCacheConfigBuilder):  # type: ignore[misc]
    """vLLM's builder, grouping the layers by `kv_groups.grouped`."""

    def get_kv_cache_groups(self, vllm_config: Any, kv_cache_spec: dict[str, Any]) -> list[Any]:
        """Split the layers into KV cache groups."""
        return kv_groups.grouped(super().get_kv_cache_groups, vllm_config, kv_cache_spec)
