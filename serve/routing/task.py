"""Names what kind of text the answer will be, since drafters differ more by kind than by language.

The rules read the request's structured-output fields first, then its words. They are cheap and err towards `prose`.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from serve.routing import directive
from serve.routing.editing import edits
from serve.routing.prose import Prose
from serve.routing.wording import Wording, wording

Task = Literal["prose", "code", "json", "translation", "edit"]
"""prose; code: the request shows or asks for code; json: the answer is structured; translation; edit: given text comes
back corrected or rewritten, so most of the answer stands in the prompt."""
TASKS: tuple[str, ...] = get_args(Task)


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_CONSTRAINTS = ("structured_outputs", "guided_json", "guided_grammar")
_PROGRAMMING = _set(
    "python pythonie javascript typescript java c++ c# golang rust kotlin swift php ruby sql bash powershell css html"
    " react node nodejs numpy pandas django flask fastapi perl scala haskell julia matlab vba mysql postgres"
    " postgresql sqlite pythonu pythonban pythonissa pythonilla pythonem javě javie javában javassa javascriptu regex"
    " regexp cpp js ts tsx jsx vue angular pytorch tensorflow dockerfile makefile git gicie gitem docker kubectl npm"
    " flutter laravel nginx yaml terraform ansible aiogram pytest"
)
_PARTS = _set(
    "function code script class method query regex regexp algorithm component program snippet bug error dict"
    " dictionary array string list loop sort sorting tests test api endpoint json csv xml file struct pointer database"
    " table decorator lambda variable compile async funktion skript klasse methode abfrage programm liste fonction"
    " requête programme classe función código clase consulta lista programa função funzione codice functie funktionen"
    " funkcję funkcja skrypt funkci fonksiyon kod fungsi kode hàm tuplas automation redirect bucket push flexbox"
    " commit branch container rebase merge one-liner oneliner liner command queries macro formula formel customers"
    " soubor souboru souborů pliku plik fájl tiedosto řetězce programmu kód kódu skripti ohjelma funktio koodi"
    " függvény programot funcție hata hatası hatayı fehler erreur errore erro fout chyba błąd fel feil lỗi workflow"
)
_WITH = _set("in with using en em con com mit avec met w v ve på i med na în cu на в у за ile ב trong no")
_AFTER = _set("ile ilə dilinde kullanarak")
_THIS = _set("this my the following dieses ce este")
_SHORT_NAMES = _set("go c r")
_ARTICLES = _set("a an some me the")
_MAKE = _set("write create make give build generate")
_NO_OTHER_SENSE = _set(
    "sql css html regex regexp javascript typescript php haskell kotlin bash c++ dockerfile makefile"
)
_STRONG = re.compile(
    r"\b(?:unit tests?|rest api|write (?:a |an |some |the |me (?:a |some )?)?(?:\w+ )?(?:function|code"
    r"|script|regex|program|class|sql)\b"
    r"|implement (?:a|an|the)\b|refactor|debug|(?:fix|review|optimi[sz]e|explain|this|my|the"
    r"|following) (?:this |my |the )?(?:code|script|function|regex)\b"
    r"|yaml:|run docker"
    r"|excel (?:formula|formel|formula)|stack ?trace|segfault|compil(?:e|er) error|source code|pull request)"
)
_NOT_CODE = re.compile(r"\b(?:dress|zip|area|bar|qr|penal|civil|tax|building|morse|da vinci|the function of)\b")
_EASTERN_PARTS = re.compile(
    "代码|代碼|程式|封装|封裝|promise|回调|回調|报错|報錯|异步|接口|小程序|爬虫|函数|函數|编程"
    "|脚本|算法|正则|程序|方法|コード|関数|スクリプト|プログラム|コンポーネント|クラス|코드|함수"
    "|스크립트|알고리즘|функц|скрипт|\\bкод|програм|класс"
)
_EASTERN_WITH = re.compile(
    "怎么(?:封装|调用|实现|把)|[a-z]\\d? 里|用\\s*[a-z+#]+|[a-z+#]+\\s*(?:で|の|로|으로|写|实现|寫)|на [a-z+#]+"
)
_LOG_READ = 300  # characters of a paragraph
_LOG_SIGNS = ("ERROR", "FATAL", "FAIL", "Exception", "rror", "exited", "]: ")
_LOG = re.compile(
    r"^\[?(?:ERROR|FATAL|INFO|FAILURE|BUILD FAIL)\b|Exception in thread|\bFATAL: |\berror: |\w\[\d+\]: "
    r"|exited with code|APPLICATION FAILED|^Error [a-z]+ bean|\.\w+Exception: ",
    re.MULTILINE,
)  # what programs write to a log
_HANGUL_PROGRAMMING = re.compile(
    "جاوااسکریپت|پایتون|反向代理|파이썬|자바스크립트|자바로|리액트|코틀린|스프링부트|코드를|함수를|코드도|쿼리를"
)
_EASTERN_CODE = re.compile(
    "(?=[报報错錯エ오에占正封单這这写寫给编实用פコ이в])(?:报错|報錯|报这个错|报了个错"
    "|^(?:错误|錯誤|エラー|오류|에러) ?[:：] ?[a-z]{2}|占用[^。\n]{0,8}端口"
    "|正则表达式|封装成|正則表達式|正規表現|单元测试|這段程式碼|这段代码|這段代碼|这段程序"
    "|(?:写|寫|给出|编写|实现)[^。，\\n]{0,10}(?:代码|代碼|函数|函數|脚本)"
    "|用\\s*(?:go|c|r)(?:语言|語言)?\\s*(?:写|寫|实现|编写)|פייתון|오류 ?뜨|コードを書|このコード|이 코드|\\bв go\\b)"
)  # first letters before the choice: `re` tries one by one
_EASTERN_TOOLS = re.compile("apps script|excel[^。\n]{0,16}(?:公式|関数|함수|수식|képlet|fórmula)")
_JSON = re.compile(
    r"\b(?:erstell|erzeug|generier|creat|generat|make|give me|gib|génèr|crée|crea|gener|cria|gere"
    r"|maak|skapa|stwórz|zwróć|retorn|extra[ei]"
    r"|return|respond|reply|answer|output|restituisc|devuelv|retourn|renvoi|devolv|return|vytvoř"
    r"|создай|верни|сделай|преобраз|svar|zamie[nń]|odpowi|antwort|respond|risp|répon)\w*"
    r"[^.\n]{0,40}\bjson\b|(?:输出|輸出|生成|返回|转成|轉成|给我|用"
    r"|出力)[^。\n]{0,10}json|json[^。\n]{0,8}(?:にして|に変換|로|으로)"
    r"|\b(?:as|in|into|valid|only|to|a|als|en|in|un|ein|format|gültiges|strict|como|em|som|til|formato|formatet|array"
    r"|формате|массивом|виде|в)(?: a| an| ein| valid)? json\b|(?:بصيغة|بتنسيق|بمصفوفة|إلى|بشكل) json"
    r"|\bjson-(?:muo|form)|\bjson (?:object|format|array|only|string|output|response|schema)"
    r"|以\s*json|\bfill in this schema|json\s*(?:形式|格式|で|으로|형식|を出力|返回|输出)"
)
_TO_JSON = re.compile(
    r"\W*(?:(?:please|bitte|can you|kannst du) )?(?:convert|turn|transform|parse|konvertier|wandle|wandel|convert[ia]"
    r"|zet|przekonwertuj|преобразуй|конвертируй|переведи|[把将將]|请把|請把)[^.。?\n]{0,40}"
    r"(?:\b(?:to|into|as|in|en|em|na|naar|в)(?: valid| an?)? |[成为為]\s*)json"
    r"(?: (?:object|array|format|um|please|bitte)|格式|形式)*\s*(?:[.:。：\n]|$)"
)
_WORK = re.compile(
    r"(?:please |bitte |can you |could you )?(?:summari[sz]e|analy[sz]e|extract|classify|fass|résume|resume"
    r"|riassumi|zusammen|以下|下面|根据|根據|请|請|次の|阅读|閱讀|다음|아래)"
)
_HINTS = _set(
    "test tests api write implement refactor debug fix review optimize optimise explain this my the following"
    " excel yaml docker trace stacktrace segfault compiler compile source pull code"
)
_ASCII_WORD = re.compile(r"[a-z]+[+#]*")


def constrained(payload: Mapping[str, Any]) -> bool:
    """Say whether a request's own fields force a structured answer: a schema, a grammar, a tool that must be called."""
    format_ = payload.get("response_format")
    if format_ and isinstance(format_, Mapping) and format_.get("type") in ("json_object", "json_schema"):
        return True
    for field in _CONSTRAINTS:
        if payload.get(field):
            return True
    choice = payload.get("tool_choice")
    return choice is not None and (choice == "required" or isinstance(choice, Mapping))


def asked_for(instruction: Wording, prose: Prose, *, translation: bool) -> str:
    """Name the task that the words of a request ask for.

    Args:
        instruction: what the user asks, without the material it is asked about.
        prose: the whole message, for whether code or further text stands in it.
        translation: whether the instruction, or the system prompt, asks for a translation.
    """
    lowered = instruction.lowered
    if translation and not prose.code:
        return "translation"
    if prose.code or _about_code(instruction):
        return "json" if "json" in lowered and _TO_JSON.match(lowered) else "code"
    if ("json" in lowered or "schema: {" in lowered) and asks_json(lowered):
        return "json"
    if len(prose.paragraphs) > 1 and any(map(_logged, prose.paragraphs[-3:])):
        return "code"
    return "edit" if _material(instruction.text, prose) and edits(instruction) else "prose"


def _logged(paragraph: str) -> bool:
    start = paragraph[:_LOG_READ]
    return any(sign in start for sign in _LOG_SIGNS) and bool(_LOG.search(start))


def standing(system: Wording, instruction: Wording, answer: str) -> str:
    """Name the task that a system prompt sets, or that goes on, where the words of the request name none.

    Args:
        system: the system prompt; may be empty.
        instruction: what the user asks.
        answer: the beginning of the answer before; code in it goes on in short follow-ups.
    """
    lowered = system.lowered
    if "json" in lowered and asks_json(lowered):
        return "json"
    if lowered and _EDITOR.search(lowered) and not instruction.text.endswith(("?", "？")):
        return "edit"
    shown = "`" in answer or ("(" in answer and _CALL.search(answer))
    if shown and len(instruction.text) < _REPORT and _goes_on(instruction, answer):
        return "code"
    if lowered and not _PARTS.isdisjoint(instruction.words) and _names_developer(system):
        return "code"
    return "prose"


def _goes_on(instruction: Wording, answer: str) -> bool:
    """Say whether a short follow-up is about the code of the answer before: where that was all code, mostly it is."""
    if _FAULT.search(instruction.lowered):
        return True
    if len(instruction.text) >= _FOLLOW_UP:
        return False
    shown = answer.startswith("```") and not answer.startswith("```json")
    if not shown or not instruction.text or len(answer.rpartition("```")[2]) > _AFTERWORD:
        return False
    if not _THANKS.isdisjoint(instruction.words) or _EASTERN_THANKS.search(instruction.lowered):
        return False
    return not instruction.text.endswith(("?", "？")) or len(instruction.text) < _ASKED_BACK


def _names_developer(system: Wording) -> bool:
    return not _PROGRAMMING.isdisjoint(system.words) and bool(_DEVELOPER.search(system.lowered))


_EDITOR = re.compile(
    "copy[- ]?edit|proofread|corrected (?:text|version)|correct the (?:user|text|grammar)|rewrite"
    " the user|korrekturles"
    "|lektor|relecteur|corrige le texte|corrector de|revisor de|校对|校對|润色|潤飾|校正|添削|교정"
)
_CALL = re.compile(r"\b[a-z]+\.[a-z_]+\(", re.ASCII)
_FOLLOW_UP = 80  # characters
_REPORT = 120  # characters of one that tells of a fault
_AFTERWORD = 40  # characters after the last fence
_ASKED_BACK = 20  # characters: "and without recursion?"; longer questions want an explanation as often as code
_THANKS = _set(
    "thanks thank thx ty cheers great perfect nice cool ok okay danke super perfekt merci parfait gracias perfecto"
    " vale obrigado obrigada valeu perfeito grazie perfetto bedankt dank tack takk tak kiitos dzięki dziękuję díky"
    " děkuji köszi köszönöm mersi mulțumesc hvala teşekkürler sağol спасибо отлично супер дякую благодаря شكرا تمام"
    " ευχαριστώ תודה cảm makasih terima bye"
)
_EASTERN_THANKS = re.compile("谢|謝|唔該|多謝|不错|完美|ありがと|助かり|完璧|고마|감사|좋아|धन्यवाद|ขอบคุณ")
_FAULT = re.compile(
    r"error|what if|and if|should also|isn't|marche mais|voudrais|que avise"
    r"|schlagen .{0,30}fehl|а если|\b(?:und wenn|was wenn|et si|y si|e se|wat als)\b|如果"
    r"|does(?:n't| not) work|not work|exception|fails?\b|crash|bug|instead of|add (?:a|an|some"
    r"|error|type|comment)"
    r"|now (?:with|without|in|as|make)|without \w+|it should|in one line|fehler|funktioniert nicht|geht nicht|erreur"
    r"|marche pas|no funciona|não funciona|non funziona|werkt niet|fungerar inte|błąd|nie działa|ошибк|не работает"
    r"|помилк|hata|lỗi|乱码|亂碼|报错|報錯|错误|錯誤|不行|没反应|失败|改成|换成|加上"
    r"|エラー|動かない|動きません|文字化け"
    r"|에러|오류|안 돼|안돼|깨져"
)
_DEVELOPER = re.compile("developer|programmer|engineer|coding|entwickler|développeur|code")


def asks_json(text: str) -> bool:
    """Say whether an instruction asks for JSON."""
    return bool(_JSON.search(text.lower()))


def sets_to_work(paragraph: str) -> bool:
    """Say whether a paragraph asks for something to be done with text that follows it."""
    beginning = wording(paragraph[:160])
    lowered = beginning.lowered
    return bool(_WORK.match(lowered)) or directive.translates(beginning) or edits(beginning)


def _material(instruction: str, prose: Prose) -> bool:
    given = sum(map(len, prose.paragraphs)) > len(instruction) + 10  # a quotation, or further paragraphs
    return given or len(prose.paragraphs) > 1 or prose.document or ":" in instruction or "：" in instruction


_IDENTIFIER = re.compile(
    r"\b[a-z]{2,}[A-Z][a-z]{2,}[A-Za-z]*\b|\b(?:[A-Z][a-z]+){3,}\b|\b[A-Z][a-z]+(?:Error|Exception)\b"
    r"|\b[a-z]+\.[a-z_]+\(|^\W*(?:SQL|sql|Bash|bash|CSS|Regex|regex)\s*[:：]",
    re.ASCII | re.MULTILINE,
)
_OPTION = re.compile(
    r"\b(?:git|docker|kubectl|npm|pip3?|rm|cp|ls|tar|grep|sed|awk|find|ps|curl|wget|ssh|rsync|chmod|chown|ffmpeg|openssl"
    r"|aws|helm|python3?|node|cargo|apt|systemctl|journalctl|xargs) (?:[^\s-]\S* ){0,3}--?[a-zA-Z]",
    re.ASCII,
)
_OPERATOR = re.compile(
    r"[\w\])\"']\s*(?:[=!]==?|\+=)\s*[\w\[(!\"'{]|\b[a-z]+\[\w+\]\[\w|\b(?:const|let|var|int) \w+ = ", re.ASCII
)
_HUMP = re.compile("[A-Z](?<=[a-z].)")  # the capital first: `re` is fast at looking for one of a set


def _about_code(instruction: Wording) -> bool:
    text, lowered, words = instruction.text, instruction.lowered, instruction.words
    eastern = not lowered.isascii()
    if (" -" in text and _OPTION.search(text)) or ("=" in text and _OPERATOR.search(text)):
        return True
    named = (":" in text or "(" in text or "：" in text or _HUMP.search(text)) and _IDENTIFIER.search(text)
    found = (
        bool(named)
        or _names_code(instruction, eastern=eastern)
        or (not _HINTS.isdisjoint(words) and bool(_STRONG.search(lowered)))
    )
    return found and not _NOT_CODE.search(lowered)


def _names_code(instruction: Wording, *, eastern: bool) -> bool:
    lowered, words = instruction.lowered, instruction.words
    if eastern and "crontab" in lowered:
        return True
    if not instruction.western and (_HANGUL_PROGRAMMING.search(lowered) or _EASTERN_CODE.search(lowered)):
        return True
    if eastern and ("excel" in lowered or "apps" in lowered) and _EASTERN_TOOLS.search(lowered):
        return True
    if not _PROGRAMMING.isdisjoint(words):
        at = next(i for i, word in enumerate(words) if word in _PROGRAMMING)
        if _asked_of(words, at):
            return True
    elif not _SHORT_NAMES.isdisjoint(words) and not _PARTS.isdisjoint(words):
        return any(a in _WITH and b in _SHORT_NAMES for a, b in itertools.pairwise(words))
    elif instruction.western or _PROGRAMMING.isdisjoint(_ASCII_WORD.findall(lowered)):
        return False
    return eastern and bool(
        not _NO_OTHER_SENSE.isdisjoint(_ASCII_WORD.findall(lowered))
        or _EASTERN_PARTS.search(lowered)
        or _EASTERN_WITH.search(lowered)
    )


def _asked_of(words: Sequence[str], at: int) -> bool:
    """Say whether the words round the name of a programming language make it one: "in python", "a bash loop"."""
    before = words[at - 1] if at else ""
    if before in _THIS and words[at] in _NO_OTHER_SENSE:
        return True
    if at > 1 and before in _ARTICLES and words[at - 2] in _MAKE:
        return True
    if words[at + 1 : at + 2] and words[at + 1] in _AFTER:
        return True
    return before in _WITH or not _PARTS.isdisjoint(words)
