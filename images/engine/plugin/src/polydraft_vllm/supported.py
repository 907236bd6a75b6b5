"""Which vLLM releases the mendings were tested with; any other one is refused, never guessed at."""

TESTED_RELEASES = frozenset({"0.32.0"})


def require_tested_vllm() -> None:
    """Raise SystemExit unless the installed vLLM is a tested release.

    SystemExit, because vLLM logs and then ignores an exception at import, and prints a page of traceback for any other
    one at registration; a server that starts unmended would give wrong text without a word.
    """
    from vllm import __version__

    release = __version__.partition("+")[0]
    if release not in TESTED_RELEASES:
        tested = ", ".join(sorted(TESTED_RELEASES))
        raise SystemExit(
            f"polydraft-vllm was tested with vLLM {tested} and not with {__version__}: install vllm {tested}, or run "
            "tests/images/engine on this release and add it to polydraft_vllm/supported.py"
        )
