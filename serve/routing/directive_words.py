"""The words that directives are made of, in the languages that they are written in: stems, one list a purpose.

A table and nothing else. Latin and Cyrillic scripts, lower case; a space separates, `_` stands for a space inside.
"""

TRANSLATE = (
    "translate translating translation translator localis localiz übersetz übertrag tradu tradú"
    " tradui vertaal vertal překlad preklad tłumaczenie oversettelse översätt översatt oversæt oversett"
    " overset tłumacz przetłumacz przełóż přelož přeložit prelož preved prevod fordít käännä kääntä suomenna tõlgi"
    " tõlki tulko iztulko versk išversk þýddu þýða përkthe tafsiri isalin itzul cyfieith aistrigh"
    " traduku çevir çeviri"
    " tercüme tərcümə terjemah dịch перевед перевести_на перевод переклад преведи превод преведете"
    " перакла аудар орчуул"
)
"""To translate."""

TRANSLATED = "localiz(?:a[dcçrn]|z)|translated|traduit|traducid|traduzid|przetłumaczon"
"""Beginnings of those words, as an expression, that tell of a translation and ask for none."""

ANSWER = (
    "answer respond reply replies write writing explain describe summari tell give speak output draft compose rewrite"
    " make provide switch convert continue generate create list please say introduce show teach present produce"
    " communicate discuss chat talk render return use put read recite respons phrase express"
    " antwort beantwort schreib erklär gib fass formulier beschreib bitte nenn erzähl sprich red stell verfass sag"
    " répon écri expliqu résum rédig décri donn racont parl fais présent exprim dis"
    " contest contést escri explic explíc resum resúm redact redáct describ descríb habl háblam haz dame danos cuent"
    " cuént escríb responde respónd dime dinos díg di_ dilo dámel prepár recomiénd sugiér"
    " passa passe coloca põe escrev descrev fale falar faça redija diga"
    " rispon scriv spieg riassum descriv dammi raccont dimmi"
    " schrijf schrijv leg uitle vertel geef vat zeg praat antwoord"
    " svar skriv förklar forklar berätt fortæl fortell besvar sammanfatt säg snakk snak prata"
    " odpowi odpowiadaj odpisz napisz pisz wyjaśn opisz streść opowie podaj mów odpověz odpovíd napiš piš"
    " vysvětl odpoved píš"
    " vysvetli odgovor odgovar napiši piši objasni pojasni odpri"
    " yaz cevap yanıt açıkla anlat özetle olarak konuş söyle cavab izah"
    " jawab tulis jelaskan ceritakan buat balas terangkan gunakan"
    " trả viết giải hãy"
    " vasta kirjoita selitä kerro kirjuta vasta seleta räägi atbild raksti paskaidro atsakyk rašyk paaiškink"
    " válaszol írj írd magyaráz mondd foglald beszélj fogalmazz"
    " răspund scrie explică rezum descrie vorbe svara svaraðu skrifaðu útskýrðu përgjigj shkruaj shpjego"
    " jibu andika eleza sagot sumagot isulat ipaliwanag erantzun idatzi azaldu ateb ysgrifenn esbon freagair scríobh"
    " respondu skribu klarigu beantwoord skryf verduidelik contesta escriu explica"
    " tiivistä referoi foglald összefoglal shrň zhrň povzemi sažmi rezumează oppsummer resumer"
    " tóm_tắt ringkas rangkum"
    " ответ отвеч напиш объясн расскаж опиш пиши говори скажи поясни изложи відпов розкаж напис пояcни кажи говорить"
    " отговор отговар обясн одговор одговар објасни адкаж напіш растлумач жауап жаз түсіндір хариул бич тайлбарла"
)
"""To answer, write, say: what one does in a language."""

TOLD = r"(?<!be )(?:answered|replied|responded|speaks|writes|says|explained|described|shows|talks)\b"
"""Forms of those words, as an expression, that tell of an answer and ask for none."""

PREPOSITIONS = (
    "v ve pra pro in into to using auf ins en em au al ao para på til till na po naar het în w do"
    " на по па в во на_језик"
    " kwa sa yn i as go í á në vers a l d la"
)
"""What goes before a name where it has no case ending to say "in"."""

FROM = "from aus vom von van från fra desde dal dall del z ze od iz из з від от с со"
"""What goes before the language that a text is in already."""

NO_MODIFIER = (
    "a an this that these those my your our his her their some any which what dieser diesem diesen einem einen einer"
    " der dem ce cette ces une un este esta ese una uma esse essa questo questa quel deze dit die een denna detta ett"
    " en den denne et ten tej tym"
)
"""Between a preposition and a name, these make the name an adjective: "in a German town"."""

LANGUAGE_NOUN = (
    "language langue sprache idioma lengua língua lingua taal språk språket sprog sproget język języku jazyk jazyce"
    " jazyku jazykem jezik jeziku jezikom keel kielellä kieli nyelv nyelven nyelvre valod kalb limba dil тіл хэл мов"
    " язык языке језик јазик език gjuh lugha hizkuntza iaith"
)
"""The word for "language", as it follows or goes before a name."""

NOT = (
    "not never don't nicht kein keine pas non no não nunca niet nooit inte aldrig ikke aldrig nie"
    " ne ei älä не никогда"
    " doesn['’]t didn['’]t isn['’]t can['’]t cannot won['’]t"
    " ніколи değil không jangan"
)
"""A name soon after one of these is what the answer shall not be in."""

ONLY = (
    "only exclusively strictly solely just always nur ausschließlich immer stets bitte uniquement seulement"
    " toujours exclusivement solo sólo solamente únicamente exclusivamente siempre só somente apenas unicamente"
    " sempre soltanto esclusivamente alleen uitsluitend enkel altijd bara endast enbart alltid kun bare"
    " udelukkende altid vain aina tylko wyłącznie zawsze jen pouze vždy len samo uvijek vedno doar numai mereu"
    " sadece yalnızca только исключительно всегда тільки лише завжди"
)
"""Nothing but, and always."""

CONJUNCTIONS = (
    "because since as but although though weil da denn obwohl aber parce_que car puisque mais perché poiché"
    " siccome ma porque pero aunque pois mas omdat want maar eftersom men fordi bo ponieważ gdyż ale protože"
    " çünkü потому_что так_как но тому_що хоча хотя if even même auch selbst anche mesmo ook även selv"
    " też si если даже навіть якщо bile"
)
"""What a clause of its own begins with."""

QUESTION = (
    "how what what's whats when which who whose why where was were is are did does do has have warum wieso"
    " weshalb wann wo was welche welcher welches wie pourquoi combien quand quel quelle quels quelles comment"
    " cómo cuál cuáles cuánto cuánta cuántos cuántas cuándo qué dónde qual quais quando quanto quanti quali come"
    " cosa como hoe wat welke waarom hoeveel varför hur vad vilka hvorfor hvordan hvad hva hvilke jak dlaczego"
    " ile kiedy które jaki jaka jakie jakich proč kolik kdy jaké jaký kako zašto koliko nasıl neden kaç hangi"
    " miten mitä miksi paljonko hogy hogyan miért mennyi melyik milyen mi cum cât ce unde care bagaimana mengapa"
    " berapa apa как почему сколько когда какие какой какая что где чому як скільки коли які що де защо колко"
    " какво зошто колку"
)
"""What asks."""

WORDING = (
    "differ différ diferen differenz unterschied verschil różnic rozdíl grammar grammat gramát gramma gramát"
    " tense conjugat konjug pronounc pronunc prononc ausspra aussprech word vocab wörter meaning means mean"
    " bedeut signif betek betyd betyr znacz znamen demek jelent înseamn learn study lern apprend aprend estudi"
    " impar leer lära lære ucz naucz učí oppi tanul învăț выуч изуч учить учу вивч belajar"
    " dativ akkusativ accusativ genitiv subjun subjon subjuntiv congiunt conjunt konjunkt passiv verb adverb adjekt"
    " adjec noun pronom pronoun artikel article artíc articol preposi präposi przyimk plural singular tempus"
    " tiempos alphab alfab akzent accent vowel vokal conson syntax idiom casos fälle naamval słów слов"
    " времена глагол падеж дієсл kasus deklin declin declens exam prüfung"
)
"""What one does who asks about a language: learns it, looks for a word's meaning in it."""

SUBJECT = (
    "i he she it they we you the my his her our their this that there a an people who most many some all ich er"
    " sie es wir der die das mein je il elle nous on le la les mon ma yo él ella el los las mi eu ele ela o os as"
    " meu io lui lei lo gli ik hij zij de het mijn jag jeg han hon hun ja ona я он она мы они мой"
)
"""What opens a statement about somebody or something."""

WISH = (
    "can could would will please pls plz bitte kannst könnt könnten peux pouvez puedes podrías puoi pode poderia"
    " potresti kun kan kunt можешь możesz můžeš müssen must should shall need needs want like prefer soll muss"
    " doit debe deve moet bisogno preciso brauch potrzebuj potřebuj nodig behöver necesit j'ai besoin"
)
"""To be able, to want, to need, and please."""
