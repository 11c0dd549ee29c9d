from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_support import SIZE, VARIABLE, Clip, decoded, drifting, make_clip, samples

from superres.errors import InputError, LimitError, UnsupportedFormatError
from superres.formats.base import Limits
from superres.formats.video import probe_video
from superres.formats.video_decode import Wanted, read_frames
from superres.formats.video_faults import Faults

#: Key frames far apart and many frames that refer to later ones: what seeking must get right.
DEEP = {"crf": "20", "preset": "medium", "g": "25", "bf": "3"}


def times_of(path: Path, wanted: Wanted, *, deinterlace: bool = False) -> tuple[list[int], list[bytes], Faults]:
    faults = Faults()
    info = probe_video(path, "a", Limits())
    frames = list(read_frames(path, "a", info, wanted, faults, deinterlace=deinterlace))
    return [f.pts for f in frames], [b"".join(p.tobytes() for p in samples(f)) for f in frames], faults


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_times_are_the_frames_own(suffix: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"a{suffix}", Clip(times=VARIABLE, options=DEEP))
    times, _, faults = times_of(path, Wanted())
    info = probe_video(path, "a", Limits())
    assert [time * info.time_base for time in times] == [Fraction(t, 600) for t in VARIABLE]
    assert faults.all() == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("first", [1, 20, 44, 58, 89])
def test_a_part_is_the_same_as_in_the_whole(suffix: str, first: int, tmp_path: Path) -> None:
    clip = Clip(times=range(0, 90 * 30, 30), options=DEEP)  # 4.5 s: the margin of a second is less than all
    path = make_clip(tmp_path / f"a{suffix}", clip)
    times, pictures, _ = times_of(path, Wanted())
    part, shown, faults = times_of(path, Wanted(times[first], times[first] + 1))
    assert part == [times[first]]
    assert shown == [pictures[first]]
    assert faults.all() == ()


def test_the_last_frames(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", Clip(options=DEEP))
    times, pictures, _ = times_of(path, Wanted())
    assert times_of(path, Wanted(times[-1]))[:2] == (times[-1:], pictures[-1:])
    assert times_of(path, Wanted(times[-1] + 1))[0] == []


def test_damage_in_the_middle_costs_the_damaged_pictures_alone(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", Clip(times=range(0, 60 * 20, 20), options={"crf": "5", "g": "10", "bf": "0"}))
    whole = decoded(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    times, _, faults = times_of(path, Wanted())
    assert 40 <= len(times) <= len(whole)
    assert times == sorted(set(times))
    assert faults.all()
    assert "damaged" in faults.all()[0]


def test_a_picture_that_changes_its_size_ends_the_video(tmp_path: Path) -> None:
    """Transport streams may be put together of unlike parts."""
    first = make_clip(tmp_path / "a.ts", Clip())
    second = make_clip(tmp_path / "b.ts", Clip(times=range(2400, 2640, 20), size=(96, 64)))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    times, _, faults = times_of(first, Wanted())
    assert len(times) == 12
    assert any("becomes 96 x 64" in text for text in faults.all())


def test_a_clock_that_begins_anew_ends_the_video(tmp_path: Path) -> None:
    """As transport streams put one behind the other do; what follows has no place of its own in time."""
    path = make_clip(tmp_path / "a.ts", Clip(times=range(0, 900, 20)))
    times, pictures, _ = times_of(path, Wanted())
    path.write_bytes(path.read_bytes() * 2)
    twice, shown, faults = times_of(path, Wanted())
    assert (twice, shown) == (times, pictures)
    assert any("the clock begins anew after 0:00:" in text and "ffmpeg -i IN" in text for text in faults.all())
    part, _, faults = times_of(path, Wanted(times[5], times[9]))
    assert part == times[5:9]
    assert faults.all() == ()


@pytest.mark.parametrize("flagged", [True, False])
def test_deinterlacing_gives_one_frame_for_one_at_its_time(flagged: bool, tmp_path: Path) -> None:
    """Two fields of a moving edge: rows alternate before, and no longer do after."""

    def picture(number: int) -> list[np.ndarray]:
        planes = drifting(0, SIZE, "yuv420p")
        edge = np.arange(SIZE[0])[None, :] < np.array([[4 * number], [4 * number + 2]] * (SIZE[1] // 2))
        planes[0] = np.where(edge, 200, 40).astype(np.uint8)
        return planes

    flags = "+ildct+ilme" if flagged else ""
    options = {"crf": "5", "x264-params": "tff=1"} if flagged else {"crf": "5"}
    path = make_clip(tmp_path / "a.mp4", Clip(options=options, flags=flags, picture=picture))
    info = probe_video(path, "a", Limits())
    assert info.interlaced == flagged
    before, combed, _ = times_of(path, Wanted())
    after, whole, _ = times_of(path, Wanted(), deinterlace=True)
    assert after == before

    def combs(data: bytes) -> float:
        rows = np.frombuffer(data[: SIZE[0] * SIZE[1]], np.uint8).reshape(SIZE[1], SIZE[0]).astype(int)
        return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())

    assert combs(whole[5]) < 0.3 * combs(combed[5])
    part, again, _ = times_of(path, Wanted(before[6]), deinterlace=True)
    assert (part, again) == (before[6:], whole[6:])


def test_interlacing_that_begins_later_is_told(tmp_path: Path) -> None:
    progressive = make_clip(tmp_path / "a.ts", Clip(times=range(0, 24 * 20, 20)))
    options = {"crf": "20", "x264-params": "tff=1"}
    later = make_clip(tmp_path / "b.ts", Clip(times=range(2400, 2640, 20), options=options, flags="+ildct+ilme"))
    progressive.write_bytes(progressive.read_bytes() + later.read_bytes())
    assert not probe_video(progressive, "a", Limits()).interlaced
    assert any("--deinterlace" in text for text in times_of(progressive, Wanted())[2].all())


def test_probing_refuses_what_cannot_be_done(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", Clip(times=[0]))
    with pytest.raises(LimitError, match="64 x 48"):
        probe_video(path, "a", Limits(input_pixels=1000))
    rgb = make_clip(
        tmp_path / "b.mkv", Clip(times=[0], encoder="libvpx-vp9", pixels="gbrp", options={}, picture=_green)
    )
    with pytest.raises(UnsupportedFormatError, match="gbrp"):
        probe_video(rgb, "b", Limits())
    other = make_clip(tmp_path / "c.mkv", Clip(times=[0], encoder="mjpeg", pixels="yuvj420p", options={}))
    with pytest.raises(UnsupportedFormatError, match="mjpeg"):
        probe_video(other, "c", Limits())


def _green(number: int) -> list[np.ndarray]:
    return [np.full((SIZE[1], SIZE[0]), 100, np.uint8)] * 3


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match="no video stream"):
        probe_video(path, "a", Limits())
