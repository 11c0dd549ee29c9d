"""What the numbers of a video mean: range, primaries, transfer and matrix, stated even where the source is silent.

Codes are those of ITU-T H.273, as FFmpeg uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BT601_525", "BT601_625", "BT709", "Colours", "resolved_colours"]

#: Primaries; the 709 code also names its matrix and transfer.
BT709, BT601_625, BT601_525 = 1, 5, 6
_BT2020, _BT2020_TRANSFER = 9, 14
_UNSPECIFIED = (0, 2, 3)  # 0 and 3 are reserved (as a matrix 0 is RGB, which is no YUV)
_FULL = 2


@dataclass(frozen=True)
class Colours:
    """Everything explicit.

    Attributes:
        full: samples use every value; otherwise black is 16 and white 235 (of 8 bits).
        primaries, transfer, matrix: H.273 codes.
    """

    full: bool
    primaries: int
    transfer: int
    matrix: int

    @property
    def range_code(self) -> int:
        """FFmpeg's number: 1 limited, 2 full."""
        return _FULL if self.full else 1

    def luma_scale(self, bits: int) -> tuple[int, int]:
        """(black, white - black) of luma samples with ``bits`` bits.

        >>> Colours(False, 1, 1, 1).luma_scale(10), Colours(True, 1, 1, 1).luma_scale(8)
        ((64, 876), (0, 255))
        """
        return (0, (1 << bits) - 1) if self.full else (16 << (bits - 8), 219 << (bits - 8))


def resolved_colours(
    colour_range: int, primaries: int, transfer: int, matrix: int, width: int, height: int, *, full: bool = False
) -> Colours:
    """Tags as they are, and for each that is absent what players assume, by the *source's* size.

    Up to 1279 columns and 576 rows untagged video is BT.601 (with 625-line primaries at 576 and 288 rows), above it
    BT.709: the rule of mpv and others.  Without the tags the larger result would be taken for BT.709.

    Args:
        colour_range, primaries, transfer, matrix: FFmpeg's numbers; 2 (for the range 0) is unspecified.
        width, height: of the source.
        full: the pixel format itself says full range.

    >>> resolved_colours(0, 2, 2, 2, 720, 480)
    Colours(full=False, primaries=6, transfer=6, matrix=6)
    >>> resolved_colours(0, 2, 2, 2, 1920, 1080)
    Colours(full=False, primaries=1, transfer=1, matrix=1)
    """
    if matrix in _UNSPECIFIED:
        small = width < 1280 and height <= 576
        matrix = _matrix_of(primaries) or (BT601_525 if small else BT709)
        if small and matrix == BT601_525 and height in (288, 576):
            matrix = BT601_625
    if primaries in _UNSPECIFIED:
        primaries = {BT709: BT709, BT601_625: BT601_625, BT601_525: BT601_525}.get(matrix, BT709)
        if matrix in (_BT2020, _BT2020 + 1):
            primaries = _BT2020
    if transfer in _UNSPECIFIED:
        # 601 and 709 share one curve; H.273 has a code for each.
        transfer = {_BT2020: _BT2020_TRANSFER, BT601_625: BT601_525, BT601_525: BT601_525}.get(primaries, BT709)
    return Colours(full or colour_range == _FULL, primaries, transfer, matrix)


def _matrix_of(primaries: int) -> int | None:
    """The matrix that goes with primaries which alone are stated."""
    return {BT709: BT709, BT601_625: BT601_625, BT601_525: BT601_525, _BT2020: _BT2020}.get(primaries)
