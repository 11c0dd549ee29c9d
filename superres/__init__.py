"""superres: any picture larger, with trained networks that ship inside, on an ordinary processor.

>>> import superres
>>> superres.__version__.count(".")
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from superres.formats import read_image as read
    from superres.image import Image
    from superres.pipeline import Options, Upscaler, upscale
    from superres.zoo import list_cards as models
    from superres.zoo import load_model

__version__ = "0.1.0"

__all__ = ["Image", "Options", "Upscaler", "__version__", "load_model", "models", "read", "upscale"]

# Public name -> where it lives; imported on first use so that `import superres` stays quick.
_LAZY = {
    "Image": ("superres.image", "Image"),
    "Options": ("superres.pipeline", "Options"),
    "Upscaler": ("superres.pipeline", "Upscaler"),
    "load_model": ("superres.zoo", "load_model"),
    "models": ("superres.zoo", "list_cards"),
    "read": ("superres.formats", "read_image"),
    "upscale": ("superres.pipeline", "upscale"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'superres' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
