"""Tells languages apart that are so alike that a model only guesses: Czech and Slovak, Croatian and Serbian.

By letters and words that only one of a family has. Says nothing where a text shows none: then the guess stands.
"""

import re

from serve.routing import words

_WORDS = {
    "cs": (
        "jak se jsem jsi jsme jste jsou není nebo při když protože aby můžu může můžeš můžete mohl mohla byl"
        " byla bylo být více méně jen žádný který která které kterého kdy napiš napište tvůj vaše svůj tuto"
        " ještě už také než před přes podle kolik proč kdo děkuji odpověď odpovědi větu ze ve umím řekni"
        " vysvětli popiš najdi zapni otevři zavři přidej zruš světlo světla pokoji ložnici kuchyň dnes zítra"
        " následující žádost písmeno"
    ),
    "sk": (
        "ako čo sa som sme ste sú alebo pre pri keď pretože môžem môže môžeš môžete mohol bol bola bolo byť"
        " viac menej iba žiadny žiadne žiadne ktorý ktorá ktoré ktorého kedy napíš napíšte vaša vašej vašu"
        " svoj svoju svojej tento tejto túto ešte už tiež než len medzi pred cez podľa koľko prečo ďakujem"
        " odpoveď odpovede vetu zo povedz vysvetli vysvetlite opíš uveďte nájdi otvor zatvor pridaj svetlo"
        " svetlá izbe obývačke spálni zajtra uistite použite použi vytvorte nasledujúci nasledujúcu"
        " nasledujúce žiadosť slová písmeno dobrú čínsku vo mohli začni prvý odsek vymenuj celý zopakujte"
        " zrušte zapnite vypnite"
    ),
    "hr": (
        "što tko gdje uvijek vrijeme poslije prije lijepo sutra tjedan tjedna kruh tisuću tisuća netko nitko"
        " sljedeći sljedeće sljedeća razumijem htio htjela želio riješi rješenje čovjek uspjeh promijeni"
        " promijeniti suradnja zrak zraka glazba glazbu pjesma pjesmu svjetlo svjetla kupaonica kupaonici"
        " ujutro vani podsjetnik podsjetnike podsjeti računalo zaslon datoteka datoteku poveznica snijeg"
        " mlijeko riječ riječi rečenica dvije obje cijeli cijelu primjer primjera primjere povijest tvrtka"
        " tvrtke tvrtku kolovoz kolovoza rujan rujna listopad listopada studeni prosinac prosinca siječanj"
        " siječnja veljača veljače ožujak ožujka travanj travnja svibanj svibnja lipanj lipnja srpanj srpnja"
        " europa točno točka juha obitelj izvješće popis vlak uvjet općina razina nazovi mjesto mjesec djeca"
        " dijete vidjeti odvlaživač timer timeru timere bok"
    ),
    "sr": (
        "šta ko gde uvek vreme posle pre lepo nedelju nedelja nedelje hleb hiljada hiljadu uopšte neko niko"
        " ovde onde sledeći sledeće sledeću sledeća razumem hteo htela želeo reši rešenje čovek uspeh promeni"
        " promeniti saradnja takođe vazduh vazduha muzika muziku muzike pesma pesmu pesme svetlo svetla"
        " svetlost kupatilo kupatilu tajmer tajmera ujutru napolju podsetnik podsetnike podsetnika podseti"
        " kompjuter računar sneg mleko reč reči dve obe celi celu primer primera primere istorija istoriju"
        " firma firmu avgust septembar oktobar novembar decembar januar februar mart april jun jul avgusta"
        " septembra oktobra novembra decembra januara februara marta aprila juna jula evropa tačno tačka supa"
        " porodica porodicu izveštaj spisak voz uslov opština nivo pozovi mesto mesta mesec meseci deca dete"
        " videti zdravo rezerviši sto kaži fudbal prikaži bioskop"
    ),
    "sl": (
        "kaj kje kdaj zakaj kateri katera katero še bo ker lahko oseb minut časovnik ustavi vklopi izklopi"
        " odpri zapri luč luči kakšno kakšna kakšen tudi zelo naj več manj danes jutri včeraj ki ter sem vreme"
        " napiši ali pri ima moj"
    ),
    "da": (
        "af hvad mig dig noget nogle hvornår hvorfor uden efter sætning brug bruge hjælp vejr lige deres"
        " også blive gør gøre mellem ud op ned opgave opgaver opgaven spørgsmål sprog uge arbejder arbejde vigtig"
        " vigtigste viden forskel fortæl skrivning læsning lave tilføj sluk afspil gerne omskriv sjov indhold præcis"
        " bogstaver afsnit gik fik igår derhen nej bliver mere"
    ),
    "no": (
        "av hva meg deg noe noen hvorfor uten etter setning bruke bruk hjelp deres også bli gjør gjøre"
        " mellom ut opp ned oppgave oppgaver oppgaven oppgavene spørsmål språk uke jobber arbeid viktig viktigste"
        " kunnskap forskjell fortell skriving lesing lage nå legg skru gjerne nøyaktig øyeblikk gikk fikk nei blir mer"
    ),
    "et": (
        "mis mida kes kas kuidas miks millal kus milline see seda selle selles need neid ning aga või kui oma ka"
        " veel välja palun loo looge kirjuta kirjutage andke antud leia leidke mõned mõne järgmine järgmised"
        " järgneva selgita vasta tehke lisa võta mulle minu sinu teie meie uus kaks neid kasutab võid"
    ),
    "fi": (
        "mitä mikä kuka miten miksi milloin missä millainen tämä tätä tämän nämä niitä sekä mutta tai"
        " kun myös vielä kirjoita luo etsi jotkut seuraava selitä vastaa minulle minun sinun meidän kuinka"
        " ovat ole kerro anna"
    ),
    "gl": (
        "fai unha dunha nunha cunha coa pecha teito xanela axusta cociña garaxe dende ata moi máis tamén"
        " grazas quen cando xeral xente luces"
    ),
    "pt": "uma numa com não você janela também mais obrigado quem quando luzes desligue ligue já gente",
    "ca": (
        "els les amb per són què quin quina atura engega tanca puja baixa llum llums cuina menjador sostre"
        " temporitzador calefacció minuts tots totes dels meva meu aquest aquesta encén dormitori finestra"
        " treu posa tota"
    ),
    "es": "los las con son qué cuál pon sube baja luz luces cocina comedor minutos todos todas del mi",
}
_LETTERS = {
    "cs": "[ěřů]",
    "sk": "[ľĺŕôä]",
    "hr": r"ije[mdčsštvklbpz]|[mpstv]je(?=\w)",  # Serbian in Latin letters writes e: vreme, mesto
    "sr": r"\b(?:da li\b|vreme\b|sneg|svetl|mesec|pesm|posle|sled|obavešt|podset|nedelj|videl|vežb|devoj)",
    "da": r"\w{3}(?:hed|skab)(?:en|et|er|erne)?\b",
    "no": r"\w{3}(?:het|skap)(?:en|et|er|ene)?\b",
    "et": "õ",
    "fi": "y",  # which Estonian has in names alone
    "ca": r"[àèòïç]|l·l|ny\b",
    "pt": "[ãõ]",
    "es": "¿|¡|ción",
}
_FAMILIES = (
    frozenset(("cs", "sk")),
    frozenset(("hr", "sr", "sl")),
    frozenset(("da", "no")),
    frozenset(("et", "fi")),
    frozenset(("gl", "pt")),
    frozenset(("ca", "es")),
)
FAMILY = {tag: family for family in _FAMILIES for tag in family}
"""The languages that one is mistaken for, and itself."""
LARGE = frozenset(("pt", "es", "fi"))
"""Languages asked in far more often than their siblings: two words of their own are enough."""
EQUAL = frozenset(("hr", "sr", "sl", "da", "no"))
"""Languages asked in about as often as their siblings: a guess at one that is split between them is a sure guess."""


def _own_words() -> dict[str, frozenset[str]]:
    """Leave out what a sibling has too."""
    listed = {tag: set(line.split()) for tag, line in _WORDS.items()}
    return {
        tag: frozenset(own.difference(*(listed[other] for other in FAMILY[tag] if other != tag)))
        for tag, own in listed.items()
    }


_OWN = _own_words()
_MARKS = {tag: re.compile(pattern) for tag, pattern in _LETTERS.items()}


def are_alike(one: str, other: str) -> bool:
    """Say whether two languages are of one family, of which faulty text is easily taken for the other."""
    return one != other and other in FAMILY.get(one, ())


def told(text: str, guess: str) -> str:
    """Name the one of a language's family that a text shows the most marks of; the guess where it shows none."""
    spoken = {word.strip(words.PUNCTUATION) for word in words.split(text)}
    lowered = text.lower()
    best, most = guess, _marks(lowered, spoken, guess)
    for tag in sorted(FAMILY[guess] - {guess}):
        found = _marks(lowered, spoken, tag)
        if found > most:
            best, most = tag, found
    return best


def shows(text: str, tag: str) -> bool:
    """Say whether a text has a word or letter that only this one of its family has."""
    return _marks(text.lower(), {word.strip(words.PUNCTUATION) for word in words.split(text)}, tag) > 0


def _marks(lowered: str, spoken: set[str], tag: str) -> int:
    """Count what in a text only this one of its family has."""
    pattern = _MARKS.get(tag)
    return len(spoken & _OWN[tag]) + (len(set(pattern.findall(lowered))) if pattern else 0)
