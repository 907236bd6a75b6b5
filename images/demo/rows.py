"""Cuts the packed text into training rows of conversations and prose, each row beginning with a text's first token.

The choice is drawn from a seeded generator, so a seed and a count give the same rows on every machine.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokens

LENGTH = 320
SMALL = 0.08  # share of conversations from our own dialogues
SYSTEM = 0.08  # share of conversations that begin with a system prompt
AGAIN = 0.15  # chance that a conversation has another turn


@dataclass(frozen=True, slots=True)
class Text:
    """One language's answers, questions and prose: ids in one array each, with offsets."""

    arrays: dict[str, np.ndarray]
    language: str

    def piece(self, name: str, i: int) -> list[int]:
        """The `i`-th answer, question or prose text."""
        at = self.arrays[f"{self.language}_{name}_at"]
        return self.arrays[f"{self.language}_{name}"][at[i] : at[i + 1]].tolist()

    def count(self, name: str) -> int:
        """How many answers, questions or prose texts there are."""
        return len(self.arrays[f"{self.language}_{name}_at"]) - 1

    def turn(self, answer: int, rng: np.random.Generator) -> list[int]:
        """A question for `answer` and the answer, as the chat template renders them."""
        first, last = self.arrays[f"{self.language}_owner"][answer : answer + 2]
        question = self.piece("questions", int(rng.integers(first, last)))
        return [tokens.USER, *question, tokens.END, tokens.ASSISTANT, *self.piece("answers", answer), tokens.END]

    def document(self, rng: np.random.Generator, prose: float) -> list[int]:
        """One conversation or, with probability `prose`, a piece of running text, drawn at random."""
        if rng.random() < prose:
            whole = [tokens.BOS, *self.piece("prose", int(rng.integers(self.count("prose")))), tokens.END]
            start = int(rng.integers(max(1, len(whole) - LENGTH)))
            return whole[:LENGTH] if rng.random() < 0.5 else [tokens.BOS, *whole[max(1, start) : start + LENGTH]]
        small = int(self.arrays[f"{self.language}_small"])
        ids = [tokens.BOS]
        if rng.random() < SYSTEM:
            ids += [tokens.SYSTEM, *self.piece("questions", int(rng.integers(self.count("questions")))), tokens.END]
        while True:
            low, high = (0, small) if rng.random() < SMALL else (small, self.count("answers"))
            ids += self.turn(int(rng.integers(low, high)), rng)
            if rng.random() >= AGAIN:
                return ids


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays that documents.py wrote."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def draw(arrays: dict[str, np.ndarray], languages: tuple[str, ...], count: int, seed: int, prose: float) -> np.ndarray:
    """`count` rows of LENGTH + 2 ids (the next token, and one more for drafters); more answers, more rows, as roots."""
    rng = np.random.default_rng(seed)
    texts = [Text(arrays, language) for language in languages]
    shares = np.sqrt([text.count("answers") for text in texts])
    rows = np.empty((count, LENGTH + 2), np.int16)
    for row in rows:
        ids: list[int] = []
        while len(ids) < len(row):
            ids += texts[int(rng.choice(len(texts), p=shares / shares.sum()))].document(rng, prose)
        row[:] = ids[: len(row)]
    return rows
