"""Knows greetings, thanks and how short questions open: a model of letter sequences only guesses at one or two words.

Says nothing of any other text. In the tables a space separates and `_` stands for a space inside.
"""

from serve.routing import words

_GREETINGS = {
    "en": "hey hi hello yo hiya howdy sup hey_there hi_there hello_there hey_everyone hi_all good_morning"
    " good_evening good_afternoon good_night thanks thank_you thx bye goodbye please cheers what's_up"
    " whats_up heya wassup what's_good how's_it_going hows_it_going morning evening ty tysm cya see_ya wyd"
    " hey_man hey_dude hi_guys dinner breakfast supper groceries homework weather joke jokes haircut birthday"
    " help help_me why what how who when where really continue go_on keep_going tell_me_more next anything_else"
    " any_ideas thoughts shorter longer again faster cheaper summary explain",
    "de": "moin servus hallo guten_tag guten_morgen guten_abend gute_nacht grüezi tschüss danke danke_schön"
    " vielen_dank bitte moin_moin grüß_gott hallöchen na na_du was_geht was_geht_ab wie_geht's wie_gehts"
    " wie_geht_es_dir hey_du tach moinsen alles_klar hallo_zusammen hi_du",
    "fr": "salut bonjour bonsoir coucou merci merci_beaucoup allô bonne_nuit au_revoir s'il_vous_plaît ça_va"
    " ca_va salut_ça_va salut_ca_va coucou_ça_va quoi_de_neuf wesh slt bjr cc bonjour_à_tous mdr bsr",
    "es": "hola buenas buenos_días buenas_tardes buenas_noches gracias muchas_gracias adiós qué_tal hola_qué_tal"
    " hola_que_tal qué_onda que_onda qué_pasa que_pasa qué_hubo buenas_qué_tal hola_buenas cómo_estás"
    " como_estas qué_hay holi holaa hola_cómo_estás",
    "pt": "olá oi bom_dia boa_tarde boa_noite obrigado obrigada tudo_bem oi_tudo_bem tchau valeu e_aí e_ai eai"
    " beleza tudo_bom oi_tudo_bom opa fala_aí oie blz vlw tudo_joia como_vai",
    "it": "ciao buongiorno buonasera salve grazie buona_sera buon_giorno grazie_mille arrivederci buonanotte"
    " ciao_come_va come_va come_stai ehilà ehi ciao_a_tutti che_si_dice buondì",
    "nl": "hoi goedemorgen goedemiddag goedenavond dank_je dankjewel bedankt hallo_daar doei goedendag hoi_hoi"
    " hé_hallo hoe_gaat_het hoe_gaat_ie alles_goed hee goeiemorgen goeiedag goeienavond heej",
    "sv": "hej hejsan tjena god_morgon tack tack_så_mycket hallå tjenare god_kväll hej_då tja tjabba läget"
    " hur_är_läget hur_mår_du hej_på_dig hallojsan tjo tjenare_läget",
    "da": "goddag godmorgen mange_tak hejsa god_aften tusind_tak hvordan_går_det hejsa_du hva'_så hva_så dav davs"
    " halløj",
    "no": "heisann god_morgen god_kveld tusen_takk takk hallo_der morn hva_skjer hvordan_går_det_med_deg heia"
    " hei_sann god_dag_der halla",
    "fi": "moi moikka hei terve huomenta kiitos hyvää_päivää hyvää_huomenta iltaa moro mitä_kuuluu"
    " moi_mitä_kuuluu moikka_moi mitä_äijä morjens morjesta heippa heissan",
    "is": "halló sæl sæll góðan_daginn góðan_dag takk_fyrir hæ hæ_hæ hvað_segirðu blessaður blessuð",
    "pl": "cześć hej_hej dzień_dobry witaj witam siema dzięki dziękuję dobry_wieczór czesc dzien_dobry co_tam"
    " jak_leci hejka siemka siemanko siema_co_tam elo co_słychać jak_się_masz cześć_co_tam siemano",
    "cs": "ahoj dobrý_den děkuji díky čau nazdar dobré_ráno zdravím dobrý_večer čauky nazdárek jak_se_máš"
    " co_je_nového čus ahojky ahoj_jak_se_máš čau_jak_je",
    "sk": "ahoj_ahoj dobrý_deň ďakujem čauko dobré_ráno_prajem vďaka ako_sa_máš čaute čau_ako nazdárik servus_ako",
    "hu": "szia sziasztok helló jó_napot köszönöm jó_reggelt üdv jó_estét szevasz köszi mizu mi_újság hali"
    " szia_mizu szió csá csáó hogy_vagy szia_hogy_vagy helló_mizu na_mizu",
    "ro": "bună bună_ziua mulțumesc bună_seara salutare bună_dimineața mersi ce_faci salut_ce_faci ce_mai_faci"
    " bună_ce_faci noroc servus_ce_faci neața buna_ce_faci",
    "hr": "bok dobar_dan hvala dobro_jutro pozdrav dobra_večer bok_kako_si što_ima bog ej_bok",
    "sl": "živjo zdravo_zdravo dober_dan hvala_lepa dobro_jutro_vam kako_si_kaj kaj_dogaja čao_kako oj_živjo ojla"
    " živjo_kako_si",
    "et": "tere tere_hommikust aitäh tervist tere_päevast kuidas_läheb tsau tšau tere_kuidas_läheb tervitus",
    "lv": "sveiki labdien paldies čau_čau labrīt sveiks kā_iet čau_kā_iet sveika",
    "lt": "labas laba_diena ačiū sveikas labas_rytas kaip_sekasi sveikas_kaip_sekasi labukas labas_kaip_sekasi",
    "tr": "merhaba selam günaydın iyi_günler teşekkürler teşekkür_ederim iyi_akşamlar selamlar naber ne_haber"
    " selam_naber slm naber_lan nasılsın merhaba_nasılsın n'aber nbr selamün_aleyküm napıyorsun"
    " selam_nasılsın merhabalar kolay_gelsin",
    "az": "salam sağ_ol təşəkkürlər necəsən salam_necəsən nə_var_nə_yox",
    "vi": "xin_chào chào chào_bạn cảm_ơn alo chào_buổi_sáng ê_bạn bạn_khỏe_không chào_cậu hello_bạn hi_bạn",
    "id": "halo hai selamat_pagi selamat_siang terima_kasih apa_kabar makasih selamat_malam hai_apa_kabar"
    " halo_apa_kabar gimana_kabarnya pagi_kak pagi assalamualaikum hai_kak halo_kak siang_kak",
    "ms": "apa_khabar selamat_petang hai_apa_khabar apa_cerita",
    "tl": "kumusta kamusta salamat magandang_umaga magandang_araw musta kumusta_ka kamusta_ka kumusta_na uy musta_na",
    "sw": "habari jambo asante mambo hujambo shikamoo vipi mambo_vipi habari_yako niaje sasa_vipi",
    "af": "goeie_môre baie_dankie dankie goeie_dag hoe_gaan_dit haai hoe_lyk_dit",
    "ca": "bon_dia gràcies bona_tarda moltes_gràcies bones bona_nit ei_què_tal com_va què_tal com_estàs ei_com_va",
    "eu": "kaixo egun_on eskerrik_asko zer_moduz aupa kaixo_zer_moduz epa",
    "cy": "helo bore_da diolch shwmae sut_mae sut_wyt_ti",
    "eo": "saluton dankon kiel_vi_fartas",
    "sq": "përshëndetje mirëdita faleminderit tungjatjeta ç'kemi si_je si_jeni çkemi",
    "ru": "привет здравствуйте здравствуй добрый_день доброе_утро спасибо добрый_вечер приветик хай как_дела"
    " привет_как_дела здарова ку дарова приветики здрасьте здрасте салют чё_как че_как как_жизнь хаюшки",
    "uk": "привіт вітаю добрий_день дякую доброго_дня доброго_ранку добрий_вечір як_справи привіт_як_справи"
    " здоров як_ся_маєш здоровенькі_були",
    "bg": "здравей здравейте добър_ден благодаря добро_утро как_си здрасти здрасти_как_си к'во_става какво_става",
    "sr": "здраво добар_дан хвала ћао шта_има где_си šta_ima zdravo_kako_si како_си ćao ćao_kako_si šta_radiš",
    "be": "прывітанне дзякуй добры_дзень вітаю_вас як_справы прывітанне_як_справы",
    "ar": "مرحبا السلام_عليكم أهلا شكرا صباح_الخير هلا مرحبًا اهلا كيفك شلونك ازيك إزيك كيف_حالك مرحبا_كيف_حالك"
    " هاي السلام_عليكم_ورحمة_الله مساء_الخير شو_الأخبار",
    "fa": "سلام درود ممنون صبح_بخیر مرسی چطوری سلام_چطوری خوبی سلام_خوبی چه_خبر سلام_چه_خبر",
    "ur": "السلام_علیکم شکریہ آداب کیا_حال_ہے کیسے_ہو کیسے_ہیں_آپ",
}
_GREETED = {greeting.replace("_", " "): tag for tag, listed in _GREETINGS.items() for greeting in listed.split()}
_OPENINGS = {
    "en": "what_is what's what_are what_does what_was what_were whats who_is who_was who_are who's how_do how_does"
    " how_to how_can define"
    " waht_is waht_are whta_is wat_is_teh wat_is_ur wats wut_is hwo_to hwo_do what_si"
    " meaning_of definition_of explain is_there tell_me_about where_is when_was what_do",
    "de": "was_ist was_sind was_heißt was_bedeutet was_war wer_ist wer_war wo_ist erkläre_mir",
    "fr": "qu'est_ce_que c'est_quoi que_veut_dire qui_est que_signifie",
    "es": "qué_es que_es qué_significa quién_es qué_son",
    "pt": "o_que_é o_que_significa quem_é",
    "it": "che_cos'è cos'è cosa_significa chi_è che_cosa_è",
    "nl": "wat_is wat_betekent wie_is wat_zijn",
    "sv": "vad_är vad_betyder vem_är",
    "da": "hvad_er hvad_betyder hvem_er_egentlig",
    "no": "hva_er hva_betyr",
    "fi": "mikä_on mitä_on kuka_on mitä_tarkoittaa",
    "pl": "co_to_jest kim_jest co_znaczy",
    "cs": "co_je co_znamená kdo_je_to",
    "hu": "mi_az_a mit_jelent ki_az_a",
    "ro": "ce_este ce_înseamnă cine_este",
    "id": "apa_itu siapa_itu",
}
_OPENED = {opening.replace("_", " "): tag for tag, listed in _OPENINGS.items() for opening in listed.split()}


def greeting(text: str) -> str | None:
    """Name the language of a message that is nothing but a greeting or thanks."""
    spoken = text.lower().replace("’", "'").replace(",", "")
    return _GREETED.get(spoken.strip(words.PUNCTUATION + "👋🙂😊😄😁"))


def opening(text: str) -> str | None:
    """Name the language of a short question by how it opens: what it asks about may be a word of another."""
    asked = words.split(text)
    if not 2 <= len(asked) <= 6:
        return None
    asked[0] = asked[0].lstrip("¿¡\"'")
    for count in (3, 2, 1):
        tag = _OPENED.get(" ".join(asked[:count]))
        if tag:
            return tag
    return None


_FIRST_WORDS = {
    "de": "wann warum wieso weshalb welche welcher welches wo wer finde füge spiel spiele zeige erinnere schalte suche"
    " stelle",
    "fr": "quand pourquoi comment quel quelle quels quelles combien ajoute mets joue cherche montre règle lance",
    "es": "cuándo quién cómo dónde cuánto cuántos cuál cuáles quien cuando donde añade pon busca muéstrame",
    "pt": "quem onde quantos quanto adicione coloque toque procure",
    "it": "dove perché quale quali quanto mostrami aggiungi riproduci imposta trova vota metti cerca ricordami",
    "nl": "wanneer waarom welke waar voeg zet speel zoek toon herinner",
    "sv": "när vem varför vilken vilket vilka lägg spela visa",
    "da": "hvornår hvilken hvilket tilføj afspil",
    "no": "hva når hvorfor legg spill",
    "fi": "milloin miksi kuka missä lisää soita etsi",
    "et": "selgita kirjuta leia lisa",
    "pl": "kiedy gdzie dlaczego kto włącz ustaw znajdź pokaż",
    "cs": "kdy kdo proč přidej pusť najdi",
    "sr": "dodeli pusti prikaži nađi",
    "hu": "mikor miért hogyan hol",
    "ro": "când cine adaugă",
    "tr": "kim hangi neden nasıl",
    "id": "siapa kapan mengapa bagaimana dimana tambahkan putar",
}
_OPENER = {word: tag for tag, listed in _FIRST_WORDS.items() for word in listed.split()}


def first_word(text: str) -> str | None:
    """Name the language of the word that asks and that a text opens with: what follows may be an English title."""
    return _OPENER.get(text[: text.find(" ")].lower())
