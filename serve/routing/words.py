"""Counts function words of Latin-script languages: what a model of letter sequences is weakest at is short questions.

Only words that belong to a single listed language count; a word that two lists share is dropped when the table is
built. Says how many were seen, never which language it is.
"""

import math

_LISTS = {
    "en": "the what how why when which who where is are was were does did do you your with this that these"
    " those please explain tell give write would could should can't don't have been from about into"
    " between because thanks thank hello hi yes my me it's what's i'm i'd of and there their they whose if"
    " than then one another out them each every first list best way most good morning sorry want need help"
    " think know make just only some any continue describe translate summarize rewrite a an in on at for"
    " to no not be by we he she as so can will more new war hat suggest name create compare recommend show"
    " propose define calculate convert discuss identify classify imagine pretend analyze resume cite use"
    " using better who's isn't doesn't didn't won't shouldn't wouldn't let's i've i'll you're we're"
    " they're he's she's that's there's where's how's everything something nothing anything someone anyone"
    " everyone people many much before after through during without against while since until both such"
    " here again never ever always often really maybe very too even still now right great sounds nice okay"
    " today old next year years day days life world city country words sentence numbers three two four"
    " five six seven eight nine ten under below above down up got get gets going went come came say said"
    " took used works short different few least might must shall ask asked answer example examples meant"
    " extract entities recipe best plan trip same interesting fascinating marvelous sure slow easy"
    " hard true false well being am book difference"
    " reasons reason ways also all has or us last may time word work find go format ideas"
    " solve simplify evaluate differentiate factorize compute teh waht whta hwo adn taht thier pls plz dont doesnt"
    " didnt isnt wont whos thats wanna gonna gimme lemme"
    " quick kitchen door doors bedroom bathroom unlock converting sorting detecting removing adding creating"
    " checking reading writing finding replacing splitting counting comparing choosing printing drawing"
    " deleting queries values characters columns rows implement remove unexpected toppings cheap healthy weird"
    " funny strange advice getting",
    "de": "fehler rezept reise planen beste bester bestes geschenk einfach einfaches der das und ist nicht"
    " ich du wie warum wer wann wo welche welcher welches eine einen einem einer auf"
    " für mit von zu zum zur kannst können bitte danke vielen hallo erkläre erklär nenne gib mir mein"
    " meine dein sie wir ihr sind war wird werden auch noch aber oder wenn dass weil über zwischen"
    " unterschied schreib schreibe erzähl guten morgen weiter gut heute ja nein bist dem des im ins vom"
    " heißt bedeutet mich dich machen gibt in an am so was es er als bis man hat haben kein keine nach bei"
    " um aus durch ich's sein diese dieser dieses die den schlage beschreibe vergleiche erstelle übersetze"
    " fasse liste empfiehl zeig zeige definiere berechne analysiere generiere name soll sollte könntest"
    " möchte brauche hilf habe hast immer nie jeder jede jedes seit ohne gegen besser alle mehr sehr viel"
    " viele will drei zwei vier fünf sechs sieben acht neun zehn wörter wort satz zeit jahr jahre tag"
    " leben welt stadt land buch neue neu groß klein wenig dann jetzt hier dort vor danach synonyme gründe"
    " schritte hund katze option anfrage erste also all last find fast kind format or",
    "fr": "erreur recette facile idée cadeau voyage le les des une est pas je tu nous vous ils elle"
    " pourquoi comment quand quel quelle quels quelles qui"
    " où avec pour dans sur par plus mais donc et ou cette ces mon ma mes ton votre moi peux pouvez merci"
    " bonjour beaucoup c'est qu'est-ce quoi explique donne raconte écris être fait faire entre au aux du"
    " oui non après suis aujourd'hui sont était très aussi différence d'un d'une l'histoire un en de la se"
    " si ne sa son ses leur il on a à me te comme tout tous cela ça y l'a deux que cite propose décris"
    " résume compare crée génère traduis rédige liste recommande suggère calcule analyse imagine nomme"
    " définis vaut-il faut-il est-ce j'ai veux voudrais besoin aide-moi aider puis-je dois-je n'ai"
    " toujours jamais chaque parce depuis jusqu'à sans autre mieux trois quatre cinq six sept huit neuf"
    " dix mots mot phrase temps année années jour vie monde ville pays livre même nouveau grand petit peu"
    " bien mal alors maintenant ici là avant soyez proposez options répondez demande première raisons"
    " façons étapes synonymes chien chat trouvez donnez écrivez expliquez décrivez utilisez faites vos nos"
    " leurs or possible format us combien font lequel laquelle synonyme recettes horaires météo maman demain convertis"
    " traduire traduction",
    "es": "receta fácil regalo regalos viaje barato barata casero casera el los las una es por qué"
    " cómo cuál cuándo quién dónde con para pero más muy y del al gracias hola"
    " muchas puedes lista puede dame cuéntame escribe explica explícame háblame mi tu eres soy sigue sí hoy está"
    " son hay fue hacer entre diferencia sobre esto este esta ese usted buenos días tardes quien cual"
    " cuáles tiene ser lo un en de la le se si no a e o como me te su sus todo todos ha han dos les que"
    " nombra sugiere menciona enumera recomienda recomiéndame crea haz traduce resume compara describe"
    " genera propón define cita calcula analiza imagina actúa redacta debería deberías quiero necesito"
    " ayúdame tengo puedo algún alguna ninguna nada siempre nunca también cada porque desde hasta sin nos"
    " otro otra mejor tres cuatro cinco seis siete ocho nueve diez uno palabras palabra frase problema"
    " salida menos tiempo año años día vida mundo ciudad país libro mismo nuevo gran grande pequeño mucho"
    " poco bien mal entonces ahora aquí allí aunque mientras según antes después sé sea concisa conciso"
    " responda proponga formato nivel conduce consta perro gato sinónimos razones formas pasos has ideas"
    " go recetas sinónimo significado cena horario",
    "pt": "erro resolvo receita presente viagem fácil os uma é não você como qual quando quem onde com para mas"
    " mais muito obrigado obrigada olá pode"
    " posso me escreva lista explique conte dê um do da dos das na nas nos pelo pela são está meu minha seu sua"
    " hoje estou diferença isso este esta fazer ser tem ao à também porque foi sobre bom dia de se a o e"
    " em no por que si as te seus todos dois ou só já sugira liste descreva resuma compare crie traduza"
    " recomende gere cite defina calcule analise imagine devo deveria quero preciso ajude-me tenho sempre"
    " nunca cada sem outro outra melhor tudo nada faça use três quatro cinco seis sete oito nove dez"
    " palavras palavra frase tempo ano anos vida mundo cidade país livro mesmo novo grande pequeno pouco"
    " bem mal então agora aqui ali antes depois sinônimos motivos passos cachorro gato problema receitas sinônimo"
    " jantar significado",
    "it": "errore ricetta veloce regalo viaggio il gli una è non che come perché quando chi dove quale"
    " quali con per ma più molto grazie ciao mille orari trama capitale sinonimo significato papà mamma domani"
    " lista puoi può dammi dimmi raccontami scrivi spiegami spiega mi tuo sono sei della del dei delle nel nella"
    " stasera alla al questo questa oggi cosa cos'è differenza tra fra anche stai bene lo sul hai un in la le se"
    " si e a o i di da uno due no ne te me sua suo su tutti tutto ci loro ha suggerisci elenca descrivi"
    " riassumi confronta crea traduci consigliami proponi genera definisci calcola analizza immagina cita"
    " dovrei vorrei voglio bisogno aiutami ho posso sempre mai ogni senza altro altra meglio alle man tre"
    " quattro cinque sette otto nove dieci parole parola frase tempo anno anni giorno vita mondo città"
    " paese libro stesso nuovo grande piccolo poco male allora adesso ora là prima dopo era film sinonimi"
    " motivi passi cane gatto richiesta sorelle fratelli rispondi rispondere",
    "nl": "fout het een is niet ik je jij hoe waarom wie wanneer waar welke wat van voor met op en maar ook nog"
    " bedankt dank hallo gaat kun kan geef mij vertel schrijf leg uit zijn ben bent wordt worden de deze"
    " dit die naar verschil tussen om te goed boek heeft hebben als er in of aan al was zo bij me we ze"
    " over hun mijn dan nu help want noem beschrijf vergelijk maak vertaal bedenk definieer bereken moet"
    " moeten kunnen wil graag hulp altijd nooit elke zonder beter alle man veel meer mag had zou drie twee"
    " vier vijf zes zeven acht negen tien woorden woord zin tijd jaar dag leven wereld stad land nieuw"
    " groot klein weinig hier daar vertalen na hond kat word last find kind hard us work",
    "sv": "fel och är inte jag du hur varför vem när var vilken vad för med på av att det den ett en som kan tack"
    " så mycket berätta förklara skriv mig min din till om mellan skillnaden bra från eller i men alla man"
    " sig har vi de ska hej över under föreslå lista beskriv jämför skapa översätt nämn ge bättre alltid"
    " aldrig utan skulle behöver vill hjälp tre två fyra fem ord tid år dag liv värld stad land bok ny"
    " stor liten nu här där får",
    "da": "fejl og er ikke jeg du hvordan hvorfor hvem hvornår hvor hvilken hvad for med på af at det den et en som"
    " kan tak mange fortæl forklar skriv mig min din til om mellem forskellen god fra eller i så men alle"
    " man sig har vi de skal hej ud nu over under bog kunne have nævn beskriv sammenlign lav oversæt"
    " foreslå giv bedre altid aldrig uden skulle vil hjælp bedst tre to fire fem ord tid år dag liv verden"
    " by land ny stor lille her der må time efter meget gøre gør op uge lave laver nogle nogen blive bare bliver"
    " hun dine hvis også noget dit mit sit"
    " fordi dette disse hvilke dig endnu måske opskrift nem måde bedste køre koster bør arbejde morgen børn rigtig",
    "no": "feil og er ikke jeg du hvordan hvorfor hvem når hvor hvilken hva for med på av at det den et en som kan"
    " takk mange fortell forklar skriv meg min din til om mellom forskjellen god fra eller noe i så men"
    " hun hvis også alle man seg har vi de skal hei ut nå over under bok kunne nevn beskriv sammenlign lag oversett"
    " foreslå gi bedre alltid aldri uten skulle vil hjelp best tre to fire fem ord tid år dag liv verden"
    " by land ny stor liten her der må time etter mye gjøre gjør opp uke lage lager noen bli vegg veggen bare blir"
    " fordi dette disse hvilke deg ennå kanskje oppskrift enkel måte beste kjøre koster bør jobb morgen barn veldig"
    " dit mitt sitt ditt",
    "fi": "virhe ja on ei minä sinä miten miksi kuka milloin missä mikä mitä kiitos hei kerro selitä kirjoita voitko"
    " olla tämä se että paljon hyvää me he ne en jos kun tai sen ehdota luettele kuvaile vertaa luo käännä"
    " anna parempi aina tarvitsen haluan mistä mihin kolme kaksi neljä viisi sana aika vuosi päivä elämä"
    " maailma kaupunki maa kirja uusi nyt tässä siellä",
    "pl": "za i jest nie ja ty jak dlaczego kto kiedy gdzie jaka jaki jakie co dla z w na się to proszę dziękuję"
    " bardzo cześć czy możesz napisz opowiedz wyjaśnij mi mój kim czym między że od po dobrą jesteś a o u"
    " we ten ta te są ma ale tak by mu my list podaj opisz porównaj stwórz przetłumacz wymień zaproponuj"
    " powinienem chcę potrzebuję pomóż mam mogę zawsze nigdy każdy bez lepiej lepszy które który która"
    " name trzy dwa cztery pięć sześć słowa słowo zdanie czas rok lata dzień życie świat miasto kraj"
    " błąd chyba książka nowy duży mały teraz tutaj tam ile ilu mają poziom klasa zadanie pierwsze format may",
    "cs": "a je ne já ty jak proč kdo kdy kde jaký jaká jaké co pro s v na se to prosím děkuji ahoj můžeš napiš"
    " vysvětli mi můj mezi že od po dobrou moc jsem jsou rozdíl i o u si ten ta ale by mu do za ma my list"
    " navrhni popiš porovnej vytvoř přelož vyjmenuj uveď lepší vždy nikdy bez potřebuji chci mám který"
    " která které kterém tři dva čtyři pět slovo věta čas rok den život svět město kniha nový velký malý"
    " teď tady tam kolik chyba chybu",
    "tr": "ve bir bu ne neden nasıl kim nerede hangi mi mı nedir nasılsın için ile merhaba teşekkürler teşekkür"
    " bana lütfen çok yaz anlat açıkla olan var yok da de daha iyi ben sen evet o şu mu mü ki en az iki ya"
    " biz siz listele tanımla karşılaştır oluştur çevir özetle öner önerir misin liste her zaman istiyorum"
    " lazım nasıldır hakkında üç dört beş kelime cümle yıl gün hayat dünya şehir ülke kitap yeni büyük"
    " nelerdir hata hatası küçük şimdi burada kadar uzakta midir mıdır mudur müdür musun mısın",
    "vi": "lỗi là gì như thế nào tại sao khi ai ở đâu và của cho với không có tôi bạn xin chào cảm ơn hãy một các"
    " những được trong vào anh em ta ra do đi viết dịch liệt kê tóm tắt so sánh đề xuất nên muốn cần giúp"
    " bao nhiêu hay hơn ba hai bốn năm từ câu thời gian ngày giới thành phố nước sách mới lớn nhỏ bây giờ"
    " đây",
    "id": "apa yang dan adalah bagaimana mengapa kenapa siapa kapan dimana mana di ke dari untuk dengan tidak"
    " saya kamu anda terima kasih halo tolong jelaskan ceritakan berikan bisakah ini itu banyak tentang"
    " agar buku ada akan bisa satu dua kami kita tak hari sebutkan buatkan buat bandingkan sarankan"
    " terjemahkan tuliskan tulis berapa atau lebih baik harus ingin bantu juga pada oleh sebagai tiga"
    " empat lima enam kata kalimat waktu tahun hidup dunia kota negara baru besar kecil sekarang sini sana"
    " jauh boleh",
    "ro": "și este nu eu tu cum ce cine când unde care pentru cu de la din mulțumesc salut poți scrie explică"
    " îmi între diferența sunt bună un o le se a si mai ca am ai are sa al ei lor pe în e propune descrie"
    " compară creează tradu enumeră vreau ajută-mă mereu fără traduce trei două patru cinci cuvinte timp"
    " an zi viață lume oraș carte nou mare mic acum aici acolo",
    "und": "ni hao wo shi bu zhi dao zen yang hen xie ming tian jin qian shenme weishenme zenme watashi wa desu"
    " arigatou konnichiwa nani doko ohayou hai",
    "hu": "hiba és a az nem én te hogyan hogy miért ki mikor hol melyik mi köszönöm szia kérlek írj egy jó van de se"
    " ha ti ez be le meg javasolj írd hasonlítsd fordítsd sorolj mindig soha nélkül szeretnék segíts három"
    " kettő négy öt szó idő év nap élet világ város könyv új nagy kis most itt ott",
    "ru": "и в не на что как это почему кто где когда какой какая какие чем для с по ты я мне мой привет"
    " спасибо большое пожалуйста расскажи объясни напиши сколько можешь между или есть был была такое меня"
    " придумай предложи опиши сравни создай переведи перечисли назови посоветуй хочу нужно помоги всегда"
    " никогда без лучше стоит мы вы он она они но же ли бы",
    "uk": "і та в не на що як це чому хто де коли який яка які чим для з по ти я мені мій привіт дякую дуже"
    " будь ласка розкажи поясни напиши скільки можеш чи між або є був була таке мене придумай запропонуй"
    " опиши порівняй створи переклади назви порадь хочу потрібно допоможи завжди ніколи без краще варто ми"
    " ви він вона вони але же бы",
    "bg": "и в не на какво как това защо кой къде кога каква какви за с по ти аз ми здравей благодаря моля"
    " разкажи обясни напиши през колко можеш ли между или е беше да се който която което къде искам трябва"
    " прави направя има няма вие той тя те сега много добре някой след също така още ако един една две деца времето"
    " какъв каква къщи мога може може ли би бих съм си ще ме ви ни го им няколко кажи дай нещо български",
    "hi": "है हैं था थी थे सा सी सबसे अच्छा क्या में की के का मुझे आप से को और नमस्ते कैसे क्यों होता एक यह पर सकते",
    "mr": "आहे आहेत काय मला आणि तुम्ही कसे का एक हे नाही करा",
    "ne": "छ छन् के मलाई र तपाईं कसरी किन एक यो हो गर्नुहोस्",
    "ar": "ما هي هو في من هل كيف لماذا على لي عن إلى هذا أن مرحبا شكرا بين و",
    "fa": "است چیست در از آیا چگونه چرا را این که به برای سلام ممنون بین و می‌توانید",
    "ur": "ہے ہیں کیا میں سے آپ کیسے کیوں کو یہ کہ مجھے اور سلام شکریہ",
}

_MALAY = (
    "nak awak kerana bagaimanakah korang takde jugak pulak jom camne sahaja syarikat biasiswa cukai universiti"
    " tarikh borang iaitu bilakah senaraikan huraikan perkhidmatan kesihatan peguam mahkamah basikal rosak"
    " ringgit pengaturcara rentetan bahawa sebarang langsir bilik padamkan filem pengarah tandas ejaan senarai"
    " tetapan pejabat perkakasan bolehkah mengapakah menerangkan bercakap ketawa akaun pengasas karangkan"
    " cadangkan perubatan bergurau berkahwin maklumat perniagaan pelancongan kewangan ubat resipi peperiksaan"
    " temuduga jimat kaunter perbualan kebangsaan"
)
"""Words of Malay of which one is enough, since Indonesian has others."""
_INDONESIAN = "bisa karena mobil kantor banget nggak gak enggak ngga sih dong deh gue udah silakan gimana kuliah rupiah"
_SURELY_MALAY, _SURELY_INDONESIAN = frozenset(_MALAY.split()), frozenset(_INDONESIAN.split())

ROMANISED = {
    "hi": (
        "likhu kya kyaa kaise kaisi nahi nahin nhi mujhe mujhko tujhe tumhe tumhara tumhari hamara hamari humein kyun"
        " kyu kyunki kyonki kaun kahan kidhar hain hoon lekin chahiye chahie batao bataye bataiye bataen bataao batana"
        " samjhao samjha samjhaye samajh aur phir abhi jaldi kuch bahut bohot bahot zyada jyada thoda thodi apna apne"
        " uska uske uski iska iske iski unka unke unki bhi liye hoga hogi honge gayi karein karta karti"
        " karke krna krke kardo krdo kro karenge karunga karungi karwana jaise yaha yahan waha wahan isliye aata"
        " aate aati jaata jaate jaati hoti hote rha rhi rhe rehta rehte rehti usko isko dikha dikhao pehle pehli pehla"
        " saath paise paisa likhna likhkar pucho puchte puchna sakta sakte sakti chahta chahte chahti hataye hatana"
        " hatao banao banaye banau banaun rakhna rakhni thik accha acha achha acchi achhi sirf kitna kitni"
        " kitne matlab yaar aapka aapke aapki kisi kisko kiska kiske konsa kaunsa kaunsi kripya dhanyavaad shukriya"
        " namaste milega milegi chalega chalta chalao sikhna seekhna padhna padhai padhu khane dekho dekhna bolna"
        " bolte gaye lagta lagti lagega lagegi dijiye dedo deta dete karu karun karni karne unhe inhe jisme isme usme"
    ),
    "bn": (
        "kivabe kibhabe jonno korbo korun korchi korben kemon kothay lagbe parbo parchi parbe parben ebong"
        " kintu shudhu amake tomake apnar apnake apnader hoyeche hocche bujhte bujhi ekhon ekta achen tumi bhalo"
        " bolun likhun likhe banate dorkar"
    ),
}
"""What Hindi, Urdu and Bengali look like in Latin letters; Urdu so written is Hindi so written."""

_SMALL = {
    **ROMANISED,
    "ms": "macam ialah adakah sila terangkan tu je dekat kat lah kenapakah hendak ataupun berkenaan semasa"
    " malaysia encik puan tau tempoh esok isnin khamis jumaat mesyuarat jururawat emel perisian nombor " + _MALAY,
    "tl": "ang ng mga ano paano bakit sino kailan saan ako ikaw siya kami tayo kayo sila ito iyan hindi oo po salamat"
    " kumusta kamusta gusto pwede puwede ba ko mo niya natin namin para ngayon bukas isang lang naman yung",
    "sw": "ni nini vipi kwa nini habari asante tafadhali mimi wewe yeye sisi hii hiyo ya wa na katika jinsi gani je"
    " naweza unaweza nataka niambie eleza andika kuhusu ngapi wapi lini nani",
    "ca": "què com quan qui per què amb els les és són aquest aquesta gràcies bon dia explica'm digue'm escriu hola"
    " puc pots on quin quina quins també però molt meva meu tinc vull cal d'un d'una l'any fer",
    "gl": "que cómo cando quen onde porque cos nun nunha é son isto grazas bos días podes dime escribe tamén moi eu"
    " unha dun dunha teño quero fago",
    "eu": "zer nola noiz nor non zergatik eta da dira ez bai eskerrik asko kaixo mesedez nire zure egin dut dugu"
    " bat zein zenbat",
    "hr": "što kako zašto tko kada gdje koji koja koje sam si je smo ste su nije i ili ali za od do sa iz na u mi"
    " moj moja hvala molim bok možeš mogu trebam napiši objasni koliko između treba li da se bih samo kako"
    " kuha kuhati skuhati tjedan tjedna kruh kruha tisuća uopće netko nitko ovdje uvijek poslije prije vrijeme lijepo"
    " sljedeće sljedeći razumijem htio htjela želio rješenje riješiti čovjek djevojka uspjeh promijeniti"
    " suradnja također",
    "sr": "šta kako zašto ko kada gde koji koja koje sam si je smo ste su nije i ili ali za od do sa iz na u mi moj"
    " moja hvala molim zdravo možeš mogu treba napiši objasni koliko između da li se bih samo"
    " kuva kuvati skuvati nedelja hleb hiljada uopšte ovde uvek posle niko neko sledeće sledeći razumem hteo htela"
    " želeo rešenje rešiti čovek devojka uspeh promeniti saradnja takođe"
    " како шта зашто ко када где који која које сам си је смо сте су није или али за од до са из на у ми мој моја"
    " хвала молим здраво можеш могу треба напиши објасни колико између да ли се бих само",
    "mk": "направам како што зошто кој кога каде која кои сум си е сме сте се не или но за од до со"
    " на во ми мојот моја фала"
    " благодарам здраво можеш можам треба напиши објасни колку меѓу дали да би само",
    "sl": "kaj kako zakaj kdo kdaj kje kateri katera katero sem si je smo ste so ni in ali pa za od do z iz na v mi"
    " moj moja hvala prosim živjo lahko napiši razloži koliko med ali bi samo rad kaj",
    "sk": "čo ako prečo kto kedy kde ktorý ktorá ktoré som si je sme ste sú nie a alebo ale pre od do s z na v mi"
    " môj moja ďakujem prosím ahoj môžeš môžem napíš vysvetli koľko medzi či by len aký aká aké",
    "et": "mis kuidas miks kes millal kus milline kas on ei ja või aga mina sina ma sa see seda"
    " tänan aitäh palun tere"
    " minu sinu palju võib saab selgita kirjuta oma",
    "lv": "kas kā kāpēc kurš kad kur kāds kāda kādi vai ir nav un bet es tu tas tā paldies lūdzu sveiki mans mana cik"
    " var man no ar par uz pie",
    "lt": "kas kaip kodėl kuris kada kur koks kokia kokie ar yra nėra ir bet aš tu tai ačiū prašau labas sveiki mano"
    " kiek gali galima man su apie į iš",
    "is": "hvað hvernig hvers vegna hver hvenær hvar hvaða er ekki og eða en ég þú það þetta takk halló mér minn mín"
    " getur get á í af að um við til frá hversu margir mikið",
    "sq": "çfarë si pse kush kur ku cili cila është janë nuk dhe ose por unë ti kjo ky faleminderit përshëndetje mund"
    " më të një për nga në me sa",
    "af": "wat hoe hoekom wie wanneer waar watter is nie en of maar ek jy dit hierdie dankie asseblief hallo my jou"
    " kan vir van om te baie",
    "az": "nə necə niyə kim harada hansı və bir bu üçün ilə salam təşəkkür mənə zəhmət olmasa mən sən var yoxdur edir"
    " necədir haqqında",
    "be": "і у не на што як гэта чаму хто дзе калі які якая якія чым для з па ты я мне мой прывітанне дзякуй калі"
    " ласка раскажы растлумач напішы колькі можаш паміж або ёсць быў",
    "cy": "beth sut pam pwy pryd ble yw mae ydy a ac yn y yr fi ti diolch helo os gwelwch dda sy'n oes faint",
    "ga": "cad conas cén fáth cé cathain cá tá níl agus ach mé tú go raibh maith agat dia duit is an na",
}
"""Languages less asked in. Their words never make a word of the larger ones count less."""

# Greetings that several languages share and nearly always mean the larger one.
_MOSTLY = {"hallo": "de", "hola": "es", "salut": "fr", "ciao": "it", "hej": "sv", "explique": "pt"}


_EVERYWHERE = frozenset(("ya", "wa"))
"""Words so frequent in Swahili that they tell nothing: its "of" is a Turkish and a Japanese word too."""


def _exclusive() -> dict[str, str]:
    owner: dict[str, str | None] = {}
    for tag, listed in _LISTS.items():
        for word in set(listed.split()):
            if len(word) == 1 and word.isascii():
                continue  # letters stand in formulas and lists too
            owner[word] = None if word in owner else tag
    small: dict[str, str | None] = {}
    for tag, listed in _SMALL.items():
        for word in set(listed.split()):
            if len(word) > 1 and word not in owner:
                small[word] = None if word in small else tag
    return {word: tag for word, tag in (owner | small).items() if tag and word not in _EVERYWHERE} | _MOSTLY


_OWNER = _exclusive()
LISTED = frozenset(_LISTS)
"""The languages whose function words are known here: the ones most asked in."""
PUNCTUATION = ' .,;:!?¿¡()[]"“”„«»…—–*。，？！؟،।'
_READ = 200  # characters


def _all_owners() -> dict[str, tuple[str, ...]]:
    owners: dict[str, list[str]] = {}
    for tag, listed in _LISTS.items():
        for word in set(listed.split()):
            owners.setdefault(word, []).append(tag)
    large = frozenset(owners)
    for tag, listed in _SMALL.items():
        for word in set(listed.split()) - large:
            owners.setdefault(word, []).append(tag)
    return {word: tuple(tags) for word, tags in owners.items()}


_OWNERS = _all_owners()
_WEIGHTS = [math.log1p(8 / max(owners, 1)) for owners in range(len(_LISTS) + len(_SMALL) + 1)]


def split(text: str) -> list[str]:
    """Split the beginning of a text into lower-case words, punctuation still on."""
    return text[:_READ].lower().replace("’", "'").replace("-", " ").split()


def weigh(text: str) -> dict[str, float]:
    """Add up what a text's words say for each language: the more lists a word stands in, the less it says."""
    found: dict[str, float] = {}
    for word in split(text):
        owners = _OWNERS.get(word if word.isalnum() else word.strip(PUNCTUATION), ())
        for tag in owners:
            found[tag] = found.get(tag, 0.0) + _WEIGHTS[len(owners)]
    return found


def count(text: str) -> dict[str, int]:
    """Count the function words of each language in the beginning of a text, each once: the same word says no more."""
    found: dict[str, int] = {}
    owner = _OWNER.get
    for word in dict.fromkeys(split(text)):
        # To strip takes longer than to look up, and most words have nothing on them.
        tag = owner(word) if word.isalnum() else owner(word.strip(PUNCTUATION))
        if tag:
            found[tag] = found.get(tag, 0) + 1
    return found


def is_malay(text: str, own: int) -> bool:
    """Say whether a text with so many words from the list of Malay is Malay: most words it shares with Indonesian."""
    seen = {word.strip(PUNCTUATION) for word in split(text)}
    return (own >= 2 or not seen.isdisjoint(_SURELY_MALAY)) and seen.isdisjoint(_SURELY_INDONESIAN)
