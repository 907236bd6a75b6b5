"""Collects the demo models' text from Debian packages.

Downloads the packages in `PACKAGES` with apt, unpacks them into a scratch folder (nothing is installed), reads the
GNOME help pages and the Debian Administrator's Handbook in English, Chinese and Russian, and writes them as titled
units of paragraphs. It never takes text whose own legal notice isn't a CC BY-SA licence, and never text that isn't in
a package.
"""

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

PACKAGES = {
    "baobab": "43.0-1",
    "cheese-common": "43.0-1",
    "debian-handbook": "11.20220922",
    "eog": "43.2-1+deb12u1",
    "epiphany-browser-data": "43.1-1",
    "evolution-common": "3.46.4-2+deb12u1",
    "file-roller": "43.0-1",
    "gnome-calculator": "1:43.0.1-2",
    "gnome-clocks": "43.0-1",
    "gnome-sudoku": "1:43.1-1",
    "gnome-system-monitor": "42.0-2",
    "gnome-user-docs": "43.0-2",
    "simple-scan": "42.5-2",
}
LANGUAGES = {"en": ("C", "en-US"), "zh": ("zh_CN", "zh-CN"), "ru": ("ru", "ru-RU")}  # help folder, handbook folder
MALLARD = "{http://projectmallard.org/1.0/}"
SKIPPED = {"info", "media", "table", "code", "screen", "comment", "synopsis", "links", "title", "section"}
SENTENCE_ENDS = (".", "?", "!", ":", "。", "？", "！", "：")
DANGLING = "\0"  # stands for a link whose text is another page's title; its sentence is left out
SHARE = Path("usr/share")


@dataclass(frozen=True, slots=True)
class Unit:
    """One titled piece of text: a help page, one of its sections, or a section of the handbook."""

    source: str
    parent: str  # the page's title where this is a section of it, else empty
    title: str
    summary: str  # the page's own one-line description, or empty
    blocks: tuple[str, ...]


def unpack(folder: Path) -> None:
    """Download and unpack every package into `folder`; raises CalledProcessError where apt hasn't that version."""
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}={version}" for name, version in PACKAGES.items()]
    subprocess.run(["apt-get", "download", "-q", *wanted], cwd=debs, check=True)  # noqa: S603, S607
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(deb), str(folder / "root")], check=True)  # noqa: S603, S607


def tidy(text: str) -> str:
    """Collapse white space; none at all between Chinese characters."""
    text = re.sub(
        rf"[^.。！？!?]*{DANGLING}.*?([.。！？!?](?=\s|$)|[。！？]|$)", "", re.sub(r"\s+", " ", unescape(text))
    ).strip()
    cjk = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
    text = re.sub(rf"(?<=[{cjk}]) (?=[{cjk}])", "", text)
    return text.replace("\u00a0", " ").replace("\u200b", "")


def speaks(text: str, language: str) -> bool:
    """Whether `text` is written in `language`: translations are partial, and the rest stays English."""
    han = sum("\u4e00" <= char <= "\u9fff" for char in text)
    cyrillic = sum("\u0400" <= char <= "\u04ff" for char in text)
    latin = sum(char.isascii() and char.isalpha() for char in text)
    share = {"en": latin, "zh": 3 * han, "ru": cyrillic}[language]
    return share > 2 * (latin + 3 * han + cyrillic - share) and share > 0


def inline(node: ElementTree.Element) -> str:
    """Text of an element; a path through menus (<guiseq>) gets arrows, as the help viewer draws them."""
    if node.tag == f"{MALLARD}guiseq":
        return " > ".join(tidy(inline(child)) for child in node)
    if node.tag == f"{MALLARD}link" and not "".join(node.itertext()).strip():
        return DANGLING
    return (node.text or "") + "".join(inline(child) + (child.tail or "") for child in node)


def blocks_of(node: ElementTree.Element) -> Iterator[str]:
    """Paragraphs below `node`, its sections left out; the steps of a procedure carry their numbers."""
    number = 0
    for child in node:
        tag = str(child.tag).removeprefix(MALLARD)
        if tag in SKIPPED:
            continue
        if tag == "p":
            yield tidy(inline(child))
        elif tag == "item" and node.tag == f"{MALLARD}steps":
            number += 1
            text = " ".join(blocks_of(child))
            yield f"{number}. {text}" if text else ""
        elif tag == "item" and node.tag == f"{MALLARD}list":
            text = " ".join(blocks_of(child))
            yield f"- {text}" if text else ""
        else:
            yield from blocks_of(child)


def text_of(node: ElementTree.Element, tag: str) -> str:
    """Text of the first `tag` directly below `node`, or of the one in its <info>."""
    found = node.find(f"{MALLARD}{tag}")
    if found is None:
        found = node.find(f"{MALLARD}info/{MALLARD}{tag}")
    return "" if found is None else tidy(inline(found))


def page_units(path: Path, source: str, language: str) -> Iterator[Unit]:
    """The units of one help page: what stands before its first section, and each section."""
    page = ElementTree.parse(path).getroot()  # noqa: S314 - a file of a signed Debian package
    title = text_of(page, "title")
    for node in [page, *page.iter(f"{MALLARD}section")]:
        own, parent = (title, "") if node is page else (text_of(node, "title"), title)
        blocks = tuple(block for block in blocks_of(node) if block and speaks(block, language))
        if speaks(own, language) and blocks:
            summary = text_of(page, "desc") if node is page else ""
            yield Unit(source, parent, own, summary if summary and speaks(summary, language) else "", blocks)


def freely_licensed(folder: Path) -> bool:
    """Whether the help folder's own legal notice is a Creative Commons Attribution-ShareAlike licence."""
    return any("creativecommons.org/licenses/by-sa/" in legal.read_text() for legal in folder.glob("legal*.xml"))


def help_units(root: Path, language: str) -> Iterator[Unit]:
    """Units of every help folder that the packages hold in `language`."""
    locale = LANGUAGES[language][0]
    for folder in sorted((root / SHARE / "help" / locale).iterdir()):
        if not freely_licensed(root / SHARE / "help" / "C" / folder.name):
            continue
        for path in sorted(folder.glob("*.page")):
            yield from page_units(path, f"{folder.name}/{path.stem}", language)


def handbook_units(root: Path, language: str) -> Iterator[Unit]:
    """Sections of the Debian Administrator's Handbook (GPL-2+ or CC BY-SA 3.0), as HTML."""
    folder = root / SHARE / "doc/debian-handbook/html" / LANGUAGES[language][1]
    for path in sorted(folder.glob("*.html")):
        page = re.sub(r"(?s)<(pre|table|script|style)\b.*?</\1>", " ", path.read_text())
        parts = re.split(r"(?s)<h[1-6][^>]*>(.*?)</h[1-6]>", page)
        for heading, chunk in zip(parts[1::2], parts[2::2], strict=True):
            title = re.sub(
                r"^(第 )?[\d.]+( 章)?\s*|^(Chapter|Глава) \d+\.?\s*", "", tidy(re.sub(r"<[^>]+>", "", heading))
            )
            paragraphs = re.findall(r'(?s)<(?:div class="para"|p)[^>]*>(.*?)</(?:div|p)>', chunk)
            texts = (tidy(re.sub(r"<[^>]+>", "", paragraph)) for paragraph in paragraphs)
            blocks = tuple(text for text in texts if text.endswith(SENTENCE_ENDS) and speaks(text, language))
            if speaks(title, language) and blocks:
                yield Unit(f"debian-handbook/{path.stem}", "", title, "", blocks)


def collect(root: Path) -> dict[str, list[Unit]]:
    """Every unit by language, in the order of the packages' files."""
    return {lang: [*help_units(root, lang), *handbook_units(root, lang)] for lang in LANGUAGES}


def main() -> None:
    """Write the units of all languages as one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    unpack(arguments.scratch)
    units = collect(arguments.scratch / "root")
    arguments.out.write_text(
        json.dumps(
            {lang: [asdict(unit) for unit in found] for lang, found in units.items()}, ensure_ascii=False, indent=0
        )
    )
    for lang, found in units.items():
        print(lang, len(found), "units", sum(len(block) for unit in found for block in unit.blocks), "characters")  # noqa: T201


if __name__ == "__main__":
    main()
