"""World files: six numbers beside a picture that say where on the ground it lies (``.tfw``, ``.pgw``, ``.wld``...)."""

from __future__ import annotations

import math
from pathlib import Path

from superres.errors import CorruptInputError
from superres.geometry import scaled_transform

__all__ = ["find_world_file", "scaled_world_file", "world_file_name"]

# Six numbers take less; anything longer is no world file.
_MOST = 4096


def world_file_name(picture: Path) -> Path:
    """What a picture's world file is called: first and last letter of its suffix, and w; ``.wld`` without a suffix."""
    letters = picture.suffix.lower()[1:]
    return picture.with_suffix(f".{letters[0]}{letters[-1]}w" if letters else ".wld")


def find_world_file(picture: Path) -> Path | None:
    """The world file beside a picture, under any of the names that GDAL looks for; None for none."""
    usual, longer, general = world_file_name(picture), Path(f"{picture}w"), picture.with_suffix(".wld")
    for beside in (usual, longer, general):
        for name in (beside, beside.with_suffix(beside.suffix.upper())):
            if name.is_file():
                return name
    return None


def scaled_world_file(world: Path, across: float, down: float) -> bytes:
    """The world file of a result, whose width and height grow by these factors; the outer corner does not move.

    Raises:
        CorruptInputError: it does not hold six numbers.
    """
    words = world.read_bytes()[:_MOST].replace(b",", b".").split()
    try:
        a, d, b, e, x, y = (float(word) for word in words)
    except ValueError as error:
        raise CorruptInputError(f"{world}: holds no six numbers, as a world file does; correct or remove it") from error
    if not all(map(math.isfinite, (a, b, d, e, x, y))):
        raise CorruptInputError(f"{world}: holds what is no number; correct or remove it")
    # A world file tells the centre of the first pixel, a transform its outer corner.
    a, b, x, d, e, y = scaled_transform((a, b, x - (a + b) / 2, d, e, y - (d + e) / 2), across, down)
    return "".join(f"{n!r}\n" for n in (a, d, b, e, x + (a + b) / 2, y + (d + e) / 2)).encode()
