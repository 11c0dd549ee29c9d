"""Which formats there are: one line each, as strings, so that nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from superres.errors import OptionError, near_match

__all__ = ["FORMATS", "Format", "format_of_name", "format_of_suffix", "picture_suffixes"]


@dataclass(frozen=True)
class Format:
    """One picture format.

    Attributes:
        suffixes: lower case, with the dot, the usual one first.
        reader: ``module:function`` that opens a recognised file; see :func:`superres.formats.open_reader`.
        writer: ``module:function`` that saves a picture, or empty when the format is only read.
        depths: sample types that the format holds when written here.
        alpha: whether it holds transparency.
        quality: whether a quality can be chosen.
        max_side: longest side, in pixels, that the format (or its encoder) can hold.
        still: whether single pictures are written; GIF, with its 256 colours, is for animations only.
        exif: bytes of EXIF that it holds.
    """

    suffixes: tuple[str, ...]
    reader: str
    writer: str = ""
    depths: tuple[str, ...] = ("uint8",)
    alpha: bool = True
    quality: bool = False
    max_side: int = 2**31 - 1
    still: bool = True
    exif: int = 2**31 - 1


_STILL = "superres.formats.still:open_still"
_SAVE = "superres.formats.encode:"

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "png": Format((".png", ".apng"), _STILL, _SAVE + "save_png", ("uint8", "uint16")),
        "jpeg": Format(
            (".jpg", ".jpeg", ".jpe", ".jfif"),
            _STILL,
            _SAVE + "save_jpeg",
            alpha=False,
            quality=True,
            max_side=65535,
            exif=65527,  # a segment of 65,535 bytes, less its length and marker
        ),
        "tiff": Format((".tif", ".tiff"), _STILL, _SAVE + "save_tiff", ("uint8", "uint16", "float32")),
        "webp": Format((".webp",), _STILL, _SAVE + "save_webp", quality=True, max_side=16383),
        "avif": Format((".avif",), _STILL, _SAVE + "save_avif", ("uint8", "uint16"), quality=True, max_side=16384),
        # Read through the extra "heic", which brings a decoder for HEVC; there is no encoder (patents).
        "heic": Format((".heic", ".heif"), _STILL),
        "gif": Format((".gif",), _STILL, _SAVE + "save_gif", max_side=65535, still=False, exif=0),
    }
)


def picture_suffixes() -> frozenset[str]:
    """Suffixes (lower case, with the dot) of every format that is read or written."""
    return frozenset(suffix for entry in FORMATS.values() for suffix in entry.suffixes)


def format_of_suffix(suffix: str) -> str:
    """Format name for ``.PNG``, ``.jpg`` ...

    Raises:
        OptionError: no format has this suffix.
    """
    for name, entry in FORMATS.items():
        if suffix.lower() in entry.suffixes:
            return name
    known = sorted(picture_suffixes())
    hint = near_match(suffix.lower(), known)
    raise OptionError(f"unknown picture suffix {suffix!r}: expected one of {', '.join(known)}{hint}")


def format_of_name(name: str) -> str:
    """Format name for what a user calls it: ``JPG``, ``jpeg``, ``tif`` ...

    Raises:
        OptionError: there is no such format.
    """
    wanted = name.lower().lstrip(".")
    if wanted in FORMATS:
        return wanted
    for known, entry in FORMATS.items():
        if f".{wanted}" in entry.suffixes:
            return known
    hint = near_match(wanted, FORMATS)
    raise OptionError(f"unknown picture format {name!r}: expected one of {', '.join(FORMATS)}{hint}")
