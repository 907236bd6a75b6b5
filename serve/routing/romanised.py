"""Knows Hindi, Urdu and Bengali in Latin letters, which people type as they speak, English terms among them.

The model has seen these languages in their own scripts alone, so words decide: some that are nothing else, and some
that are words of other languages too and count only beside one of the first.
"""

from serve.routing import words

_BESIDE = {
    "hi": (
        "hai ka ki ke ko se me mein mai main par pe na ho hun toh to do ek din kal wo woh ye yeh jo kar le de koi sab"
        " agar tha thi bas ji haan han dono lag pata sahi hi hu hue hui kabhi kare aaj aana hota hua raha rahe rahi"
        " baad ghar likho puch banana theek bhai dost milta khana bolo bola gaya diya lena dena karo karna mera meri"
        " mere tera teri aap tum hum jab tak wala wale wali banane karte kaisa waise inka"
    ),
    "bn": (
        "er te ta ti ki na o den din koro kore niye diye ar je ei oi bolo kichu jodi tai hobe ache valo kotha dite"
        " chai keno bangla amar ami theke tomar korte jante nite"
    ),
}
_LISTS = {tag: (frozenset(own.split()), frozenset(_BESIDE[tag].split())) for tag, own in words.ROMANISED.items()}
_SHARE = 4  # one word in so many has to be the language's: the rest may be English terms
_ENOUGH, _SHORT = 3, 7  # words; of fewer words than the second, two are enough
_NEITHER = frozenset(
    ("the", "is", "in", "us", "to", "do", "me", "main", "hum", "mere", "or", "he", "so", "on", "pe", "par")
)
"""Words of English that are spelt as words of Hindi are: evidence for neither."""


def language(text: str) -> str | None:
    """Name the language of a text in Latin letters whose words are Hindi's or Bengali's, or say that it is neither."""
    # Names of songs and films are quoted in every language: capitals inside a sentence don't count.
    first, *rest = text.split(" ")
    plain = " ".join([first, *[word for word in rest if not word[:1].isupper() or word.isupper()]])
    spoken = {word for each in words.split(plain) if (word := each.strip(words.PUNCTUATION))} - _NEITHER
    found = {tag: said for tag, lists in _LISTS.items() if (said := _said(spoken, *lists))}
    return max(found, key=lambda tag: found[tag], default=None)


def _said(spoken: set[str], own: frozenset[str], beside: frozenset[str]) -> int:
    """Weigh what words say for a language: nothing if they are few, or what joins them is another's, say English."""
    sure, weak = len(spoken & own), len(spoken & beside)
    enough = sure + weak >= (2 if len(spoken) < _SHORT else _ENOUGH) and _SHARE * (sure + weak) >= len(spoken)
    if not sure or not enough:
        return 0
    others = words.count(" ".join(spoken - own - beside))
    joined = max([hits for tag, hits in others.items() if tag not in _LISTS], default=0)
    return 2 * sure + weak if sure + weak > (joined if sure > 1 else 2 * joined) else 0
