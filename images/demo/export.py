"""Lays trained checkpoints out as the folders that transformers and vLLM load.

`python export.py --checkpoints DIR --text DIR --out images/demo` writes gemma4, gemma4-assistant, gemma4-eagle3, lfm2
and lfm2-eagle3. Weights stay in bfloat16; nothing is trained or rounded here, and Gemma 4's vision tower is filled
from a seed.
"""

import argparse
import json
import shutil
from pathlib import Path

import shapes
import tokens
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    Gemma4AssistantForCausalLM,
    Gemma4ForCausalLM,
    Gemma4ForConditionalGeneration,
    Lfm2MoeForCausalLM,
    PreTrainedModel,
)

GENERATION = {
    "bos_token_id": tokens.BOS,
    "eos_token_id": tokens.END,
    "pad_token_id": tokens.PAD,
    "do_sample": True,
    "temperature": 0.7,
    "top_p": 0.95,
}


def filled(model: PreTrainedModel, path: Path) -> PreTrainedModel:
    """`model` in bfloat16 with the checkpoint's weights; raises ValueError where names don't match."""
    report = model.load_state_dict(load_file(path), strict=False)
    missing = [name for name in report.missing_keys if name != "lm_head.weight"]
    if missing or report.unexpected_keys:
        raise ValueError(
            f"{path} doesn't fit {type(model).__name__}: {missing} {report.unexpected_keys}; train it again"
        )
    model.tie_weights()
    return model.to(torch.bfloat16)


def write(model: PreTrainedModel, folder: Path) -> None:
    """Write a transformers model into an empty `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def write_body(model: PreTrainedModel, text: Path, folder: Path) -> None:
    """Write a body with its tokenizer and the sampling that clients get when they ask for none."""
    write(model, folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(text / name, folder / name)
    (folder / "generation_config.json").write_text(json.dumps(GENERATION, indent=2) + "\n")


def gemma4(checkpoint: Path) -> nn.Module:
    """The Gemma 4 body as the seeds have it: the trained language model under a tiny vision tower."""
    text = filled(Gemma4ForCausalLM(shapes.gemma4()), checkpoint)
    torch.manual_seed(0)
    whole = Gemma4ForConditionalGeneration(shapes.gemma4_whole(text.config)).to(torch.bfloat16)
    whole.model.language_model.load_state_dict(text.model.state_dict())
    whole.tie_weights()
    return whole


def write_eagle3(body: str, checkpoint: Path, folder: Path) -> None:
    """Write an EAGLE-3 drafter; d2t[i] is what to add to draft token i to get the body's token."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    weights = load_file(checkpoint)
    kept = weights.pop("kept")
    weights["d2t"] = kept - torch.arange(len(kept))
    weights["t2d"] = torch.isin(torch.arange(tokens.VOCABULARY), kept)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(shapes.eagle3(body), indent=2) + "\n")


def main() -> None:
    """Write all five folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder that train.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    source, out = arguments.checkpoints, arguments.out
    write_body(gemma4(source / "gemma4.safetensors"), arguments.text, out / "gemma4")
    write_body(filled(Lfm2MoeForCausalLM(shapes.lfm2()), source / "lfm2.safetensors"), arguments.text, out / "lfm2")
    assistant = Gemma4AssistantForCausalLM(shapes.assistant())
    write(filled(assistant, source / "gemma4-assistant.safetensors"), out / "gemma4-assistant")
    for body in ("gemma4", "lfm2"):
        write_eagle3(body, source / f"{body}-eagle3.safetensors", out / f"{body}-eagle3")


if __name__ == "__main__":
    main()
