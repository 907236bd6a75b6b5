"""What an engine's metrics say of its memory."""

import pytest

from serve.proxy import holding
from serve.proxy.holding import Place

# As vLLM 0.32.0 with the plugin wrote it on the CPU; most labels of cache_config_info are left out.
CPU = b"""# HELP process_resident_memory_bytes Resident memory size in bytes.
process_resident_memory_bytes 5.8079232e+08
# TYPE polydraft:engine_memory_bytes gauge
polydraft:engine_memory_bytes{place="cpu"} 1.5032385536e+09
vllm:kv_cache_usage_perc{engine="0",model_name="polydraft-demo"} 0.125
vllm:cache_config_info{block_size="128",engine="0",kv_cache_max_concurrency="10.138613861386139"} 1.0
"""
TWO_GPUS = b"""polydraft:engine_memory_bytes{place="gpu0"} 4.294967296e+10
polydraft:engine_memory_bytes{place="gpu1"} 4.1875931136e+10
polydraft:gpu_memory_used_bytes{place="gpu0"} 4.4023414784e+10
polydraft:gpu_memory_used_bytes{place="gpu1"} 4.2949672960e+10
polydraft:gpu_memory_total_bytes{place="gpu0"} 1.03079215104e+11
polydraft:gpu_memory_total_bytes{place="gpu1"} 1.03079215104e+11
"""
STOCK = b"""process_resident_memory_bytes 5.8079232e+08
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
vllm:cache_config_info{engine="0",kv_cache_max_concurrency="None"} 1.0
"""


def test_reads_what_the_processes_hold_and_how_full_the_kv_cache_is() -> None:
    found = holding.read(CPU)
    assert found.places == (Place("cpu", 1.4, None, None),)
    assert found.kv_used == 0.125
    assert found.kv_room == pytest.approx(10.14, abs=0.01)


def test_reads_every_gpu() -> None:
    assert holding.read(TWO_GPUS).places == (Place("gpu0", 40.0, 41.0, 96.0), Place("gpu1", 39.0, 40.0, 96.0))


def test_of_an_engine_without_the_plugin_the_front_ends_memory_is_not_taken_for_its() -> None:
    found = holding.read(STOCK)
    assert found.places == ()
    assert (found.kv_used, found.kv_room) == (0.75, None)


@pytest.mark.parametrize(
    "text", [b"", b"404 page not found", b'polydraft:engine_memory_bytes{place="cpu"} much\n'], ids=str
)
def test_nonsense_is_no_memory(text: bytes) -> None:
    assert all(not place.engine for place in holding.read(text).places)
