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
_PATH = re.compile(r"/(v1(/[a-z_]{1,20}){1,3}|healthz|readyz|metrics|tokenize|detokenize)")
"""A path of an API's; any other is what a client wrote."""
_SECRETS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), _REMOVED),
    (re.compile(r"\b(sk-|pd-|hf_|ghp_|glpat-|AKIA)[A-Za-z0-9_\-]{8,}"), _REMOVED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), rf"\1 {_REMOVED}"),
    (re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)"), _REMOVED),
    (
        re.compile(
            r"(?i)([\w.\-]*(?:api[_-]?key|token|secret|passw(?:or)?d|credential)s?['\"]?\s*[=:]\s*)(\[[^\]]*\]|'[^']*'|\"[^\"]*\"|[^\s,;}\]]+)"
        ),
        rf"\1{_REMOVED}",
    ),
)
_COUNTS = re.compile(r"(?i)^[\w.\-]*tokens['\"]?\s*[=:]\s*[\d.]+$")
"""`prompt_tokens=5` is a number of tokens, and no token."""

_WORKERS = r"(?:\([\w .=\-]+\)\s*)?"
_LINE = re.compile(rf"^{_WORKERS}(INFO|WARNING|ERROR|DEBUG|CRITICAL)\b")
_FRAME = re.compile(r"^\s*(Traceback \(most recent call last\)|File \"[^\"]+\", line \d+, in \S+)")
_RAISED = re.compile(r"\b([A-Za-z_][\w.]*(?:Error|Exception|Interrupt))\b:?\s*(.*)$")
_OF_THE_MACHINE = re.compile(
    r"(?i)\b(cuda|nccl|out of memory|gib|mib|driver|kernel|address already in use|no such file)\b"
)
_OF_A_REQUEST = re.compile(r"(?i)prompt|messages|content|received request|generated|delta|token_ids|payload|input")
_LONG_QUOTE = re.compile(r"('[^']{60,}'|\"[^\"]{60,}\")")


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
    name, bar, rest = line.partition(" | ")
    head, line = (f"{name}{bar}", rest) if bar and " " not in name.strip() else ("", line)
    if line.startswith("{"):
        told = _access(line)
    elif _LINE.match(line) or _FRAME.match(line) or _RAISED.match(line):
        told = _known(line)
    else:
        return None
    return None if told is None else head + told


def _access(line: str) -> str | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    kept = {name: value for name, value in fields.items() if name in ACCESS_FIELDS}
    if not _PATH.fullmatch(str(kept.get("path", "/readyz"))):
        kept["path"] = _REMOVED
    return secrets(json.dumps(kept, ensure_ascii=False, separators=(",", ":"))) if "request_id" in kept else None


def _known(line: str) -> str | None:
    if _FRAME.match(line):
        return secrets(line)
    if (raised := _RAISED.search(line)) and not _OF_THE_MACHINE.search(raised[2]):
        return f"{line[: raised.end(1)]}: {_REMOVED}" if not _OF_A_REQUEST.search(line[: raised.start()]) else None
    if _OF_A_REQUEST.search(line):
        return None
    return secrets(_LONG_QUOTE.sub(f"'{_REMOVED}'", line))
