"""Reads a language off the writing system alone: Han, kana, Hangul, Thai, Greek and the like need no model.

Decides nothing for Latin, Cyrillic, Arabic and Devanagari, which many languages share: it only says that the text is
written in one of them. It counts with C-speed byte operations and keeps no character tables of its own: simplified and
traditional Chinese are told apart by what the standard library's GB 2312 and Big5 codecs can encode.
"""

import re
from typing import NamedTuple

# Code points per UTF-16 high byte. Where two scripts share a high byte, _HALVES says which half is whose.
_BLOCKS = {
    "G": (0x1F,),
    "a": (0x03,),
    "C": (0x04,),
    "A": (0x06, 0x07, 0x08, 0xFB, 0xFC, 0xFD, 0xFE),
    "M": (0x12, 0x13),
    "R": (0x17,),
    "K": (0x30, 0x31),
    "H": (*range(0x34, 0xA0), 0xF9, 0xFA),
    "O": (0x11, *range(0xAC, 0xD8)),
    "b": (0x05,),
    "d": (0x09,),
    "e": (0x0A,),
    "f": (0x0B,),
    "g": (0x0C,),
    "h": (0x0D,),
    "i": (0x0E,),
    "j": (0x10,),
}
_EAST_ASIAN = frozenset("KHO")
_WHOLE = {"G": "el", "C": "Cyrl", "A": "Arab", "M": "am", "R": "km"}
_HALVES = {
    "a": ("\u0370", "Latn", "el"),  # accents by themselves, as some keyboards send, come before Greek
    "b": ("\u0590", "hy", "he"),
    "d": ("\u0980", "Deva", "bn"),
    "e": ("\u0a80", "pa", "gu"),
    "f": ("\u0b80", "or", "ta"),
    "g": ("\u0c80", "te", "kn"),
    "h": ("\u0d80", "ml", "si"),
    "i": ("\u0e80", "th", "lo"),
    "j": ("\u10a0", "my", "ka"),
}


def _table() -> bytes:
    table = bytearray(b"." * 256)
    for letter, high_bytes in _BLOCKS.items():
        for high in high_bytes:
            table[high] = ord(letter)
    return bytes(table)


_CLASS_OF_HIGH_BYTE = _table()
_NOT_ASCII_LETTERS = bytes(b for b in range(128) if not chr(b).isalpha())
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_JAMO = re.compile("[\u3131-\u318e]")
# Words that only a sentence has, unlike a name quoted in a foreign one: particles, pronouns, question words, verbs.
_CJK_FUNCTION = re.compile(
    "[的了吗嗎呢吧请請我你您他她它是在有这這那哪怎么麼什和与與为為把被用给給说說写寫讲講帮幫个個几幾多\u3041-\u3096]"
)
# Written Cantonese: characters that standard written Chinese doesn't use.
_CANTONESE = re.compile("[嘅咗喺佢冇啲嚟哋嗰嘢咁㗎唔俾]|点解|點解|點算|係咪|而家|邊度")

_ENOUGH = 60  # ASCII letters of a Latin text from which nobody asks how many more letters it has

SHARED = frozenset({"Latn", "Cyrl", "Arab", "Deva"})
"""Scripts in which a model has to name the language."""


class Script(NamedTuple):
    """The writing system that carries a text: a language tag, or one of `SHARED`; `letters` says how much there is."""

    tag: str
    letters: int


def dominant(text: str, *, latin_is_sentence: bool) -> Script:
    """Say what the text is written in.

    An ideograph counts for two and a half Latin letters, about what it takes to say the same; one in a sentence of its
    own counts more against Latin terms, for technical Chinese, Japanese and Korean are full of them. Latin words that
    form no sentence (`latin_is_sentence` false: no function word among them) are such terms and count a quarter.
    """
    latin = len(text.encode("ascii", "ignore").translate(None, _NOT_ASCII_LETTERS))
    if text.isascii():
        return Script("Latn", latin)
    classes = text.encode("utf-16-le", "surrogatepass")[1::2].translate(_CLASS_OF_HIGH_BYTE)
    counts = {chr(c): classes.count(c) for c in set(classes)}
    plain = counts.pop(".", 0)
    if not counts and latin >= _ENOUGH:
        return Script("Latn", latin)
    if not counts:
        return Script("Latn", latin + min(plain - latin, sum(map(str.isalpha, "".join(_NOT_ASCII.findall(text))))))
    east = _east_asian(text, counts)
    tag, letters, weight = "Latn", 0, 0.0
    if not counts.keys() <= _EAST_ASIAN:
        tag, letters, weight = max(_others(text, counts), default=("Latn", 0, 0.0), key=lambda found: found[2])
    if east.letters and east.letters * 2.5 >= weight:
        tag, letters, weight = east.tag, east.letters, _weight(text, east.letters, latin_is_sentence)
    if weight >= (latin if latin_is_sentence else latin / 4) and letters:
        return Script(tag, letters)
    return Script("Latn", latin)


def _weight(text: str, letters: int, latin_is_sentence: bool) -> float:
    if letters >= 4 and (_CJK_FUNCTION.search(text) or letters >= 12):
        return letters * 12.0
    return letters * (1.0 if latin_is_sentence else 2.5)


def _others(text: str, counts: dict[str, int]) -> list[tuple[str, int, float]]:
    found = [(_WHOLE[c], n, float(n)) for c, n in counts.items() if c in _WHOLE]
    for c, n in counts.items():
        if c in _HALVES:
            boundary, lower, upper = _HALVES[c]
            start = chr(ord(boundary) & 0xFF00)
            above = sum(boundary <= ch < chr(ord(start) + 256) for ch in text)
            found.append((upper if 2 * above > n else lower, n, float(n)))
    return found


def _east_asian(text: str, counts: dict[str, int]) -> Script:
    han = counts.get("H", 0)
    kana = len(_KANA.findall(text)) if "K" in counts else 0
    hangul = counts.get("O", 0) + (len(_JAMO.findall(text)) if "K" in counts else 0)
    letters = han + kana + hangul
    if not letters:
        return Script("Latn", 0)
    if hangul > kana and hangul * 3 >= han:
        return Script("ko", letters)
    # A single の or a quoted kana word stands in Chinese text too.
    if (kana >= 2 and kana * 8 >= han) or (kana and kana >= han):
        return Script("ja", letters)
    tag = _han("".join(_HAN.findall(text)), text)
    return Script("ja" if kana and kana * 8 >= han and tag != "zh-Hans" else tag, letters)


def _han(han: str, text: str) -> str:
    cantonese = _CANTONESE.findall(text)
    if cantonese and (10 * len(cantonese) >= len(han) or len(set(cantonese)) >= 2):
        return "yue"
    simplified = len(han.encode("gb2312", "ignore"))
    traditional = len(han.encode("big5", "ignore"))
    if len(han) > 1 and len(han.encode("shift_jis", "ignore")) > max(simplified, traditional):
        return "ja"  # kanji that neither Chinese standard has, such as 駅 or 図
    if simplified == traditional:
        return "zh"
    return "zh-Hans" if simplified > traditional else "zh-Hant"
