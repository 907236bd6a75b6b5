"""Takes secrets, prompts and answers out of logs and other texts. Pure.

Logs are read by what is known to be harmless: fields of the access log by name, lines by the shape that vLLM and Python
give them. What nobody knows is left out and counted, since a prompt has no shape that it could be recognised by.
"""

import json
import re
from collections.abc import Iterable

ACCESS_FIELDS = frozenset(
    {
        "request_id",
        "endpoint",
        "method",
        "path",
        "streamed",
        "language",
        "task",
        "thinking",
        "lane",
        "engine",
        "reason",
        "status",
        "end",
        "duration_s",
        "time_to_first_token_s",
        "decode_rate",
        "prompt_tokens",
        "completion_tokens",
        "num_spec_steps",
        "num_draft_tokens",
        "num_accepted_draft_tokens",
        "acceptance_length",
        "learned_lane",
        "learned_best",
        "propensities",
        "applied",
        "batch",
        "generation_time_s",
        "estimated_rates",
        "dropped_lines",
    }
)
"""Fields of the access log that say nothing of what was asked; a test holds them against what the log writes."""

_REMOVED = "<removed>"
_PATHS = frozenset(
    {
        *("/health", "/healthz", "/readyz", "/ping", "/load", "/metrics", "/version", "/tokenize", "/detokenize"),
        *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"),
        *("/v1/models", "/v1/embeddings", "/v1/route"),
    }
)
"""The paths of the router's and the engines' that hold nothing of a client's; any other is what a client wrote."""
_NAMES = r"api[_-]?key|token|secret|passw(?:or)?d|credential"
_SECRETS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), _REMOVED),
    (re.compile(r"\b(sk-|pd-|hf_|ghp_|glpat-|AKIA)[A-Za-z0-9_\-]{8,}"), _REMOVED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), rf"\1 {_REMOVED}"),
    (re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)"), _REMOVED),
    (
        re.compile(rf"(?i)([\w.\-]*(?:{_NAMES})s?['\"]?\s*[=:]\s*)(\[[^\]]*\]|'[^']*'|\"[^\"]*\"|[^\s,;}}\]]+)"),
        rf"\1{_REMOVED}",
    ),
    # After a blank: every value up to the next flag (vLLM takes several keys), or one word.
    (re.compile(rf"(?i)(--[\w\-]*(?:{_NAMES})s?)((?:\s+(?!-)\S+)+)"), rf"\1 {_REMOVED}"),
    (re.compile(rf"(?i)(?<![\w\-])([\w.\-]*(?:{_NAMES})['\"]?)\s+(?!<removed>)\S+"), rf"\1 {_REMOVED}"),
)
_COUNTS = re.compile(r"(?i)^[\w.\-]*tokens['\"]?[\s=:]+[\d.]+$")
"""`prompt_tokens=5` is a number of tokens, and no token."""

_HEAD = re.compile(
    r"(?:\(\w+ pid=\d+\) )?(?:INFO|WARNING|ERROR|DEBUG|CRITICAL) "
    r"\d\d-\d\d \d\d:\d\d:\d\d \[(?:[\w]+/)*(\w+\.py):\d+\] *"
)
"""What vLLM puts before each message, with the source that wrote it."""
_SOURCES = frozenset(
    f"{name}.py"
    for name in (
        *("api_server", "launcher", "arg_utils", "utils", "model", "vllm", "parallel", "scheduler", "cache", "config"),
        *("core", "core_client", "kv_cache_utils", "loggers", "multiproc_executor", "uniproc_executor"),
        *("gpu_worker", "cpu_worker", "gpu_model_runner", "cpu_model_runner", "weight_utils", "default_loader"),
        *(
            "parallel_state",
            "base_loader",
            "backends",
            "monitor",
            "decorators",
            "cuda",
            "cpu",
            "selector",
            "importing",
            "pynccl",
        ),
    )
)
"""vLLM's sources that log how an engine starts and does, and nothing of requests but in quotations."""
_UVICORN = re.compile(
    r"INFO: +(?:Started server process \[\d+\]|Waiting for application (?:startup|shutdown)\.|"
    r"Application (?:startup|shutdown) complete\.|Finished server process \[\d+\]|Shutting down)"
)
_ANSWERED = re.compile(
    r'(INFO: +[\d.a-f:\[\]]+ - "(?:GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH) )(\S+)'
    r'( HTTP/[\d.]+" \d{3})(?: [A-Z][A-Za-z ]*)?'
)
_FRAME = re.compile(r"\s*(?:Traceback \(most recent call last\):|File \"[\w./<>@+\-]+\", line \d+, in [\w.<>]+)")
_RAISED = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Interrupt))(?:: *(.*))?")
_SIZE = r"\d[\d.]* (?:GiB|MiB|KiB|GB|MB|bytes)"
_OF_THE_MACHINE = re.compile(
    rf"CUDA out of memory\.(?: Tried to allocate {_SIZE}\.?)?"
    rf"(?: GPU \d+ has a total capacity of {_SIZE} of which {_SIZE} is free\.)?"
    r"|CUDA error: (?:out of memory|unspecified launch failure|device-side assert triggered|unknown error"
    r"|an illegal memory access was encountered|no kernel image is available for execution on the device)"
    r"|NCCL error: unhandled (?:system|cuda) error"
    r"|\[Errno \d+\] (?:Address already in use|No such file or directory|Permission denied|No space left on device"
    r"|Connection refused|Cannot allocate memory|Too many open files|Broken pipe)"
    rf"|Free memory on device(?: [\w:]+)? \([\d.]+/{_SIZE}\) on startup is less than desired GPU memory utilization"
    rf"(?: \([\d.]+, {_SIZE}\))?"
    r"|No available memory for the cache blocks\.|Engine core initialization failed\."
)
"""How a machine's own complaints begin: fixed words and numbers. What follows them goes."""
_OF_A_REQUEST = re.compile(r"(?i)prompt|messages|content|received request|generated|delta|token_ids|payload|input")
_QUOTATION = re.compile("['\"`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb].*")
"""From a line's first quotation mark on: where a quotation ends can't be told from an apostrophe in it."""


def secrets(text: str) -> str:
    """Return a text without what looks like a key, a token or a password."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(lambda match, instead=instead: _unless_count(match, instead), text)  # type: ignore[misc]
    return text


def _unless_count(match: re.Match[str], instead: str) -> str:
    return match[0] if _COUNTS.match(match[0]) else match.expand(instead)


def log(lines: Iterable[str]) -> str:
    """Return what of a log may be given away, and how many lines were left out."""
    kept = [_line(line.rstrip("\n")) for line in lines]
    text = "".join(f"{line}\n" for line in kept if line is not None)
    return f"{text}# {kept.count(None)} of {len(kept)} lines left out: of no known shape, or they may quote a request\n"


def _line(line: str) -> str | None:
    # Compose puts the container's name before each line.
    named = re.match(r"[\w.\-]+ +\| ", line)
    head, line = (named[0], line[named.end() :]) if named else ("", line)
    told = _access(line) if line.startswith("{") else _known(line)
    return None if told is None else head + told


def _access(line: str) -> str | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    kept = {name: value for name, value in fields.items() if name in ACCESS_FIELDS}
    if str(kept.get("path", "/readyz")) not in _PATHS:
        kept["path"] = _REMOVED
    return secrets(json.dumps(kept, ensure_ascii=False, separators=(",", ":"))) if "request_id" in kept else None


def _known(line: str) -> str | None:
    if _UVICORN.fullmatch(line):
        return line
    if answered := _ANSWERED.fullmatch(line):
        path = answered[2].partition("?")[0]
        return f"{answered[1]}{path if path in _PATHS else _REMOVED}{answered[3]}"
    head = _HEAD.match(line)
    before, said = (head[0], line[head.end() :]) if head else ("", line)
    if frame := _FRAME.match(said):
        return before + frame[0]
    if raised := _RAISED.fullmatch(said):
        return before + _raised(raised[1], raised[2] or "")
    if head is None or head[1] not in _SOURCES or _OF_A_REQUEST.search(said):
        return None
    return before + secrets(_QUOTATION.sub(_REMOVED, said))


def _raised(kind: str, text: str) -> str:
    known = _OF_THE_MACHINE.match(text)
    if known is None:
        return f"{kind}: {_REMOVED}" if text else kind
    return f"{kind}: {known[0]}" + (f" {_REMOVED}" if known.end() < len(text) else "")
