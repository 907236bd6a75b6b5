"""Puts messages together from `frames.toml`: some order the answer's language, some only name one.

Deterministic. Shapes and their shares are guesses at what people write; the pieces are where the knowledge is.
"""

import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SENTENCES = {"en": 4_200, "de": 900, "fr": 900, "es": 900, "it": 800, "pt": 700, "nl": 700}
OTHERS = 450  # sentences of every other language
UNSIGNED = 0.3  # the share of made-up messages whose last sign is left out, as people do

Piece = tuple[str, list[tuple[int, int, bool]]]
"""A text, and where in it languages are named: from, to, and whether the answer's language is ordered there."""


def frames() -> dict[str, dict[str, Any]]:
    """Read the pieces of each spoken language."""
    return tomllib.loads(Path(__file__).with_name("frames.toml").read_text(encoding="utf-8"))


def sentences(pieces: dict[str, dict[str, Any]]) -> Iterator[Piece]:
    """Make up messages, the same ones each time."""
    for spoken, of in pieces.items():
        rng = random.Random(spoken)
        for _ in range(SENTENCES.get(spoken, OTHERS)):
            text, spans = sentence(of, rng)
            yield (text.rstrip(" .!?") if rng.random() < UNSIGNED else text), spans


def joined(*parts: Piece) -> Piece:
    """Put pieces one after the other."""
    text, spans = "", []
    for part, marks in parts:
        spans += [(begin + len(text), end + len(text), orders) for begin, end, orders in marks]
        text += part
    return text, spans


def cut(piece: Piece) -> Piece:
    """Take the last sign off."""
    text, spans = piece
    return text.rstrip(".?! "), spans


def filled(template: str, pieces: dict[str, Any], rng: random.Random, *, orders: bool) -> Piece:
    """Fill the slots of a template; those of names are marked."""
    lists = {"into": "into", "in": "into", "name": "names", "name2": "names"}
    text, spans = "", []
    for part in re.split(r"(\{\w+\})", template):
        slot = part[1:-1] if part.startswith("{") else ""
        value = rng.choice(pieces[lists.get(slot, f"{slot}s")]) if slot else part
        if "{" in value:
            value, _ = filled(value, pieces, rng, orders=orders)
        if slot in lists:
            spans.append((len(text), len(text) + len(value), orders))
        text += value
    return text, spans


def sentence(pieces: dict[str, Any], rng: random.Random) -> Piece:
    """Make up a message that names a language, three in five of them an order."""
    return ordering(pieces, rng) if rng.random() < 0.6 else telling(pieces, rng)


def ordering(p: dict[str, Any], rng: random.Random) -> Piece:
    """Make up a message that orders a language, in one of several shapes with its share."""

    def plain(key: str) -> Piece:
        return rng.choice(p[key]), []

    def order_of(template: str) -> Piece:
        return filled(template, p, rng, orders=True)

    fact = filled(rng.choice(p["facts"]) + " ", p, rng, orders=False)
    shapes = {
        "order": lambda: joined(plain("leads"), order_of("{order} {into}"), plain("tails")),
        "order, comma": lambda: joined(plain("leads"), order_of("{order}, {into}"), (rng.choice(["", ".", "!"]), [])),
        "topic": lambda: joined(plain("leads"), order_of("{verb} {topic} {into}"), plain("tails")),
        "polite": lambda: joined(plain("leads"), order_of(rng.choice(p["polite"]))),
        "front": lambda: joined(plain("leads"), order_of(rng.choice(p["fronts"])), plain("tails")),
        "question, answer": lambda: joined(plain("questions"), (" ", []), order_of(rng.choice(p["answers"]))),
        "answer, question": lambda: joined(
            order_of(rng.choice(p["answers"])), (rng.choice([". ", ": ", ", ", " - "]), []), plain("questions")
        ),
        "order, answer": lambda: joined(
            plain("orders"), (". ", []), order_of(rng.choice(p["answers"])), (rng.choice(["", "."]), [])
        ),
        "kind": lambda: joined(plain("leads"), order_of(rng.choice(p["kind_orders"])), (rng.choice(["", "."]), [])),
        "fact, order": lambda: joined(fact, order_of("{order} {into}"), plain("tails")),
        "fact, answer": lambda: joined(fact, order_of(rng.choice(p["answers"]))),
    }
    shares = {"order": 45, "order, comma": 5, "front": 12, "question, answer": 15, "answer, question": 7}
    shares |= {"order, answer": 7} if p["orders"] else {}
    shares |= {"kind": 6, "fact, order": 10} if "kind_orders" in p else {"fact, order": 10}
    shares |= {"topic": 30} if "verbs" in p else {}
    shares |= {"polite": 9} if "polite" in p else {}
    if not p["orders"]:
        shares = {"front": 60, "question, answer": 20, "answer, question": 10, "fact, answer": 10}
    return shapes[rng.choices(list(shares), list(shares.values()))[0]]()


def telling(p: dict[str, Any], rng: random.Random) -> Piece:
    """Make up a message that names a language and orders none."""

    def plain(key: str) -> Piece:
        return filled(rng.choice(p[key]), p, rng, orders=False)

    def fact_of(key: str, on: str = "", share: float = 0.4) -> Piece:
        """Fill a template; now and then it goes on before its last sign."""
        template = rng.choice(p[key]) if key in p else key
        if on in p and rng.random() < share:
            end = template[-1] if template[-1] in ".?" else ""
            template = template.removesuffix(end) + rng.choice(p[on]) + end
        return filled(template, p, rng, orders=False)

    lead = plain("leads") if rng.random() < 0.3 else ("", [])
    shapes = {
        "about": lambda: joined(lead, fact_of("about", "tells_on")),
        "grammar": lambda: joined(
            lead, fact_of("{verb} {grammar} {in}", "tells_on"), (rng.choice(["", "", ".", "?", ", please"]), [])
        ),
        "not": lambda: joined(lead, fact_of("nots", "tells_on", 0.1), (rng.choice(["", ".", "!"]), [])),
        "thing": lambda: joined(lead, fact_of("thing_frames", "tells_on"), (rng.choice(["", ".", "!"]), [])),
        "fact, question": lambda: joined(fact_of("facts", "tells_on"), (" ", []), plain("questions_after")),
        "fact and question": lambda: joined(cut(fact_of("facts")), (", ", []), plain("questions_after")),
        "question, fact": lambda: joined(plain("questions_after"), (" ", []), fact_of("facts")),
        "prose": lambda: joined(
            fact_of("proses_before"),
            *[piece for _ in range(rng.randint(1, 6)) for piece in (fact_of("proses", "proses_on", 0.6), (" ", []))],
        ),
        "order, fact": lambda: joined(plain("orders"), (rng.choice([". ", ", "]), []), fact_of("facts")),
    }
    shares = {"about": 54, "fact, question": 14, "fact and question": 10, "question, fact": 8}
    shares |= {"thing": 15} if "thing_frames" in p else {}
    shares |= {"not": 12} if "nots" in p else {}
    shares |= {"grammar": 12} if "verbs" in p else {}
    shares |= {"prose": 60} if "proses" in p else {}
    shares |= {"order, fact": 7} if p["orders"] else {}
    return shapes[rng.choices(list(shares), list(shares.values()))[0]]()
