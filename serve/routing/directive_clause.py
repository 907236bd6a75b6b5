"""Tells what a clause that names a language is: an order, or a statement of a fact about a text or a person.

Knows nothing of the languages' names.
"""

import re

from serve.routing import directive_words as listed

MODAL = re.compile(
    r"\b(?:can|could|would|will) you|\bplease\b|kannst du|können sie|könntest|peux-tu|pouvez|puedes"
    r"|podrías|puoi|pode\b"
    r"|kun je|kan du|kunt u|можешь|можете|możesz|tudnád|voitko|můžeš|poți|можеш"
)
# A sentence that ends in "... in Spanish" is an order unless it tells of somebody or something.
STATES = re.compile(
    r"\W*(?:i|he|she|it|they|we|you|the|my|his|her|our|their|this|that|there|a|an|people|who|most|many|some|all"
    r"|ich|er|sie|es|wir|der|die|das|mein|je|j'|il|elle|nous|on|le|la|les|mon|ma|yo|él|ella|el|los|las|mi|eu|ele|ela"
    r"|o|os|as|meu|io|lui|lei|lo|gli|ik|hij|zij|de|het|mijn|jag|jeg|han|hon|hun|ja|ona|я|он|она|мы|они|мой)\b"
)
MUST = re.compile(
    r"\b(?:must|should|shall|needs? to|has to|have to|want|would like|i'd like|prefer|soll|muss"
    r"|doit|debe|deve|moet)\b"
)
TOLD = re.compile(rf"\b{listed.TOLD}")
_BREAK = re.compile(rf"[,;:()–—]\s*|\b(?:{listed.CONJUNCTIONS})\s")
_JOINED = re.compile(rf"[,;:()–—]\s*|\b(?:{listed.JOINS}|{listed.CONJUNCTIONS})\s")
_POLITE = rf"(?:(?:{listed.POLITELY})\s+)*"
_ORDER = re.compile(
    rf"{_POLITE}(?!{listed.TOLD})(?:{'|'.join((listed.ANSWER + ' ' + listed.TRANSLATE).split())})".replace("_", " ")
)
_CUT_SHORT = frozenset(f"{listed.CUT_SHORT} {listed.PREPOSITIONS}".split())
_WORD = re.compile(r"[^\W\d_]+")


def last(before: str) -> str:
    """Cut out the last clause of what stands before a name."""
    return _BREAK.split(before)[-1]


def own(before: str) -> str:
    """Cut out the clause before a name if an order opens it, what other clauses say being no part of it, or all."""
    begin = 0
    for joint in _JOINED.finditer(before):
        if _ORDER.match(before, joint.end()):
            begin = joint.end()
    return before[begin:]


def cut_short(clause: str) -> bool:
    """Say whether a clause is an order without its verb: "no, then in ..."."""
    return _CUT_SHORT.issuperset(_WORD.findall(clause))


def states(clause: str) -> bool:
    """Say whether a clause tells of somebody or something."""
    return bool(STATES.match(clause)) and not (MUST.search(clause) or MODAL.search(clause))
