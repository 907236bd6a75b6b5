"""Finds the language that an instruction asks the answer to be in: "answer in Chinese", "用英文回答", "auf Deutsch".

Looks for language names first, by set and substring look-ups, and runs a regular expression only round a hit: most
requests name no language and must not pay for the rest. Naming a language is not asking for it: "how do you say it in
Japanese?" stays a question in English.
"""

import re

from serve.routing.language_names import HAN_NAMES, HANGUL_NAMES, NAMES, OTHER_NAMES

_WORD = re.compile(r"[^\W\d_]+")
_ENDS = ".!?\n;。！？；"

# Between Latin- and Cyrillic-script names and what goes before them.
_PREPOSITION = re.compile(
    r"(?:^|[\W_])(?:in|into|to|using|auf|ins|en|em|au|al|para|på|til|till|na|po|naar|het|în|w|do|bahasa|tiếng|на|по|po)"
    r"[\s-]+(?:(?:the|fluent|plain|simple|proper|clear|good|only|o|el|il|le|język|jazyk|su|om|standard"
    r"|modern|formal)\s+)?"
    r"(?P<kind>simplified|traditional|brazilian|european|american|british|mandarin)?[\s-]*(?:\(?)$"
)
_TRANSLATE = re.compile(
    r"\btranslat(?:e|ing|ion|or|es)\b|übersetz|\btradu[iczt]|vertaal|vertal|översätt|oversæt|oversett|tłumacz|přelož"
    r"|перевед|перевод|переклад|çevir|tercüme|terjemah|dịch|\blocali[sz]e"
)
_ASK = re.compile(
    r"\b(?:answer|respon[ds]|reply|replies|write|writing|explain|describe|summari[sz]e|tell|give|speak|output|draft"
    r"|compose|rewrite|make|provide|switch|convert|continue|generate|create|list|please|say|introduce|show|teach"
    r"|present|produce|communicate|discuss|chat|talk|render|return|use|put|read|recite"
    r"|antwort|schreib|erklär|gib|fass|formulier|beschreib|bitte|nenn|erzähl|sprich|red|stell|verfass"
    r"|répon|écri|expliqu|résum|rédig|décri|donn|racont|parl|fais|présent"
    r"|respond|contest|escri|explic|explíc|resum|redact|describ|habl|haz|dame|cuent|cuént"
    r"|escrev|descrev|fale|falar|faça|redija"
    r"|rispon|scriv|spieg|riassum|descriv|parl|dammi|raccont"
    r"|schrijf|schrijv|leg|uitle|vertel|geef|vat"
    r"|svar|skriv|förklar|forklar|berätt|fortæl|fortell|besvar|sammanfatt"
    r"|odpowi|napisz|wyjaśn|opisz|streść|opowie|podaj|odpověz|napiš|vysvětl"
    r"|yaz|cevap|yanıt|açıkla|anlat|özetle|olarak"
    r"|jawab|tulis|jelaskan|ceritakan|buat"
    r"|trả|viết|giải|hãy)"
    r"|ответ|отвеч|напиш|объясн|расскаж|опиш|пиши|говори|поясни|відпов|розкаж|напис|отговор|обясн"
)
# Talk about a language, or a question that happens to name one.
_ABOUT = re.compile(
    r"\b(?:how (?:do|would|can|to|should|is|are)|what(?:'s| is| are| does| do)|when (?:was|did|is)|which|who|why"
    r"|(?:was|were|is|(?<!you )are|did|does|do|has|have) (?!not\b)|difference|grammar|tense|conjugat"
    r"|pronounc|pronunciation|mean[st]?\b"
    r"|word for|learn|study|wie (?:heißt|sagt|lautet|lern)|was (?:heißt|bedeutet|ist)|unterschied|lern"
    r"|comment (?:dit|on|dire)"
    r"|que veut dire|combien|apprend|cómo|cuál|cuánt|qué significa|aprend|como se|o que|qual|come si|cosa"
    r"|impar|imparare"
    r"|hoe zeg|wat betekent|leren|hur säger|vad betyder|lära|jak się|co znaczy|nasıl denir|ne demek|ucz|naucz)"
    r"|как (?:сказать|будет|выуч|по|учить)|что значит|выуч|изуч|сколько"
)
_MODAL = re.compile(
    r"\b(?:can|could|would|will) you|\bplease\b|kannst du|können sie|könntest|peux-tu|pouvez|puedes|podrías|puoi|pode\b"
    r"|kun je|kan du|kunt u|можешь|можете|możesz"
)
# A sentence that ends in "... in Spanish" is an order unless it tells of somebody or something.
_STATES = re.compile(
    r"\W*(?:i|he|she|it|they|we|you|the|my|his|her|our|their|this|that|there|a|an|people|who|ich|er|sie|es"
    r"|wir|der|die|das"
    r"|mein|je|j'|il|elle|nous|on|le|la|les|mon|ma|yo|él|ella|el|los|las|mi|eu|ele|ela|o|os|as|meu|io|lui|lei|il|lo|gli"
    r"|ik|hij|zij|de|het|mijn|jag|jeg|han|hon|hun|ja|on|ona|я|он|она|мы|они|мой|most|many|some|all)\b"
)
_MUST = re.compile(
    r"\b(?:must|should|shall|needs? to|has to|have to|want|would like|i'd like|prefer|soll|muss|doit|debe|deve|moet)\b"
)
_NEXT_IS_PROSE = re.compile(
    r"\W*$|[^\w\s]|\s+(?:please|only|language|and|with|about|for|on|to|using|from|what|who|how|why|where"
    r"|when|so|as|at|by"
    r"|bitte|the|a|an|of|that|which|but|if|instead|version|now|not|except|even|whatever|unless|regardless|always|is"
    r"|un|una|il|la|een|het|de|ein|eine|einen|einem|uit|wat|was|warum|wie|perché|cosa|che"
    r"|characters|script|then|in|your|my|this|it|text|translation|translator|\d)"
)
_ALONE_BEFORE = re.compile(r"(?:^|[,:;(\[—–\-\n.!?]|\b(?:now|again|but|only|again,|then))\s*$")
_ALONE_AFTER = re.compile(
    r"[\s)\]]*(?:please|bitte|por favor|s'il (?:te|vous) pla[iî]t|svp|stp|per favore|language|thanks|only"
    r"|alsjeblieft|tack"
    r"|proszę|пожалуйста)?[\s.!)\]]*(?:[.!:;\n,]|$)"
)
_NAMED = re.compile(
    r"(?:language|langue|sprache|idioma|lingua|язык)(?: is| must be| should be)?\s*[:=]\s*$"
    r"|(?:\bonly(?: use| speak)?|\buse|(?<!you )(?<!can )(?<!who )(?<!to )\bspeak)\s+(?:simplified "
    r"|traditional |brazilian )?$"
)
_TEXT_KIND = re.compile(
    r"\s+(?:poem|essay|letter|e-?mail|mail|story|text|sentence|paragraph|summary|version|translation|song|haiku|speech"
    r"|brief|gedicht|nachricht|fassung|übersetzung|zusammenfassung|version)"
)
_WRITE = re.compile(r"\b(?:write|compose|draft|give me|create|schreib|verfass|make|provide)\w*\W+(?:\w+\W+){0,3}$")


def target(text: str) -> str | None:
    """Name the language that a piece of an instruction asks for, or say that it asks for none."""
    lowered = text.lower().replace("i\u0307", "i")  # what Python makes of a capital dotted i
    if _USERS_OWN.search(lowered):
        return None
    if not lowered.isascii():
        found = _eastern(lowered) or _vietnamese(lowered) or _other(lowered)
        if found:
            return found
    named = NAMES.keys() & set(_WORD.findall(lowered))
    if not named:
        return None
    mentions = sorted((m.start(), m.end(), n) for n in named for m in re.finditer(rf"\b{n}\b", lowered))
    last = None
    for start, end, name in mentions[:2] + mentions[2:][-3:]:
        if _asks(lowered, start, end):
            last = _variant(name, lowered[max(0, start - 14) : start])
            if _TRANSLATE.search(lowered, max(0, start - 100), start):
                break
    return last


def _variant(name: str, before: str) -> str:
    tag = NAMES[name]
    return "zh-Hant" if tag == "zh-Hans" and ("traditional" in before or "tradition" in before) else tag


def _asks(text: str, start: int, end: int) -> bool:
    begin = max(text.rfind(c, max(0, start - 160), start) for c in _ENDS) + 1
    begin = max(begin, start - 160, 0)
    stop = min((i for c in _ENDS if (i := text.find(c, end, end + 100)) >= 0), default=min(len(text), end + 100))
    before, after = text[begin:start], text[end : stop + 1]
    if _NOT.search(before):
        return False
    if _NAMED.search(before):
        return not _ABOUT.search(before)
    if (_TEXT_KIND.match(after) and _WRITE.search(before)) or after.startswith(" translation of"):
        return True
    if text.startswith((" only", " please"), end) and _ALONE_BEFORE.search(before):
        return True
    preposition = _PREPOSITION.search(before)
    if not preposition:
        return name_is_adverb(text[start:end]) and bool(
            _ASK.search(before + after) or _TRANSLATE.search(before + after)
        )
    if _ALONE_BEFORE.search(before[: preposition.start()] or text[:0]) and _ALONE_AFTER.match(after):
        return True
    if _TRANSLATE.search(before) or _TRANSLATE.search(after[:14]):
        return not _ABOUT.search(before) or bool(_MODAL.search(before))
    if _ABOUT.search(before) and not _MODAL.search(before):
        return False
    if not after.strip(" .!)\n") and (_MUST.search(before) or not _STATES.match(before)):
        return True
    return bool(_ASK.search(before) or _ASK.search(after)) and bool(_NEXT_IS_PROSE.match(after) or not _english(before))


def name_is_adverb(name: str) -> bool:
    """Say whether a name needs no preposition to mean "in that language", as Turkish and Finnish ones don't."""
    return name.endswith(("çe", "ça", "ce", "ca", "çeye", "çaya", "ceye", "caya", "ksi", "ül", "ul"))


def _english(before: str) -> bool:
    return bool(re.search(r"\b(?:in|into|to|using)[\s-]+[a-z\s]*$", before))


_USERS_OWN = re.compile(
    r"same language as|in (?:the )?(?:same language|language (?:of|that|used by|the user)|user'?s (?:own "
    r"|native )?language)"
    r"|in (?:whatever|any|whichever) language|match(?:es|ing)? the (?:user'?s )?language"
)
_NOT = re.compile(
    r"\b(?:not|never|don't|nicht|kein|pas|non|no|niet|inte|ikke|nie|не)\s+(?:\w+\s+){0,2}$"
    r"|\b(?:even if|even when|même si|même quand|auch wenn|selbst wenn|aunque|anche se|mesmo (?:se|que)|даже если)\b.*$"
    r"|\b(?:may|might|can|or) (?:write|speak|ask)\b[^.]*$"
)
_VIETNAMESE = re.compile(r"(?:bằng|sang|ra|thành) tiếng (anh|trung|nhật|pháp|đức|hàn|nga|việt|tây ban nha)")
_VIETNAMESE_NAMES = {
    "anh": "en", "trung": "zh-Hans", "nhật": "ja", "pháp": "fr", "đức": "de", "hàn": "ko", "nga": "ru", "việt": "vi",
    "tây ban nha": "es",
}  # fmt: skip


def _vietnamese(text: str) -> str | None:
    match = _VIETNAMESE.search(text) if "tiếng" in text else None
    return _VIETNAMESE_NAMES[match[1]] if match else None


_HAN_GATE = "文语語话話体體"
_HAN = "|".join(sorted(HAN_NAMES, key=len, reverse=True))
_NOT_A_QUESTION = (
    r"(?!(?:单词|單詞)?(?:里|中|裡)?(?:怎|如何|是什么|是什麼|是啥|叫什|叫做什|讲是|說是|何と|何て|なんと|どう|だと|では"
    r"|可以说|可以說|的?说法|表达))"
)
_CHINESE = re.compile(
    rf"(?:用|以|使用|改用|换成|換成|改成|[翻译譯訳][译譯]?[成为為作到]|写成|寫成|转成|轉成|转换为|转换成|说成)\s*(?:流利的?|标准的?|標準的?|现代|現代|地道的?"
    rf"|简单的?)?(?P<a>{_HAN}){_NOT_A_QUESTION}"
    rf"|(?P<g>{_HAN})[翻譯译]{{1,2}}(?:版|一下|。|：|:|$)"
    rf"|(?P<b>{_HAN})\s*(?:来)?(?:回答|回复|回覆|作答|答复|输出|輸出|撰写|撰寫|解释一下|说明)"
    rf"|(?:写|寫|撰写|撰寫|起草|来|來|给我|給我|生成)[^，。！？\n]{{0,12}}?(?P<c>{_HAN})的?(?:作文|邮件|郵件|信|文章|诗|詩|短文|摘要|简历|簡歷|故事"
    rf"|演讲|介绍|介紹|报告|版)"
    rf"|(?:^|[\s，。？！?!.,(（：:])(?:请|請)?(?P<d>{_HAN})[。！!)）]*(?:\n|$)"
    rf"|(?P<e>{_HAN})(?:\s*)で(?!何|なん|どう|は|も|き)(?=[^。\n]{{0,24}}(?:答|回答|書|説明|教|返|出力|述|お願|紹介|要約|話|訳|して|表|解説|作))"
    rf"|(?P<f>{_HAN})(?:へ|に)\s*(?:翻訳|訳|直|変換|し)"
    rf"|(?:英(?P<en>訳|译)|和(?P<ja>訳)|邦(?P<ja2>訳)|中(?P<zh>訳))(?:して|せよ|を|お願|：|:|$)"
)
_KOREAN_NAMES = "|".join(HANGUL_NAMES)
_KOREAN = re.compile(
    rf"(?P<a>{_KOREAN_NAMES})(?:\s*(?:문장|글|텍스트|이메일)[\s\d개만]{{0,5}})?(?:으?로)(?!\s*(?:뭐|뭘|무엇|어떻게"
    rf"|무슨))(?:만)?(?=[^.\n?]{{0,40}}(?:답|써|쓰|적어|작성|번역|설명|말해"
    rf"|알려|소개|요약|출력|바꿔|해줘|해 줘|하세요|부탁|$))"
)


_HAN_NAME = re.compile(f"{_HAN}|訳")


def _eastern(text: str) -> str | None:
    if "訳" in text or any(c in text for c in _HAN_GATE):
        found = _chinese(text)
        if found:
            return found
    if "어" in text or "한글" in text or "영문" in text:
        korean = _KOREAN.search(text)
        if korean:
            return HANGUL_NAMES[korean["a"]]
    return None


def _chinese(text: str) -> str | None:
    names = [match.start() for match in _HAN_NAME.finditer(text)]
    if not names:
        return None
    # The expression is dear: it reads the surroundings of the first and the last name, not a text full of names.
    spans = [(max(0, names[0] - 20), names[0] + 80), (max(names[0] + 80, names[-1] - 40), names[-1] + 60)]
    found: re.Match[str] | None = None
    for start, end in spans:
        for match in _CHINESE.finditer(text, start, end):
            found = match
            if match["a"] and match[0][0] in "翻译譯":
                return HAN_NAMES[match["a"]]
    if not found or not found.lastgroup:
        return None
    return HAN_NAMES.get(found[found.lastgroup]) or found.lastgroup[:2].replace("zh", "zh-Hans")


_OTHER_ASK = re.compile(
    "اكتب|أجب|اجب|ترجم|اشرح|رد |بنویس|پاسخ|ترجمه|जवाब|लिख|बता|अनुवाद|समझा|ตอบ|เขียน|แปล|อธิบาย|ענה|כתוב"
    "|תרגם|γράψε|απάντησε|μετάφρασε"
    "|جواب|لکھ|লিখ|উত্তর|অনুবাদ"
)


def _other(text: str) -> str | None:
    if not text[:400].isascii() and _OTHER_ASK.search(text):
        for name, tag in OTHER_NAMES.items():
            if name in text:
                return tag
    return None


def translates(text: str) -> bool:
    """Say whether an instruction asks for a translation."""
    lowered = text.lower()
    if _TRANSLATE.search(lowered):
        return True
    return not lowered.isascii() and bool(_TRANSLATE_ELSEWHERE.search(lowered))


_TRANSLATE_ELSEWHERE = re.compile(
    "翻译|翻譯|に訳|訳して|[译譯][成为為]|翻訳|[英和邦中]訳|번역|ترجم|अनुवाद|แปล|תרגם|μετάφρασ|অনুবাদ"
)


_LASTS = re.compile(
    r"from now on|always|for the rest|every (?:time|answer|message)|all (?:your|further|future)|throughout"
    r"|ab jetzt|ab sofort|immer"
    r"|à partir de maintenant|désormais|toujours|a partir de ahora|siempre|d'ora in poi|sempre"
    r"|a partir de agora|vanaf nu|altijd"
    r"|从现在|從現在|以后|以後|接下来|接下來|始终|一律|以降|今後|これから|常に|すべて|앞으로|지금부터|항상|теперь|всегда|отныне"
)


def lasts(text: str) -> bool:
    """Say whether an instruction is meant for the rest of the conversation."""
    return bool(_LASTS.search(text.lower()))


def label(text: str) -> str | None:
    """Read a line such as `French` that heads what comes next in a prompt to be continued."""
    kind, _, name = text.strip().lower().rpartition(" ")
    if kind not in ("", "traditional", "simplified", "brazilian"):
        return None
    return _variant(name, kind) if name in NAMES else HAN_NAMES.get(name) or HANGUL_NAMES.get(name)
