"""A folder of pictures to a video and a video to pictures; read again by ffprobe and Pillow."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tiny_models import nearest_model, open_nearest, put, tiny_video_model
from video_support import SIZE, VARIABLE, X265_SIZE, Clip, decoded, ffprobe, first_frame, make_clip, samples

from superres.cli import main
from superres.errors import InputError, LimitError, OptionError, OutputError, UnsupportedFormatError
from superres.formats import Limits, read_image
from superres.formats.frame_names import read_times
from superres.formats.video_store import work_folder_of
from superres.image import Image
from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows import video

Enlarge = Callable[..., Result]

FAST = VideoOptions(preset="ultrafast")
TEN = replace(FAST, frame_rate=Fraction(10))


@pytest.fixture
def enlarge(tiny_folder: Path) -> Enlarge:
    """From file to file, by a network that repeats samples."""

    def run(source: Path, target: Path, options: VideoOptions = VideoOptions(), **more: Any) -> Result:  # noqa: B008
        report = more.pop("report", None)
        chosen = Options(**{"scale": 2, "model": "nearest", "threads": 2, "video": options, **more})
        with Upscaler(chosen, folder=tiny_folder, opener=open_nearest) as upscaler:
            return upscaler.file(source, target, report=report)

    return run


def shades(number: int, dtype: str = "uint8", size: tuple[int, int] = SIZE) -> np.ndarray:
    """A colourful smooth picture (H, W, 3) that moves."""
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [0.5 + 0.3 * np.sin((x + number) / (6 + c)) * np.cos(y / (8 - c) + c) for c in range(3)]
    return np.round(np.stack(waves, axis=2) * np.iinfo(dtype).max).astype(dtype)


def make_frames(folder: Path, count: int, dtype: str = "uint8", suffix: str = ".png") -> Path:
    folder.mkdir()
    for number in range(count):
        Image.from_array(shades(number, dtype)).save(folder / f"f{number + 1}{suffix}")
    return folder


@pytest.mark.parametrize(
    ("dtype", "target", "codec", "pixels"),
    [
        ("uint8", "b.mp4", "h264", "yuv420p"),
        ("uint16", "b.mkv", "hevc", "yuv420p10le"),
        ("uint8", "b.webm", "vp9", "yuv420p"),
    ],
)
def test_a_folder_becomes_a_clip(
    dtype: str, target: str, codec: str, pixels: str, tmp_path: Path, enlarge: Enlarge
) -> None:
    source, made = make_frames(tmp_path / "in", 12, dtype), tmp_path / target
    seen: list[tuple[int, int]] = []
    options = VideoOptions(frame_rate=Fraction(10))
    result = enlarge(source, made, options, quality=5, report=lambda *done: seen.append(done))
    assert (result.source_size, result.target_size, result.warnings) == (SIZE, (2 * SIZE[0], 2 * SIZE[1]), ())
    assert seen == [(number, 12) for number in range(1, 13)]
    told = ffprobe(made)
    stream = told["streams"][0]
    assert (stream["codec_name"], stream["pix_fmt"]) == (codec, pixels)
    named = [stream[f"color_{name}"] for name in ("range", "primaries", "transfer", "space")]
    assert named == ["tv", "bt709", "bt709", "bt709"]
    frames = [item for item in told["packets_and_frames"] if item["type"] == "frame"]
    assert [float(frame["pts_time"]) for frame in frames] == [pytest.approx(n / 10, abs=1e-6) for n in range(12)]
    assert float(told["format"]["duration"]) == pytest.approx(1.2, abs=0.002)
    # The pictures, in their order, which is that of their numbers and not that of their names.
    command = ["ffmpeg", "-v", "error", "-i", made, "-pix_fmt", "rgb24", tmp_path / "%d.png"]
    subprocess.run(command, check=True)
    for number in range(12):
        there = np.asarray(PIL.Image.open(tmp_path / f"{number + 1}.png"))
        wanted = shades(number).repeat(2, axis=0).repeat(2, axis=1)
        assert np.abs(there.astype(int) - wanted)[4:-4, 4:-4].mean() < 4


def test_a_clip_becomes_pictures_as_another_reader_sees_them(tmp_path: Path, enlarge: Enlarge) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("NO FFMPEG: it is absent, so pictures are not compared with those of a second reader; install it")
    source = make_clip(tmp_path / "a.mp4", Clip(times=VARIABLE, colours=(1, 1, 1, 1), options={"crf": "1"}))
    result = enlarge(source, tmp_path / "out" / "%04d.png")
    assert result.target == str(tmp_path / "out" / "%04d.png")
    names = [f"{number:04d}.png" for number in range(1, len(VARIABLE) + 1)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, "times.toml"]
    chain = "scale=in_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"
    command = ["ffmpeg", "-v", "error", "-i", source, "-vf", chain, "-fps_mode", "passthrough", tmp_path / "%04d.png"]
    subprocess.run(command, check=True)
    for name in names:
        ours, theirs = (np.asarray(PIL.Image.open(folder / name)) for folder in (tmp_path / "out", tmp_path))
        assert (ours.shape, ours.dtype) == ((2 * SIZE[1], 2 * SIZE[0], 3), np.uint8)
        # Luma is repeated, chroma is resized: apart from that they are the same.
        assert np.abs(ours[::2, ::2].astype(int) - theirs).mean() < 3


def test_deep_video_gives_16_bits(tmp_path: Path, enlarge: Enlarge) -> None:
    # With B-frames x265 takes the first decoding times of so short a clip from memory that it never set.
    options = {"x265-params": "log-level=none:bframes=0"}
    clip = Clip(times=[0, 20], size=X265_SIZE, encoder="libx265", pixels="yuv420p10le", options=options)
    enlarge(make_clip(tmp_path / "a.mp4", clip), tmp_path / "%d.png")
    told = ffprobe(tmp_path / "1.png")["streams"][0]
    assert (told["pix_fmt"], told["width"]) == ("rgb48be", 2 * X265_SIZE[0])
    depths = read_image(tmp_path / "1.png").samples
    assert depths.dtype == np.uint16 and len(np.unique(depths)) > 256


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("cut", [{}, {"start": 0.05, "end": 0.4}])
def test_a_variable_rate_comes_back(suffix: str, cut: dict[str, float], tmp_path: Path, enlarge: Enlarge) -> None:
    """Clip to pictures to clip: every time as it was, also that the last picture stays."""
    base = Fraction(1, 600 if suffix == ".mp4" else 1000)
    clip = Clip(times=VARIABLE, time_base=base, aspect=Fraction(4, 3), colours=(1, 5, 6, 5))
    source = make_clip(tmp_path / f"a{suffix}", clip)
    enlarge(source, tmp_path / "f" / "%06d.png", VideoOptions(**cut))
    enlarge(source, tmp_path / f"once{suffix}", VideoOptions(preset="ultrafast", **cut))
    back = tmp_path / f"b{suffix}"
    enlarge(tmp_path / "f", back, FAST)
    wanted, found = ffprobe(tmp_path / f"once{suffix}"), ffprobe(back)
    one, other = (
        sorted(
            (float(item["pts_time"]), float(item["duration_time"]))
            for item in told["packets_and_frames"]
            if item["type"] == "packet"
        )
        for told in (wanted, found)
    )
    # Matroska counts milliseconds.
    np.testing.assert_allclose(other, one, atol=1e-6 if suffix == ".mp4" else 1.1e-3)
    for name in ("sample_aspect_ratio", "color_space", "color_primaries", "color_transfer"):
        assert found["streams"][0][name] == wanted["streams"][0][name]
    assert found["format"]["duration"] == wanted["format"]["duration"]
    assert found["streams"][0]["width"] == 4 * SIZE[0]


def test_pictures_to_pictures_lose_no_colour(tmp_path: Path, enlarge: Enlarge) -> None:
    for dtype, most in (("uint8", 3), ("uint16", 3 * 257)):
        source = make_frames(tmp_path / dtype, 3, dtype)
        enlarge(source, tmp_path / f"{dtype}_large" / "%d.png", VideoOptions(frame_rate=Fraction(24)))
        for number in range(3):
            made = read_image(tmp_path / f"{dtype}_large" / f"{number + 1}.png").samples
            assert made.dtype == dtype
            # Chroma is resized, luma repeated: smooth pictures hardly differ.
            assert np.abs(made[::2, ::2].astype(int) - shades(number, dtype)).mean() < most
        table = read_times(tmp_path / f"{dtype}_large")
        assert table is not None
        assert (table.time_base, table.times, table.lasting) == (Fraction(1, 24), (0, 1, 2), 1)


def test_a_network_of_video_remembers_frames_of_a_folder(tmp_path: Path, opener: Any) -> None:
    """``auto`` takes it for pictures that are frames as for a file's; the result says so."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    put(tiny_video_model(2), zoo)
    put(nearest_model(2), zoo)
    source = make_frames(tmp_path / "in", 4)
    with Upscaler(Options(scale=2, video=TEN), folder=zoo, opener=opener) as upscaler:
        result = upscaler.file(source, tmp_path / "b.mp4")
    assert result.networks == ("video x2",)
    with Upscaler(Options(scale=2), folder=zoo, opener=opener) as upscaler:
        result = upscaler.file(tmp_path / "b.mp4", tmp_path / "out" / "%d.png")
    assert result.networks == ("video x2",)
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_frames_that_cannot_be_used_are_left_out_and_told(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_frames(tmp_path / "in", 6)
    (source / "f2.png").write_bytes((source / "f2.png").read_bytes()[:200])
    Image.from_array(shades(3, size=(32, 32))).save(source / "f4.png", overwrite=True)
    result = enlarge(source, tmp_path / "b.mp4", TEN)
    assert len(result.warnings) == 2
    assert "f2.png" in result.warnings[0] and "f4.png: is 32 x 32" in result.warnings[1]
    assert [time for time, _ in decoded(tmp_path / "b.mp4")] == [Fraction(n, 10) for n in (0, 2, 4, 5)]
    # As of any damaged video the rest is there, and the exit code says that it is not all.
    command = ["upscale", str(source), "-o", str(tmp_path / "c.mp4"), "--scale", "2", "--frame-rate", "10"]
    assert main([*command, "--model", "realtime", "--preset", "ultrafast"]) == 2


def test_refusals_come_before_the_work(tmp_path: Path, enlarge: Enlarge) -> None:
    source, clip = make_frames(tmp_path / "in", 3), make_clip(tmp_path / "a.mp4", Clip(times=[0, 20]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "clear").mkdir()
    Image.from_array(np.zeros((48, 64, 4), np.uint8)).save(tmp_path / "clear" / "1.png")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "1.png").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "out" / "%d.png"
    cases: list[tuple[type[Exception], str, Path, Path, VideoOptions, dict[str, Any]]] = [
        (OptionError, "--frame-rate, such as 25", source, tmp_path / "b.mp4", FAST, {}),
        (OptionError, "leave --deinterlace out", source, tmp_path / "b.mp4", replace(TEN, deinterlace=True), {}),
        (OptionError, "times of its own", clip, tmp_path / "b.mp4", TEN, {}),
        (OptionError, "one of .mkv, .mp4", source, tmp_path / "b.avi", TEN, {}),
        (InputError, "no pictures", tmp_path / "empty", tmp_path / "b.mp4", TEN, {}),
        (UnsupportedFormatError, "transparency.*one by one", tmp_path / "clear", tmp_path / "b.mp4", TEN, {}),
        (LimitError, "--max-input", source, tmp_path / "b.mp4", TEN, {"limits": Limits(input_pixels=100)}),
        (OptionError, "no codec and no preset", clip, out, FAST, {}),
        (OptionError, "quality 30", clip, out, VideoOptions(), {"quality": 30}),
        (OutputError, "1.png: exists already", clip, tmp_path / "done" / "%d.png", VideoOptions(), {}),
        (OutputError, "source's own pictures", source, source / "g%d.png", VideoOptions(frame_rate=Fraction(1)), {}),
    ]
    for error, words, given, target, options, more in cases:
        with pytest.raises(error, match=words):
            enlarge(given, target, options, **more)
    assert sorted(tmp_path.rglob("*")) == before
    (source / "times.toml").write_text('time_base = "1/10"')
    with pytest.raises(InputError, match=r"times\.toml"):
        enlarge(source, tmp_path / "b.mp4")
    with pytest.raises(OptionError, match="frame rate 0"):
        VideoOptions(frame_rate=Fraction(0))


def test_a_table_must_fit_the_pictures(tmp_path: Path, enlarge: Enlarge) -> None:
    enlarge(make_clip(tmp_path / "a.mp4", Clip(times=[0, 20, 40])), tmp_path / "f" / "%d.png")
    (tmp_path / "f" / "2.png").unlink()
    with pytest.raises(InputError, match="tells of 3 pictures, and the folder has 2"):
        enlarge(tmp_path / "f", tmp_path / "b.mp4", FAST)
    enlarge(tmp_path / "f", tmp_path / "b.mp4", TEN)
    assert [time for time, _ in decoded(tmp_path / "b.mp4")] == [0, Fraction(1, 10)]


def test_pictures_of_an_earlier_result_are_replaced_as_a_whole(tmp_path: Path, enlarge: Enlarge) -> None:
    long, short = (make_clip(tmp_path / f"{n}.mp4", Clip(times=range(0, 20 * n, 20))) for n in (5, 3))
    enlarge(long, tmp_path / "f" / "%d.png")
    mine = tmp_path / "f" / "6.png"
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        enlarge(short, tmp_path / "f" / "%d.png")
    enlarge(short, tmp_path / "f" / "%d.png", overwrite=True)
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"1.png", "2.png", "3.png", "6.png", "times.toml"}
    assert mine.read_bytes() == b"mine"


def test_frames_take_the_options_of_pictures(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(times=[0, 20]))
    enlarge(source, tmp_path / "jpeg" / "%d.jpg", format="jpeg", quality=80)
    enlarge(source, tmp_path / "png" / "%d.png", compression="small")
    with PIL.Image.open(tmp_path / "jpeg" / "2.jpg") as one, PIL.Image.open(tmp_path / "png" / "2.png") as other:
        assert (one.format, other.format, one.size) == ("JPEG", "PNG", other.size)


def test_a_shorter_run_leaves_no_pictures_of_a_stopped_one(
    tmp_path: Path, enlarge: Enlarge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "GROUP_FRAMES", 5)
    source = make_clip(tmp_path / "a.mp4", Clip())
    short, wanted = VideoOptions(end=0.09), {"1.png", "2.png", "3.png", "times.toml"}

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    target = tmp_path / "after" / "%d.png"
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop)
    assert (target.parent / "8.png").exists() and work_folder_of(target).is_dir()
    (target.parent / "99.png").write_bytes(b"mine")
    enlarge(source, target, short)
    assert {path.name for path in target.parent.iterdir()} == wanted | {"99.png"}
    (target.parent / "99.png").unlink()
    enlarge(target.parent, tmp_path / "back.mp4", FAST)


def test_pictures_that_no_run_has_begun_are_somebodys(tmp_path: Path, enlarge: Enlarge) -> None:
    """--overwrite replaces those of the same number, and takes no other away."""
    source = make_clip(tmp_path / "a.mp4", Clip())
    for first in (1, 4):
        folder = tmp_path / f"own{first}"
        folder.mkdir()
        for number in range(first, 7):
            (folder / f"{number}.png").write_bytes(b"mine")
        enlarge(source, folder / "%d.png", VideoOptions(end=0.09), overwrite=True)
        assert {path.name for path in folder.iterdir()} == {*(f"{n}.png" for n in range(1, 7)), "times.toml"}
        assert all((folder / f"{number}.png").read_bytes() == b"mine" for number in (4, 5, 6))


#: Enlarges sys.argv[1] to [2] with the models in [3] and kills itself when [4] pictures have been placed.
DRIVER = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler
from superres.workflows import video, video_pictures

sys.path.insert(0, sys.argv[5])
from tiny_models import open_nearest

video.GROUP_FRAMES = 5
source, target, folder, moment = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
rate = Fraction(10) if source.is_dir() else None
placed = 0

def rename(scratch, path, real=video_pictures._rename):
    global placed
    real(scratch, path)
    placed += 1
    if placed == moment:
        os.kill(os.getpid(), signal.SIGKILL)

def told(done, total):
    if target.suffix == ".mp4" and done == moment:
        os.kill(os.getpid(), signal.SIGKILL)

video_pictures._rename = rename
options = Options(scale=2, model="nearest", threads=2, video=VideoOptions(frame_rate=rate))
with Upscaler(options, folder=folder, opener=open_nearest) as upscaler:
    upscaler.file(source, target, report=told)
print(placed)
"""


def drive(source: Path, target: Path, folder: Path, moment: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DRIVER, source, target, folder, str(moment), Path(__file__).parents[1]]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_run_to_pictures_goes_on(tmp_path: Path, tiny_folder: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(times=[20 * t + t % 3 for t in range(17)]))
    once = drive(source, tmp_path / "once" / "%d.png", tiny_folder, 0)
    assert (once.stdout.strip(), once.stderr) == ("17", "")
    target = tmp_path / "b" / "%d.png"
    for moment in (2, 7, 4):
        assert drive(source, target, tiny_folder, moment).returncode == -signal.SIGKILL
        assert work_folder_of(target).is_dir() and not (tmp_path / "b" / "times.toml").exists()
    done = drive(source, target, tiny_folder, 0)
    assert (done.stdout.strip(), done.stderr) == ("12", "")  # one group of five was there
    assert contents(tmp_path / "b") == contents(tmp_path / "once")


def test_a_killed_run_from_pictures_goes_on(tmp_path: Path, tiny_folder: Path) -> None:
    source = make_frames(tmp_path / "in", 17)
    assert drive(source, tmp_path / "once.mp4", tiny_folder, 0).returncode == 0
    for moment in (3, 8, 16):
        assert drive(source, tmp_path / "b.mp4", tiny_folder, moment).returncode == -signal.SIGKILL
    assert drive(source, tmp_path / "b.mp4", tiny_folder, 0).returncode == 0
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "once.mp4").read_bytes()
    assert len(decoded(tmp_path / "b.mp4")) == 17


def test_pictures_that_have_gone_are_missed(tmp_path: Path, enlarge: Enlarge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "GROUP_FRAMES", 5)
    source, target = make_clip(tmp_path / "a.mp4", Clip()), tmp_path / "b" / "%d.png"

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop)
    (tmp_path / "b" / "2.png").unlink()
    with pytest.raises(OutputError, match=r"2\.png: was made and is no longer there"):
        enlarge(source, target)


def test_a_folder_is_a_batch_unless_a_video_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_frames(tmp_path / "in", 2)
    usual = ["upscale", str(source), "--model", "realtime", "--scale", "2"]
    assert main([*usual, "-o", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["f1_x2.png", "f2_x2.png"]
    assert main([*usual, "-o", str(tmp_path / "clip.mp4"), "--frame-rate", "30000/1001", "--preset", "ultrafast"]) == 0
    times = [time for time, _ in decoded(tmp_path / "clip.mp4")]
    assert times == [0, Fraction(1001, 30000)]
    assert samples(first_frame(tmp_path / "clip.mp4"))[0].shape == (2 * SIZE[1], 2 * SIZE[0])
    assert main([*usual, "-o", str(tmp_path / "clip.mp4"), "--frame-rate", "25"]) == 2  # it is there already
    capsys.readouterr()
    for wrong, words in (([*usual, "--frame-rate", "25"], "with -o"), ([*usual, "--frame-rate", "fast"], "30000/1001")):
        assert main(wrong) == 1
        assert words in capsys.readouterr().err
