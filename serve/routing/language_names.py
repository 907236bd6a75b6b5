"""What people call languages, in the languages they write in: the words that a directive can name a target by.

A table and nothing else. Latin and Cyrillic names are lower-case words in the inflections that follow a preposition;
East Asian ones are substrings.
"""

_SPACED = {
    "en": "english englisch englische englischen englischer englisches anglais anglaise inglés ingles inglês inglese"
    " engels engelse engelska engelsk englanti englanniksi angielski angielsku angielskim anglicky angličtiny"
    " angličtině angolul engleza engleză ingilizce ingilizceye inggris английский английском английски английською"
    " англійською англійську англійській на-английски английского",
    "zh-Hans": "chinese mandarin chinesisch chinesische chinesischen chinois chinoise chino chinês cinese chinees"
    " kinesiska kinesisk kiina chiński chińsku çince çinceye китайский китайском китайски китайською tionghoa"
    " mandarín putonghua",
    "yue": "cantonese kantonesisch cantonais cantonés",
    "de": "german deutsch deutsche deutschen allemand allemande alemán aleman alemão tedesco tedesca duits duitse tyska"
    " tysk saksa saksaksi niemiecki niemiecku niemieckim německy němčiny németül germană almanca almancaya jerman"
    " немецкий немецком немецки німецькою німецьку",
    "fr": "french französisch französische französischen français francais française francés frances francês francese"
    " frans franse franska fransk ranska ranskaksi francuski francusku francouzsky franciául franceză fransızca"
    " fransızcaya prancis perancis французский французском французски французькою французьку",
    "es": "spanish castilian spanisch spanische spanischen espagnol espagnole español espanol castellano espanhol"
    " spagnolo spagnola spaans spaanse spanska spansk espanja espanjaksi hiszpański hiszpańsku španělsky spanyolul"
    " spaniolă ispanyolca ispanyolcaya spanyol испанский испанском испански іспанською іспанську",
    "pt": "portuguese portugiesisch portugiesische portugais portugaise portugués portugues português portoghese"
    " portugees portugisiska portugisisk portugalski portugalsku portekizce portugis португальский португальском"
    " португальською",
    "it": "italian italienisch italienische italienischen italien italiano italiana italiaans italiaanse italienska"
    " italiensk włoski włosku italsky italyanca italia итальянский итальянском італійською",
    "nl": "dutch niederländisch niederländische holländisch néerlandais neerlandés holandés neerlandês holandês"
    " olandese nederlands nederlandse holländska nederländska hollandsk holenderski niderlandzki hollandaca belanda"
    " нидерландский нидерландском голландском нідерландською",
    "sv": "swedish schwedisch suédois sueco svedese zweeds svenska svensk szwedzki szwedzku шведском шведский",
    "da": "danish dänisch danois danés dinamarquês danese deens danska dansk duński датском",
    "no": "norwegian norwegisch norvégien noruego norueguês norvegese noors norska norsk bokmål norweski норвежском",
    "fi": "finnish finnisch finnois finlandais finlandés finlandese fins finska finsk suomi suomeksi fiński финском",
    "pl": "polish polnisch polnische polonais polonaise polaco polonês polacco pools polska polski polsku polskim"
    " lehçe польский польском польською польську",
    "cs": "czech tschechisch tchèque checo ceco tsjechisch czeski česky češtiny чешском",
    "sk": "slovak slowakisch slovaque eslovaco slovensky slovenčiny słowacki словацком",
    "hu": "hungarian ungarisch hongrois húngaro ungherese hongaars węgierski magyarul magyar венгерском",
    "ro": "romanian rumänisch roumain rumano romeno rumeno roemeens română rumuński румынском",
    "hr": "croatian kroatisch croate croata hrvatski хорватском",
    "sr": "serbian serbisch serbe serbio srpski српски сербском",
    "sl": "slovenian slowenisch slovène slovenščini",
    "et": "estonian estnisch eesti",
    "lv": "latvian lettisch latviešu",
    "lt": "lithuanian litauisch lietuvių",
    "is": "icelandic isländisch",
    "ca": "catalan katalanisch catalán català",
    "ru": "russian russisch russische russischen russe ruso russo ryska russisk venäjä venäjäksi"
    " rosyjski rosyjsku rusky"
    " rusça rusçaya rusia русский русском русски російською російську",
    "uk": "ukrainian ukrainisch ukrainien ucraniano ucraino oekraïens ukraiński ukraińsku ukraynaca украинский"
    " украинском українську українською українській",
    "bg": "bulgarian bulgarisch bulgare български болгарском",
    "el": "greek griechisch grec griego grego greco grieks grekiska grecki yunanca греческом",
    "tr": "turkish türkisch türkische turc turque turco turks turkiska tyrkisk turecki turecku türkçe türkçeye"
    " турецкий турецком",
    "ar": "arabic arabisch arabische arabe árabe arabo arabiska arabski arabsku arapça арабский арабском",
    "fa": "persian farsi persisch persan persa",
    "ur": "urdu",
    "he": "hebrew hebräisch hébreu hebreo hebraico ebraico иврите",
    "hi": "hindi hindí хинди",
    "bn": "bengali bangla",
    "ta": "tamil",
    "te": "telugu",
    "mr": "marathi",
    "ja": "japanese japanisch japanische japonais japonaise japonés japonês giapponese japans japanska japansk japoński"
    " japońsku japonca japoncaya jepang японский японском японською",
    "ko": "korean koreanisch coréen coreano koreaans koreanska koreański korece korea корейский корейском корейською",
    "th": "thai thailändisch thaï tailandés тайском",
    "vi": "vietnamese vietnamesisch vietnamien vietnamita wietnamski вьетнамском",
    "id": "indonesian indonesisch indonésien indonesio indonesia",
}

NAMES: dict[str, str] = {name: tag for tag, listed in _SPACED.items() for name in listed.split()}
"""A name as a word of its own, to the tag."""

_HAN = {
    "en": "英文 英语 英語",
    "zh-Hans": "简体中文 簡體中文 简体字 簡體字 简体 簡體 中文 汉语 漢語 普通话 普通話 国语 中国語 中國語",
    "zh-Hant": "繁体中文 繁體中文 繁體字 繁体字 繁體 繁体 正體中文 國語",
    "yue": "粤语 粵語 广东话 廣東話 广东话 白话 広東語",
    "ja": "日文 日语 日語 日本語 日本语",
    "ko": "韩文 韓文 韩语 韓語 韓国語 朝鲜语",
    "de": "德文 德语 德語 ドイツ語",
    "fr": "法文 法语 法語 フランス語",
    "es": "西班牙语 西班牙語 西班牙文 スペイン語",
    "pt": "葡萄牙语 葡萄牙語 葡语 ポルトガル語",
    "it": "意大利语 義大利語 意大利文 義大利文 イタリア語",
    "ru": "俄文 俄语 俄語 ロシア語",
    "ar": "阿拉伯语 阿拉伯語 アラビア語",
    "th": "泰语 泰語 泰文 タイ語",
    "vi": "越南语 越南語 越南文 ベトナム語",
    "id": "印尼语 印尼文 インドネシア語",
    "hi": "印地语 ヒンディー語",
    "tr": "土耳其语 トルコ語",
    "nl": "荷兰语 荷蘭語 オランダ語",
}
HAN_NAMES: dict[str, str] = {name: tag for tag, listed in _HAN.items() for name in listed.split()}
"""A name inside Chinese or Japanese text, to the tag."""

_HANGUL = {
    "en": "영어 영문", "zh-Hans": "중국어 중문", "ja": "일본어 일어", "ko": "한국어 한글 우리말", "de": "독일어",
    "fr": "프랑스어 불어", "es": "스페인어", "pt": "포르투갈어", "it": "이탈리아어", "ru": "러시아어", "vi": "베트남어",
    "ar": "아랍어", "th": "태국어", "id": "인도네시아어",
}  # fmt: skip
HANGUL_NAMES: dict[str, str] = {name: tag for tag, listed in _HANGUL.items() for name in listed.split()}
"""A name inside Korean text, to the tag."""

_OTHER = {
    "en": "الإنجليزية الانجليزية الانكليزية انگلیسی انگریزی अंग्रेज़ी अंग्रेजी इंग्लिश อังกฤษ אנגלית αγγλικά ইংরেজি"
    " ইংরেজিতে ஆங்கிலத்தில்",
    "ar": "العربية عربی अरबी",
    "fr": "الفرنسية फ़्रेंच ฝรั่งเศส צרפתית γαλλικά",
    "zh-Hans": "الصينية चीनी จีน סינית κινέζικα",
    "hi": "हिंदी हिन्दी",
    "th": "ภาษาไทย",
    "fa": "فارسی",
    "ur": "اردو",
    "es": "الإسبانية स्पेनिश สเปน ספרדית ισπανικά",
    "de": "الألمانية जर्मन เยอรมัน גרמנית γερμανικά",
    "ja": "اليابانية जापानी ญี่ปุ่น",
    "he": "עברית",
    "el": "ελληνικά",
}
OTHER_NAMES: dict[str, str] = {name: tag for tag, listed in _OTHER.items() for name in listed.split()}
"""A name as a substring of text in any other script, to the tag."""
