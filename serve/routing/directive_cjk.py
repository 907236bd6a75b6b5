"""Finds the language that Chinese, Japanese and Korean instructions ask for: "用英文回答", "英語で答えて".

First the names of languages, by look-up; then what stands right before and after one of them. Looks at the first and
the last names only, so that a text full of them costs no more.
"""

import re
from typing import NamedTuple

from serve.routing.inflection import HAN_NAMES, HANGUL_NAMES
from serve.routing.script import dominant

_LONGEST = max(map(len, [*HAN_NAMES, *HANGUL_NAMES]))
_HAN_END = re.compile(f"[{''.join(sorted({name[-1] for name in HAN_NAMES}))}]")
_HANGUL_END = re.compile(f"[{''.join(sorted({name[-1] for name in HANGUL_NAMES}))}]")
_EXAMINED = 40  # ends of possible names looked up
_SHORT = re.compile(r"(?:英(?P<en>[訳译])|和(?P<ja>訳)|邦(?P<ja2>訳)|中(?P<zh>[訳译]))(?:して|せよ|を|お願|：|:|$)")
_PAIR = re.compile(r"[英中汉漢日韩韓法德俄西][译譯](?P<target>[英中汉漢日韩韓法德俄西])")
_ABBREVIATED = {
    "英": "en", "中": "zh-Hans", "汉": "zh-Hans", "漢": "zh-Hant", "日": "ja",
    "韩": "ko", "韓": "ko", "法": "fr", "德": "de", "俄": "ru", "西": "es",
}  # fmt: skip

_STYLE = r"(?:流利的?|标准的?|標準的?|现代|現代|地道的?|简单的?|簡單的?|正式的?|商务|纯|純)?\s*$"
_TRANSLATED_INTO = re.compile(rf"(?:翻[成为為作到]|[译譯訳][成为為作到]|翻[译譯訳][成为為作到]?)\s*{_STYLE}")
_USING = re.compile(
    rf"(?:用|以|使用|改用|换成|換成|改成|写成|寫成|转成|轉成|转换为|转换成|转为|轉為|说成|說成)\s*{_STYLE}"
)
_NO_QUESTION = re.compile(
    r"(?!(?:单词|單詞)?(?:里|中|裡|裏)?(?:怎|如何|是什么|是什麼|是啥|叫什|叫做什|讲是"
    r"|說是|何と|何て|なんと|どう|だと|では"
    r"|可以说|可以說|的?说法|的?說法|表达|表達))"
)
_WRITING = re.compile(r"(?:写|寫|撰写|撰寫|起草|来|來|给我|給我|生成|草拟|草擬)[^，。！？\n]{0,12}$")
_PIECE = re.compile(
    r"的?(?:作文|邮件|郵件|信|文章|诗|詩|短文|摘要|简历|簡歷|履歷|故事|演讲|演講|介绍|介紹|报告|報告|版)"
)
_ALONE_BEFORE = re.compile(r"(?:^|[\s，,。？！?!.(（：:])(?:请|請)?$")
_ALONE_AFTER = re.compile(r"[。！!)）]*(?:\n|$)")
_REPLY = re.compile(
    r"\s*(?:来|來)?(?:回答|回复|回覆|作答|答复|答覆|输出|輸出|撰写|撰寫|解释一下|说明|說明|讲解|講解)"
    r"|[翻譯译]{1,2}(?:版|一下|。|：|:|$)"
)
_BY = re.compile(
    r"\s*(?:だけ|のみ)?で(?!何|なん|どう|は|も|き)(?=[^。\n]{0,24}(?:答|回答|書(?!かれ|いてあ)|説明|教|返|出力"
    r"|述|お願|紹介|要約|話|訳|して|表|解説|作))"
)
_INTO = re.compile(r"\s*(?:へ|に|への|版に)\s*(?:[^。\n]{0,6})?(?:翻訳|訳|直|変換|し|変え|書き換え)")
_KOREAN = re.compile(
    r"\s*(?:문장|글|텍스트|이메일)?[\s\d개만]{0,5}(?:으?로)(?!\s*(?:뭐|뭘|무엇|어떻게|무슨|쓰여|쓰인|적혀|적힌|되어|돼|된|작성된|작성되))(?:만)?"
    r"(?=[^.\n?]{0,40}(?:답|써|쓰|적어|작성|번역|설명|말해|말하|대답|알려|소개|요약"
    r"|출력|바꿔|바꾸|옮|해줘|해 줘|하세요|부탁|$))"
)
_LETTER = re.compile(
    r"の(?:メール|メッセージ|手紙|返信|返事|文章|文面|文|作文|記事|スピーチ|自己紹介文?|紹介文|履歴書|案内文?|要約|詩|物語|キャプション|レポート)"
    r"[^。、\n]{0,10}(?:書|作|考え|用意|お願|ください|頂戴|ちょうだい)"
)
_KOREAN_LETTER = re.compile(
    r"\s*(?:이메일|메일|편지|글|문장|메시지|문자|자기\s?소개서?|이력서|에세이|답장|안내문|초대장|번역본?|버전|요약)(?:을|를|으로|로)?"
    r"\s*(?:하나\s*|한 통\s*|좀\s*){0,2}(?:써|쓰|작성|만들|부탁|해|보내|줘)"
)
_STATED = ("是用", "是以", "是使用")  # what the text is in
_PART = re.compile(
    r"(?:字段|键|鍵|键值|keys?|变量|變數|列|栏目|欄位|文件|檔案|术语|術語|专有名词|專有名詞|专业词汇|人|地|标签|標籤|函数|函數|类|參數|参数|标题|標題)"
    r"(?:名字?|名称|名稱|本身)?(?:都|均|一律|请|請|可以|全部)?(?:用|以|使用|改用|写成|寫成|保留)$"
)  # of the answer: the names of fields, say
_WHEN = re.compile(
    r"\s*で[^。\n、]{0,12}?(?:書く|話す|答える|する|述べる|返す|作る|教える|伝える|言う|訳す)"
    r"(?:とき|時|際|場合|の[はがにっも]|って|コツ|方法|人|仕事|には|と[きよ]|ミス|練習|能力|力|文化|メリット|機会|自信)"
)  # what one does in a language, as what is asked about
_IN_BRACKETS = re.compile(r"\s?[（(][^）)\n]{1,10}[）)]")


class _Mention(NamedTuple):
    tag: str
    before: str
    after: str


def target(text: str) -> str | None:
    """Name the language that the text asks for, or say that it asks for none. Chinese is of the script it asks in."""
    tag = _asked_for(text)
    if tag == "zh-Hans" and not _SIMPLIFIED.search(text):
        return "zh-Hant" if dominant(text, latin_is_sentence=False).tag in ("zh-Hant", "yue") else tag
    return tag


_SIMPLIFIED = re.compile("[简簡][体體中]")


def _asked_for(text: str) -> str | None:
    last: str | None = None
    for mention in _mentions(text, _HAN_END, HAN_NAMES):
        if _TRANSLATED_INTO.search(mention.before) and _NO_QUESTION.match(mention.after):
            return mention.tag
        if _asks(mention):
            last = mention.tag
    if last:
        return last
    for mention in _mentions(text, _HANGUL_END, HANGUL_NAMES):
        if _KOREAN.match(mention.after) or _KOREAN_LETTER.match(mention.after):
            return mention.tag
    if pair := _PAIR.search(text):
        return _ABBREVIATED[pair["target"]]
    short = _SHORT.search(text) if "訳" in text or "译" in text else None
    return str(short.lastgroup)[:2].replace("zh", "zh-Hans") if short else None


def _asks(mention: _Mention) -> bool:
    before, after = mention.before, mention.after
    if before.endswith(_STATED) or _PART.search(before) or _WHEN.match(after):
        return False
    if _USING.search(before) and _NO_QUESTION.match(after):
        return True
    if _WRITING.search(before) and _PIECE.match(after):
        return True
    if _ALONE_BEFORE.search(before) and _ALONE_AFTER.match(after):
        return True
    return bool(_REPLY.match(after) or _BY.match(after) or _INTO.match(after) or _LETTER.match(after))


def _mentions(text: str, ends: re.Pattern[str], names: dict[str, str]) -> list[_Mention]:
    at = [match.end() for match in ends.finditer(text)]
    if len(at) > _EXAMINED:
        at = at[: _EXAMINED // 2] + at[-_EXAMINED // 2 :]
    found: list[tuple[int, int, str]] = []
    for end in at:
        for start in range(max(0, end - _LONGEST), end - 1):
            tag = names.get(text[start:end])
            if tag:
                while found and found[-1][1] > start:
                    found.pop()  # a longer name ends here: 中文 in 繁體中文 comes first
                found.append((start, end, tag))
                break
    return [_mention(text, *place) for place in found[:2] + found[2:][-2:]]


def _mention(text: str, start: int, end: int, tag: str) -> _Mention:
    after = text[end : end + 60]
    kind = _IN_BRACKETS.match(after)
    if kind:
        after = after[kind.end() :]
        if tag == "zh-Hans" and re.search("繁|正体|正體|台|臺|香港", kind[0]):
            tag = "zh-Hant"
    return _Mention(tag, text[max(0, start - 24) : start], after)
