"""Knows greetings, thanks and how short questions open: a model of letter sequences only guesses at one or two words.

Says nothing of any other text. In the tables a space separates and `_` stands for a space inside.
"""

from serve.routing import words

_GREETINGS = {
    "en": "hey hi hello yo hiya howdy sup hey_there hi_there hello_there hey_everyone hi_all good_morning"
    " good_evening good_afternoon good_night thanks thank_you thx bye goodbye please cheers what's_up whats_up",
    "de": "moin servus hallo guten_tag guten_morgen guten_abend gute_nacht grüezi tschüss danke danke_schön"
    " vielen_dank bitte moin_moin grüß_gott hallöchen na",
    "fr": "salut bonjour bonsoir coucou merci merci_beaucoup allô bonne_nuit au_revoir s'il_vous_plaît",
    "es": "hola buenas buenos_días buenas_tardes buenas_noches gracias muchas_gracias adiós qué_tal hola_qué_tal"
    " hola_que_tal",
    "pt": "olá oi bom_dia boa_tarde boa_noite obrigado obrigada tudo_bem oi_tudo_bem tchau valeu",
    "it": "ciao buongiorno buonasera salve grazie buona_sera buon_giorno grazie_mille arrivederci buonanotte",
    "nl": "hoi goedemorgen goedemiddag goedenavond dank_je dankjewel bedankt hallo_daar doei goedendag",
    "sv": "hej hejsan tjena god_morgon tack tack_så_mycket hallå tjenare god_kväll hej_då",
    "da": "goddag godmorgen mange_tak hejsa god_aften tusind_tak",
    "no": "heisann god_morgen god_kveld tusen_takk takk hallo_der morn",
    "fi": "moi moikka hei terve huomenta kiitos hyvää_päivää hyvää_huomenta iltaa moro",
    "is": "halló sæl sæll góðan_daginn góðan_dag takk_fyrir",
    "pl": "cześć hej_hej dzień_dobry witaj witam siema dzięki dziękuję dobry_wieczór czesc dzien_dobry",
    "cs": "ahoj dobrý_den děkuji díky čau nazdar dobré_ráno zdravím dobrý_večer",
    "sk": "ahoj_ahoj dobrý_deň ďakujem čauko dobré_ráno_prajem vďaka",
    "hu": "szia sziasztok helló jó_napot köszönöm jó_reggelt üdv jó_estét szevasz köszi",
    "ro": "bună bună_ziua mulțumesc bună_seara salutare bună_dimineața mersi",
    "hr": "bok dobar_dan hvala dobro_jutro pozdrav dobra_večer",
    "sl": "živjo zdravo_zdravo dober_dan hvala_lepa dobro_jutro_vam",
    "et": "tere tere_hommikust aitäh tervist tere_päevast",
    "lv": "sveiki labdien paldies čau_čau labrīt sveiks",
    "lt": "labas laba_diena ačiū sveikas labas_rytas",
    "tr": "merhaba selam günaydın iyi_günler teşekkürler teşekkür_ederim iyi_akşamlar selamlar naber",
    "az": "salam sağ_ol təşəkkürlər",
    "vi": "xin_chào chào chào_bạn cảm_ơn alo chào_buổi_sáng",
    "id": "halo hai selamat_pagi selamat_siang terima_kasih apa_kabar makasih selamat_malam",
    "ms": "apa_khabar selamat_petang",
    "tl": "kumusta kamusta salamat magandang_umaga magandang_araw",
    "sw": "habari jambo asante mambo hujambo shikamoo",
    "af": "goeie_môre baie_dankie dankie goeie_dag",
    "ca": "bon_dia gràcies bona_tarda moltes_gràcies bones bona_nit",
    "eu": "kaixo egun_on eskerrik_asko",
    "cy": "helo bore_da diolch shwmae",
    "eo": "saluton dankon",
    "sq": "përshëndetje mirëdita faleminderit tungjatjeta",
    "ru": "привет здравствуйте здравствуй добрый_день доброе_утро спасибо добрый_вечер приветик хай",
    "uk": "привіт вітаю добрий_день дякую доброго_дня доброго_ранку добрий_вечір",
    "bg": "здравей здравейте добър_ден благодаря добро_утро",
    "sr": "здраво добар_дан хвала ћао",
    "be": "прывітанне дзякуй добры_дзень вітаю_вас",
    "ar": "مرحبا السلام_عليكم أهلا شكرا صباح_الخير هلا مرحبًا اهلا",
    "fa": "سلام درود ممنون صبح_بخیر مرسی",
    "ur": "السلام_علیکم شکریہ آداب",
}
_GREETED = {greeting.replace("_", " "): tag for tag, listed in _GREETINGS.items() for greeting in listed.split()}
_OPENINGS = {
    "en": "what_is what's what_are what_does what_was what_were whats who_is who_was who_are who's how_do how_does"
    " how_to how_can define meaning_of definition_of explain is_there tell_me_about where_is when_was what_do",
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
    return _GREETED.get(text.lower().replace("’", "'").strip(words.PUNCTUATION + "👋🙂😊"))


def opening(text: str) -> str | None:
    """Name the language of a short question by how it opens: what it asks about may be a word of another."""
    asked = words.split(text)
    if not 2 <= len(asked) <= 6:
        return None
    asked[0] = asked[0].lstrip("¿¡\"'")
    for count in (1, 2, 3):
        tag = _OPENED.get(" ".join(asked[:count]))
        if tag:
            return tag
    return None
