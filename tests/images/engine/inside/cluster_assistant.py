# mypy: disable-error-code="import-not-found"
"""Gives a Gemma 4 assistant ordered embeddings that leave nothing out, so that it drafts what it did without them.

On the standard input: {"assistant": folder, "clustered": folder to make}. Every cluster is looked at for every token.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def main() -> None:
    given = json.load(sys.stdin)
    clustered = Path(shutil.copytree(given["assistant"], given["clustered"]))
    config = json.loads((clustered / "config.json").read_text())
    weights = load_file(clustered / "model.safetensors")
    vocabulary, width = weights["model.embed_tokens.weight"].shape
    clusters = next(count for count in (8, 4, 2, 1) if vocabulary % count == 0)
    config |= {"use_ordered_embeddings": True, "num_centroids": clusters, "centroid_intermediate_top_k": clusters}
    weights["masked_embedding.centroids.weight"] = torch.randn(clusters, width, dtype=torch.float32)
    weights["masked_embedding.token_ordering"] = torch.randperm(vocabulary)
    (clustered / "config.json").write_text(json.dumps(config))
    save_file(weights, clustered / "model.safetensors", metadata={"format": "pt"})
    Path(sys.argv[1]).write_text(json.dumps(clusters))


if __name__ == "__main__":
    main()
