"""Finds the language that an instruction asks for where its name takes no preposition that a list could hold.

These are Vietnamese and Malay, whose names follow a word for "language", and the scripts of their own, from Arabic to
Thai, in which a name near a verb such as "answer" is taken for the target.
"""

import re

from serve.routing.inflection import HEADED_NAMES, OTHER_NAMES, block

_HEADED = re.compile(r"\b(tiếng|bahasa) (\w+(?: \w+){0,2})")
_HEADED_ASK = re.compile(
    r"\b(?:bằng|sang|ra|thành|dalam|ke|ke dalam|pakai|guna|menggunakan|gunakan|berbahasa|in|into)\s*$"
)


def headed(text: str) -> str | None:
    """Read a name that follows a word for "language": "sang tiếng Anh", "dalam bahasa Inggris"."""
    if "tiếng " not in text and "bahasa " not in text:
        return None
    for match in list(_HEADED.finditer(text))[-3:]:
        if not _HEADED_ASK.search(text, max(0, match.start() - 12), match.start(1)):
            continue
        names, words = HEADED_NAMES[match[1]], match[2].split()
        for count in range(len(words), 0, -1):
            tag = names.get(" ".join(words[:count]))
            if tag:
                return tag
    return None


_OTHER_ASK = re.compile(
    "اكتب|أجب|اجب|ترجم|اشرح|رد |أكتب|لخص|تحدث|بنویس|پاسخ|ترجمه|جواب|لکھ|بتا|توضیح|जवाब|लिख|बता"
    "|अनुवाद|समझा|उत्तर|भाषांतर"
    "|लेख|ตอบ|เขียน|แปล|อธิบาย|พูด|สรุป|ענה|ענו|כתוב|כתבי|תרגם|תרגמי|הסבר|γράψε|απάντησε|απαντ"
    "|μετάφρασ|εξήγησε|লিখ|উত্তর"
    "|অনুবাদ|பதில்|மொழிபெயர்|எழுது|విவరించ|సమాధాన|అనువ|రాయ|ಉತ್ತರ|ಅನುವಾದ|ബറ|ഉത്തര|വിവർത്തന|പരിഭാഷ"
    "|જવાબ|અનુવાદ|ਜਵਾਬ|ਅਨੁਵਾਦ"
    "|პასუხ|თარგმნ|უპასუხ|պատասխան|թարգման|ትርጉም|መልስ|ተርጉም"
)


def target(text: str) -> str | None:
    """Read the last name of the instruction, in the script of its verb: "from English into Hindi" names two."""
    asked = _OTHER_ASK.search(text)
    if not asked:
        return None
    part = text[max(0, asked.start() - 100) : asked.end() + 100].partition(": ")[0]
    names = OTHER_NAMES.get(block(asked[0]), {})
    places = [(at, len(name), tag) for name, tag in names.items() if (at := part.rfind(name)) >= 0]
    return max(places)[2] if places else None
