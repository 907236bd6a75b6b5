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

SPEAK = (
    "speak|talk|sprich|sprecht|sprechen sie|rede|parle|parlez|habla|hable|hablad|háblame|fala|fale|falem|parla|parli"
    "|parlate|spreek|praat|tala|prata|snakk|snak|puhu|mów|mluv|hovor|govori|vorbește|konuş|говори|говорите|розмовляй"
)
"""To speak, as an order: the name of a language follows at once, or after `ONLY`."""

USE = (
    "use|benutze|verwende|utilise|utilisez|usa|utiliza|utilize|gebruik|använd|bruk|brug|używaj|используй"
    "|you speak|du sprichst|sie sprechen|tu parles|vous parlez|hablas|você fala|je spreekt|du talar"
    "|du pratar|du snakker"
    "|you only speak|write|reply|answer|respond|schreib|schreibe|écris|escribe|escreva|scrivi|schrijf|skriv|pisz|пиши"
)
"""To use or write, or what one is said to speak: orders only before `ONLY`."""

ONLY = (
    "only|exclusively|strictly|solely|just|always|nur|ausschließlich|immer|stets|bitte|uniquement|seulement|toujours"
    "|exclusivement|que|solo|sólo|solamente|únicamente|exclusivamente|siempre|só|somente|apenas|unicamente|sempre"
    "|soltanto|solamente|esclusivamente|alleen|uitsluitend|enkel|altijd|bara|endast|enbart|alltid|kun|bare|udelukkende"
    "|alltid|altid|vain|aina|tylko|wyłącznie|zawsze|jen|pouze|vždy|len|samo|uvijek|vedno|doar|numai|mereu|sadece|yalnızca"
    "|только|исключительно|всегда|тільки|лише|завжди"
)
"""Nothing but, and always."""

WITH_ME = (
    "with me|with us|mit mir|mit uns|avec moi|avec nous|conmigo|con nosotros|comigo|con me|met mij|met me|med mig"
    "|med meg|ze mną|se mnou|со мной|зі мною|to me"
)
"""What may go between the order and the name."""

AND = "und|and|et|y|e|en|och|og|i|и|bitte|please|por favor|per favore|merci de|du sollst|you must|you should"
"""What an order with one of `ONLY` may follow within a sentence."""

SPOKEN_ON = (
    "mit|with|avec|con|com|met|med|und|and|et|y|e|en|och|og|i|ze|se|со|с|зі|to|for|für|pour|para|per|voor|till|wenn|when|if"
    "|quand|si|se|als|när|når|even|auch|please|bitte|durante|während|pendant|no|except"
)
"""What may follow the name of the language."""

CONJUNCTIONS = (
    "because|since|as|but|although|though|weil|da|denn|obwohl|aber|parce que|car|puisque|mais|perché|poiché|siccome"
    "|ma|porque|pero|aunque|pois|mas|omdat|want|maar|eftersom|men|fordi|bo|ponieważ|gdyż|ale|protože|çünkü|потому что"
    "|так как|но|тому що|хоча|хотя"
)
"""What a clause of its own begins with."""

JOINS = "so|donc|así que|então|quindi|dus|więc|takže|und dann|und|and then|and|et puis|et|y|e|en|och|og|и"
"""What joins an order to the clause before it."""

POLITELY = (
    "please|pls|plz|just|now|then|so|can you|could you|bitte|dann|also|kannst du|s'il te plaît|stp|alors|por favor"
    "|porfa|entonces|então|per favore|allora|alsjeblieft|graag|snälla|proszę|prosím|пожалуйста|тогда|lütfen|ona|bana"
)
"""What may open an order before its verb."""

CUT_SHORT = (
    "no wait then now or and also again please rather instead sorry actually simple plain nein doch dann jetzt oder und"
    " auch bitte lieber non puis maintenant ou et aussi plutôt luego ahora o y también mejor poi ora e anche meglio"
    " depois agora também nee dan nu of en ook graag nej sedan eller och też potem lub albo нет потом или и лучше the"
)
"""What may stand before a name and its preposition where an order is mended without a verb."""
