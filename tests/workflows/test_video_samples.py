"""The first frames of small real clips: what no clip of ours has thought of."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from tiny_models import open_nearest

from superres.formats.base import Limits
from superres.formats.video import probe_video
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler

SAMPLES = (
    "cockatoo_vfr_audio.mp4",
    "h265_10bits.mp4",
    "nasa_13013.mp4",
    "sample_android_slow_motion.mp4",
    "sample_rotate_and_reflect.mp4",
    "sample_with_ass_subtitles.mkv",
    "sample_with_chapters.mkv",
    "synthetic_hdr10.mp4",
)
FRAMES = 4


@pytest.fixture(scope="module")
def folder(data_root: Path) -> Path:
    found = data_root / "samples" / "video"
    if not found.is_dir():
        pytest.skip(f"NO SAMPLE CLIPS: {found} is absent, so real files are not tested")
    if shutil.which("ffprobe") is None:
        pytest.skip("NO FFPROBE: it is absent, so results are not checked by a second reader; install ffmpeg")
    return found


def streams(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-show_chapters", "-of", "json", str(path)]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told


def packets(path: Path) -> dict[int, list[str]]:
    """Hash of every packet but those of the main video stream."""
    found: dict[int, list[str]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size and packet.stream.index != container.streams.video[0].index:
                found.setdefault(packet.stream.index, []).append(hashlib.sha256(bytes(packet)).hexdigest())
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_the_first_frames_of_a_real_clip(name: str, folder: Path, tmp_path: Path, tiny_folder: Path) -> None:
    source = folder / name
    target = tmp_path / f"b{source.suffix}"
    info = probe_video(source, name, Limits())
    with av.open(str(source)) as container:
        times = [f.pts * f.time_base for f in itertools.islice(container.decode(video=0), FRAMES)]
    # Between the last frame wanted and the next one.
    video = VideoOptions(
        preset="8" if source.suffix == ".webm" else "ultrafast",
        end=float(times[-1] - info.begin + Fraction(1, 500)),
    )
    options = Options(scale=2, model="nearest", threads=2, video=video)
    with Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler:
        result = upscaler.file(source, target)
    assert result.warnings == ()
    with av.open(str(target)) as container:
        assert [f.pts * f.time_base for f in container.decode(video=0)] == times
    before, after = streams(source), streams(target)
    kinds = [(s["codec_type"], s["codec_name"]) for s in before["streams"]]
    assert [(s["codec_type"], s["codec_name"]) for s in after["streams"]][1:] == kinds[1:]
    picture, larger = before["streams"][0], after["streams"][0]
    assert (larger["width"], larger["height"]) == (2 * picture["width"], 2 * picture["height"])
    assert larger["pix_fmt"] == picture["pix_fmt"]
    for tag in ("sample_aspect_ratio", "side_data_list"):
        assert larger.get(tag) == picture.get(tag), tag
    for tag in ("color_range", "color_space", "color_primaries", "color_transfer"):
        assert larger[tag] == picture.get(tag, larger[tag])
    assert len(after["chapters"]) == sum(float(c["start_time"]) < float(video.end or 0) for c in before["chapters"])
    copied, original = packets(target), packets(source)
    for index, hashes in copied.items():
        assert hashes == original[index][: len(hashes)]


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith(("cockatoo", "h265", "synthetic"))])
def test_pictures_of_a_real_clip_keep_its_times(name: str, folder: Path, tmp_path: Path, tiny_folder: Path) -> None:
    source, pictures, target = folder / name, tmp_path / "out" / "%03d.png", tmp_path / "b.mp4"
    with av.open(str(source)) as container:
        first = list(itertools.islice(container.decode(video=0), FRAMES + 1))
        begin = Fraction(container.start_time, 1_000_000)
    times = [f.pts * f.time_base for f in first[:FRAMES]]
    end = float((times[-1] + first[-1].pts * first[-1].time_base) / 2 - begin)
    for given, made, video in ((source, pictures, VideoOptions(end=end)), (pictures.parent, target, VideoOptions())):
        options = Options(scale=1.5, model="nearest", threads=2, video=video)
        with Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler:
            assert upscaler.file(given, made).warnings == ()
    with av.open(str(target)) as container:
        assert [f.pts * f.time_base for f in container.decode(video=0)] == times
    picture, larger = (streams(path)["streams"][0] for path in (source, target))
    turned = any(abs(item.get("rotation", 0)) == 90 for item in picture.get("side_data_list", ()))
    sides = (picture["height"], picture["width"]) if turned else (picture["width"], picture["height"])
    assert [larger["width"], larger["height"]] == [pytest.approx(2.25 * side, abs=3) for side in sides]
    assert ("10le" in larger["pix_fmt"]) is ("10le" in picture["pix_fmt"])
    for tag in ("color_space", "color_primaries", "color_transfer"):
        assert larger[tag] == picture.get(tag, larger[tag])
