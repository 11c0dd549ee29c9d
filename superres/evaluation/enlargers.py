"""What is evaluated: functions from a small picture to a large one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.image import Image
from superres.pipeline import Options, Upscaler, fastest_precision
from superres.resize import resize
from superres.zoo import ModelCard

__all__ = ["BICUBIC", "Enlarger", "arithmetic", "bicubic_enlarger", "model_enlarger", "open_enlargers"]

Bytes = npt.NDArray[np.uint8]

#: uint8 (h, w, 3) -> uint8 (scale*h, scale*w, 3)
Enlarger = Callable[[Bytes], Bytes]

#: The name of the baseline among names of models.
BICUBIC = "bicubic"


def bicubic_enlarger(scale: int) -> Enlarger:
    """The baseline: MATLAB ``imresize`` bicubic by ``scale``, uint8 in and out."""

    def enlarge(low: Bytes) -> Bytes:
        return resize(low, scale=scale)

    return enlarge


def model_enlarger(model: str | Upscaler, scale: int, precision: str = "auto") -> Enlarger:
    """A shipped model, through the same path that files take.

    Args:
        model: a family name, such as ``standard``; or an open upscaler, which stays the caller's to close.
        scale: enlargement factor.
        precision: ``auto``, ``fp32`` or ``bf16``; not used with an open upscaler, whose own counts.

    Raises:
        ModelError: an unknown model.
        OptionError: an unknown precision, or an upscaler for another scale.
    """
    upscaler = Upscaler(Options(scale=scale, model=model, precision=precision)) if isinstance(model, str) else model
    if upscaler.options.scale != scale:
        raise OptionError(f"the upscaler is set to scale {upscaler.options.scale}, expected {scale}")

    def enlarge(low: Bytes) -> Bytes:
        return upscaler.image(Image.from_array(low)).samples

    return enlarge


@contextmanager
def open_enlargers(
    models: Sequence[str], scale: int, precision: str = "auto", threads: int = 0, *, ensemble: bool = False
) -> Iterator[dict[str, Enlarger]]:
    """Several methods by name, closed at the end.

    Args:
        models: names or ``FOLDER/NAME`` of models, and ``bicubic``.
        scale: enlargement factor.
        precision: ``auto``, ``fp32`` or ``bf16``.
        threads: cores, 0 for all.
        ensemble: the mean over eight flips and turns.

    Raises:
        ModelError, OptionError: as :func:`model_enlarger`.
    """
    with ExitStack() as stack:
        methods = {}
        for model in models:
            if model == BICUBIC:
                methods[model] = bicubic_enlarger(scale)
                continue
            options = Options(scale=scale, model=model, precision=precision, threads=threads, ensemble=ensemble)
            methods[model] = model_enlarger(stack.enter_context(Upscaler(options)), scale)
        yield methods


def arithmetic(card: ModelCard, precision: str = "auto") -> str:
    """What ``precision`` means for 8-bit RGB pictures, a model and this processor: ``fp32``, ``bf16`` or ``int8``."""
    return fastest_precision(card) if precision == "auto" else precision
