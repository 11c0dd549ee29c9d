"""Larger frames around a larger luma plane: chroma is resized where it lies, all else of a frame travels along."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.formats.video import VideoInfo
from superres.formats.video_av import pyav
from superres.formats.video_pixels import plane

__all__ = ["FrameScaler"]


class FrameScaler:
    """Makes the frames of a result.

    Chroma is enlarged plane by plane (Lanczos, no conversion to RGB and back), with its samples where the source says
    they lie: a left-sited plane that is resized about its centre would end up half a pixel of the result to the left.

    Args:
        info: of the source.
        size: (width, height) of the result.
    """

    def __init__(self, info: VideoInfo, size: tuple[int, int]) -> None:
        self._info, self._size = info, size
        self._graph: Any = None

    def enlarged(self, frame: Any, luma: npt.NDArray[Any]) -> Any:
        """A new frame with the luma plane given, and ``frame``'s chroma, time and side data.

        Args:
            frame: of the source, in its pixel format; its colour tags are overwritten.
            luma: (height, width) of the result, uint8 or uint16.
        """
        # With one and the same neutral tag everywhere FFmpeg has no reason to convert anything.
        frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 1, 1, 2, 2
        if self._graph is None:
            self._graph = self._open()
        self._graph.vpush(frame)
        large = self._graph.vpull()
        np.copyto(plane(large, 0), luma)
        # The source encoder's choice of frame types is not the new encoder's.
        large.pict_type = 0
        large.pts, large.time_base, large.duration = frame.pts, self._info.time_base, frame.duration
        return large

    def _open(self) -> Any:
        info, (width, height) = self._info, self._size
        graph = pyav().filter.Graph()
        source = graph.add(
            "buffer",
            video_size=f"{info.width}x{info.height}",
            pix_fmt=info.pixels.name,
            time_base=str(info.time_base),
            pixel_aspect="1/1",
            colorspace="1",
            range="1",
        )
        siting = f":in_chroma_loc={info.siting}:out_chroma_loc={info.siting}" if info.pixels.chroma else ""
        scale = graph.add("scale", f"{width}:{height}:flags=lanczos+accurate_rnd+bitexact{siting}")
        graph.link_nodes(source, scale, graph.add("buffersink")).configure()
        return graph
