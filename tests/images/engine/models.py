"""The demo's models as keyword arguments of `vllm.LLM`, in float32, where greedy decoding has no ties."""

from typing import Any

from tests.images.engine.conftest import ROOT

DEMO = ROOT / "images" / "demo"
PROMPTS = (
    "The function opens a file and returns",
    "If the signal handler is invoked while a system call is blocked,",
    "如果指定了这个选项，系统将",
    "该函数打开一个文件并且返回",
    "Эта функция возвращает значение",
)


def body(model: str, **changes: Any) -> dict[str, Any]:
    """An engine without a drafter."""
    engine: dict[str, Any] = {
        "model": str(DEMO / model),
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 1024,
        "max_num_seqs": 32,
        "kv_cache_memory_bytes": 128 << 20,
        "enable_prefix_caching": False,
        "seed": 0,
        "distributed_executor_backend": "uni",
        "disable_log_stats": False,
    }
    if model == "gemma4":
        engine["language_model_only"] = True
    return engine | changes


def drafting(model: str, method: str, drafter: str, num_speculative_tokens: int, **changes: Any) -> dict[str, Any]:
    """The same engine with a drafter."""
    speculative = {"method": method, "model": str(DEMO / drafter), "num_speculative_tokens": num_speculative_tokens}
    return body(model, speculative_config=speculative, **changes)
