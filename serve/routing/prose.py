"""Reduces a message to the prose that shows the answer's language: no code, links, markup, quotations or documents.

Reads a bounded beginning and end of the message and never more, whatever its length.
"""

import re
from typing import NamedTuple

from serve.routing import words

EDGE = 600  # characters read at either end of a message

_FENCE = re.compile(r"(?:```|~~~).*?(?:```|~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]{1,200}`")
_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\u9fff]+|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64}")
_CLOSED = re.compile(r"</([a-zA-Z][\w-]{0,40})>")
_TRIPLE = re.compile(r"\"{3}.*?(?:\"{3}|\Z)", re.DOTALL)
_OPENED = re.compile(r"<([a-zA-Z][\w-]*)>(?!.*</\1>)", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z!?][^<>]*>")
_MATHS = re.compile(r"\$\$?[^$]{1,200}\$\$?|\\\(.{1,80}?\\\)|\\\[.{1,80}?\\\]", re.DOTALL)
_QUOTED = re.compile(
    '"[^"\n]{2,300}"|“[^”]{2,300}”|「[^」]{2,300}」|『[^』]{2,300}』|«[^»]{2,300}»|„[^“”\n]{2,300}[“”]'
)
_MESSAGE = re.compile(
    r"(?<!\w)'(?:[^' \n]|(?<=\w)'(?=\w)){1,80} (?:[^'\n]|(?<=\w)'(?=\w)){2,300}'(?!\w)"
    r"|(?<!\w)‘(?=[^’\n]* )[^’\n]{4,300}’(?!\w)"
)
_ERROR_LABELS = (
    "error fehler fehlermeldung meldung erreur erro errore fout foutmelding fel fejl feil błąd chyba hiba eroare hata"
    " lỗi virhe greška galat ralat"
)
_LABELS = frozenset(_ERROR_LABELS.split())
_REPORTS = _LABELS | {"hatası"}
_REPORTED = re.compile(r"[A-Z]\w*(?: [^\s.!?]+){2}(?:.*?[.!?]|.*?,)\s+(?=\S)")
_SIGN_OF_CODE = re.compile(r"[{}();=<>\[\]|\\_$#&]")
_TOOLS = (
    "cat|find|echo|xargs|mv|cp|rm|mkdir|head|tail|sort|cut|tr|wc|jq|du|df|kill|killall|journalctl|lsof"
    "|nohup|openssl|rclone|brew|pnpm|yarn|go|dd|mount|unzip|zip|diff|touch|ln|conda|poetry|uv|az|aws"
    "|gcloud|redis-cli|psql|mysql|mysqldump|sqlite3|nmap|ping|netstat|ip|iptables|crontab|tmux|nginx"
    "|exiftool|magick|yt-dlp"
)


def _choice(listed: str) -> str:
    """Write a choice of words, grouped by first letter, for `re` tries the branches of one by one."""
    rests: dict[str, list[str]] = {}
    for word in listed.split("|"):
        rests.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items())


_COMMANDS = _choice(
    "git|sudo|npm|pip|docker|kubectl|curl|cd|ls|ffmpeg|tar|grep|awk|sed|rsync|ps|ssh|scp|chmod|helm|" + _TOOLS
)
_COMMAND = re.compile(rf"\s*(?:{_COMMANDS}) ")
_JOINS = 3  # English words that no command line has so many of
_LIKE_CODE = re.compile(rf"^[ \t]*[\w-]+:\s|^(?:[A-Z]{{4,}}|{_COMMANDS}) ", re.MULTILINE)
_CODE_LINE = re.compile(
    r"""\s*(?:
      (?:async\s+)?def\s+\w+\s*\(|class\s+\w+[\s(:{]*.*[:{]\s*$|class\s+\w+:|import\s+[\w.{*]+(?:\s+as\s+\w+|\s+from\b.*)?;?\s*$|from\s+[\w.]+\s+import\b|return\b.*[;()\[\]_+*]|return\s+\w+\s*$
      |(?:if|elif|while|for|with|else|try|except|finally)\b.*:\s*$|(?:if|for|while|switch|catch)\s*\(|\#include|\#!|@\w+|\#\s|//|/\*|\*/
      |(?:public|private|protected|static|final|const|let|var|function|func|fn|package|using|namespace|struct|enum|impl|pub|export)\s+[\w<*{(].*[\w;{})=>]\s*$
      |(?:SELECT\s.+|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(?:TABLE|INDEX|VIEW)|ALTER\s+TABLE|DROP\s+TABLE)\b
      |(?:FROM|WHERE|GROUP\s+BY|ORDER\s+BY|HAVING|(?:(?:LEFT|RIGHT|INNER|OUTER|CROSS|FULL)\s+)*JOIN|WITH\s+\w+\s+AS|LIMIT|UNION|VALUES|SET|ON|AND)\s+[\w(*'"]
      |\w+\s+(?:INT|INTEGER|BIGINT|SERIAL|TEXT|VARCHAR|CHAR|BOOLEAN|TIMESTAMP|DATE|DECIMAL|NUMERIC|FLOAT|UUID)\b
      |select\s+(?:\*|[\w.]+(?:\s*,\s*[\w.]+)+|count\(.*?\))\s+from\s+\w+|(?:delete\s+from|insert\s+into|update)\s+\w+\s+(?:where|values|set)\b
      |(?:for\s+\w+\s+in|while|until)\s.*;\s*do\b|for\s+%|if\s+\[|[A-Z][a-z]+-[A-Z][A-Za-z]+\s.*(?:\s-[A-Z]|\|\s)|export\s+\w+=
      |(?:TOOLS)\s(?:.*\s)?(?:--?[a-zA-Z][\w-]*(?:\s|=|$)|\|\s*\w|&&\s|\d?>{1,2}\s*(?:[~/.&$"]|\w+[./]))
      |\[?\d[\d:.,TZ\[\]/\ -]{6,30}\s[$>]\s\w
      |</?[a-zA-Z!?][^>]*>|[\]})]+[;,)\]}]*\s*$|[{\[(]\s*$|\.{3}\s|>>>\s|\$\s+\w|(?:sudo|git|npm|pip3?|docker|kubectl|curl|wget|cd|ls|chmod|ssh|apt|cargo|make|ffmpeg|tar|grep|awk|sed|rsync|scp|ps|helm|terraform|python3?|node|systemctl)\s+[-\w./~]+(?:\s|$)(?:.*(?:--?\w|[|&/~<>]))
      |File\s"|Traceback\s|\w*(?:Error|Exception):\s|(?:error(?:\[E\d+\])?|fatal|panic):\s|\s/\S+\.\w+:\d+|goroutine\s\d|lambda\s\w+(?:,\s\w+)*:|at\s[\w.$]+\(|npm\sERR!|"[\w$-]+"\s*:|[\w.\[\]]+\s*(?:[-+*/:]?=|:=)\s*\S|-?\s*[\w"'-]+:\s*[\w"'/.-]*\s*$(?=\n\s)
      |[\w.]+\(.*\)\s*[;{:]?\s*$|.*[;{]\s*$|.*=>|.*\w\(\)
    )""".replace("TOOLS", _TOOLS),
    re.VERBOSE | re.ASCII,
)
_YAML = re.compile(r"^\s*(?:-\s+)?[\w.-]+:(?:\s+\S+)?\s*$")
_ENGLISH = re.compile(r"\s*(?:[A-Z][a-z']+|[Ii])(?: [a-z']+){3,}|\s*[A-Z][a-z]+ [a-z]+ [a-z]+.*[?.]\s")
_ERROR = re.compile(r"\s*[\w.]*(?:Error|Exception|error|fatal|panic):\s")
_PLEA = re.compile(
    r"\b(?:what (?:do|should|can|am) i\b|how (?:do|can|should) i\b|why am i\b"
    r"|any ideas?\b|please help\b|help me\b)[^{};=]*$",
    re.IGNORECASE,
)  # what a user adds to an error message on its own line
_LEAD = re.compile(
    r"\s*¿?(?![A-Z]{2}|(?:select|insert|update|delete|return|import|for|if|while|def|class)\b)"
    r"(?:[^\W\d_]+(?:['’][^\W\d_]+)*,?\s+){2,}"
)  # the natural words that a line begins with
_QUESTION_BEFORE = re.compile(
    r"\s*¿?(?![A-Z]{2}|(?:select|insert|update|delete|return|import|for|if|while|def|class)\b)"
    r"(?:[\w'’.#+-]+,?\s+){3,20}[\w'’.#+-]+\s?[?？:]\s+(?=\S)"
)  # a question in front of a statement
_PIECE_OF_CODE = re.compile(r"\S*[=\[\](){}<>|^;_]\S*")
_CLAUSE = re.compile(r"[.,;:!–—-]\s+([^.,;:!]{4,}[?？])\s*$")
_CODE_SIGNS = frozenset("=(){}[]<>")
_JSON = re.compile(r"\s*[\[{]\s*[\"'{\[\]}\d]")


_FILES = frozenset({"file", "code", "source", "diff", "patch", "snippet"})
_SOURCE = re.compile(r"[;{]\n|\):\n|^(?:import|from|use|package|def|class|fn|func) \w|^[+-]\s*\w.*[;({]$", re.MULTILINE)
_SHOWN = re.compile("user|question|instruction|query|task|request", re.IGNORECASE)
_HTML = re.compile(
    "a|b|i|em|p|br|strong|div|span|script|style|html|head|body|table|tr|td|th|ul|ol|li|img|svg|form|input"
    "|button|nav|main|section|header|footer|h1|h2|h3|label|select|option|title|meta|link|code|pre|template",
    re.IGNORECASE,
)


class Prose(NamedTuple):
    """What is left of a message: its paragraphs in order, quotations still in, and whether code stood in it."""

    paragraphs: tuple[str, ...]
    code: bool
    document: bool


def edges(text: str, limit: int = EDGE) -> str:
    """Cut a long text to its two ends."""
    return text if len(text) <= 2 * limit else f"{text[:limit]}\n\n{text[-limit:]}"


def read(text: str) -> Prose:
    """Take what isn't prose out of a message."""
    if len(text) > 2 * EDGE:
        text = _between_fences(text)
    code = document = False
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("\n\n", text)
        code = True
    if "<" in text or '"""' in text:
        shorter, source = _without_documents(text)
        code = code or source
        document = shorter != text
        text = shorter
    if "`" in text:
        text = _INLINE.sub(" ", text)
        code = True
    if "://" in text or "www." in text or "@" in text:
        text = _LINK.sub(" ", text)
    if _may_hold_code(text):
        text, lines_of_code = _without_code(text)
        code = code or lines_of_code
        if "$" in text or "\\)" in text or "\\]" in text:
            text = _MATHS.sub(" ", text)
        if "<" in text:
            text = _TAG.sub(" ", text)
    return Prose(_paragraphs(text), code, document)


def opening(text: str) -> str:
    """Cut out the natural words that a text with code in it begins with, two at least, or nothing."""
    lead = _LEAD.match(text)
    if lead and (" -" in text or _SIGN_OF_CODE.search(text, lead.end())):
        return lead[0]
    return ""


def without_quotations(text: str) -> str:
    """Drop quoted strings if something of substance is left without them."""
    if '"' in text or not text.isascii():
        rest = _QUOTED.sub(" ", text)
        if rest != text and sum(map(str.isalpha, rest)) >= (10 if rest.isascii() else 4):
            return rest
    return text


def without_messages(text: str) -> str:
    """Drop what a program said, in single quotes or after a label, if something of substance is left without it."""
    if ": " in text:
        text = _without_report(text)
    if " '" in text or "‘" in text or text.startswith("'"):
        rest = _MESSAGE.sub(" ", text)
        if sum(map(str.isalpha, rest)) >= (10 if rest.isascii() else 4):
            return rest
    return text


def _without_report(text: str) -> str:
    """Drop the error message after a label such as "Fehler:" if the user says something of it."""
    head, _, rest = text.partition(": ")
    label = head.split()[-1:]
    message = _REPORTED.match(rest) if label and label[0].lower() in _LABELS else None
    if not message:
        return text
    said = f"{head}: {rest[message.end() :]}"
    return said if sum(map(str.isalpha, said)) >= 10 else text


def _may_hold_code(text: str) -> bool:
    return bool(_SIGN_OF_CODE.search(text) or (_LIKE_CODE.search if "\n" in text else _LIKE_CODE.match)(text))


def _between_fences(text: str) -> str:
    """Cut to both ends, and close the fence that the cut has opened."""
    head, tail = text[:EDGE], text[-EDGE:]
    if head.count("```") % 2:
        head = f"{head}\n```\n"
        tail = tail.partition("```")[2] if "```" in tail else tail
    opened = _OPENED.search(head)
    if opened:
        head = head[: opened.start()]
        tail = tail.rpartition(f"</{opened[1]}>")[2]
    return f"{head}\n\n{tail}"


def _without_documents(text: str) -> tuple[str, bool]:
    """Drop tagged blocks of material and triple-quoted ones; what asks something and what is a page's markup stays.

    Says also whether one of them was a file of source code.
    """
    code = False
    for name in list(dict.fromkeys(_CLOSED.findall(text)))[:6]:
        if _SHOWN.fullmatch(name) or _HTML.fullmatch(name):
            continue
        for _ in range(8):
            start = text.find(f"<{name}")
            end = text.find(f"</{name}>", start)
            if start < 0 or end < 0:
                break
            if name in _FILES and _SOURCE.search(text, start, end):
                code = True
            text = f"{text[:start]}\n\n{text[end + len(name) + 3 :]}"
    return _TRIPLE.sub("\n\n", text), code


def _without_code(text: str) -> tuple[str, bool]:
    if _JSON.match(text) and text.rstrip()[-1:] in "]}":
        return "", True
    kept: list[str] = []
    pleas: list[str] = []  # may be the error's own words: they count where there is nothing else
    dropped = 0
    lines = text.split("\n")
    yaml = _is_yaml([line for line in lines if _YAML.match(line)])
    for line in lines:
        if line and (_CODE_LINE.match(line) or (yaml and _YAML.match(line))) and not _sentence(line):
            told = bool(_COMMAND.match(line)) and _speaks(line)
            spoken = _question_before(line) or (_PIECE_OF_CODE.sub(" ", line) if told or _asks(line) else "")
            if spoken:
                kept.append(spoken)
            dropped += len(line) if told else len(line) - len(spoken)
            plea = _ERROR.match(line) and (_PLEA.search(line) or _CLAUSE.search(line))
            if plea:
                pleas.append(plea[0])
        else:
            kept.append(line)
    return "\n".join(kept if any(map(str.strip, kept)) else pleas), dropped > 12


def _is_yaml(lines: list[str]) -> bool:
    """Say whether lines like a YAML file's are one: there a key stands once, in a row of examples each stands again."""
    keys = [line.partition(":")[0] for line in lines if line[0].isalpha()]
    return len(lines) >= 3 and len(keys) == len(set(keys))


def _question_before(line: str) -> str:
    """Cut out the question in front of a statement; before a colon it must be in a sure foreign language."""
    question = _QUESTION_BEFORE.match(line) if "?" in line or ": " in line else None
    if not question:
        return ""
    found = words.count(question[0])
    foreign = max(found.values(), default=0) > found.get("en", 0)
    return question[0] if foreign or not question[0].rstrip().endswith(":") else ""


_SPOKEN = 2  # English words that no statement begins with so many of


def _asks(line: str) -> bool:
    """Say whether a line with code in it is a question about that code, or opens in words of a sure language."""
    lead = _LEAD.match(line)
    if not lead:
        return False
    found = words.count(lead[0])
    if ": " in line and not _REPORTS.isdisjoint(lead[0].lower().split()):
        return True
    english = found.get("en", 0)
    return line.rstrip().endswith(("?", "？")) or max(found.values(), default=0) - english >= 2 or english >= _SPOKEN


def _sentence(line: str) -> bool:
    """Say whether a line that looks like code is prose after all."""
    if line.isascii():
        return bool(_ENGLISH.match(line))
    foreign = sum(ch > "\u0250" and ch.isalpha() for ch in line[:200])
    if foreign >= 3 and (_CODE_SIGNS.isdisjoint(line) or line.lstrip()[0] > "\u0250"):
        return True
    return foreign > 3 and not line.rstrip().endswith(("{", "}", ";", ")"))


def _speaks(line: str) -> bool:
    """Say whether a line that begins with a command's name speaks of it: "git says it is behind and i have changes"."""
    said = _QUOTED.sub(" ", line)
    return words.count(said).get("en", 0) >= _JOINS and not _SIGN_OF_CODE.search(said)


def _paragraphs(text: str) -> tuple[str, ...]:
    parts = text.split("\n\n") if "\n\n" in text.strip() else text.split("\n")
    return tuple(stripped for part in parts if (stripped := part.strip()))
