"""Stands in for images/engine/models.py in an engine's stand-in: no model is fetched, and tries fail on purpose.

Each model is a file in the cache. The image's STAND_IN_FAULT `hub` has all but the first fail until there is a file
`answers` in it.
"""

import os
import sys
from pathlib import Path

CACHE = Path("/cache")
verb, *models = sys.argv[1:]
assert verb == "fetch"
for number, model in enumerate(models):
    file = CACHE / model.replace("/", "--")
    if number and os.environ.get("STAND_IN_FAULT") == "hub" and not (CACHE / "answers").exists():
        sys.exit(f"polydraft models: {model}: the hub doesn't answer, as the stand-in was told to say")
    sys.stderr.write(f"polydraft models: {model}: {'in the cache' if file.exists() else 'fetched'}\n")
    file.touch()
