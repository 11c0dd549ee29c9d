"""Frames of video as pictures, and pictures as frames: Y'CbCr to R'G'B' and back, by the video's own matrix.

Nothing but the matrix, the range and the subsampling changes: samples keep their transfer function and primaries.  The
matrices are those of ITU-T H.273, computed here in float32: FFmpeg's scaler, which only resizes chroma here, makes
65283 of a white of 10 bits, where 65535 is meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import UnsupportedFormatError
from superres.formats.video import VideoInfo
from superres.formats.video_av import pyav
from superres.formats.video_colour import Colours
from superres.formats.video_pixels import plane

__all__ = ["FrameMaker", "PictureMaker", "check_matrix", "quarter_turns", "to_rgb", "to_ycbcr"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# H.273 code -> weights of red and blue in luma.
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.3, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
_WEIGHTS |= {9: (0.2627, 0.0593)}
_ONE = 65536  # of a display matrix


def to_rgb(planes: Array, colours: Colours, bits: int) -> Array:
    """Y'CbCr -> R'G'B' in full range, rounded and clipped.

    Args:
        planes: (3, H, W), all of the luma's size.
        colours: what the samples mean; the matrix is one that is computed with.
        bits: of a sample.

    Returns:
        (H, W, 3): uint8 of 8 bits, otherwise uint16.
    """
    (red, blue), (black, span) = _WEIGHTS[colours.matrix], colours.luma_scale(bits)
    middle, reach = _chroma_scale(colours, bits)
    peak = np.float32(255 if bits == 8 else 65535)
    # Sample values are turned into those of the result by the same sums, so that they are scaled once.
    luma = (planes[0].astype(np.float32) - np.float32(black)) * (peak / np.float32(span))
    chroma = (planes[1:].astype(np.float32) - np.float32(middle)) * (peak / np.float32(reach))
    result = np.empty((*luma.shape, 3), np.float32)
    result[..., 0] = luma + np.float32(2 * (1 - red)) * chroma[1]
    result[..., 2] = luma + np.float32(2 * (1 - blue)) * chroma[0]
    green = 1 - red - blue
    result[..., 1] = luma - np.float32(2 * blue * (1 - blue) / green) * chroma[0]
    result[..., 1] -= np.float32(2 * red * (1 - red) / green) * chroma[1]
    return _samples(result, float(peak), np.dtype(np.uint8 if bits == 8 else np.uint16))


def to_ycbcr(picture: Array, colours: Colours, bits: int) -> Array:
    """R'G'B' in full range -> Y'CbCr, rounded and clipped; grey becomes luma alone.

    Args:
        picture: (H, W, 1 or 3), uint8 or uint16.
        colours: what the samples shall mean; the matrix is one that is computed with.
        bits: of a sample of the result.

    Returns:
        (3, H, W): uint8 of 8 bits, otherwise uint16.
    """
    (red, blue), (black, span) = _WEIGHTS[colours.matrix], colours.luma_scale(bits)
    middle, reach = _chroma_scale(colours, bits)
    values = picture.astype(np.float32) * np.float32(1 / np.iinfo(picture.dtype).max)
    r, g, b = (values[..., index % values.shape[2]] for index in range(3))
    luma = np.float32(red) * r + np.float32(1 - red - blue) * g + np.float32(blue) * b
    result = np.empty((3, *luma.shape), np.float32)
    result[0] = np.float32(black) + np.float32(span) * luma
    result[1] = np.float32(middle) + np.float32(reach / (2 * (1 - blue))) * (b - luma)
    result[2] = np.float32(middle) + np.float32(reach / (2 * (1 - red))) * (r - luma)
    return _samples(result, float((1 << bits) - 1), np.dtype(np.uint8 if bits == 8 else np.uint16))


def _chroma_scale(colours: Colours, bits: int) -> tuple[int, int]:
    """(grey, reach from -0.5 to 0.5) of chroma samples."""
    return 1 << (bits - 1), (1 << bits) - 1 if colours.full else 224 << (bits - 8)


def _samples(values: Floats, peak: float, dtype: np.dtype[Any]) -> Array:
    np.rint(values, out=values)
    np.clip(values, 0, peak, out=values)
    return values.astype(dtype)


def check_matrix(info: VideoInfo, name: str) -> None:
    """Refuse a matrix that is not computed with.

    Raises:
        UnsupportedFormatError: it is none of those with constant weights.
    """
    if info.pixels.chroma and info.colours.matrix not in _WEIGHTS:
        raise UnsupportedFormatError(
            f"{name}: its colour matrix (H.273 code {info.colours.matrix}) is not one that can be turned into "
            f"pictures; expected one of {', '.join(map(str, _WEIGHTS))}: make a video of it, with -o CLIP.mkv"
        )


def quarter_turns(matrix: tuple[int, ...] | None, name: str) -> tuple[bool, bool, bool]:
    """What a display matrix does: whether rows and columns are exchanged, then whether rows, and columns, are reversed.

    Raises:
        UnsupportedFormatError: it turns by something else.
    """
    if matrix is None:
        return False, False, False
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if (b, c) == (0, 0) and abs(a) == abs(d) == _ONE:
        return False, d < 0, a < 0
    if (a, d) == (0, 0) and abs(b) == abs(c) == _ONE:
        return True, b < 0, c < 0
    raise UnsupportedFormatError(
        f"{name}: is turned by other than quarter turns, which pictures cannot say: make a video of it, with "
        "-o CLIP.mkv"
    )


class PictureMaker:
    """Makes pictures of frames, upright as a player shows them.

    Args:
        info: of the source.
        size: (width, height) of the frames.
        name: what messages call the source.

    Attributes:
        swapped: whether rows become columns.

    Raises:
        UnsupportedFormatError: a matrix that is not computed with, or a rotation by other than quarter turns.
    """

    def __init__(self, info: VideoInfo, size: tuple[int, int], name: str) -> None:
        check_matrix(info, name)
        self.swapped, self._down, self._across = quarter_turns(info.matrix, name)
        self._info, self._size = info, size
        self._graph: Any = None

    def picture(self, frame: Any) -> Array:
        """(H, W, 3), of grey video (H, W, 1): uint8 of 8-bit frames, otherwise uint16, in full range.

        Args:
            frame: as :meth:`superres.formats.video_scale.FrameScaler.enlarged` makes it.
        """
        colours, pixels = self._info.colours, self._info.pixels
        if pixels.chroma is None:
            black, span = colours.luma_scale(pixels.bits)
            peak = 255 if pixels.bits == 8 else 65535
            values = (plane(frame, 0).astype(np.float32) - np.float32(black)) * np.float32(peak / span)
            samples = _samples(values[:, :, None], peak, pixels.dtype)
        else:
            if pixels.chroma != (1, 1):
                frame = self._whole(frame)
            samples = to_rgb(np.stack([plane(frame, index) for index in range(3)]), colours, pixels.bits)
        samples = samples.swapaxes(0, 1) if self.swapped else samples
        return np.ascontiguousarray(samples[:: -1 if self._down else 1, :: -1 if self._across else 1])

    def _whole(self, frame: Any) -> Any:
        """With chroma of the luma's size."""
        info = self._info
        if self._graph is None:
            self._graph = _resampling(info.pixels.name, _whole_name(info), self._size, f"in_chroma_loc={info.siting}")
        return _through(self._graph, frame)


class FrameMaker:
    """Makes frames of pictures.

    Args:
        info: of the video that they are for.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._graph: Any = None

    def frame(self, picture: Array, pts: int, duration: int) -> Any:
        """A PyAV frame in ``info.pixels``.

        Args:
            picture: (H, W, 1 or 3), uint8 or uint16, full range.
            pts, duration: in units of the video's time base.
        """
        info = self._info
        frame = pyav().VideoFrame(info.width, info.height, _whole_name(info))
        for index, samples in enumerate(to_ycbcr(picture, info.colours, info.pixels.bits)):
            np.copyto(plane(frame, index), samples)
        if info.pixels.chroma != (1, 1):
            if self._graph is None:
                size, siting = (info.width, info.height), f"out_chroma_loc={info.siting}"
                self._graph = _resampling(_whole_name(info), info.pixels.name, size, siting)
            frame = _through(self._graph, frame)
        frame.pts, frame.time_base, frame.duration = pts, info.time_base, duration
        return frame


def _whole_name(info: VideoInfo) -> str:
    """The pixel format with chroma of the luma's size."""
    return "yuv444p" if info.pixels.bits == 8 else f"yuv444p{info.pixels.bits}le"


def _through(graph: Any, frame: Any) -> Any:
    # With one and the same neutral tag everywhere FFmpeg has no reason to convert anything.
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 1, 1, 2, 2
    graph.vpush(frame)
    return graph.vpull()


def _resampling(given: str, made: str, size: tuple[int, int], siting: str) -> Any:
    """Chroma from one size to another, where it lies."""
    graph = pyav().filter.Graph()
    source = graph.add(
        "buffer",
        video_size=f"{size[0]}x{size[1]}",
        pix_fmt=given,
        time_base="1/1",
        pixel_aspect="1/1",
        colorspace="1",
        range="1",
    )
    scale = graph.add("scale", f"flags=bicubic+accurate_rnd+bitexact:{siting}")
    graph.link_nodes(source, scale, graph.add("format", made), graph.add("buffersink")).configure()
    return graph
