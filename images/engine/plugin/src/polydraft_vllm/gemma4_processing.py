"""Gemma 4 without torchvision.

`Gemma4ForConditionalGeneration` imports its processor even when it serves text alone, and transformers' processor
takes two names from the module that needs torchvision. The package index's torchvision is a CUDA build that can't be
imported beside a CPU build of PyTorch. transformers has the same two names in its PIL module: that one stands in.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_NEEDS_TORCHVISION = "transformers.models.gemma4.image_processing_gemma4"
_NEEDS_PIL = "transformers.models.gemma4.image_processing_pil_gemma4"


def mend() -> None:
    """Stand the PIL module in for the torchvision one, to be imported when first asked; a real torchvision wins."""
    if _NEEDS_TORCHVISION in sys.modules or find_spec("torchvision") is not None:
        return

    def take_from_pil(name: str) -> Any:
        return getattr(import_module(_NEEDS_PIL), name)

    module = ModuleType(_NEEDS_TORCHVISION)
    module.__getattr__ = take_from_pil  # type: ignore[method-assign]
    sys.modules[_NEEDS_TORCHVISION] = module
