"""Lanes in one engine: each request is drafted by the drafter that it names, or by none.

`--additional-config` names drafters and lanes once; a request names its lane in `vllm_xargs`. `install` hooks the
places that have to know: the engine's arguments, the API's validation, the KV cache and, in a worker, the speculator.
"""


def install() -> None:
    """Hook this process's vLLM; an engine without lanes in its additional config stays what it was."""
    from polydraft_vllm.lanes import admission, arguments, kv_groups, stats

    stats.extend()
    arguments.install()
    admission.install()
    kv_groups.install()
