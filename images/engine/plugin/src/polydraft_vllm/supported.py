"""Which vLLM releases the mendings are right for; any other one is refused, never guessed at."""

ON_CPU = frozenset({"0.32.0"})
"""Tested by running them: `tests/images/engine`. The newest release with a CPU build."""

ELSEWHERE = frozenset({"0.32.0", "0.33.0"})
"""Off the CPU `lanes` and `lfm2_moe` take part. `lanes` ran with 0.33.0 on an H200. What `lfm2_moe` builds on (vLLM's
lfm2_moe.py, EagleModelMixin, SupportsEagle3, short_conv_state_shape) is the same code, byte for byte, in both releases;
it wasn't run on a GPU yet."""


def require_known_vllm(on_cpu: bool) -> None:
    """Raise SystemExit unless the installed vLLM is a release that the mendings of this platform are right for.

    SystemExit, because vLLM logs and then ignores an exception at import, and prints a page of traceback for any other
    one at registration; a server that starts unmended would give wrong text without a word.
    """
    from vllm import __version__

    known = ON_CPU if on_cpu else ELSEWHERE
    if __version__.partition("+")[0] not in known:
        listed = ", ".join(sorted(known))
        raise SystemExit(
            f"polydraft-vllm knows vLLM {listed} here and not {__version__}: install one it knows, or run "
            "tests/images/engine on this release and add it to polydraft_vllm/supported.py"
        )
