"""Picks the paragraph of a message that says what is to be done, from the material that it is to be done with.

Looks at the first paragraph, the last and one that is labelled as the question; never at what lies between.
"""

import re

from serve.routing import task
from serve.routing.prose import Prose


def instruction_of(prose: Prose) -> str:
    """Pick the paragraph that says what to do; empty if nothing is left of the message."""
    if not prose.paragraphs:
        return ""
    first, last = prose.paragraphs[0], prose.paragraphs[-1]
    if first is last:
        return first
    labelled = _labelled(prose.paragraphs)
    if labelled or task.sets_to_work(first):
        return labelled or first
    asks = last.endswith(("?", "？"))
    if first.endswith(("?", "？")) or (first.endswith((":", "：")) and not (asks and len(first) < 30)):
        return first
    if asks or task.sets_to_work(last) or (3 * len(last) < len(first) and not _is_item(last, first)):
        return last
    return first


_SENTENCE, _ITEM = 200, 3  # characters of what is to be done with an item of so many words
_UNSPACED = "\u2e80"  # where the scripts begin that write no spaces between words


def _is_item(last: str, first: str) -> bool:
    """Say whether a few words are what a sentence before them is about: "give some national dishes.", "Italy"."""
    return len(first) < _SENTENCE and len(last.split()) <= _ITEM and all(c < _UNSPACED for c in last)


_QUESTION_LABEL = re.compile(
    r"[\s【\[#*(（<]*(?:(?:user |my |the )?(?:question|query"
    r"|task|instructions?)|frage|aufgabe|pregunta|domanda|pergunta"
    r"|vraag|fråga|spørgsmål|spørsmål|kysymys|pytanie|otázka|kérdés|întrebare|soru|câu hỏi|pertanyaan|вопрос|питання"
    r"|въпрос|питање|質問|问题|問題|提问|提問|질문|سؤال|السؤال|پرسش|प्रश्न|सवाल|คำถาม|שאלה|ερώτηση|প্রশ্ন|கேள்வி)"
    r"\s*\d?\s*(?:[】\])）>*]*\s*[:：]\**|[】\])）*]+|$)",
    re.IGNORECASE | re.MULTILINE,
)


def _labelled(paragraphs: tuple[str, ...]) -> str:
    """Find what stands after a label such as "Question:"."""
    for at in (*range(len(paragraphs) - 1, max(len(paragraphs) - 4, -1), -1), 0):
        label = _QUESTION_LABEL.match(paragraphs[at])
        if label:
            rest = paragraphs[at][label.end() :].strip()
            following = paragraphs[at + 1] if at + 1 < len(paragraphs) else ""
            return rest or following
    return ""


def other_end(prose: Prose, instruction: str) -> str:
    """Take the message's other end, if it is short enough to hold an order too."""
    first, last = prose.paragraphs[0], prose.paragraphs[-1]
    other = last if instruction is first else first
    return other if len(other) < 200 else ""
