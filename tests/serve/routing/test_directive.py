"""Which language an instruction asks for, if any."""

import pytest

from serve.routing.directive import target, translates
from serve.routing.wording import wording


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Answer in German.", "de"),
        ("Antworte auf Deutsch, nicht auf Englisch.", "de"),
        ("Please don't answer in German.", None),
        ("Translate from German to French: in Spanish", "fr"),
        ("How do you say it in Japanese?", None),
        ("Can you say it in Japanese?", "ja"),
        ("You speak English, German and French fluently.", None),
        ("Reply in the user's language, for instance in German.", None),
        ("Always write in English, no matter what language the user uses.", "en"),
        ("请用英文回答", "en"),
        ("Please translate this for my German landlord: the heating is off", "de"),
        ("Write a note about my German landlord", None),
        ("How many are there? (Arabic numerals only.)", None),
        ("Summarize this article in English please: Die Bahn sperrt eine Strecke.", "en"),
        ("Annem için kolay bir ingilizce öğrenme programı öner", None),
        ("請用中文說明這段英文", "zh-Hant"),
        ("請用簡體中文說明", "zh-Hans"),
        ("请用中文说明", "zh-Hans"),
        ("用英文怎么说", None),
        ("英語で答えて", "en"),
        ("英語で何と言いますか", None),
        ("英語で話すときに緊張してしまいます。", None),
        ("英語で返事を書く必要があるので、文章を作ってください", "en"),
        ("列名用英文，帮我整理下面的数据", None),
        ("Explain in English with Finnish examples.", "en"),
        ("Antworte auf Deutsch, auch wenn ich Französisches einfüge. Was heißt das?", "de"),
        ("In Swedish politics, what is a minority government?", None),
        ("영어로 답해줘", "en"),
        ("영어로 뭐라고 해?", None),
        ("in traditional Chinese", "zh-Hant"),
        ("İngilizce yaz", "en"),
        ("Fordítsd magyarra: good night", "hu"),
        ("Tradueix al castellà: bona nit", "es"),
        ("Tradúceme al inglés este mensaje", "en"),
        ("Vastaa aina suomeksi.", "fi"),
        ("Odpowiadaj zawsze po polsku.", "pl"),
        ("Odpovídej vždy česky.", "cs"),
        ("Переклади англійською", "en"),
        ("Tõlgi inglise keelde", "en"),
        ("Išversk į lietuvių kalbą", "lt"),
        ("Dịch sang tiếng Việt", "vi"),
        ("Jawab dalam bahasa Inggris", "en"),
        ("Να απαντάς πάντα στα ελληνικά.", "el"),
        ("ترجمه کن به فارسی", "fa"),
        ("इसका अंग्रेज़ी से हिंदी में अनुवाद करें", "hi"),
        ("Answer in Traditional Chinese (Taiwan usage).", "zh-Hant"),
        ("これを中国語(簡体字)に訳して", "zh-Hans"),
        ("これを中国語（繁体字）に訳して", "zh-Hant"),
        ("How do I say this in Italian: good night", "it"),
        ("你会说英语吗", None),
        ("Erzähle von einer Woche in Italien.", None),
        ("Write about winter in Danish villages.", None),
        ("Indonesia adalah negara besar", None),
        ("Je dois rédiger une lettre de résiliation.", None),
        ("Tulis surat dari perusahaan kepada pelanggan.", None),
        ("Sprich ausschließlich Englisch mit dem Lernenden.", "en"),
        ("Parle uniquement anglais avec l'élève.", "en"),
        ("Habla solo inglés.", "en"),
        ("Mio fratello vive a Roma e parla inglese.", None),
        ("Parla inglese?", None),
        ("Answer strictly in French.", "fr"),
        ("请只用英文回答", "en"),
        ("英語だけで答えて", "en"),
        ("Answer in español.", "es"),
        ("", None),
    ],
)
def test_target_of_an_instruction(text: str, language: str | None) -> None:
    assert target(wording(text)) == language


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Translate this", True),
        ("Who translated it?", False),
        ("Put this in Spanish: hello", True),
        ("把它翻译一下", True),
        ("Pásame esto al español: hello", True),
        ("Passe-moi ça en français : hello", True),
        ("Ins Deutsche bitte: hello", True),
        ("What does this say in English?", True),
        ("Pásame la sal", False),
        ("日本語に訳して", True),
        ("Explain this", False),
        ("", False),
    ],
)
def test_translation_is_recognised(text: str, asked: bool) -> None:
    assert translates(wording(text)) is asked
