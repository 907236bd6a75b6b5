"""The demo models' tokenizer: byte-level BPE over three languages, with a chat template.

`fit` learns the merges, `save` writes the files that transformers and vLLM load. Any text round-trips, since every byte
is a token of its own. The template marks turns with one token a role and never needs a default system prompt.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCABULARY = 3072
TURNS = ("<pad>", "<bos>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
MEDIA = ("<image>", "<boi>", "<eoi>", "<video>", "<audio>", "<boa>", "<eoa>")  # Gemma 4's configuration names them
SPECIAL = TURNS + MEDIA
PAD, BOS, END, USER, ASSISTANT, SYSTEM, IMAGE, BOI, EOI, VIDEO, AUDIO, BOA, EOA = range(len(SPECIAL))
TEMPLATE = (
    "{{ '<bos>' }}{% for message in messages %}"
    "{% set role = message['role'] if message['role'] in ('assistant', 'system') else 'user' %}"
    "{{ '<|' + role + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def fit(texts: Iterable[str]) -> Tokenizer:
    """Learn `VOCABULARY` tokens from `texts`; the same texts in the same order give the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", BOS)]
    )
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, its configuration and the chat template into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
        "bos_token": "<bos>",
        "eos_token": "<|end|>",
        "pad_token": "<pad>",
        "additional_special_tokens": list(SPECIAL[USER:]),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration, indent=1) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
