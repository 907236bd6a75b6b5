"""Small helpers of vLLM's sampler that are compiled at their first use.

With `--enforce-eager` the model itself is not compiled, but these helpers are: the first request that samples or asks
for log probabilities waits some 20 s for a C++ compiler, and on a machine without one it kills the engine. They are
run as they are written instead; what they compute stays the same.
"""


def mend() -> None:
    """Take the helpers' compiler away, before the modules that hold them are imported."""
    from vllm.platforms import current_platform

    type(current_platform).simple_compile_backend = "eager"
