"""Tells whether an instruction asks for a given text to be corrected or rewritten.

Rules most instructions out by the first letters of their words, since what it looks for is many verbs.
"""

import re

from serve.routing.wording import Wording

_VERBS = (
    "clean_up fix correct proofread improve rewrite rephrase paraphrase shorten edit revise reword simplify"
    " revisa revisá rivedi relis korriger"
    " korrigier verbesser umschreib formulier überarbeit kürz corrig amélior reformul réécri raccourci mejor reescrib"
    " corrij corríg corríj mejór reescríb acórt melhor reescrev correg riscriv miglior riformul verbeter herschrijf"
    " corrigeer rätta förbättr skriv_om omskriv rett forbedr forkort gjør popraw skróć zredaguj oprav uprav zkrať"
    " přeformuluj popravi javítsd rövidíts korjaa lyhennä muotoile corectează reformulează scurtează lektor corregeix"
    " millora escurça inkorten kort_dit kort_deze kort_het"
    " abrege abrège acorta resúmelo encurte accorcia przeredaguj przepisz düzelt"
    " yeniden_yaz sửa perbaiki исправ перепиш улучши отредактир виправ сократи расставь encurta"
)
_MAKERS = "maak mach mache rend rends haz hazlo rendi torne torna deixe gör gjør gør tee fă učini zrób"
_EDIT = re.compile(
    r"^(?:.{0,40}?\b)?(?:polish(?=\s(?:up|this|that|it|the|my|our|these|following|below)\b)|copy-?edit|ret\b|"
    + "|".join(verb.replace("_", " ") for verb in _VERBS.split())
    + r")\w*"
    rf"|\b(?:{_MAKERS.replace(' ', '|')})\b.{{0,40}}\b(?:beter"
    r"|korter|formeler|duidelijker|besser|kürzer|höflicher|förmlicher|flüssiger|plus|moins|más|menos|più|meno|mais"
    r"|bättre|kortare|bedre|kortere|paremm|lyhyemm|mai|krótsz|lepsz)"
    r"|\bmach(?:e|t)? (?:mir )?daraus\b"
    r"|\bmake (?:this|the|it|my|following)\b.{0,40}\b(?:more|less|sound|shorter|longer|clearer|polite"
    r"|formal|concise|professional)"
)
_EASTERN = re.compile(
    "改正|润色|潤飾|潤色|修改|改写|改寫|校对|校對|纠正|糾正|错别字|錯字|改得|扩写|缩短|精简|缩到|縮到"
    "|缩成|缩减|压缩|縮短|缩写|精炼|简化|改成(?:书面|書面|口语|口語|正式|礼貌|更)|改错|改通顺|直して|訂正|修正して|簡潔に|丁寧に|校正|添削"
    "|رسمی.?تر|ویرایش کن|بازنویسی|صحح|أعد صياغة|أعد كتابة|اختصر|書き直|言い換え|推敲|고쳐|교정|다듬|수정해"
)
_READ = 120  # characters
_BEGINNINGS = frozenset(word[:4] for word in f"{_VERBS} {_MAKERS} polish copy ret make mach fixed fixing".split())


def edits(instruction: Wording) -> bool:
    """Say whether an instruction asks for a text to be edited."""
    lowered = instruction.lowered
    if not _BEGINNINGS.isdisjoint([word[:4] for word in instruction.words]) and _EDIT.search(lowered[:_READ]):
        return True
    return not instruction.western and bool(_EASTERN.search(lowered))
