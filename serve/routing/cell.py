"""Sorts a request into its cell: language and task of the expected answer, endpoint, thinking.

In this order: an explicit instruction in the last user message or the system prompt, the language of what the user
wrote last, the answer before. Reads a bounded amount, never raises whatever JSON comes; what it can't tell is `und`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from serve.routing import directive, interpreting, pending, task, words
from serve.routing.asking import asking
from serve.routing.completion import commented, completed
from serve.routing.conversation import Conversation, last_turns
from serve.routing.editing import edits
from serve.routing.instruction import instruction_of, other_end
from serve.routing.language import UNDETERMINED, Identify, language_of
from serve.routing.prose import Prose, edges, read, without_quotations
from serve.routing.shapes import as_chat
from serve.routing.siblings import are_alike
from serve.routing.spoken import ASKED, round_message, spoken
from serve.routing.wording import NOTHING, Wording, wording

Endpoint = Literal["chat", "completions", "responses", "messages"]


class Cell(NamedTuple):
    """What a choice is conditioned on: one of `LANGUAGES`, one of `TASKS`, endpoint, whether the model thinks first."""

    language: str
    task: str
    endpoint: str
    thinking: bool


def classify(payload: Mapping[str, Any], endpoint: Endpoint, identify: Identify) -> Cell:
    """Sort a request of OpenAI's or Anthropic's API into its cell. Never raises."""
    payload = as_chat(payload, endpoint)
    calls = _may_call(payload)
    if endpoint == "completions":
        language, kind = completed(payload.get("prompt"), identify)
    else:
        language, kind = _answered(last_turns(payload.get("messages")), identify, calls=calls)
    if task.constrained(payload) or (kind == "prose" and calls):
        kind = "json"
    return Cell(language, kind, endpoint, endpoint != "completions" and _thinking(payload))


def _may_call(payload: Mapping[str, Any]) -> bool:
    """Say whether a tool call is to be expected: tools are on offer, and it's the user who spoke last."""
    if not isinstance(payload.get("tools"), list) or not payload["tools"] or payload.get("tool_choice") == "none":
        return False
    messages = payload.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, Mapping) and last.get("role") == "user"


def _thinking(payload: Mapping[str, Any]) -> bool:
    """The chat template's own switch wins over the effort, as in vLLM; without either a model answers at once."""
    switches = payload.get("chat_template_kwargs")
    if switches and isinstance(switches, Mapping):
        for name in ("enable_thinking", "thinking"):
            if isinstance(switches.get(name), bool):
                return bool(switches[name])
    effort = payload.get("reasoning_effort")
    return isinstance(effort, str) and effort not in ("", "none")


_ANSWER_READ = 2_000  # characters
_CONTINUED = 600  # characters of code without a question


def _answered(conversation: Conversation, identify: Identify, *, calls: bool) -> tuple[str, str]:
    repeated = None if calls else _repeated(conversation, identify)
    if repeated:
        return repeated
    prose = read(conversation.user)
    instruction = instruction_of(prose)
    asked = edges(without_quotations(instruction), ASKED)
    system = conversation.system
    order = wording(asked)
    standing = wording(system) if system else NOTHING
    asks_translation = directive.translates(order)
    translation = asks_translation or bool(system and directive.translates(standing))
    between = interpreting.pair(standing, translates=translation) if system else None
    translation = translation or bool(between)
    kind = task.asked_for(order, prose, translation=translation)
    if kind == "prose" and not calls and (system or conversation.answer):
        kind = task.standing(standing, order, conversation.answer[:_ANSWER_READ])
    if kind == "edit":
        return _edited(instruction, prose, identify), kind
    named = _named(order, prose, instruction) or (_standing(standing, between, prose, identify) if system else None)
    if kind == "prose" and not named and conversation.earlier:
        language = _goes_on_in(conversation, order, identify)
        if language != UNDETERMINED:
            return language, "translation"
    if not named and pending.awaited(conversation.earlier, conversation.answer):
        named, kind = directive.target(wording(conversation.earlier)), "translation"
    if named and not (asks_translation and pending.announces(conversation.user)):
        return named, kind
    if kind == "translation" and asks_translation:
        return _translated(instruction, prose, identify), kind
    language = spoken(conversation, prose, asked, identify)
    if language == UNDETERMINED and prose.code and not asked:
        language = commented(conversation.user[-_CONTINUED:], identify)
    return (round_message(conversation, asked, language, identify) if kind == "code" else language), kind


def _named(order: Wording, prose: Prose, instruction: str) -> str | None:
    """The language that the instruction asks for, or else the message's other end."""
    named = directive.target(order)
    return named or (directive.target(wording(other_end(prose, instruction))) if len(prose.paragraphs) > 1 else None)


def _standing(system: Wording, between: frozenset[str] | None, prose: Prose, identify: Identify) -> str | None:
    """The language that the system prompt asks for: of two to interpret between, the one not spoken."""
    if between:
        named = interpreting.other(between, language_of("\n".join(prose.paragraphs), identify))
        if named:
            return named
    return directive.target(system)


def _goes_on_in(conversation: Conversation, message: Wording, identify: Identify) -> str:
    """The language of the translation before, where the user has sent another text to be translated, else `und`."""
    if not pending.may_go_on(conversation.earlier, conversation.answer, message):
        return UNDETERMINED
    order, text = pending.given(conversation.earlier)
    source, language = language_of(text, identify), language_of(conversation.user, identify)
    into = language_of(conversation.answer, identify)
    if language == UNDETERMINED or source not in (language, UNDETERMINED) or into in (language, UNDETERMINED):
        return UNDETERMINED
    foreign = language_of(order, identify) not in (language, UNDETERMINED)
    return into if foreign or not pending.may_ask(conversation.user) else UNDETERMINED


def _repeated(conversation: Conversation, identify: Identify) -> tuple[str, str] | None:
    """Language and task of "and this: ...", which has another text translated or edited as the one before it was."""
    text = pending.another(conversation.user) if conversation.answer else ""
    if not text:
        return None
    head, before = pending.given(conversation.earlier)
    order = wording(head)
    source, into = language_of(text, identify), language_of(conversation.answer, identify)
    if directive.translates(order):
        return directive.target(order) or into, "translation"
    if before and edits(order):
        return source, "edit"
    goes_on = pending.another(conversation.earlier) or directive.translates(wording(conversation.system))
    if goes_on and into not in (source, UNDETERMINED) and language_of(before, identify) == source:
        return into, "translation"
    return None


def _edited(instruction: str, prose: Prose, identify: Identify) -> str:
    """The language of the text to be edited, for it comes back, unless it is to be written anew in another."""
    material = _material(instruction, prose)
    order = instruction.removesuffix(material)
    named = directive.target(wording(order))
    if named:
        return named
    language = language_of(material, identify)
    asked_in = language_of(order, identify)
    if language == UNDETERMINED or are_alike(language, asked_in):
        return asked_in
    # Faulty text is hard to tell: where there is little, it takes two sure words to overrule the question's language.
    sure = len(material) >= 40 or not material.isascii() or words.count(material).get(language, 0) >= 2
    return language if sure or asked_in == UNDETERMINED else asked_in


def _translated(instruction: str, prose: Prose, identify: Identify) -> str:
    """Without a named target, people have foreign text put into the language they ask in.

    Where all is in one language the text may come later, or a translator is only spoken of: that one it is.
    """
    material = _material(instruction, prose)
    language = language_of(asking(without_quotations(instruction.removesuffix(material))), identify)
    if len(instruction) < 60 and language == language_of(material, identify):
        order = _LAST_SENTENCE.search(instruction)
        return language_of(order[1], identify) if order else language
    return language


_LAST_SENTENCE = re.compile(r"[.!?。！？]\s*([^.!?。！？:：]{4,})[:：]?$")


def _material(instruction: str, prose: Prose) -> str:
    rest = [p for p in prose.paragraphs if p != instruction]
    if rest:
        return "\n".join(rest)
    for colon in ("：", ":"):
        if colon in instruction:
            return instruction.partition(colon)[2].strip()
    return ""
