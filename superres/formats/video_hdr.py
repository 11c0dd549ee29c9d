"""HDR10: the mastering display and light levels of a source, as encoders take them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Mastering", "light_levels", "mastering_display"]

# AVMasteringDisplayMetadata: red, green, blue and white (x, y), least and largest luminance, each numerator and
# denominator; then two flags that say which are there.
_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")


@dataclass(frozen=True)
class Mastering:
    """SMPTE ST 2086: the display that a film was graded on.

    Attributes:
        red, green, blue, white: CIE 1931 (x, y).
        least, largest: luminance in candela per square metre.
    """

    red: tuple[Fraction, Fraction]
    green: tuple[Fraction, Fraction]
    blue: tuple[Fraction, Fraction]
    white: tuple[Fraction, Fraction]
    least: Fraction
    largest: Fraction

    def integers(self) -> str:
        """For x264 and x265: chromaticities in steps of 0.00002, luminances of 0.0001."""
        points = "".join(
            f"{name}({round(x * 50000)},{round(y * 50000)})"
            for name, (x, y) in (("G", self.green), ("B", self.blue), ("R", self.red), ("WP", self.white))
        )
        return f"{points}L({round(self.largest * 10000)},{round(self.least * 10000)})"

    def decimals(self) -> str:
        """For SVT-AV1."""
        points = "".join(
            f"{name}({float(x):.5f},{float(y):.5f})"
            for name, (x, y) in (("G", self.green), ("B", self.blue), ("R", self.red), ("WP", self.white))
        )
        return f"{points}L({float(self.largest):.4f},{float(self.least):.4f})"


def mastering_display(side_data: Mapping[str, bytes]) -> Mastering | None:
    """The mastering display among a frame's side data; None when it is absent or incomplete."""
    data = side_data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(data) < _MASTERING.size:
        return None
    *numbers, primaries, luminance = _MASTERING.unpack_from(data)
    if not (primaries and luminance) or not all(numbers[1::2]):
        return None
    values = [Fraction(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    red, green, blue, white = zip(values[0:8:2], values[1:8:2], strict=True)
    return Mastering(red, green, blue, white, least=values[8], largest=values[9])


def light_levels(side_data: Mapping[str, bytes]) -> tuple[int, int] | None:
    """(MaxCLL, MaxFALL) among a frame's side data, in candela per square metre; None when absent."""
    data = side_data.get("CONTENT_LIGHT_LEVEL", b"")
    if len(data) < _LIGHT.size:
        return None
    brightest, average = _LIGHT.unpack_from(data)
    return brightest, average
