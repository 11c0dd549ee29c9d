from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from video_support import SIZE, X265_SIZE, Clip, drifting, fill, first_frame, make_clip, samples

from superres.errors import UnsupportedFormatError
from superres.formats.video_pixels import chroma_siting, pixels_of, plane, standard_frame


@pytest.mark.parametrize(
    ("name", "bits", "chroma"),
    [
        ("gray", 8, None),
        ("gray10le", 10, None),
        ("yuv420p", 8, (2, 2)),
        ("yuvj444p", 8, (1, 1)),
        ("yuv422p10le", 10, (2, 1)),
        ("yuv440p", 8, (1, 2)),
        ("yuv420p12le", 12, (2, 2)),
    ],
)
def test_planar_formats_are_known(name: str, bits: int, chroma: tuple[int, int] | None) -> None:
    pixels = pixels_of(name, "clip")
    assert (pixels.bits, pixels.chroma) == (bits, chroma)
    assert pixels.peak == 2**bits - 1
    assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    layout = av.VideoFormat(pixels.name, 8, 8)  # the library's own table
    if chroma:
        assert (8 // layout.components[1].width, 8 // layout.components[1].height) == chroma


@pytest.mark.parametrize("name", ["gbrp", "yuva420p", "nv12", "yuv420p14le", "yuv420p10be", "pal8", "yuv450p", None])
def test_others_are_refused_with_the_remedy(name: str | None) -> None:
    with pytest.raises(UnsupportedFormatError, match="ffmpeg -i IN -pix_fmt"):
        pixels_of(name, "clip")


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_planes_are_the_frames_own_memory(pixels: str) -> None:
    frame = av.VideoFrame(50, 34, pixels)  # rows that do not fill their alignment
    fill(frame, drifting(3, (50, 34), pixels))
    for index, expected in enumerate(drifting(3, (50, 34), pixels)):
        np.testing.assert_array_equal(plane(frame, index), expected)
    plane(frame, 0)[5, 7] = 99
    assert samples(frame)[0][5, 7] == 99


def test_full_range_formats_get_their_standard_name_and_keep_their_values() -> None:
    frame = av.VideoFrame(*SIZE, "yuvj420p")
    planes = [255 - p for p in drifting(0, SIZE, "yuv420p")]
    fill(frame, planes)
    frame.pts = 7
    plain = standard_frame(frame)
    assert (plain.format.name, plain.pts) == ("yuv420p", 7)
    for index in range(3):
        np.testing.assert_array_equal(plane(plain, index), planes[index])
    assert standard_frame(plain) is plain


@pytest.mark.parametrize("siting", ["left", "center", "topleft", "top", "bottomleft", "bottom"])
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_chroma_siting_is_read_from_the_headers(encoder: str, siting: str, tmp_path: Path) -> None:
    options = {"chroma_sample_location": siting, "preset": "ultrafast"}
    if encoder == "libx265":
        options["x265-params"] = "log-level=none:bframes=0"
    path = make_clip(tmp_path / "a.mkv", Clip(times=[0], size=X265_SIZE, encoder=encoder, options=options))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert chroma_siting(stream, next(container.demux(stream))) == siting


def test_without_a_statement_chroma_is_left(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.webm", Clip(times=[0], encoder="libvpx-vp9", options={"b": "0", "crf": "30"}))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert chroma_siting(stream, next(container.demux(stream))) == "left"
    assert first_frame(path).format.name == "yuv420p"
