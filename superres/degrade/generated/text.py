"""Text: words, paragraphs and headlines in the fonts that are installed, level and turned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.degrade.generated.colours import blend, ink_and_paper, palette
from superres.degrade.generated.textures import noise_field
from superres.degrade.pictures import Floats
from superres.errors import OptionError

__all__ = ["draw"]

# Letters by how often they are met, and scripts that ordinary fonts hold.
_ALPHABETS = (
    "eeeeeettttaaaaooooiiiinnnnsssshhhrrrdddlllcccuummwwffggyyppbbvvkjxqz",
    "EEETTTAAAOOIINNSSHHRRDDLLCCUUMWFGYPBVKJXQZ",
    "00112233445566778899",
    "аааоооееииннттссррввллккммддппууяыьгзбчйхжшюцщэф",
    "αααοοιιεεττσσννηηυυρρππκκμμλλωωδδγγχχθθφφββξζψ",
)
_WEIGHTS = (0.6, 0.15, 0.13, 0.07, 0.05)
_FAMILIES = ("sans", "serif", "monospace")
_STYLES = ("", "bold", "italic", "bold italic", "light", "condensed")


def draw(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """A sheet of text blocks.  See :class:`superres.degrade.generated.Drawer`.

    Raises:
        OptionError: libvips cannot draw text here, or there are no fonts.
    """
    ink, paper = ink_and_paper(random)
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = paper
    if random.random() < 0.4:  # uneven light or a coloured ground
        field = noise_field(height, width, random, shortest=min(height, width) / 3, longest=math.inf)
        blend(canvas, palette(1, random)[0], np.clip(np.float32(0.5) + field, 0, 1) * np.float32(0.25))
    if random.random() < 0.5:
        _lay(canvas, _page(height, width, unit, random), ink, -random.integers(1, 8 * unit, size=2))
        blocks = int(random.integers(3))
    else:
        blocks = int(3 + random.uniform(0.5, 1.5) * height * width / (96 * unit) ** 2)
    for _ in range(blocks):
        mask = _block(width, unit, random)
        corner = random.random(2) * 1.2 * canvas.shape[:2] - 0.2 * np.array(canvas.shape[:2]) - np.array(mask.shape) / 4
        _lay(canvas, mask, ink if random.random() < 0.8 else palette(1, random)[0], corner.astype(int))
    return np.clip(canvas, 0, 1)


def _page(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """The cover of a page full of lines in one font, as of a document or a screen."""
    pixels = math.exp(random.uniform(math.log(8), math.log(28)))
    lines = math.ceil(height / (pixels * unit)) + 1
    words = (_words(math.ceil(width / (0.5 * pixels * unit)), random) for _ in range(lines))
    return _render("\n".join(words), _font(pixels, random), 72 * unit, 0.0)


def _block(width: int, unit: int, random: np.random.Generator) -> Floats:
    """The cover of a paragraph or a headline, often turned."""
    pixels = math.exp(random.uniform(math.log(8), math.log(48)))
    lines = 1 if pixels > 24 else int(random.integers(1, 6))
    letters = max(1, int(width / (0.6 * pixels * unit) * random.uniform(0.3, 0.8)))
    text = "\n".join(_words(letters, random) for _ in range(lines))
    return _render(text, _font(pixels, random), 72 * unit, 0.0 if random.random() < 0.6 else random.uniform(-30, 30))


def _font(pixels: float, random: np.random.Generator) -> str:
    """A font's description for Pango; at 72 dots per inch its points are pixels."""
    family = _FAMILIES[int(random.integers(len(_FAMILIES)))]
    return f"{family} {_STYLES[int(random.integers(len(_STYLES)))]} {pixels:.1f}"


def _words(letters: int, random: np.random.Generator) -> str:
    """About so many letters of made-up words of one script, with punctuation."""
    alphabet = _ALPHABETS[int(random.choice(len(_ALPHABETS), p=_WEIGHTS))]
    words: list[str] = []
    left = letters
    while left > 0:
        length = min(int(random.integers(1, 11)), left)
        word = "".join(alphabet[k] for k in random.integers(len(alphabet), size=length))
        word = word.capitalize() if random.random() < 0.2 else word
        words.append(word + (",.;:!?)%-/"[int(random.integers(10))] if random.random() < 0.15 else ""))
        left -= length + 1
    return " ".join(words)


def _render(text: str, font: str, dpi: int, angle: float) -> Floats:
    """Draw text with libvips; ``angle`` in degrees."""
    import pyvips

    try:
        # The text is read as Pango markup, whose special characters are none of ours.
        image: Any = pyvips.Image.text(text, font=font, dpi=dpi)
        if angle:
            image = image.rotate(angle)
        samples = np.asarray(image)
    except pyvips.Error as error:
        raise OptionError(
            f"text cannot be drawn here ({error.message}): install a font, such as DejaVu, or leave generated text out"
        ) from error
    if not samples.any():
        raise OptionError("text cannot be drawn here (no glyphs): install a font, such as DejaVu, or leave text out")
    return samples.reshape(samples.shape[:2]).astype(np.float32) * np.float32(1 / 255)


def _lay(canvas: Floats, mask: Floats, colour: Floats, corner: npt.NDArray[np.int64]) -> None:
    """Put a block at a corner, cut at the borders."""
    height, width = canvas.shape[:2]
    row, column = int(corner[0]), int(corner[1])
    top, left = max(row, 0), max(column, 0)
    piece = mask[top - row : height - row, left - column : width - column]
    blend(canvas[top : top + piece.shape[0], left : left + piece.shape[1]], colour, piece)
