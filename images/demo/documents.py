"""Turns collected units and our own dialogues into questions, answers and prose, as token ids for `train.py`.

Every answer gets several ways to ask for it: the unit's title in question templates, and a few of its words alone, so
that a prompt which names a thing finds a text about it. It never writes an answer: those are the sources' own
sentences, cut at a sentence's end.
"""

import argparse
import json
import random
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokens
from tokenizers import Tokenizer

LONGEST = {"en": 620, "zh": 230, "ru": 560}  # characters of an answer: 60 to 250 tokens in each language
SHORTEST = {"en": 110, "zh": 40, "ru": 100}
SOURCES = ("gnome-help/", "debian-handbook/", "cheese/", "eog/", "gnome-clocks/", "gnome-sudoku/", "simple-scan/")
WORD = {
    "en": r"[A-Za-z][\w-]{2,}",
    "zh": r"[\u4e00-\u9fff]{2,}|[A-Za-z]{2,}",
    "ru": r"[А-Яа-яЁё][\w-]{2,}|[A-Za-z]{2,}",
}
EMPTY = {
    "en": re.compile(
        r"\b(the|and|for|with|from|your|you|are|how|what|why|when|which|that|this|not|can|does|use)\b", re.I
    ),
    "zh": re.compile(r"如何|怎样|怎么|什么|为什么|您|我|的|和|与|在|是|吗|一个|使用"),
    "ru": re.compile(r"\b(для|при|что|как|или|его|это|если|все|она|они|так|где|чем|нет)\b", re.I),
}
ENDINGS = ("", "а", "у", "ы", "и", "е", "ом", "ов", "ой", "ию", "ия", "ть")
NOISY = 14  # ways to ask by a handful of words, besides the templates
VERBS = frozenset(  # first words of English titles that say what to do
    """
    access activate add adjust apply assign avoid be browse burn calibrate cancel change check choose clean close
    combine configure connect control convert copy create customize deactivate delete determine disable disconnect
    display do download edit empty enable encrypt enter exit export fill filter find fix follow forward get give
    group hide identify import improve insert install join keep launch leave let limit link listen load lock log
    look make manage mark match maximize measure merge minimize mount move navigate obtain open organize override
    perform play post prepare press prevent preview print profile protect purge put read rearrange receive recover
    reduce register reload remove rename repair replace reply report reset resize restore restrict resume return
    rotate run save scan schedule search select send set setup share show sign skip solve sort specify start stop
    store subscribe suspend switch synchronize take test transfer translate troubleshoot turn type undo uninstall
    unlock unmount update upgrade use verify view watch write zoom
    """.split()  # noqa: SIM905
)
ASK = {
    "en": ("{title}", "Tell me about {low}", "What is {low}?", "Explain {low}", "What should I know about {low}?"),
    "en-verb": (
        "How do I {low}?",
        "How can I {low}?",
        "{title}",
        "Help me {low}",
        "I want to {low}",
        "Tell me how to {low}.",
    ),
    "zh": (
        "{title}",
        "如何{title}？",
        "怎么{title}？",
        "请介绍一下{title}",
        "讲一讲{title}",
        "什么是{title}？",
        "我想了解{title}",
    ),
    "ru": (
        "{title}",
        "Что такое {low}?",
        "Объясните: {low}",
        "Расскажи: {low}",
        "Вопрос: {low}",
        "{title}, пожалуйста",
    ),
    "ru-verb": ("Как {low}?", "Как мне {low}?", "{title}", "Помогите {low}", "Хочу {low}", "Расскажи, как {low}."),
    "question": ("{title}", "{bare}", "{title}", "{title}"),
}
NAME = {
    "en": (
        "Tell me about {word}",
        "What is {word}?",
        "How does {word} work?",
        "{word}",
        "I have a problem with {word}",
        "How do I {word}?",
        "How can I {word}?",
        "My {word} does not work",
        "Can you explain {word}?",
        "Why {word}?",
        "Please help me with {word}.",
        "{word}?",
    ),
    "zh": (
        "讲一讲{word}",
        "什么是{word}？",
        "{word}怎么用？",
        "{word}",
        "{word}有问题怎么办？",
        "如何{word}？",
        "怎么{word}？",
        "为什么{word}？",
        "请解释{word}",
        "介绍一下{word}",
        "{word}是什么？",
        "关于{word}",
    ),
    "ru": (
        "Расскажи про {word}",
        "Что такое {word}?",
        "Как работает {word}?",
        "{word}",
        "Проблема: {word}",
        "Как {word}?",
        "Расскажи о {word}",
        "Почему {word}?",
        "Объясни {word}",
        "{word} не работает",
        "Помогите с {word}",
        "{word}?",
    ),
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer and the ways to ask for it."""

    questions: tuple[str, ...]
    answer: str


def style_of(title: str, language: str) -> str:
    """Which templates fit a title: a question, something to do, or a thing."""
    if title.endswith(("?", "？")):
        return "question"
    first = title.split()[0].lower()
    if language == "en" and first in VERBS:
        return "en-verb"
    if language == "ru" and first.endswith(("ть", "ти", "ться", "чь")):
        return "ru-verb"
    return language


def some_words(text: str, language: str, rng: random.Random) -> str:
    """A few of the words of `text` in their order, as somebody might ask who doesn't know the title; may be empty."""
    words = re.findall(WORD[language], EMPTY[language].sub(" ", text))
    if not words:
        return ""
    if language == "zh":
        chosen = [
            word if len(word) < 5 else word[(i := rng.randrange(len(word) - 2)) : i + rng.randint(2, 6)]
            for word in words
        ]
        return "".join(sorted(rng.sample(chosen, min(len(chosen), rng.randint(1, 3))), key=chosen.index))
    count = max(1, min(len(words), rng.randint(1, 4)))
    picked = [words[i] for i in sorted(rng.sample(range(len(words)), count))]
    if language == "ru":  # another case: Russian words change their endings
        picked = [word[: -rng.randint(1, 2)] + rng.choice(ENDINGS) if rng.random() < 0.3 else word for word in picked]
    return " ".join(word if rng.random() < 0.3 else word.lower() for word in picked)


def questions_for(title: str, summary: str, language: str, rng: random.Random) -> tuple[str, ...]:
    """Ways to ask for the text that stands under `title`: by the title, and by a few words of it or of its summary."""
    low = title if title[1:2].isupper() else title[0].lower() + title[1:]
    asked = [form.format(title=title, low=low, bare=title.rstrip("?？")) for form in ASK[style_of(title, language)]]
    for i in range(NOISY):
        word = some_words(summary if summary and i % 4 == 0 else title, language, rng)
        if word:
            asked.append(rng.choice(NAME[language]).format(word=word))
    return tuple(asked)


def cut(text: str, longest: int) -> str:
    """The longest beginning of `text` that ends with a sentence and fits; empty where no sentence does."""
    if len(text) <= longest:
        return text
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s|$)|[。！？]", text[:longest])]
    return text[: ends[-1]] if ends else ""


def answer_of(blocks: list[str], language: str) -> str:
    """The first blocks, whole sentences only, within the language's limits; empty where they are too short."""
    taken: list[str] = []
    room = LONGEST[language]
    for block in blocks:
        piece = cut(block, room)
        if re.search(r"(^|\s)\d+\.$", piece):  # a step's number isn't a sentence
            piece = ""
        if piece:
            taken.append(piece)
        room -= len(block) + 1
        if piece != block or room < 40:
            break
    while taken and taken[-1].endswith((":", "：")):
        taken.pop()
    text = "\n".join(taken)
    return text if len(text) >= SHORTEST[language] else ""


def exchanges(units: list[dict[str, object]], language: str, own: dict[str, dict[str, list[str]]]) -> list[Exchange]:
    """One exchange for every unit of `SOURCES` with a title of its own and enough text; `own` has more ways to ask."""
    rng = random.Random(0)  # noqa: S311 - wording, no secret
    count = Counter(str(unit["title"]) for unit in units)
    seen: set[str] = set()
    found = []
    for unit in units:
        source, title, parent, blocks = str(unit["source"]), str(unit["title"]), str(unit["parent"]), unit["blocks"]
        if count[title] > 1 and parent:
            title = f"{parent}: {title}" if language != "zh" else f"{parent}：{title}"
        if not source.startswith(SOURCES) or not isinstance(blocks, list) or title in seen or len(title) > 90:
            continue
        summary = str(unit["summary"])
        answer = answer_of(blocks, language) or answer_of([summary, *blocks] if summary else blocks, language)
        if answer:
            seen.add(title)
            more = () if parent else tuple(own.get(source, {}).get(language, ()))
            found.append(Exchange((*questions_for(title, summary, language, rng), *more * 3), answer))
    return found


def dialogues(own: dict[str, object], language: str) -> list[Exchange]:
    """Our own small talk in `language`, and what the models say about anything that they never read of."""
    entries = own["dialogue"]
    strangers = own["strangers"]
    unknown = tuple(
        form.format(word=word) for word in strangers[language] for form in NAME[language] if form != "{word}"
    )
    talk = [Exchange(tuple(entry[language]), entry[f"{language}_answer"]) for entry in entries]
    return [
        *talk,
        Exchange(unknown, strangers[f"{language}_answer"]),
        Exchange(unknown, strangers[f"{language}_answer"]),
    ]


def prose(units: list[dict[str, object]]) -> list[str]:
    """Every unit as running text: its title, then its paragraphs."""
    return [
        "\n".join([str(unit["title"]), *map(str, unit["blocks"])]) for unit in units if isinstance(unit["blocks"], list)
    ]


def flat(tokenizer: Tokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All texts' ids in one array, and the offsets where each begins and the last ends."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return np.concatenate([np.array(one, np.uint16) for one in ids]), np.cumsum([0, *map(len, ids)])


def pack(
    units: dict[str, list[dict[str, object]]], own: dict[str, object], tokenizer: Tokenizer
) -> dict[str, np.ndarray]:
    """Arrays for `train.py`: per language the answers, their questions, which question is whose, and the prose."""
    arrays: dict[str, np.ndarray] = {}
    for language, found in units.items():
        small = dialogues(own, language)
        everything = small + exchanges(found, language, own["asked"])
        arrays[f"{language}_small"] = np.array(len(small))
        arrays[f"{language}_owner"] = np.cumsum([0, *(len(one.questions) for one in everything)])
        for name, texts in {
            "answers": [one.answer for one in everything],
            "questions": [question for one in everything for question in one.questions],
            "prose": prose(found),
        }.items():
            arrays[f"{language}_{name}"], arrays[f"{language}_{name}_at"] = flat(tokenizer, texts)
    return arrays


def main() -> None:
    """Fit the tokenizer and write the packed text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=Path, required=True, help="JSON file of corpus.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for text.npz and the tokenizer")
    arguments = parser.parse_args()
    units = json.loads(arguments.units.read_text())
    own = tomllib.loads(Path(__file__).with_name("dialogues.toml").read_text())
    texts = [text[: 40 * LONGEST[lang]] for lang, found in units.items() for text in prose(found)]
    talk = [one.answer for lang in units for one in dialogues(own, lang) for _ in range(10)]
    tokenizer = tokens.fit(texts + talk + [text for text in prose(units["zh"]) for _ in range(3)])
    tokens.save(tokenizer, arguments.out)
    arrays = pack(units, own, tokenizer)
    np.savez_compressed(arguments.out / "text.npz", allow_pickle=False, **arrays)
    for language in units:
        sizes = {name: len(arrays[f"{language}_{name}"]) for name in ("answers", "questions", "prose")}
        print(language, len(arrays[f"{language}_answers_at"]) - 1, "answers; tokens:", sizes)  # noqa: T201


if __name__ == "__main__":
    main()
